// The durable queue between intake and delivery. An entry is claimed with a lease, so that a
// crash needs no recovery code: the lease ends and the entry is claimed again. Only who still
// holds the claim may settle it. Dead entries stay, with every attempt's reason, until they
// are retried, dropped, or too old.

import type { Outcome } from "../alerts/outcome.ts";
import { carry } from "./carry.ts";
import { Connection, type KeepOptions } from "./connection.ts";
import {
  type Attempt,
  type Claim,
  type Entry,
  ENTRY_COLUMNS,
  entryOf,
  type EntryState,
  type Lease,
  type NewEntry,
  type Settlement,
} from "./entry.ts";
import { readDamaged } from "./open.ts";

export type * from "./entry.ts";

/** The file's name inside state_dir. */
export const OUTBOX_FILE = "superbell.db";

/** What retention may keep. */
export interface Retention {
  readonly keepMs: number;
  /** The file and its -wal. */
  readonly maxBytes: number;
}

/** What an outbox in memory may hold. */
export interface Limit {
  readonly entries: number;
  readonly bytes: number;
}

/** Waiting entries that nobody will ever take, and what makes them so. */
export interface Hopeless {
  /** Those of all other channels: they were renamed or removed. */
  readonly channels: readonly string[];
  /** Those that have waited since before this; undefined: however long. */
  readonly sinceMs: number | undefined;
}

/** No wait that a service orders lasts longer: beyond that the clock was set back. */
export const LONGEST_PAUSE_MS = 24 * 60 * 60 * 1000;

/** So many entries are swept, given up or moved in one go: some milliseconds. */
const BATCH = 100;

/** So many pages go back to the disk in one go. */
const PAGES = 1000;

/** The queue. One database, used by one listener and now and then by `superbell outbox`. */
export class Outbox {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * The outbox at the path, for the one who may create, migrate and repair it. Opens nothing yet:
   * the first use does, and throws when the file cannot be used; a later use tries again.
   */
  static keep(path: string, options: KeepOptions): Outbox {
    return new Outbox(Connection.keep(path, options));
  }

  /** Opens or creates the database file; throws when it cannot be written or is too new. */
  static open(path: string, options: KeepOptions): Outbox {
    const outbox = Outbox.keep(path, options);
    outbox.follow();
    return outbox;
  }

  /** The outbox of a listener that may be running; creates and repairs nothing. */
  static visit(path: string): Outbox {
    return new Outbox(Connection.visit(path));
  }

  /** The entries of a damaged file that can still be read. */
  static readDamaged(path: string): Entry[] {
    const rows = readDamaged(path, { columns: ENTRY_COLUMNS, where: "true" });
    const entries = new Map([...rows].map(entryOf).map((entry) => [entry.id, entry]));
    return [...entries.values()].sort((left, right) => left.id - right.id);
  }

  get path(): string {
    return this.#connection.path;
  }

  /** Whether it ends with the process. */
  get isInMemory(): boolean {
    return this.path === ":memory:";
  }

  /** Makes sure that the file at the path is the open one; throws when there can be none. */
  follow(): void {
    this.#connection.follow();
  }

  close(): void {
    this.#connection.close();
  }

