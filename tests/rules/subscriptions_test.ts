import { subscriptionsFor } from "../../src/rules/subscriptions.ts";
import { CONDITION_WORDS, type ConditionWord, type Rule } from "../../src/rules/rule.ts";
import { assertEquals } from "../support/assert.ts";

const rule = (...on: ConditionWord[]): Rule => ({ name: "r", on, where: {}, to: [] });

const ALWAYS = "PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION";

const ROWS: readonly [readonly Rule[], string][] = [
  [[], `${ALWAYS},TICK_60`],
  [[rule("crash")], `${ALWAYS},TICK_60`],
  [[rule("crash", "exit"), rule("crash")], `${ALWAYS},TICK_60`],
  [[rule("remote_communication")], `${ALWAYS},TICK_60`],
  [[rule("tick")], `${ALWAYS},TICK_60`],
  [[rule("gap", "channel_failing"), rule("channel_recovered")], `${ALWAYS},TICK_60`],
  [
    [rule("fatal"), rule("process_log", "supervisor_stopping"), rule("process_log")],
    `${ALWAYS},PROCESS_LOG,TICK_60`,
  ],
  // Supervisord 3.0 refuses a section with these, so they are asked for by need only.
  [[rule("group_added")], `${ALWAYS},PROCESS_GROUP_ADDED,TICK_60`],
];
for (const [rules, events] of ROWS) {
  Deno.test(`subscriptionsFor() asks for ${events}`, () => {
    assertEquals(subscriptionsFor(rules).join(), events);
  });
}

/** Types that supervisord 3.0 to 4.3 knows; it refuses a section that names another. */
const KNOWN =
  /^(PROCESS_STATE|PROCESS_LOG|PROCESS_COMMUNICATION|REMOTE_COMMUNICATION|PROCESS_GROUP_(ADDED|REMOVED)|SUPERVISOR_STATE_CHANGE|TICK_60)$/;

for (const word of CONDITION_WORDS) {
  Deno.test(`subscriptionsFor() asks for events that supervisord knows for ${word}`, () => {
    for (const event of subscriptionsFor([rule(word)])) {
      assertEquals(KNOWN.test(event), true, event);
    }
  });
}
