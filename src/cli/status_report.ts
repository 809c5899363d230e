// What `superbell status` knows, gathered from the state directory alone: no process, no service
// and no supervisord is asked, so that it answers at once whatever is broken.

import { type ChannelState, ChannelStates, type Held, heldAt } from "../outbox/channel_states.ts";
import type { Connection } from "../outbox/connection.ts";
import { ENTRY_STATES } from "../outbox/entry.ts";
import { RosterStore } from "../outbox/roster_store.ts";
import type { ListenerSeen } from "../outbox/state_dir.ts";
import { type Counts, StoredEntries, type StoredEntry } from "../outbox/stored_entries.ts";
import { type StoredIncident, StoredIncidents } from "../outbox/stored_incidents.ts";
import { openUntilMs } from "../rules/maintenance.ts";
import type { KnownProcess } from "../rules/roster.ts";
import type { NamePatterns } from "../rules/rule.ts";
import type { Settings } from "../settings.ts";
import { withMaskedExit } from "./incident_text.ts";
import { readSilences, type SeenSilence } from "./silence_report.ts";
import { damageSentence, listenerOf, visiting } from "./visit.ts";

/** All that is known. Times are milliseconds since 1970 UTC. */
export interface Report {
  readonly nowMs: number;
  readonly settings: Settings;
  /** Undefined: we may not look. */
  readonly listener: ListenerSeen | undefined;
  /** Undefined: see `problem`. */
  readonly stored: StoredReport | undefined;
  /** Why nothing can be read, and what would help. */
  readonly problem: string | undefined;
}

/** What is read from the outbox. */
export interface StoredReport {
  readonly supervisord: Supervisord;
  /** Our section's name, where an event has told it. */
  readonly pool: string | undefined;
  /** Those in trouble first, the gravest before the others. */
  readonly processes: readonly SeenProcess[];
  /** Those that are open, the oldest first. */
  readonly incidents: readonly StoredIncident[];
  readonly silences: readonly SeenSilence[];
  /** The maintenance windows that are open now. */
  readonly windows: readonly OpenWindow[];
  readonly counts: Counts;
  readonly oldest: StoredEntry | undefined;
  /** Entries of the last 24 hours. */
  readonly delivered: number;
  readonly channels: readonly ChannelReport[];
  readonly gaps: GapReport;
  /** Types of events that the section turned out to lack in events=. */
  readonly unsubscribed: readonly string[];
}

/** A maintenance window that is open. */
export interface OpenWindow {
  /** What it is about, as in the configuration; empty: everything. */
  readonly patterns: readonly string[];
  readonly untilMs: number;
}

/** The supervisord that the roster is about; undefined: not known. */
export interface Supervisord {
  readonly runs: boolean | undefined;
  readonly pid: number | undefined;
}

/** A process and whether it needs a person's eye. */
export interface SeenProcess extends KnownProcess {
  readonly isTroubled: boolean;
}

/** A channel that is configured or was used. */
export interface ChannelReport {
  readonly name: string;
  /** Undefined: not in the configuration. */
  readonly type: string | undefined;
  readonly fallback: string | undefined;
  /** Undefined: no attempt was ever made. */
  readonly state: ChannelState | undefined;
  /** What keeps it from sending now. */
  readonly held: Held | undefined;
  readonly waiting: number;
  readonly dead: number;
}

/** The gaps that are kept, added up. */
export interface GapReport {
  readonly count: number;
  readonly dropped: number;
  readonly recovered: number;
  readonly lastAtMs: number | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** A process that ended by itself and runs again is shown for so long. */
const LATELY_MS = 10 * 60 * 1000;

/** Gathers the report. Never throws for what an operator may meet: it says so in `problem`. */
export function readReport(settings: Settings, nowMs: number): Report {
  const listener = listenerOf(settings);
  const report = { nowMs, settings, listener };
  try {
    const stored = visiting(settings, "read", (outbox) => readStored(outbox, report));
    return { ...report, stored, problem: undefined };
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError) throw error; // a mistake of ours
    const problem = damageSentence(error, settings) ??
      (error instanceof Error ? error.message : String(error));
    return { ...report, stored: undefined, problem };
  }
}

