// The queue, on real files that are closed and opened again in between.

import type { Alert } from "../../src/alerts/alert.ts";
import { type Attempt, type Entry, Outbox, type Retention } from "../../src/outbox/outbox.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";
import { inAllStates } from "../support/outbox_bench.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const LEASE = { nowMs: NOW, leaseMs: 40_000 };

const alertOf = (id: string): Alert => ({ ...ALERT, id });
const entryFor = (id: string, channel = "c") => ({ alert: alertOf(id), channel });

function attemptOf(changes: Partial<Attempt> = {}): Attempt {
  return { atMs: NOW, tookMs: 5, outcome: "retry", reason: "busy", ...changes };
}

/** An outbox in a folder of its own, and a way to close and open it again. */
class Bench implements Disposable {
  readonly #folder = new Folder();
  outbox = this.#open();

  #open(): Outbox {
    return Outbox.open(this.#folder.file("superbell.db"), { nowMs: NOW });
  }

  /** As after a restart; the claims of the one before are still there. */
  reopen(): Outbox {
    this.outbox.close();
    return this.outbox = this.#open();
  }

  /** As `superbell outbox` does it beside the listener. */
  second(): Outbox {
    return this.#open();
  }

  get folder(): string {
    return this.#folder.path;
  }

  [Symbol.dispose](): void {
    this.outbox.close();
    this.#folder[Symbol.dispose]();
  }
}

const ids = (entries: readonly Entry[]) => entries.map(({ alert }) => alert.id);

Deno.test("Outbox.enqueue() keeps an entry whole across a restart", () => {
  using bench = new Bench();
  const alert: Alert = { ...ALERT, text: "订单 🔥 \u0000 'quoted' \u2028", group: "交易" };
  assertEquals(bench.outbox.enqueue([{ alert, channel: "值班" }], NOW), 1);
  assertEquals(bench.reopen().entries.list(), [{
    id: 1,
    channel: "值班",
    alert,
    state: "waiting",
    createdAtMs: NOW,
    sinceMs: NOW,
    dueAtMs: NOW,
    attempts: 0,
    settledAtMs: undefined,
    reason: undefined,
  }]);
});

Deno.test("Outbox.enqueue() stores the same alert for the same channel once", () => {
  using bench = new Bench();
  const entries = [entryFor("a"), entryFor("a"), entryFor("a", "d"), entryFor("b")];
  assertEquals(bench.outbox.enqueue(entries, NOW), 3);
  assertEquals(bench.outbox.enqueue(entries, NOW + 1), 0);
  assertEquals(bench.reopen().enqueue([entryFor("a")], NOW + 2), 0);
  assertEquals(bench.outbox.enqueue([], NOW), 0);
  assertEquals(ids(bench.outbox.entries.list()), ["a", "a", "b"]);
});

Deno.test("Outbox.enqueue() stores all entries of an event or none", () => {
  using bench = new Bench();
  const broken = { alert: ALERT, channel: null as unknown as string };
  assertThrows(() => bench.outbox.enqueue([entryFor("a"), broken], NOW));
  assertEquals(bench.outbox.entries.counts().waiting, 0);
  assertEquals(bench.outbox.enqueue([entryFor("a")], NOW), 1);
});

Deno.test("Outbox.claim() takes what is due longest, the older first where both are due", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("late")], NOW + 10);
  bench.outbox.enqueue([entryFor("x"), entryFor("y")], NOW);
  bench.outbox.enqueue([entryFor("early")], NOW - 10);
  bench.outbox.enqueue([entryFor("other", "d")], NOW - 99);
  const claimed = Array.from(
    { length: 4 },
    () => bench.outbox.claim("c", LEASE)?.entries[0].alert.id,
  );
  assertEquals(claimed, ["early", "x", "y", undefined]);
  assertEquals(bench.outbox.claim("c", { ...LEASE, nowMs: NOW + 10 })?.entries[0].alert.id, "late");
});

Deno.test("Outbox.claim() gives an entry to one holder until the lease ends", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("a")], NOW);
  const first = bench.outbox.claim("c", LEASE)!;
  const { outbox } = bench;
  assertEquals(outbox.claim("c", { ...LEASE, nowMs: NOW + 39_999 }), undefined);
  assertEquals(outbox.nextDueMs("c"), undefined);
  const second = bench.reopen().claim("c", { ...LEASE, nowMs: NOW + 40_000 })!;
  assert(second.token !== first.token);
  assertEquals(second.entries[0], first.entries[0]);
});

