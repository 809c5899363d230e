// The journal beside a real database: what is read again is what was written, and a broken end,
// another file or a full disk never brings more than an event that is stored at once.

import type { Journal, TakenEvent } from "../../src/outbox/journal.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { frameOf } from "../support/frames.ts";
import { Random } from "../support/random.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);

class Bench implements Disposable {
  readonly #folder = new Folder();
  readonly path = this.#folder.file("superbell.db");
  readonly journalPath = this.#folder.file("superbell.journal");
  readonly #opened: Outbox[] = [];

  /** The journal of a listener that has just started. */
  start(sync: "normal" | "full" = "normal"): Journal {
    const outbox = Outbox.open(this.path, { nowMs: NOW, sync });
    this.#opened.push(outbox);
    return outbox.journal;
  }

  [Symbol.dispose](): void {
    for (const outbox of this.#opened) outbox.close();
    this.#folder[Symbol.dispose]();
  }
}

function taken(serial: number, payload: string | Uint8Array = "processname:api"): TakenEvent {
  return {
    frame: frameOf({ serial, eventname: "PROCESS_STATE_EXITED", payload }),
    taking: { atMs: NOW + serial, supervisorRun: "boot 1 2", ranMs: 1500 },
  };
}

const NOTHING = { events: [], brokenBytes: 0 };

Deno.test("Journal.open() answers what was appended and not cut, once", () => {
  using bench = new Bench();
  const journal = bench.start();
  assertEquals(journal.open(), NOTHING);
  const events = [
    taken(1),
    taken(2, "from_state:RUNNING\nver:3.0 server: serial:1 pool: poolserial:1 eventname:X len:0\n"),
    taken(3, new Uint8Array([0xff, 0x00, 0x0a, 0xc3])),
    taken(4, ""),
    { ...taken(5), frame: { ...taken(5).frame, droppedBytes: 7 } },
  ];
  assertEquals(events.map((event) => journal.append(event)), events.map(() => true));
  const next = bench.start();
  assertEquals(next.open(), { events, brokenBytes: 0 });
  assertEquals(next.open(), NOTHING, "it is open already");
  next.cut();
  assertEquals(bench.start().open(), NOTHING);
});

Deno.test("Journal keeps what was appended after a cut, and nothing from before", () => {
  using bench = new Bench();
  const journal = bench.start();
  journal.open();
  journal.append(taken(1));
  journal.cut();
  journal.append(taken(2));
  assertEquals(bench.start().open().events, [taken(2)]);
});

Deno.test("Journal.open() reads up to the place where its writer died, wherever that is", () => {
  using bench = new Bench();
  const random = new Random(20261121);
  const journal = bench.start();
  journal.open();
  const ends = [0];
  const events = Array.from({ length: 6 }, (_, serial) => {
    const payload = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    return taken(serial, payload);
  });
  for (const event of events) {
    journal.append(event);
    ends.push(Deno.statSync(bench.journalPath).size);
  }
  const whole = Deno.readFileSync(bench.journalPath);
  for (let length = 0; length <= whole.length; length += 1 + random.below(15)) {
    Deno.writeFileSync(bench.journalPath, whole.subarray(0, length));
    const sound = ends.findLastIndex((end) => end <= length);
    const expected = { events: events.slice(0, sound), brokenBytes: length - ends[sound]! };
    const next = bench.start();
    assertEquals(next.open(), expected, `cut at ${length}`);
    next.append(taken(99));
    assertEquals(bench.start().open().events, [...events.slice(0, sound), taken(99)]);
  }
});

Deno.test("Journal.open() finds a payload that was not written as it was", () => {
  using bench = new Bench();
  const journal = bench.start();
  journal.open();
  journal.append(taken(1));
  journal.append(taken(2, "processname:api"));
  const bytes = Deno.readFileSync(bench.journalPath);
  bytes[bytes.length - 3] = 0; // as a file system does that has lost a page
  Deno.writeFileSync(bench.journalPath, bytes);
  assertEquals(bench.start().open().events, [taken(1)]);
});

Deno.test("Journal.append() takes nothing where the database must survive a power cut", () => {
  using bench = new Bench();
  const before = bench.start();
  before.open();
  before.append(taken(1));
  const journal = bench.start("full");
  assertEquals(journal.open().events, [taken(1)], "what was left is told all the same");
  assertEquals(journal.append(taken(2)), false);
});

Deno.test("Journal.append() takes nothing before open(), and no more than a megabyte", () => {
  using bench = new Bench();
  const journal = bench.start();
  assertEquals(journal.append(taken(1)), false);
  journal.open();
  const half = new Uint8Array(512 * 1024);
  assertEquals([journal.append(taken(1, half)), journal.append(taken(2, half))], [true, false]);
  journal.cut();
  assertEquals(journal.append(taken(2, half)), true);
});

Deno.test("Journal.append() takes nothing once another database is in use, until it is opened", () => {
  using bench = new Bench();
  const outbox = Outbox.open(bench.path, { nowMs: NOW });
  outbox.journal.open();
  Deno.removeSync(bench.path);
  outbox.follow();
  assertEquals(outbox.journal.append(taken(1)), false);
  outbox.journal.open();
  assertEquals(outbox.journal.append(taken(1)), true);
  outbox.close();
});

Deno.test("Journal has no file for an outbox in memory, nor where it cannot be made", () => {
  using memory = { outbox: Outbox.open(":memory:", { nowMs: NOW }), [Symbol.dispose]() {} };
  assertEquals(memory.outbox.journal.open(), NOTHING);
  assertEquals(memory.outbox.journal.append(taken(1)), false);
  memory.outbox.close();
  using bench = new Bench();
  const journal = bench.start();
  Deno.mkdirSync(bench.journalPath);
  const { trouble, ...nothing } = journal.open();
  assertEquals(nothing, NOTHING);
  assertMatch(trouble!, /Is a directory.*superbell\.journal/);
  assertEquals(journal.append(taken(1)), false);
});

Deno.test("Journal.open() leaves out what the database knows of, though it was not cut", () => {
  using bench = new Bench();
  const outbox = Outbox.open(bench.path, { nowMs: NOW });
  outbox.journal.open();
  outbox.journal.append(taken(1));
  outbox.journal.append(taken(2));
  outbox.enqueue([], NOW, {});
  outbox.journal.append(taken(3));
  assertEquals(bench.start().open().events, [taken(3)]);
  const last = bench.start();
  last.open();
  last.append(taken(4));
  assertEquals(bench.start().open().events, [taken(3), taken(4)]);
  outbox.close();
});

Deno.test("Journal.cut() notices that the file was removed", () => {
  using bench = new Bench();
  const journal = bench.start();
  journal.open();
  Deno.removeSync(bench.journalPath);
  journal.append(taken(1));
  journal.cut();
  journal.open();
  journal.append(taken(2));
  assertEquals(bench.start().open().events, [taken(2)]);
});

Deno.test("Journal is for its owner alone: it holds what programs wrote", () => {
  using bench = new Bench();
  bench.start().open();
  assertEquals((Deno.statSync(bench.journalPath).mode ?? 0) & 0o777, 0o600);
});

Deno.test("Journal.append() says so when the disk is full, and what it took before is there", async () => {
  using bench = new Bench();
  const journal = bench.start();
  journal.open();
  journal.append(taken(1));
  // A file may not grow any more for a process with this limit, in blocks of 512 bytes.
  const script = `
    import { Outbox } from "${new URL("../../src/outbox/outbox.ts", import.meta.url)}";
    const outbox = Outbox.open(Deno.args[0], { nowMs: 0 });
    const { events } = outbox.journal.open();
    const header = { ...events[0].frame.header };
    const big = { frame: { header, payload: new Uint8Array(60000), droppedBytes: 0 }, taking: events[0].taking };
    const taking = Array.from({ length: 40 }, () => outbox.journal.append(big));
    // What is small finds room again, and must be readable.
    console.log(JSON.stringify([...taking, outbox.journal.append(events[0])]));`;
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  Deno.writeTextFileSync(file, script);
  const run = await new Deno.Command("sh", {
    args: [
      "-c",
      `trap '' XFSZ; ulimit -f 600; exec "$0" run -A --no-check --unstable-raw-imports "$@"`,
      Deno.execPath(),
      file,
      bench.path,
    ],
  }).output();
  Deno.removeSync(file);
  const taking = JSON.parse(new TextDecoder().decode(run.stdout)) as boolean[];
  const count = taking.indexOf(false);
  assertEquals(count > 0 && count < 16, true, `${taking}`);
  const left = bench.start().open();
  assertEquals(taking.at(-1), true);
  assertEquals([left.events.length, left.brokenBytes], [1 + count + 1, 0]);
});
