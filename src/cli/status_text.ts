// The report of `superbell status` on one screen: what is wrong first and in full, the rest by
// numbers, and at the end what to do.

import { formatTime, shellWord } from "../alerts/compose.ts";
import { foldNames } from "../alerts/fold.ts";
import { truncateChars } from "../alerts/truncate.ts";
import { formatRoughly } from "../config/duration.ts";
import { displayName } from "../events/event.ts";
import type { StoredIncident } from "../outbox/stored_incidents.ts";
import { acknowledgedText, lastExitText, subjectOf, toldText } from "./incident_text.ts";
import { silenceCells } from "./silence_report.ts";
import type {
  ChannelReport,
  OpenWindow,
  Report,
  SeenProcess,
  StoredReport,
} from "./status_report.ts";
import { columns, oneLine } from "./table.ts";

/** How much is told of the processes. */
export type Extent = "screen" | "all";

/** So many troubled processes are told in full on one screen, and so much of a list of names. */
const MOST_IN_FULL = 20;
const MOST_INCIDENTS = 8;
const MAX_LINE_CHARS = 200;
const MAX_REASON_CHARS = 120;
const LABEL_CHARS = 13;

const DAY_MS = 24 * 60 * 60 * 1000;

/** Words about times, as seen from the report. */
class Times {
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** `2026-11-21 02:50:53 +08:00 (3m)` */
  at(atMs: number): string {
    const { nowMs, settings } = this.#report;
    return `${formatTime(atMs, settings.timeZone)} (${formatRoughly(Math.max(0, nowMs - atMs))})`;
  }

  /** `3m ago` */
  ago(atMs: number): string {
    return `${formatRoughly(Math.max(0, this.#report.nowMs - atMs))} ago`;
  }

  /** `2026-11-21 02:50:53 +08:00 (3m left)` */
  until(untilMs: number): string {
    return `${formatTime(untilMs, this.#report.settings.timeZone)} (${this.left(untilMs)} left)`;
  }

