// One listener for each state directory, and a way on when it cannot be used.

import { lockStateDir, openStateDir } from "../../src/outbox/state_dir.ts";
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);

function open(stateDir: string) {
  const troubles: string[] = [];
  const onTrouble = (what: string) => void troubles.push(what);
  return {
    outbox: openStateDir({ stateDir, sync: "normal" }, { nowMs: NOW, onTrouble }),
    troubles,
  };
}

Deno.test("lockStateDir() creates the directory and the lock for the owner alone", () => {
  using folder = new Folder();
  const stateDir = folder.file("a/b");
  {
    using lock = lockStateDir(stateDir);
    assertEquals(lock.why, undefined);
    assertEquals(Deno.statSync(stateDir).mode! & 0o777, 0o700);
    assertEquals(Deno.statSync(`${stateDir}/superbell.lock`).mode! & 0o777, 0o600);
  }
  using again = lockStateDir(stateDir);
  assertEquals(again.why, undefined);
});

Deno.test("lockStateDir() refuses the directory while another listener holds it", () => {
  using folder = new Folder();
  using _lock = lockStateDir(folder.path);
  const error = assertThrows(() => lockStateDir(folder.path), Error);
  assertEquals(
    error.message,
    `another superbell uses state_dir "${folder.path}"; give each listener a state_dir of its own, ` +
      `and leave numprocs at 1`,
  );
});

Deno.test("lockStateDir() lets the directory go when the process that held it is killed", async () => {
  using folder = new Folder();
  const source = new URL("../../src/outbox/state_dir.ts", import.meta.url).href;
  const script = folder.write(
    "hold.ts",
    `import { lockStateDir } from ${JSON.stringify(source)};
     const lock = lockStateDir(${JSON.stringify(folder.path)});
     console.log(lock.why ?? "held");
     setInterval(() => {}, 1000);`,
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--unstable-raw-imports", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "held\n");
  assertThrows(() => lockStateDir(folder.path), Error, "another superbell");
  child.kill("SIGKILL");
  await child.status;
  reader.releaseLock();
  await child.stdout.cancel();
  using lock = lockStateDir(folder.path);
  assertEquals(lock.why, undefined);
});

Deno.test("lockStateDir() says why there is no lock where none can be had", () => {
  using folder = new Folder();
  const file = folder.write("file", "");
  using lock = lockStateDir(`${file}/state`);
  assertMatch(lock.why ?? "", /^no lock on ".*\/file\/state\/superbell\.lock": Not a directory/);
});

Deno.test("openStateDir() opens the outbox of the directory", () => {
  using folder = new Folder();
  const { outbox, troubles } = open(folder.path);
  assertEquals(outbox.path, folder.file("superbell.db"));
  outbox.close();
  assertEquals(troubles, []);
});

Deno.test("openStateDir() says that a damaged outbox was set aside, and where", () => {
  using folder = new Folder();
  folder.write("superbell.db", "no database".repeat(500));
  const { outbox, troubles } = open(folder.path);
  assertEquals(outbox.enqueue([{ alert: ALERT, channel: "c" }], NOW), 1);
  outbox.close();
  assertEquals(troubles, [
    `the outbox was damaged: it was set aside as "${folder.path}/superbell.db.damaged-` +
    `2026-11-21T020000.000Z" and a fresh one begun with the 0 waiting entries that could still be read`,
  ]);
});

const UNUSABLE: Record<string, (folder: Folder) => string> = {
  "whose parent is a file": (folder) => `${folder.write("file", "")}/state`,
  "that does not exist": (folder) => folder.file("missing"),
  "where a directory has the outbox's name": (folder) => {
    Deno.mkdirSync(folder.file("superbell.db"));
    return folder.path;
  },
  "with an outbox that lacks a table": (folder) => {
    const database = new DatabaseSync(folder.file("superbell.db"));
    database.exec("pragma user_version = 1");
    database.close();
    return folder.path;
  },
};
for (const [what, make] of Object.entries(UNUSABLE)) {
  Deno.test(`openStateDir() works in memory, and says so, with a directory ${what}`, () => {
    using folder = new Folder();
    const stateDir = make(folder);
    const { outbox, troubles } = open(stateDir);
    assertEquals(outbox.path, ":memory:");
    assertEquals(outbox.enqueue([{ alert: ALERT, channel: "c" }], NOW), 1);
    outbox.close();
    assertEquals(troubles.length, 1);
    assertEquals(troubles[0]!.startsWith(`cannot use "${stateDir}/superbell.db": `), true);
    assertMatch(troubles[0]!, /; messages are kept in memory only and are lost if superbell ends/);
  });
}

Deno.test("openStateDir() refuses an outbox of a newer superbell", () => {
  using folder = new Folder();
  const database = new DatabaseSync(folder.file("superbell.db"));
  database.exec("create table entry (id); pragma user_version = 99");
  database.close();
  assertThrows(() => open(folder.path), Error, "it was written by a newer superbell (version 99");
});
