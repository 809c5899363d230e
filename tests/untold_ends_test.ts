// Which ends are looked for, how seldom, and that nothing else is.

import type { End } from "../src/enrichment.ts";
import type { Event } from "../src/events/event.ts";
import type { Step } from "../src/rules/engine.ts";
import { UntoldEnds } from "../src/untold_ends.ts";
import { assertEquals } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";

const NOW = Date.UTC(2026, 10, 21);
const origin = { server: "supervisor", eventname: "PROCESS_STATE_EXITED" };

function exitOf(name: string, pid: number): Event {
  const process = { group: "web", name };
  return { kind: "process_exited", origin, process, fromState: "RUNNING", pid, expected: false };
}

const decided = (verdict: "hold" | "alert" | "skip") =>
  ({
    decisions: [{ rule: "crash", verdict, reason: "after" }],
    tellings: [],
    notes: [],
  }) as unknown as Step;
const HELD = decided("hold");
const SKIPPED = decided("skip");
const TOLD = { ...HELD, tellings: [{}] } as unknown as Step;

/** Runs until the end of the test; `looks` are the moments and whom they were about. */
class Bench implements AsyncDisposable {
  readonly clock = new FakeClock(NOW);
  readonly looks: (readonly [number, string])[] = [];
  readonly known = new Set<string>();
  readonly #stop = new AbortController();
  /** How long a look takes. */
  readonly #tookMs: number;
  readonly ends = new UntoldEnds({
    isKnown: ({ process }) => this.known.has(process.name),
    find: async (ends: readonly End[], signal: AbortSignal) => {
      const names = ends.map(({ process, pid }) => `${process.name} ${pid}`);
      this.looks.push([this.clock.now() - NOW, names.join()]);
      await this.clock.sleep(this.#tookMs, signal);
    },
    clock: this.clock,
  });
  readonly #running = this.ends.run(this.#stop.signal);

  constructor(tookMs = 0) {
    this.#tookMs = tookMs;
  }

  event(event: Event, step: Step): void {
    this.ends.heard(event, this.clock.now());
    this.ends.decided(step);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

Deno.test("UntoldEnds looks once for all that ended together and were held", async () => {
  await using bench = new Bench();
  await bench.clock.settle();
  bench.event(exitOf("api", 1), HELD);
  bench.event(exitOf("db", 2), HELD);
  bench.event(exitOf("api", 3), HELD);
  assertEquals(bench.looks, []); // not before the answer
  await bench.clock.advance(60_000);
  assertEquals(bench.looks, [[200, "db 2,api 3"]]);
});

Deno.test("UntoldEnds asks seldom, however often a process ends", async () => {
  await using bench = new Bench();
  for (let pid = 0; pid < 100; pid++) {
    bench.event(exitOf("api", pid), HELD);
    await bench.clock.advance(100);
  }
  await bench.clock.advance(60_000);
  const gaps = bench.looks.slice(1).map(([atMs], index) => atMs - bench.looks[index]![0]);
  assertEquals(Math.min(...gaps) >= 2000, true, gaps.join());
  assertEquals([bench.looks.length, bench.looks.at(-1)![1]], [6, "api 99"]);
});

Deno.test("UntoldEnds leaves a supervisord in peace that is slow to answer", async () => {
  await using bench = new Bench(1000);
  for (let pid = 0; pid < 100; pid++) {
    bench.event(exitOf("api", pid), HELD);
    await bench.clock.advance(500);
  }
  assertEquals(bench.looks.map(([atMs]) => atMs), [200, 21_400, 42_600]);
});

Deno.test("UntoldEnds leaves alone what is told, what no rule is about, and what is known", async () => {
  await using bench = new Bench();
  bench.event(exitOf("told", 1), TOLD);
  bench.event(exitOf("nobodys", 2), SKIPPED);
  bench.event(exitOf("known", 3), HELD);
  bench.known.add("known");
  bench.event({
    kind: "process_starting",
    origin,
    process: { group: "web", name: "up" },
    fromState: "EXITED",
    tries: 0,
  }, HELD);
  bench.ends.decided(HELD); // by time, about nothing that came
  await bench.clock.advance(60_000);
  assertEquals(bench.looks, []);
});

Deno.test("UntoldEnds looks for a start that failed without a process id", async () => {
  await using bench = new Bench();
  const process = { group: "web", name: "api" };
  bench.event({ kind: "process_backoff", origin, process, fromState: "STARTING", tries: 1 }, HELD);
  await bench.clock.advance(60_000);
  assertEquals(bench.looks, [[200, "api undefined"]]);
});
