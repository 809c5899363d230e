import { backoffMs } from "../../src/outbox/backoff.ts";
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
