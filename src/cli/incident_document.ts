// An incident for programs, the same in `history --json` and `status --json`. Every key is always
// there, null where nothing is known. Keys may be added.

import type { Exit } from "../events/event.ts";
import { processesOf, type StoredIncident } from "../outbox/stored_incidents.ts";

/** What a document of an incident needs besides it. */
export interface DocumentContext {
  readonly nowMs: number;
  /** How its processes ended the last time. */
  readonly exit: Exit | undefined;
}

/** The document of an incident, as of now. */
export function incidentDocument(one: StoredIncident, { nowMs, exit }: DocumentContext) {
  const { incident, closed } = one;
  const { told, acknowledged } = incident;
  return {
    id: incident.id,
    rule: incident.rule,
    word: incident.word,
    group_by: incident.by,
    key: incident.key,
    processes: processesOf(one),
    process_count: Math.max(incident.members, one.members.length),
    not_well: closed === undefined ? incident.unsettled : 0,
    open: closed === undefined,
    started_at: iso(incident.startedAtMs),
    ended_at: iso(closed?.atMs),
    lasted_ms: Math.max(0, (closed?.atMs ?? nowMs) - incident.startedAtMs),
    closing: closed?.closing ?? null,
    ends: incident.ends,
    last_exit: exitDocument(exit),
    told: told === undefined ? null : {
      first_at: iso(told.atMs),
      messages: told.messages,
      reminders: told.reminders,
      next_reminder_at: closed === undefined ? iso(told.remindAtMs) : null,
      escalate_at: closed === undefined ? iso(told.escalateAtMs) : null,
      escalated: told.escalated === true,
    },
    held: incident.held ?? null,
    acknowledged: acknowledged === undefined ? null : {
      by: acknowledged.by,
      at: iso(acknowledged.atMs),
      reason: acknowledged.reason,
    },
  };
}

/** How a process ended; null: not known. */
export function exitDocument(exit: Exit | undefined) {
  return exit === undefined ? null : {
    status: exit.status ?? null,
    signal: exit.signal ?? null,
    core_dumped: exit.coreDumped ?? null,
    spawn_error: exit.spawnError ?? null,
    certainty: exit.certainty,
  };
}

function iso(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
