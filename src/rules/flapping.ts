// Whether a process flaps: it ended so often within a time, or so often in a row after a short
// run. supervisord itself never says so: a process that lives a little longer than startsecs is
// started again for ever.

/** When a process counts as flapping, and when no more. */
export interface FlappingOptions {
  /** So many ends, failed starts included. */
  readonly exits: number;
  readonly withinMs: number;
  /** A run shorter than this is a short one; `exits` of them in a row are flapping too. */
  readonly shortRunMs?: number;
  /** It must run for so long to be stable again. */
  readonly stableAfterMs: number;
}

/** What is remembered of a process's ends: never more than `exits` of them. */
export interface Ends {
  /** When the last ones were, the latest last. */
  readonly atMs: readonly number[];
  /** Short runs in a row. */
  readonly shortRuns: number;
}

export const NO_ENDS: Ends = { atMs: [], shortRuns: 0 };

/** The memory with one end more. `ranMs` is how long it ran; undefined: it is not known. */
export function withEnd(
  ends: Ends,
  options: FlappingOptions,
  { nowMs, ranMs }: { readonly nowMs: number; readonly ranMs: number | undefined },
): Ends {
  const { exits, shortRunMs = 0 } = options;
  const short = ranMs !== undefined && ranMs < shortRunMs;
  return {
    atMs: lastOf(ends.atMs, nowMs, exits),
    shortRuns: short ? Math.min(ends.shortRuns + 1, exits) : 0,
  };
}

/** Whether the ends, the last of which has just come, are flapping. */
export function isFlapping({ atMs, shortRuns }: Ends, options: FlappingOptions): boolean {
  return shortRuns >= options.exits || isFull(atMs, options.exits, options.withinMs);
}

/** The times with one more, at most `most` of them. */
export function lastOf(times: readonly number[], nowMs: number, most: number): readonly number[] {
  return times.length < most ? [...times, nowMs] : [...times.slice(times.length - most + 1), nowMs];
}

/** Whether there are so many times, all within that long before the last one. */
export function isFull(times: readonly number[], count: number, withinMs: number): boolean {
  if (times.length < count) return false;
  return times[times.length - 1]! - times[times.length - count]! <= withinMs;
}
