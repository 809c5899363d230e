// Whether a name fits the patterns of the configuration.

import type { ProcessName } from "../events/event.ts";
import { matchesGlob } from "./glob.ts";

/** Names with wildcards: one of `wanted` (all, when empty) and none of `excluded`. */
export interface NamePatterns {
  readonly wanted: readonly NamePattern[];
  readonly excluded: readonly NamePattern[];
}

/** One pattern, as written: `*` stands for any characters, `?` for one. */
export interface NamePattern {
  readonly text: string;
  /** Whether the pattern holds a colon and so is about `group:name`, not the bare name. */
  readonly qualified: boolean;
}

/** How a name stands to patterns: an exclusion wins. */
export type Fit = "fits" | "excluded" | "not-wanted";

/** By `group:name` where a pattern has a colon, else by the bare name. */
export function matchProcess(patterns: NamePatterns, process: ProcessName): Fit {
  const full = `${process.group}:${process.name}`;
  return matchNames(patterns, (qualified) => qualified ? full : process.name);
}

/** `nameFor` answers the name for a pattern with a colon, and for one without. */
export function matchNames(
  patterns: NamePatterns,
  nameFor: (qualified: boolean) => string,
): Fit {
  const fits = ({ text, qualified }: NamePatterns["wanted"][number]) =>
    matchesGlob(text, nameFor(qualified));
  if (patterns.excluded.some(fits)) return "excluded";
  return patterns.wanted.length === 0 || patterns.wanted.some(fits) ? "fits" : "not-wanted";
}
