// The serials of our pool. supervisord counts the events for us and discards the oldest when too
// many wait, which it tells nobody; a jump in the count shows it. A lower number behind a jump
// is no mistake: an event that a listener refused is sent before those that wait.

/** From the first to the last, both inclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** What the serials so far say. */
export interface PoolSerials {
  /** Which comes next; undefined: any may, for nothing is known. */
  readonly next: number | undefined;
  /** Jumped over, and not come so far. */
  readonly missing: readonly Range[];
  /** Whether one has come since our start: within one life of ours they never begin anew. */
  readonly isRunning: boolean;
}

/** At our start, when this serial was the last one; undefined: nothing is known. */
export function serialsAfter(last: number | undefined): PoolSerials {
  return { next: last === undefined ? undefined : last + 1, missing: NONE, isRunning: false };
}

/** With one more serial. */
export function withSerial(serials: PoolSerials, serial: number): PoolSerials {
  const { next, missing, isRunning } = serials;
  const following = { next: serial + 1, missing, isRunning: true };
  if (next === undefined || serial === next) return following;
  if (serial > next) return { ...following, missing: [...missing, { from: next, to: serial - 1 }] };
  // supervisord makes a new pool only when it starts us anew as well (reload, update).
  if (!isRunning && serial < next - 1) {
    return { ...following, missing: serial === 0 ? NONE : [{ from: 0, to: serial - 1 }] };
  }
  // Sent once more, or before its turn; what was given up already may come as well.
  return { next, missing: without(missing, serial), isRunning: true };
}

/** How many were jumped over and have not come. */
export function countMissing({ missing }: PoolSerials): number {
  return missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

/** When those that are missing are given up. */
export function withoutMissing(serials: PoolSerials): PoolSerials {
  return { ...serials, missing: NONE };
}

const NONE: readonly Range[] = [];

function without(ranges: readonly Range[], serial: number): readonly Range[] {
  const at = ranges.findIndex(({ from, to }) => from <= serial && serial <= to);
  if (at < 0) return ranges;
  const { from, to } = ranges[at]!;
  const rest = [{ from, to: serial - 1 }, { from: serial + 1, to }].filter((range) =>
    range.from <= range.to
  );
  return ranges.toSpliced(at, 1, ...rest);
}
