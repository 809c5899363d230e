// The durable queue between intake and delivery. An entry is claimed with a lease, so that a
// crash needs no recovery code: the lease ends and the entry is claimed again. Only who still
// holds the claim may settle it. Dead entries stay, with every attempt's reason, until they
// are retried, dropped, or too old.

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { Alert } from "../alerts/alert.ts";
import type { Outcome } from "../alerts/outcome.ts";
import { DamageError, isDamage, openDatabase, type OpenOptions, replaceDamaged } from "./open.ts";

/** The file's name inside state_dir. */
export const OUTBOX_FILE = "superbell.db";

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

/** What retention may keep. */
export interface Retention {
  readonly keepMs: number;
  readonly maxBytes: number;
}

const ENTRY_COLUMNS =
  "id, channel, alert, state, created_at_ms, since_ms, due_at_ms, attempts, settled_at_ms, reason";

/** The queue. One database, used by one listener and now and then by `superbell outbox`. */
export class Outbox {
  readonly path: string;
  readonly #options: OpenOptions;
  #database: DatabaseSync;
  #statements = new Map<string, StatementSync>();
  #closed = false;

  private constructor(path: string, options: OpenOptions) {
    this.path = path;
    this.#options = options;
    this.#database = openDatabase(path, options);
  }

