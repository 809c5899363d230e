// When to try again. Pure: attempts and a random number in, a time out.

/** The pace of retries. */
export interface RetryPolicy {
  /** The wait after the first failure. */
  readonly firstMs: number;
  /** The longest wait. */
  readonly mostMs: number;
  /** An entry older than this that fails once more is dead. */
  readonly giveUpAfterMs: number;
}

/**
 * The wait after the given number of failed attempts (1 or more): doubling up to the longest,
 * less up to half of it by chance (`random` in [0, 1)), so that channels that failed together
 * do not come back together.
 */
export function backoffMs(policy: RetryPolicy, attempts: number, random: number): number {
  const doublings = Math.min(attempts - 1, 40);
  const fullMs = Math.min(policy.mostMs, policy.firstMs * 2 ** doublings);
  return Math.round(fullMs * (1 - random / 2));
}
