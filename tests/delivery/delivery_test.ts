// Delivery with a real outbox, channels written for the case, and a clock that we move.

import { closed, delivered, type Outcome, rejected, retry } from "../../src/alerts/outcome.ts";
import type { Pace } from "../../src/channels/channel.ts";
import { Connection } from "../../src/outbox/connection.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { StoredEntries } from "../../src/outbox/stored_entries.ts";
import { assert, assertEquals, assertLess, assertMatch } from "../support/assert.ts";
import {
  DeliveryBench,
  inTurn,
  MINUTE,
  NOW,
  SECOND,
  seconds,
  SECRET,
  type Send,
} from "../support/delivery_bench.ts";
import { ALERT } from "../support/message.ts";

const hang: Send = (_message, { signal }) =>
  new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(retry("the channel was stopped")));
  });

Deno.test("Delivery delivers what was stored before it started, and what is stored later", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("200 ok") } });
  bench.store("a", "c");
  await bench.clock.advance(0);
  bench.store("b", "c");
  await bench.clock.advance(0);
  assertEquals(bench.sent.map(({ id, atS }) => [id, atS]), [["a", 0], ["b", 0]]);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 0,
    delivered: 2,
    dead: 0,
    dropped: 0,
    rerouted: 0,
  });
  const attempts = bench.disk.entries.show(1)?.attempts;
  assertEquals(
    attempts?.map(({ atMs, tookMs, outcome, reason }) => [atMs, tookMs, outcome, reason]),
    [
      [NOW, 0, "delivered", "200 ok"],
    ],
  );
  assertEquals(
    bench.log,
    [
      "2026-11-21 02:00:00 +00:00 INFO delivered entry 1 (alert a) to c, attempt 1: 200 ok",
      "2026-11-21 02:00:00 +00:00 INFO delivered entry 2 (alert b) to c, attempt 1: 200 ok",
    ].map((line) => line.replace(/^.*? [A-Z]/, bench.log[0]!.match(/^.*? [A-Z](?=NFO)/)![0])),
  );
});

Deno.test("Delivery gives the channel the message of its language and the attempt's time", async () => {
  const seen: unknown[] = [];
  await using bench = new DeliveryBench({
    channels: {
      c: ({ id, title, language }, { nowMs, signal }) => {
        seen.push([id, title, language, nowMs, signal.aborted]);
        return delivered("ok");
      },
    },
  });
  bench.store("a", "c");
  await bench.clock.advance(0);
  assertEquals(seen, [["a", "web:api exited unexpectedly on node-7", "en", NOW, false]]);
});

Deno.test("Delivery looks every three seconds for what another process stored", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") } });
  await bench.clock.advance(SECOND);
  const other = Outbox.open(bench.disk.path, { nowMs: NOW });
  try {
    other.enqueue([{ alert: ALERT, channel: "c" }], NOW);
    await bench.clock.advance(10 * SECOND);
    assertEquals(seconds(bench), [3]);
    other.enqueue([{ alert: { ...ALERT, id: "b" }, channel: "c" }], NOW);
    await bench.clock.advance(3 * SECOND);
    assertEquals(seconds(bench), [3, 12]);
  } finally {
    other.close();
  }
});

Deno.test("Delivery tries again with doubling waits, at most the longest", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => retry("busy") } });
  bench.store("a", "c");
  await bench.clock.advance(5 * MINUTE);
  assertEquals(seconds(bench), [0, 2, 6, 14, 30, 62, 122, 182, 242]);
  const [entry] = bench.disk.entries.list();
  assertEquals({ state: entry?.state, attempts: entry?.attempts, reason: entry?.reason }, {
    state: "waiting",
    attempts: 9,
    reason: "busy",
  });
});

Deno.test("Delivery waits as long as the service says, when that is longer", async () => {
  const send = inTurn(retry("busy", 10 * SECOND), retry("busy", SECOND));
  await using bench = new DeliveryBench({ channels: { c: send } });
  bench.store("a", "c");
  await bench.clock.advance(MINUTE);
  assertEquals(seconds(bench), [0, 10, 14]);
});

