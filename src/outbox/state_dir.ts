// The state directory: one listener at a time, and a way on when it cannot be used.

import type { Sync } from "./open.ts";
import { Outbox, OUTBOX_FILE } from "./outbox.ts";

/** A held lock; `why` says why there is none. It ends with the process, however that ends. */
export interface StateLock extends Disposable {
  readonly why?: string;
}

/**
 * Takes the directory for this process. Throws when another listener holds it: two would send
 * every message twice as soon as one lets the other's claims go.
 */
export function lockStateDir(stateDir: string): StateLock {
  const path = `${stateDir}/superbell.lock`;
  let file: Deno.FsFile;
  try {
    Deno.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    file = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
  } catch (error) {
    return { why: `no lock on "${path}": ${message(error)}`, [Symbol.dispose]() {} };
  }
  if (!file.tryLockSync(true)) {
    file.close();
    throw new Error(
      `another superbell uses state_dir "${stateDir}"; give each listener a state_dir of its own, ` +
        `and leave numprocs at 1`,
    );
  }
  return { [Symbol.dispose]: () => file.close() };
}

/** The outbox of the directory; one in memory where the disk refuses, which is said aloud. */
export function openStateDir(
  settings: { readonly stateDir: string; readonly sync: Sync },
  { nowMs, onTrouble }: {
    readonly nowMs: number;
    /** Told, in a sentence, what a person must know or mend. */
    readonly onTrouble: (what: string) => void;
  },
): Outbox {
  const path = `${settings.stateDir}/${OUTBOX_FILE}`;
  try {
    return Outbox.open(path, {
      nowMs,
      sync: settings.sync,
      onSetAside: ({ to, saved }) =>
        onTrouble(
          `the outbox was damaged: it was set aside as "${to}" and a fresh one begun with the ` +
            `${saved} waiting entries that could still be read`,
        ),
    });
  } catch (error) {
    if (message(error).includes("newer superbell")) throw error;
    onTrouble(
      `cannot use "${path}": ${message(error)}; messages are kept in memory only and are lost if ` +
        `superbell ends before they are delivered; mend state_dir and restart`,
    );
    return Outbox.open(":memory:", { nowMs });
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
