// The outbox's way to its file, which comes back by itself: a file that cannot be opened is
// tried again, a damaged one is set aside, one that was removed while it was open is made anew
// with what the old one holds. While none of that works every use throws, and intake and
// delivery go on with the outbox in memory.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { carry } from "./carry.ts";
import {
  type Access,
  isBusy,
  isDamage,
  openDatabase,
  type OpenOptions,
  replaceDamaged,
  visitDatabase,
} from "./open.ts";

/** How the listener keeps its file. */
export interface KeepOptions extends OpenOptions {
  /** Runs before the file is opened; throws when that must not be (no lock on the directory). */
  readonly beforeOpen?: () => void;
  /** After a failure to open or to get the lock every use throws at once for so long. @default 0 */
  readonly restMs?: number;
  /** Told when the open file was no longer the one at its path; `carried` entries are in the new. */
  readonly onReplaced?: (replaced: { readonly carried: number }) => void;
}

/** What SQLite puts beside the file, by what it appends to the name. */
const SUFFIXES = ["", "-wal", "-shm"] as const;

/** One database and its prepared statements. */
export class Connection {
  readonly path: string;
  /** Undefined: a visitor, who repairs nothing. */
  readonly #options: KeepOptions | undefined;
  #database: DatabaseSync | undefined;
  readonly #statements = new Map<string, StatementSync>();
  /** Which files were opened, by suffix. */
  #files: readonly (string | undefined)[] = [];
  /** How often a file was opened; one that is damaged or gone is followed by another. */
  #generation = 0;
  /** Removed from its path, but open, and with entries that must not be lost. */
  #stray: DatabaseSync | undefined;
  #closed = false;
  #trouble: { readonly error: unknown; readonly untilMs: number } | undefined;

  private constructor(path: string, options: KeepOptions | undefined) {
    this.path = path;
    this.#options = options;
  }

  /** Opens nothing yet: the first use does, or a later one. */
  static keep(path: string, options: KeepOptions): Connection {
    return new Connection(path, options);
  }

  /** The database of a listener that may be running. */
  static visit(path: string, access: Access): Connection {
    const connection = new Connection(path, undefined);
    connection.#database = visitDatabase(path, access);
    return connection;
  }

  close(): void {
    this.#closed = true;
    this.#release();
    this.#stray?.close();
  }

  /** Another number means that another file may be in use. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether what is written survives a power cut. */
  get isSynced(): boolean {
    return this.#options?.sync === "full";
  }

  /** The open database; only for use inside run(). */
  get database(): DatabaseSync {
    if (this.#database === undefined) throw new Error("database is not open");
    return this.#database;
  }

  /** A statement, prepared once; only for use inside run(). */
  sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.database.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /** Does the work; when the file turns out to be damaged, once more on a fresh one. */
  run<Value>(work: () => Value): Value {
    if (this.#closed) throw new Error("database is not open");
    if (this.#trouble !== undefined && performance.now() < this.#trouble.untilMs) {
      throw this.#trouble.error;
    }
    try {
      if (this.#database === undefined) this.#open(openDatabase);
      return work();
    } catch (error) {
      if (isDamage(error) && this.#options !== undefined && this.path !== ":memory:") {
        this.#release();
        this.#open(replaceDamaged);
        return work();
      }
      if (isBusy(error) || this.#database === undefined) this.#rest(error);
      throw error;
    }
  }

  /** Does the work in one transaction. */
  transaction<Value>(work: () => Value): Value {
    return this.run(() => {
      this.sql("begin immediate").run();
      try {
        const value = work();
        this.sql("commit").run();
        return value;
      } catch (error) {
        // A failed commit (disk full) may have rolled back by itself.
        if (this.database.isTransaction) this.sql("rollback").run();
        throw error;
      }
    });
  }

  /** Makes sure that the file at the path is the open one; throws when there can be none. */
  follow(): void {
    const isOther = this.#database !== undefined && this.path !== ":memory:" &&
      fileAt(this.path) !== this.#files[0];
    if (isOther) {
      this.#stray?.close(); // lost twice within ten seconds: the older one's entries were carried
      this.#stray = this.#database;
      this.#database = undefined;
      this.#statements.clear();
      this.#removeLeftovers();
    }
    this.run(() => {});
  }

  #open(open: (path: string, options: OpenOptions) => DatabaseSync): void {
    const options = this.#options;
    if (options === undefined) throw new Error("database is not open");
    options.beforeOpen?.();
    const database = open(this.path, { ...options, nowMs: Date.now() });
    try {
      this.#takeStray(database);
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    this.#generation++;
    this.#files = SUFFIXES.map((suffix) => fileAt(this.path + suffix));
    this.#trouble = undefined;
  }

  #takeStray(into: DatabaseSync): void {
    if (this.#stray === undefined) return;
    into.exec("begin immediate");
    const { length: carried } = carry(this.#stray, { into, where: "state in ('waiting', 'dead')" });
    into.exec("commit");
    this.#stray.close();
    this.#stray = undefined;
    this.#options?.onReplaced?.({ carried });
  }

  /** The removed file's -wal and -shm must not meet the new file. */
  #removeLeftovers(): void {
    for (const [index, suffix] of SUFFIXES.entries()) {
      const path = this.path + suffix;
      if (
        suffix !== "" && this.#files[index] !== undefined && fileAt(path) === this.#files[index]
      ) {
        Deno.removeSync(path);
      }
    }
  }

  #rest(error: unknown): void {
    const restMs = this.#options?.restMs ?? 0;
    if (restMs > 0) this.#trouble = { error, untilMs: performance.now() + restMs };
  }

  #release(): void {
    this.#statements.clear();
    this.#database?.close();
    this.#database = undefined;
  }
}

/** Device and inode of what stands at the path; undefined: nothing does. */
function fileAt(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}
