// Why a process ended: its exit status or its signal. No event says so and XML-RPC forgets it at
// the next start (Supervisor issue 1150), but supervisord's own log has it. The log names no
// group and no pid at the end of a process (process.py:finish), so the pid is followed from the
// `spawned:` line on. A log with loglevel=debug also holds what programs print, unmarked: who
// prints a line of supervisord's form is believed.

import { decodeData } from "../events/text.ts";
import type { RpcValue } from "./xmlrpc.ts";

/** How a process ended. Of a signal that only XML-RPC tells of, the name is not known. */
export type ExitReason =
  | { readonly kind: "status"; readonly status: number }
  | {
    readonly kind: "signal";
    /** "SIGSEGV"; "signal 40" where the signal has no name. */
    readonly signal: string | undefined;
    readonly coreDumped: boolean | undefined;
  };

/** One end of a process, as the log tells it. */
export interface LoggedExit {
  /** Without the group, which the log does not have. */
  readonly name: string;
  /** Absent where no `spawned:` line is there, or where several processes of this name ran. */
  readonly pid: number | undefined;
  /** By itself, or because supervisord was told to stop it. */
  readonly ended: "exited" | "stopped";
  readonly reason: ExitReason;
  /** Whether the status is one of `exitcodes`; nothing is said of a process that was stopped. */
  readonly expected: boolean | undefined;
  /** Whether the log says that it had run for `startsecs`. */
  readonly ran: boolean;
  /** As it stands in the log, in the host's time zone; "" where it was cut off. */
  readonly time: string;
}

/**
 * sure: the pid's `spawned:` line is there, and no other process of the name can be meant or all
 * that can be meant ended in the same way. likely: the name fits, and of several ends the last
 * was taken. unknown: there is nothing about it.
 */
export type Certainty = "sure" | "likely" | "unknown";

/** What is known of the end of one process. */
export interface ExitFinding {
  readonly certainty: Certainty;
  readonly reason?: ExitReason;
  readonly ended?: "exited" | "stopped";
  readonly expected?: boolean | undefined;
  readonly time?: string;
  /** By which the end was matched; absent where only the name fits. */
  readonly pid?: number | undefined;
  /** Why the last start did not even make a process, in supervisord's words. */
  readonly spawnError?: string;
}

/** Whose end is looked for. */
export interface ExitQuery {
  readonly name: string;
  /** Of a process that is dead, so its end must be there; BACKOFF and FATAL tell no pid. */
  readonly pid: number | undefined;
  /** @default both */
  readonly ended?: "exited" | "stopped";
  /** How many processes in other groups have this name; absent where nobody has counted. */
  readonly namesakes?: number;
  /** Process ids that run now, by XML-RPC: they have not ended. */
  readonly runningPids?: ReadonlySet<number>;
}

/** Processes of one name that ran at the same time: which of them an end belongs to is open. */
interface Generation {
  /** Process id to the line that spawned it. */
  readonly spawnedAtLine: Map<number, number>;
  /** Ends that belong to one of them, with the line. */
  readonly exits: { readonly exit: LoggedExit; readonly line: number }[];
  alive: number;
  /** Whether one of them has run for `startsecs`. */
  ran: boolean;
  /** Whether supervisord's start is in the piece, so that nobody runs whom we have not seen. */
  readonly isAll: boolean;
}

interface History {
  readonly exits: LoggedExit[];
  /** Ends of processes that were spawned before the piece begins. */
  readonly orphans: LoggedExit[];
  readonly generationsByPid: Map<number, Generation>;
  /** Process id to how many ends stand before its `spawned:` line; of the last supervisord only. */
  readonly spawnedAfterExits: Map<number, number>;
  /** How many ends stand before the start of the last supervisord. */
  exitsOfOthers: number;
  current: Generation | undefined;
  /** Whether one that was spawned before the piece begins has run for `startsecs`. */
  orphanRan: boolean;
  /** When one of them had run for `startsecs` the last time, as it stands in the log; "": never. */
  lastRan: string;
}

/** What a piece of supervisord's log says about ends. */
export interface ExitLog {
  /** Every end, in the order of the log. */
  readonly exits: readonly LoggedExit[];
  readonly historiesByName: ReadonlyMap<string, Readonly<History>>;
}