function readStored(
  outbox: Connection,
  { nowMs, settings, listener }: Pick<Report, "nowMs" | "settings" | "listener">,
): StoredReport {
  const entries = new StoredEntries(outbox);
  const countsByChannel = entries.countsByChannel();
  const roster = new RosterStore(outbox);
  const notes = roster.notes();
  const gaps = roster.gaps();
  return {
    supervisord: listener?.runs === true
      ? { ...supervisordOf(notes.supervisor_run), runs: true } // it holds our stdin open
      : supervisordOf(notes.supervisor_run),
    pool: notes.pool,
    processes: roster.processes()
      .map((process) => ({
        ...withMaskedExit(process, settings),
        isTroubled: isTroubled(process, nowMs),
      }))
      .sort(byGravity),
    incidents: new StoredIncidents(outbox).open(),
    silences: readSilences(outbox, nowMs),
    windows: openWindows(settings, nowMs),
    counts: sumOf([...countsByChannel.values()]),
    oldest: entries.oldestWaiting(),
    delivered: entries.deliveredSince(nowMs - DAY_MS),
    channels: readChannels(outbox, countsByChannel, { nowMs, settings }),
    gaps: {
      count: gaps.length,
      dropped: gaps.reduce((sum, { dropped }) => sum + dropped, 0),
      recovered: gaps.reduce((sum, { recovered }) => sum + recovered, 0),
      lastAtMs: gaps.at(-1)?.atMs,
    },
    unsubscribed: notes.unsubscribed?.split(",") ?? [],
  };
}

function openWindows({ maintenance }: Settings, nowMs: number): OpenWindow[] {
  const texts = (patterns: NamePatterns | undefined) => [
    ...patterns?.wanted.map(({ text }) => text) ?? [],
    ...patterns?.excluded.map(({ text }) => `!${text}`) ?? [],
  ];
  return maintenance.flatMap((window): OpenWindow[] => {
    const untilMs = openUntilMs(window, nowMs);
    if (untilMs === undefined) return [];
    const groups = texts(window.where.group).map((text) => `group ${text}`);
    return [{ patterns: [...texts(window.where.process), ...groups], untilMs }];
  });
}

function sumOf(all: readonly Counts[]): Counts {
  const sums = ENTRY_STATES.map((state) => [
    state,
    all.reduce((sum, counts) => sum + counts[state], 0),
  ]);
  return Object.fromEntries(sums) as Counts;
}

/** The configured ones in their order, then those that are no longer configured and hold something. */
function readChannels(
  outbox: Connection,
  countsByChannel: ReadonlyMap<string, Counts>,
  { nowMs, settings }: Pick<Report, "nowMs" | "settings">,
): ChannelReport[] {
  const states = new Map(new ChannelStates(outbox).list().map((state) => [state.name, state]));
  const configured = settings.channels.map(({ name }) => name);
  const gone = [...countsByChannel].filter(([name, { waiting, dead }]) =>
    !configured.includes(name) && waiting + dead > 0
  ).map(([name]) => name);
  return [...configured, ...gone].map((name) => {
    const channel = settings.channels.find((other) => other.name === name);
    const counts = countsByChannel.get(name);
    const state = states.get(name);
    return {
      name,
      type: channel?.type,
      fallback: channel?.fallback,
      state,
      held: heldAt(state, nowMs),
      waiting: counts?.waiting ?? 0,
      dead: counts?.dead ?? 0,
    };
  });
}

/** The supervisord of a note: the boot, its process id, its start; whether that one still runs. */
function supervisordOf(run: string | undefined): Supervisord {
  const [, boot, pid, startedAt] = /^(\S+) (\d+) (\d+)$/.exec(run ?? "") ?? [];
  if (boot === undefined) return { runs: undefined, pid: undefined };
  try {
    const thisBoot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
    const stat = thisBoot === boot ? Deno.readTextFileSync(`/proc/${pid}/stat`) : "";
    const startedNow = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return { runs: startedNow === startedAt, pid: Number(pid) };
  } catch (error) {
    const runs = error instanceof Deno.errors.NotFound ? false : undefined;
    return { runs, pid: Number(pid) };
  }
}

function isTroubled(known: KnownProcess, nowMs: number): boolean {
  switch (known.state) {
    case "FATAL":
    case "BACKOFF":
      return true;
    case "UNKNOWN":
      // Without that event it is only we who do not know, after a new start of supervisord.
      return known.lastEvent === "PROCESS_STATE_UNKNOWN";
    case "EXITED":
      return known.expected !== true;
    case "STARTING":
    case "RUNNING":
      return known.restarts > 0 && known.expected !== true && nowMs - known.sinceMs < LATELY_MS;
    default:
      return false;
  }
}

/** The states of processes in trouble, the gravest first. */
const GRAVITY: readonly SeenProcess["state"][] = [
  "FATAL",
  "BACKOFF",
  "EXITED",
  "UNKNOWN",
  "STARTING",
  "RUNNING",
];

function byGravity(left: SeenProcess, right: SeenProcess): number {
  if (!left.isTroubled || !right.isTroubled) {
    return Number(right.isTroubled) - Number(left.isTroubled);
  }
  return GRAVITY.indexOf(left.state) - GRAVITY.indexOf(right.state) || right.sinceMs - left.sinceMs;
}