Deno.test("Outbox.releaseClaims() ends the claims of a listener that died", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("a")], NOW);
  const dead = bench.outbox.claim("c", LEASE)!;
  bench.reopen().releaseClaims();
  assertEquals(bench.outbox.nextDueMs("c"), NOW);
  assertEquals(bench.outbox.claim("c", LEASE)?.entries[0].id, dead.entries[0].id);
  assertEquals(bench.outbox.settle(dead, { attempt: attemptOf() }).length, 0);
});

Deno.test("Outbox.settle() is refused to one who no longer holds the claim", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("a")], NOW);
  const late = bench.outbox.claim("c", LEASE)!;
  const holder = bench.outbox.claim("c", { ...LEASE, nowMs: NOW + 40_000 })!;
  const delivered = attemptOf({ outcome: "delivered", reason: "ok" });
  const busy = attemptOf();
  assertEquals(bench.outbox.settle(late, { attempt: busy }).length, 0);
  assertEquals(bench.outbox.entries.show(1)?.entry.state, "waiting");
  assertEquals(bench.outbox.settle(holder, { attempt: delivered }).length, 1);
  assertEquals(bench.outbox.entries.show(1)?.attempts, [busy, delivered], "but it was made");
});

const ENDS = [
  { outcome: "delivered", dueAtMs: undefined, state: "delivered" },
  { outcome: "delivered", dueAtMs: NOW + 1000, state: "delivered" },
  { outcome: "retry", dueAtMs: NOW + 1000, state: "waiting" },
  { outcome: "retry", dueAtMs: undefined, state: "dead" },
  { outcome: "rejected", dueAtMs: undefined, state: "dead" },
] as const;
for (const { outcome, dueAtMs, state } of ENDS) {
  const next = dueAtMs === undefined ? "no next try" : "a next try";
  Deno.test(`Outbox.settle() makes an entry ${state} after ${outcome} with ${next}`, () => {
    using bench = new Bench();
    bench.outbox.enqueue([entryFor("a")], NOW - 50);
    const claim = bench.outbox.claim("c", LEASE)!;
    const attempt = attemptOf({ outcome, reason: "因为" });
    assertEquals(bench.outbox.settle(claim, { attempt, nextTry: () => dueAtMs }).length, 1);
    assertEquals(bench.reopen().entries.show(1), {
      entry: {
        ...claim.entries[0],
        state,
        dueAtMs: dueAtMs ?? NOW + 5,
        attempts: 1,
        settledAtMs: state === "waiting" ? undefined : NOW + 5,
        reason: "因为",
      },
      attempts: [attempt],
    });
  });
}

Deno.test("Outbox.nextDueMs() is the time of the channel's next unclaimed entry", () => {
  using bench = new Bench();
  assertEquals(bench.outbox.nextDueMs("c"), undefined);
  bench.outbox.enqueue([entryFor("a"), entryFor("b", "d")], NOW);
  const claim = bench.outbox.claim("c", LEASE)!;
  assertEquals(bench.outbox.nextDueMs("c"), undefined);
  bench.outbox.settle(claim, { attempt: attemptOf(), nextTry: () => NOW + 7000 });
  assertEquals(bench.reopen().nextDueMs("c"), NOW + 7000);
  assertEquals(bench.outbox.claim("c", { ...LEASE, nowMs: NOW + 6999 }), undefined);
  assertEquals(bench.outbox.claim("c", { ...LEASE, nowMs: NOW + 7000 })?.entries[0].attempts, 1);
});

const PACE = { key: "robot", count: 3, perMs: 60_000 };

Deno.test("Outbox.paceFreeAtMs() counts attempts in the window, across a restart", () => {
  using bench = new Bench();
  for (const [index, atMs] of [0, 10_000, 20_000].entries()) {
    assertEquals(bench.outbox.paceFreeAtMs(PACE, NOW + atMs), 0);
    bench.outbox.enqueue([entryFor(`${index}`)], NOW);
    const attempt = attemptOf({ atMs: NOW + atMs });
    const claim = bench.outbox.claim("c", LEASE)!;
    bench.outbox.settle(claim, { attempt, paceKey: "robot" });
  }
  assertEquals(bench.reopen().paceFreeAtMs(PACE, NOW + 20_000), NOW + 60_001);
  assertEquals(bench.outbox.paceFreeAtMs(PACE, NOW + 60_000), NOW + 60_001);
  assertEquals(bench.outbox.paceFreeAtMs(PACE, NOW + 60_001), 0);
  assertEquals(bench.outbox.paceFreeAtMs({ ...PACE, key: "another" }, NOW + 20_000), 0);
  // The clock was set back by an hour: attempts in the future say nothing.
  assertEquals(bench.outbox.paceFreeAtMs(PACE, NOW - 3_600_000), 0);
});