Deno.test("Delivery gives up when an entry is too old, and says how to send it again", async () => {
  await using bench = new DeliveryBench({
    channels: { c: () => retry("busy") },
    giveUpAfterMs: 10_000,
  });
  bench.store("a", "c");
  await bench.clock.advance(5 * MINUTE);
  assertEquals(seconds(bench), [0, 2, 6, 14]);
  assertEquals(bench.disk.entries.show(1)?.entry.state, "dead");
  assertMatch(
    bench.log.at(-1)!,
    / ERROR gave up entry 1 \(alert a\) to c: busy; when the cause is mended: superbell outbox retry 1$/,
  );
  const command = Outbox.open(bench.disk.path, { nowMs: NOW });
  command.entries.retry([1], bench.clock.now());
  command.close();
  await bench.clock.advance(4 * SECOND);
  assertEquals(bench.sent.length, 5);
  assertEquals(bench.disk.entries.show(1)?.entry.state, "waiting");
});

Deno.test("Delivery does not try again what was rejected", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => rejected("wrong token") } });
  bench.store("a", "c");
  await bench.clock.advance(10 * MINUTE);
  assertEquals(seconds(bench), [0]);
  assertEquals(bench.disk.entries.show(1)?.entry.state, "dead");
  assertEquals(bench.disk.entries.show(1)?.entry.reason, "wrong token");
});

Deno.test("Delivery lets a channel rest after three failures in a row", async () => {
  await using bench = new DeliveryBench({
    channels: { c: inTurn(...Array.from({ length: 5 }, () => retry("down"))) },
  });
  for (const id of ["a", "b", "d", "e", "f", "g"]) bench.store(id, "c");
  await bench.clock.advance(SECOND);
  assertEquals(bench.sent.map(({ id }) => id), ["a", "b", "d"]);
  await bench.clock.advance(SECOND);
  assertEquals(bench.sent.length, 4, "one probe after the first rest");
  await bench.clock.advance(4 * SECOND);
  assertEquals(bench.sent.length, 5, "another after the next, which is longer");
  await bench.clock.advance(5 * MINUTE);
  assertEquals(bench.disk.entries.counts().delivered, 6);
});

Deno.test("Delivery lets a channel go on that fails now and then", async () => {
  const send = inTurn(retry("busy"), retry("busy"), delivered("ok"), retry("busy"), retry("busy"));
  await using bench = new DeliveryBench({ channels: { c: send } });
  for (const id of ["a", "b", "d", "e", "f", "g"]) bench.store(id, "c");
  await bench.clock.advance(SECOND);
  assertEquals(bench.sent.map(({ id }) => id), ["a", "b", "d", "e", "f", "g"]);
});

Deno.test("Delivery closes the channel for all its entries when the service says so", async () => {
  const send = inTurn(closed("muted", 10 * MINUTE));
  await using bench = new DeliveryBench({ channels: { c: send, other: () => delivered("ok") } });
  bench.store("a", "c");
  bench.store("b", "c", "other");
  await bench.clock.advance(9 * MINUTE);
  assertEquals(bench.sent.map(({ channel, id }) => `${channel} ${id}`).sort(), ["c a", "other b"]);
  await bench.clock.advance(2 * MINUTE);
  assertEquals(bench.disk.entries.counts().delivered, 3);
  assertEquals(Math.min(...bench.sent.slice(2).map(({ atS }) => atS)), 600);
});

const PACE: Pace = { key: "robot", count: 18, perMs: MINUTE };

Deno.test("Delivery sends at most 18 in any minute, over ten minutes", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") }, pace: PACE });
  for (let count = 0; count < 150; count++) bench.store(`id${count}`, "c");
  await bench.clock.advance(10 * MINUTE);
  assertEquals(bench.sent.length, 150);
  assertEquals(bench.sent.map(({ id }) => id), Array.from({ length: 150 }, (_, n) => `id${n}`));
  const times = seconds(bench);
  for (const [index, atS] of times.entries()) {
    const within = times.slice(index).filter((other) => other - atS < 60).length;
    assertLess(within, 19, `${within} in the minute from second ${atS}`);
  }
  assertLess(times.at(-1)!, 8.5 * 60, "and no slower than it must");
});

Deno.test("Delivery counts failures against the pace, and channels that share a sender", async () => {
  const pace: Pace = { key: "robot", count: 4, perMs: MINUTE };
  await using bench = new DeliveryBench({
    channels: { c: inTurn(retry("busy"), rejected("no")), d: () => delivered("ok") },
    pace,
  });
  for (const id of ["a", "b", "e"]) bench.store(id, "c", "d");
  await bench.clock.advance(59 * SECOND);
  assertEquals(bench.sent.length, 4);
  await bench.clock.advance(5 * MINUTE);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 0,
    delivered: 5,
    dead: 1,
    dropped: 0,
    rerouted: 0,
  });
});

