// Between instants and what the clocks on the wall show, in a time zone.

/** What the clocks show; months and days begin at 1. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** The clocks' time at the instant; `timeZone` is an IANA name, undefined the host's own. */
export function localTime(atMs: number, timeZone: string | undefined): LocalTime {
  const shown = new Date(atMs + offsetMs(atMs, timeZone));
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
  };
}

/** 0 is Sunday. */
export function weekdayOf({ year, month, day }: LocalTime): number {
  return new Date(Date.UTC(year, month - 1, day)).getUTCDay();
}

/**
 * The instant at which the clocks show this. A day or an hour beyond the month or the day counts
 * on; of an hour that summer time skips it is the one after, of one that comes twice the first.
 */
export function instantOf(time: LocalTime, timeZone: string | undefined): number {
  const { year, month, day, hour, minute } = time;
  const shownMs = Date.UTC(year, month - 1, day, hour, minute);
  // The offsets of the days around are all that there can be.
  const offsets = [shownMs - DAY_MS, shownMs + DAY_MS].map((atMs) => offsetMs(atMs, timeZone));
  const found = offsets.map((offset) => shownMs - offset)
    .filter((atMs) => atMs + offsetMs(atMs, timeZone) === shownMs);
  return found.length > 0 ? Math.min(...found) : shownMs - offsets[0]!;
}

/** Hours and minutes of `18:00`; undefined when it is no time of day. `24:00` is the day's end. */
export function parseClock(text: string): { hour: number; minute: number } | undefined {
  const match = /^(\d\d?):(\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [hour, minute] = [Number(match[1]), Number(match[2])];
  return minute < 60 && (hour < 24 || (hour === 24 && minute === 0)) ? { hour, minute } : undefined;
}

/** How far the clocks are ahead of UTC, to the minute. */
function offsetMs(atMs: number, timeZone: string | undefined): number {
  const parts = formatOf(timeZone).formatToParts(atMs);
  const part = (type: string) => Number(parts.find((found) => found.type === type)?.value);
  const shownMs = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
  );
  return shownMs - Math.floor(atMs / 60_000) * 60_000;
}

/** Making one costs more than a thousand uses. */
function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const found = formats.get(timeZone ?? "");
  if (found !== undefined) return found;
  const format = new Intl.DateTimeFormat("en-CA", {
    ...(timeZone !== undefined && { timeZone }),
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  formats.set(timeZone ?? "", format);
  return format;
}
