// What the time of a line of supervisord's log means. It has no zone (loggers.py: time.localtime):
// it is the host's, and so is ours. When clocks are put back an hour comes twice, and only what
// else is known says which of the two is meant.

/** `2026-11-21 10:00:00,000`; syslog's own times are other ones, and are not in a log file. */
const TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[,.](\d{3}))?/;

/** Clocks are put back by so much, in minutes: half an hour on Lord Howe Island. */
const PUT_BACK_MIN = [120, 60, 30, 0];

/** All that the time may mean, in milliseconds since 1970 UTC, the later first; [] if none. */
export function readingsOf(time: string): number[] {
  const [, day, clock, ms = "000"] = TIME.exec(time) ?? [];
  if (day === undefined) return [];
  const atMs = new Date(`${day}T${clock}.${ms}`).getTime(); // of two the earlier one
  if (Number.isNaN(atMs)) return [];
  const face = clockFace(atMs);
  return PUT_BACK_MIN.map((minutes) => atMs + minutes * 60_000)
    .filter((reading) => clockFace(reading) === face);
}

/** What a clock on the wall shows then. */
function clockFace(atMs: number): string {
  const date = new Date(atMs);
  return [date.getDate(), date.getHours(), date.getMinutes()].join(" ");
}
