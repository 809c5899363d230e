// How the commands look into the state directory: beside the listener, who alone creates,
// migrates and repairs what is in it.

import { Connection } from "../outbox/connection.ts";
import { type Access, isDamage } from "../outbox/open.ts";
import { OUTBOX_FILE } from "../outbox/outbox.ts";
import { type ListenerSeen, seeListener } from "../outbox/state_dir.ts";
import type { Settings } from "../settings.ts";

/** Where the settings' outbox is. */
export function outboxPath({ stateDir }: Settings): string {
  return `${stateDir}/${OUTBOX_FILE}`;
}

/** Does the work with the outbox; where that cannot be, throws a sentence that says what helps. */
export function visiting<Value>(
  settings: Settings,
  access: Access,
  work: (outbox: Connection) => Value,
): Value {
  const outbox = open(outboxPath(settings), access);
  try {
    return work(outbox);
  } finally {
    outbox.close();
  }
}

function open(path: string, access: Access): Connection {
  try {
    return Connection.visit(path, access);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(`there is no outbox yet: no file "${path}" (the listener creates it)`);
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new Error(`cannot open "${path}": permission denied; run this as the listener's user`);
    }
    // SQLite's words for a file that is there and that we may not read, or not write.
    if (error instanceof Error && error.message.startsWith("unable to open database file")) {
      throw new Error(`cannot open "${path}"; run this as root or as the listener's user`);
    }
    if (!(error instanceof Error) || isDamage(error) || error.message.includes(path)) throw error;
    throw new Error(`cannot open "${path}": ${error.message}`);
  }
}

/** What helps where the error says that the outbox is damaged; undefined for any other error. */
export function damageSentence(error: unknown, settings: Settings): string | undefined {
  if (!isDamage(error)) return undefined;
  return `the outbox "${outboxPath(settings)}" is damaged; restart the listener, which sets it ` +
    `aside and keeps the waiting entries that can still be read`;
}

/** The listener of the state directory; undefined where we may not look. */
export function listenerOf({ stateDir }: Settings): ListenerSeen | undefined {
  try {
    return seeListener(stateDir);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}
