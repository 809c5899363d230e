// The short form of the proof; make chaos runs it in full.

import { assertEquals, assertLessOrEqual } from "../support/assert.ts";
import { killNine } from "./kill_nine.ts";

Deno.test("killed -9 in a storm, with services that fail, every alert is taken", async () => {
  const counts = await killNine({
    incidents: 80,
    kills: 12,
    campaignMs: 8000,
    seed: 20261121,
    say() {},
  });
  assertEquals(counts.kills, 12);
  assertEquals([counts.hook.taken, counts.robot.taken], [80, 80]);
  assertEquals([counts.waiting, counts.dead], [0, 0]);
  // What can be taken twice is what was under way at a kill, or what the service itself broke.
  const lost = counts.treatments.get("loses-answer") ?? 0;
  for (const { messagesAgain } of [counts.hook, counts.robot]) {
    assertLessOrEqual(messagesAgain, counts.kills + lost);
  }
});
