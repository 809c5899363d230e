// The roster: what is known of every process, by the events that came and by what supervisord
// answered when it was asked. supervisord discards events when many things happen at once, so
// the two are compared, and what no event told becomes an event of ours.

import {
  type Event,
  type Exit,
  happenedAtMs,
  type ProcessName,
  type ProcessState,
} from "../events/event.ts";

/** An end that we found out ourselves. */
export interface Found {
  readonly pid: number;
  readonly atMs: number;
}

/** What is known of one process. It lies as JSON in the outbox's database. */
export interface KnownProcess {
  readonly process: ProcessName;
  readonly state: ProcessState;
  /** When it got into the state, as far as we know: supervisord's events carry no time. */
  readonly sinceMs: number;
  /** The process id that runs now; absent when nothing runs or the id is not known. */
  readonly alivePid?: number;
  /** Process ids whose end is told or seen, the newest last. */
  readonly endedPids: readonly number[];
  /** Those of them that we found out ourselves: their event, should it still come, is no news. */
  readonly found: readonly Found[];
  /** The state that we found out ourselves, without a process id, until an event comes. */
  readonly foundState?: ProcessState;
  /** When supervisord started it, in seconds since 1970 UTC, by XML-RPC. */
  readonly startedAtS?: number;
  /** How often it ended by itself, failed starts included, since we know it. */
  readonly restarts: number;
  /** How it ended the last time. */
  readonly exit?: Exit;
  /** Of one that is EXITED: whether that was one of its exitcodes. */
  readonly expected?: boolean;
  /** supervisord's name of the last event about it, and when that was. */
  readonly lastEvent?: string;
  readonly lastEventAtMs?: number;
}

/** Every process by processKey(). */
export type Roster = ReadonlyMap<string, KnownProcess>;

/** An event about the state of a process. */
export type StateEvent = Extract<Event, { readonly fromState: string }>;

/** So many ends of a process are remembered. */
const MOST_ENDED = 16;

/** An event that supervisord did not discard comes sooner; later the id may be another process's. */
const FOUND_FOR_MS = 10 * 60 * 1000;

const STATE_AFTER: Readonly<Record<StateEvent["kind"], ProcessState>> = {
  process_starting: "STARTING",
  process_running: "RUNNING",
  process_backoff: "BACKOFF",
  process_stopping: "STOPPING",
  process_stopped: "STOPPED",
  process_exited: "EXITED",
  process_fatal: "FATAL",
  process_unknown: "UNKNOWN",
};

export function processKey({ group, name }: ProcessName): string {
  return `${group}\0${name}`;
}

/** Whether the event is about the state of a process, and so changes the roster. */
export function isStateEvent(event: Event): event is StateEvent {
  return "fromState" in event;
}

/** Whether the event tells what we have found out, and told, before it came. */
export function isFoundBefore(
  known: KnownProcess | undefined,
  event: StateEvent,
  atMs: number,
): boolean {
  if (known === undefined || event.origin.reconciled === true) return false;
  const pid = pidOf(event);
  if (isEnd(event) && pid !== undefined) {
    if (wasFound(known, pid, atMs)) return true;
    if (known.endedPids.includes(pid)) return false; // the very event came again
  }
  // Between two events of one of these states there is always another event.
  return known.foundState === STATE_AFTER[event.kind];
}

