// Opens the database file: creates it, brings an older one up to date, refuses a newer one,
// and sets a damaged one aside. A damaged outbox must never keep the listener from running:
// what can still be read of it goes into the fresh one.

import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import schema from "./schema.sql" with { type: "text" };

/** How durable a commit is: "normal" survives our death, "full" also a power cut. */
export type Sync = "normal" | "full";

/** What may be chosen when opening. */
export interface OpenOptions {
  readonly sync?: Sync;
  /** Told when a damaged file was set aside; `saved` entries were carried over. */
  readonly onSetAside?: (aside: { readonly to: string; readonly saved: number }) => void;
  readonly nowMs: number;
}

/** Step n brings version n to n + 1; each runs in a transaction together with its number. */
const MIGRATIONS: readonly string[] = [schema];

/** Longest wait for another process that writes (`superbell outbox …`). */
const BUSY_MS = 2000;

/** The database at `path` (":memory:" for one that is not kept), ready for use. */
export function openDatabase(path: string, options: OpenOptions): DatabaseSync {
  if (path !== ":memory:") createPrivately(path);
  try {
    return prepare(path, options);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return replaceDamaged(path, options);
  }
}

/** Sets the damaged file aside and begins a fresh one with what can still be read of it. */
export function replaceDamaged(path: string, options: OpenOptions): DatabaseSync {
  const aside = `${path}.damaged-${new Date(options.nowMs).toISOString().replaceAll(":", "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      Deno.renameSync(path + suffix, aside + suffix);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  createPrivately(path);
  const database = prepare(path, options);
  const saved = salvage(aside, database);
  options.onSetAside?.({ to: aside, saved });
  return database;
}

/** Damage that SQLite does not see: it checks how values are stored, not what they are. */
export class DamageError extends Error {
  override readonly name = "DamageError";
}

/** Whether the file is no database or a damaged one, by SQLite's word or ours. */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamageError) return true;
  if (!(error instanceof Error)) return false;
  if ("errcode" in error) {
    const code = Number(error.errcode) & 0xff;
    return code === 11 /* SQLITE_CORRUPT */ || code === 26 /* SQLITE_NOTADB */;
  }
  // exec() of Deno 2.7 gives no errcode: then SQLite's own words must do.
  return /^file is not a database|^database disk image is malformed|^malformed database schema/
    .test(error.message);
}

function prepare(path: string, options: OpenOptions): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(`pragma busy_timeout = ${BUSY_MS}; pragma auto_vacuum = incremental;`);
    database.exec("pragma journal_mode = wal; pragma foreign_keys = on;");
    database.exec(`pragma synchronous = ${options.sync ?? "normal"};`);
    migrate(database, path);
    // A header alone proves little: touch every table once.
    database.exec(
      "select 1 from entry limit 1; select 1 from attempt limit 1; select 1 from pause;",
    );
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(database: DatabaseSync, path: string): void {
  if (versionOf(database) === MIGRATIONS.length) return;
  database.exec("begin immediate"); // another process may be migrating: look again inside
  try {
    const version = versionOf(database);
    if (version > MIGRATIONS.length) {
      throw new Error(
        `Cannot use the outbox "${path}": it was written by a newer superbell (version ${version}, ` +
          `this one knows ${MIGRATIONS.length}); install that version again, or name another state_dir`,
      );
    }
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
    database.exec(`pragma user_version = ${MIGRATIONS.length}; commit`);
  } catch (error) {
    database.exec("rollback");
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("pragma user_version").get()!.user_version);
}

// Deno's types do not know "defensive", which forbids writable_schema; Node's do.
const FOR_SALVAGE = { readOnly: true, defensive: false };

/** Copies the waiting entries that can be read; answers how many. */
function salvage(from: string, into: DatabaseSync): number {
  let saved = 0;
  try {
    const damaged = new DatabaseSync(from, FOR_SALVAGE);
    try {
      // SQLite reads nothing of a file that was cut, unless told that it is to be repaired.
      damaged.exec("pragma writable_schema = on");
      const insert = into.prepare(
        `insert or ignore into entry (alert_id, channel, alert, created_at_ms, since_ms, due_at_ms, attempts, reason)
         values (?, ?, ?, ?, ?, ?, ?, ?)`,
      );
      const columns = [
        "alert_id",
        "channel",
        "alert",
        "created_at_ms",
        "since_ms",
        "due_at_ms",
        "attempts",
        "reason",
      ];
      // From either end up to the damage.
      for (const order of ["asc", "desc"]) {
        const rows = damaged.prepare(
          `select ${columns.join()} from entry not indexed
           where state = 'waiting' and json_valid(alert) order by id ${order}`,
        );
        saved += untilDamage(rows.iterate(), (row) => {
          const values = columns.map((column) => (row as Record<string, SQLOutputValue>)[column]!);
          return Number(insert.run(...values).changes);
        });
      }
    } finally {
      damaged.close();
    }
  } catch {
    // Nothing of it can be read; the file is kept for an expert.
  }
  return saved;
}

/** The sum of what `take` answers for each row that can be read. */
function untilDamage<Row>(rows: Iterable<Row>, take: (row: Row) => number): number {
  let sum = 0;
  try {
    for (const row of rows) sum += take(row);
  } catch {
    // what stands behind the damage cannot be read from this side
  }
  return sum;
}

/** Creates the file for the owner alone; SQLite gives its -wal and -shm the same mode. */
function createPrivately(path: string): void {
  Deno.openSync(path, { create: true, write: true, mode: 0o600 }).close();
}
