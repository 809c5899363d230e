// Time for the parts that act. The core gets instants as parameters; what waits gets a clock,
// so that tests need not.

/** Tells the time and waits. */
export interface Clock {
  /** Milliseconds since 1970 UTC, as far as the host knows: it may be set back or forth. */
  now(): number;
  /** Milliseconds since some start; nobody sets it. For waits that need not survive us. */
  monotonic(): number;
  /** Resolves after the time, or at once when the signal aborts. Never rejects. */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

/** A timer may come that much early or late. */
const SLACK_MS = 20;

/**
 * How long to wait to look about once in so long: until the next multiple of it, so that all who
 * look now and then do so at the same moments, and the processor is woken once for them.
 */
export function untilBeatMs(clock: Pick<Clock, "monotonic">, everyMs: number): number {
  const leftMs = everyMs - clock.monotonic() % everyMs;
  return leftMs < SLACK_MS ? leftMs + everyMs : leftMs;
}

/** The real one. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(durationMs, signal) {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, durationMs);
      signal.addEventListener("abort", finish);
    });
  },
};