/** Reads a piece of supervisord's log; its beginning may be cut inside a line. */
export function readExitLog(text: string): ExitLog {
  const lines = text.split("\n").map(readLine);
  const endedNames = new Set(lines.map((line) => line?.kind === "ended" ? line.exit.name : ""));
  const histories = new Map<string, History>();
  const exits: LoggedExit[] = [];
  const historyOf = (name: string) => {
    const history = histories.get(name) ?? {
      exits: [],
      orphans: [],
      generationsByPid: new Map(),
      spawnedAfterExits: new Map(),
      exitsOfOthers: 0,
      current: undefined,
      orphanRan: false,
      lastRan: "",
    };
    histories.set(name, history);
    return history;
  };
  let isAll = false;
  for (const [number, line] of lines.entries()) {
    if (line?.kind === "started") {
      // After a crash of supervisord nobody says how the processes before ended.
      for (const history of histories.values()) {
        history.current = undefined;
        history.orphanRan = false;
        history.exitsOfOthers = history.exits.length;
        history.spawnedAfterExits.clear();
      }
      isAll = true;
    } else if (line?.kind === "spawned") {
      const name = endedNames.has(line.name) ? line.name : line.nameOfRepr;
      addSpawned(historyOf(name), line.pid, number, isAll);
    } else if (line?.kind === "running") {
      const history = historyOf(line.name);
      history.lastRan = line.time;
      if (history.current === undefined) history.orphanRan = true;
      else history.current.ran = true;
    } else if (line?.kind === "ended") {
      exits.push(addEnded(historyOf(line.exit.name), line.exit, number));
    }
  }
  return { exits, historiesByName: histories };
}

function addSpawned(history: History, pid: number, line: number, isAll: boolean): void {
  history.current ??= { spawnedAtLine: new Map(), exits: [], alive: 0, ran: false, isAll };
  history.current.alive++;
  history.current.spawnedAtLine.set(pid, line);
  history.generationsByPid.set(pid, history.current);
  history.spawnedAfterExits.set(pid, history.exits.length);
}

function addEnded(history: History, exit: LoggedExit, line: number): LoggedExit {
  const generation = history.current;
  if (generation === undefined) {
    const orphan = { ...exit, ran: history.orphanRan };
    history.orphanRan = false;
    history.exits.push(orphan);
    history.orphans.push(orphan);
    return orphan;
  }
  const [pid] = generation.spawnedAtLine.size === 1 ? generation.spawnedAtLine.keys() : [];
  const known = { ...exit, pid, ran: generation.ran };
  history.exits.push(known);
  generation.exits.push({ exit: known, line });
  if (--generation.alive === 0) history.current = undefined;
  return known;
}

/** How one process ended, by the log. */
export function findExit(log: ExitLog, query: ExitQuery): ExitFinding {
  const { name, pid, ended, namesakes, runningPids } = query;
  const isMeant = (exit: LoggedExit) => ended === undefined || exit.ended === ended;
  const history = log.historiesByName.get(name);
  if (history === undefined) return { certainty: "unknown" };
  if (pid === undefined) {
    const certainty = namesakes === 0 ? "sure" : "likely";
    return findingOf(history.exits.filter(isMeant), certainty, undefined);
  }
  const generation = history.generationsByPid.get(pid);
  if (generation === undefined) {
    return findingOf(history.orphans.filter(isMeant), "likely", undefined);
  }
  const line = generation.spawnedAtLine.get(pid)!;
  const exits = generation.exits.filter((end) => end.line > line && isMeant(end.exit))
    .map(({ exit }) => exit);
  const rivals = [...generation.spawnedAtLine.keys()].filter((other) =>
    other !== pid && !runningPids?.has(other)
  );
  const isOne = rivals.length === 0 || exits.every((exit) => isSameEnd(exit, exits[0]!));
  const isHidden = (namesakes ?? 0) > 0 && !generation.isAll;
  return findingOf(exits, isOne && !isHidden ? "sure" : "likely", pid);
}

function findingOf(
  exits: readonly LoggedExit[],
  certainty: Certainty,
  pid: number | undefined,
): ExitFinding {
  const last = exits.at(-1);
  if (last === undefined) return { certainty: "unknown" };
  const { reason, ended, expected, time } = last;
  return { certainty, reason, ended, expected, time, pid };
}

function isSameEnd(left: LoggedExit, right: LoggedExit): boolean {
  return left.ended === right.ended && left.expected === right.expected &&
    JSON.stringify(left.reason) === JSON.stringify(right.reason);
}

/**
 * How a process ended, by getProcessInfo: right only for one that was not started again, which
 * is sure where it still has the start time (seconds) of the dead one. In every other state the
 * exit status is always 0 and means nothing; so it does after a stop out of BACKOFF.
 */