Deno.test("Delivery keeps a pause of the sender over a restart, and is not muted by it for ever", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") }, pace: PACE });
  bench.disk.pause("robot", {
    atMs: NOW,
    untilMs: NOW + 5 * MINUTE,
    reason: "muted before the restart",
  });
  bench.store("a", "c");
  await bench.clock.advance(4 * MINUTE);
  assertEquals(bench.sent, []);
  await bench.clock.advance(2 * MINUTE);
  assertEquals(seconds(bench), [300]);
});

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

for (const jumpMs of [-10 * DAY, -2 * HOUR, 2 * HOUR, 10 * DAY]) {
  const jump = `${Math.abs(jumpMs / HOUR)} hours ${jumpMs < 0 ? "back" : "forth"}`;
  Deno.test(`Delivery goes on with what has failed when the clock is set ${jump}`, async () => {
    const send = inTurn(retry("busy"), retry("busy"), retry("busy"), retry("busy"), retry("busy"));
    await using bench = new DeliveryBench({ channels: { c: send } });
    bench.store("a", "c");
    await bench.clock.advance(SECOND);
    bench.clock.jumpTo(bench.clock.now() + jumpMs);
    await bench.clock.advance(2 * MINUTE);
    assertEquals(bench.disk.entries.counts(), {
      waiting: 0,
      delivered: 1,
      dead: 0,
      dropped: 0,
      rerouted: 0,
    });
  });

  Deno.test(`Delivery keeps a channel closed as long as it was told, the clock set ${jump}`, async () => {
    await using bench = new DeliveryBench({ channels: { c: inTurn(closed("mute", 10 * MINUTE)) } });
    bench.store("a", "c");
    bench.store("b", "c");
    await bench.clock.advance(MINUTE);
    bench.clock.jumpTo(bench.clock.now() + jumpMs);
    await bench.clock.advance(8 * MINUTE);
    assertEquals(bench.sent.length, 1);
    await bench.clock.advance(2 * MINUTE);
    assertEquals(bench.disk.entries.counts().delivered, 2);
  });

  Deno.test(`Delivery ends the rest of a failing channel, the clock set ${jump}`, async () => {
    await using bench = new DeliveryBench({
      channels: { c: inTurn(retry("down"), retry("down"), retry("down")) },
    });
    for (const id of ["a", "b", "d", "e"]) bench.store(id, "c");
    await bench.clock.advance(SECOND);
    bench.clock.jumpTo(bench.clock.now() + jumpMs);
    await bench.clock.advance(10 * SECOND);
    assertEquals(bench.disk.entries.counts().delivered, 4);
  });
}

Deno.test("Delivery is not paused for days by a clock that was set back", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") }, pace: PACE });
  bench.disk.pause("robot", { atMs: NOW, untilMs: NOW + 10 * MINUTE, reason: "muted" });
  bench.store("a", "c");
  bench.clock.jumpTo(NOW - 10 * DAY);
  await bench.clock.advance(4 * SECOND);
  assertEquals(bench.sent.length, 1);
});

Deno.test("Delivery does not let a channel that hangs hold up another", async () => {
  await using bench = new DeliveryBench({ channels: { slow: hang, fast: () => delivered("ok") } });
  for (let count = 0; count < 20; count++) bench.store(`id${count}`, "slow", "fast");
  await bench.clock.advance(SECOND);
  assertEquals(bench.sent.filter(({ channel }) => channel === "fast").length, 20);
  assertEquals(bench.sent.filter(({ channel }) => channel === "slow").length, 1);
});

Deno.test("Delivery ends an attempt at its timeout and tries again", async () => {
  let calls = 0;
  const send: Send = (message, options) => calls++ === 0 ? hang(message, options) : delivered("ok");
  await using bench = new DeliveryBench({ channels: { c: send }, timeoutMs: 20 });
  bench.store("a", "c");
  await bench.clock.settle();
  await new Promise((resolve) => setTimeout(resolve, 60)); // a timeout is real time
  await bench.clock.advance(5 * SECOND);
  assertEquals(
    bench.disk.entries.show(1)?.attempts.map(({ outcome, reason }) => [outcome, reason]),
    [
      ["retry", "the channel was stopped (timeout 20ms)"],
      ["delivered", "ok"],
    ],
  );
});

