// Times as people type them: a duration, a time of day, a date, an ISO 8601 time. Those without a
// zone are in the configuration's.

import { parseDuration } from "../config/duration.ts";
import { instantOf } from "../rules/local_time.ts";
import { parseSilenceEnd } from "../rules/silence.ts";
import { UsageError } from "./command.ts";

/** Now, and whose clocks a time is of. */
export interface Here {
  readonly nowMs: number;
  /** An IANA name; undefined: the host's own. */
  readonly timeZone: string | undefined;
}

const KINDS = "18:00, 2026-11-21, 2026-11-21 18:00 or 2026-11-21T18:00:00+08:00";

/** The instant of `--until 18:00`: a time of day that has passed today is tomorrow's. */
export function parseUntil(option: string, text: string, here: Here): number {
  const absolute = parseAbsolute(text, here);
  if (absolute !== undefined) return absolute;
  const words = text.trim().split(/\s+/);
  const end = parseSilenceEnd(["until", ...words], here.nowMs, here.timeZone);
  const date = /^\d{4}-\d\d-\d\d/.exec(words[0]!)?.[0];
  const isOfNoDay = date !== undefined && !isReal(date);
  if (isOfNoDay || "why" in end || end.words.length > 0) {
    throw new UsageError(`--${option} takes a time like ${KINDS}, found "${text}"`);
  }
  return end.untilMs;
}

/** The instant of `--since 2h`, or of a date or a time; a time of day is the last one. */
export function parseSince(option: string, text: string, here: Here): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return here.nowMs - durationMs;
  try {
    const atMs = parseUntil(option, text, here);
    // 18:00, said in the morning, is yesterday's.
    return atMs > here.nowMs && /^\d\d?:\d\d$/.test(text) ? atMs - 24 * 60 * 60 * 1000 : atMs;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`--${option} takes 2h, 1d, or a time like ${KINDS}, found "${text}"`);
  }
}

/** A time with its own zone, or a date, which is its first moment. */
function parseAbsolute(text: string, { timeZone }: Here): number | undefined {
  if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    const atMs = Date.parse(text.replace(" ", "T").replace(" ", ""));
    return Number.isNaN(atMs) ? undefined : atMs;
  }
  const [, year, month, day, hour = 0, minute = 0, second = 0] =
    /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text) ?? [];
  if (year === undefined || !isReal(`${year}-${month}-${day}`)) return undefined;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 24 || m > 59 || s > 59) return undefined;
  const date = { year: Number(year), month: Number(month), day: Number(day) };
  return instantOf({ ...date, hour: h, minute: m }, timeZone) + s * 1000;
}

/** 2026-02-30 is none. */
function isReal(date: string): boolean {
  const atMs = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(date);
}
