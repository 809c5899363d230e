import { columns, oneLine, widthOf, withoutControls } from "../../src/cli/table.ts";
import { assertEquals } from "../support/assert.ts";

/** Text and the columns that a terminal gives it. */
const WIDTHS: readonly (readonly [string, number])[] = [
  ["", 0],
  ["web:api", 7],
  ["值班", 4],
  ["订单-02", 7],
  ["ｆｕｌｌ", 8],
  ["，。（）", 8],
  ["é", 1],
  ["e\u0301", 1],
  ["한국어", 6],
  ["カナ", 4],
  ["🔥", 2],
  ["𠮷野", 4],
  ["…–", 2],
  ["a\u200bb", 2],
];
for (const [text, width] of WIDTHS) {
  Deno.test(`widthOf() counts ${JSON.stringify(text)} as ${width} columns`, () => {
    assertEquals(widthOf(text), width);
  });
}

Deno.test("columns() lines up what Chinese names push aside", () => {
  assertEquals(
    columns([["1", "waiting", "值班", "a"], ["22", "dead", "oncall", "b"], ["3", "dead", "x", ""]]),
    [
      "1   waiting  值班    a",
      "22  dead     oncall  b",
      "3   dead     x",
    ],
  );
  assertEquals(columns([]), []);
});

Deno.test("columns() takes rows of different lengths", () => {
  assertEquals(columns([["channels"], ["a", "b"]]), ["channels", "a         b"]);
});

Deno.test("oneLine() and withoutControls() let nothing through that moves the cursor", () => {
  const hostile = " a\x1b[2Jb\r\nc\u202ed\u0085 ";
  assertEquals(oneLine(hostile), "a [2Jb c d");
  assertEquals(withoutControls("a\x1b[2Jb\n\tc\u202e"), "a\ufffd[2Jb\n\tc\ufffd");
});
