// Files that are damaged, too new, unwritable or full. A listener must come up with each.

import { DatabaseSync } from "node:sqlite";
import type { Alert } from "../../src/alerts/alert.ts";
import { Connection } from "../../src/outbox/connection.ts";
import { isDamage } from "../../src/outbox/open.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { readableEntries, StoredEntries } from "../../src/outbox/stored_entries.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const LEASE = { nowMs: NOW, leaseMs: 40_000 };
const COUNT = 400;

interface SetAside {
  readonly to: string;
  readonly saved: number;
}

const entryFor = (id: string, text = "") => ({ alert: { ...ALERT, id, text }, channel: "c" });

function open(path: string, asides: SetAside[] = []): Outbox {
  return Outbox.open(path, { nowMs: NOW, onSetAside: (aside) => void asides.push(aside) });
}

/** A closed outbox of several hundred KB: every fourth entry is delivered, the others wait. */
function filled(path: string): void {
  const outbox = open(path);
  outbox.enqueue(
    Array.from({ length: COUNT }, (_, index) => entryFor(`id${index}`, "x".repeat(1000))),
    NOW,
  );
  for (let count = COUNT / 4; count > 0; count--) {
    const attempt = { atMs: NOW, tookMs: 1, outcome: "delivered", reason: "ok" } as const;
    outbox.settle(outbox.claim("c", LEASE)!, { attempt });
  }
  outbox.close();
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

function garbage(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7919 + 13) % 251);
}

/** Everything the listener does with an outbox. */
function useAll(outbox: Outbox): void {
  outbox.releaseClaims();
  outbox.entries.counts();
  outbox.entries.list();
  outbox.enqueue([entryFor("after the damage"), entryFor("and another")], NOW + 1);
  const claim = outbox.claim("c", { ...LEASE, nowMs: NOW + 1 })!;
  const attempt = { atMs: NOW, tookMs: 1, outcome: "retry", reason: "busy" } as const;
  outbox.settle(claim, { attempt, nextTry: () => NOW + 5, paceKey: "k" });
  outbox.pause("k", { atMs: NOW, untilMs: NOW + 5, reason: "muted" });
  outbox.paceFreeAtMs({ key: "k", count: 1, perMs: 10 }, NOW);
  outbox.nextDueMs("c");
  outbox.entries.show(claim.entries[0].id);
  outbox.entries.retry([claim.entries[0].id], NOW);
  outbox.sweep({ keepMs: 1e12, maxBytes: 1e12 }, NOW);
}

function names(outbox: Outbox): Set<string> {
  return new Set(outbox.entries.list({ states: ["waiting"] }).map(({ alert }) => alert.id));
}

/** How a file comes to be damaged, and how many of the 300 waiting entries must survive. */
const DAMAGES: Record<string, { damage(path: string): void; saved: number; aside: boolean }> = {
  "whose header is garbage": {
    damage: (path) => overwrite(path, 0, garbage(100)),
    saved: 0,
    aside: true,
  },
  "that is no database at all": {
    damage: (path) => Deno.writeTextFileSync(path, "this is not a database\n".repeat(1000)),
    saved: 0,
    aside: true,
  },
  "of zero bytes": {
    damage: (path) => Deno.truncateSync(path, 0),
    saved: 0,
    aside: false,
  },
  "that was cut to its first page": {
    damage: (path) => Deno.truncateSync(path, 4096),
    saved: 0,
    aside: true,
  },
  "that was cut in the middle": {
    damage: (path) => Deno.truncateSync(path, Math.floor(Deno.statSync(path).size / 2)),
    saved: 20,
    aside: true,
  },
  "with a page of garbage in the middle": {
    damage: (path) =>
      overwrite(path, 4096 * Math.floor(Deno.statSync(path).size / 8192), garbage(4096)),
    saved: 250,
    aside: true,
  },
  "with an alert that is no JSON": {
    damage(path) {
      const database = new DatabaseSync(path);
      database.exec("update entry set alert = substr(alert, 1, 50) where alert_id = 'id200'");
      database.close();
    },
    saved: 299,
    aside: true,
  },
};

