import { CHECK_EVERY_MS, SignOfLife } from "../../src/listener/sign_of_life.ts";
import { assertEquals } from "../support/assert.ts";

/** How many checks in silence it takes until the listener counts as deaf. */
function checksUntilDeaf(sign: SignOfLife): number {
  for (let checks = 1; checks < 1000; checks++) if (sign.isDeaf()) return checks;
  return Infinity;
}

const CASES: readonly (readonly [string, readonly string[], number])[] = [
  ["no event at all", [], Infinity],
  ["no tick among the events", ["PROCESS_STATE_EXITED"], Infinity],
  ["ticks every minute", ["TICK_60"], 200_000 / CHECK_EVERY_MS],
  ["ticks every five seconds", ["TICK_5"], 30_000 / CHECK_EVERY_MS],
  ["the shortest of several periods", ["TICK_3600", "TICK_60"], 200_000 / CHECK_EVERY_MS],
];

for (const [name, events, checks] of CASES) {
  Deno.test(`SignOfLife is deaf after ${checks} silent checks with ${name}`, () => {
    const sign = new SignOfLife();
    for (const eventname of events) sign.heard(eventname);
    assertEquals(checksUntilDeaf(sign), checks);
  });
}

Deno.test("SignOfLife says once that nothing has come since the start", () => {
  const sign = new SignOfLife();
  const said = Array.from({ length: 100 }, () => {
    sign.isDeaf();
    return sign.isSilentStart();
  });
  assertEquals(said.indexOf(true), 240_000 / CHECK_EVERY_MS - 1);
  assertEquals(said.filter((silent) => silent).length, 1);
  const other = new SignOfLife();
  other.heard("PROCESS_STATE_EXITED");
  for (let check = 0; check < 100; check++) {
    other.isDeaf();
    assertEquals(other.isSilentStart(), false);
  }
});

Deno.test("SignOfLife hears any event", () => {
  const sign = new SignOfLife();
  sign.heard("TICK_60");
  for (let checks = 0; checks < 100; checks++) {
    assertEquals(sign.isDeaf(), false);
    sign.heard("PROCESS_LOG_STDOUT");
  }
});
