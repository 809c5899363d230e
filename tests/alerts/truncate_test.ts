import {
  truncateBytes,
  truncateChars,
  truncateLines,
  truncateStartChars,
} from "../../src/alerts/truncate.ts";
import { assert, assertEquals } from "../support/assert.ts";

const BYTES: readonly (readonly [string, number, string])[] = [
  ["short", 10, "short"],
  ["exactly10!", 10, "exactly10!"],
  ["a text that is longer", 10, "a text …"],
  ["订单服务退出", 18, "订单服务退出"],
  ["订单服务退出", 17, "订单服务…"],
  ["🔔🔔🔔", 11, "🔔🔔…"],
  ["🔔🔔🔔", 10, "🔔…"],
  ["abc", 2, ""],
];

for (const [text, maxBytes, expected] of BYTES) {
  Deno.test(`truncateBytes() cuts ${text} to ${maxBytes} bytes`, () => {
    assertEquals(truncateBytes(text, maxBytes), expected);
  });
}

Deno.test("truncateBytes() keeps within the limit and never cuts a character", () => {
  const text = "aé订🔔".repeat(50);
  for (let maxBytes = 0; maxBytes < 520; maxBytes++) {
    const cut = truncateBytes(text, maxBytes);
    assert(new TextEncoder().encode(cut).length <= maxBytes, `${maxBytes}`);
    assert(cut.isWellFormed() && !cut.includes("\ufffd"), `${maxBytes}`);
  }
});

const CHARS: readonly (readonly [string, number, string])[] = [
  ["订单服务", 4, "订单服务"],
  ["订单服务", 3, "订单…"],
  ["🔔🔔🔔", 3, "🔔🔔🔔"],
  ["🔔🔔🔔", 2, "🔔…"],
];

for (const [text, maxChars, expected] of CHARS) {
  Deno.test(`truncateChars() cuts ${text} to ${maxChars} code points`, () => {
    assertEquals(truncateChars(text, maxChars), expected);
  });
}

const STARTS: readonly (readonly [string, number, string])[] = [
  ["订单服务", 4, "订单服务"],
  ["订单服务", 3, "…服务"],
  ["🔔🔕🔔", 2, "…🔔"],
  ["🔔🔕🔔", 1, "…"],
  ["abc", 0, ""],
];

for (const [text, maxChars, expected] of STARTS) {
  Deno.test(`truncateStartChars() keeps the last ${maxChars} code points of ${text}`, () => {
    assertEquals(truncateStartChars(text, maxChars), expected);
  });
}

const LINES: readonly (readonly [string, number, string])[] = [
  ["a\nb\nc", 5, "a\nb\nc"],
  ["aa\nbb\ncc", 7, "…\ncc"],
  ["aa\nbb\ncc", 6, "…\ncc"],
  ["aa\nbb\ncc", 5, "cc"],
  ["aaaa\nb\n\nd", 8, "…\nb\n\nd"],
  ["a\n订单服务", 9, "订单…"],
  ["a\n订单", 2, ""],
];

for (const [text, maxBytes, expected] of LINES) {
  Deno.test(`truncateLines() keeps the last lines of ${JSON.stringify(text)} in ${maxBytes} bytes`, () => {
    assertEquals(truncateLines(text, maxBytes), expected);
  });
}

Deno.test("truncateLines() keeps within the limit, whole lines and the last one longest", () => {
  const lines = Array.from({ length: 30 }, (_, index) => "订🔔é".repeat(index % 7) + index);
  const text = lines.join("\n");
  for (let maxBytes = 0; maxBytes < 900; maxBytes++) {
    const cut = truncateLines(text, maxBytes);
    assert(new TextEncoder().encode(cut).length <= maxBytes, `${maxBytes}`);
    assert(cut.isWellFormed() && !cut.includes("\ufffd"), `${maxBytes}`);
    const kept = cut.split("\n");
    if (kept.length > 1 && kept[0] === "…") {
      assertEquals(kept.slice(1), lines.slice(1 - kept.length), `${maxBytes}`);
    }
  }
});