for (const [what, { damage, saved, aside }] of Object.entries(DAMAGES)) {
  Deno.test(`Outbox sets a file aside ${what}, and works on`, () => {
    using folder = new Folder();
    const path = folder.file("superbell.db");
    filled(path);
    damage(path);
    const asides: SetAside[] = [];
    const outbox = open(path, asides);
    useAll(outbox);
    assertEquals(asides.length, aside ? 1 : 0);
    for (const { to } of asides) {
      assertMatch(to, /superbell\.db\.damaged-\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z$/);
      assert(Deno.statSync(to).size > 0);
    }
    const waiting = names(outbox);
    assert(waiting.has("after the damage") && waiting.has("and another"));
    const old = [...waiting].filter((id) => id.startsWith("id"));
    assert(old.length >= saved && old.length <= 300, `${old.length} of 300 were saved`);
    assertEquals(asides[0]?.saved ?? 0, old.length);
    outbox.close();
    const again = open(path, asides);
    assertEquals(names(again), waiting);
    assertEquals(asides.length, aside ? 1 : 0, "the fresh file is sound");
    again.close();
  });

  if (!aside) continue;
  Deno.test(`Outbox goes on when its open file becomes one ${what}`, () => {
    using folder = new Folder();
    const path = folder.file("superbell.db");
    filled(path);
    const asides: SetAside[] = [];
    const outbox = open(path, asides); // nothing read yet but the schema
    damage(path);
    useAll(outbox);
    useAll(outbox);
    assert(names(outbox).has("after the damage"));
    outbox.close();
    const again = open(path, asides);
    assert(names(again).has("after the damage"));
    again.close();
  });
}

Deno.test("Outbox opens a file whose -wal is missing", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  filled(path);
  const outbox = open(path);
  outbox.enqueue([entryFor("only in the wal")], NOW);
  const copy = folder.file("copy.db");
  Deno.copyFileSync(path, copy);
  outbox.close();
  const asides: SetAside[] = [];
  const opened = open(copy, asides);
  useAll(opened);
  assertEquals(asides, []);
  opened.close();
});

Deno.test("Outbox finds in the -wal what was committed before kill -9", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = open(path);
  outbox.enqueue([entryFor("committed")], NOW);
  for (const suffix of ["", "-wal"]) {
    Deno.copyFileSync(path + suffix, folder.file(`copy.db${suffix}`));
  }
  outbox.close();
  const opened = open(folder.file("copy.db"));
  assertEquals([...names(opened)], ["committed"]);
  opened.close();
});

Deno.test("Outbox saves entries that lie only in the -wal of a damaged file", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  filled(path);
  const outbox = open(path);
  outbox.enqueue([entryFor("only in the wal")], NOW);
  for (const suffix of ["", "-wal"]) {
    Deno.copyFileSync(path + suffix, folder.file(`copy.db${suffix}`));
  }
  outbox.close();
  const copy = folder.file("copy.db");
  overwrite(copy, 4096 * Math.floor(Deno.statSync(copy).size / 8192), garbage(4096));
  const asides: SetAside[] = [];
  const opened = open(copy, asides);
  useAll(opened);
  assertEquals(asides.length, 1);
  assert(names(opened).has("only in the wal"));
  opened.close();
});

Deno.test("Outbox keeps every random overwriting of its file from throwing", () => {
  using folder = new Folder();
  const origin = folder.file("origin.db");
  filled(origin);
  const { size } = Deno.statSync(origin);
  for (let round = 0; round < 40; round++) {
    const path = folder.file(`round${round}.db`);
    Deno.copyFileSync(origin, path);
    overwrite(path, Math.floor(size * round / 40), garbage(1 + (round * 997) % 6000));
    const outbox = open(path);
    useAll(outbox);
    assert(names(outbox).has("after the damage"), `round ${round}`);
    outbox.close();
  }
});

Deno.test("Outbox refuses a file of a newer superbell and leaves it as it is", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  filled(path);
  const database = new DatabaseSync(path);
  database.exec("pragma user_version = 7");
  database.close();
  const error = assertThrows(() => open(path), Error);
  assertEquals(
    error.message,
    `Cannot use the outbox "${path}": it was written by a newer superbell (version 7, this one ` +
      `knows 1); install that version again, or name another state_dir`,
  );
  const again = new DatabaseSync(path);
  assertEquals(again.prepare("select count(*) as n from entry").get()?.n, COUNT);
  assertEquals(again.prepare("pragma user_version").get()?.user_version, 7);
  again.close();
});

