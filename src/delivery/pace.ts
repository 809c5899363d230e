// How long a sender must wait so that its service does not mute it. The service counts every
// attempt, on whatever channel and wherever we wrote it down: disk and memory are one budget.

import type { CarefulUse } from "./careful_use.ts";
import type { Pace } from "../channels/channel.ts";
import type { Outbox } from "../outbox/outbox.ts";

/** The wait in milliseconds, 0 or less for none. `unwritten` are times of attempts elsewhere. */
export function paceWaitMs(
  pace: Pace,
  { outboxes, use, nowMs, unwritten }: {
    readonly outboxes: readonly Outbox[];
    readonly use: CarefulUse;
    readonly nowMs: number;
    readonly unwritten: readonly number[];
  },
): number {
  const times = outboxes.map((outbox) =>
    use.ask(outbox, () => outbox.attemptTimes(pace, nowMs)) ?? []
  );
  const waits = outboxes.map((outbox, index) => {
    const others = [...times.filter((_, other) => other !== index).flat(), ...unwritten];
    return (use.ask(outbox, () => outbox.paceFreeAtMs(pace, nowMs, others)) ?? 0) - nowMs;
  });
  return Math.max(0, ...waits);
}
