// The circuit with a clock that we move.

import { closed, delivered, type Outcome, rejected, retry } from "../../src/alerts/outcome.ts";
import { Circuit } from "../../src/delivery/circuit.ts";
import { assertEquals } from "../support/assert.ts";
import { FakeClock } from "../support/fake_clock.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

class Bench {
  readonly clock = new FakeClock(NOW);
  circuit = this.#fresh();

  #fresh(): Circuit {
    return new Circuit("c", {
      retry: { firstMs: 2 * SECOND, mostMs: 10 * MINUTE, giveUpAfterMs: 24 * HOUR },
      clock: this.clock,
      random: () => 0,
    });
  }

  attempt(outcome: Outcome): void {
    this.circuit.begin();
    const reason = outcome.kind === "delivered" ? outcome.detail : outcome.reason;
    this.circuit.end({ outcome, atMs: this.clock.now(), reason });
  }

  fail(times: number): void {
    for (let time = 0; time < times; time++) this.attempt(retry("down"));
  }

  /** As after a restart. */
  restart(pausedUntilMs = 0): void {
    const { state } = this.circuit;
    this.circuit = this.#fresh();
    this.circuit.restore(state, pausedUntilMs);
  }
}

Deno.test("Circuit opens after three failures in a row, and longer each time", async () => {
  const bench = new Bench();
  const rests: number[] = [];
  for (let failures = 1; failures <= 6; failures++) {
    bench.fail(1);
    rests.push(bench.circuit.openForMs());
    await bench.clock.advance(bench.circuit.openForMs());
  }
  assertEquals(rests, [0, 0, 2000, 4000, 8000, 16_000]);
});

Deno.test("Circuit counts rejections as failures: a wrong token kills a channel as well", () => {
  const bench = new Bench();
  bench.attempt(rejected("wrong token"));
  bench.attempt(retry("busy"));
  assertEquals(bench.circuit.openForMs(), 0);
  bench.attempt(rejected("wrong token"));
  assertEquals(bench.circuit.openForMs(), 2000);
});

Deno.test("Circuit lets one attempt alone try when its rest is over", async () => {
  const bench = new Bench();
  bench.fail(3);
  assertEquals([bench.circuit.mayAttempt(), bench.circuit.isHalfOpen], [false, false]);
  await bench.clock.advance(2 * SECOND);
  assertEquals([bench.circuit.mayAttempt(), bench.circuit.isHalfOpen], [true, true]);
  bench.circuit.begin();
  assertEquals(bench.circuit.mayAttempt(), false);
  bench.circuit.end({ outcome: delivered("ok"), atMs: bench.clock.now(), reason: "ok" });
  bench.circuit.begin();
  assertEquals(bench.circuit.mayAttempt(), true, "closed: several at the same time");
});

Deno.test("Circuit is not blocked by an attempt without an outcome", async () => {
  const bench = new Bench();
  bench.fail(3);
  await bench.clock.advance(2 * SECOND);
  bench.circuit.begin();
  bench.circuit.cancel();
  assertEquals(bench.circuit.mayAttempt(), true);
});

Deno.test("Circuit closes with the first delivered message, and begins to count anew", () => {
  const bench = new Bench();
  bench.fail(2);
  bench.attempt(delivered("ok"));
  bench.fail(2);
  assertEquals(bench.circuit.openForMs(), 0);
});

Deno.test("Circuit is open as long as the service says, and no hand ends that", async () => {
  const bench = new Bench();
  bench.attempt(closed("muted", 10 * MINUTE));
  bench.circuit.endRest();
  await bench.clock.advance(9 * MINUTE);
  assertEquals(bench.circuit.openForMs(), MINUTE);
});

Deno.test("Circuit.endRest() ends the rest that it took by itself", () => {
  const bench = new Bench();
  bench.fail(8);
  bench.circuit.endRest();
  assertEquals([bench.circuit.mayAttempt(), bench.circuit.isHalfOpen], [true, true]);
});

Deno.test("Circuit tells for how long it has failed, whatever the clock says meanwhile", async () => {
  const bench = new Bench();
  assertEquals(bench.circuit.failingForMs(), undefined);
  bench.fail(1);
  await bench.clock.advance(MINUTE);
  bench.clock.jumpTo(NOW + 5 * HOUR);
  bench.fail(1);
  assertEquals(bench.circuit.failingForMs(), MINUTE);
  assertEquals(bench.circuit.state?.failingSinceMs, NOW);
  bench.attempt(delivered("ok"));
  assertEquals(bench.circuit.failingForMs(), undefined);
  assertEquals(bench.circuit.state?.failingSinceMs, undefined);
});

Deno.test("Circuit goes on after a restart: how long it failed, and a short rest", async () => {
  const bench = new Bench();
  bench.fail(12);
  await bench.clock.advance(MINUTE);
  bench.fail(1);
  assertEquals(bench.circuit.openForMs(), 10 * MINUTE);
  await bench.clock.advance(2 * SECOND);
  bench.restart();
  assertEquals(bench.circuit.failingForMs(), MINUTE + 2 * SECOND);
  assertEquals(bench.circuit.openForMs(), 8 * SECOND, "ten seconds since the last attempt");
  await bench.clock.advance(8 * SECOND);
  assertEquals(bench.circuit.isHalfOpen, true);
  bench.fail(1);
  assertEquals(bench.circuit.openForMs(), 10 * MINUTE);
});

Deno.test("Circuit rests no longer after a restart because the clock was set back", () => {
  const bench = new Bench();
  bench.fail(5);
  bench.clock.jumpTo(NOW - 5 * HOUR);
  bench.restart();
  assertEquals(bench.circuit.openForMs(), 8 * SECOND);
  assertEquals(bench.circuit.failingForMs(), 0);
});

Deno.test("Circuit stays closed by its service over a restart", () => {
  const bench = new Bench();
  bench.attempt(closed("muted", 10 * MINUTE));
  bench.restart(NOW + 10 * MINUTE);
  assertEquals(bench.circuit.openForMs(), 10 * MINUTE);
  bench.restart(NOW + 400 * HOUR);
  assertEquals(bench.circuit.openForMs(), 24 * HOUR, "no service is believed for longer");
});

Deno.test("Circuit knows what people were told, over a restart", async () => {
  const bench = new Bench();
  bench.fail(3);
  assertEquals([bench.circuit.isTold, bench.circuit.overSinceMs], [false, undefined]);
  bench.circuit.told(NOW + 5);
  bench.restart();
  assertEquals([bench.circuit.isTold, bench.circuit.overSinceMs], [true, undefined]);
  await bench.clock.advance(MINUTE);
  bench.attempt(delivered("ok"));
  bench.restart();
  assertEquals([bench.circuit.isTold, bench.circuit.overSinceMs], [false, NOW]);
  bench.circuit.told(undefined);
  bench.restart();
  assertEquals([bench.circuit.isTold, bench.circuit.overSinceMs], [false, undefined]);
});

Deno.test("Circuit counts what was given up until it works again", () => {
  const bench = new Bench();
  bench.circuit.gaveUp(5);
  assertEquals(bench.circuit.state, undefined);
  bench.fail(1);
  bench.circuit.gaveUp(5);
  bench.circuit.gaveUp(2);
  assertEquals(bench.circuit.state?.givenUp, 7);
  bench.attempt(delivered("ok"));
  assertEquals(bench.circuit.state?.givenUp, 0);
});
