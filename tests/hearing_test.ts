import type { Event } from "../src/events/event.ts";
import { parseEvent } from "../src/events/parse.ts";
import { Hearing } from "../src/hearing.ts";
import { assertEquals } from "./support/assert.ts";
import { frameOf } from "./support/frames.ts";

const NOW = 1_800_000_000_000;
const SECOND = 1000;

/** An end that was found by asking. */
function foundAt(atMs: number | undefined, server = "supervisor"): Event {
  return {
    kind: "process_exited",
    origin: {
      server,
      eventname: "PROCESS_STATE_EXITED",
      identity: "web:api 42",
      reconciled: true,
      ...(atMs !== undefined && { atMs }),
    },
    process: { name: "api", group: "web" },
    fromState: "RUNNING",
    pid: 42,
    expected: false,
  };
}

/** What was heard: the event, its serial in the pool, and how many seconds from now. */
type Heard = readonly [eventname: string, poolserial: number, atS: number];

const FIRST: Heard = ["TICK_60", 0, -1];
const ROWS: readonly (readonly [string, readonly Heard[], Event, boolean])[] = [
  ["it is lacking", [FIRST, ["TICK_60", 1, 60]], foundAt(NOW), true],
  ["the first of a pool says that none was before", [["TICK_60", 0, 60]], foundAt(NOW), true],
  ["any other first says nothing of before", [["TICK_60", 1, 60]], foundAt(NOW), false],
  [
    "it says so of what came after it",
    [["TICK_60", 8, -60], ["TICK_60", 9, 60]],
    foundAt(NOW),
    true,
  ],
  ["nothing was heard", [], foundAt(NOW), false],
  ["nothing newer was heard", [FIRST], foundAt(NOW), false],
  ["what was heard may be no newer", [FIRST, ["TICK_60", 1, 1]], foundAt(NOW), false],
  ["nobody knows when it was", [FIRST, ["TICK_60", 1, 60]], foundAt(undefined), false],
  [
    "one of its type was heard",
    [["PROCESS_STATE_EXITED", 0, -60], ["TICK_60", 1, 60]],
    foundAt(NOW),
    false,
  ],
  [
    "another supervisord was asked than the one that is heard",
    [FIRST, ["TICK_60", 1, 60]],
    foundAt(NOW, "other"),
    false,
  ],
];

for (const [what, heard, event, expected] of ROWS) {
  Deno.test(`Hearing tells whether the section lacks the type of an event: ${what}`, () => {
    const hearing = new Hearing();
    for (const [eventname, serial, atS] of heard) {
      const frame = frameOf({ eventname, serial, payload: "when:60" });
      hearing.hear(parseEvent(frame), NOW + atS * SECOND);
    }
    assertEquals(hearing.isUnsubscribed(event), expected);
  });
}
