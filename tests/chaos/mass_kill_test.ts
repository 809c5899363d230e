// The short form of the proof; make chaos runs it in full.

import { assert, assertEquals, assertGreater, assertLess } from "../support/assert.ts";
import { massKill, sumOf } from "./mass_kill.ts";

const PROGRAMS = 40;

Deno.test("programs killed in one instant are all told, each once", async (t) => {
  const all = await Promise.all(
    [true, false].map((autorestart) =>
      massKill({ programs: PROGRAMS, autorestart, bufferSize: 10, say() {} })
    ),
  );
  for (const counts of all) {
    await t.step(`autorestart=${counts.options.autorestart}`, () => {
      // Otherwise it proves nothing.
      assertGreater(counts.discarded, 0);
      assertLess(counts.naive, PROGRAMS);
      assertEquals(counts.told, PROGRAMS);
      assertEquals([counts.toldTwice, counts.sentTwice, counts.afterRestart], [0, 0, 0]);
      assertGreater(counts.inMessages, PROGRAMS - 1);
      assertEquals(sumOf(counts.gaps), counts.discarded);
      assert(counts.stillTells);
    });
  }
});