Deno.test("Outbox lets only its owner read its files, the ones beside it and the set aside", () => {
  using folder = new Folder();
  const before = Deno.umask(0);
  try {
    const path = folder.file("superbell.db");
    Deno.writeTextFileSync(path, "no database, readable by all".repeat(200), { mode: 0o600 });
    const asides: SetAside[] = [];
    const outbox = open(path, asides);
    outbox.enqueue([entryFor("a")], NOW);
    const modes = [...Deno.readDirSync(folder.path)].map(({ name }) => [
      name.replace(/damaged-.*/, "damaged"),
      (Deno.statSync(folder.file(name)).mode! & 0o777).toString(8),
    ]);
    assertEquals(Object.fromEntries(modes), {
      "superbell.db": "600",
      "superbell.db-wal": "600",
      "superbell.db-shm": "600",
      "superbell.db.damaged": "600",
    });
    outbox.close();
  } finally {
    Deno.umask(before);
  }
});

/** Mounts a tmpfs over the folder; undefined where that is not permitted. */
function mount(folder: Folder, options: string): Disposable | undefined {
  const run = (command: string, ...args: string[]) =>
    new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  try {
    if (!run("mount", "-t", "tmpfs", "-o", options, "superbell-test", folder.path)) {
      return undefined;
    }
  } catch {
    return undefined; // no mount program
  }
  return { [Symbol.dispose]: () => void run("umount", "-l", folder.path) };
}

function canMount(): boolean {
  using folder = new Folder();
  using mounted = mount(folder, "size=1m");
  return mounted !== undefined;
}

// Only root may mount; elsewhere there is no small disk to fill.
const mountable = { ignore: Deno.build.os !== "linux" || !canMount() };

Deno.test(
  "Outbox throws while the disk is full, loses nothing, and works when it is not",
  mountable,
  () => {
    using folder = new Folder();
    using _mounted = mount(folder, "size=1m")!;
    const outbox = open(folder.file("superbell.db"));
    const stored: string[] = [];
    assertThrows(
      () => {
        for (let index = 0;; index++) {
          outbox.enqueue([entryFor(`id${index}`, "x".repeat(4000))], NOW);
          stored.push(`id${index}`);
        }
      },
      Error,
      "full",
    );
    assert(stored.length > 20);
    assertThrows(() => outbox.enqueue([entryFor("more", "x".repeat(9000)), entryFor("m")], NOW));
    assertEquals(names(outbox), new Set(stored));
    new Deno.Command("mount", { args: ["-o", "remount,size=8m", folder.path] }).outputSync();
    assertEquals(outbox.enqueue([entryFor("room again", "x".repeat(9000))], NOW), 1);
    outbox.close();
    const again = open(folder.file("superbell.db"));
    assertEquals(names(again), new Set([...stored, "room again"]));
    again.close();
  },
);

Deno.test(
  "Outbox that is damaged while the disk is full recovers when there is room",
  mountable,
  () => {
    using folder = new Folder();
    using _mounted = mount(folder, "size=6m")!;
    const path = folder.file("superbell.db");
    filled(path);
    const outbox = open(path);
    overwrite(path, 0, garbage(4096 * 40));
    assertThrows(() => Deno.writeFileSync(folder.file("filler"), new Uint8Array(8 * 1024 ** 2)));
    for (const round of [1, 2, 3]) {
      assertThrows(
        () => outbox.enqueue([entryFor("no room", "x".repeat(5000))], NOW),
        Error,
        "",
        `${round}`,
      );
    }
    Deno.removeSync(folder.file("filler"));
    useAll(outbox);
    assert(names(outbox).has("after the damage"));
    outbox.close();
  },
);

Deno.test("Outbox throws for a file on a read-only disk", mountable, () => {
  using folder = new Folder();
  using _mounted = mount(folder, "size=8m")!;
  filled(folder.file("superbell.db"));
  new Deno.Command("mount", { args: ["-o", "remount,ro", folder.path] }).outputSync();
  assertThrows(() => open(folder.file("superbell.db")), Error);
  assertThrows(() => open(folder.file("fresh.db")), Error);
});