  /** Stores the entries in one transaction; answers how many were new. */
  enqueue(entries: readonly NewEntry[], nowMs: number): number {
    const insertAll = () => {
      let added = 0;
      for (const { alert, channel, digestMs = 0 } of entries) {
        const { changes } = this.#sql(
          `insert into entry (alert_id, channel, alert, created_at_ms, since_ms, due_at_ms)
           values (?, ?, ?, ?, ?, ?) on conflict (alert_id, channel) do nothing`,
        ).run(alert.id, channel, JSON.stringify(alert), nowMs, nowMs, nowMs + digestMs);
        added += Number(changes);
      }
      return added;
    };
    // A single statement is its own transaction.
    return entries.length > 1 ? this.#transaction(insertAll) : this.#run(insertAll);
  }

  /** Takes the channel's entries that are due longest, for the time of the lease. */
  claim(channel: string, lease: Lease): Claim | undefined {
    const { nowMs, leaseMs, most = 1, aheadMs = 0 } = lease;
    const token = crypto.randomUUID();
    // A claim that ends later than any does was made before the clock was set back.
    const held = [nowMs + 1, nowMs + leaseMs + LONGEST_PAUSE_MS] as const;
    return this.#run(() => {
      this.#pullIn(channel, lease);
      // The oldest decides whether anything is due; the others come along.
      const first = this.#sql(
        `select due_at_ms from entry where state = 'waiting' and channel = ? and due_at_ms <= ?
           and (claim is null or claimed_until_ms not between ? and ?)
         order by due_at_ms, id limit 1`,
      ).get(channel, nowMs, ...held);
      if (first === undefined) return undefined;
      const rows = this.#sql(
        `update entry set claim = ?, claimed_until_ms = ? where id in (
           select id from entry where state = 'waiting' and channel = ? and due_at_ms <= ?
             and (claim is null or claimed_until_ms not between ? and ?)
           order by due_at_ms, id limit ?)
         returning ${ENTRY_COLUMNS}`,
      ).all(token, nowMs + leaseMs, channel, nowMs + aheadMs, ...held, most);
      const [oldest, ...others] = rows.map(entryOf)
        .sort((left, right) => left.dueAtMs - right.dueAtMs || left.id - right.id);
      return oldest === undefined ? undefined : { token, entries: [oldest, ...others] };
    });
  }

  /** Makes due what the clock, set back, has put out of reach. */
  #pullIn(channel: string, { nowMs, longestWaitMs = Infinity }: Lease): void {
    const latestMs = nowMs + longestWaitMs;
    const last = this.#sql(
      `select due_at_ms as due from entry where state = 'waiting' and channel = ?
       order by due_at_ms desc limit 1`,
    ).get(channel);
    if (typeof last?.due !== "number" || last.due <= latestMs) return;
    this.#sql(
      `update entry set due_at_ms = ? where state = 'waiting' and channel = ? and due_at_ms > ?`,
    ).run(nowMs, channel, latestMs);
  }

  /**
   * Writes an attempt's end down, also for entries that were dropped meanwhile: it was made, and
   * counts against the pace. Answers those that the claim still held.
   */
  settle(claim: Claim, settlement: Settlement): readonly Entry[] {
    const { attempt } = settlement;
    const endMs = attempt.atMs + attempt.tookMs;
    return this.#transaction(() =>
      claim.entries.filter((entry, index) => {
        // By what it is and not by its number: it may have been carried into another file.
        const key = [entry.alert.id, entry.channel] as const;
        this.#sql(
          `insert into attempt (entry_id, at_ms, took_ms, outcome, reason, pace_key)
           select id, ?, ?, ?, ?, ? from entry where alert_id = ? and channel = ?`,
        ).run(
          attempt.atMs,
          attempt.tookMs,
          attempt.outcome,
          attempt.reason,
          // One message counts once against the service's limit, however many it tells.
          index === 0 ? settlement.paceKey ?? null : null,
          ...key,
        );
        this.#sql("update entry set attempts = attempts + 1 where alert_id = ? and channel = ?")
          .run(...key);
        const dueAtMs = settlement.nextTry?.(entry);
        const state = attempt.outcome === "delivered"
          ? "delivered"
          : dueAtMs === undefined
          ? "dead"
          : "waiting";
        const { changes } = this.#sql(
          `update entry set state = ?, due_at_ms = ?, settled_at_ms = ?, reason = ?,
             claim = null, claimed_until_ms = null
           where alert_id = ? and channel = ? and claim = ?`,
        ).run(
          state,
          dueAtMs ?? endMs,
          state === "waiting" ? null : endMs,
          attempt.reason,
          ...key,
          claim.token,
        );
        return changes > 0;
      })
    );
  }

  /** Stores the entries' alerts again, which now say more. */
  rewrite(entries: readonly Entry[]): void {
    this.#transaction(() => {
      for (const { alert, channel } of entries) {
        this.#sql("update entry set alert = ? where alert_id = ? and channel = ?")
          .run(JSON.stringify(alert), alert.id, channel);
      }
    });
  }

  /** Ends every claim: whoever held them is dead, since we hold the state directory's lock. */
  releaseClaims(): void {
    this.#run(() => {
      // Asked first, because another process may hold the lock to write.
      if (this.#sql("select 1 from entry where claim is not null limit 1").get() === undefined) {
        return;
      }
      this.#sql("update entry set claim = null, claimed_until_ms = null where claim is not null")
        .run();
    });
  }

  /** When the channel's next unclaimed entry is due; undefined when none waits. */
  nextDueMs(channel: string): number | undefined {
    const row = this.#run(() =>
      this.#sql(
        `select due_at_ms as due from entry where state = 'waiting' and channel = ? and claim is null
         order by due_at_ms, id limit 1`,
      ).get(channel)
    );
    return typeof row?.due === "number" ? row.due : undefined;
  }

  /** A number that changes when another process has changed the file. */
  changes(): number {
    return this.#run(() => Number(this.#sql("pragma data_version").get()!.data_version));
  }

  /** When a sender with this key may send again; `nowMs` or earlier means now. */
  paceFreeAtMs(
    pace: { readonly key: string; readonly count: number; readonly perMs: number },
    nowMs: number,
  ): number {
    const pause = this.#run(() =>
      this.#sql("select until_ms from pause where pace_key = ? and until_ms <= ?")
        .get(pace.key, nowMs + LONGEST_PAUSE_MS)
    );
    // The count-th last attempt must have left the window. One that lies in the future is
    // older than a clock that was set back, and says nothing.
    const last = this.#run(() =>
      this.#sql(
        `select at_ms from attempt where pace_key = ? and at_ms between ? and ?
         order by at_ms desc limit 1 offset ?`,
      ).get(pace.key, nowMs - pace.perMs, nowMs, pace.count - 1)
    );
    const freeMs = typeof last?.at_ms === "number" ? last.at_ms + pace.perMs + 1 : 0;
    return Math.max(freeMs, typeof pause?.until_ms === "number" ? pause.until_ms : 0);
  }

  /** Closes a sender until the given time. */
  pause(paceKey: string, pause: { readonly untilMs: number; readonly reason: string }): void {
    this.#run(() =>
      this.#sql("insert or replace into pause (pace_key, until_ms, reason) values (?, ?, ?)")
        .run(paceKey, pause.untilMs, pause.reason)
    );
  }

  /** Entries, the newest last; of one channel or state where asked for. */
  list(
    filter: {
      readonly channel?: string | undefined;
      readonly states?: readonly EntryState[];
      readonly limit?: number;
    } = {},
  ): Entry[] {
    const states = filter.states ?? ["waiting", "delivered", "dead", "dropped"];
    return this.#run(() =>
      this.#sql(
        `select * from (select ${ENTRY_COLUMNS} from entry
           where (? is null or channel = ?) and state in (select value from json_each(?))
           order by id desc limit ?) order by id`,
      ).all(
        filter.channel ?? null,
        filter.channel ?? null,
        JSON.stringify(states),
        filter.limit ?? -1,
      ).map(entryOf)
    );
  }

  /** How many entries each state has. */
  counts(): Readonly<Record<EntryState, number>> {
    const counts = { waiting: 0, delivered: 0, dead: 0, dropped: 0 };
    const rows = this.#run(() =>
      this.#sql("select state, count(*) as n from entry group by state").all()
    );
    for (const row of rows) {
      counts[row.state as EntryState] = Number(row.n);
    }
    return counts;
  }

  /** How many entries wait. */
  waiting(): number {
    return this.#run(() =>
      Number(this.#sql("select count(*) as n from entry where state = 'waiting'").get()!.n)
    );
  }

  /** One entry with its attempts, the oldest first. */
  show(id: number): { readonly entry: Entry; readonly attempts: readonly Attempt[] } | undefined {
    return this.#run(() => {
      const row = this.#sql(`select ${ENTRY_COLUMNS} from entry where id = ?`).get(id);
      if (row === undefined) return undefined;
      const attempts = this.#sql(
        "select at_ms, took_ms, outcome, reason from attempt where entry_id = ? order by id",
      ).all(id).map((attempt): Attempt => ({
        atMs: Number(attempt.at_ms),
        tookMs: Number(attempt.took_ms),
        outcome: attempt.outcome as Outcome["kind"],
        reason: String(attempt.reason),
      }));
      return { entry: entryOf(row), attempts };
    });
  }

  /** Makes dead or dropped entries wait again, and waiting ones due now; answers how many. */
  retry(ids: readonly number[], nowMs: number): number {
    return this.#forEach(
      ids,
      `update entry set state = 'waiting', due_at_ms = ?, settled_at_ms = null,
         since_ms = case state when 'waiting' then since_ms else ? end
       where id = ? and state <> 'delivered' and claim is null`,
      [nowMs, nowMs],
    );
  }

  /** Takes entries out of the queue for good; they stay visible until retention removes them. */
  drop(ids: readonly number[], nowMs: number): number {
    return this.#forEach(
      ids,
      `update entry set state = 'dropped', settled_at_ms = ?, reason = 'dropped by hand',
         claim = null, claimed_until_ms = null
       where id = ? and state in ('waiting', 'dead')`,
      [nowMs],
    );
  }

  /**
   * Takes a batch of waiting entries out of the queue that nobody will ever take; answers how
   * many, by channel. Call it until it answers none.
   */
  giveUp({ channels, sinceMs }: Hopeless, nowMs: number): ReadonlyMap<string, number> {
    const [condition, bound, reason] = sinceMs === undefined
      ? [
        "channel not in (select value from json_each(?))",
        JSON.stringify(channels),
        "the configuration has no channel of this name",
      ] as const
      : ["since_ms < ?", sinceMs, "it waited too long without an attempt"] as const;
    const rows = this.#run(() =>
      this.#sql(
        `update entry set state = 'dead', settled_at_ms = ?,
           reason = ? || coalesce('; before that: ' || reason, '')
         where claim is null and id in (
           select id from entry where state = 'waiting' and ${condition} limit ${BATCH})
         returning channel`,
      ).all(nowMs, reason, bound)
    );
    const counts = new Map<string, number>();
    for (const row of rows) {
      counts.set(String(row.channel), (counts.get(String(row.channel)) ?? 0) + 1);
    }
    return counts;
  }

  /**
   * Deletes a batch of settled entries that are too old, or of the oldest while the file is too
   * large; answers how many. Call it until it answers none, with a pause for others in between.
   */
  sweep({ keepMs, maxBytes }: Retention, nowMs: number): number {
    return this.#run(() => {
      this.#sql("delete from pause where until_ms < ?").run(nowMs);
      let removed = this.#removeSettled("settled_at_ms < ?", nowMs - keepMs);
      if (removed === 0 && this.#bytes() > maxBytes) {
        this.#checkpoint();
        // What then still is too much waits: it is never thrown away unsaid.
        if (this.#bytes() > maxBytes) removed = this.#removeSettled("true");
      }
      // exec() would step the pragma once, and each step frees one page.
      this.#sql(`pragma incremental_vacuum(${PAGES})`).all();
      if (removed === 0) this.#checkpoint();
      return removed;
    });
  }

  /**
   * Whether so many more entries fit in. Settled ones make room, the dead last; `forgotten` of
   * these are gone.
   */
  makeRoom(count: number, limit: Limit): { readonly fits: boolean; readonly forgotten: number } {
    return this.#run(() => {
      const fits = () =>
        Number(this.#sql("select count(*) as n from entry").get()!.n) + count <= limit.entries &&
        this.#usedBytes() < limit.bytes;
      let forgotten = 0;
      while (!fits()) {
        const rows = this.#sql(
          `delete from entry where id in (select id from entry where state <> 'waiting'
             order by state = 'dead', settled_at_ms limit ${BATCH}) returning state`,
        ).all();
        if (rows.length === 0) return { fits: false, forgotten };
        forgotten += rows.filter(({ state }) => state === "dead").length;
      }
      return { fits: true, forgotten };
    });
  }

  /**
   * Moves a batch of what lies here unclaimed, whatever its state, into another outbox; answers
   * how many entries went. Call it until it answers none.
   */
  moveTo(other: Outbox, nowMs: number): number {
    return this.#run(() => {
      if (this.#sql("select 1 from entry limit 1").get() === undefined) return 0;
      const moved = other.#transaction(() =>
        carry(this.#connection.database, {
          into: other.#connection.database,
          where: `(claim is null or claimed_until_ms <= ${nowMs}) order by id limit ${BATCH}`,
        })
      );
      this.#forEach(moved, "delete from entry where id = ?", []);
      return moved.length;
    });
  }

  #removeSettled(condition: string, ...parameters: readonly number[]): number {
    const { changes } = this.#sql(
      `delete from entry where id in (select id from entry
         where state <> 'waiting' and ${condition} order by settled_at_ms limit ${BATCH})`,
    ).run(...parameters);
    return Number(changes);
  }

  /** Brings the -wal into the file and cuts it; does nothing while another process reads it. */
  #checkpoint(): void {
    this.#sql("pragma wal_checkpoint(truncate)").all();
  }

  /** What the disk holds of us. */
  #bytes(): number {
    return this.#pragma("page_count") * this.#pragma("page_size") + this.#walBytes();
  }

  #usedBytes(): number {
    return (this.#pragma("page_count") - this.#pragma("freelist_count")) *
      this.#pragma("page_size");
  }

  #pragma(name: string): number {
    return Number(this.#sql(`pragma ${name}`).get()![name]);
  }

  #walBytes(): number {
    try {
      return Deno.statSync(`${this.path}-wal`).size;
    } catch {
      return 0; // none: in memory, or nothing written yet
    }
  }

  #forEach(ids: readonly number[], sql: string, parameters: readonly number[]): number {
    return this.#transaction(() =>
      ids.reduce((sum, id) => sum + Number(this.#sql(sql).run(...parameters, id).changes), 0)
    );
  }

  #sql(text: string) {
    return this.#connection.sql(text);
  }

  #run<Value>(work: () => Value): Value {
    return this.#connection.run(work);
  }

  #transaction<Value>(work: () => Value): Value {
    return this.#connection.transaction(work);
  }
}