/** What is known after the event, which came, or was found, at that time. */
export function afterEvent(
  known: KnownProcess | undefined,
  event: StateEvent,
  atMs: number,
): KnownProcess {
  const pid = pidOf(event);
  const isReconciled = event.origin.reconciled === true;
  if (known !== undefined && pid !== undefined && !isReconciled && wasFound(known, pid, atMs)) {
    // Older than what we found out. Of its start, too, the event may come late, before its end.
    if (!isEnd(event)) return known;
    const isOver = known.alivePid === undefined; // else another one runs already
    const found = known.found.filter((one) => one.pid !== pid);
    return { ...known, found, ...(isOver && { state: STATE_AFTER[event.kind] }) };
  }
  const state = STATE_AFTER[event.kind];
  const sinceMs = happenedAtMs(event, atMs);
  const runs = state === "RUNNING" || state === "STOPPING";
  const endsByItself = state === "BACKOFF" || state === "EXITED";
  const isKnownPid = known !== undefined && pid !== undefined &&
    (known.alivePid === pid || known.endedPids.includes(pid));
  const isNews = known === undefined || state !== known.state ||
    !(isKnownPid || isFoundBefore(known, event, atMs));
  const ended = runs || known?.endedPids.includes(pid!) ? undefined : pid;
  const foundNow = isReconciled && ended !== undefined ? { pid: ended, atMs } : undefined;
  const exit = "exit" in event ? event.exit : endsByItself && isNews ? undefined : known?.exit;
  const startedAtS = state === "STARTING" ? undefined : known?.startedAtS;
  return {
    process: event.process,
    state,
    sinceMs: isNews ? sinceMs : known.sinceMs,
    ...(runs && pid !== undefined && { alivePid: pid }),
    endedPids: withOneMore(known?.endedPids, ended),
    found: withOneMore(known?.found, foundNow),
    ...(isReconciled && pid === undefined && { foundState: state }),
    ...(startedAtS !== undefined && { startedAtS }),
    restarts: (known?.restarts ?? 0) + (endsByItself && isNews ? 1 : 0),
    ...(exit !== undefined && { exit }),
    ...(event.kind === "process_exited" && { expected: event.expected }),
    lastEvent: event.origin.eventname,
    lastEventAtMs: sinceMs,
  };
}

/** With the cause of the last end, if that is the one meant. */
export function withKnownExit(
  known: KnownProcess,
  { pid, exit }: { readonly pid: number | undefined; readonly exit: Exit },
): KnownProcess {
  return pid === undefined || known.endedPids.at(-1) === pid ? { ...known, exit } : known;
}

/** After a new start of supervisord: process ids and states mean nothing any more. */
export function afterNewRun(known: KnownProcess): KnownProcess {
  const { alivePid: _, foundState: __, startedAtS: ___, ...kept } = known;
  return { ...kept, state: "UNKNOWN", endedPids: [], found: [] };
}

/** The same list where nothing is added: most events end nothing, and supervisord waits. */
function withOneMore<Item>(
  items: readonly Item[] | undefined,
  item: Item | undefined,
): readonly Item[] {
  return item === undefined ? items ?? [] : [...items ?? [], item].slice(-MOST_ENDED);
}

function pidOf(event: StateEvent): number | undefined {
  return "pid" in event && event.pid !== undefined && event.pid > 0 ? event.pid : undefined;
}

function isEnd({ kind }: StateEvent): boolean {
  return kind === "process_exited" || kind === "process_stopped";
}

function wasFound(known: KnownProcess, pid: number, atMs: number): boolean {
  return known.found.some((one) => one.pid === pid && isRecent(one, atMs));
}

/** Whichever way the clock was set meanwhile. */
function isRecent(found: Found, atMs: number): boolean {
  return Math.abs(atMs - found.atMs) <= FOUND_FOR_MS;
}

/** The process that a stored row tells of; undefined when it cannot be read. */
export function readKnownProcess(json: string, process: ProcessName): KnownProcess | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const known = value as Partial<KnownProcess>;
  const isReadable = isState(known.state) && isTime(known.sinceMs) && isTime(known.restarts) &&
    isPids(known.endedPids) && isFound(known.found) &&
    [known.alivePid, known.startedAtS, known.lastEventAtMs].every((number) =>
      number === undefined || isTime(number)
    );
  return isReadable ? { ...known as KnownProcess, process } : undefined;
}

const STATES: readonly string[] = [
  "STOPPED",
  "STARTING",
  "RUNNING",
  "BACKOFF",
  "STOPPING",
  "EXITED",
  "FATAL",
  "UNKNOWN",
] satisfies ProcessState[];

function isState(value: unknown): value is ProcessState {
  return typeof value === "string" && STATES.includes(value);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isPids(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isTime);
}

function isFound(value: unknown): value is readonly Found[] {
  return Array.isArray(value) && value.every((one) => isTime(one?.pid) && isTime(one?.atMs));
}
