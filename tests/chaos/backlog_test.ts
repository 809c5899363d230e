// The short form of the proof; make chaos runs it in full.

import { assertEquals } from "../support/assert.ts";
import { backlog } from "./backlog.ts";

Deno.test("5,000 entries that wait are sent in order, each once", async () => {
  const counts = await backlog({ single: 500, gathered: 4500, starts: 1, say() {} });
  const { single, gathered, waiting } = counts;
  assertEquals([single.taken, gathered.taken, waiting], [500, 4500, 0]);
  assertEquals([single.outOfOrder, gathered.outOfOrder], [0, 0]);
  assertEquals([single.takenAgain, gathered.takenAgain], [0, 0]);
});
