// The index must answer what decide() does, of every event and however often it is asked.

import { ConfigNode, Reading } from "../../src/config/node.ts";
import { type Event, processOf } from "../../src/events/event.ts";
import { decide, type WithholdReason } from "../../src/rules/decide.ts";
import { processKey } from "../../src/rules/incident.ts";
import { parsePatterns } from "../../src/rules/parse.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { RuleIndex } from "../../src/rules/rule_index.ts";
import { assertEquals } from "../support/assert.ts";
import { eventOf } from "./scenarios/scenario.ts";

function patterns(...texts: string[]) {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  return parsePatterns(new ConfigNode(texts, "patterns", reading));
}

const RULES: readonly Rule[] = ([
  { on: ["crash", "fatal"], where: {} },
  { on: ["exit"], where: { process: patterns("web:*", "!web:canary") } },
  { on: ["flapping", "started"], where: { group: patterns("db") } },
  { on: ["process_log"], where: { process: patterns("api"), text: /ERROR/ } },
  { on: ["group_removed"], where: { group: patterns("!web") } },
  { on: ["tick", "supervisor_stopping"], where: {} },
] as const).map((rule, index) => ({ ...rule, name: `r${index}`, to: ["c"] }));

function state(word: string, name: string, rest = ""): Event {
  const [group, process] = name.split(":");
  const payload = `processname:${process} groupname:${group} from_state:RUNNING${rest}`;
  return eventOf(`PROCESS_STATE_${word}`, payload);
}

const NAMES = ["web:api", "web:canary", "db:main", "db:api", "job:once"];

const EVENTS: readonly Event[] = [
  ...NAMES.flatMap((name) => [
    state("EXITED", name, " expected:0 pid:7"),
    state("EXITED", name, " expected:1 pid:7"),
    state("RUNNING", name, " pid:7"),
    state("STARTING", name, " tries:0"),
    state("FATAL", name),
  ]),
  ...["an ERROR", "nothing"].map((text) =>
    eventOf("PROCESS_LOG_STDERR", `processname:api groupname:web pid:7 channel:stderr\n${text}`)
  ),
  ...["web", "db"].map((group) => eventOf("PROCESS_GROUP_REMOVED", `groupname:${group}\n`)),
  eventOf("TICK_60", "when:1"),
  eventOf("SUPERVISOR_STATE_CHANGE_STOPPING", ""),
];

/** What the index says, as decide() would put it. */
function answersOf(index: RuleIndex, event: Event, withhold: WithholdReason | undefined) {
  const process = processOf(event);
  return index.answers(event, { process: process && processKey(process), withhold })
    .map((answer) => typeof answer === "string" ? answer : answer.reason);
}

function decisionsOf(event: Event, withhold: WithholdReason | undefined) {
  return decide(RULES, event, withhold).map((match) =>
    match.verdict === "alert" ? match.word : match.reason
  );
}

Deno.test("RuleIndex answers as decide() does, the second time as well", () => {
  const index = new RuleIndex(RULES);
  for (const withhold of [undefined, undefined, "found-before"] as const) {
    for (const event of EVENTS) {
      assertEquals(answersOf(index, event, withhold), decisionsOf(event, withhold));
    }
  }
});

Deno.test("RuleIndex answers as decide() does when it has forgotten what it knew", () => {
  const index = new RuleIndex(RULES);
  const crash = EVENTS[0]!;
  const first = answersOf(index, crash, undefined);
  // More processes than it keeps the answers of.
  for (let count = 0; count < 1_100_000 / RULES.length; count++) {
    const process = { group: "many", name: String(count) };
    index.answers({ ...crash, process } as Event, {
      process: processKey(process),
      withhold: undefined,
    });
  }
  assertEquals(answersOf(index, crash, undefined), first);
  assertEquals(first, decisionsOf(crash, undefined));
});
