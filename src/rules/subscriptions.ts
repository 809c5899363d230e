// Which events supervisord must send for the rules to come true.

import { conditionOf, type Rule } from "./rule.ts";

/** Our sign of life: a listener that gets no tick for several minutes is deaf. */
const SIGN_OF_LIFE = "TICK_60";

/** The words for `events=`, each once: what the rules need, and TICK_60. */
export function subscriptionsFor(rules: readonly Rule[]): string[] {
  const needed = rules.flatMap((rule) => rule.on.map((word) => conditionOf(word).subscription));
  return [...new Set([...needed, SIGN_OF_LIFE])];
}
