import { backoffMs, givesUp } from "../../src/outbox/backoff.ts";
import { assertEquals } from "../support/assert.ts";

const POLICY = { firstMs: 2000, mostMs: 600_000, giveUpAfterMs: 1 };

/** Attempts, random number, milliseconds. */
const ROWS = [
  [1, 0, 2000],
  [2, 0, 4000],
  [3, 0, 8000],
  [9, 0, 512_000],
  [10, 0, 600_000],
  [11, 0, 600_000],
  [100_000, 0, 600_000],
  [1, 0.5, 1500],
  [1, 0.999999, 1000],
  [10, 0.999999, 300_000],
  [2, 0.25, 3500],
] as const;

for (const [attempts, random, wanted] of ROWS) {
  Deno.test(`backoffMs() waits ${wanted} ms after attempt ${attempts} with chance ${random}`, () => {
    assertEquals(backoffMs(POLICY, attempts, random), wanted);
  });
}

Deno.test("backoffMs() never waits longer than the longest, even when the first is longer", () => {
  assertEquals(backoffMs({ ...POLICY, firstMs: 5000, mostMs: 1000 }, 1, 0), 1000);
});

const THREE_DAYS = { firstMs: 2000, mostMs: 600_000, giveUpAfterMs: 3 * 86_400_000 };

for (
  const [policy, ageMs, attempts, expected] of [
    [THREE_DAYS, 3 * 86_400_000, 400, true],
    [THREE_DAYS, 3 * 86_400_000 - 1, 400, false],
    [THREE_DAYS, 56 * 365 * 86_400_000, 1, false], // the clock was set forth
    [THREE_DAYS, 56 * 365 * 86_400_000, 7, false],
    [THREE_DAYS, 56 * 365 * 86_400_000, 8, true],
    [{ ...THREE_DAYS, giveUpAfterMs: 10_000 }, 10_000, 3, false],
    [{ ...THREE_DAYS, giveUpAfterMs: 10_000 }, 10_000, 4, true],
    [{ ...THREE_DAYS, giveUpAfterMs: 0 }, 0, 1, true],
  ] as const
) {
  Deno.test(`givesUp() is ${expected} after ${attempts} attempts in ${ageMs} of ${policy.giveUpAfterMs} ms`, () => {
    assertEquals(givesUp(policy, { ageMs, attempts }), expected);
  });
}
