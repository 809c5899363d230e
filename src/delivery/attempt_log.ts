// What the log says about an attempt.

import { formatDuration, formatRoughly } from "../config/duration.ts";
import type { Log } from "../log.ts";
import type { Attempt, Entry, Outbox } from "../outbox/outbox.ts";
import type { SettledState } from "./settler.ts";

/** For the log. The number of an entry in memory is that of another one on disk. */
export function nameOf({ id, alert, channel }: Entry, outbox: Outbox): string {
  const entry = outbox.isInMemory ? "an entry in memory" : `entry ${id}`;
  return `${entry} (alert ${alert.id}) to ${channel}`;
}

/** Says how an attempt ended for one entry. `waitMs`: until the next one. */
export function logAttempt(
  log: Log,
  entry: Entry,
  { outbox, attempt, state, waitMs }: {
    readonly outbox: Outbox;
    readonly attempt: Attempt;
    readonly state: SettledState;
    readonly waitMs: number;
  },
): void {
  const { outcome, reason } = attempt;
  const what = nameOf(entry, outbox);
  const fate = outcome === "delivered" ? "it was delivered" : "it was not delivered";
  switch (state) {
    case "delivered":
      return log.info(`delivered ${what}, attempt ${entry.attempts + 1}: ${reason}`);
    case "waiting": {
      const wait = waitMs < 1000 ? formatDuration(waitMs) : formatRoughly(waitMs);
      return log.warn(`not delivered ${what}: ${reason}; next try in ${wait}`);
    }
    case "rerouted":
      return log.warn(`not delivered ${what}: ${reason}; another channel stands in`);
    case "dropped":
      return log.warn(`${what} was dropped while it was being sent; ${fate}: ${reason}`);
    case "unsettled":
      return log.warn(`${what} was tried, and that cannot be written down; ${fate}: ${reason}`);
    case "dead": {
      const again = outbox.isInMemory
        ? "find it with superbell outbox list --state dead, once the disk has taken it"
        : `superbell outbox retry ${entry.id}`;
      return log.error(`gave up ${what}: ${reason}; when the cause is mended: ${again}`);
    }
  }
}
