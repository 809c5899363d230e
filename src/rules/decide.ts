// Whether a rule fits an event, and if not why: by the event alone. rule_index.ts keeps the answers
// for the many events of a configuration; what a rule makes of them over time says finder.ts.

import { type Event, groupOf, type ProcessName, processOf, textOf } from "../events/event.ts";
import { matchNames, matchProcess } from "./match.ts";
import { conditionOf, type ConditionWord, type Rule } from "./rule.ts";

/** Why a rule fits or not. */
type Reason =
  | "matched"
  | "event-not-in-on"
  | "process-not-in-where"
  | "process-excluded"
  | "group-not-in-where"
  | "group-excluded"
  | "text-not-matched"
  | WithholdReason;

/** Why nothing is told about an event, whatever a rule says. */
export type WithholdReason =
  /** supervisord shuts down and stops everything; that is one message and not one for each. */
  | "supervisord-stopping"
  /** superbell had found it out by itself, and told it, before the event came. */
  | "found-before";

/** How a rule stands to one event. `word` is the word of `on:` that came true. */
export type Match =
  | {
    readonly rule: Rule;
    readonly verdict: "alert";
    readonly reason: "matched";
    readonly word: ConditionWord;
  }
  | { readonly rule: Rule; readonly verdict: "skip"; readonly reason: Exclude<Reason, "matched"> };

/** How every rule stands to the event, in the order of the rules. */
export function decide(
  rules: readonly Rule[],
  event: Event,
  withhold?: WithholdReason | undefined,
): Match[] {
  return rules.map((rule) => decideRule(rule, event, withhold));
}

function decideRule(rule: Rule, event: Event, withhold: WithholdReason | undefined): Match {
  const word = wordFor(rule, event);
  if (word === undefined) return { rule, verdict: "skip", reason: "event-not-in-on" };
  const reason = nameRefusal(rule, processOf(event), groupOf(event)) ??
    textRefusal(rule, textOf(event)) ?? withhold;
  return reason === undefined
    ? { rule, verdict: "alert", reason: "matched", word }
    : { rule, verdict: "skip", reason };
}

/** The first word that is true. That an end may be flapping says least, so it comes last. */
export function wordFor({ on }: Rule, event: Event): ConditionWord | undefined {
  const holds = (word: ConditionWord) => conditionOf(word).holds(event);
  return on.find((word) => word !== "flapping" && holds(word)) ??
    (on.includes("flapping") && holds("flapping") ? "flapping" : undefined);
}

/** Why the rule is not about the process or the group; undefined: it is, as far as names say. */
export function nameRefusal(
  { where }: Rule,
  process: ProcessName | undefined,
  group: string | undefined,
):
  | Exclude<Reason, "matched" | "event-not-in-on" | "text-not-matched" | WithholdReason>
  | undefined {
  if (where.process !== undefined && process !== undefined) {
    const fit = matchProcess(where.process, process);
    if (fit !== "fits") return fit === "excluded" ? "process-excluded" : "process-not-in-where";
  }
  if (where.group !== undefined && group !== undefined) {
    const fit = matchNames(where.group, () => group);
    if (fit !== "fits") return fit === "excluded" ? "group-excluded" : "group-not-in-where";
  }
  return undefined;
}

/** Why the rule is not about the text that an event carries; undefined: it is, or there is none. */
export function textRefusal(
  { where }: Rule,
  text: string | undefined,
): "text-not-matched" | undefined {
  return where.text === undefined || text === undefined || where.text.test(text)
    ? undefined
    : "text-not-matched";
}
