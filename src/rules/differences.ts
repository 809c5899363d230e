// What no event told: the roster against supervisord's own list and log. The list says how each
// process stands now, and a process id other than the known one says that it ended in between;
// the log says which ids ended, how and when, so that two crashes are two. A name in the log is
// without its group: where several processes have it, only an id that we know helps.

import type { Event, Exit, ProcessName, ProcessState } from "../events/event.ts";
import { afterEvent, type KnownProcess, processKey, type Roster } from "./roster.ts";

/** How supervisord says that a process stands. */
export interface ProcessInfo {
  readonly process: ProcessName;
  readonly state: ProcessState;
  /** 0: none runs. */
  readonly pid: number;
  /** When it was started, and when it ended, the last time, in seconds since 1970 UTC; 0: never. */
  readonly startedAtS: number;
  readonly stoppedAtS: number;
  /** Of one that has ended: whether its exit status is one of its `exitcodes`. */
  readonly expected?: boolean;
  readonly exit?: Exit;
}

/** An end as supervisord's log has it. */
export interface LoggedEnd {
  readonly pid?: number;
  readonly ended: "exited" | "stopped";
  /** Whether it had run for `startsecs`; without that it was a failed start. */
  readonly ran: boolean;
  readonly expected?: boolean;
  readonly exit?: Exit;
  /**
   * What the line's time may mean, in milliseconds since 1970 UTC, the later first: it has no zone,
   * and an hour of the year comes twice. Empty: it has none that can be read.
   */
  readonly readingsMs: readonly number[];
}

/** What the log has about processes of one name, since supervisord's last start. */
export interface NameLog {
  /** The oldest first; those before all others that have no pid ran before the log's piece. */
  readonly ends: readonly LoggedEnd[];
  /** What the time may mean when one of them had run for `startsecs`, the last time; as above. */
  readonly ranMs: readonly number[];
  /** Process id to how many of the ends stand before its start. */
  readonly endsBefore: ReadonlyMap<number, number>;
}

/** What supervisord answered. */
export interface Look {
  readonly infos: readonly ProcessInfo[];
  /** By the process's name; empty where the log cannot be read. */
  readonly log: ReadonlyMap<string, NameLog>;
}

/** What is compared, and how much may be concluded. */
export interface Comparison {
  /** When nothing was missing yet. */
  readonly before: Roster;
  /** When supervisord was asked: who is touched by an event since then is newer than the answer. */
  readonly asked: Roster;
  readonly now: Roster;
  readonly look: Look;
  /** Events are missing, so that another process id means an end, even without evidence. */
  readonly isGap: boolean;
  /** We know nothing from before: only what cannot be right is told. */
  readonly isFirst: boolean;
  /** supervisord was started anew since we last knew, and all its log tells is news. */
  readonly isNewRun: boolean;
  /** Names this run of supervisord, for the identity of the events. */
  readonly supervisorRun: string;
  /** supervisord's `identifier=`. */
  readonly server: string;
  readonly atMs: number;
}

/** What was missed, and what is known then. */
export interface Differences {
  readonly events: readonly Event[];
  readonly changed: readonly KnownProcess[];
  readonly removed: readonly ProcessName[];
  /** So many processes were touched by an event since supervisord was asked. */
  readonly skipped: number;
}

/** How many processes stand otherwise than was known, so that the log must explain it. */
export function countNews(infos: readonly ProcessInfo[], roster: Roster): number {
  return infos.filter((info) => {
    const known = roster.get(processKey(info.process));
    return known?.state !== info.state || (known.alivePid ?? 0) !== info.pid ||
      info.state === "EXITED" && isLater(info.stoppedAtS, known);
  }).length;
}

/** Compares. Doing it again finds nothing again. */
export function differences(comparison: Comparison): Differences {
  const { asked, now, look, atMs } = comparison;
  const counts = Map.groupBy(look.infos, ({ process }) => process.name);
  const listed = new Set(look.infos.map(({ process }) => processKey(process)));
  const events: Event[] = [];
  const changed: KnownProcess[] = [];
  let skipped = 0;
  for (const info of look.infos) {
    const key = processKey(info.process);
    const known = now.get(key);
    const isTouched = known !== asked.get(key);
    const isAlone = counts.get(info.process.name)!.length === 1;
    const missed = missedOf(info, comparison, { isTouched, isAlone });
    let after = missed.reduce<KnownProcess | undefined>(
      (before, event) => afterEvent(before, event, atMs),
      known,
    );
    const name = isAlone ? look.log.get(info.process.name) : undefined;
    if (!isTouched) after = takenOver(after, info, sinceWhen(info, name ?? NOTHING, atMs));
    else skipped++;
    events.push(...missed);
    if (after !== undefined && after !== known) changed.push(after);
  }
  const removed = [...now].filter(([key, known]) => !listed.has(key) && asked.get(key) === known)
    .map(([, { process }]) => process);
  return { events, changed, removed, skipped };
}

