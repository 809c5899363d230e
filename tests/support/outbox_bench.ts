// An outbox on a real file, and entries to put into it.

import type { Attempt, NewEntry } from "../../src/outbox/entry.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { Folder } from "./folder.ts";
import { ALERT } from "./message.ts";

export const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
export const LEASE = { nowMs: NOW, leaseMs: 40_000 };

/** An alert with this id for the channel. */
export function entryFor(id: string, channel = "c"): NewEntry {
  return { alert: { ...ALERT, id }, channel };
}

/** An attempt that failed, with what a test wants to be different. */
export function attemptOf(changes: Partial<Attempt> = {}): Attempt {
  return { atMs: NOW, tookMs: 5, outcome: "retry", reason: "busy", ...changes };
}

/** An outbox in a folder of its own, and a way to close and open it again. */
export class OutboxBench implements Disposable {
  readonly #folder = new Folder();
  outbox = this.#open();

  #open(): Outbox {
    return Outbox.open(this.#folder.file("superbell.db"), { nowMs: NOW });
  }

  reopen(): Outbox {
    this.outbox.close();
    return this.outbox = this.#open();
  }

  [Symbol.dispose](): void {
    this.outbox.close();
    this.#folder[Symbol.dispose]();
  }
}

/** One entry in each state: 1 delivered, 2 dead, 3 dropped, 4 waiting, 5 claimed. */
export function inAllStates(outbox: Outbox): void {
  const outcomes = ["delivered", "rejected"] as const;
  for (const [index, outcome] of outcomes.entries()) {
    outbox.enqueue([entryFor(`x${index}`, "e")], NOW);
    outbox.settle(outbox.claim("e", LEASE)!, { attempt: attemptOf({ outcome }) });
  }
  outbox.enqueue([entryFor("dropped", "e")], NOW);
  outbox.entries.drop([3], NOW);
  outbox.enqueue([entryFor("waiting", "c")], NOW);
  outbox.enqueue([entryFor("claimed", "d")], NOW);
  outbox.claim("d", LEASE);
}
