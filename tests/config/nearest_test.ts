import { nearest, suggest } from "../../src/config/nearest.ts";
import { assertEquals } from "../support/assert.ts";

const WORDS = ["token", "secret", "mention", "format", "timeout"];

const CASES: readonly (readonly [string, string | undefined])[] = [
  ["tokne", "token"], // two neighbours swapped
  ["Token", "token"], // case
  ["secrets", "secret"], // one more
  ["formt", "format"], // one less
  ["x", undefined], // everything is near to one letter
  ["webhook", undefined],
];

for (const [word, expected] of CASES) {
  Deno.test(`nearest() answers ${expected} for ${word}`, () => {
    assertEquals(nearest(word, WORDS), expected);
  });
}

Deno.test("suggest() names the nearest word, or all of them", () => {
  assertEquals(suggest("tokne", WORDS), 'did you mean "token"?');
  assertEquals(
    suggest("webhook", WORDS),
    "known are: token, secret, mention, format, timeout",
  );
  assertEquals(suggest("anything", []), "none is known here");
});
