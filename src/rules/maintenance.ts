// Maintenance windows: times of the week in which nothing is told about some processes. They
// stand in the configuration, so they come again for ever, also across midnight and summer time.

import type { ConfigNode } from "../config/node.ts";
import type { ProcessName } from "../events/event.ts";
import { instantOf, localTime, parseClock, weekdayOf } from "./local_time.ts";
import { matchNames, matchProcess } from "./match.ts";
import type { NamePatterns } from "./rule.ts";

/** The days as written, in the order of JavaScript's numbers. */
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** One window. */
export interface MaintenanceWindow {
  /** On which days it begins; 0 is Sunday. */
  readonly days: readonly number[];
  /** Minutes of the day. An end that is not behind the beginning is one of the next day. */
  readonly fromMinute: number;
  readonly toMinute: number;
  /** An IANA name; undefined: the host's own. */
  readonly timeZone: string | undefined;
  /** Absent: everything. */
  readonly where: { readonly process?: NamePatterns; readonly group?: NamePatterns };
}

/** When the window that is open at the instant ends; undefined when it is not open. */
export function openUntilMs(window: MaintenanceWindow, atMs: number): number | undefined {
  const { days, fromMinute, toMinute, timeZone } = window;
  const now = localTime(atMs, timeZone);
  const spanDays = toMinute <= fromMinute ? 1 : 0;
  for (const daysAgo of spanDays === 1 ? [0, 1] : [0]) {
    const begin = { ...now, day: now.day - daysAgo, hour: 0 };
    if (!days.includes(weekdayOf(begin))) continue;
    const fromMs = instantOf({ ...begin, minute: fromMinute }, timeZone);
    const untilMs = instantOf({ ...begin, day: begin.day + spanDays, minute: toMinute }, timeZone);
    if (atMs >= fromMs && atMs < untilMs) return untilMs;
  }
  return undefined;
}

/** Whether the window is about this process, this group, or about all there is. */
export function isWindowAbout(
  { where }: MaintenanceWindow,
  subject: { readonly process?: ProcessName | undefined; readonly group?: string | undefined },
): boolean {
  const { process } = subject;
  const group = process?.group ?? subject.group;
  if (
    where.process !== undefined &&
    (process === undefined || matchProcess(where.process, process) !== "fits")
  ) return false;
  return where.group === undefined ||
    (group !== undefined && matchNames(where.group, () => group) === "fits");
}

/** What a window looks like, for who has written something else. */
const WINDOW_EXAMPLE = '{ from: "22:00", to: "06:00" }';

/** What the reader needs of the configuration around it. */
export interface MaintenanceContext {
  /** Of the top level. */
  readonly timeZone: string | undefined;
  readonly parseTimeZone: (node: ConfigNode) => string | undefined;
  readonly patterns: (node: ConfigNode) => NamePatterns;
}

/** The windows, in the order of the file. */
export function parseMaintenance(
  node: ConfigNode | undefined,
  context: MaintenanceContext,
): MaintenanceWindow[] {
  return node?.listOfSections((item) => parseWindow(item, context), WINDOW_EXAMPLE) ?? [];
}

function parseWindow(node: ConfigNode, context: MaintenanceContext): MaintenanceWindow {
  const section = node.section(WINDOW_EXAMPLE);
  const days = section.optional("days")?.list((item) => DAYS.indexOf(item.oneOf(DAYS)));
  const fromMinute = parseMinute(section.required("from"));
  const toNode = section.required("to");
  const toMinute = parseMinute(toNode);
  const zone = section.optional("time_zone");
  const whereNode = section.optional("where");
  const where = whereNode?.section('{ process: ["batch:*"] }');
  const [process, group] = [where?.optional("process"), where?.optional("group")];
  where?.end();
  if (where !== undefined && process === undefined && group === undefined) {
    whereNode?.problem("expected process or group; without where the window is about everything");
  }
  section.end();
  if (fromMinute === toMinute && toNode.value !== undefined) {
    toNode.problem(`is the same as from; write "00:00" and "24:00" for a whole day`);
  }
  return {
    days: days ?? [0, 1, 2, 3, 4, 5, 6],
    fromMinute,
    toMinute,
    timeZone: zone === undefined ? context.timeZone : context.parseTimeZone(zone),
    where: {
      ...(process && { process: context.patterns(process) }),
      ...(group && { group: context.patterns(group) }),
    },
  };
}

function parseMinute(node: ConfigNode): number {
  if (node.value === undefined) return 0; // required() has spoken
  if (typeof node.value === "number") {
    // YAML reads 22:00 without quotes as a number of minutes.
    node.problem(`expected a time like "22:00"; put it in quotes`);
    return 0;
  }
  const text = node.stringThat((text) =>
    parseClock(text) === undefined ? `"${text}" is no time of day like "22:00"` : undefined
  );
  const { hour = 0, minute = 0 } = parseClock(text) ?? {};
  return hour * 60 + minute;
}