Deno.test("Outbox.pause() closes one sender until its time, across a restart", () => {
  using bench = new Bench();
  bench.outbox.pause("robot", { atMs: NOW, untilMs: NOW + 600_000, reason: "muted" });
  assertEquals(bench.reopen().paceFreeAtMs(PACE, NOW), NOW + 600_000);
  assertEquals(bench.outbox.paceFreeAtMs({ ...PACE, key: "another" }, NOW), 0);
  bench.outbox.pause("robot", { atMs: NOW, untilMs: NOW + 5, reason: "shorter" });
  assertEquals(bench.outbox.paceFreeAtMs(PACE, NOW), NOW + 5);
});

Deno.test("Outbox.sweep() removes settled entries that are too old, and nothing that waits", () => {
  using bench = new Bench();
  inAllStates(bench.outbox);
  bench.outbox.pause("robot", { atMs: NOW, untilMs: NOW + 1, reason: "muted" });
  const retention = { keepMs: 1000, maxBytes: 1024 ** 3 };
  assertEquals(bench.outbox.sweep(retention, NOW + 1000), 0);
  assertEquals(bench.outbox.sweep(retention, NOW + 10_000), 3);
  assertEquals(ids(bench.reopen().entries.list()), ["waiting", "claimed"]);
  assertEquals(bench.outbox.sweep(retention, NOW - 10_000), 0);
});

/** Every batch; answers the sum. */
function sweepAll(outbox: Outbox, retention: Retention): number {
  let [sum, removed] = [0, 0];
  do sum += removed = outbox.sweep(retention, NOW + 1); while (removed > 0);
  return sum;
}

Deno.test("Outbox.sweep() removes the oldest settled entries until the file is small enough", () => {
  using bench = new Bench();
  const alert = (id: string): Alert => ({ ...ALERT, id, text: "x".repeat(8000) });
  const { outbox } = bench;
  outbox.enqueue(
    Array.from({ length: 2000 }, (_, index) => ({ alert: alert(`old${index}`), channel: "c" })),
    NOW,
  );
  outbox.entries.drop(outbox.entries.list().map(({ id }) => id), NOW);
  outbox.enqueue([{ alert: alert("waiting"), channel: "c" }], NOW);
  const maxBytes = 8 * 1024 ** 2;
  const removed = sweepAll(outbox, { keepMs: 1e9, maxBytes });
  assert(removed >= 1000 && removed < 2000, `removed ${removed}`);
  assertEquals(outbox.entries.counts(), {
    waiting: 1,
    delivered: 0,
    dead: 0,
    dropped: 2000 - removed,
    rerouted: 0,
  });
  assertEquals(outbox.entries.list({ limit: 2 }).map(({ alert: { id } }) => id), [
    "old1999",
    "waiting",
  ]);
  assertEquals(Deno.statSync(`${bench.folder}/superbell.db-wal`).size, 0);
  assert(Deno.statSync(`${bench.folder}/superbell.db`).size <= maxBytes);
  assertEquals(sweepAll(bench.outbox, { keepMs: 1e9, maxBytes: 1 }), 2000 - removed);
  assertEquals(bench.outbox.entries.counts().waiting, 1);
});

Deno.test("Outbox.moveTo() hands over whatever is not being sent, with its attempts", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("another")], NOW);
  const memory = Outbox.open(":memory:", { nowMs: NOW });
  inAllStates(memory);
  const before = memory.entries.list().map(({ id }) => memory.entries.show(id)!);
  assertEquals(memory.moveTo(bench.outbox, NOW), 4);
  assertEquals(memory.moveTo(bench.outbox, NOW), 0);
  assertEquals(ids(memory.entries.list()), ["claimed"]);
  assertEquals(memory.moveTo(bench.outbox, NOW + 40_000), 1, "its lease has ended");
  const after = bench.outbox.entries.list().slice(1).map(({ id }) =>
    bench.outbox.entries.show(id)!
  );
  assertEquals(
    after,
    before.map(({ entry, attempts }) => ({ entry: { ...entry, id: entry.id + 1 }, attempts })),
  );
  memory.close();
});

