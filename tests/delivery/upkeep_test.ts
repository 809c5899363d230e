// Upkeep with real outboxes and a clock that we move.

import { Redactor } from "../../src/config/secret.ts";
import { Log } from "../../src/log.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { Upkeep } from "../../src/delivery/upkeep.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const entriesFor = (channel: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({ alert: { ...ALERT, id: `id${from + n}` }, channel }));

class Bench implements AsyncDisposable {
  readonly folder = new Folder();
  readonly clock = new FakeClock(NOW);
  readonly disk = Outbox.keep(this.folder.file("state/superbell.db"), { nowMs: NOW });
  readonly memory = Outbox.open(":memory:", { nowMs: NOW });
  readonly log: string[] = [];
  readonly upkeep: Upkeep;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor({ hasDirectory = true } = {}) {
    if (hasDirectory) Deno.mkdirSync(this.folder.file("state"));
    this.upkeep = new Upkeep({
      outbox: this.disk,
      memory: this.memory,
      channels: ["c"],
      giveUpAfterMs: 3 * DAY,
      retention: { keepMs: 7 * DAY, maxBytes: 1024 ** 3 },
      clock: this.clock,
      log: new Log({
        level: "info",
        redactor: new Redactor([]),
        now: () => this.clock.now(),
        write: (line) => void this.log.push(line.trimEnd().replace(/^.*? (?=[A-Z]+ )/, "")),
      }),
    });
  }

  start(): void {
    this.#running = this.upkeep.run(this.#stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.disk.close();
    this.memory.close();
    this.folder[Symbol.dispose]();
  }
}

Deno.test("Upkeep.run() gives up at once what waits for a channel that is gone, in one line", async () => {
  await using bench = new Bench();
  bench.disk.enqueue(entriesFor("gone", 250), NOW);
  bench.disk.enqueue(entriesFor("c", 3), NOW);
  for (const name of ["gone", "c"]) {
    const outcome = { lastAtMs: NOW, lastOutcome: "retry", lastReason: "HTTP 503" } as const;
    const told = { failingSinceMs: NOW, toldAtMs: NOW, toldSinceMs: NOW };
    bench.disk.channels.write({
      name,
      ...outcome,
      failures: 1,
      ...told,
      givenUp: 0,
      held: undefined,
    });
  }
  bench.start();
  await bench.clock.advance(1000);
  assertEquals(bench.disk.channels.list().map(({ name }) => name), ["c"]);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 3,
    delivered: 0,
    dead: 250,
    dropped: 0,
    rerouted: 0,
  });
  assertEquals(bench.log, [
    'ERROR gave up 250 entries for "gone": the configuration has no channel of this name; ' +
    "see superbell outbox list",
  ]);
});

Deno.test("Upkeep.run() gives up what has waited too long, an hour after it could have seen it", async () => {
  await using bench = new Bench();
  bench.disk.enqueue(entriesFor("c", 2), NOW - 4 * DAY);
  bench.disk.enqueue(entriesFor("c", 1, 2), NOW);
  bench.start();
  await bench.clock.advance(30 * MINUTE);
  assertEquals(bench.disk.waiting(), 3);
  await bench.clock.advance(40 * MINUTE);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 1,
    delivered: 0,
    dead: 2,
    dropped: 0,
    rerouted: 0,
  });
});

Deno.test("Upkeep.run() does not give up what only a clock set forth makes old", async () => {
  await using bench = new Bench();
  bench.disk.enqueue(entriesFor("c", 2), NOW);
  bench.start();
  await bench.clock.advance(30 * MINUTE);
  bench.clock.jumpTo(NOW + 365 * DAY);
  await bench.clock.advance(59 * MINUTE);
  assertEquals(bench.disk.waiting(), 2);
});

Deno.test("Upkeep.run() sweeps a minute after the start, in steps that let others work", async () => {
  await using bench = new Bench();
  bench.disk.enqueue(entriesFor("c", 1000), NOW);
  bench.disk.entries.drop(bench.disk.entries.list().map(({ id }) => id), NOW - 8 * DAY);
  bench.start();
  await bench.clock.advance(59_000);
  assertEquals(bench.disk.entries.counts().dropped, 1000);
  await bench.clock.advance(1000 + 50);
  const { dropped } = bench.disk.entries.counts();
  assert(dropped > 500 && dropped < 1000, `${dropped} left after 50 ms`);
  await bench.clock.advance(1000);
  assertEquals(bench.disk.entries.counts().dropped, 0);
});

Deno.test("Upkeep.run() brings memory onto the disk as soon as there is one, and says so", async () => {
  await using bench = new Bench({ hasDirectory: false });
  bench.memory.enqueue(entriesFor("c", 250), NOW);
  bench.start();
  await bench.clock.advance(25_000);
  assertThrows(() => bench.disk.waiting());
  const told = bench.log.filter((line) => line.startsWith("ERROR cannot use"));
  assertEquals(told.length, 1, "the same trouble is told once");
  Deno.mkdirSync(bench.folder.file("state"));
  await bench.clock.advance(11_000);
  assertEquals(bench.disk.waiting(), 250);
  assertEquals(bench.memory.entries.list(), []);
  assertEquals(bench.log.slice(-2), [
    `INFO "${bench.disk.path}" can be used again`,
    "INFO stored 250 entries that were kept in memory",
  ]);
});

Deno.test("Upkeep.end() stores what memory holds, dead ones too, or counts what is lost", async () => {
  await using bench = new Bench({ hasDirectory: false });
  bench.memory.enqueue(entriesFor("c", 3), NOW);
  const attempt = { atMs: NOW, tookMs: 1, outcome: "rejected", reason: "no" } as const;
  bench.memory.settle(bench.memory.claim("c", { nowMs: NOW, leaseMs: 1 })!, { attempt });
  const ending = bench.upkeep.end();
  await bench.clock.advance(5000);
  assertEquals(await ending, 3);
  Deno.mkdirSync(bench.folder.file("state"));
  assertEquals(await bench.upkeep.end(), 0);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 2,
    delivered: 0,
    dead: 1,
    dropped: 0,
    rerouted: 0,
  });
  assertEquals(bench.disk.entries.show(1)?.attempts, [attempt]);
});
