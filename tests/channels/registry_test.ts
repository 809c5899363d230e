// A channel is its folder, a test file, a page and a block in the example. What a person would
// have to remember stands here.

import { CHANNEL_KINDS } from "../../src/channels/registry.ts";
import { assert, assertEquals } from "../support/assert.ts";

const ROOT = new URL("../../", import.meta.url);
const types = CHANNEL_KINDS.map((kind) => kind.type);

for (const type of types) {
  const wanted = [
    `src/channels/${type}/mod.ts`,
    `tests/channels/${type}_test.ts`,
    `docs/channels/${type}.md`,
  ];
  for (const path of wanted) {
    Deno.test(`channel "${type}" has ${path}`, async () => {
      assert((await Deno.stat(new URL(path, ROOT))).isFile);
    });
  }
}

Deno.test("config.example.yaml has a block for each type of channel", async () => {
  const example = await Deno.readTextFile(new URL("config.example.yaml", ROOT));
  // A block that is commented out counts: it is an example all the same.
  const shown = types.filter((type) => new RegExp(`^[\\s#]*type: ${type}\\b`, "m").test(example));
  assertEquals(shown, types);
});

Deno.test("CHANNEL_KINDS has each folder of src/channels", async () => {
  const folders: string[] = [];
  for await (const entry of Deno.readDir(new URL("src/channels/", ROOT))) {
    if (entry.isDirectory) folders.push(entry.name);
  }
  assertEquals(types.toSorted(), folders.sort());
});
