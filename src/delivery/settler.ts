// Writes down how attempts ended, now or as soon as the outbox takes it: what was sent must not
// be sent again and again because the disk is full.

import type { CarefulUse } from "./careful_use.ts";
import type { Claim, Entry, EntryState, Outbox, Settlement } from "../outbox/outbox.ts";

/** An attempt that was made, and the outbox that holds its entries. */
export interface Unsettled {
  readonly outbox: Outbox;
  readonly claim: Claim;
  readonly settlement: Settlement;
}

/** An entry's state after an attempt; "unsettled" while that cannot be written down. */
export type SettledState = EntryState | "unsettled";

/** Settles the entries of one channel. */
export class Settler {
  readonly #use: CarefulUse;
  #unsettled: readonly Unsettled[] = [];

  constructor(use: CarefulUse) {
    this.#use = use;
  }

  /** Answers the state that each entry has then: "dropped" where it was taken out meanwhile. */
  settle(unsettled: Unsettled): (entry: Entry) => SettledState {
    const { outbox, claim, settlement } = unsettled;
    const settled = this.#use.ask(outbox, () => outbox.settle(claim, settlement));
    if (settled === undefined) {
      this.#unsettled = [...this.#unsettled, unsettled];
      return () => "unsettled";
    }
    return (entry) => settled.find((other) => other.entry === entry)?.state ?? "dropped";
  }

  /** Writes down what this outbox did not take so far; throws when it still does not. */
  settlePast(outbox: Outbox): true {
    for (const unsettled of this.#unsettled.filter((other) => other.outbox === outbox)) {
      outbox.settle(unsettled.claim, unsettled.settlement);
      this.#unsettled = this.#unsettled.filter((other) => other !== unsettled);
    }
    return true;
  }

  /** When the attempts were made that are written down nowhere. */
  attemptTimes(): readonly number[] {
    return this.#unsettled.map(({ settlement }) => settlement.attempt.atMs);
  }

  /** The last chance to write them down; answers those for which it failed. */
  settleLeft(): readonly Unsettled[] {
    return this.#unsettled.filter(({ outbox }) =>
      this.#use.ask(outbox, () => this.settlePast(outbox)) === undefined
    );
  }
}
