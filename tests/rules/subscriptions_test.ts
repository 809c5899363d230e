import { subscriptionsFor } from "../../src/rules/subscriptions.ts";
import { CONDITION_WORDS, type ConditionWord, type Rule } from "../../src/rules/rule.ts";
import { assertEquals } from "../support/assert.ts";

const rule = (...on: ConditionWord[]): Rule => ({ name: "r", on, where: {}, to: [] });

const ROWS: readonly [readonly Rule[], string][] = [
  [[], "TICK_60"],
  [[rule("crash")], "PROCESS_STATE_EXITED,TICK_60"],
  [[rule("crash", "exit"), rule("crash")], "PROCESS_STATE_EXITED,TICK_60"],
  [[rule("tick")], "TICK_60"],
  [
    [rule("fatal"), rule("process_log", "supervisor_stopping")],
    "PROCESS_STATE_FATAL,PROCESS_LOG,SUPERVISOR_STATE_CHANGE_STOPPING,TICK_60",
  ],
];
for (const [rules, events] of ROWS) {
  Deno.test(`subscriptionsFor() asks for ${events}`, () => {
    assertEquals(subscriptionsFor(rules).join(), events);
  });
}

/** Types that supervisord 3.0 to 4.3 knows; it refuses a section that names another. */
const KNOWN =
  /^(PROCESS_STATE_(STARTING|RUNNING|BACKOFF|STOPPING|EXITED|STOPPED|FATAL|UNKNOWN)|PROCESS_LOG|PROCESS_COMMUNICATION|REMOTE_COMMUNICATION|PROCESS_GROUP_(ADDED|REMOVED)|SUPERVISOR_STATE_CHANGE_(RUNNING|STOPPING)|TICK_60)$/;

for (const word of CONDITION_WORDS) {
  Deno.test(`subscriptionsFor() asks for events that supervisord knows for ${word}`, () => {
    for (const event of subscriptionsFor([rule(word)])) {
      assertEquals(KNOWN.test(event), true, event);
    }
  });
}
