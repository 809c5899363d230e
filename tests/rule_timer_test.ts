import { RuleTimer } from "../src/rule_timer.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";

const NOW = Date.UTC(2026, 10, 21);

/** A timer that runs over times that the test sets, in ms from now. */
class Bench implements AsyncDisposable {
  readonly clock = new FakeClock(NOW);
  /** When it woke, in ms from the beginning. */
  readonly woke: number[] = [];
  #due: number[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #timer = new RuleTimer({
    nextDueMs: () => this.#due.length === 0 ? undefined : Math.min(...this.#due),
    onDue: () => {
      this.woke.push(this.clock.now() - NOW);
      this.#due = this.#due.filter((atMs) => atMs > this.clock.now());
    },
    clock: this.clock,
  });

  constructor(...due: readonly number[]) {
    this.#due = due.map((ms) => NOW + ms);
    this.#running = this.#timer.run(this.#stop.signal);
  }

  /** Something is due then, too. */
  add(ms: number): void {
    this.#due.push(NOW + ms);
    this.#timer.heed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

Deno.test("RuleTimer wakes when something is due, and not before", async () => {
  await using bench = new Bench(5000, 300_000);
  await bench.clock.advance(4999);
  assertEquals(bench.woke, []);
  await bench.clock.advance(600_000);
  assertEquals(bench.woke, [5000, 300_000]);
});

Deno.test("RuleTimer heeds that something is due earlier", async () => {
  await using bench = new Bench(50_000);
  await bench.clock.advance(1000);
  bench.add(3000);
  await bench.clock.advance(10_000);
  assertEquals(bench.woke, [3000]);
});

Deno.test("RuleTimer is late by a minute at most when the clock is set forth", async () => {
  await using bench = new Bench(3_600_000);
  await bench.clock.advance(1000);
  bench.clock.jumpTo(NOW + 7_200_000);
  await bench.clock.advance(60_000);
  assertEquals(bench.woke.length, 1);
});

Deno.test("RuleTimer lets it be noticed within a minute that the clock was set back", async () => {
  await using bench = new Bench(3_600_000);
  await bench.clock.advance(1000);
  bench.clock.jumpTo(NOW - 7_200_000);
  await bench.clock.advance(600_000);
  assertEquals(bench.woke.length, 1, "once, and not again and again");
});
