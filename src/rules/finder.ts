// What each rule makes of an event: nothing, a notice that is told at once or held, or a failure,
// which belongs into an incident. Counts the ends of a process on the way, for flapping.

import { type Event, groupOf, processOf } from "../events/event.ts";
import { isFlapping, lastOf, withEnd } from "./flapping.ts";
import type { Holds } from "./holds.ts";
import { groupingKey, isEnd, processKey } from "./incident.ts";
import type { Plan } from "./plan.ts";
import { type ConditionWord, isFailure, type Rule } from "./rule.ts";
import { RuleIndex } from "./rule_index.ts";
import type { RuleMemory } from "./rule_memory.ts";
import type { Decision, Draft, EventInput, Verdict } from "./step.ts";

/** A failure that a rule found in an event. */
export interface Found {
  readonly verdict: "failure";
  readonly plan: Plan;
  readonly word: ConditionWord;
}

/** What a rule makes of an event. */
export type Finding = Decision | Found;

/** What the finder works with. */
export interface FinderOptions {
  readonly rules: readonly Rule[];
  readonly plans: ReadonlyMap<string, Plan>;
  readonly memory: RuleMemory;
  readonly holds: Holds;
}

/** The rules, asked about one event after the other. */
export class Finder {
  readonly #index: RuleIndex;
  /** In the order of the rules. */
  readonly #plans: readonly Plan[];
  readonly #memory: RuleMemory;
  readonly #holds: Holds;

  constructor({ rules, plans, memory, holds }: FinderOptions) {
    this.#index = new RuleIndex(rules);
    this.#plans = rules.map(({ name }) => plans.get(name)!);
    this.#memory = memory;
    this.#holds = holds;
  }

  /** In the order of the rules a decision, or that the rule found a failure. */
  find(input: EventInput, nowMs: number, draft: Draft): Finding[] {
    const { event, withhold } = input;
    const process = processOf(event);
    const key = process && processKey(process);
    let stopped = false;
    return this.#index.answers(event, { process: key, withhold }).map((answer, index): Finding => {
      if (typeof answer !== "string") return answer;
      const plan = this.#plans[index]!;
      const rule = plan.name;
      if (stopped) return { rule, verdict: "skip", reason: "stopped-by-rule" };
      const flaps = plan.watchesFlapping && key !== undefined && isEnd(event) &&
        this.#noteEnd(plan, key, input, nowMs);
      const word = flaps ? "flapping" : answer;
      if (word === "flapping" && !flaps) return { rule, verdict: "skip", reason: "not-flapping" };
      stopped = plan.pacing.stop;
      // An end that was expected is news and no trouble.
      const isFine = event.kind === "process_exited" && event.expected && !flaps;
      if (isFailure(word) && !isFine) return { verdict: "failure", plan, word };
      return { rule, ...this.#notice(plan, word, event, nowMs, draft) };
    });
  }

  /** Counts an end for a rule that watches for flapping; answers whether the process flaps. */
  #noteEnd(plan: Plan, process: string, { event, ranMs }: EventInput, nowMs: number): boolean {
    const { flapping, groupBy } = plan.pacing;
    const tally = this.#memory.tally(plan.name, process);
    const ends = withEnd(tally.ends, flapping, { nowMs, ranMs });
    this.#memory.putTally({ ...tally, ends });
    if (isFlapping(ends, flapping)) return true;
    const key = groupBy === "process" ? process : groupingKey(groupBy, { group: groupOf(event) });
    const incident = this.#memory.incident(plan.name, key);
    return incident !== undefined &&
      this.#memory.membersOf(incident).get(process)?.flapping === true;
  }

  /** Tells what is over at once, unless it is held. */
  #notice(plan: Plan, word: ConditionWord, event: Event, nowMs: number, draft: Draft): Verdict {
    const { name: rule, to, pacing: { groupBy, severity, after, quietMs } } = plan;
    const subject = { process: processOf(event), group: groupOf(event) };
    const before = this.#memory.tally(rule, groupingKey(groupBy, subject));
    const tally = after === undefined
      ? before
      : { ...before, recentMs: lastOf(before.recentMs, nowMs, after.count) };
    const hold = this.#holds.ofNotice(plan, { word, subject, tally, nowMs });
    if (hold !== undefined) {
      if (tally !== before) this.#memory.putTally(tally);
      return { verdict: "hold", reason: hold.reason };
    }
    if (tally !== before || quietMs > 0) this.#memory.putTally({ ...tally, toldAtMs: nowMs });
    draft.tellings.push({ rule, to, severity, word, event, eventAtMs: nowMs });
    return { verdict: "alert", reason: "matched" };
  }
}
