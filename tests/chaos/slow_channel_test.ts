// The short form of the proof; make chaos runs it in full.

import { assertEquals, assertGreater } from "../support/assert.ts";
import { slowChannel } from "./slow_channel.ts";

Deno.test("a slow channel loses no crash and holds up no answer", async () => {
  const counts = await slowChannel({
    crashes: 12,
    answerAfterMs: 300,
    spreadMs: 1000,
    concurrency: 4,
    bufferSize: 10,
    say() {},
  });
  assertEquals([counts.toldByHook, counts.toldByRobot, counts.sentTwice], [12, 12, 0]);
  // Each event that reached us was answered, while most messages were still on their way.
  assertGreater(counts.waitsMs.length, 11 - counts.discarded);
});
