// What people ask of the outbox, on real files.

import type { Claim, Entry } from "../../src/outbox/entry.ts";
import { assertEquals } from "../support/assert.ts";
import {
  attemptOf,
  entryFor,
  inAllStates,
  LEASE,
  NOW,
  OutboxBench,
} from "../support/outbox_bench.ts";

Deno.test("StoredEntries.retry() sends dead, dropped and waiting entries again, no others", () => {
  using bench = new OutboxBench();
  inAllStates(bench.outbox);
  assertEquals(bench.outbox.entries.retry([1, 2, 3, 4, 5, 99], NOW + 500), [2, 3, 4]);
  const seen = bench.reopen().entries.list().map((entry) => ({
    state: entry.state,
    createdAtMs: entry.createdAtMs - NOW,
    sinceMs: entry.sinceMs - NOW,
    dueAtMs: entry.dueAtMs - NOW,
    settledAtMs: entry.settledAtMs,
  }));
  const again = { state: "waiting", createdAtMs: 0, dueAtMs: 500, settledAtMs: undefined } as const;
  assertEquals(seen, [
    { state: "delivered", createdAtMs: 0, sinceMs: 0, dueAtMs: 5, settledAtMs: NOW + 5 },
    { ...again, sinceMs: 500 },
    { ...again, sinceMs: 500 },
    { ...again, sinceMs: 0 },
    { state: "waiting", createdAtMs: 0, sinceMs: 0, dueAtMs: 0, settledAtMs: undefined },
  ]);
});

Deno.test("StoredEntries.drop() takes waiting, claimed and dead entries out of the queue", () => {
  using bench = new OutboxBench();
  inAllStates(bench.outbox);
  const claim: Claim = { token: "", entries: [bench.outbox.entries.list({ channel: "d" })[0]!] };
  assertEquals(bench.outbox.entries.drop([1, 2, 3, 4, 5, 99], NOW + 500), [2, 4, 5]);
  assertEquals(bench.outbox.entries.counts(), {
    waiting: 0,
    delivered: 1,
    dead: 0,
    dropped: 4,
    rerouted: 0,
  });
  assertEquals(bench.outbox.settle(claim, { attempt: attemptOf() }).length, 0);
  assertEquals(bench.outbox.entries.show(4)?.entry.reason, "dropped by hand");
  assertEquals(bench.outbox.entries.drop([], NOW), []);
});

Deno.test("StoredEntries.list() filters by channel and state, and shows the newest", () => {
  using bench = new OutboxBench();
  inAllStates(bench.outbox);
  const numbers = (entries: readonly Entry[]) => entries.map(({ id }) => id);
  assertEquals(numbers(bench.outbox.entries.list()), [1, 2, 3, 4, 5]);
  assertEquals(numbers(bench.outbox.entries.list({ limit: 2 })), [4, 5]);
  assertEquals(numbers(bench.outbox.entries.list({ channel: "e" })), [1, 2, 3]);
  assertEquals(numbers(bench.outbox.entries.list({ states: ["dead", "dropped"] })), [2, 3]);
  assertEquals(numbers(bench.outbox.entries.list({ states: [] })), []);
  assertEquals(numbers(bench.outbox.entries.list({ channel: "' or 1=1 --" })), []);
  assertEquals(bench.outbox.entries.show(99), undefined);
});

Deno.test("StoredEntries shows an attempt whose end is not written down", () => {
  using bench = new OutboxBench();
  const { entries } = bench.outbox;
  bench.outbox.enqueue([entryFor("a")], NOW);
  assertEquals(entries.show(1)?.entry.underWay, undefined);
  const claim = bench.outbox.claim("c", { ...LEASE, nowMs: NOW + 7 })!;
  const underWay = { sinceMs: NOW + 7, untilMs: NOW + 40_007 };
  assertEquals(entries.show(1)?.entry.underWay, underWay);
  assertEquals(entries.list()[0]?.underWay, underWay);
  bench.outbox.settle(claim, { attempt: attemptOf(), nextTry: () => NOW });
  assertEquals(entries.show(1)?.entry.underWay, undefined);
  bench.outbox.claim("c", LEASE);
  bench.outbox.releaseClaims();
  assertEquals(entries.show(1)?.entry.underWay, undefined);
});

Deno.test("StoredEntries.show() counts the others that an attempt's message told", () => {
  using bench = new OutboxBench();
  bench.outbox.enqueue([entryFor("a"), entryFor("b"), entryFor("c"), entryFor("a", "d")], NOW);
  const attempt = attemptOf();
  const together = bench.outbox.claim("c", { ...LEASE, most: 3 })!;
  bench.outbox.settle(together, { attempt, nextTry: () => NOW });
  bench.outbox.settle(bench.outbox.claim("d", LEASE)!, { attempt });
  const alone = attempt; // another message that was sent at the same time
  bench.outbox.settle(bench.outbox.claim("c", LEASE)!, { attempt: alone });
  assertEquals(bench.outbox.entries.show(1)?.attempts, [{ ...attempt, others: 2 }, alone]);
  assertEquals(bench.outbox.entries.show(4)?.attempts, [attempt]);
});

Deno.test("StoredEntries.channels() names every channel that has entries", () => {
  using bench = new OutboxBench();
  assertEquals(bench.outbox.entries.channels(), []);
  inAllStates(bench.outbox);
  assertEquals(bench.outbox.entries.channels(), ["c", "d", "e"]);
});