export function exitOfInfo(info: RpcValue, startS?: number): ExitFinding {
  if (typeof info !== "object" || info === null) return { certainty: "unknown" };
  const { statename, exitstatus, spawnerr, start } = info as Readonly<Record<string, RpcValue>>;
  const trouble = typeof spawnerr === "string" ? spawnerr : "";
  const isBadCode = trouble.startsWith("Bad exit code");
  if (trouble !== "" && !isBadCode && !trouble.startsWith("Exited too quickly")) {
    return { certainty: "sure", spawnError: trouble };
  }
  const isEnded = statename === "EXITED" || statename === "STOPPED" && trouble === "";
  if (!isEnded || typeof exitstatus !== "number" || start === 0) return { certainty: "unknown" };
  return {
    certainty: startS !== undefined && start === startS ? "sure" : "likely",
    reason: exitstatus < 0
      ? { kind: "signal", signal: undefined, coreDumped: undefined }
      : { kind: "status", status: exitstatus },
    ended: statename === "EXITED" ? "exited" : "stopped",
    expected: statename === "EXITED" ? !isBadCode : undefined,
  };
}

const RANKS: Readonly<Record<Certainty, number>> = { sure: 2, likely: 1, unknown: 0 };

/**
 * The surer of the two; the log where they are equal, for it knows signals by name. A start that
 * failed is newer than any end that only the name is known of.
 */
export function surerExit(byLog: ExitFinding, byInfo: ExitFinding): ExitFinding {
  if (byInfo.spawnError !== undefined) return byLog.pid === undefined ? byInfo : byLog;
  return RANKS[byInfo.certainty] > RANKS[byLog.certainty] ? byInfo : byLog;
}

type Line =
  | { readonly kind: "started" }
  | { readonly kind: "running"; readonly name: string; readonly time: string }
  | {
    readonly kind: "spawned";
    readonly name: string;
    /** The name where what stands in the log is a repr (3.x); it may look like one by chance. */
    readonly nameOfRepr: string;
    readonly pid: number;
  }
  | { readonly kind: "ended"; readonly exit: LoggedExit };

/** The time, in whatever form, a level, and the message (loggers.py); the level differs by version. */
const LINE =
  /^(.{0,60}?)[ \]:]*\b[A-Z]{4,8}:? (supervisord started with pid|spawned:|success:|exited:|stopped:) (.*)$/s;
const SPAWNED = /^u?(['"])(.*)\1 with pid (\d{1,10})$/s;
const RAN = /^(.*) entered RUNNING state\b/s;
const ENDED =
  /^(.*) \((?:exit status (\d{1,5})|terminated by (SIG[A-Z0-9+]+|signal \d{1,4})( \(core dumped\))?)(?:; ((?:not )?expected))?\)$/s;

function readLine(text: string, number: number): Line | undefined {
  const [, time, what, rest] = LINE.exec(text.endsWith("\r") ? text.slice(0, -1) : text) ?? [];
  if (time === undefined || what === undefined || rest === undefined) return undefined;
  if (what === "supervisord started with pid") return { kind: "started" };
  if (what === "spawned:") {
    const [, , name, pid] = SPAWNED.exec(rest) ?? [];
    if (name === undefined) return undefined;
    const nameOfRepr = unquoted(rest, name);
    // 4.x puts the name between two ' whatever it holds (process.py:_spawn_as_parent).
    return {
      kind: "spawned",
      name: rest[0] === "'" ? name : nameOfRepr,
      nameOfRepr,
      pid: Number(pid),
    };
  }
  if (what === "success:") {
    const name = RAN.exec(rest)?.[1];
    return name === undefined ? undefined : { kind: "running", name, time };
  }
  const [, name, status, signal, core, verdict] = ENDED.exec(rest) ?? [];
  if (name === undefined) return undefined;
  const exit: LoggedExit = {
    name,
    pid: undefined,
    ended: what === "exited:" ? "exited" : "stopped",
    reason: status === undefined
      ? { kind: "signal", signal: signal!, coreDumped: core !== undefined }
      : { kind: "status", status: Number(status) },
    expected: verdict === undefined ? undefined : verdict === "expected",
    ran: false, // until the history says so
    // The first line of a piece may have lost the beginning of its time.
    time: number > 0 || /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d/.test(time) ? time : "",
  };
  return { kind: "ended", exit };
}

/** What Python 2's repr of a name stands for: bytes, or code points after a "u". */
function unquoted(rest: string, inner: string): string {
  if (!inner.includes("\\")) return inner;
  if (!rest.startsWith("u")) return decodeData(new TextEncoder().encode(`Undecodable: '${inner}'`));
  return inner.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g,
    (_, ...groups) => {
      const [two, four, eight, escaped] = groups as (string | undefined)[];
      const hex = two ?? four ?? eight;
      if (hex === undefined) return escaped!;
      const codePoint = parseInt(hex, 16);
      return codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : "\ufffd";
    },
  );
}
