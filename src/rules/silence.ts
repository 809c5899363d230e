// A silence holds what would be told about some processes until a time. It comes from a person
// at the command line, or from a deploy script as a text: `web:* 30m deploy v2`.

import { formatDuration, parseDuration } from "../config/duration.ts";
import type { ProcessName } from "../events/event.ts";
import { instantOf, localTime, parseClock } from "./local_time.ts";
import { matchProcess } from "./match.ts";
import { namePattern } from "./parse.ts";
import type { NamePattern } from "./rule.ts";

/** What is silent, for how long, and why. */
export interface Silence {
  readonly id: string;
  /** As in `where.process`, without `!`. */
  readonly patterns: readonly string[];
  readonly createdAtMs: number;
  readonly untilMs: number;
  readonly reason: string;
  /** Who: a login name, or "remote" for a deploy script. */
  readonly by: string;
}

/** The type of a remote communication that begins a silence, and of one that ends it. */
export const SILENCE_TYPE = "superbell.silence";
export const UNSILENCE_TYPE = "superbell.unsilence";

/** No silence lasts longer: one that is forgotten must not hide a failure for ever. */
export const LONGEST_SILENCE_MS = 30 * 24 * 60 * 60 * 1000;

/** A clock that is set back a little must not end a silence that has just begun. */
const CLOCK_SLACK_MS = 60_000;

/** Whether the silence is in force. Before its beginning it is not: the clock was set back. */
export function isInForce({ createdAtMs, untilMs }: Silence, nowMs: number): boolean {
  return nowMs < untilMs && nowMs >= createdAtMs - CLOCK_SLACK_MS;
}

/** Whether the silence is about this process, or this group, or about all there is. */
export function isAbout(
  silence: Silence,
  subject: { readonly process?: ProcessName | undefined; readonly group?: string | undefined },
): boolean {
  const wanted = silence.patterns.map(namePattern);
  if (subject.process !== undefined) {
    return matchProcess({ wanted, excluded: [] }, subject.process) === "fits";
  }
  return wanted.some((pattern) => isAboutGroup(pattern, subject.group));
}

/** `web:*` is about the group web as a whole, `*` about everything. */
function isAboutGroup({ text }: NamePattern, group: string | undefined): boolean {
  if (text === "*" || text === "*:*") return true;
  return group !== undefined && text.endsWith(":*") &&
    matchProcess({ wanted: [namePattern(text)], excluded: [] }, { group, name: "" }) === "fits";
}

/** What a person asks for; who and since when is added by who takes it. */
export interface SilenceRequest {
  readonly patterns: readonly string[];
  readonly untilMs: number;
  readonly reason: string;
}

/**
 * Reads `web:*,db:main 30m deploy v2`, `web:* until 18:00`, `* until 2026-11-21 18:00 move`.
 * Answers what is wrong where it is none.
 */
export function parseSilence(
  text: string,
  { nowMs, timeZone }: { readonly nowMs: number; readonly timeZone: string | undefined },
): SilenceRequest | { readonly why: string } {
  const expected = `expected "PATTERN 30m REASON" or "PATTERN until 18:00 REASON"`;
  const [first, ...rest] = text.trim().split(/\s+/);
  if (first === undefined || first === "") return { why: `${expected}, found nothing` };
  const patterns = first.split(",").filter((pattern) => pattern !== "");
  if (patterns.length === 0) return { why: NO_PATTERN };
  const wrong = patterns.map(wrongSilencePattern).find((why) => why !== undefined);
  if (wrong !== undefined) return { why: wrong };
  const end = parseSilenceEnd(rest, nowMs, timeZone);
  if ("why" in end) return { why: `${end.why}; ${expected}` };
  const { untilMs, words } = end;
  if (untilMs <= nowMs) return { why: "its end has passed already" };
  if (untilMs - nowMs > LONGEST_SILENCE_MS) {
    return { why: `a silence lasts at most ${formatDuration(LONGEST_SILENCE_MS)}` };
  }
  return { patterns, untilMs, reason: words.join(" ") };
}

const NO_PATTERN = "a silence needs a pattern like web:* or *";

