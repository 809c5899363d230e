// One listener for each state directory, and a way on when it cannot be used.

import { DatabaseSync } from "node:sqlite";
import { Outbox } from "../../src/outbox/outbox.ts";
import { HeldError, openStateDir, seeListener, StateLock } from "../../src/outbox/state_dir.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const LEASE = { nowMs: NOW, leaseMs: 40_000 };

/** The outbox of a state directory, as the listener holds it. */
class Bench implements Disposable {
  readonly troubles: string[] = [];
  readonly outbox: Outbox;
  readonly #lock: StateLock;

  constructor(stateDir: string, options: { readonly restMs?: number } = {}) {
    this.#lock = new StateLock(stateDir);
    this.outbox = openStateDir({ stateDir, sync: "normal" }, {
      lock: this.#lock,
      nowMs: NOW,
      busyMs: 1,
      onTrouble: (what) => void this.troubles.push(what),
      ...options,
    });
  }

  store(...ids: string[]): number {
    return this.outbox.enqueue(ids.map((id) => ({ alert: { ...ALERT, id }, channel: "c" })), NOW);
  }

  get ids(): string[] {
    return this.outbox.entries.list().map(({ alert }) => alert.id);
  }

  [Symbol.dispose](): void {
    this.outbox.close();
    this.#lock[Symbol.dispose]();
  }
}

Deno.test("StateLock.take() creates the directory and the lock for the owner alone", () => {
  using folder = new Folder();
  const stateDir = folder.file("a/b");
  {
    using lock = new StateLock(stateDir);
    lock.take();
    lock.take();
    assertEquals(Deno.statSync(stateDir).mode! & 0o777, 0o700);
    assertEquals(Deno.statSync(`${stateDir}/superbell.lock`).mode! & 0o777, 0o600);
  }
  using again = new StateLock(stateDir);
  again.take();
});

Deno.test("StateLock.take() refuses the directory while another listener holds it", () => {
  using folder = new Folder();
  using holder = new StateLock(folder.path);
  holder.take();
  using other = new StateLock(folder.path);
  const error = assertThrows(() => other.take(), HeldError);
  assertEquals(
    error.message,
    `another superbell uses state_dir "${folder.path}"; give each listener a state_dir of its own, ` +
      `and leave numprocs at 1`,
  );
});

Deno.test("seeListener() tells who holds the directory, and takes nothing from anybody", () => {
  using folder = new Folder();
  assertEquals(seeListener(folder.path), { runs: false, holder: undefined });
  assertEquals([...Deno.readDirSync(folder.path)], []);
  const first = { pid: 4711, sinceMs: NOW, version: "0.1.0" };
  {
    using lock = new StateLock(folder.path, first);
    lock.take();
    assertEquals(seeListener(folder.path), { runs: true, holder: first });
    lock.take();
    assertEquals(seeListener(folder.path), { runs: true, holder: first });
  }
  assertEquals(seeListener(folder.path), { runs: false, holder: first });
  const second = { pid: 4, sinceMs: NOW + 1, version: "0.2" };
  using lock = new StateLock(folder.path, second);
  lock.take();
  assertEquals(seeListener(folder.path), { runs: true, holder: second });
  folder.write("superbell.lock", "{");
  assertEquals(seeListener(folder.path), { runs: true, holder: undefined });
});

Deno.test("StateLock.take() is not kept away by those who look", async () => {
  using folder = new Folder();
  folder.write("superbell.lock", "");
  const source = new URL("../../src/outbox/state_dir.ts", import.meta.url).href;
  const script = folder.write(
    "look.ts",
    `import { seeListener } from ${JSON.stringify(source)};
     console.log("looking");
     while (true) seeListener(${JSON.stringify(folder.path)});`,
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--unstable-raw-imports", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  for (let times = 0; times < 200; times++) {
    using lock = new StateLock(folder.path);
    lock.take();
  }
  child.kill("SIGKILL");
  await child.status;
  reader.releaseLock();
  await child.stdout.cancel();
});

