// Whether each rule fits an event, and if not why: by the event alone. What follows over time is
// decided in engine.ts.

import { type Event, groupOf, processOf, textOf } from "../events/event.ts";
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
  const reason = refusal(rule, event) ?? withhold;
  return reason === undefined
    ? { rule, verdict: "alert", reason: "matched", word }
    : { rule, verdict: "skip", reason };
}

/** The first word that is true. That an end may be flapping says least, so it comes last. */
function wordFor({ on }: Rule, event: Event): ConditionWord | undefined {
  const holds = (word: ConditionWord) => conditionOf(word).holds(event);
  return on.find((word) => word !== "flapping" && holds(word)) ??
    (on.includes("flapping") && holds("flapping") ? "flapping" : undefined);
}

function refusal(rule: Rule, event: Event): Exclude<Reason, "matched"> | undefined {
  const process = processOf(event);
  if (rule.where.process !== undefined && process !== undefined) {
    const fit = matchProcess(rule.where.process, process);
    if (fit !== "fits") return fit === "excluded" ? "process-excluded" : "process-not-in-where";
  }
  const group = groupOf(event);
  if (rule.where.group !== undefined && group !== undefined) {
    const fit = matchNames(rule.where.group, () => group);
    if (fit !== "fits") return fit === "excluded" ? "group-excluded" : "group-not-in-where";
  }
  const text = textOf(event);
  if (rule.where.text !== undefined && text !== undefined && !rule.where.text.test(text)) {
    return "text-not-matched";
  }
  return undefined;
}