Deno.test("Delivery counts an answer that came at the last moment as delivered", async () => {
  const send: Send = (_message, { signal }) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(delivered("just in time")));
    });
  await using bench = new DeliveryBench({ channels: { c: send }, timeoutMs: 20 });
  bench.store("a", "c");
  await bench.clock.settle();
  await new Promise((resolve) => setTimeout(resolve, 60));
  await bench.clock.settle();
  assertEquals(bench.disk.entries.show(1)?.entry.state, "delivered");
});

Deno.test("Delivery gives up waiting for a channel that does not heed its timeout", async () => {
  await using bench = new DeliveryBench({
    channels: { c: () => new Promise(() => {}) },
    timeoutMs: 20,
  });
  bench.store("a", "c");
  await bench.clock.settle();
  await new Promise((resolve) => setTimeout(resolve, 60));
  await bench.clock.advance(4 * SECOND);
  assertMatch(
    bench.disk.entries.show(1)?.entry.reason ?? "",
    /^The channel went on after it was told/,
  );
});

for (
  const [what, send] of Object.entries<Send>({
    "throws": () => {
      throw new TypeError("x is not a function");
    },
    "rejects": () => Promise.reject(new TypeError("x is not a function")),
    "answers nothing": () => undefined as unknown as Outcome,
  })
) {
  Deno.test(`Delivery takes a channel that ${what} for a failure and tries again`, async () => {
    await using bench = new DeliveryBench({ channels: { c: send } });
    bench.store("a", "c");
    await bench.clock.advance(3 * SECOND);
    assertEquals(bench.sent.length, 2);
    const { entry, attempts } = bench.disk.entries.show(1)!;
    assertEquals(entry.state, "waiting");
    assertMatch(attempts[0]!.reason, /^A mistake in superbell itself: /);
  });
}

Deno.test("Delivery works at several entries at once where the channel may", async () => {
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const send: Send = async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => release.push(resolve));
    running--;
    return delivered("ok");
  };
  await using bench = new DeliveryBench({ channels: { c: send }, concurrency: 3 });
  for (let count = 0; count < 10; count++) bench.store(`id${count}`, "c");
  for (let round = 0; round < 10; round++) {
    await bench.clock.advance(SECOND);
    for (const go of release.splice(0)) go();
  }
  await bench.clock.advance(SECOND);
  assertEquals(most, 3);
  assertEquals(bench.disk.entries.counts().delivered, 10);
  assertEquals(new Set(bench.sent.map(({ id }) => id)).size, bench.sent.length);
});

Deno.test("Delivery sends one by one where there is a pace, whatever the concurrency", async () => {
  await using bench = new DeliveryBench({ channels: { c: hang }, concurrency: 3, pace: PACE });
  for (let count = 0; count < 5; count++) bench.store(`id${count}`, "c");
  await bench.clock.advance(SECOND);
  assertEquals(bench.sent.length, 1);
});

Deno.test("Delivery.stop() lets a running attempt end within the window", async () => {
  const answer = Promise.withResolvers<Outcome>();
  await using bench = new DeliveryBench({ channels: { c: () => answer.promise } });
  bench.store("a", "c");
  bench.store("b", "c");
  await bench.clock.advance(0);
  const stopping = bench.delivery.stop(8 * SECOND);
  await bench.clock.advance(5 * SECOND);
  answer.resolve(delivered("late but there"));
  await stopping;
  assertEquals(bench.disk.entries.list().map(({ state }) => state), ["delivered", "waiting"]);
  assertEquals(bench.sent.length, 1);
});

Deno.test("Delivery.stop() aborts what runs when the window has passed; it stays stored", async () => {
  await using bench = new DeliveryBench({ channels: { c: hang, d: hang } });
  bench.store("a", "c", "d");
  await bench.clock.advance(0);
  await bench.stop(8 * SECOND);
  for (const id of [1, 2]) {
    const { entry, attempts } = bench.disk.entries.show(id)!;
    assertEquals(entry.state, "waiting");
    assertEquals(entry.dueAtMs, NOW + 8 * SECOND, "due at once after the restart");
    assertEquals(attempts.map(({ reason }) => reason), [
      "superbell was stopped before the answer came",
    ]);
  }
  assertEquals(bench.disk.claim("c", { nowMs: NOW + MINUTE, leaseMs: 1 })?.entries[0].id, 1);
});

Deno.test("Delivery.stop() ends although a channel does not heed its signal", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => new Promise(() => {}) } });
  bench.store("a", "c");
  await bench.clock.advance(0);
  await bench.stop(8 * SECOND);
  assertEquals(bench.disk.entries.show(1)?.entry.state, "waiting");
  assertLess(bench.clock.now() - NOW, 13 * SECOND);
});