Deno.test("StateLock lets the directory go when the process that held it is killed", async () => {
  using folder = new Folder();
  const source = new URL("../../src/outbox/state_dir.ts", import.meta.url).href;
  const script = folder.write(
    "hold.ts",
    `import { StateLock } from ${JSON.stringify(source)};
     new StateLock(${JSON.stringify(folder.path)}).take();
     console.log("held");
     setInterval(() => {}, 1000);`,
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--unstable-raw-imports", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "held\n");
  using lock = new StateLock(folder.path);
  assertThrows(() => lock.take(), HeldError);
  child.kill("SIGKILL");
  await child.status;
  reader.releaseLock();
  await child.stdout.cancel();
  lock.take();
});

Deno.test("openStateDir() opens the outbox of the directory", () => {
  using folder = new Folder();
  using bench = new Bench(folder.path);
  assertEquals(bench.outbox.path, folder.file("superbell.db"));
  assertEquals(bench.troubles, []);
});

const DAMAGED: Record<string, (folder: Folder) => void> = {
  "is no database": (folder) => void folder.write("superbell.db", "no database".repeat(500)),
  "lacks a table"(folder) {
    const database = new DatabaseSync(folder.file("superbell.db"));
    database.exec("pragma user_version = 1");
    database.close();
  },
};
for (const [what, damage] of Object.entries(DAMAGED)) {
  Deno.test(`openStateDir() says that an outbox that ${what} was set aside, and where`, () => {
    using folder = new Folder();
    damage(folder);
    using bench = new Bench(folder.path);
    assertEquals(bench.store("a"), 1);
    assertEquals(bench.troubles.length, 1);
    assertMatch(
      bench.troubles[0]!,
      /^the outbox was damaged: it was set aside as ".*\/superbell\.db\.damaged-.*Z" and a fresh one begun with the 0 waiting entries that could still be read$/,
    );
  });
}

const UNUSABLE: Record<string, { spoil(folder: Folder): string; mend(folder: Folder): void }> = {
  "whose parent is a file": {
    spoil: (folder) => `${folder.write("file", "")}/state`,
    mend: (folder) => Deno.removeSync(folder.file("file")),
  },
  "where a directory has the outbox's name": {
    spoil(folder) {
      Deno.mkdirSync(folder.file("superbell.db"));
      return folder.path;
    },
    mend: (folder) => Deno.removeSync(folder.file("superbell.db")),
  },
};
for (const [what, { spoil, mend }] of Object.entries(UNUSABLE)) {
  Deno.test(`openStateDir() says that a directory ${what} cannot be used, until it is mended`, () => {
    using folder = new Folder();
    const stateDir = spoil(folder);
    using bench = new Bench(stateDir);
    assertThrows(() => bench.store("a"));
    assertThrows(() => bench.outbox.follow());
    assertEquals(bench.troubles.length, 1);
    assert(bench.troubles[0]!.startsWith(`cannot use "${stateDir}/superbell.db": `));
    assertMatch(bench.troubles[0]!, /; until it can be used, messages are kept in memory only/);
    mend(folder);
    assertEquals(bench.store("a"), 1);
    using other = new StateLock(stateDir);
    assertThrows(() => other.take(), HeldError);
  });
}

Deno.test("openStateDir() comes back when another process lets the file go", () => {
  using folder = new Folder();
  const holder = new DatabaseSync(folder.file("superbell.db"));
  holder.exec("pragma locking_mode = exclusive; create table held (x); begin exclusive");
  using bench = new Bench(folder.path);
  assertMatch(bench.troubles[0]!, /database is locked; until it can be used/);
  assertThrows(() => bench.store("a"), Error, "database is locked");
  holder.exec("commit");
  holder.close();
  assertEquals(bench.store("a"), 1);
});

Deno.test("openStateDir() lets a busy file be for the rest, and does not wait again", () => {
  using folder = new Folder();
  using bench = new Bench(folder.path, { restMs: 60_000 });
  const holder = new DatabaseSync(folder.file("superbell.db"));
  holder.exec("begin immediate");
  assertThrows(() => bench.store("a"), Error, "database is locked");
  holder.exec("commit");
  holder.close();
  assertThrows(() => bench.store("a"), Error, "database is locked");
});

Deno.test("openStateDir() refuses the directory of another listener", () => {
  using folder = new Folder();
  using _holder = new Bench(folder.path);
  assertThrows(() => new Bench(folder.path), HeldError);
});

Deno.test("openStateDir() refuses an outbox of a newer superbell", () => {
  using folder = new Folder();
  const database = new DatabaseSync(folder.file("superbell.db"));
  database.exec("create table entry (id); pragma user_version = 99");
  database.close();
  using lock = new StateLock(folder.path);
  const settings = { stateDir: folder.path, sync: "normal" } as const;
  assertThrows(
    () => openStateDir(settings, { lock, nowMs: NOW, onTrouble() {} }),
    Error,
    "it was written by a newer superbell (version 99",
  );
});

const LOSSES: Record<string, (stateDir: string) => void> = {
  "the directory was removed": (stateDir) => Deno.removeSync(stateDir, { recursive: true }),
  "the file alone was removed": (stateDir) => Deno.removeSync(`${stateDir}/superbell.db`),
  "the file was moved away": (stateDir) =>
    Deno.renameSync(`${stateDir}/superbell.db`, `${stateDir}/moved.db`),
  "another file took its place"(stateDir) {
    const other = Outbox.open(`${stateDir}/other.db`, { nowMs: NOW });
    other.enqueue([{ alert: { ...ALERT, id: "other" }, channel: "c" }], NOW);
    other.close();
    Deno.renameSync(`${stateDir}/other.db`, `${stateDir}/superbell.db`);
  },
};
for (const [what, lose] of Object.entries(LOSSES)) {
  Deno.test(`Outbox.follow() carries everything over when ${what}`, () => {
    using folder = new Folder();
    const stateDir = folder.file("state");
    using bench = new Bench(stateDir);
    bench.store("dead", "sent", "waiting");
    const busy = { atMs: NOW, tookMs: 5, outcome: "rejected", reason: "no" } as const;
    bench.outbox.settle(bench.outbox.claim("c", LEASE)!, { attempt: busy });
    const running = bench.outbox.claim("c", LEASE)!;
    bench.outbox.follow();
    assertEquals(bench.troubles, []);
    lose(stateDir);
    bench.store("into nothing");
    bench.outbox.follow();
    bench.outbox.follow();
    assertEquals(bench.troubles, [
      `"${stateDir}/superbell.db" was removed or replaced while it was in use: 4 entries were ` +
      `carried over into the file that is there now`,
    ]);
    const delivered = { ...busy, outcome: "delivered", reason: "ok" } as const;
    assertEquals(bench.outbox.settle(running, { attempt: delivered }).length, 1);
    using again = new DatabaseSync(`${stateDir}/superbell.db`);
    const rows = again.prepare("select alert_id || ' ' || state as what from entry").all();
    assertEquals(
      rows.map((row) => row.what).filter((text) => text !== "other waiting").sort(),
      ["dead dead", "into nothing waiting", "sent delivered", "waiting waiting"],
    );
    assertEquals(bench.store("afterwards"), 1);
    using other = new StateLock(stateDir);
    assertThrows(() => other.take(), HeldError);
  });
}

Deno.test("Outbox.follow() keeps what a removed file held until there is a new one", () => {
  using folder = new Folder();
  const stateDir = folder.file("state");
  using bench = new Bench(stateDir);
  bench.store("a");
  Deno.removeSync(stateDir, { recursive: true });
  folder.write("state", "a file stands in the way");
  assertThrows(() => bench.outbox.follow());
  assertThrows(() => bench.store("b"), Error, undefined, "rather than into nothing");
  Deno.removeSync(stateDir);
  assertEquals(bench.store("b"), 1);
  assertEquals(bench.ids, ["a", "b"]);
});
