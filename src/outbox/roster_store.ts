// What is known of the processes, kept beside the entries: the roster, the gaps so far, and a few
// notes about supervisord. It is written together with the entries or now and then by itself, and
// read at the start and by `superbell status`. What cannot be read is only asked for again.

import { type KnownProcess, readKnownProcess } from "../rules/roster.ts";
import type { ProcessName } from "../events/event.ts";
import type { Connection } from "./connection.ts";

/** What changed since the last time it was written. */
export interface RosterChanges {
  readonly changed: readonly KnownProcess[];
  readonly removed: readonly ProcessName[];
  /** Nothing else stands in the roster: what is stored beside it goes. */
  readonly isAll: boolean;
}

/** Events that supervisord discarded. */
export interface Gap {
  readonly atMs: number;
  /** Events. */
  readonly dropped: number;
  /** Ends of processes that were found out all the same. */
  readonly recovered: number;
}

/**
 * supervisor_run: the run of supervisord that the roster is about. pool: our section's name.
 * poolserial: of the last event that was answered; only there after an orderly end.
 * unsubscribed: types of events that events= of the section lacks, with commas between them.
 */
export type NoteKey = "supervisor_run" | "pool" | "poolserial" | "unsubscribed";

/** So many gaps are kept, the newest. */
const MOST_GAPS = 1000;

/** The roster, the gaps and the notes of one database. */
export class RosterStore {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Changes when another file takes the place of the one that was written to. */
  get generation(): number {
    return this.#connection.generation;
  }

  /** Every process that can be read. */
  processes(): KnownProcess[] {
    return this.#connection.run(() =>
      this.#connection.sql("select group_name, name, known from process order by group_name, name")
        .all()
        .map((row) =>
          readKnownProcess(String(row.known), {
            group: String(row.group_name),
            name: String(row.name),
          })
        )
        .filter((known) => known !== undefined)
    );
  }

  /** Writes the changes in a transaction of their own. */
  write(changes: () => RosterChanges): void {
    this.#connection.transaction(() => this.writeInside(changes()));
  }

  /** Writes the changes; only inside a transaction that is open. */
  writeInside({ changed, removed, isAll }: RosterChanges): void {
    if (isAll) this.#connection.sql("delete from process").run();
    const remove = this.#connection.sql("delete from process where group_name = ? and name = ?");
    for (const { group, name } of removed) remove.run(group, name);
    const insert = this.#connection.sql(
      "insert or replace into process (group_name, name, known) values (?, ?, ?)",
    );
    for (const known of changed) {
      insert.run(known.process.group, known.process.name, JSON.stringify(known));
    }
  }

  /** Keeps a gap, beside the newest others. */
  addGap({ atMs, dropped, recovered }: Gap): void {
    this.#connection.transaction(() => {
      this.#connection.sql("insert into gap (at_ms, dropped, recovered) values (?, ?, ?)")
        .run(atMs, dropped, recovered);
      this.#connection.sql("delete from gap where id <= (select max(id) from gap) - ?")
        .run(MOST_GAPS);
    });
  }

  /** The gaps that are kept, the newest last. */
  gaps(): Gap[] {
    return this.#connection.run(() =>
      this.#connection.sql("select at_ms, dropped, recovered from gap order by id").all()
        .map((row) => ({
          atMs: Number(row.at_ms),
          dropped: Number(row.dropped),
          recovered: Number(row.recovered),
        }))
    );
  }

  /** What was noted. */
  notes(): Readonly<Partial<Record<NoteKey, string>>> {
    return this.#connection.run(() =>
      Object.fromEntries(
        this.#connection.sql("select key, value from note").all()
          .map(({ key, value }) => [String(key), String(value)]),
      )
    );
  }

  /** Notes these values; undefined takes a note away. */
  note(values: Readonly<Partial<Record<NoteKey, string | undefined>>>): void {
    this.#connection.transaction(() => {
      for (const [key, value] of Object.entries(values)) {
        if (value === undefined) {
          this.#connection.sql("delete from note where key = ?").run(key);
        } else {
          this.#connection.sql("insert or replace into note (key, value) values (?, ?)")
            .run(key, value);
        }
      }
    });
  }
}