  /** `9s`, from now on */
  left(untilMs: number): string {
    return formatRoughly(Math.max(0, untilMs - this.#report.nowMs));
  }
}

/** The lines, without the problem and the advice. */
export function describeReport(report: Report, extent: Extent): string[] {
  const times = new Times(report);
  const { stored } = report;
  const listener = line("listener", listenerLine(report, times));
  if (stored === undefined) return [listener];
  return [
    listener,
    line("supervisord", supervisordLine(stored)),
    line("processes", processesLine(stored, times)),
    ...indented(troubledLines(stored.processes, times, extent)),
    ...indented(otherLines(stored.processes, times, extent)),
    line("incidents", incidentsLine(stored)),
    ...indented(incidentLines(stored.incidents, times, extent)),
    line("silences", silencesLine(stored)),
    ...indented(columns([
      ...stored.silences.map((silence) =>
        silenceCells(silence, { nowMs: report.nowMs, timeZone: report.settings.timeZone })
      ),
      ...stored.windows.map((window) => windowCells(window, times)),
    ])),
    line("outbox", outboxLine(report, stored, times)),
    line("gaps", gapsLine(stored, times)),
    line("channels", ""),
    ...indented(columns(stored.channels.map((channel) => channelCells(channel, times)))),
  ];
}

function line(label: string, text: string): string {
  return (label.padEnd(LABEL_CHARS) + text).trimEnd();
}

function indented(lines: readonly string[]): string[] {
  return lines.map((text) => `  ${text}`);
}

/** What to do, a line each; nothing when nothing is wrong. */
export function advise({ listener, stored, settings, nowMs }: Report): string[] {
  const advice: string[] = [];
  const section = stored?.pool ?? "superbell";
  if (listener?.runs === false) {
    advice.push(
      `no listener uses state_dir "${settings.stateDir}" and nothing of it is sent: ` +
        `supervisorctl status ${section}; its log says why`,
    );
  }
  if (stored === undefined) return advice;
  const isDown = ({ state }: SeenProcess) => state !== "RUNNING" && state !== "STARTING";
  const down = stored.processes.find((process) => process.isTroubled && isDown(process));
  if (down !== undefined) {
    const { group, name } = down.process;
    advice.push(`processes: supervisorctl tail ${group}:${name} stderr; supervisorctl maintail`);
  }
  const unheeded = stored.incidents.find(({ incident }) =>
    incident.told !== undefined && incident.acknowledged === undefined && incident.unsettled > 0
  );
  if (unheeded !== undefined) {
    const { id } = unheeded.incident;
    advice.push(`incidents: superbell ack ${id} ends reminders and escalation; superbell history`);
  }
  const failing = stored.channels.filter(({ type, state }) =>
    type !== undefined && state?.failingSinceMs !== undefined
  ).map(({ name }) => name);
  if (failing.length === 1) {
    advice.push(`channel ${failing[0]} fails: superbell test --channel ${failing[0]}`);
  } else if (failing.length > 1) {
    advice.push(`${failing.length} channels fail (${failing.join(", ")}): superbell test`);
  }
  if (stored.counts.dead > 0) {
    advice.push(
      "dead messages: superbell outbox list --state dead; when the cause is mended: " +
        "superbell outbox retry --all",
    );
  }
  if (nowMs - (stored.gaps.lastAtMs ?? -Infinity) < DAY_MS) {
    advice.push(
      `gaps: set buffer_size of the section to 1000 or more, see ${sectionCommand(settings)}`,
    );
  }
  if (stored.unsubscribed.length > 0) {
    advice.push(
      `events= of the section: ${sectionCommand(settings)} prints the right line; then ` +
        "supervisorctl reread && supervisorctl update",
    );
  }
  return advice;
}

function sectionCommand({ path }: Report["settings"]): string {
  return `superbell init section -c ${shellWord(path)}`;
}

function listenerLine({ listener, settings }: Report, times: Times): string {
  const { stateDir } = settings;
  if (listener === undefined) {
    return `not known: "${stateDir}" may not be read; run this as the listener's user`;
  }
  const { runs, holder } = listener;
  const who = holder === undefined ? "" : `, pid ${holder.pid}, superbell ${holder.version}`;
  if (runs) return `runs${holder ? ` since ${times.at(holder.sinceMs)}` : ""}${who}`;
  return holder === undefined
    ? `DOES NOT RUN, and none has run with state_dir "${stateDir}"`
    : `DOES NOT RUN; the last one started ${times.at(holder.sinceMs)}${who}`;
}

function supervisordLine({ supervisord: { runs, pid } }: StoredReport): string {
  const who = pid === undefined ? "" : `, pid ${pid}`;
  if (runs === undefined) return `not known whether it runs${who}`;
  return (runs ? "runs" : "DOES NOT RUN") + who;
}

function processesLine({ processes }: StoredReport, times: Times): string {
  const troubled = processes.filter(({ isTroubled }) => isTroubled).length;
  const count = `${processes.length} known, ${troubled} in trouble`;
  const lastMs = Math.max(...processes.map(({ lastEventAtMs = -Infinity }) => lastEventAtMs));
  return Number.isFinite(lastMs) ? `${count}; the last event ${times.ago(lastMs)}` : count;
}

function troubledLines(
  processes: readonly SeenProcess[],
  times: Times,
  extent: Extent,
): string[] {
  const troubled = processes.filter(({ isTroubled }) => isTroubled);
  const inFull = extent === "all" ? troubled : troubled.slice(0, MOST_IN_FULL);
  return [
    ...columns(inFull.map((process) => processCells(process, times))),
    ...countedLines(troubled.slice(inFull.length)),
  ];
}

function otherLines(processes: readonly SeenProcess[], times: Times, extent: Extent): string[] {
  const others = processes.filter(({ isTroubled }) => !isTroubled);
  return extent === "all"
    ? columns(others.map((process) => processCells(process, times)))
    : countedLines(others);
}

/** `42 RUNNING: db, jobs:worker_[00-40]`, the most first. */
function countedLines(processes: readonly SeenProcess[]): string[] {
  return [...Map.groupBy(processes, ({ state }) => state)]
    .sort(([, left], [, right]) => right.length - left.length)
    .map(([state, members]) => {
      const names = foldNames(members.map(({ process }) => oneLine(displayName(process))));
      const text = `${members.length} ${state}: ${names.join(", ")}`;
      return text.length <= MAX_LINE_CHARS
        ? text
        : `${truncateChars(text, MAX_LINE_CHARS)} (--all names them)`;
    });
}

function processCells(known: SeenProcess, times: Times): string[] {
  const { state, process, sinceMs, alivePid, lastEvent, lastEventAtMs } = known;
  const facts = [
    alivePid === undefined ? undefined : `pid ${alivePid}`,
    endsText(known),
    lastExitText(known.exit),
    lastEvent && lastEventAtMs && `${lastEvent} ${times.ago(lastEventAtMs)}`,
  ].filter((fact) => fact !== undefined);
  return [
    state,
    oneLine(displayName(process)),
    `since ${times.at(sinceMs)}`,
    oneLine(facts.join(", ")),
  ];
}

/** Expected ends and failed starts count as well, since superbell knows the process. */
function endsText({ restarts, expected }: SeenProcess): string | undefined {
  if (restarts === 0) return undefined;
  if (restarts > 1) return `ended ${restarts} times in all`;
  return expected === true ? "ended once" : "ended unexpectedly";
}

function incidentsLine({ incidents }: StoredReport): string {
  if (incidents.length === 0) return "none open";
  const nobody = incidents.filter(({ incident }) => incident.acknowledged === undefined).length;
  return `${incidents.length} open, ${nobody} not acknowledged`;
}

function incidentLines(
  incidents: readonly StoredIncident[],
  times: Times,
  extent: Extent,
): string[] {
  const inFull = extent === "all" ? incidents : incidents.slice(-MOST_INCIDENTS);
  const more = incidents.length - inFull.length;
  return [
    ...(more > 0 ? [`${more} older ones (--all names them)`] : []),
    ...columns(inFull.map((one) => incidentCells(one, times))),
  ];
}

function incidentCells(one: StoredIncident, times: Times): string[] {
  const { incident } = one;
  const { told, held, acknowledged } = incident;
  const isWell = incident.unsettled === 0;
  const next = acknowledged === undefined && held === undefined && !isWell ? told : undefined;
  const facts = [
    toldText(one),
    told !== undefined && held !== undefined ? `held: ${held}` : undefined,
    acknowledgedText(one),
    isWell ? `well again, over in ${times.left(incident.wellUntilMs)}` : undefined,
    next?.escalateAtMs === undefined ? undefined : `escalates in ${times.left(next.escalateAtMs)}`,
    next?.remindAtMs === undefined ? undefined : `reminder in ${times.left(next.remindAtMs)}`,
  ].filter((fact) => fact !== undefined);
  return [
    incident.id,
    oneLine(`${incident.rule}: ${incident.word}`),
    subjectOf(one),
    `since ${times.at(incident.startedAtMs)}`,
    facts.join("; "),
  ];
}

function silencesLine({ silences, windows }: StoredReport): string {
  const parts = [
    silences.length === 0 ? undefined : String(silences.length),
    windows.length === 0
      ? undefined
      : `${windows.length} maintenance ${windows.length === 1 ? "window" : "windows"}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function windowCells({ patterns, untilMs }: OpenWindow, times: Times): string[] {
  const about = patterns.length === 0 ? "everything" : oneLine(patterns.join(" "));
  return ["maintenance", about, `until ${times.until(untilMs)}`];
}

function outboxLine({ nowMs }: Report, stored: StoredReport, times: Times) {
  const { counts, oldest, delivered } = stored;
  const held = stored.channels.find(({ name }) => name === oldest?.channel)?.held;
  const reason = held?.reason ?? oldest?.reason ?? whyNotYet(oldest, nowMs);
  const oldestText = oldest === undefined
    ? ""
    : `, the oldest since ${times.at(oldest.sinceMs)}: entry ${oldest.id} to ${oldest.channel}` +
      (reason === undefined ? "" : `: ${short(reason)}`);
  return `${counts.waiting} waiting${oldestText}; ${counts.dead} dead; ` +
    `${delivered} delivered in the last 24h`;
}

/** Why an entry waits of which no attempt was made. */
function whyNotYet(
  oldest: StoredReport["oldest"],
  nowMs: number,
): string | undefined {
  if (oldest === undefined) return undefined;
  if (oldest.underWay !== undefined) return "an attempt is under way";
  return oldest.dueAtMs > nowMs ? "others may be told with it" : "no attempt yet";
}

function gapsLine({ gaps, unsubscribed }: StoredReport, times: Times) {
  const { count, dropped, recovered, lastAtMs } = gaps;
  const lacks = unsubscribed.length === 0
    ? ""
    : `; NEVER SENDS ${oneLine(unsubscribed.join(", "))}: not in events= of the section`;
  if (lastAtMs === undefined) return `none: supervisord dropped no event${lacks}`;
  return `${dropped} events dropped by supervisord in ${count} ${count === 1 ? "gap" : "gaps"}, ` +
    `${recovered} ends of processes found out all the same; the last ${times.at(lastAtMs)}${lacks}`;
}

function channelCells(channel: ChannelReport, times: Times): string[] {
  const { name, type, state, held, waiting, dead, fallback } = channel;
  const facts = [
    held && `may not send for ${times.left(held.untilMs)}: ${short(held.reason)}`,
    waiting > 0 ? `${waiting} waiting` : undefined,
    dead > 0 ? `${dead} dead` : undefined,
    fallback && `fallback ${fallback}`,
  ].filter((fact) => fact !== undefined);
  return [
    oneLine(name),
    type ?? "(not in the configuration)",
    [howItFares(state, times), ...facts].join("; "),
  ];
}

function howItFares(state: ChannelReport["state"], times: Times): string {
  if (state === undefined) return "never used";
  const { failingSinceMs, lastAtMs, lastOutcome, lastReason, failures } = state;
  const reason = short(lastReason);
  if (failingSinceMs === undefined) return `${lastOutcome} ${times.ago(lastAtMs)}: ${reason}`;
  const tries = `${failures} ${failures === 1 ? "attempt" : "attempts"}`;
  return `FAILS since ${times.at(failingSinceMs)}, ${tries}, the last ${
    times.ago(lastAtMs)
  }: ${reason}`;
}

function short(reason: string): string {
  return truncateChars(oneLine(reason), MAX_REASON_CHARS);
}
