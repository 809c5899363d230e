// The short form of the proof; make chaos runs it in full.

import { assertEquals } from "../support/assert.ts";
import { faults } from "./faults.ts";

Deno.test("after each way to fail, all alerts come through", async (t) => {
  const all = await faults({ alerts: 3, downMs: 0, atOnce: 20, say() {} });
  for (const { name, skipped, taken, takenAgain, dead } of all) {
    await t.step({
      name: skipped === undefined ? name : `${name} (${skipped})`,
      ignore: skipped !== undefined,
      fn: () => assertEquals({ taken, takenAgain, dead }, { taken: 3, takenAgain: 0, dead: 0 }),
    });
  }
});
