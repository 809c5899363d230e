// The entries as people ask for them: listed, counted, shown, sent again, taken out. Over the
// listener's own connection or a visitor's; what the queue does with them is in outbox.ts.

import type { SQLOutputValue } from "node:sqlite";
import type { Outcome } from "../alerts/outcome.ts";
import type { Connection } from "./connection.ts";
import {
  type Attempt,
  type Entry,
  ENTRY_COLUMNS,
  ENTRY_STATES,
  entryOf,
  type EntryState,
} from "./entry.ts";
import { readDamaged } from "./open.ts";

/** Which entries; each field narrows them. */
export interface EntryFilter {
  readonly channel?: string | undefined;
  /** @default all of them */
  readonly states?: readonly EntryState[];
  /** So many of the newest. @default all */
  readonly limit?: number;
}

/** An entry, and who is at it. */
export interface StoredEntry extends Entry {
  /** An attempt that was begun and whose end is not written down, and when its claim ends. */
  readonly underWay?: { readonly sinceMs: number; readonly untilMs: number };
}

/** An attempt, and how many other entries its message told. */
export interface StoredAttempt extends Attempt {
  readonly others?: number;
}

/** How many entries each state has. */
export type Counts = Readonly<Record<EntryState, number>>;

const COLUMNS = `${ENTRY_COLUMNS}, claim, claimed_at_ms, claimed_until_ms`;

/** What lies in one outbox. */
export class StoredEntries {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Those that the filter lets through, the newest last. */
  list({ channel, states = ENTRY_STATES, limit = -1 }: EntryFilter = {}): StoredEntry[] {
    return this.#connection.run(() =>
      this.#connection.sql(
        `select * from (select ${COLUMNS} from entry
           where (? is null or channel = ?) and state in (select value from json_each(?))
           order by id desc limit ?) order by id`,
      ).all(channel ?? null, channel ?? null, JSON.stringify(states), limit).map(storedEntryOf)
    );
  }

  /** How many each state has. */
  counts(): Counts {
    const rows = this.#connection.run(() =>
      this.#connection.sql("select state, count(*) as n from entry group by state").all()
    );
    return countsOf(rows);
  }

  /** How many of each state each channel has that has any. */
  countsByChannel(): ReadonlyMap<string, Counts> {
    const rows = this.#connection.run(() =>
      this.#connection.sql("select channel, state, count(*) as n from entry group by 1, 2").all()
    );
    const rowsByChannel = Map.groupBy(rows, ({ channel }) => String(channel));
    return new Map([...rowsByChannel].map(([channel, own]) => [channel, countsOf(own)]));
  }

  /** The waiting entry that has waited longest. */
  oldestWaiting(): StoredEntry | undefined {
    const row = this.#connection.run(() =>
      this.#connection.sql(
        // The inner one needs nothing but an index.
        `select ${COLUMNS} from entry where id = (
           select id from entry where state = 'waiting' order by since_ms, id limit 1)`,
      ).get()
    );
    return row === undefined ? undefined : storedEntryOf(row);
  }

  /** How many were delivered at that time or later. */
  deliveredSince(sinceMs: number): number {
    const row = this.#connection.run(() =>
      this.#connection.sql(
        // The second condition is that of the index.
        `select count(*) as n from entry
         where state = 'delivered' and state <> 'waiting' and settled_at_ms >= ?`,
      ).get(sinceMs)
    );
    return Number(row!.n);
  }

  /** The channels that have entries. */
  channels(): string[] {
    const rows = this.#connection.run(() =>
      this.#connection.sql("select distinct channel from entry order by channel").all()
    );
    return rows.map(({ channel }) => String(channel));
  }

  /** One entry with its attempts, the oldest first. */
  show(
    id: number,
  ): { readonly entry: StoredEntry; readonly attempts: readonly StoredAttempt[] } | undefined {
    return this.#connection.run(() => {
      const row = this.#connection.sql(`select ${COLUMNS} from entry where id = ?`).get(id);
      if (row === undefined) return undefined;
      const attempts = this.#connection.sql(
        `select at_ms, took_ms, outcome, reason, (
           select count(*) from attempt as other
           where other.claim = attempt.claim and other.entry_id <> attempt.entry_id
         ) as others
         from attempt where entry_id = ? order by id`,
      ).all(id).map((attempt): StoredAttempt => ({
        atMs: Number(attempt.at_ms),
        tookMs: Number(attempt.took_ms),
        outcome: attempt.outcome as Outcome["kind"],
        reason: String(attempt.reason),
        ...(Number(attempt.others) > 0 && { others: Number(attempt.others) }),
      }));
      return { entry: storedEntryOf(row), attempts };
    });
  }

  /**
   * Makes dead or dropped entries wait again, and waiting ones due now; answers which. One that is
   * being sent is left alone: how that ends comes first.
   */
  retry(ids: readonly number[], nowMs: number): number[] {
    return this.#change(
      ids,
      `update entry set state = 'waiting', due_at_ms = ?, settled_at_ms = null,
         since_ms = case state when 'waiting' then since_ms else ? end
       where id = ? and state <> 'delivered' and claim is null`,
      [nowMs, nowMs],
    );
  }

  /** Takes entries out of the queue for good, until retention removes them; answers which. */
  drop(ids: readonly number[], nowMs: number): number[] {
    return this.#change(
      ids,
      `update entry set state = 'dropped', settled_at_ms = ?, reason = 'dropped by hand',
         claim = null, claimed_until_ms = null
       where id = ? and state in ('waiting', 'dead')`,
      [nowMs],
    );
  }

  /** Runs the statement for each, in one transaction; answers those that it changed. */
  #change(ids: readonly number[], sql: string, parameters: readonly number[]): number[] {
    return this.#connection.transaction(() =>
      ids.filter((id) => this.#connection.sql(sql).run(...parameters, id).changes > 0)
    );
  }
}

function countsOf(rows: readonly Record<string, SQLOutputValue>[]): Counts {
  const counts = Object.fromEntries(ENTRY_STATES.map((state) => [state, 0]));
  for (const { state, n } of rows) counts[String(state)] = Number(n);
  return counts as Counts;
}

function storedEntryOf(row: Record<string, SQLOutputValue>): StoredEntry {
  const isClaimed = row.claim !== null;
  const underWay = { sinceMs: Number(row.claimed_at_ms), untilMs: Number(row.claimed_until_ms) };
  return { ...entryOf(row), ...(isClaimed && { underWay }) };
}

/** The entries of a damaged file that can still be read. */
export function readableEntries(path: string): Entry[] {
  const rows = readDamaged(path, { columns: ENTRY_COLUMNS, where: "true" });
  const entries = new Map([...rows].map(entryOf).map((entry) => [entry.id, entry]));
  return [...entries.values()].sort((left, right) => left.id - right.id);
}
