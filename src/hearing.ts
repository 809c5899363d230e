// What this life of ours has heard of supervisord, and what follows from what it has not. The
// serials of a pool have no hole and come in their order: a type of event that happened, was not
// dropped and did not come is not among those that the section subscribes to.

import type { Event } from "./events/event.ts";

/** An end and an event must be so far apart for one to be surely the newer one. */
const APART_MS = 2000;

/** What has come in one life. */
export class Hearing {
  readonly #types = new Set<string>();
  /** Since then the serials say whether something was dropped. */
  #sinceMs: number | undefined;
  #lastMs = -Infinity;
  #server: string | undefined;

  /** Takes note of an event that a frame brought; costs next to nothing. */
  hear({ origin }: Event, atMs: number): void {
    this.#types.add(origin.eventname);
    // Before the first one of a pool there was none that could be dropped.
    this.#sinceMs ??= origin.poolserial === 0 ? -Infinity : atMs;
    this.#lastMs = atMs;
    this.#server = origin.server;
  }

  has(eventname: string): boolean {
    return this.#types.has(eventname);
  }

  /**
   * Whether an event that we found out, where no serial is missing, had come if the section had
   * its type: none of the type ever came, and a newer one of another type did.
   */
  isUnsubscribed({ origin: { eventname, server, atMs } }: Event): boolean {
    if (atMs === undefined || this.#sinceMs === undefined) return false;
    return !this.has(eventname) && server === this.#server &&
      this.#sinceMs <= atMs - APART_MS && this.#lastMs >= atMs + APART_MS;
  }
}
