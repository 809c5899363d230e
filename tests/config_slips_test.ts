import { otherSlips, tabProblem } from "../src/config_slips.ts";
import { assertEquals } from "./support/assert.ts";

const ADVICE = "YAML takes only blanks at the beginning of a line: write two for each level in " +
  "place of a tab";

const TABS: readonly (readonly [string, string, string | undefined])[] = [
  ["keys", "channels:\n\toncall:\n\t\ttype: exec\n", "line 2, column 1: a tab (1 more line too)"],
  ["a tab behind blanks", "channels:\n  oncall:\n  \ttype: exec\n", "line 3, column 3: a tab"],
  ["items", "rules:\n\t- name: a\n\t- name: b\n", "line 2, column 1: a tab (1 more line too)"],
  [
    "a text that begins with one",
    "template:\n  text: |\n\t\tone\n\t\ttwo\n\t\tthree\n",
    "line 3, column 1: a tab (2 more lines too)",
  ],
  [
    "a tab that is noticed a line further down, and another mistake",
    "a:\n  b: 1\n\tc: 2\n  d: 3\ne: [\n",
    "line 3, column 1: a tab",
  ],
  [
    "a tab that hides a mistake, and another mistake",
    "a:\n  - b: 1\n\tc: 2\ne: [\n",
    "line 3, column 1: a tab",
  ],
  ["another mistake above the tab", "a: *x\nb:\n\tc: 1\n", undefined],
  ["a mistake before which YAML is not stuck", "a:\n\tb: 1\nc: [\n", undefined],
  ["no tabs", "channels:\n  oncall:\n    type: exec\n", undefined],
  ["a tab within a text", "text: |\n  one\n  \ttwo\n", undefined],
  ["a tab within quotes", 'text: "one\n  \ttwo"\n', undefined],
  ["a tab before a comment", "a: 1\n\t# nothing\nb: 2\n", undefined],
  ["a tab behind a value", "a: 1\t# one\n", undefined],
  ["another mistake, and a tab within a text", "text: |\n  one\n  \ttwo\nc: [\n", undefined],
];
for (const [what, text, problem] of TABS) {
  Deno.test(`tabProblem() finds ${problem === undefined ? "nothing wrong" : "one"}: ${what}`, () => {
    assertEquals(
      tabProblem(text)?.message,
      problem && `${problem}; ${ADVICE}`,
    );
  });
}

Deno.test("tabProblem() is not held up by aliases that make a short text endless", () => {
  const letters = [..."bcdefghijklmnopqrstuvwxyz"];
  const bomb = letters.map((letter) => {
    const before = String.fromCharCode(letter.charCodeAt(0) - 1);
    return `${letter}: &${letter} [${Array(9).fill(`*${before}`).join(", ")}]`;
  });
  const text = ["a: &a [x, x]", ...bomb, "more:", "\tkey: 1", ""].join("\n");
  tabProblem(text); // comes back
});

Deno.test("otherSlips() finds full-width punctuation, three lines of it at most", () => {
  assertEquals(otherSlips("a: 1\nb： 2\n# c： 3\nd：\ne：\nf：\n").map(({ message }) => message), [
    'line 2 holds a full-width "：" or "，"; write ": " or ", "',
    'line 4 holds a full-width "：" or "，"; write ": " or ", "',
    'line 5 holds a full-width "：" or "，"; write ": " or ", "',
  ]);
});
