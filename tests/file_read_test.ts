import { type FileRead, readInBackground, readNow } from "../src/file_read.ts";
import { assertEquals } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";

const KINDS: readonly (readonly [
  name: string,
  read: (path: string) => FileRead | Promise<FileRead>,
])[] = [["readNow()", readNow], ["readInBackground()", readInBackground]];

for (const [name, read] of KINDS) {
  Deno.test(`${name} reads a file, and knows who else can`, async () => {
    using folder = new Folder();
    Deno.chmodSync(folder.path, 0o755);
    const path = folder.file("a");
    Deno.writeTextFileSync(path, "x");
    const bytes = new TextEncoder().encode("x");
    Deno.chmodSync(path, 0o644);
    assertEquals(await read(path), { bytes, isOpenToAll: true });
    Deno.chmodSync(path, 0o640);
    assertEquals(await read(path), { bytes, isOpenToAll: false });
    Deno.chmodSync(path, 0o644);
    Deno.chmodSync(folder.path, 0o750);
    assertEquals(await read(path), { bytes, isOpenToAll: false });
  });

  Deno.test(`${name} says why a file cannot be read`, async () => {
    using folder = new Folder();
    assertEquals(await read(folder.path), { why: "it is a directory" });
    assertEquals(await read(folder.file("none")), { why: "there is no such file" });
    const long = folder.file("long");
    Deno.writeFileSync(long, new Uint8Array(1));
    Deno.truncateSync(long, 4 * 1024 ** 2 + 1);
    assertEquals(await read(long), { why: "it is larger than 4 MB" });
  });
}

Deno.test("readInBackground() does not wait for a pipe, for all else would wait with it", async () => {
  using folder = new Folder();
  const pipe = folder.file("pipe");
  assertEquals(new Deno.Command("mkfifo", { args: [pipe] }).outputSync().code, 0);
  assertEquals(await readInBackground(pipe), { why: "it is a pipe or a device" });
  assertEquals(await readInBackground("/dev/zero"), { why: "it is a pipe or a device" });
});

Deno.test("readInBackground() reads what stands there now, also if it is asked twice at once", async () => {
  using folder = new Folder();
  const path = folder.file("a");
  const textsOf = async () => {
    const reads = await Promise.all([readInBackground(path), readInBackground(path)]);
    return reads.map((read) => "why" in read ? read.why : new TextDecoder().decode(read.bytes));
  };
  for (const text of ["one", "two"]) {
    Deno.writeTextFileSync(path, text);
    assertEquals(await textsOf(), [text, text]);
  }
});
