import { truncateBytes, truncateChars } from "../../src/alerts/truncate.ts";
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
