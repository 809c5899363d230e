import { FileLooks, readConfiguration } from "../src/config_reading.ts";
import { assert, assertEquals, assertNotEquals } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";

/** Bytes that this process has read from anything. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync("/proc/self/io"))![1]);
}

/** As one that has touched nothing for long. */
const SETTLED = -1000;

Deno.test("FileLooks sees what files hold as it was when the configuration was read", async () => {
  using folder = new Folder();
  const token = folder.write("token", "https://example.com/4711\n");
  const path = folder.write(
    "superbell.yaml",
    `channels: { hook: { type: webhook, url: { file: ${JSON.stringify(token)} } } }
rules: [{ name: crash, on: crash, to: hook }]
`,
  );
  const reading = await readConfiguration({ path, env: () => undefined });
  assertEquals(reading.files, [path, token]);
  const { content, isWhole } = reading;
  for (const looks of [new FileLooks(), new FileLooks(SETTLED)]) {
    assertEquals(await looks.look(reading.files), { content, isWhole });
    assertEquals(await looks.look(reading.files), { content, isWhole });
  }
  Deno.removeSync(token);
  const gone = await new FileLooks().look(reading.files);
  assertEquals(gone.isWhole, false);
  assertNotEquals(gone.content, content);
});

Deno.test("FileLooks does not open a file that nobody has touched", async () => {
  using folder = new Folder();
  const size = 1024 ** 2;
  const path = folder.write("a", "a".repeat(size));
  const looks = new FileLooks(SETTLED);
  const first = await looks.look([path]);
  const before = bytesRead();
  assertEquals(await looks.look([path]), first);
  assert(bytesRead() - before < size, "it was read again");
  for (const text of ["b".repeat(size), "c"]) {
    folder.write("b", text);
    Deno.renameSync(folder.file("b"), path);
    const other = await looks.look([path]);
    assertNotEquals(other, first);
    assertEquals(await looks.look([path]), other);
  }
  Deno.removeSync(path);
  assertEquals((await looks.look([path])).isWhole, false);
  folder.write("a", "a".repeat(size));
  assertEquals(await looks.look([path]), first);
});

Deno.test("FileLooks reads a file again that was touched just now, however it looks", async () => {
  using folder = new Folder();
  const path = folder.write("a", "1");
  const looks = new FileLooks();
  const contents = new Set<string>();
  for (let count = 0; count < 50; count++) {
    Deno.writeTextFileSync(path, String(count).padStart(2, "0"));
    contents.add((await looks.look([path])).content);
  }
  assertEquals(contents.size, 50);
});
