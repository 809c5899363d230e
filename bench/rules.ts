// deno-lint-ignore-file no-console -- a bench prints
// What the rules cost for each event: with more rules, with more processes, and after a long
// history. Prints figures and asserts none.
//
// Usage: deno run -A bench/rules.ts

import { hashOf } from "../src/alerts/alert.ts";
import type { Event, EventKind } from "../src/events/event.ts";
import { RuleEngine } from "../src/rules/engine.ts";
import { DEFAULT_PACING } from "../src/rules/pacing.ts";
import { namePattern } from "../src/rules/parse.ts";
import type { Rule } from "../src/rules/rule.ts";

interface Size {
  readonly rules: number;
  readonly processes: number;
  /** One rule in so many is about a given process. */
  readonly oneIn: number;
}

const EVENTS = 5000;

/** Rules as people write them: some words, a pattern, thresholds. */
function rulesFor({ rules, oneIn }: Size): Rule[] {
  return Array.from({ length: rules }, (_, index): Rule => ({
    name: `rule-${index}`,
    on: ["crash", "fatal", "flapping"],
    where: oneIn === 1 ? {} : {
      process: {
        wanted: [namePattern(`group-${index % oneIn}:*`)],
        excluded: [namePattern("*-canary")],
      },
    },
    to: ["oncall"],
    pacing: { ...DEFAULT_PACING, quietMs: 60_000, after: { count: 3, withinMs: 300_000 } },
  }));
}

/** A storm that never ends: every process dies and comes back in its turn. */
function* storm({ processes, oneIn }: Size): Generator<Event> {
  const kinds: EventKind[] = ["process_exited", "process_starting", "process_running"];
  for (let turn = 0;; turn++) {
    const index = Math.floor(turn / kinds.length) % processes;
    yield {
      kind: kinds[turn % kinds.length],
      origin: { server: "supervisor", eventname: "PROCESS_STATE" },
      process: { group: `group-${index % oneIn}`, name: `process-${index}` },
      fromState: "RUNNING",
      pid: turn,
      tries: 0,
      expected: false,
    } as Event;
  }
}

/** Microseconds for each event, in the middle and at the 99th percentile, in rounds. */
function measure(size: Size, rounds: number): { p50: number; p99: number }[] {
  const engine = new RuleEngine({ rules: rulesFor(size), idOf: (seed) => hashOf([seed]) });
  const events = storm(size);
  let nowMs = Date.UTC(2026, 10, 21);
  return Array.from({ length: rounds }, () => {
    const times: number[] = [];
    for (let count = 0; count < EVENTS; count++) {
      const event = events.next().value as Event;
      nowMs += 100;
      const before = performance.now();
      engine.step({ kind: "event", event, seed: String(nowMs) }, nowMs);
      engine.memory.changes();
      engine.memory.wasWritten();
      times.push((performance.now() - before) * 1000);
    }
    times.sort((left, right) => left - right);
    return { p50: times[EVENTS / 2]!, p99: times[Math.floor(EVENTS * 0.99)]! };
  });
}

function print(what: string, { p50, p99 }: { p50: number; p99: number }, ratio: number): void {
  console.log(
    `${what.padEnd(52)} ${p50.toFixed(1).padStart(7)} ${p99.toFixed(1).padStart(8)} ${
      ratio.toFixed(2).padStart(7)
    }`,
  );
}

function compare(title: string, sizes: readonly (readonly [string, Size])[]): void {
  console.log(`\n${title.padEnd(52)}  p50 us   p99 us   ratio`);
  let first = 0;
  for (const [what, size] of sizes) {
    const last = measure(size, 3).at(-1)!;
    first ||= last.p50;
    print(what, last, last.p50 / first);
  }
}

console.error(`${EVENTS} events in each round (about 20 s altogether)`);
compare(
  "more rules (1,000 processes, one rule in ten fits)",
  [10, 100, 1000].map((rules) =>
    [`${rules} rules`, { rules, processes: 1000, oneIn: 10 }] as const
  ),
);
compare(
  "more processes (100 rules, one in ten fits)",
  [10, 100, 1000, 10_000].map((processes) =>
    [`${processes} processes`, { rules: 100, processes, oneIn: 10 }] as const
  ),
);
compare("more rules that fit (1,000 processes)", [
  ["100 rules, 1 fits", { rules: 100, processes: 1000, oneIn: 100 }],
  ["100 rules, 10 fit", { rules: 100, processes: 1000, oneIn: 10 }],
  ["100 rules, all fit", { rules: 100, processes: 1000, oneIn: 1 }],
]);
console.log(`\n${"history (100 rules, 1,000 processes)".padEnd(52)}  p50 us   p99 us   ratio`);
const rounds = measure({ rules: 100, processes: 1000, oneIn: 10 }, 10);
for (const [index, round] of rounds.entries()) {
  print(`events ${index * EVENTS} to ${(index + 1) * EVENTS}`, round, round.p50 / rounds[0]!.p50);
}
