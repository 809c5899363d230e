// The durable queue between intake and delivery. An entry is claimed with a lease, so that a
// crash needs no recovery code: the lease ends and the entry is claimed again. Only who still
// holds the claim may settle it. Dead entries stay, with every attempt's reason, until they
// are retried, dropped, or too old.

import { carry } from "./carry.ts";
import { ChannelStates } from "./channel_states.ts";
import { Connection, type KeepOptions } from "./connection.ts";
import {
  type Claim,
  type Entry,
  ENTRY_COLUMNS,
  entryOf,
  type EntryState,
  type Lease,
  type NewEntry,
  type Pause,
  type Settled,
  type Settlement,
} from "./entry.ts";
import { handOver, type RerouteStep, rerouteStep } from "./reroute.ts";
import { Journal } from "./journal.ts";
import { IncidentStore, type RuleChanges } from "./incident_store.ts";
import { RequestStore } from "./request_store.ts";
import { type RosterChanges, RosterStore } from "./roster_store.ts";
import { type Limit, makeRoom, type Retention, sweepStep } from "./space.ts";
import { StoredEntries } from "./stored_entries.ts";

export type * from "./channel_states.ts";
export type * from "./entry.ts";
export type { Limit, Retention } from "./space.ts";

/** The file's name inside state_dir. */
export const OUTBOX_FILE = "superbell.db";

/** Waiting entries that nobody will ever take, and what makes them so. */
export interface Hopeless {
  /** Those of all other channels: they were renamed or removed. */
  readonly channels: readonly string[];
  /** Those that have waited since before this; undefined: however long. */
  readonly sinceMs: number | undefined;
}

/** What is stored together with entries. */
export interface Beside {
  readonly roster?: () => RosterChanges;
  readonly rules?: () => RuleChanges;
}

/** At most `count` messages in any `perMs` by whoever sends with this key. */
export interface Pace {
  readonly key: string;
  readonly count: number;
  readonly perMs: number;
}

/** No wait that a service orders lasts longer: beyond that the clock was set back. */
export const LONGEST_PAUSE_MS = 24 * 60 * 60 * 1000;

/** So many entries are given up or moved in one go: some milliseconds. */
const BATCH = 100;

