// A delivery that goes on by another configuration while attempts of the old one run.

import { delivered, type Outcome, rejected, retry } from "../../src/alerts/outcome.ts";
import type { Pace } from "../../src/channels/channel.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { DeliveryBench, MINUTE, SECOND, type Send } from "../support/delivery_bench.ts";

/** A channel whose attempts end when the test says so. */
class Held {
  readonly #attempts: ((outcome: Outcome) => void)[] = [];
  readonly send: Send = () => new Promise((resolve) => this.#attempts.push(resolve));

  get running(): number {
    return this.#attempts.length;
  }

  end(outcome: Outcome): void {
    for (const resolve of this.#attempts.splice(0)) resolve(outcome);
  }
}

const ids = ({ sent }: DeliveryBench) => sent.map(({ id }) => id);

Deno.test("Delivery goes on at once beside eight attempts that hang, and sends nothing twice", async () => {
  const held = new Held();
  await using bench = new DeliveryBench({
    channels: { c: held.send },
    concurrency: 8,
    timeoutMs: 10 * MINUTE,
  });
  const all = Array.from({ length: 10 }, (_, index) => `id${index}`);
  for (const id of all) bench.store(id, "c");
  await bench.clock.advance(0);
  assertEquals(held.running, 8);
  let isOver = false;
  const reloading = bench.reload({ channels: { c: () => delivered("ok") } });
  void reloading.then(() => isOver = true);
  await bench.clock.advance(0);
  assertEquals(ids(bench), all);
  await bench.clock.advance(5 * MINUTE);
  assert(!isOver);
  held.end(delivered("ok after all"));
  await reloading;
  assertEquals(bench.disk.entries.counts().delivered, 10);
  assertEquals(ids(bench), all);
});

for (
  const [what, outcome] of [["fails", retry("down")], [
    "is refused",
    rejected("bad token"),
  ]] as const
) {
  Deno.test(`Delivery tries again by the new configuration what ${what} by the old one`, async () => {
    const held = new Held();
    await using bench = new DeliveryBench({ channels: { c: held.send } });
    bench.store("a", "c");
    await bench.clock.advance(0);
    const reloading = bench.reload({ channels: { c: () => delivered("ok") } });
    await bench.clock.advance(SECOND);
    held.end(outcome);
    await reloading;
    await bench.clock.advance(4 * SECOND);
    assertEquals(ids(bench), ["a", "a"]);
    assertEquals(bench.disk.entries.counts().delivered, 1);
    assertEquals(bench.disk.channels.read("c")?.failures, 0, "it says nothing of the new one");
  });
}

Deno.test("Delivery ends the rest of a channel whose configuration has changed", async () => {
  await using bench = new DeliveryBench({ channels: { c: () => retry("down") } });
  for (const id of ["a", "b", "d", "e"]) bench.store(id, "c");
  await bench.clock.advance(10 * MINUTE);
  const before = bench.sent.length;
  await bench.reload({ channels: { c: () => delivered("ok") } });
  await bench.clock.advance(MINUTE);
  assertEquals(bench.sent.length - before, 4);
  assertEquals(bench.disk.entries.counts().delivered, 4);
});

Deno.test("Delivery tells over a reload once that a channel fails, and once that it works again", async () => {
  const mail: Send = () => delivered("ok");
  await using bench = new DeliveryBench({
    channels: { c: () => retry("down"), mail },
    fallbacks: { c: "mail" },
  });
  bench.store("a", "c");
  await bench.clock.advance(6 * MINUTE);
  await bench.reload({ channels: { c: () => retry("still down"), mail } });
  await bench.clock.advance(6 * MINUTE);
  await bench.reload({ channels: { c: () => delivered("ok"), mail } });
  bench.store("b", "c");
  await bench.clock.advance(6 * MINUTE);
  const words = bench.messages.map(({ alert }) => alert.word);
  assertEquals(words.filter((word) => word === "channel_failing").length, 1);
  assertEquals(words.filter((word) => word === "channel_recovered").length, 1);
});

Deno.test("Delivery does not break a sender's pace by many reloads", async () => {
  const pace: Pace = { key: "robot", count: 3, perMs: MINUTE };
  const held = new Held();
  await using bench = new DeliveryBench({ channels: { c: held.send }, pace });
  for (let count = 0; count < 12; count++) bench.store(`id${count}`, "c");
  await bench.clock.advance(0);
  const reloading = [];
  for (let count = 0; count < 10; count++) {
    reloading.push(bench.reload({}));
    await bench.clock.advance(SECOND);
  }
  assertEquals([held.running, bench.sent.length], [1, 1], "one by one, over all of them");
  held.end(delivered("ok"));
  await Promise.all(reloading);
  const last = bench.reload({ channels: { c: () => delivered("ok") } });
  await bench.clock.advance(SECOND);
  held.end(delivered("ok"));
  await last;
  await bench.clock.advance(10 * MINUTE);
  assertEquals(bench.disk.entries.counts().delivered, 12);
  const times = bench.sent.map(({ atS }) => atS);
  for (const atS of times) {
    assert(times.filter((other) => other >= atS && other < atS + 60).length <= 3, times.join());
  }
});

Deno.test("Delivery hands what an old attempt does not deliver to the fallback of the new configuration", async () => {
  const held = new Held();
  await using bench = new DeliveryBench({
    channels: { c: held.send, old: () => delivered("ok") },
    fallbacks: { c: "old" },
  });
  bench.store("a", "c");
  await bench.clock.advance(0);
  const reloading = bench.reload({
    channels: { c: () => rejected("never"), mail: () => delivered("ok") },
    fallbacks: { c: "mail" },
  });
  held.end(rejected("no"));
  await reloading;
  await bench.clock.advance(10 * SECOND);
  assertEquals(bench.sent.map(({ channel }) => channel), ["c", "c", "mail"]);
});

Deno.test("Delivery does not send again what the disk did not take down before a reload", async () => {
  const held = new Held();
  await using bench = new DeliveryBench({ channels: { c: held.send } });
  const { disk } = bench;
  const settle = disk.settle.bind(disk);
  let isFull = true;
  disk.settle = (...parameters) => {
    if (isFull) throw new Error("database or disk is full");
    return settle(...parameters);
  };
  bench.store("a", "c");
  await bench.clock.advance(0);
  const reloading = bench.reload({ channels: { c: () => delivered("ok") } });
  held.end(delivered("ok"));
  await reloading;
  await bench.clock.advance(10 * MINUTE); // many times the lease
  assertEquals(ids(bench), ["a"]);
  isFull = false;
  bench.store("b", "c");
  await bench.clock.advance(4 * SECOND);
  assertEquals(ids(bench), ["a", "b"]);
  assertEquals(disk.entries.counts().delivered, 2);
});
