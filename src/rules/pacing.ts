// How often a rule tells of the same thing, what it takes for one, and how it ends. Everything
// here has a default, so that a rule of three lines does what most people want.

import type { FlappingOptions } from "./flapping.ts";
import type { NamePatterns } from "./match.ts";

/** What one incident is about: all that has the same key under one rule. */
export const GROUPINGS = ["process", "group", "host", "rule"] as const;
export type Grouping = typeof GROUPINGS[number];

/** How much it matters. */
export const SEVERITIES = ["info", "warning", "critical"] as const;
export type Severity = typeof SEVERITIES[number];

/** The pace of a rule. Times are milliseconds. */
export interface Pacing {
  readonly severity: Severity;
  /** Rules below are not asked when this one fits. */
  readonly stop: boolean;
  readonly groupBy: Grouping;
  /** How long the first message waits for more to come in. */
  readonly groupWaitMs: number;
  /** Told only from the count-th time within that long. */
  readonly after?: { readonly count: number; readonly withinMs: number };
  /** The same is told as firing once in that time; 0: every time. */
  readonly quietMs: number;
  /** Between two reminders, doubled each time; 0: none. */
  readonly remindEveryMs: number;
  /** How long everything must be well before an incident is over. */
  readonly resolveAfterMs: number;
  /** Whether it is told that it is over. */
  readonly tellsResolved: boolean;
  readonly flapping: FlappingOptions;
  readonly suppressedBy?: NamePatterns;
  readonly escalate?: { readonly afterMs: number; readonly to: readonly string[] };
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Reminders never come at longer intervals, unless configured so. */
export const LONGEST_REMINDER_MS = DAY_MS;

/** Nor is it ever longer between two messages about processes that come into an incident. */
export const LONGEST_JOIN_MS = 30 * MINUTE_MS;

export const DEFAULT_PACING: Pacing = {
  severity: "warning",
  stop: false,
  groupBy: "process",
  groupWaitMs: 0,
  quietMs: 0,
  remindEveryMs: 4 * HOUR_MS,
  resolveAfterMs: 30 * SECOND_MS,
  tellsResolved: true,
  flapping: { exits: 5, withinMs: 10 * MINUTE_MS, stableAfterMs: 10 * MINUTE_MS },
};
