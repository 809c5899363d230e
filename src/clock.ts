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
