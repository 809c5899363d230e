// The alert as a JSON document, for programs: what exec gives on stdin and webhook posts.
// Every key is always there, null where the event does not say. Keys may be added within a
// version; one that is renamed, removed or changes its meaning makes a new version.

import type { ProcessName } from "../events/event.ts";
import type { Message } from "./compose.ts";

/** The document's form; see the file's header for when it changes. */
export const DOCUMENT_VERSION = 1;

/** An alert for programs. Names are snake_case as in the configuration's templates. */
export interface AlertDocument {
  readonly version: typeof DOCUMENT_VERSION;
  /** The same for every repeat of the same alert. */
  readonly id: string;
  readonly rule: string;
  /** The rule's word that came true: crash, fatal, …; "test" for the test message. */
  readonly on: string;
  /** supervisord's name of the event. */
  readonly event: string;
  readonly severity: "info" | "warning" | "critical" | null;
  /** The incident that it is part of; null: a notice, which is over at once. */
  readonly incident: {
    readonly id: string;
    readonly kind: "firing" | "reminder" | "escalated" | "resolved";
    /** Which message of the incident it is, from 1. */
    readonly number: number;
    /** ISO 8601 in UTC. */
    readonly since: string;
    /** How long it lasted; only when resolved. */
    readonly down_ms: number | null;
    /** How it ended; only when resolved. */
    readonly settling: "running" | "exited" | "stopped" | "removed" | null;
    /** How often its processes ended. */
    readonly ends: number;
    readonly by: "process" | "group" | "host" | "rule";
    /** Those that are not well, of a resolved one all; group:name, at most 200. */
    readonly processes: readonly string[];
    /** How many there are altogether. */
    readonly count: number;
    /** Those that came in later, where the message is about them. */
    readonly joined: readonly string[] | null;
    /** Why it is told only now. */
    readonly held_by: string | null;
  } | null;
  readonly title: string;
  /** The whole message as plain text, title included. */
  readonly text: string;
  /** ISO 8601 in UTC, with milliseconds. */
  readonly at: string;
  readonly host: { readonly name: string; readonly address: string | null };
  readonly supervisor: string;
  readonly process:
    | { readonly name: string; readonly group: string; readonly pid: number | null }
    | null;
  /** The process's group, or the group that an event without a process is about. */
  readonly group: string | null;
  readonly from_state: string | null;
  readonly expected: boolean | null;
  readonly tries: number | null;
  /** How the process ended, where it could be found out. */
  readonly exit: {
    readonly status: number | null;
    readonly signal: string | null;
    readonly core_dumped: boolean | null;
    readonly certainty: "sure" | "likely";
  } | null;
  /** Whether it was killed for using too much memory: the kernel's log says so, or it may be. */
  readonly out_of_memory: "sure" | "possible" | null;
  /** How long the process had run, in milliseconds. */
  readonly uptime_ms: number | null;
  /** How often it was started again in the hour before; "all" false: at least so often. */
  readonly restarts: { readonly count: number; readonly all: boolean } | null;
  /** How many starts in a row had failed when supervisord gave up. */
  readonly failed_starts: number | null;
  /** The last lines that it wrote; "late": some may be of the process that followed it. */
  readonly tails: readonly {
    readonly stream: "stderr" | "stdout";
    readonly lines: readonly string[];
    readonly late: boolean;
  }[];
  /** What the program or the remote caller wrote. */
  readonly data: string | null;
  /** The type of a remote communication. */
  readonly type: string | null;
  /** Events that supervisord discarded, and how many of them are known all the same. */
  readonly gap: { readonly dropped: number; readonly recovered: number } | null;
  /** A channel that fails, or works again. Times are ISO 8601 in UTC. */
  readonly channel: {
    readonly name: string;
    readonly since: string;
    readonly reason: string;
    readonly waiting: number;
    readonly given_up: number;
    readonly fallback: string | null;
    readonly down_ms: number | null;
  } | null;
  /** Whether it was found out afterwards, because its event did not come. */
  readonly reconciled: boolean;
  /** The channel that this one stands in for, and why. */
  readonly instead_of: { readonly channel: string; readonly reason: string } | null;
}

/** The document about one message. */
export function alertDocument({ alert, title, text, valuesOfEach }: Message): AlertDocument {
  const { host, process, trouble } = alert;
  return {
    version: DOCUMENT_VERSION,
    id: alert.id,
    rule: alert.rule,
    on: valuesOfEach[0]?.on ?? alert.word, // of a test message no word of a rule
    event: alert.eventname,
    severity: alert.severity ?? null,
    incident: incidentDocument(alert),
    title,
    text,
    at: new Date(alert.atMs).toISOString(),
    host: { name: host.name, address: host.address === "" ? null : host.address },
    supervisor: alert.supervisor,
    process: process === undefined
      ? null
      : { name: process.name, group: process.group, pid: alert.pid ?? null },
    group: process?.group ?? alert.group ?? null,
    from_state: alert.fromState ?? null,
    expected: alert.expected ?? null,
    tries: alert.tries ?? null,
    exit: alert.exit === undefined ? null : {
      status: alert.exit.status ?? null,
      signal: alert.exit.signal ?? null,
      core_dumped: alert.exit.coreDumped ?? null,
      certainty: alert.exit.certainty,
    },
    out_of_memory: alert.memory?.certainty ?? null,
    uptime_ms: alert.uptimeMs ?? null,
    restarts: alert.restarts === undefined
      ? null
      : { count: alert.restarts.count, all: alert.restarts.isAll },
    failed_starts: alert.failedStarts ?? null,
    tails: (alert.tails ?? []).map(({ stream, lines, isLate = false }) => ({
      stream,
      lines,
      late: isLate,
    })),
    data: alert.text ?? null,
    type: alert.type ?? null,
    gap: alert.gap ?? null,
    channel: trouble === undefined ? null : {
      name: trouble.name,
      since: new Date(trouble.sinceMs).toISOString(),
      reason: trouble.reason,
      waiting: trouble.waiting,
      given_up: trouble.givenUp ?? 0,
      fallback: trouble.fallback ?? null,
      down_ms: trouble.downMs ?? null,
    },
    reconciled: alert.reconciled ?? false,
    instead_of: alert.insteadOf ?? null,
  };
}

function incidentDocument({ incident }: Message["alert"]): AlertDocument["incident"] {
  if (incident === undefined) return null;
  const { id, kind, number, sinceMs, downMs, settling, ends, by, count } = incident;
  const names = (processes: readonly ProcessName[]) =>
    processes.map(({ group, name }) => `${group}:${name}`);
  return {
    id,
    kind,
    number,
    since: new Date(sinceMs).toISOString(),
    down_ms: downMs ?? null,
    settling: settling ?? null,
    ends,
    by,
    processes: names(incident.processes),
    count,
    joined: incident.joined === undefined ? null : names(incident.joined.processes),
    held_by: incident.heldBy ?? null,
  };
}