  /** Opens or creates the database file; throws when it cannot be written or is too new. */
  static open(path: string, options: OpenOptions): Outbox {
    return new Outbox(path, options);
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  /** Stores the entries in one transaction; answers how many were new. */
  enqueue(entries: readonly NewEntry[], nowMs: number): number {
    return this.#transaction(() => {
      let added = 0;
      for (const { alert, channel, digestMs = 0 } of entries) {
        const { changes } = this.#sql(
          `insert into entry (alert_id, channel, alert, created_at_ms, since_ms, due_at_ms)
           values (?, ?, ?, ?, ?, ?) on conflict (alert_id, channel) do nothing`,
        ).run(alert.id, channel, JSON.stringify(alert), nowMs, nowMs, nowMs + digestMs);
        added += Number(changes);
      }
      return added;
    }, entries.length > 1);
  }

  /** Takes the channel's entries that are due longest, for the time of the lease. */
  claim(channel: string, lease: Lease): Claim | undefined {
    const { nowMs, leaseMs, most = 1, aheadMs = 0 } = lease;
    const token = crypto.randomUUID();
    return this.#run(() => {
      // The oldest decides whether anything is due; the others come along.
      const first = this.#sql(
        `select due_at_ms from entry where state = 'waiting' and channel = ? and due_at_ms <= ?
           and (claim is null or claimed_until_ms <= ?)
         order by due_at_ms, id limit 1`,
      ).get(channel, nowMs, nowMs);
      if (first === undefined) return undefined;
      const rows = this.#sql(
        `update entry set claim = ?, claimed_until_ms = ? where id in (
           select id from entry where state = 'waiting' and channel = ? and due_at_ms <= ?
             and (claim is null or claimed_until_ms <= ?)
           order by due_at_ms, id limit ?)
         returning ${ENTRY_COLUMNS}`,
      ).all(token, nowMs + leaseMs, channel, nowMs + aheadMs, nowMs, most);
      const [oldest, ...others] = rows.map(entryOf)
        .sort((left, right) => left.dueAtMs - right.dueAtMs || left.id - right.id);
      return oldest === undefined ? undefined : { token, entries: [oldest, ...others] };
    });
  }

  /** Writes an attempt's end down; answers how many entries the claim still held. */
  settle(claim: Claim, settlement: Settlement): number {
    const { attempt } = settlement;
    const endMs = attempt.atMs + attempt.tookMs;
    return this.#transaction(() => {
      let settled = 0;
      for (const entry of claim.entries) {
        const dueAtMs = settlement.nextTry?.(entry);
        const state = attempt.outcome === "delivered"
          ? "delivered"
          : dueAtMs === undefined
          ? "dead"
          : "waiting";
        const { changes } = this.#sql(
          `update entry set state = ?, attempts = attempts + 1, due_at_ms = ?, settled_at_ms = ?,
             reason = ?, claim = null, claimed_until_ms = null
           where id = ? and claim = ?`,
        ).run(
          state,
          dueAtMs ?? endMs,
          state === "waiting" ? null : endMs,
          attempt.reason,
          entry.id,
          claim.token,
        );
        if (changes === 0) continue;
        this.#sql(
          `insert into attempt (entry_id, at_ms, took_ms, outcome, reason, pace_key)
           values (?, ?, ?, ?, ?, ?)`,
        ).run(
          entry.id,
          attempt.atMs,
          attempt.tookMs,
          attempt.outcome,
          attempt.reason,
          // One message counts once against the service's limit, however many it tells.
          settled === 0 ? settlement.paceKey ?? null : null,
        );
        settled++;
      }
      return settled;
    });
  }

  /** Ends every claim: whoever held them is dead, since we hold the state directory's lock. */
  releaseClaims(): void {
    this.#run(() =>
      this.#sql("update entry set claim = null, claimed_until_ms = null where claim is not null")
        .run()
    );
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

  /** When a sender with this key may send again; `nowMs` or earlier means now. */
  paceFreeAtMs(
    pace: { readonly key: string; readonly count: number; readonly perMs: number },
    nowMs: number,
  ): number {
    const pause = this.#run(() =>
      this.#sql("select until_ms from pause where pace_key = ?").get(pace.key)
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

  /** Deletes settled entries that are too old, then the oldest while the file is too large. */
  sweep(retention: Retention, nowMs: number): number {
    return this.#run(() => {
      const old = this.#sql("delete from entry where state <> 'waiting' and settled_at_ms < ?")
        .run(nowMs - retention.keepMs).changes;
      let removed = Number(old);
      this.#shrink();
      while (this.#bytes() > retention.maxBytes) {
        const { changes } = this.#sql(
          `delete from entry where id in (
             select id from entry where state <> 'waiting' order by settled_at_ms limit 500)`,
        ).run();
        if (changes === 0) break; // what is left still waits: it is never thrown away unsaid
        removed += Number(changes);
        this.#shrink();
      }
      this.#sql("delete from pause where until_ms < ?").run(nowMs);
      return removed;
    });
  }

  /** Moves what waits here unclaimed into another outbox; answers how many entries went. */
  moveTo(other: Outbox, nowMs: number): number {
    const waiting = this.#run(() =>
      this.#sql(
        `select ${ENTRY_COLUMNS} from entry
         where state = 'waiting' and (claim is null or claimed_until_ms <= ?) order by id`,
      ).all(nowMs).map(entryOf)
    );
    if (waiting.length === 0) return 0;
    other.enqueue(waiting, nowMs);
    this.drop(waiting.map(({ id }) => id), nowMs);
    return waiting.length;
  }

  /** Gives freed pages back. exec() would step the pragma once, and each step frees one page. */
  #shrink(): void {
    this.#database.prepare("pragma incremental_vacuum").all();
  }

  #bytes(): number {
    const pages = Number(this.#database.prepare("pragma page_count").get()!.page_count);
    return pages * Number(this.#database.prepare("pragma page_size").get()!.page_size);
  }

  #forEach(ids: readonly number[], sql: string, parameters: readonly number[]): number {
    return this.#transaction(() =>
      ids.reduce((sum, id) => sum + Number(this.#sql(sql).run(...parameters, id).changes), 0)
    );
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #transaction<Value>(work: () => Value, several = true): Value {
    if (!several) return this.#run(work); // a single statement is its own transaction
    return this.#run(() => {
      this.#sql("begin immediate").run();
      try {
        const value = work();
        this.#sql("commit").run();
        return value;
      } catch (error) {
        // A failed commit (disk full) may have rolled back by itself.
        if (this.#database.isTransaction) this.#sql("rollback").run();
        throw error;
      }
    });
  }

  /** Does the work; when the file turns out to be damaged, once more on a fresh one. */
  #run<Value>(work: () => Value): Value {
    const options = () => ({ ...this.#options, nowMs: Date.now() });
    try {
      // Closed without close(): a damaged file could not be replaced, the disk may be full.
      if (!this.#database.isOpen && !this.#closed) {
        this.#database = openDatabase(this.path, options());
      }
      return work();
    } catch (error) {
      if (!isDamage(error) || this.path === ":memory:") throw error;
      this.#release();
      this.#database = replaceDamaged(this.path, options());
      return work();
    }
  }

  #release(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }
}

function entryOf(row: Record<string, SQLOutputValue>): Entry {
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
