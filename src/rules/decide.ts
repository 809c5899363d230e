// What each rule makes of an event: a verdict and its reason, as data. Pure: no clock, no
// log, no network. The reasons are a closed list, shared by tests, logs and users.

import { type Event, groupOf, type ProcessName, processOf, textOf } from "../events/event.ts";
import { matchesGlob } from "./glob.ts";
import { conditionOf, type ConditionWord, type NamePatterns, type Rule } from "./rule.ts";

/** Why a rule decided as it did. */
export type Reason =
  | "matched"
  | "event-not-in-on"
  | "process-not-in-where"
  | "process-excluded"
  | "group-not-in-where"
  | "group-excluded"
  | "text-not-matched";

/** A rule's verdict on one event. `word` is the word of `on:` that came true. */
export type Decision =
  | {
    readonly rule: Rule;
    readonly verdict: "alert";
    readonly reason: "matched";
    readonly word: ConditionWord;
  }
  | { readonly rule: Rule; readonly verdict: "skip"; readonly reason: Exclude<Reason, "matched"> };

/** The decision of every rule, in the order of the rules. */
export function decide(rules: readonly Rule[], event: Event): Decision[] {
  return rules.map((rule) => decideRule(rule, event));
}

function decideRule(rule: Rule, event: Event): Decision {
  const word = rule.on.find((candidate) => conditionOf(candidate).holds(event));
  if (word === undefined) return { rule, verdict: "skip", reason: "event-not-in-on" };
  const reason = refusal(rule, event);
  return reason === undefined
    ? { rule, verdict: "alert", reason: "matched", word }
    : { rule, verdict: "skip", reason };
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

function matchProcess(patterns: NamePatterns, process: ProcessName) {
  return matchNames(
    patterns,
    (qualified) => qualified ? `${process.group}:${process.name}` : process.name,
  );
}

function matchNames(
  patterns: NamePatterns,
  nameFor: (qualified: boolean) => string,
): "fits" | "excluded" | "not-wanted" {
  const fits = ({ text, qualified }: NamePatterns["wanted"][number]) =>
    matchesGlob(text, nameFor(qualified));
  if (patterns.excluded.some(fits)) return "excluded";
  return patterns.wanted.length === 0 || patterns.wanted.some(fits) ? "fits" : "not-wanted";
}
