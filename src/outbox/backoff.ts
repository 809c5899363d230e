// When to try again, and when no more. Pure: attempts, times and a random number in.

/** The pace of retries. */
export interface RetryPolicy {
  /** The wait after the first failure. */
  readonly firstMs: number;
  /** The longest wait. */
  readonly mostMs: number;
  /** An entry older than this that fails once more is dead. */
  readonly giveUpAfterMs: number;
}

/** So many attempts show that time has really passed: about four minutes of waits. */
const ATTEMPTS_THAT_PROVE_AGE = 8;

/**
 * The wait after the given number of failed attempts (1 or more): doubling up to the longest,
 * less up to half of it by chance (`random` in [0, 1)), so that channels that failed together
 * do not come back together.
 */
export function backoffMs(policy: RetryPolicy, attempts: number, random: number): number {
  return Math.round(fullWaitMs(policy, attempts) * (1 - random / 2));
}

/**
 * Whether an entry that failed so often has been tried for long enough. Its age alone does not
 * tell: a host without a battery for its clock starts in 1970, and an hour later it is 2026.
 */
export function givesUp(
  policy: RetryPolicy,
  { ageMs, attempts }: { readonly ageMs: number; readonly attempts: number },
): boolean {
  return ageMs >= policy.giveUpAfterMs && attempts >= fewestAttempts(policy);
}

/** So many attempts a steady clock leaves time for, or those that prove the age if fewer. */
function fewestAttempts(policy: RetryPolicy): number {
  let attempts = 1;
  let passedMs = 0;
  while (passedMs < policy.giveUpAfterMs && attempts < ATTEMPTS_THAT_PROVE_AGE) {
    passedMs += fullWaitMs(policy, attempts);
    attempts++;
  }
  return attempts;
}

function fullWaitMs(policy: RetryPolicy, attempts: number): number {
  const doublings = Math.min(attempts - 1, 40);
  return Math.min(policy.mostMs, policy.firstMs * 2 ** doublings);
}