type StateEvent = Parameters<typeof afterEvent>[1];

function missedOf(
  info: ProcessInfo,
  comparison: Comparison,
  { isTouched, isAlone }: { readonly isTouched: boolean; readonly isAlone: boolean },
): StateEvent[] {
  const { isFirst, isGap, isNewRun } = comparison;
  const endedAtMs = likelyTime(info, info.stoppedAtS, comparison);
  const key = processKey(info.process);
  const [before, known] = [comparison.before.get(key), comparison.now.get(key)];
  if (isFirst && !isGap) return isTouched ? [] : stateEvents(info, comparison, { hasEnded: true });
  const lost = lostPids(info, { before, known, isTouched });
  const name = comparison.look.log.get(info.process.name) ?? NOTHING;
  const logged = isAlone
    ? endsAfter(before, name, { info, isNewRun })
    : name.ends.filter(({ pid }) => pid !== undefined && lost.includes(pid));
  const ends = withTimes(logged, { info, comparison, isAlone }).filter(({ pid, ended, ran }) =>
    pid !== undefined && !known?.endedPids.includes(pid) && !runs(info, pid) &&
    (isTouched ? known?.alivePid !== pid : true) &&
    (ended === "stopped" || ran || wasRunning(before, pid) || wasRunning(known, pid))
  );
  const events = ends.map((end) => endEvent(info, end, comparison));
  if (isTouched) return events;
  // A failed start that the log knows is clear: supervisord sends no end for it.
  const unclear = lost.filter((pid) => !logged.some((end) => end.pid === pid));
  for (const [index, pid] of unclear.entries()) {
    const isLast = index === unclear.length - 1;
    if (info.state === "STOPPED" && isLast) {
      events.push(endEvent(info, { pid, ended: "stopped", atMs: endedAtMs }, comparison));
    } else if (info.state === "EXITED" && isLast) {
      events.push(endEvent(info, { ...info, pid, ended: "exited", atMs: endedAtMs }, comparison));
    } else if (isGap && (wasRunning(before, pid) || wasRunning(known, pid))) {
      events.push(likelyEvent(info, { pid, name: isAlone ? NOTHING : name }, comparison));
    }
  }
  const lastPid = isAlone ? name.ends.at(-1)?.pid : undefined;
  const hasEnded = events.some(({ kind }) => kind === "process_exited") ||
    lastPid !== undefined && known?.endedPids.includes(lastPid) === true;
  return [...events, ...stateEvents(info, comparison, { hasEnded })];
}

/** The end of a process that must have ended, of which nothing says for certain how. */
function likelyEvent(
  info: ProcessInfo,
  { pid, name }: { readonly pid: number; readonly name: NameLog },
  comparison: Comparison,
): StateEvent {
  // Those of namesakes: where all ended in the same way, so did this one.
  const ends = name.ends.slice(name.endsBefore.get(pid) ?? 0);
  const [one] = ends;
  const isCommon = one !== undefined &&
    ends.every(({ ended, expected }) => ended === one.ended && expected === one.expected);
  if (isCommon) {
    const exit = one.exit && { exit: { ...one.exit, certainty: "likely" as const } };
    return endEvent(info, { ...one, ...exit, pid }, comparison);
  }
  const assumed = { pid, ended: "exited", expected: false } as const;
  return { ...endEvent(info, assumed, comparison), isAssumed: true } as StateEvent;
}

/** Process ids that ran and do not run any more, of which no end has been seen. */
function lostPids(
  info: ProcessInfo,
  { before, known, isTouched }: {
    readonly before: KnownProcess | undefined;
    readonly known: KnownProcess | undefined;
    readonly isTouched: boolean;
  },
): number[] {
  const candidates = [before?.alivePid, isTouched ? undefined : known?.alivePid];
  const lost = candidates.filter((pid) => pid !== undefined).filter((pid) =>
    !known?.endedPids.includes(pid) && !runs(info, pid) &&
    !(isTouched && known?.alivePid === pid)
  );
  return [...new Set(lost)];
}

const NOTHING: NameLog = { ends: [], ranMs: [], endsBefore: new Map() };

