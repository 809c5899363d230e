// What lies in the outbox and what is done with it, as plain data.

import type { SQLOutputValue } from "node:sqlite";
import type { Alert } from "../alerts/alert.ts";
import type { Outcome } from "../alerts/outcome.ts";
import type { ChannelState } from "./channel_states.ts";
import { DamageError } from "./open.ts";

/** The states of an entry, in the order in which they are listed. */
export const ENTRY_STATES = ["waiting", "delivered", "dead", "dropped", "rerouted"] as const;

export type EntryState = typeof ENTRY_STATES[number];

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

/** The channel that takes what another one does not deliver. */
export interface StandIn {
  readonly channel: string;
  /** How long an alert waits there for others to be told with it. */
  readonly digestMs: number;
  /** It may have back what it handed over itself: it works, or nobody else will tell it. */
  readonly takesBack?: boolean;
}

/** A sender that its service has closed: when that was said, until when, and in what words. */
export interface Pause {
  readonly atMs: number;
  readonly untilMs: number;
  readonly reason: string;
}

/** How an attempt ended and what follows for its entry. */
export interface Settlement {
  readonly attempt: Attempt;
  readonly paceKey?: string | undefined;
  /** The service has closed the sender of that name. */
  readonly pause?: Pause & { readonly sender: string } | undefined;
  /** When to try an entry again; undefined: not at all, it is delivered or dead. */
  nextTry?(entry: Entry): number | undefined;
  /** Takes the entries that would be dead; undefined: nobody does. */
  readonly standIn?: StandIn | undefined;
  /** How the channel fares now, asked when it is written. */
  channelState?(): ChannelState | undefined;
}

/** An entry that was settled, and the state that it has now. */
export interface Settled {
  readonly entry: Entry;
  readonly state: EntryState;
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
