// An incident is a failure under one rule: of one process, or of all that the rule gathers. It is
// plain data that lies in the database, so that it goes on over restarts of ours and of
// supervisord. Here is what it holds and how an event changes one of its processes; who gets into
// it stands in incident_book.ts, and what is told of it in incident_teller.ts.

import type { Event, ProcessName, ProcessState } from "../events/event.ts";
import type { Grouping } from "./pacing.ts";
import type { HoldReason } from "./reason.ts";
import type { ConditionWord } from "./rule.ts";

/** How bad: a word of a higher rank is told although one of a lower rank was. */
export type Rank = 1 | 2 | 3;

const RANKS: Readonly<Partial<Record<ConditionWord, Rank>>> = {
  flapping: 2,
  fatal: 3,
  state_unknown: 3,
};

/** The rank of a failure's word. */
export function rankOf(word: ConditionWord): Rank {
  return RANKS[word] ?? 1;
}

/** How a process is no failure any more. */
export type Settling = "running" | "exited" | "stopped" | "removed";

/** One process of an incident. Times are milliseconds since 1970 UTC. */
export interface Member {
  readonly process: ProcessName;
  readonly state: ProcessState;
  /** How it is well again, and since when; absent while it is not. */
  readonly settled?: { readonly how: Settling; readonly atMs: number };
  /** It must run longer than others to count as well. */
  readonly flapping?: true;
  /** It came in, or got worse, after the last message. */
  readonly joined?: true;
  /**
   * Its worst failure, which has been told unless it is `joined`; 0: nothing of it was told. Absent
   * in a row that was written before there was one: a crash.
   */
  readonly rank?: Rank | 0;
  /** What of it was told before it got worse, while it is `joined`; absent: nothing. */
  readonly toldRank?: Rank;
}

/** What is kept of one incident; its members lie beside it. */
export interface Incident {
  readonly id: string;
  /** The rule's name, and what of it: the key of the grouping. */
  readonly rule: string;
  readonly key: string;
  readonly by: Grouping;
  readonly startedAtMs: number;
  /** How often its processes ended, failed starts included. */
  readonly ends: number;
  /** The worst failure so far, the latest of these: it is what the messages are about. */
  readonly rank: Rank;
  readonly word: ConditionWord;
  readonly event: Event;
  readonly eventAtMs: number;
  /** How many processes belong to it, and how many of them are not well. */
  readonly members: number;
  readonly unsettled: number;
  /** Members that came or got worse since the last message, and what happened to the latest. */
  readonly joined: number;
  readonly newest?: Cause | undefined;
  /** Whether it has happened often enough to be told. */
  readonly ready: boolean;
  /** The next message waits until then for others to come in. */
  readonly gatherUntilMs: number;
  /** Once all are well, they must stay so until then; and when we began to watch, if later. */
  readonly wellUntilMs: number;
  readonly watchedFromMs?: number;
  /** How often the time that all must be well was doubled, because it came back so soon. */
  readonly returns: number;
  /** When it is looked at next; absent: only when something happens. */
  readonly dueAtMs?: number | undefined;
  /** Why it has not been told, or not further. */
  readonly held?: HoldReason | undefined;
  /** Absent until the first message. */
  readonly told?: Told;
  readonly acknowledged?: Acknowledgement | undefined;
}

/** What happened, and when. */
export interface Cause {
  readonly word: ConditionWord;
  readonly event: Event;
  readonly eventAtMs: number;
}

/** What has been told of an incident. */
export interface Told {
  /** When it was told first, and how bad it was at the last time. */
  readonly atMs: number;
  readonly rank: Rank;
  /** Messages so far, and how many of them were reminders. */
  readonly messages: number;
  readonly reminders: number;
  /** How many of them were about processes that came in later; absent: none. */
  readonly joins?: number;
  /** When the next reminder is due; absent: never. */
  readonly remindAtMs?: number | undefined;
  /** When others are told too; absent: never, or they have been. */
  readonly escalateAtMs?: number | undefined;
  readonly escalated?: true;
}

/** That somebody looks after an incident. */
export interface Acknowledgement {
  readonly by: string;
  readonly atMs: number;
  readonly reason: string;
}

/** What a message is about an incident. */
export type TellingKind = "firing" | "reminder" | "escalated" | "resolved";

/** What a message says of an incident. */
export interface IncidentReport {
  readonly id: string;
  readonly kind: TellingKind;
  /** Which message about this incident it is, from 1. */
  readonly number: number;
  /** Which reminder; only in one. */
  readonly reminder?: number;
  readonly sinceMs: number;
  /** Whether it is one of a process that flaps. */
  readonly flapping?: true;
  /** From the first failure to the time since when all are well; only when resolved. */
  readonly downMs?: number;
  /** How it ended; only when resolved. */
  readonly settling?: Settling;
  readonly ends: number;
  readonly by: Grouping;
  readonly key: string;
  /** Those that are not well; of a resolved incident all. At most MOST_NAMED of them. */
  readonly processes: readonly ProcessName[];
  /** How many there are altogether. */
  readonly count: number;
  /** Only of a message about processes that came in later: these, and how many are not well now. */
  readonly joined?: {
    readonly processes: readonly ProcessName[];
    readonly count: number;
    readonly unsettled: number;
  };
  /** Why it is told only now. */
  readonly heldBy?: HoldReason;
}