/** The ends in the log that are later than what was known before; no other process has the name. */
function endsAfter(
  before: KnownProcess | undefined,
  { ends, endsBefore }: NameLog,
  { info, isNewRun }: { readonly info: ProcessInfo; readonly isNewRun: boolean },
): readonly LoggedEnd[] {
  const firstWithPid = ends.findIndex(({ pid }) => pid !== undefined);
  const orphans = firstWithPid < 0 ? ends.length : firstWithPid;
  const alive = before?.alivePid;
  if (alive !== undefined) {
    const spawned = endsBefore.get(alive);
    if (spawned !== undefined) return ends.slice(spawned);
    // Spawned before the piece of the log begins. Its own end is the last of those without an id.
    const own = ends[orphans - 1];
    return own === undefined || runs(info, alive)
      ? ends.slice(orphans)
      : [{ ...own, pid: alive }, ...ends.slice(orphans)];
  }
  const last = before?.endedPids.at(-1);
  if (last !== undefined) {
    const at = ends.findLastIndex(({ pid }) => pid === last);
    return ends.slice(at < 0 ? orphans : at + 1);
  }
  return isNewRun ? ends : [];
}

/** What the state alone says; `hasEnded`: its last end is among the events already. */
function stateEvents(
  info: ProcessInfo,
  comparison: Comparison,
  { hasEnded }: { readonly hasEnded: boolean },
): StateEvent[] {
  const { isFirst, isGap } = comparison;
  const known = comparison.now.get(processKey(info.process));
  const isOther = known?.state !== info.state;
  const { exit, startedAtS, stoppedAtS } = info;
  const base = { process: info.process, ...(exit !== undefined && { exit }) };
  // The last start failed when it ended, or at once.
  const failedAtMs = likelyTime(info, Math.max(startedAtS, stoppedAtS), comparison);
  switch (info.state) {
    case "EXITED": {
      const isNews = isOther && (known !== undefined && known.state !== "UNKNOWN" || isGap ||
        info.expected !== true);
      if (hasEnded || !(isNews || isLater(info.stoppedAtS, known))) return [];
      const atMs = likelyTime(info, stoppedAtS, comparison);
      return [endEvent(info, { ...info, pid: 0, ended: "exited", atMs }, comparison)];
    }
    case "FATAL": {
      if (!isOther && !isLater(startedAtS, known)) return [];
      const origin = originOf(info, "PROCESS_STATE_FATAL", comparison, { atMs: failedAtMs });
      return [{ kind: "process_fatal", origin, ...base, fromState: "BACKOFF" }];
    }
    case "BACKOFF": {
      if (isFirst && !isGap || !isOther) return [];
      const origin = originOf(info, "PROCESS_STATE_BACKOFF", comparison, { atMs: failedAtMs });
      return [{ kind: "process_backoff", origin, ...base, fromState: "STARTING" }];
    }
  }
  return [];
}

/** Whether it happened after what is known: our time of an event is not before supervisord's. */
function isLater(atS: number, known: KnownProcess | undefined): boolean {
  return known !== undefined && atS * 1000 > known.sinceMs + SLACK_MS;
}

/** XML-RPC has whole seconds, and so have some logs. */
const SLACK_MS = 1000;

/** supervisord writes its log so much later at most than it takes the time of an end. */
const WRITTEN_MS = 2000;

/** An end, and when it was; absent: that is not known. */
interface DatedEnd extends Omit<LoggedEnd, "ran" | "readingsMs"> {
  readonly atMs?: number | undefined;
}

/**
 * The ends of the log with their times, where these can be right: after what is known, in their
 * order, not ahead, and with the last one when the list has it. A log whose clock is in another
 * zone than ours does not agree with the list, and is not believed.
 */
function withTimes(
  ends: readonly LoggedEnd[],
  { info, comparison, isAlone }: {
    readonly info: ProcessInfo;
    readonly comparison: Comparison;
    readonly isAlone: boolean;
  },
): readonly (LoggedEnd & DatedEnd)[] {
  const fromMs = earliestMs(info, comparison);
  const stoppedMs = info.stoppedAtS * 1000;
  const isStop = (atMs: number) => atMs >= stoppedMs && atMs <= stoppedMs + WRITTEN_MS;
  const last = ends.findLastIndex(({ readingsMs }) => readingsMs.some(isStop));
  if (last < 0 && stoppedMs > 0) {
    const atMs = isAlone ? likelyTime(info, info.stoppedAtS, comparison) : undefined;
    return ends.map((end, index) => index === ends.length - 1 ? { ...end, atMs } : end);
  }
  let untilMs = comparison.atMs;
  return ends.toReversed().map((end, index) => {
    const isLast = ends.length - 1 - index === last;
    const atMs = end.readingsMs.find((reading) =>
      reading >= fromMs && reading <= untilMs && (!isLast || isStop(reading))
    );
    untilMs = atMs ?? untilMs;
    return { ...end, atMs };
  }).reverse();
}

