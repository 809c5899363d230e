import { assertEquals, assertThrows } from "@std/assert";
import { BuildError } from "../../tools/build_error.ts";
import { archOf, type Bytes, imageEnd, readHeader, readSections } from "../../tools/elf.ts";
import { elfFile, joined } from "./elf_file.ts";

Deno.test("readHeader() and archOf() name the processor", () => {
  assertEquals(archOf(readHeader(elfFile(), "f")), "x64");
  assertEquals(archOf(readHeader(elfFile({ machine: 183 }), "f")), "arm64");
  assertEquals(archOf(readHeader(elfFile({ machine: 8 }), "f")), undefined);
});

Deno.test("readSections() reads names, types and places", () => {
  const bytes = elfFile({ text: "abc", bssBytes: 5 });
  const sections = readSections(bytes, readHeader(bytes, "f"), "f");
  assertEquals(
    sections.map(({ name, type, offset, sizeBytes }) => [name, type, offset, sizeBytes]),
    [
      ["", 0, 0, 0],
      [".data", 1, 64, 3],
      [".bss", 8, 64, 5],
      [".shstrtab", 3, 67, 22],
    ],
  );
});

Deno.test("imageEnd() is the end of the section header table, whatever follows", () => {
  const bytes = elfFile();
  assertEquals(imageEnd(bytes, "f"), bytes.length);
  assertEquals(imageEnd(joined(bytes, "more"), "f"), bytes.length);
});

const whole = elfFile();
const damaged: readonly (readonly [string, Bytes, string])[] = [
  ["an empty file", new Uint8Array(0), "0 bytes are too few for an ELF header"],
  ["a script", joined("#!/bin/sh\n", new Uint8Array(64)), "found first bytes 23 21 2f 62"],
  ["a 32-bit file", withByte(whole, 4, 1), "found class 1 and byte order 1"],
  ["a file cut off", whole.slice(0, -1), `the file has ${whole.length - 1}; it is cut off`],
  ["a file without sections", elfFile({ sectionCount: 0 }), "found 0 of 64 bytes"],
  ["a names index outside", withByte(whole, 62, 9), "section 9 should hold the names"],
  ["an absurd offset", withByte(whole, 47, 255), "byte 40 holds an offset beyond any file"],
  [
    "a section behind the table",
    elfFile({ claimedDataBytes: 5000 }),
    'section ".data" ends at byte 5064',
  ],
];

for (const [what, bytes, message] of damaged) {
  Deno.test(`imageEnd() refuses ${what}`, () => {
    assertThrows(() => imageEnd(bytes, "f"), BuildError, message);
  });
}

function withByte(bytes: Bytes, at: number, value: number): Bytes {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}
