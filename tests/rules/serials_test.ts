// The serials of our pool, as rows: what was the last one, what came, what is missing then.

import {
  countMissing,
  type PoolSerials,
  serialsAfter,
  withoutMissing,
  withSerial,
} from "../../src/rules/serials.ts";
import { assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

const after = (last: number | undefined, came: readonly number[]): PoolSerials =>
  came.reduce(withSerial, serialsAfter(last));

const ROWS: readonly [string, number | undefined, readonly number[], missing: number][] = [
  ["nothing is known: any may come first", undefined, [57], 0],
  ["one after the other", undefined, [57, 58, 59], 0],
  ["a jump", undefined, [57, 60], 2],
  ["two jumps", undefined, [1, 4, 9], 6],
  ["a jump behind what the last life noted", 9, [12], 2],
  ["the next one after it", 9, [10, 11], 0],
  ["the same one again: it was not answered", 9, [9, 10], 0],
  ["the same one again in between", undefined, [7, 7, 8, 8], 0],
  ["refused ones come before those that wait", undefined, [5, 8, 6, 7, 9], 0],
  ["one of several that are missing comes", undefined, [5, 9, 7], 2],
  ["the first of them, the last of them", undefined, [5, 9, 6, 8], 1],
  ["a new pool begins at 0", 57, [0, 1, 2], 0],
  ["a new pool has dropped its first ones", 57, [12], 12],
  ["a new pool, and refused ones first", 57, [2, 0, 1, 3], 0],
  ["a new supervisord", -1, [0, 1], 0],
  ["a new supervisord has dropped its first ones", -1, [84], 84],
  ["what was given up already is no new pool", undefined, [57, 60, 3], 2],
];
for (const [what, last, came, missing] of ROWS) {
  Deno.test(`withSerial(): ${what}`, () => {
    assertEquals(countMissing(after(last, came)), missing);
  });
}

Deno.test("withSerial() knows again what was given up", () => {
  const serials = withoutMissing(after(undefined, [1, 9]));
  assertEquals(countMissing(serials), 0);
  assertEquals(countMissing([5, 10, 3, 11].reduce(withSerial, serials)), 0);
  assertEquals(countMissing([5, 12].reduce(withSerial, serials)), 2);
});

Deno.test("withSerial() counts what is missing, in whatever order the others come", () => {
  const random = new Random(20261121);
  for (let round = 0; round < 300; round++) {
    const came: number[] = [100];
    let dropped = 0;
    for (let serial = 101; serial < 160; serial++) {
      if (random.chance(0.3)) dropped++;
      else if (random.chance(0.2)) came.splice(Math.max(1, came.length - 3), 0, serial);
      else came.push(serial);
    }
    came.push(160);
    const missing = countMissing(came.reduce(withSerial, serialsAfter(99)));
    assertEquals(missing, dropped, `seed ${random.seed}, round ${round}: ${came}`);
  }
});
