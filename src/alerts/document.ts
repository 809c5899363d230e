// The alert as a JSON document, for programs: what exec gives on stdin and webhook posts.
// Every key is always there, null where the event does not say. Keys may be added within a
// version; one that is renamed, removed or changes its meaning makes a new version.

import type { Message } from "./compose.ts";

/** The document's form; see the file's header for when it changes. */
export const DOCUMENT_VERSION = 1;

/** An alert for programs. Names are snake_case as in the configuration's templates. */
export interface AlertDocument {
  readonly version: typeof DOCUMENT_VERSION;
  /** The same for every repeat of the same alert. */
  readonly id: string;
  readonly rule: string;
  /** The rule's word that came true: crash, fatal, … */
  readonly on: string;
  /** supervisord's name of the event. */
  readonly event: string;
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
  /** What the program or the remote caller wrote. */
  readonly data: string | null;
  /** The type of a remote communication. */
  readonly type: string | null;
}

/** The document about one message. */
export function alertDocument({ alert, title, text }: Message): AlertDocument {
  const { host, process } = alert;
  return {
    version: DOCUMENT_VERSION,
    id: alert.id,
    rule: alert.rule,
    on: alert.word,
    event: alert.eventname,
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
    data: alert.text ?? null,
    type: alert.type ?? null,
  };
}
