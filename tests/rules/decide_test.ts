import type { Event } from "../../src/events/event.ts";
import { parseEvent } from "../../src/events/parse.ts";
import { decide } from "../../src/rules/decide.ts";
import { namePattern } from "../../src/rules/parse.ts";
import { CONDITION_WORDS, type ConditionWord, type Rule } from "../../src/rules/rule.ts";
import { subscriptionsFor } from "../../src/rules/subscriptions.ts";
import { assertEquals } from "../support/assert.ts";

function event(eventname: string, payload: string): Event {
  const bytes = new TextEncoder().encode(payload);
  const header = {
    ver: "3.0",
    server: "supervisor",
    serial: 1,
    pool: "superbell",
    poolserial: 1,
    eventname,
    len: bytes.length,
  };
  return parseEvent({ header, payload: bytes, droppedBytes: 0 });
}

function state(word: string, rest: string, name = "api", group = "web"): Event {
  const payload = `processname:${name} groupname:${group} from_state:RUNNING${rest}`;
  return event(`PROCESS_STATE_${word}`, payload);
}

const CRASH = state("EXITED", " expected:0 pid:7");

function rule(on: ConditionWord[], where: Rule["where"] = {}): Rule {
  return { name: "r", on, where, to: ["c"] };
}

function names(...texts: string[]) {
  return {
    wanted: texts.filter((text) => !text.startsWith("!")).map(namePattern),
    excluded: texts.filter((text) => text.startsWith("!")).map((text) =>
      namePattern(text.slice(1))
    ),
  };
}

/** For each event the words of `on:` that it makes true. */
const EVENTS: readonly (readonly [string, Event, readonly ConditionWord[]])[] = [
  ["an unexpected exit", CRASH, ["crash", "exit", "flapping"]],
  ["an expected exit", state("EXITED", " expected:1 pid:7"), ["exit", "flapping"]],
  ["a fatal", state("FATAL", ""), ["fatal"]],
  ["a failed start", state("BACKOFF", " tries:1"), ["start_failed", "flapping"]],
  ["a start", state("STARTING", " tries:0"), ["starting"]],
  ["a running process", state("RUNNING", " pid:7"), ["started"]],
  ["a stop that begins", state("STOPPING", " pid:7"), ["stopping"]],
  ["a stop", state("STOPPED", " pid:7"), ["stopped"]],
  ["an unknown state", state("UNKNOWN", ""), ["state_unknown"]],
  [
    "a log line",
    event("PROCESS_LOG_STDERR", "processname:a groupname:a pid:1 channel:stderr\nboom"),
    ["process_log"],
  ],
  [
    "a process's message",
    event("PROCESS_COMMUNICATION_STDOUT", "processname:a groupname:a pid:1\nhello"),
    ["process_communication"],
  ],
  ["a remote message", event("REMOTE_COMMUNICATION", "type:deploy\nstart"), [
    "remote_communication",
  ]],
  ["a new group", event("PROCESS_GROUP_ADDED", "groupname:web\n"), ["group_added"]],
  ["a removed group", event("PROCESS_GROUP_REMOVED", "groupname:web\n"), ["group_removed"]],
  ["a started supervisord", event("SUPERVISOR_STATE_CHANGE_RUNNING", ""), ["supervisor_starting"]],
  ["an ending supervisord", event("SUPERVISOR_STATE_CHANGE_STOPPING", ""), ["supervisor_stopping"]],
  ["a tick", event("TICK_60", "when:1201063880"), ["tick"]],
  ["an event of a later supervisord", event("PROCESS_STATE_FROZEN", "x"), []],
];

for (const [name, given, words] of EVENTS) {
  Deno.test(`decide() finds ${words.join(", ") || "no word"} true for ${name}`, () => {
    const found = CONDITION_WORDS.filter((word) => {
      const [decision] = decide([rule([word])], given);
      return decision!.verdict === "alert";
    });
    assertEquals([...found].sort(), [...words].sort());
  });
}

const WHERES: readonly (readonly [string, Rule["where"], Event, string])[] = [
  ["group:name", { process: names("web:api") }, CRASH, "matched"],
  ["a bare name", { process: names("api") }, CRASH, "matched"],
  ["a bare name does not mean the group", { process: names("web") }, CRASH, "process-not-in-where"],
  ["a wildcard", { process: names("web:*") }, CRASH, "matched"],
  ["one of several", { process: names("db:*", "web:a?i") }, CRASH, "matched"],
  ["another process", { process: names("db:*") }, CRASH, "process-not-in-where"],
  ["an exclusion alone", { process: names("!web:canary") }, CRASH, "matched"],
  ["an excluded process", { process: names("web:*", "!web:api") }, CRASH, "process-excluded"],
  ["a dot stands for itself", { process: names("web:a.i") }, CRASH, "process-not-in-where"],
  ["case counts", { process: names("Web:*") }, CRASH, "process-not-in-where"],
  ["a group", { group: names("w*") }, CRASH, "matched"],
  ["another group", { group: names("db") }, CRASH, "group-not-in-where"],
  ["an excluded group", { group: names("!web") }, CRASH, "group-excluded"],
  [
    "a name with a colon",
    { process: names("web:x y:*") },
    state("EXITED", " expected:0 pid:7", "x y:z"),
    "matched",
  ],
  [
    "a Chinese name",
    { process: names("交易*:订单服务") },
    state("EXITED", " expected:0 pid:7", "订单服务", "交易组"),
    "matched",
  ],
];

for (const [name, where, given, reason] of WHERES) {
  Deno.test(`decide() answers ${reason} for where with ${name}`, () => {
    assertEquals(decide([rule(["crash"], where)], given)[0]!.reason, reason);
  });
}

Deno.test("decide() searches the text of an event", () => {
  const log = event(
    "PROCESS_LOG_STDERR",
    "processname:a groupname:a pid:1 channel:stderr\n内存不足 OOM",
  );
  const reasons = [/OOM/u, /不足/u, /panic/u].map((text) =>
    decide([rule(["process_log"], { text })], log)[0]!.reason
  );
  assertEquals(reasons, ["matched", "matched", "text-not-matched"]);
});

Deno.test("decide() answers for every rule, in the order of the rules", () => {
  const rules = [rule(["fatal"]), rule(["exit", "crash"]), rule(["crash"])];
  assertEquals(
    decide(rules, CRASH).map((decision) =>
      decision.verdict === "alert" ? decision.word : decision.reason
    ),
    ["event-not-in-on", "exit", "crash"],
  );
});

Deno.test("subscriptionsFor() names what the rules need, each once, and the sign of life", () => {
  assertEquals(subscriptionsFor([rule(["crash", "exit"]), rule(["fatal", "tick"])]), [
    "PROCESS_STATE",
    "SUPERVISOR_STATE_CHANGE",
    "REMOTE_COMMUNICATION",
    "TICK_60",
  ]);
});
