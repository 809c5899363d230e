// Wakes the rules when something is due without an event: a reminder, the end of a silence, that
// a process has run for long enough.

import type { Clock } from "./clock.ts";

/** What a timer works with. */
export interface RuleTimerOptions {
  /** When something is due next; undefined: nothing is. */
  readonly nextDueMs: () => number | undefined;
  /** Something is due, or will be as soon as it is noticed that the clock was set back. */
  readonly onDue: () => void;
  readonly clock: Clock;
}

/** Sleeps are short, so that a clock that was set makes nothing late by more than this. */
const LONGEST_SLEEP_MS = 60_000;

/** A clock that is set by less makes nothing late by more than this. */
const CLOCK_SET_MS = 2000;

/** Sleeps until something is due, again and again. */
export class RuleTimer {
  readonly #options: RuleTimerOptions;
  #wake = new AbortController();
  /** Until when it sleeps, by the clock that nobody sets. */
  #untilMs = -Infinity;

  constructor(options: RuleTimerOptions) {
    this.#options = options;
  }

  /** Says that something may be due earlier than before; costs next to nothing. */
  heed(): void {
    if (this.#sleepMs() + this.#options.clock.monotonic() < this.#untilMs) this.#wake.abort();
  }

  /** Works until the signal. */
  async run(stop: AbortSignal): Promise<void> {
    const { nextDueMs, onDue, clock } = this.#options;
    const skewMs = () => clock.now() - clock.monotonic();
    let skewBeforeMs = skewMs();
    while (!stop.aborted) {
      const sleepMs = this.#sleepMs();
      if (sleepMs > 0) {
        this.#wake = new AbortController();
        this.#untilMs = clock.monotonic() + sleepMs;
        await clock.sleep(sleepMs, AbortSignal.any([stop, this.#wake.signal]));
      }
      if (stop.aborted) return;
      const dueMs = nextDueMs();
      const isSet = Math.abs(skewMs() - skewBeforeMs) > CLOCK_SET_MS;
      skewBeforeMs = isSet ? skewMs() : skewBeforeMs;
      if (isSet || (dueMs !== undefined && dueMs <= clock.now())) onDue();
      else if (sleepMs <= 0) await clock.sleep(1, stop); // a clock that steps back meanwhile
    }
  }

  #sleepMs(): number {
    const { nextDueMs, clock } = this.#options;
    const dueMs = nextDueMs();
    const waitMs = dueMs === undefined ? LONGEST_SLEEP_MS : dueMs - clock.now();
    return Math.min(LONGEST_SLEEP_MS, Math.max(0, waitMs));
  }
}
