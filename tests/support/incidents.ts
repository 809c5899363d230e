// Incidents and silences in a real outbox, as the listener writes them.

import type { Event } from "../../src/events/event.ts";
import type { Outbox } from "../../src/outbox/outbox.ts";
import type { Closing, Incident, Member } from "../../src/rules/incident.ts";
import type { Silence } from "../../src/rules/silence.ts";
import { NOW } from "./outbox_bench.ts";

const MINUTE = 60_000;

/** An unexpected exit. */
export function exitOf(group: string, name: string): Event {
  return {
    kind: "process_exited",
    origin: { server: "supervisor", eventname: "PROCESS_STATE_EXITED", serial: 7 },
    process: { group, name },
    fromState: "RUNNING",
    pid: 42,
    expected: false,
  };
}

/** An open incident of web:api since ten minutes, told once; `changes` are what is different. */
export function incidentOf(changes: Partial<Incident> = {}): Incident {
  const startedAtMs = changes.startedAtMs ?? NOW - 10 * MINUTE;
  return {
    id: "0a1b2c3d4e5f",
    rule: "crash",
    key: "web:api",
    by: "process",
    startedAtMs,
    ends: 3,
    rank: 1,
    word: "crash",
    event: exitOf("web", "api"),
    eventAtMs: startedAtMs,
    members: 1,
    unsettled: 1,
    joined: 0,
    ready: true,
    gatherUntilMs: startedAtMs,
    wellUntilMs: 0,
    returns: 0,
    told: { atMs: startedAtMs, rank: 1, messages: 1, reminders: 0 },
    ...changes,
  };
}

/** A process that is EXITED. */
export function memberOf(group: string, name: string): Member {
  return { process: { group, name }, state: "EXITED" };
}

/** What to write. */
export interface Written {
  readonly open?: readonly { readonly incident: Incident; readonly members: readonly Member[] }[];
  readonly closed?: readonly {
    readonly incident: Incident;
    readonly members: readonly Member[];
    readonly atMs: number;
    readonly closing: Closing;
  }[];
  readonly silences?: readonly Silence[];
}

/** Writes it, in one transaction. */
export function writeIncidents(
  outbox: Outbox,
  { open = [], closed = [], silences = [] }: Written,
): void {
  const all = [...open, ...closed];
  outbox.enqueue([], NOW, {
    rules: () => ({
      isAll: false,
      incidents: open.map(({ incident }) => incident),
      members: all.flatMap(({ incident, members }) =>
        members.map((member) => ({ incident: incident.id, member }))
      ),
      closed: closed.map(({ incident, atMs, closing }) => ({ incident, atMs, closing })),
      tallies: [],
      forgottenTallies: [],
      silences,
      endedSilences: [],
      lastEvent: undefined,
    }),
  });
}