/** The queue. One database, used by one listener and now and then by `superbell outbox`. */
export class Outbox {
  readonly #connection: Connection;
  /** What lies in it, for those who ask. */
  readonly entries: StoredEntries;
  /** What is known of the processes. */
  readonly roster: RosterStore;
  /** What the rules remember. */
  readonly incidents: IncidentStore;
  /** What commands ask for. */
  readonly requests: RequestStore;
  /** How the channels fare. */
  readonly channels: ChannelStates;
  /** What was taken and is stored in a moment. */
  readonly journal: Journal;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.entries = new StoredEntries(connection);
    this.roster = new RosterStore(connection);
    this.incidents = new IncidentStore(connection);
    this.requests = new RequestStore(connection);
    this.channels = new ChannelStates(connection);
    this.journal = new Journal(connection);
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
    this.journal.close();
    this.#connection.close();
  }

  /**
   * Stores the entries, and what else has changed, in one transaction; answers how many entries
   * were new.
   */
  enqueue(entries: readonly NewEntry[], nowMs: number, { roster, rules }: Beside = {}): number {
    const insertAll = () => {
      let added = 0;
      for (const { alert, channel, digestMs = 0 } of entries) {
        const { changes } = this.#sql(
          `insert into entry (alert_id, channel, alert, created_at_ms, since_ms, due_at_ms)
           values (?, ?, ?, ?, ?, ?) on conflict (alert_id, channel) do nothing`,
        ).run(alert.id, channel, JSON.stringify(alert), nowMs, nowMs, nowMs + digestMs);
        added += Number(changes);
      }
      if (roster !== undefined) this.roster.writeInside(roster());
      if (rules !== undefined) this.incidents.writeInside(rules());
      this.journal.noteInside();
      return added;
    };
    // A single statement is its own transaction.
    const isSingle = entries.length === 1 && roster === undefined && rules === undefined;
    return isSingle ? this.#run(insertAll) : this.#transaction(insertAll);
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
        `update entry set claim = ?, claimed_at_ms = ?, claimed_until_ms = ? where id in (
           select id from entry where state = 'waiting' and channel = ? and due_at_ms <= ?
             and (claim is null or claimed_until_ms not between ? and ?)
           order by due_at_ms, id limit ?)
         returning ${ENTRY_COLUMNS}`,
      ).all(token, nowMs, nowMs + leaseMs, channel, nowMs + aheadMs, ...held, most);
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
   * counts against the pace. Answers those that the claim still held, with their new state.
   */
  settle(claim: Claim, settlement: Settlement): readonly Settled[] {
    return this.#transaction(() => {
      const channel = settlement.channelState?.();
      if (channel !== undefined) this.channels.write(channel);
      const { pause } = settlement;
      if (pause !== undefined) this.pause(pause.sender, pause);
      const held = this.#heldBy(claim.token);
      return claim.entries.flatMap((entry, index) => {
        const id = held.get(entry.alert.id);
        // One message counts once against the service's limit, however many it tells.
        const paceKey = index === 0 ? settlement.paceKey : undefined;
        this.#insertAttempt(id ?? this.#idOf(entry), { ...settlement, paceKey, claim });
        if (id === undefined) {
          this.#countAttempt(entry);
          return [];
        }
        return [{ entry, state: this.#settleEntry({ ...entry, id }, settlement) }];
      });
    });
  }

  /** The numbers of the entries that the claim still holds, by alert: it is for one channel. */
  #heldBy(token: string): ReadonlyMap<string, number> {
    const rows = this.#sql("select id, alert_id from entry where claim = ?").all(token);
    return new Map(rows.map(({ id, alert_id }) => [String(alert_id), Number(id)]));
  }

  /** By what it is: it may have been carried into another file, where it has another number. */
  #idOf({ alert, channel }: Entry): number | undefined {
    const row = this.#sql("select id from entry where alert_id = ? and channel = ?")
      .get(alert.id, channel);
    return row === undefined ? undefined : Number(row.id);
  }

  #insertAttempt(
    entryId: number | undefined,
    { attempt, paceKey, claim }: Settlement & { readonly claim: Claim },
  ): void {
    if (entryId === undefined) return;
    const { atMs, tookMs, outcome, reason } = attempt;
    this.#sql(
      `insert into attempt (entry_id, at_ms, took_ms, outcome, reason, claim, pace_key)
       values (?, ?, ?, ?, ?, ?, ?)`,
    ).run(entryId, atMs, tookMs, outcome, reason, claim.token, paceKey ?? null);
  }

  /** Of an entry that the claim no longer holds. */
  #countAttempt({ alert, channel }: Entry): void {
    this.#sql("update entry set attempts = attempts + 1 where alert_id = ? and channel = ?")
      .run(alert.id, channel);
  }

  /** The entry's new state. */
  #settleEntry(entry: Entry, settlement: Settlement): EntryState {
    const { attempt, standIn } = settlement;
    const endMs = attempt.atMs + attempt.tookMs;
    const dueAtMs = settlement.nextTry?.(entry);
    const isDead = attempt.outcome !== "delivered" && dueAtMs === undefined;
    const handedOver = isDead && standIn !== undefined
      ? handOver(this.#connection, entry, { to: standIn, why: attempt.reason, nowMs: endMs })
      : undefined;
    const state = attempt.outcome === "delivered"
      ? "delivered"
      : dueAtMs !== undefined
      ? "waiting"
      : handedOver === undefined
      ? "dead"
      : "rerouted";
    this.#sql(
      `update entry set state = ?, due_at_ms = ?, settled_at_ms = ?, reason = ?,
         attempts = attempts + 1, claim = null, claimed_until_ms = null
       where id = ?`,
    ).run(
      state,
      dueAtMs ?? endMs,
      state === "waiting" ? null : endMs,
      handedOver?.reason ?? attempt.reason,
      entry.id,
    );
    return state;
  }

  /**
   * Hands a batch of a channel's waiting entries over to another one. Call it again behind
   * `last`, with a pause for others in between.
   */
  reroute(from: string, step: Parameters<typeof rerouteStep>[2]): RerouteStep {
    return rerouteStep(this.#connection, from, step);
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

  /**
   * When a sender with this key may send again; `nowMs` or earlier means now. `others` are the
   * times of attempts that lie elsewhere.
   */
  paceFreeAtMs(pace: Pace, nowMs: number, others: readonly number[] = []): number {
    const times = [...this.attemptTimes(pace, nowMs), ...others]
      .sort((left, right) => right - left);
    // The count-th last attempt must have left the window.
    const last = times[pace.count - 1];
    const freeMs = last === undefined ? 0 : last + pace.perMs + 1;
    return Math.max(freeMs, this.pausedUntilMs(pace.key, nowMs));
  }

  /** When the last attempts within the window began, as many as the pace counts. */
  attemptTimes(pace: Pace, nowMs: number): readonly number[] {
    // One that lies in the future is older than a clock that was set back, and says nothing.
    return this.#run(() =>
      this.#sql(
        `select at_ms from attempt where pace_key = ? and at_ms between ? and ?
         order by at_ms desc limit ?`,
      ).all(pace.key, nowMs - pace.perMs, nowMs, pace.count)
    ).map((row) => Number(row.at_ms));
  }

  /** Until when a sender is closed; 0: it is not. */
  pausedUntilMs(sender: string, nowMs: number): number {
    return this.pauseOf(sender, nowMs)?.untilMs ?? 0;
  }

  /** What the service said when it closed the sender; undefined: it did not, or that is over. */
  pauseOf(sender: string, nowMs: number): Pause | undefined {
    const row = this.#run(() =>
      this.#sql(
        `select at_ms, until_ms, reason from pause
         where pace_key = ? and until_ms > ? and until_ms <= ?`,
      ).get(sender, nowMs, nowMs + LONGEST_PAUSE_MS)
    );
    if (row === undefined) return undefined;
    return { atMs: Number(row.at_ms), untilMs: Number(row.until_ms), reason: String(row.reason) };
  }

  /** Closes a sender. Inside a transaction or alone. */
  pause(sender: string, { atMs, untilMs, reason }: Pause): void {
    this.#run(() =>
      this.#sql(
        "insert or replace into pause (pace_key, at_ms, until_ms, reason) values (?, ?, ?, ?)",
      ).run(sender, atMs, untilMs, reason)
    );
  }

  /** How many entries wait, of one channel where asked for. */
  waiting(channel?: string): number {
    return this.#run(() =>
      Number(
        channel === undefined
          ? this.#sql("select count(*) as n from entry where state = 'waiting'").get()!.n
          : this.#sql(
            "select count(*) as n from entry where state = 'waiting' and channel = ?",
          ).get(channel)!.n,
      )
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
   * Makes so many of the channel's waiting entries dead, those that are due longest; at most a
   * batch. Answers how many.
   */
  giveUpOldest(
    channel: string,
    { count, reason }: { readonly count: number; readonly reason: string },
    nowMs: number,
  ): number {
    return this.#run(() => {
      const { changes } = this.#sql(
        `update entry set state = 'dead', settled_at_ms = ?,
           reason = ? || coalesce('; before that: ' || reason, '')
         where id in (
           select id from entry where state = 'waiting' and channel = ? and claim is null
           order by due_at_ms, id limit ?)`,
      ).run(nowMs, reason, channel, Math.min(BATCH, count));
      return Number(changes);
    });
  }

  /**
   * Deletes a batch of settled entries that are too old, or of the oldest while the file is too
   * large; answers how many. Call it until it answers none, with a pause for others in between.
   */
  sweep(retention: Retention, nowMs: number): number {
    return sweepStep(this.#connection, retention, nowMs) +
      this.incidents.sweep({ keepMs: retention.keepMs, most: BATCH }, nowMs);
  }

  /**
   * Whether so many more entries fit in. Settled ones make room, the dead last; `forgotten` of
   * these are gone.
   */
  makeRoom(count: number, limit: Limit): { readonly fits: boolean; readonly forgotten: number } {
    return makeRoom(this.#connection, count, limit);
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
      this.#transaction(() => {
        for (const id of moved) this.#sql("delete from entry where id = ?").run(id);
      });
      return moved.length;
    });
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