Deno.test("Outbox.giveUp() ends what waits for channels that are gone, and what is too old", () => {
  using bench = new Bench();
  bench.outbox.enqueue(Array.from({ length: 250 }, (_, n) => entryFor(`g${n}`, "gone")), NOW);
  bench.outbox.enqueue([entryFor("a"), entryFor("b")], NOW);
  bench.outbox.enqueue([entryFor("later")], NOW + 1000);
  bench.outbox.settle(bench.outbox.claim("c", LEASE)!, {
    attempt: attemptOf(),
    nextTry: () => NOW,
  });
  bench.outbox.claim("c", LEASE); // "a", busy once: being sent
  const unknown = { channels: ["c"], sinceMs: undefined };
  const batches = [1, 2, 3, 4].map(() => bench.outbox.giveUp(unknown, NOW).get("gone") ?? 0);
  assertEquals(batches, [100, 100, 50, 0]);
  const old = { channels: [], sinceMs: NOW + 1000 };
  assertEquals([...bench.outbox.giveUp(old, NOW)], [["c", 1]]);
  bench.outbox.releaseClaims();
  assertEquals([...bench.outbox.giveUp(old, NOW)], [["c", 1]]);
  assertEquals(bench.outbox.entries.counts(), {
    waiting: 1,
    delivered: 0,
    dead: 252,
    dropped: 0,
    rerouted: 0,
  });
  assertEquals(
    [1, 251, 252].map((id) => bench.outbox.entries.show(id)?.entry.reason),
    [
      "the configuration has no channel of this name",
      "it waited too long without an attempt; before that: busy",
      "it waited too long without an attempt",
    ],
  );
});

Deno.test("Outbox.claim() takes what a clock set back has put out of reach", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("a"), entryFor("b")], NOW);
  bench.outbox.claim("c", LEASE);
  const lease = { nowMs: NOW - 48 * 3_600_000, leaseMs: 1000, longestWaitMs: 60_000 };
  const taken = () => bench.outbox.claim("c", lease)?.entries[0].alert.id;
  assertEquals([taken(), taken(), taken()], ["a", "b", undefined]);
});

Deno.test("Outbox shares its file with a second process", () => {
  using bench = new Bench();
  const beside = bench.second();
  bench.outbox.enqueue([entryFor("a"), entryFor("b")], NOW);
  assertEquals(beside.claim("c", LEASE)?.entries[0].alert.id, "a");
  assertEquals(bench.outbox.claim("c", LEASE)?.entries[0].alert.id, "b");
  assertEquals(beside.claim("c", LEASE), undefined);
  assertEquals(beside.entries.drop([2], NOW), [2]);
  assertEquals(bench.outbox.entries.counts(), {
    waiting: 1,
    delivered: 0,
    dead: 0,
    dropped: 1,
    rerouted: 0,
  });
  beside.close();
});

Deno.test("Outbox refuses to work after close()", () => {
  using bench = new Bench();
  bench.outbox.close();
  assertThrows(() => bench.outbox.entries.counts(), Error, "database is not open");
  bench.outbox = bench.second();
});

Deno.test("Outbox.claim() takes what is due soon along, the oldest first, if one is due now", () => {
  using bench = new Bench();
  const store = (id: string, atMs: number) =>
    bench.outbox.enqueue([{ ...entryFor(id), digestMs: 1000 }], NOW + atMs);
  store("a", 0);
  store("b", 400);
  store("c", 900);
  store("d", 2100);
  const digest = { ...LEASE, aheadMs: 1000, most: 10 };
  assertEquals(bench.outbox.claim("c", { ...digest, nowMs: NOW + 999 }), undefined);
  const claim = bench.outbox.claim("c", { ...digest, nowMs: NOW + 1000 })!;
  assertEquals(claim.entries.map(({ alert }) => alert.id), ["a", "b", "c"]);
  assertEquals(bench.outbox.claim("c", { ...digest, nowMs: NOW + 1000 }), undefined);
});

Deno.test("Outbox.settle() settles every entry of a claim, and counts one message", () => {
  using bench = new Bench();
  bench.outbox.enqueue([entryFor("a"), entryFor("b"), entryFor("x")], NOW);
  const claim = bench.outbox.claim("c", { ...LEASE, most: 10 })!;
  bench.outbox.entries.drop([2], NOW);
  const attempt = attemptOf({ outcome: "retry", reason: "busy" });
  const nextTry = ({ alert }: Entry) => alert.id === "x" ? undefined : NOW + 500;
  assertEquals(bench.outbox.settle(claim, { attempt, nextTry, paceKey: "robot" }).length, 2);
  assertEquals(bench.outbox.entries.list().map(({ state }) => state), [
    "waiting",
    "dropped",
    "dead",
  ]);
  // With a pace of two a minute another message may go: only one was counted.
  const pace = { key: "robot", count: 2, perMs: 60_000 };
  assertEquals(bench.outbox.paceFreeAtMs(pace, NOW + 10), 0);
});
