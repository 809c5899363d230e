// Hands entries over to the channel that stands in for theirs: in one transaction the alert
// becomes an entry of the other channel, and the old entry leaves the queue as "rerouted". The
// last one stays all the same, to be tried until the channel works. Two channels may stand in for
// each other: an alert goes back only to one that works, or that alone is left.

import type { Connection } from "./connection.ts";
import { type Entry, ENTRY_COLUMNS, entryOf, type StandIn } from "./entry.ts";

/** Up to where the waiting entries have been looked at, in the order in which they are due. */
export interface Cursor {
  readonly dueAtMs: number;
  readonly id: number;
}

/** What one step did. */
export interface RerouteStep {
  readonly moved: number;
  /** Where the next step goes on. */
  readonly last: Cursor;
  /** Whether no more lies behind it. */
  readonly isAll: boolean;
}

export const FROM_THE_START: Cursor = { dueAtMs: -Infinity, id: 0 };

/** So many entries are looked at in one go: some milliseconds. */
const BATCH = 50;

/** What was done with an alert for the sake of an entry that cannot be delivered. */
interface HandedOver {
  /** For that entry. */
  readonly reason: string;
  /** Whether the stand-in has something to do now that it had not before. */
  readonly isNew: boolean;
}

/**
 * Makes the alert an entry of the stand-in, inside the caller's transaction, who then takes the
 * old entry out of the queue. Undefined: the stand-in will not tell it, so that the old entry must
 * stay.
 */
export function handOver(
  connection: Connection,
  entry: Entry,
  { to, why, nowMs }: { readonly to: StandIn; readonly why: string; readonly nowMs: number },
): HandedOver | undefined {
  // No channel tells how it fares itself.
  if (entry.alert.trouble?.name === to.channel) return undefined;
  const there = connection.sql("select id, state from entry where alert_id = ? and channel = ?")
    .get(entry.alert.id, to.channel);
  if (there !== undefined) {
    if (there.state === "waiting" || there.state === "delivered") {
      return { reason: `${to.channel} has it as well: ${why}`, isNew: false };
    }
    const isBack = to.takesBack === true && there.state === "rerouted" &&
      takeBack(connection, Number(there.id), nowMs);
    return isBack ? { reason: `given back to ${to.channel}: ${why}`, isNew: true } : undefined;
  }
  const alert = { ...entry.alert, insteadOf: { channel: entry.channel, reason: why } };
  connection.sql(
    `insert into entry (alert_id, channel, alert, created_at_ms, since_ms, due_at_ms)
     values (?, ?, ?, ?, ?, ?)`,
  ).run(
    alert.id,
    to.channel,
    JSON.stringify(alert),
    entry.createdAtMs,
    nowMs,
    nowMs + to.digestMs,
  );
  return { reason: `sent to ${to.channel} instead: ${why}`, isNew: true };
}

/** Makes a rerouted entry wait again, unless its service has refused it for good. */
function takeBack(connection: Connection, id: number, nowMs: number): boolean {
  const { changes } = connection.sql(
    `update entry set state = 'waiting', since_ms = ?, due_at_ms = ?, settled_at_ms = null
     where id = ? and not exists (
       select 1 from attempt where entry_id = entry.id and outcome = 'rejected')`,
  ).run(nowMs, nowMs, id);
  return changes > 0;
}

/** Hands a batch of the channel's waiting entries over, those behind the cursor. */
export function rerouteStep(
  connection: Connection,
  from: string,
  { to, why, nowMs, after }: {
    readonly to: StandIn;
    readonly why: string;
    readonly nowMs: number;
    readonly after: Cursor;
  },
): RerouteStep {
  return connection.transaction(() => {
    // One more than is looked at tells whether it is the last batch.
    const found = connection.sql(
      `select ${ENTRY_COLUMNS} from entry
       where state = 'waiting' and channel = ? and claim is null and (due_at_ms, id) > (?, ?)
       order by due_at_ms, id limit ${BATCH + 1}`,
    ).all(from, Math.max(after.dueAtMs, Number.MIN_SAFE_INTEGER), after.id).map(entryOf);
    const isAll = found.length <= BATCH;
    const entries = found.slice(0, BATCH);
    let moved = 0;
    let last = after;
    for (const entry of entries) {
      const handedOver = handOver(connection, entry, { to, why, nowMs });
      const stays = handedOver !== undefined && isAll && entry === entries.at(-1) &&
        isAlone(connection, entry);
      // What comes next may be due before the one that stays: the next step begins there again.
      if (!stays) last = entry;
      if (stays && handedOver.isNew) moved++;
      if (stays || handedOver === undefined) continue;
      connection.sql(
        "update entry set state = 'rerouted', settled_at_ms = ?, reason = ? where id = ?",
      ).run(nowMs, handedOver.reason, entry.id);
      moved++;
    }
    return { moved, last: { dueAtMs: last.dueAtMs, id: last.id }, isAll };
  });
}

/**
 * Whether nothing else waits for its channel. Such an entry stays in the queue, though the
 * stand-in has its alert: without one that is tried nobody would notice that the channel works.
 */
function isAlone(connection: Connection, { channel, id }: Entry): boolean {
  return connection.sql(
    "select 1 from entry where state = 'waiting' and channel = ? and id <> ? limit 1",
  ).get(channel, id) === undefined;
}