/** A time of the list in milliseconds, where it can be right. */
function likelyTime(
  info: ProcessInfo,
  atS: number,
  comparison: Comparison,
): number | undefined {
  const atMs = atS * 1000;
  const isLikely = atS > 0 && atMs >= earliestMs(info, comparison) && atMs <= comparison.atMs;
  return isLikely ? atMs : undefined;
}

/** What is missing did not happen before: then the process stood as it was known to. */
function earliestMs({ process }: ProcessInfo, { before }: Comparison): number {
  const known = before.get(processKey(process));
  return known === undefined ? -Infinity : known.sinceMs - SLACK_MS;
}

function endEvent(
  info: ProcessInfo,
  { pid = 0, ended, expected, exit, atMs }: DatedEnd,
  comparison: Comparison,
): StateEvent {
  const { process } = info;
  if (ended === "stopped") {
    const origin = originOf(info, "PROCESS_STATE_STOPPED", comparison, { pid, atMs });
    return { kind: "process_stopped", origin, process, fromState: "STOPPING", pid };
  }
  return {
    kind: "process_exited",
    origin: originOf(info, "PROCESS_STATE_EXITED", comparison, { pid, atMs }),
    process,
    fromState: "RUNNING",
    pid,
    expected: expected ?? false,
    ...(exit !== undefined && { exit }),
  };
}

/** The same end has the same identity, however often it is found. */
function originOf(
  { process, state, startedAtS, stoppedAtS }: ProcessInfo,
  eventname: string,
  { supervisorRun, server }: Comparison,
  { pid = 0, atMs }: { readonly pid?: number; readonly atMs: number | undefined },
): Event["origin"] {
  const which = pid > 0 ? `pid ${pid}` : `at ${state === "EXITED" ? stoppedAtS : startedAtS}`;
  const identity = [supervisorRun, process.group, process.name, which].join("\n");
  return { server, eventname, identity, reconciled: true, ...(atMs !== undefined && { atMs }) };
}

/** No start takes so long, and no two zones are so near. */
const LONGEST_START_MS = 10 * 60 * 1000;

/** Since when it is in its state, as far as that can be known; else since it was found so. */
function sinceWhen(
  { state, pid, startedAtS }: ProcessInfo,
  { ranMs }: NameLog,
  atMs: number,
): number {
  if (pid === 0 || startedAtS === 0) return atMs;
  const startedMs = startedAtS * 1000;
  const latestMs = Math.min(atMs, startedMs + LONGEST_START_MS);
  const isRun = (reading: number) => reading >= startedMs && reading <= latestMs;
  return (state === "RUNNING" ? ranMs.find(isRun) : undefined) ?? startedMs;
}

/** What is known once supervisord's answer is believed; the same object where that is no news. */
function takenOver(
  known: KnownProcess | undefined,
  info: ProcessInfo,
  sinceMs: number,
): KnownProcess {
  const { process, state, startedAtS, exit, expected } = info;
  const alivePid = info.pid > 0 ? info.pid : undefined;
  const isSame = known !== undefined && known.state === state && known.alivePid === alivePid &&
    (startedAtS === 0 || known.startedAtS === startedAtS) &&
    (state !== "EXITED" || expected === undefined || known.expected !== undefined);
  if (isSame) return known;
  const kept = known?.state === state && known.alivePid === alivePid ? known.sinceMs : undefined;
  const { alivePid: _, foundState, expected: before, ...rest } = known ?? NEVER_KNOWN;
  const wasExpected = (kept === undefined ? undefined : before) ?? expected;
  return {
    ...rest,
    process,
    state,
    sinceMs: kept ?? sinceMs,
    ...(alivePid !== undefined && { alivePid }),
    ...(foundState === state && { foundState }),
    ...(startedAtS > 0 && { startedAtS }),
    ...(exit !== undefined && { exit }),
    ...(state === "EXITED" && wasExpected !== undefined && { expected: wasExpected }),
  };
}

const NEVER_KNOWN = {
  alivePid: undefined,
  foundState: undefined,
  expected: undefined,
  endedPids: [],
  found: [],
  restarts: 0,
};

function runs(info: ProcessInfo, pid: number): boolean {
  return info.pid === pid;
}

function wasRunning(known: KnownProcess | undefined, pid: number): boolean {
  return known?.alivePid === pid && known.state === "RUNNING";
}
