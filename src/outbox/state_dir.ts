// The state directory: one listener at a time, and an outbox that works again as soon as the
// directory can be used, without a restart.

import type { KeepOptions } from "./connection.ts";
import { NewerError, type Sync } from "./open.ts";
import { Outbox, OUTBOX_FILE } from "./outbox.ts";

/** The lock's file inside state_dir. */
const LOCK_FILE = "superbell.lock";

/** A visitor looks at the lock by taking it for a moment: whoever finds it taken looks again. */
const LOCK_TRIES = 3;
const LOCK_PAUSE_MS = 20;

/** Who holds the directory, as it stands in the lock's file for those who ask. */
export interface Holder {
  readonly pid: number;
  readonly sinceMs: number;
  readonly version: string;
}

/** The right to use the directory. It ends with the process, however that ends. */
export class StateLock implements Disposable {
  readonly #stateDir: string;
  readonly #holder: Holder | undefined;
  #file: Deno.FsFile | undefined;

  constructor(stateDir: string, holder?: Holder) {
    this.#stateDir = stateDir;
    this.#holder = holder;
  }

  /**
   * Takes the directory for this process, creating it where it is missing; once more if it was
   * removed. Throws a HeldError when another listener holds it: two would send every message
   * twice as soon as one lets the other's claims go.
   */
  take(): void {
    const path = `${this.#stateDir}/${LOCK_FILE}`;
    if (this.#file !== undefined && isAt(path, this.#file)) return;
    Deno.mkdirSync(this.#stateDir, { recursive: true, mode: 0o700 });
    const file = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
    let isOurs = false;
    try {
      isOurs = tryLock(file);
    } finally {
      if (!isOurs) file.close();
    }
    if (!isOurs) {
      throw new HeldError(
        `another superbell uses state_dir "${this.#stateDir}"; give each listener a state_dir of ` +
          `its own, and leave numprocs at 1`,
      );
    }
    this.#file?.close();
    this.#file = file;
    this.#sign(file);
  }

  /** Says in the file who holds it. */
  #sign(file: Deno.FsFile): void {
    if (this.#holder === undefined) return;
    try {
      file.truncateSync();
      file.writeSync(new TextEncoder().encode(JSON.stringify(this.#holder) + "\n"));
    } catch {
      // A full disk: it is held all the same, and nobody can say by whom.
    }
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** What can be seen of the listener from outside. */
export interface ListenerSeen {
  /** Whether it runs now. */
  readonly runs: boolean;
  /** The one that runs, else the last one; undefined where it could not say. */
  readonly holder: Holder | undefined;
}

/** Whether a listener uses the directory now; throws where that cannot be seen. */
export function seeListener(stateDir: string): ListenerSeen {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(`${stateDir}/${LOCK_FILE}`, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { runs: false, holder: undefined };
    throw error;
  }
  try {
    const runs = !file.tryLockSync(false);
    if (!runs) file.unlockSync();
    return { runs, holder: parseHolder(Deno.readTextFileSync(`${stateDir}/${LOCK_FILE}`)) };
  } finally {
    file.close();
  }
}

/** When a listener first used the directory; undefined where none has, or the disk does not say. */
export function lockMadeMs(stateDir: string): number | undefined {
  try {
    return Deno.statSync(`${stateDir}/${LOCK_FILE}`).birthtime?.getTime();
  } catch {
    return undefined;
  }
}

/** Undefined for a file that was not written to its end. */
function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, sinceMs, version } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid !== "number" || typeof sinceMs !== "number") return undefined;
    return { pid, sinceMs, version: String(version) };
  } catch {
    return undefined;
  }
}

function tryLock(file: Deno.FsFile): boolean {
  for (let tries = 1; !file.tryLockSync(true); tries++) {
    if (tries === LOCK_TRIES) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS);
  }
  return true;
}

/** Another listener holds the lock. */
export class HeldError extends Error {
  override readonly name = "HeldError";
}

/** What openStateDir says and to whom. */
export interface StateDirOptions extends Pick<KeepOptions, "nowMs" | "busyMs" | "restMs"> {
  readonly lock: StateLock;
  /** Told, in a sentence, what a person must know or mend. */
  readonly onTrouble: (what: string) => void;
}

/**
 * The outbox of the directory. Where that cannot be used, which is said aloud, the outbox throws
 * until it can. Throws only what a restart does not mend: the directory of another listener, or
 * a file of a newer superbell.
 */
export function openStateDir(
  settings: { readonly stateDir: string; readonly sync: Sync },
  { lock, onTrouble, ...options }: StateDirOptions,
): Outbox {
  const path = `${settings.stateDir}/${OUTBOX_FILE}`;
  const outbox = Outbox.keep(path, {
    ...options,
    sync: settings.sync,
    beforeOpen: () => lock.take(),
    onSetAside: ({ to, saved }) =>
      onTrouble(
        `the outbox was damaged: it was set aside as "${to}" and a fresh one begun with the ` +
          `${saved} waiting entries that could still be read`,
      ),
    onReplaced: ({ carried }) =>
      onTrouble(
        `"${path}" was removed or replaced while it was in use: ${carried} entries were carried ` +
          `over into the file that is there now`,
      ),
  });
  try {
    outbox.follow();
  } catch (error) {
    if (error instanceof HeldError || error instanceof NewerError) throw error;
    onTrouble(
      `cannot use "${path}": ${error instanceof Error ? error.message : error}; until it can be ` +
        `used, messages are kept in memory only and are lost if superbell ends before they are ` +
        `delivered`,
    );
  }
  return outbox;
}

function isAt(path: string, file: Deno.FsFile): boolean {
  try {
    const [there, ours] = [Deno.statSync(path), file.statSync()];
    return there.dev === ours.dev && there.ino === ours.ino;
  } catch {
    return false;
  }
}
