// What lies in the outbox and what is done with it, as plain data.

import type { SQLOutputValue } from "node:sqlite";
import type { Alert } from "../alerts/alert.ts";
import type { Outcome } from "../alerts/outcome.ts";
import { DamageError } from "./open.ts";

export type EntryState = "waiting" | "delivered" | "dead" | "dropped";

/** One alert for one channel, to be stored. */
export interface NewEntry {
  readonly channel: string;
  readonly alert: Alert;
  /** How long it waits for others to be told with it. @default 0 */
  readonly digestMs?: number | undefined;
}

/** An entry as it stands in the outbox. Times are milliseconds since 1970 UTC. */
export interface Entry {
  readonly id: number;
  readonly channel: string;
  readonly alert: Alert;
  readonly state: EntryState;
  readonly createdAtMs: number;
  /** When it began to wait: created, or retried by hand. Giving up is counted from here. */
  readonly sinceMs: number;
  readonly dueAtMs: number;
  readonly attempts: number;
  readonly settledAtMs: number | undefined;
  readonly reason: string | undefined;
}

/** The right to settle entries, until the lease ends. They are told in one message. */
export interface Claim {
  readonly token: string;
  /** The one that is due longest first; `attempts` counts those before. */
  readonly entries: readonly [Entry, ...Entry[]];
}

/** What is claimed, and for how long. */
export interface Lease {
  readonly nowMs: number;
  readonly leaseMs: number;
  /** So many entries at most. @default 1 */
  readonly most?: number;
  /** Those too that are due within that time, if one is due now. @default 0 */
  readonly aheadMs?: number;
  /** Nothing waits longer: what is due later was stored before the clock was set back. */
  readonly longestWaitMs?: number;
}

/** One try to send, as kept. */
export interface Attempt {
  readonly atMs: number;
  readonly tookMs: number;
  readonly outcome: Outcome["kind"];
  readonly reason: string;
}

/** How an attempt ended and what follows for its entry. */
export interface Settlement {
  readonly attempt: Attempt;
  readonly paceKey?: string | undefined;
  /** When to try an entry again; undefined: not at all, it is delivered or dead. */
  nextTry?(entry: Entry): number | undefined;
}

/** What entryOf needs of a row. */
export const ENTRY_COLUMNS =
  "id, channel, alert, state, created_at_ms, since_ms, due_at_ms, attempts, settled_at_ms, reason";

/** The entry in a row; throws a DamageError when it is none. */
export function entryOf(row: Record<string, SQLOutputValue>): Entry {
  return {
    id: Number(row.id),
    channel: String(row.channel),
    alert: parseAlert(String(row.alert)),
    state: row.state as EntryState,
    createdAtMs: Number(row.created_at_ms),
    sinceMs: Number(row.since_ms),
    dueAtMs: Number(row.due_at_ms),
    attempts: Number(row.attempts),
    settledAtMs: typeof row.settled_at_ms === "number" ? row.settled_at_ms : undefined,
    reason: typeof row.reason === "string" ? row.reason : undefined,
  };
}

function parseAlert(json: string): Alert {
  try {
    return JSON.parse(json) as Alert;
  } catch {
    throw new DamageError("the outbox holds an alert that cannot be read");
  }
}
