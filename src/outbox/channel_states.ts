// How each channel fares, in the outbox, so that a restart forgets nothing of it and
// `superbell status` can show it. Written with the attempt that changed it.

import type { SQLOutputValue } from "node:sqlite";
import type { Outcome } from "../alerts/outcome.ts";
import type { Connection } from "./connection.ts";

/** How one channel fares. Times are milliseconds since 1970 UTC. */
export interface ChannelState {
  readonly name: string;
  /** The last attempt, or the one that closed its sender for all: when it ended, and how. */
  readonly lastAtMs: number;
  readonly lastOutcome: Outcome["kind"];
  readonly lastReason: string;
  /** Failed attempts since the last delivered one. */
  readonly failures: number;
  /** When the first of them ended; undefined while the channel works. */
  readonly failingSinceMs: number | undefined;
  /** When people were told that it fails; undefined once they were told that it works again. */
  readonly toldAtMs: number | undefined;
  /** The failingSinceMs that they were told. */
  readonly toldSinceMs: number | undefined;
  /** Entries that became dead since then, because too many waited. */
  readonly givenUp: number;
  /** What kept it from sending, by its service's word or its pace; it may be over. */
  readonly held: Held | undefined;
}

/** Until when a channel may not send, and why not. */
export interface Held {
  readonly untilMs: number;
  readonly reason: string;
}

/** What keeps the channel from sending now, by its service's word or its pace. */
export function heldAt(state: ChannelState | undefined, nowMs: number): Held | undefined {
  return state?.held !== undefined && state.held.untilMs > nowMs ? state.held : undefined;
}

/** The rows of one outbox. */
export class ChannelStates {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Every channel that ever made an attempt, by name. */
  list(): ChannelState[] {
    return this.#connection.run(() =>
      this.#connection.sql("select * from channel order by name").all().map(stateOf)
    );
  }

  read(name: string): ChannelState | undefined {
    return this.#connection.run(() => {
      const row = this.#connection.sql("select * from channel where name = ?").get(name);
      return row === undefined ? undefined : stateOf(row);
    });
  }

  /** Inside a transaction or alone. */
  write(state: ChannelState): void {
    this.#connection.run(() =>
      this.#connection.sql(
        `insert or replace into channel (name, last_at_ms, last_outcome, last_reason, failures,
           failing_since_ms, told_at_ms, told_since_ms, given_up, held_until_ms, held_reason)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        state.name,
        state.lastAtMs,
        state.lastOutcome,
        state.lastReason,
        state.failures,
        state.failingSinceMs ?? null,
        state.toldAtMs ?? null,
        state.toldSinceMs ?? null,
        state.givenUp,
        state.held?.untilMs ?? null,
        state.held?.reason ?? null,
      )
    );
  }

  /** Forgets all others: they are no longer configured, and what they were says nothing later. */
  keepOnly(names: readonly string[]): void {
    this.#connection.run(() =>
      this.#connection.sql(
        "delete from channel where name not in (select value from json_each(?))",
      ).run(JSON.stringify(names))
    );
  }
}

function stateOf(row: Record<string, SQLOutputValue>): ChannelState {
  const time = (value: SQLOutputValue | undefined) => typeof value === "number" ? value : undefined;
  return {
    name: String(row.name),
    lastAtMs: Number(row.last_at_ms),
    lastOutcome: row.last_outcome as Outcome["kind"],
    lastReason: String(row.last_reason),
    failures: Number(row.failures),
    failingSinceMs: time(row.failing_since_ms),
    toldAtMs: time(row.told_at_ms),
    toldSinceMs: time(row.told_since_ms),
    givenUp: Number(row.given_up),
    held: typeof row.held_until_ms === "number"
      ? { untilMs: row.held_until_ms, reason: String(row.held_reason) }
      : undefined,
  };
}