/** What is wrong with a pattern of a silence, or undefined. */
export function wrongSilencePattern(pattern: string): string | undefined {
  if (pattern.trim() === "") return NO_PATTERN;
  if (pattern.startsWith("!")) return "a silence has no exclusions; name what shall be silent";
  if (/[：，＊！？]/.test(pattern)) {
    return `"${pattern}" holds full-width characters; write : * ?`;
  }
  return undefined;
}

/**
 * Reads `30m …`, `until 18:00 …` or `until 2026-11-21 18:00 …`; `words` are those behind it.
 * Answers what is wrong where it is none.
 */
export function parseSilenceEnd(
  words: readonly string[],
  nowMs: number,
  timeZone: string | undefined,
): { readonly untilMs: number; readonly words: readonly string[] } | { readonly why: string } {
  const [first = "", ...rest] = words;
  if (first !== "until") {
    const durationMs = parseDuration(first);
    if (durationMs === undefined) return { why: `"${first}" is no duration` };
    return { untilMs: nowMs + durationMs, words: rest };
  }
  const [date = "", time = ""] = rest;
  const dated = parseDate(date);
  const isOneWord = date.includes("T");
  const clock = parseClock(dated === undefined ? date : isOneWord ? date.split("T")[1]! : time);
  if (clock === undefined) {
    return { why: `"${rest.slice(0, 2).join(" ")}" is no time like 18:00 or 2026-11-21 18:00` };
  }
  const left = rest.slice(dated !== undefined && !isOneWord ? 2 : 1);
  if (dated !== undefined) {
    return { untilMs: instantOf({ ...dated, ...clock }, timeZone), words: left };
  }
  const { year, month, day } = localTime(nowMs, timeZone);
  const today = instantOf({ year, month, day, ...clock }, timeZone);
  // "until 02:00", said in the evening, is tomorrow's.
  const untilMs = today > nowMs
    ? today
    : instantOf({ year, month, day: day + 1, ...clock }, timeZone);
  return { untilMs, words: left };
}

function parseDate(text: string): { year: number; month: number; day: number } | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T\d\d:\d\d)?$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  // 31 November would be taken for 1 December.
  const isDay = new Date(Date.UTC(year, month - 1, day)).toISOString().startsWith(
    match[0].slice(0, 10),
  );
  return isDay ? { year, month, day } : undefined;
}

/** What the log says of a silence. */
export interface Note {
  readonly level: "info" | "warn";
  readonly text: string;
}

/** The silence that a deploy script asks for, if its text is one. */
export function openedSilence(
  text: string,
  { id, nowMs, timeZone }: {
    readonly id: string;
    readonly nowMs: number;
    readonly timeZone: string | undefined;
  },
): { readonly silence?: Silence; readonly note: Note } {
  const request = parseSilence(text, { nowMs, timeZone });
  if ("why" in request) {
    const text = `${SILENCE_TYPE}: no silence begun: ${request.why}`;
    return { note: { level: "warn", text } };
  }
  const silence: Silence = { id, ...request, createdAtMs: nowMs, by: "remote" };
  return { silence, note: { level: "info", text: describeSilence(silence) } };
}

/** The silences of this id, or of all of these patterns. */
export function endedSilences(
  silences: readonly Silence[],
  named: string,
): { readonly ids: readonly string[]; readonly note: Note } {
  const ids = silences.filter(({ id, patterns }) => id === named || patterns.join(",") === named)
    .map(({ id }) => id);
  if (ids.length > 0) {
    return { ids, note: { level: "info", text: `silence ${ids.join(", ")} of ${named} ended` } };
  }
  const found = silences.map(({ patterns }) => patterns.join(",")).join(" ") || "none";
  const text = `${UNSILENCE_TYPE}: no silence "${named}"; silences are: ${found}`;
  return { ids, note: { level: "warn", text } };
}

/** For the log. */
export function describeSilence({ id, patterns, untilMs, reason }: Silence): string {
  const why = reason === "" ? "" : `: ${reason}`;
  return `silence ${id} of ${patterns.join(",")} until ${new Date(untilMs).toISOString()}${why}`;
}
