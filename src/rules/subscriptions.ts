// Which events supervisord must send: for the roster, for silences, and for the rules.

import { conditionOf, type Rule } from "./rule.ts";

/**
 * For the roster: who knows how each process stood sees what was missed, and at its shutdown
 * supervisord stops everything. A word for several types has all of them, in every version.
 */
const ROSTER = ["PROCESS_STATE", "SUPERVISOR_STATE_CHANGE"];

/** By this a deploy script opens and ends silences. */
const SILENCES = "REMOTE_COMMUNICATION";

/** Our sign of life: a listener that gets no tick for several minutes is deaf. */
const SIGN_OF_LIFE = "TICK_60";

/** The words for `events=`, each once: what the roster, silences and the rules need, and TICK_60. */
export function subscriptionsFor(rules: readonly Rule[]): string[] {
  const needed = rules.flatMap(({ on }) => on).map((word) => conditionOf(word).subscription)
    .filter((event) => event !== undefined)
    .filter((event) => !ROSTER.some((parent) => event.startsWith(`${parent}_`)));
  return [...new Set([...ROSTER, SILENCES, ...needed, SIGN_OF_LIFE])];
}
