// Bytes of any program, and Python's repr of them, back to text.

import { decodeData, decodeText } from "../../src/events/text.ts";
import { assertEquals } from "../support/assert.ts";
import { bytesOf } from "../support/frames.ts";

/** What it is, the bytes, the text. */
const TEXTS: readonly [string, readonly number[], string][] = [
  ["nothing", [], ""],
  ["ASCII", [0x61, 0x0a], "a\n"],
  ["UTF-8", [0xe4, 0xbd, 0xa0], "你"],
  ["an emoji", [0xf0, 0x9f, 0x94, 0xa5], "🔥"],
  ["a byte order mark", [0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
  ["NUL and ESC", [0x00, 0x1b, 0x5b], "\0\x1b["],
  ["UTF-8 cut in its last character", [0xe4, 0xbd, 0xa0, 0xe5, 0xa5], "你"],
  ["UTF-8 cut in its first character", [0xbd, 0xa0, 0xe5, 0xa5, 0xbd], "好"],
  ["UTF-8 cut at both ends", [0xa0, 0xe5, 0xa5, 0xbd, 0xe4], "好"],
  ["ASCII before a cut character", [0x61, 0xe4, 0xbd], "a"],
  ["ASCII before a cut emoji", [0x61, 0xf0, 0x9f, 0x94], "a"],
  ["GBK", [0xb2, 0xe2, 0xca, 0xd4], "测试"],
  ["GBK that looks like the rest of a cut character", [0xb2, 0xbb], "不"],
  ["GBK of such characters alone", [0xb1, 0xa8, 0xb4, 0xed], "报错"],
  ["GBK of such a character before ASCII", [0xb2, 0xbb, 0x6f, 0x6b], "不ok"],
  ["GBK after ASCII", [0x6f, 0x6b, 0x20, 0xd6, 0xd0], "ok 中"],
  ["a byte that is nothing at all", [0xff], "\ufffd"],
  ["such bytes among ASCII", [0x61, 0xff, 0xfe, 0x62], "a\ufffd\ufffdb"],
  ["such a byte at the end", [0x61, 0xff], "a\ufffd"],
];
for (const [what, bytes, text] of TEXTS) {
  Deno.test(`decodeText() reads ${what}`, () => {
    assertEquals(decodeText(new Uint8Array(bytes)), text);
  });
}

Deno.test("decodeText() loses no text whatever the two bytes are", () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const text = decodeText(new Uint8Array([first, second]));
      assertEquals(text === "", false, `${first} ${second}`);
    }
  }
});

/** The repr as supervisord 4 sends it, the text it stands for. */
const REPRS: readonly [string, string][] = [
  [String.raw`Undecodable: b'\xe4\xbd\xa0'`, "你"],
  [String.raw`Undecodable: '\xe4\xbd\xa0'`, "你"],
  [String.raw`Undecodable: b'\xb2\xe2\xca\xd4\n'`, "测试\n"],
  [String.raw`Undecodable: b"it's \xff"`, "it's \ufffd"],
  [String.raw`Undecodable: b'\'"\\ \t\r\n\x00\x1b'`, "'\"\\ \t\r\n\0\x1b"],
  [String.raw`Undecodable: b'\\x41'`, "\\x41"],
  [String.raw`Undecodable: b'\x4'`, "\\x4"],
  [String.raw`Undecodable: b'\q\'`, "\\q\\"],
  ["Undecodable: b''", ""],
  ["Undecodable: b'multi\nline'", "multi\nline"],
  // What only looks like one stays what it is.
  ["Undecodable: b'abc", "Undecodable: b'abc"],
  ["Undecodable: b'abc\"", "Undecodable: b'abc\""],
  [" Undecodable: b'abc'", " Undecodable: b'abc'"],
  ["Undecodable: u'abc'", "Undecodable: u'abc'"],
  ["Undecodable: b'abc' more", "Undecodable: b'abc' more"],
];
for (const [repr, text] of REPRS) {
  Deno.test(`decodeData() reads ${JSON.stringify(repr)}`, () => {
    assertEquals(decodeData(bytesOf(repr)), text);
  });
}

Deno.test("decodeData() undoes the repr of 64 KiB in no time", () => {
  const repr = `Undecodable: b'${String.raw`\xe4\xbd\xa0`.repeat(21_845)}'`;
  assertEquals(decodeData(bytesOf(repr)), "你".repeat(21_845));
});
