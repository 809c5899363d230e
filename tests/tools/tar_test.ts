import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BuildError } from "../../tools/build_error.ts";
import type { Bytes } from "../../tools/elf.ts";
import { sha256, sha512Integrity } from "../../tools/sha.ts";
import { fileFromTar, gunzip } from "../../tools/tar.ts";
import { joined } from "./elf_file.ts";

const ARCHIVE = joined(
  entry("package/package.json", "{}"),
  entry("package/bin/steady", "x".repeat(700)),
  new Uint8Array(1024),
);

Deno.test("fileFromTar() finds an entry behind another", () => {
  const file = fileFromTar(ARCHIVE, "package/bin/steady", "a.tgz");
  assertEquals(new TextDecoder().decode(file), "x".repeat(700));
});

Deno.test("fileFromTar() lists what is there instead", () => {
  assertThrows(
    () => fileFromTar(ARCHIVE, "package/bin/other", "a.tgz"),
    BuildError,
    "it holds package/package.json, package/bin/steady",
  );
});

Deno.test("fileFromTar() refuses an archive that is cut off", () => {
  assertThrows(
    () => fileFromTar(ARCHIVE.slice(0, 1700), "package/bin/steady", "a.tgz"),
    BuildError,
    'entry "package/bin/steady" at byte 1024 is damaged or cut off',
  );
});

Deno.test("gunzip() refuses what is not gzip", async () => {
  await assertRejects(
    () => gunzip(joined("<html>no such package</html>"), "a.tgz"),
    BuildError,
    'Cannot unpack "a.tgz": it is not a whole gzip file',
  );
});

Deno.test("sha256() and sha512Integrity() spell sums as sha256sum and npm do", async () => {
  assertEquals(
    await sha256(joined("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assertEquals(
    await sha512Integrity(joined("abc")),
    "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==",
  );
});

/** A header block as npm writes it, and the content padded to whole blocks. */
function entry(path: string, content: string): Bytes {
  const block = new Uint8Array(512 + Math.ceil(content.length / 512) * 512);
  const text = new TextEncoder();
  block.set(text.encode(path));
  block.set(text.encode(content.length.toString(8).padStart(11, "0") + " "), 124);
  block.set(text.encode(content), 512);
  return block;
}
