import { matchesGlob } from "../../src/rules/glob.ts";
import { assertEquals } from "../support/assert.ts";

const CASES: readonly (readonly [string, string, boolean])[] = [
  ["web:api", "web:api", true],
  ["web:api", "web:apis", false],
  ["web:*", "web:", true],
  ["web:*", "web:a:b", true],
  ["*", "", true],
  ["**", "anything", true],
  ["*a*b*c*", "xaxbxcx", true],
  ["*a*b*c*", "xaxcxbx", false],
  ["*.log", "a.log", true],
  ["*.log", "alog", false],
  ["a?c", "abc", true],
  ["a?c", "ac", false],
  ["?", "订", true],
  ["?", "🔥", true],
  ["*单*", "订单服务", true],
  ["*aab", "aaaab", true],
  ["[ab]+(c)", "[ab]+(c)", true],
  ["", "", true],
  ["", "a", false],
];

for (const [pattern, name, expected] of CASES) {
  Deno.test(`matchesGlob() answers ${expected} for "${pattern}" and "${name}"`, () => {
    assertEquals(matchesGlob(pattern, name), expected);
  });
}

Deno.test("matchesGlob() does as an expression would for every short pattern and name", () => {
  const words = (letters: string, length: number): string[] =>
    length === 0
      ? [""]
      : words(letters, length - 1).flatMap((word) => [...letters].map((letter) => word + letter));
  const upTo = (letters: string) => [0, 1, 2, 3, 4].flatMap((length) => words(letters, length));
  for (const pattern of upTo("ab*?")) {
    const expression = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
    for (const name of upTo("ab")) {
      assertEquals(matchesGlob(pattern, name), expression.test(name), `${pattern} ${name}`);
    }
  }
});

Deno.test("matchesGlob() does not try all ways to split a long name", () => {
  assertEquals(matchesGlob("*-".repeat(40) + "x", "-".repeat(5000)), false);
});
