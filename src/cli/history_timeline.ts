// A picture of the incidents for the terminal: a line for each process, from the beginning of the
// time that was asked for until now.

import { formatTime } from "../alerts/compose.ts";
import { truncateChars } from "../alerts/truncate.ts";
import { formatRoughly } from "../config/duration.ts";
import { displayName } from "../events/event.ts";
import { processesOf, type StoredIncident } from "../outbox/stored_incidents.ts";
import { oneLine, widthOf } from "./table.ts";
import type { Here } from "./when.ts";

/** How a moment looks: nothing wrong, an incident that was not told, told, and told as worse. */
export type Glyphs = readonly [string, string, string, string];

export const BLOCKS: Glyphs = ["░", "▒", "▓", "█"];
export const ASCII: Glyphs = [".", "-", "=", "#"];

/** Blocks where the terminal's locale knows them. */
export function glyphsFor(env: (name: string) => string | undefined): Glyphs {
  const locale = env("LC_ALL") || env("LC_CTYPE") || env("LANG") || "";
  return /utf-?8/i.test(locale) ? BLOCKS : ASCII;
}

/** How to draw. */
export interface TimelineOptions extends Here {
  readonly sinceMs: number;
  /** Columns of the whole line. */
  readonly width: number;
  readonly glyphs: Glyphs;
  /** Nothing is known of the time before, but the incidents that are given. @default all of it is */
  readonly knownSinceMs?: number | undefined;
}

const UNKNOWN = " ";
const MOST_ROWS = 40;
const MAX_NAME_CHARS = 30;
const LEAST_CELLS = 10;

/** A part of a process's line. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly level: 1 | 2 | 3;
}

/** The picture with its legend; no lines when there is nothing to show. */
export function drawTimeline(
  incidents: readonly StoredIncident[],
  { nowMs, timeZone, sinceMs, width, glyphs, knownSinceMs = sinceMs }: TimelineOptions,
): string[] {
  const spansByName = new Map<string, Span[]>();
  for (const one of incidents) {
    for (const process of processesOf(one)) {
      const name = truncateChars(oneLine(displayName(process)), MAX_NAME_CHARS);
      const spans = spansByName.get(name) ?? [];
      spans.push(...spansOf(one, nowMs));
      spansByName.set(name, spans);
    }
  }
  if (spansByName.size === 0) return [];
  const collator = new Intl.Collator("en", { numeric: true });
  const names = [...spansByName.keys()].sort(collator.compare);
  const shown = names.slice(0, MOST_ROWS);
  const nameWidth = Math.max(...shown.map(widthOf));
  const cells = Math.max(LEAST_CELLS, width - nameWidth - 2);
  const stepMs = Math.max(1, (nowMs - sinceMs) / cells);
  const lines = shown.map((name) => {
    const spans = spansByName.get(name)!;
    const drawn = Array.from({ length: cells }, (_, cell) => {
      const fromMs = sinceMs + cell * stepMs;
      const isLast = cell === cells - 1;
      const toMs = isLast ? nowMs + 1 : fromMs + stepMs;
      const level = levelIn(spans, fromMs, toMs);
      return level === 0 && toMs <= knownSinceMs ? UNKNOWN : glyphs[level]!;
    });
    return name + " ".repeat(nameWidth - widthOf(name) + 2) + drawn.join("");
  });
  const more = names.length - shown.length;
  return [
    " ".repeat(nameWidth + 2) + axis(sinceMs, { nowMs, timeZone, cells }),
    ...lines,
    ...(more > 0 ? [`… and ${more} more processes; --process shows fewer`] : []),
    ...(sinceMs + stepMs <= knownSinceMs
      ? [`blank: not known, before ${formatTime(knownSinceMs, timeZone)}`]
      : []),
    `${glyphs[0]} nothing  ${glyphs[1]} broken, not told  ${glyphs[2]} broken, told  ` +
    `${glyphs[3]} told that it gave up or flaps  (one character is ${formatRoughly(stepMs)})`,
  ];
}

function spansOf({ incident, closed }: StoredIncident, nowMs: number): Span[] {
  const toMs = closed?.atMs ?? Math.max(nowMs, incident.startedAtMs) + 1;
  const toldMs = incident.told?.atMs ?? Infinity;
  const worseMs = incident.rank > 1 ? Math.max(toldMs, incident.eventAtMs) : Infinity;
  const spans: Span[] = [
    { fromMs: incident.startedAtMs, toMs: Math.min(toMs, toldMs), level: 1 },
    { fromMs: toldMs, toMs: Math.min(toMs, worseMs), level: 2 },
    { fromMs: worseMs, toMs, level: 3 },
  ];
  // What was told at once was never untold, not even for a character's width.
  return spans.filter((span) => span.fromMs < span.toMs);
}

/** The worst that touches the time. */
function levelIn(spans: readonly Span[], fromMs: number, toMs: number): 0 | 1 | 2 | 3 {
  let level: 0 | 1 | 2 | 3 = 0;
  for (const span of spans) {
    if (span.fromMs < toMs && span.toMs > fromMs && span.level > level) level = span.level;
  }
  return level;
}

/** Both ends of the time, where there is room for them. */
function axis(
  sinceMs: number,
  { nowMs, timeZone, cells }: Here & { readonly cells: number },
): string {
  const end = "now";
  for (const start of [formatTime(sinceMs, timeZone), `${formatRoughly(nowMs - sinceMs)} ago`]) {
    const room = cells - start.length - end.length;
    if (room > 0) return start + " ".repeat(room) + end;
  }
  return end.padStart(cells);
}
