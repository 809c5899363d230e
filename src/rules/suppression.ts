// Which open incidents hold back the rules that depend on them (`suppressed_by`). Looking through
// all incidents for each event would cost more the worse things are, so it is kept up to date.

import type { ProcessName } from "../events/event.ts";
import { matchProcess } from "./match.ts";
import type { NamePatterns } from "./rule.ts";

/** For each rule with `suppressed_by` the ids of the incidents that hold it. */
export class Suppression {
  readonly #patterns: ReadonlyMap<string, NamePatterns>;
  readonly #holders = new Map<string, Set<string>>();

  /** `patterns` by the name of the rule. */
  constructor(patterns: ReadonlyMap<string, NamePatterns>) {
    this.#patterns = patterns;
    for (const rule of patterns.keys()) this.#holders.set(rule, new Set());
  }

  /** A process has come into an incident. */
  add(incident: string, process: ProcessName): void {
    for (const [rule, patterns] of this.#patterns) {
      if (matchProcess(patterns, process) === "fits") this.#holders.get(rule)!.add(incident);
    }
  }

  /** The incident is over; answers the rules that it may have held. */
  remove(incident: string): string[] {
    if (this.#holders.size === 0) return [];
    return [...this.#holders].filter(([, holders]) => holders.delete(incident))
      .map(([rule]) => rule);
  }

  /** The ids of the incidents that may hold the rule. */
  holdersOf(rule: string): Iterable<string> {
    return this.#holders.get(rule) ?? [];
  }

  /** Whether the rule names the process itself: what others wait for waits for nobody. */
  isNamed(rule: string, process: ProcessName): boolean {
    const patterns = this.#patterns.get(rule);
    return patterns !== undefined && matchProcess(patterns, process) === "fits";
  }
}