Deno.test("Delivery.stop() ends at once when nothing runs, and nothing is sent afterwards", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") } });
  await bench.clock.advance(0);
  await bench.delivery.stop(MINUTE);
  assertEquals(bench.clock.now(), NOW);
  bench.store("a", "c");
  await bench.clock.advance(MINUTE);
  assertEquals(bench.sent, []);
});

Deno.test("Delivery keeps secrets out of the outbox and the log", async () => {
  const leaky = [
    retry(`POST https://x/${SECRET}: no`),
    closed(`muted ${SECRET}`, SECOND),
    delivered(`thanks, ${SECRET}`),
  ];
  await using bench = new DeliveryBench({ channels: { c: inTurn(...leaky) }, pace: PACE });
  bench.store("a", "c");
  await bench.clock.advance(MINUTE);
  assertEquals(bench.disk.entries.show(1)?.attempts.map(({ reason }) => reason), [
    "POST https://x/[secret]: no",
    "muted [secret]",
    "thanks, [secret]",
  ]);
  for (const suffix of ["", "-wal"]) {
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(bench.disk.path + suffix));
    assert(!text.includes(SECRET), `superbell.db${suffix} holds the secret`);
  }
  assert(!bench.log.join().includes(SECRET));
});

Deno.test("Delivery sends from memory what the disk did not take", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") } });
  bench.memory.enqueue([{ alert: ALERT, channel: "c" }], NOW);
  bench.delivery.wake(["c"]);
  await bench.clock.advance(0);
  assertEquals(bench.memory.entries.counts().delivered, 1);
});

for (const pace of [undefined, PACE]) {
  const how = pace === undefined ? "without" : "with";
  Deno.test(`Delivery sends from memory while the disk fails, ${how} a pace`, async () => {
    await using bench = new DeliveryBench({
      channels: { c: () => delivered("ok") },
      ...(pace && { pace }),
    });
    bench.store("on disk", "c");
    bench.disk.close(); // every use of it throws from now on
    bench.memory.enqueue(
      ["a", "b"].map((id) => ({ alert: { ...ALERT, id }, channel: "c" })),
      NOW,
    );
    bench.delivery.wake(["c"]);
    await bench.clock.advance(MINUTE);
    assertEquals(bench.memory.entries.counts().delivered, 2);
    assertLess(bench.log.length, 100, "and does not fill the log");
    assertMatch(bench.log[0]!, / ERROR channel c: cannot use the outbox: database is not open$/);
  });
}

Deno.test("Delivery tells what comes within the digest time in one message", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") }, digestMs: 1000 });
  const store = (id: string) => {
    const entry = { alert: { ...ALERT, id }, channel: "c", digestMs: 1000 };
    bench.disk.enqueue([entry], bench.clock.now());
    bench.delivery.wake(["c"]);
  };
  store("a");
  await bench.clock.advance(400);
  store("b");
  await bench.clock.advance(599);
  assertEquals(bench.sent, []);
  await bench.clock.advance(1);
  assertEquals(bench.sent, [{ channel: "c", id: "a+1", atS: 1 }]);
  await bench.clock.advance(5000);
  store("c");
  await bench.clock.advance(1000);
  assertEquals(bench.sent.at(-1), { channel: "c", id: "c", atS: 7 });
  assertEquals(bench.disk.entries.counts().delivered, 3);
});

Deno.test("Delivery gathers while the channel is closed, however long that is", async () => {
  const send = inTurn(closed("mute", 10 * MINUTE));
  await using bench = new DeliveryBench({ channels: { c: send }, digestMs: 1000 });
  for (let second = 0; second < 60; second++) {
    bench.store(`alert-${second}`, "c");
    await bench.clock.advance(SECOND);
  }
  await bench.clock.advance(10 * MINUTE);
  assertEquals(bench.sent.length, 2);
  assertEquals(bench.sent[1]!.id.replace(/^.*\+/, "+"), "+59");
  assertEquals(bench.disk.entries.counts().delivered, 60);
});

