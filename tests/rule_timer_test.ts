import { RuleTimer } from "../src/rule_timer.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";

const NOW = Date.UTC(2026, 10, 21);

/** A timer over times that the test sets; `told` are those at which it woke. */
function timerWith(clock: FakeClock) {
  const due: number[] = [];
  const told: number[] = [];
  const timer = new RuleTimer({
    nextDueMs: () => due.length === 0 ? undefined : Math.min(...due),
    onDue() {
      told.push(clock.now() - NOW);
      due.splice(0, due.length, ...due.filter((atMs) => atMs > clock.now()));
    },
    clock,
  });
  return { timer, due, told };
}

Deno.test("RuleTimer wakes when something is due, and not before", async () => {
  const clock = new FakeClock(NOW);
  const { timer, due, told } = timerWith(clock);
  due.push(NOW + 5000, NOW + 300_000);
  const stop = new AbortController();
  const running = timer.run(stop.signal);
  await clock.advance(4999);
  assertEquals(told, []);
  await clock.advance(600_000);
  assertEquals(told, [5000, 300_000]);
  stop.abort();
  await running;
});

Deno.test("RuleTimer heeds that something is due earlier", async () => {
  const clock = new FakeClock(NOW);
  const { timer, due, told } = timerWith(clock);
  due.push(NOW + 50_000);
  const stop = new AbortController();
  const running = timer.run(stop.signal);
  await clock.advance(1000);
  due.push(NOW + 3000);
  timer.heed();
  await clock.advance(10_000);
  assertEquals(told, [3000]);
  stop.abort();
  await running;
});

Deno.test("RuleTimer is late by a minute at most when the clock is set forth", async () => {
  const clock = new FakeClock(NOW);
  const { timer, due, told } = timerWith(clock);
  due.push(NOW + 3_600_000);
  const stop = new AbortController();
  const running = timer.run(stop.signal);
  await clock.advance(1000);
  clock.jumpTo(NOW + 7_200_000);
  await clock.advance(60_000);
  assertEquals(told.length, 1);
  stop.abort();
  await running;
});

Deno.test("RuleTimer lets it be noticed within a minute that the clock was set back", async () => {
  const clock = new FakeClock(NOW);
  const { timer, due, told } = timerWith(clock);
  due.push(NOW + 3_600_000);
  const stop = new AbortController();
  const running = timer.run(stop.signal);
  await clock.advance(1000);
  clock.jumpTo(NOW - 7_200_000);
  await clock.advance(600_000);
  assertEquals(told.length, 1, "once, and not again and again");
  stop.abort();
  await running;
});
