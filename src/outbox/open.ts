// Opens the database file. The keeper, who holds the state directory's lock, creates it, brings
// an older one up to date and sets a damaged one aside, with what can still be read of it going
// into a fresh one: a damaged outbox must never keep the listener from running. A visitor
// (`superbell outbox`) does none of that: somebody else may be writing to the file.

import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { insertEntry, WAITING_COLUMNS } from "./carry.ts";
import schema from "./schema.sql" with { type: "text" };

/** How durable a commit is: "normal" survives our death, "full" also a power cut. */
export type Sync = "normal" | "full";

/** What the keeper may choose. */
export interface OpenOptions {
  readonly sync?: Sync;
  /** How long to wait for another process that writes. @default 2000 */
  readonly busyMs?: number;
  /** Told when a damaged file was set aside; `saved` entries were carried over. */
  readonly onSetAside?: (aside: { readonly to: string; readonly saved: number }) => void;
  readonly nowMs: number;
}

/** Step n brings version n to n + 1; each runs in a transaction together with its number. */
const MIGRATIONS: readonly string[] = [schema];

const BUSY_MS = 2000;

/** The -wal is cut to this size when all of it is in the file. */
const WAL_BYTES = 4 * 1024 ** 2;

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

/** What a visitor may do: look, or change entries too. */
export type Access = "read" | "write";

/** The database of somebody else. Creates and repairs nothing. */
export function visitDatabase(path: string, access: Access): DatabaseSync {
  if (!Deno.statSync(path).isFile) throw new Error(`"${path}" is not a file`);
  const database = new DatabaseSync(path, { readOnly: access === "read" });
  try {
    database.exec(`pragma busy_timeout = ${BUSY_MS}; pragma foreign_keys = on;`);
    const version = versionOf(database);
    if (version > MIGRATIONS.length) throw newerError(path, version);
    if (version < MIGRATIONS.length) {
      throw new Error(`the outbox "${path}" is not up to date: start the listener, which does it`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Sets the damaged file aside and begins a fresh one with what can still be read of it. */
export function replaceDamaged(path: string, options: OpenOptions): DatabaseSync {
  const aside = `${path}.damaged-${new Date(options.nowMs).toISOString().replaceAll(":", "")}`;
  moveFile(path, aside);
  try {
    createPrivately(path);
    const database = prepare(path, options);
    const saved = salvage(aside, database);
    options.onSetAside?.({ to: aside, saved });
    return database;
  } catch (error) {
    moveFile(aside, path); // no room for a fresh one: what can be saved is saved the next time
    throw error;
  }
}

/** Moves the file with what SQLite puts beside it; nothing of the place it goes to stays. */
function moveFile(from: string, to: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    ifThere(() => Deno.removeSync(to + suffix));
    ifThere(() => Deno.renameSync(from + suffix, to + suffix));
  }
}

function ifThere(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Damage that SQLite does not see: it checks how values are stored, not what they are. */
export class DamageError extends Error {
  override readonly name = "DamageError";
}

/** Whether the file is no database or a damaged one, by SQLite's word or ours. */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamageError) return true;
  const code = codeOf(error);
  if (code !== undefined) return code === 11 /* SQLITE_CORRUPT */ || code === 26 /* _NOTADB */;
  // exec() of Deno 2.7 gives no errcode: then SQLite's own words must do.
  return error instanceof Error &&
    /^file is not a database|^database disk image is malformed|^malformed database schema/
      .test(error.message);
}

/** Whether another process holds the lock to write for longer than we wait. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return code === 5 /* SQLITE_BUSY */;
  return error instanceof Error && error.message === "database is locked";
}

function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return error.errcode === undefined ? undefined : Number(error.errcode) & 0xff;
}

function prepare(path: string, options: OpenOptions): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(`pragma busy_timeout = ${options.busyMs ?? BUSY_MS};`);
    database.exec("pragma auto_vacuum = incremental; pragma journal_mode = wal;");
    database.exec(`pragma foreign_keys = on; pragma journal_size_limit = ${WAL_BYTES};`);
    database.exec(`pragma synchronous = ${options.sync ?? "normal"};`);
    migrate(database, path);
    proveTables(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A header alone proves little: touch every table once. */
function proveTables(database: DatabaseSync): void {
  try {
    database.exec(
      "select 1 from entry limit 1; select 1 from attempt limit 1; select 1 from pause; select 1 from channel; " +
        "select 1 from process; select 1 from gap; select 1 from note; " +
        "select 1 from incident limit 1; select 1 from incident_process limit 1; " +
        "select 1 from tally limit 1; select 1 from silence limit 1; select 1 from request limit 1;",
    );
  } catch (error) {
    // Our number is in the header, and our tables are not there.
    if (error instanceof Error && /^no such table/.test(error.message)) {
      throw new DamageError(error.message);
    }
    throw error;
  }
}

function migrate(database: DatabaseSync, path: string): void {
  if (versionOf(database) === MIGRATIONS.length) return;
  database.exec("begin immediate"); // another process may be migrating: look again inside
  try {
    const version = versionOf(database);
    if (version > MIGRATIONS.length) throw newerError(path, version);
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
    database.exec(`pragma user_version = ${MIGRATIONS.length}; commit`);
  } catch (error) {
    database.exec("rollback");
    throw error;
  }
}

/** The file is of a later version of superbell, which alone knows what is in it. */
export class NewerError extends Error {
  override readonly name = "NewerError";
}

function newerError(path: string, version: number): NewerError {
  return new NewerError(
    `Cannot use the outbox "${path}": it was written by a newer superbell (version ${version}, ` +
      `this one knows ${MIGRATIONS.length}); install that version again, or name another state_dir`,
  );
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("pragma user_version").get()!.user_version);
}

// Deno's types do not know "defensive", which forbids writable_schema; Node's do.
const FOR_SALVAGE = { readOnly: true, defensive: false };

/**
 * The rows of a damaged file's entries that can be read, from either end up to the damage; each
 * at least once. `columns` and `where` are SQL.
 */
export function* readDamaged(
  path: string,
  { columns, where }: { readonly columns: string; readonly where: string },
): Generator<Record<string, SQLOutputValue>> {
  const damaged = new DatabaseSync(path, FOR_SALVAGE);
  try {
    // SQLite reads nothing of a file that was cut, unless told that it is to be repaired.
    damaged.exec("pragma writable_schema = on");
    for (const order of ["asc", "desc"]) {
      try {
        yield* damaged.prepare(
          `select ${columns} from entry not indexed
           where (${where}) and json_valid(alert) order by id ${order}`,
        ).iterate();
      } catch {
        // what stands behind the damage cannot be read from this side
      }
    }
  } finally {
    damaged.close();
  }
}

/** Copies the waiting entries that can be read; answers how many. */
function salvage(from: string, into: DatabaseSync): number {
  let saved = 0;
  try {
    const insert = insertEntry(into, WAITING_COLUMNS);
    const rows = readDamaged(from, { columns: WAITING_COLUMNS.join(), where: "state = 'waiting'" });
    for (const row of rows) if (insert(row) !== undefined) saved++;
  } catch {
    // Nothing of it can be read; the file is kept for an expert.
  }
  return saved;
}

/** Creates the file for the owner alone; SQLite gives its -wal and -shm the same mode. */
function createPrivately(path: string): void {
  Deno.openSync(path, { create: true, write: true, mode: 0o600 }).close();
}