Deno.test("Outbox waits for another process that writes", async () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = open(path);
  const script = `
    import { DatabaseSync } from "node:sqlite";
    const database = new DatabaseSync(${JSON.stringify(path)});
    database.exec("begin immediate; update entry set attempts = attempts");
    console.log("locked");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    database.exec("commit");
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  assertEquals(outbox.enqueue([entryFor("a")], NOW), 1);
  reader.releaseLock();
  await child.stdout.cancel();
  assertEquals((await child.status).code, 0);
  outbox.close();
});

Deno.test("Outbox of two processes gives every entry to exactly one of them", async () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = open(path);
  const all = Array.from({ length: 200 }, (_, index) => entryFor(`id${index}`));
  outbox.enqueue(all, NOW);
  const source = new URL("../../src/outbox/outbox.ts", import.meta.url).href;
  const script = folder.write(
    "claim.ts",
    `import { Outbox } from ${JSON.stringify(source)};
     const outbox = Outbox.open(${JSON.stringify(path)}, { nowMs: ${NOW} });
     const ids = [];
     for (let claim; (claim = outbox.claim("c", { nowMs: ${NOW}, leaseMs: 40000 }));) {
       ids.push(claim.entries[0].alert.id);
     }
     console.log(JSON.stringify(ids));`,
  );
  const takers = [1, 2].map(() =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--unstable-raw-imports", script],
      stderr: "inherit",
    }).output()
  );
  const taken = (await Promise.all(takers)).flatMap(({ stdout }) =>
    JSON.parse(new TextDecoder().decode(stdout)) as string[]
  );
  assertEquals(taken.length, 200);
  assertEquals(new Set(taken), new Set(all.map(({ alert }: { alert: Alert }) => alert.id)));
  outbox.close();
});

for (const [what, { damage, aside }] of Object.entries(DAMAGES)) {
  if (!aside) continue;
  Deno.test(`Connection.visit() leaves a file alone ${what}, under a running listener`, () => {
    using folder = new Folder();
    const path = folder.file("superbell.db");
    filled(path);
    const listener = open(path);
    damage(path);
    const before = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
    const { ino } = Deno.statSync(path);
    try {
      const visitor = Connection.visit(path, "write");
      const entries = new StoredEntries(visitor);
      try {
        entries.list();
        entries.show(200);
        entries.counts();
        entries.drop(Array.from({ length: COUNT }, (_, index) => index), NOW);
      } finally {
        visitor.close();
      }
    } catch (error) {
      assert(isDamage(error), String(error));
    }
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), before);
    assertEquals(Deno.statSync(path).ino, ino);
    useAll(listener);
    assert(names(listener).has("after the damage"));
    listener.close();
  });
}

Deno.test("readableEntries() reads what can be read, in order, each once", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  filled(path);
  DAMAGES["with a page of garbage in the middle"]!.damage(path);
  const ids = readableEntries(path).map(({ id }) => id);
  assert(ids.length > 350 && ids.length < COUNT, `${ids.length}`);
  assertEquals(ids, [...new Set(ids)].sort((left, right) => left - right));
  assertEquals([ids[0], ids.at(-1)], [1, COUNT]);
});

Deno.test("Connection.visit() to read sees what a killed listener left, and changes nothing", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const listener = open(path);
  listener.enqueue([entryFor("a")], NOW);
  // As after kill -9: nobody has brought the -wal into the file.
  for (const suffix of ["", "-wal"]) Deno.copyFileSync(path + suffix, folder.file("left" + suffix));
  listener.close();
  const left = () => ["left", "left-wal"].map((name) => Deno.readFileSync(folder.file(name)));
  const before = left();
  const visitor = Connection.visit(folder.file("left"), "read");
  const entries = new StoredEntries(visitor);
  assertEquals(entries.list().map(({ alert }) => alert.id), ["a"]);
  assertThrows(() => entries.drop([1], NOW), Error, "readonly database");
  visitor.close();
  assertEquals(left(), before);
});

Deno.test("Connection.visit() creates and migrates nothing", () => {
  using folder = new Folder();
  assertThrows(() => Connection.visit(folder.file("none.db"), "write"), Deno.errors.NotFound);
  assertThrows(
    () => Connection.visit(folder.write("empty.db", ""), "write"),
    Error,
    "start the listener",
  );
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["empty.db"]);
  assertEquals(Deno.statSync(folder.file("empty.db")).size, 0);
});