Deno.test("Delivery sends the alerts of a rejected digest one by one", async () => {
  const send: Send = (message) =>
    message.text.includes("poison") ? rejected("bad words") : delivered("ok");
  await using bench = new DeliveryBench({ channels: { c: send }, digestMs: 1000 });
  for (const id of ["a", "b", "c"]) {
    const text = id === "b" ? "poison" : "fine";
    bench.disk.enqueue([{ alert: { ...ALERT, id, text }, channel: "c" }], NOW);
  }
  bench.delivery.wake(["c"]);
  await bench.clock.advance(5000);
  assertEquals(bench.sent.map(({ id }) => id), ["a+2", "a", "b", "c"]);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 0,
    delivered: 2,
    dead: 1,
    dropped: 0,
    rerouted: 0,
  });
  bench.disk.enqueue([{ alert: { ...ALERT, id: "d" }, channel: "c" }], bench.clock.now());
  bench.disk.enqueue([{ alert: { ...ALERT, id: "e" }, channel: "c" }], bench.clock.now());
  bench.delivery.wake(["c"]);
  await bench.clock.advance(5000);
  assertEquals(bench.sent.at(-1)!.id, "d+1");
});

Deno.test("Delivery tries a resting channel at once when superbell outbox was used", async () => {
  let mended = false;
  const send = () => mended ? delivered("ok") : retry("down");
  await using bench = new DeliveryBench({ channels: { c: send } });
  for (const id of ["a", "b", "d"]) bench.store(id, "c");
  await bench.clock.advance(10 * MINUTE);
  const before = bench.sent.length;
  mended = true;
  const hand = Connection.visit(bench.disk.path, "write");
  assertEquals(new StoredEntries(hand).retry([1, 2, 3], bench.clock.now()), [1, 2, 3]);
  hand.close();
  await bench.clock.advance(3 * SECOND);
  assertEquals(bench.sent.length, before + 3);
  assertEquals(bench.disk.entries.counts().delivered, 3);
});

Deno.test("Delivery leaves a channel closed by its service, whatever a hand does", async () => {
  await using bench = new DeliveryBench({ channels: { c: inTurn(closed("mute", 10 * MINUTE)) } });
  bench.store("a", "c");
  await bench.clock.advance(MINUTE);
  const hand = Connection.visit(bench.disk.path, "write");
  new StoredEntries(hand).retry([1], bench.clock.now());
  hand.close();
  await bench.clock.advance(8 * MINUTE);
  assertEquals(bench.sent.length, 1);
});

Deno.test("Delivery says what became of an entry that was dropped while it was sent", async () => {
  const answer = Promise.withResolvers<Outcome>();
  await using bench = new DeliveryBench({ channels: { c: () => answer.promise }, pace: PACE });
  bench.store("a", "c");
  await bench.clock.advance(0);
  bench.disk.entries.drop([1], bench.clock.now());
  answer.resolve(delivered("200 ok"));
  await bench.clock.advance(0);
  assertEquals(bench.disk.entries.show(1)?.entry.state, "dropped");
  assertEquals(bench.disk.entries.show(1)?.entry.attempts, 1);
  assertEquals(bench.disk.entries.show(1)?.attempts.map(({ outcome }) => outcome), ["delivered"]);
  assertEquals(bench.disk.paceFreeAtMs({ ...PACE, count: 1 }, NOW), NOW + PACE.perMs + 1);
  assertEquals(bench.log.length, 1);
  assertMatch(
    bench.log[0]!,
    / WARN +entry 1 \(alert a\) to c was dropped while it was being sent; it was delivered: 200 ok$/,
  );
});

Deno.test("Delivery gives up in memory without naming an entry of the disk", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => rejected("wrong token") } });
  bench.memory.enqueue([{ alert: { ...ALERT, id: "a" }, channel: "c" }], NOW);
  bench.delivery.wake(["c"]);
  await bench.clock.advance(0);
  assertMatch(
    bench.log[0]!,
    / ERROR gave up an entry in memory \(alert a\) to c: wrong token; when the cause is mended: find it/,
  );
});

Deno.test("Delivery does not send again what it could not write down", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => delivered("ok") } });
  const { disk } = bench;
  const settle = disk.settle.bind(disk);
  let isFull = true;
  disk.settle = (...parameters) => {
    if (isFull) throw new Error("database or disk is full");
    return settle(...parameters);
  };
  bench.store("a", "c");
  bench.store("b", "c");
  await bench.clock.advance(10 * MINUTE); // many times the lease
  assertEquals(bench.sent.map(({ id }) => id), ["a"]);
  isFull = false;
  await bench.clock.advance(4 * SECOND);
  assertEquals(bench.sent.map(({ id }) => id), ["a", "b"]);
  assertEquals(disk.entries.counts().delivered, 2);
  assertEquals(disk.entries.show(1)?.attempts.length, 1);
});
