// A rule as the engine works with it: its name, its channels, and every default filled in.

import { HOST_RULE, type HostIncident } from "./host_incident.ts";
import { rankOf } from "./incident.ts";
import { DEFAULT_PACING, type Pacing } from "./pacing.ts";
import { isFailure, type Rule } from "./rule.ts";

/** A rule and all its defaults. */
export interface Plan {
  readonly name: string;
  readonly to: readonly string[];
  readonly pacing: Pacing;
  /** Whether `after` counts what nothing else holds back. */
  readonly onlyWorst: boolean;
  readonly watchesFlapping: boolean;
}

/** The plan of a rule. */
export function planOf({ name, on, to, pacing = DEFAULT_PACING }: Rule): Plan {
  const failures = on.filter(isFailure);
  return {
    name,
    to,
    pacing,
    onlyWorst: failures.every((word) => rankOf(word) === 3),
    watchesFlapping: on.includes("flapping"),
  };
}

/** The plan of the incident of the whole host, which is like a rule's. */
export function hostPlan({ to, withinMs, pacing: own }: HostIncident): Plan {
  // What fails within that time is one disaster, later too.
  const pacing = { ...own, groupWaitMs: withinMs };
  return { name: HOST_RULE, to, pacing, onlyWorst: false, watchesFlapping: false };
}