/** A message names so many processes at most. */
export const MOST_NAMED = 200;

/** How a closed incident ended: told as over, over without a word, or no longer of interest. */
export type Closing = Settling | "untold" | "forgotten";

/** What `group:name` is in keys, and what supervisorctl calls the process. */
export function processKey({ group, name }: ProcessName): string {
  return `${group}:${name}`;
}

/** The key of all that the rule gathers with this process, or with this group. */
export function groupingKey(
  by: Grouping,
  subject: { readonly process?: ProcessName | undefined; readonly group?: string | undefined },
): string {
  const group = subject.process?.group ?? subject.group;
  if (by === "process" && subject.process !== undefined) return processKey(subject.process);
  return (by === "process" || by === "group") && group !== undefined ? `${group}:*` : "*";
}

const STATES: Readonly<Partial<Record<Event["kind"], ProcessState>>> = {
  process_starting: "STARTING",
  process_backoff: "BACKOFF",
  process_running: "RUNNING",
  process_stopping: "STOPPING",
  process_stopped: "STOPPED",
  process_exited: "EXITED",
  process_fatal: "FATAL",
  process_unknown: "UNKNOWN",
};

/** The state that an event says a process has got into; undefined when it says none. */
export function stateAfter(event: Event): ProcessState | undefined {
  return STATES[event.kind];
}

/** Whether a process has ended by itself, or failed to start. */
export function isEnd(event: Event): boolean {
  return event.kind === "process_exited" || event.kind === "process_backoff";
}

/** The process after an event about its state. */
export function memberAfter(
  member: Pick<Member, "process"> & Partial<Member>,
  event: Event,
  nowMs: number,
): Member {
  const state = stateAfter(event) ?? member.state ?? "UNKNOWN";
  const how = settlingOf(state, event.kind === "process_exited" && event.expected);
  return withState(member, { state, how }, nowMs);
}

function withState(
  { process, settled, flapping, joined, rank, toldRank }: Pick<Member, "process"> & Partial<Member>,
  { state, how }: { readonly state: ProcessState; readonly how: Settling | undefined },
  nowMs: number,
): Member {
  // STOPPED after STOPPING is the same stop.
  const atMs = how === "stopped" && settled?.how === how ? settled.atMs : nowMs;
  const member: Member = how === undefined
    ? { process, state }
    : { process, state, settled: { how, atMs } };
  return {
    ...member,
    ...(flapping && { flapping }),
    ...(joined && { joined }),
    ...(rank !== undefined && { rank }),
    ...(toldRank && { toldRank }),
  };
}

/** How a process stands, by whoever knows. */
export interface ProcessStanding {
  readonly process: ProcessName;
  readonly state: ProcessState;
  /** Of one that has ended: whether that was expected. */
  readonly expected?: boolean;
  /** Since when, as far as that is known. */
  readonly sinceMs?: number;
}

/**
 * The process in the state that it is in, whatever events have come; the same if it was known. It
 * has failed at `failedAtMs`, so that it is well since a later time.
 */
export function memberStanding(
  member: Member,
  { state, expected, sinceMs = Infinity }: ProcessStanding,
  { failedAtMs, nowMs }: { readonly failedAtMs: number; readonly nowMs: number },
): Member {
  const how = settlingOf(state, expected === true);
  if (member.state === state && member.settled?.how === how) return member;
  return withState(member, { state, how }, Math.min(nowMs, Math.max(sinceMs, failedAtMs)));
}

/** An operator's stop and an expected exit are no failure; only RUNNING is really well. */
function settlingOf(state: ProcessState, expected: boolean): Settling | undefined {
  switch (state) {
    case "RUNNING":
      return "running";
    case "STOPPING":
    case "STOPPED":
      return "stopped";
    case "EXITED":
      return expected ? "exited" : undefined;
    default:
      return undefined;
  }
}

/** How long to wait after so many messages of the same kind: the pause doubles. */
export function pauseMs(
  { firstMs, longestMs }: { readonly firstMs: number; readonly longestMs: number },
  messages: number,
): number {
  return Math.min(firstMs * 2 ** Math.min(messages, 30), Math.max(firstMs, longestMs));
}

/** Whether it was less than that long ago. A time ahead is of a clock that was set back since. */
export function isWithin(atMs: number | undefined, durationMs: number, nowMs: number): boolean {
  return atMs !== undefined && nowMs >= atMs && nowMs - atMs < durationMs;
}
