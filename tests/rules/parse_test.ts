import { ConfigNode, Reading } from "../../src/config/node.ts";
import { describeProblem } from "../../src/config/problem.ts";
import { parseRules } from "../../src/rules/parse.ts";
import { assertEquals } from "../support/assert.ts";

function readingOf(rules: unknown): Reading {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  parseRules(new ConfigNode(rules, "rules", reading), ["oncall", "mail"]);
  return reading;
}

function problemsOf(rules: unknown): string[] {
  return readingOf(rules).problems.map((problem) => describeProblem("", problem));
}

const GOOD = { name: "a", on: "crash", to: "oncall" };

const CASES: readonly (readonly [string, unknown, readonly string[]])[] = [
  ["single words for lists of one", [GOOD], []],
  ["every filter", [{
    ...GOOD,
    on: ["process_log"],
    where: { process: ["web:*", "!web:canary"], group: "web", text: "OOM" },
  }], []],
  ["no rules", [], ["rules: expected at least one item, found an empty list"]],
  ["missing keys", [{}], [
    "rules[0].name: is required and missing",
    "rules[0].on: is required and missing",
    "rules[0].to: is required and missing",
  ]],
  ["an unknown word", [{ ...GOOD, on: ["crashh"] }], [
    'rules[0].on[0]: "crashh" is not known here; did you mean "crash"?',
  ]],
  ["supervisord's own name of an event", [{ ...GOOD, on: ["PROCESS_STATE_EXITED"] }], [
    "rules[0].on[0]: PROCESS_STATE_EXITED is supervisord's name of the event; write crash or exit or flapping",
  ]],
  ["an unknown word beside a filter", [{ ...GOOD, on: ["boom"], where: { text: "x" } }], [
    'rules[0].on[0]: "boom" is not known here; known are: crash, exit, fatal, start_failed, ' +
    "flapping, starting, started, stopping, stopped, state_unknown, process_log, process_communication, " +
    "remote_communication, group_added, group_removed, supervisor_starting, " +
    "supervisor_stopping, tick, gap, channel_failing, channel_recovered, " +
    "reload_failed, reload_recovered",
  ]],
  ["a channel named twice", [{ ...GOOD, to: ["mail", "mail"] }], [
    "rules[0].to: names a channel twice",
  ]],
  ["patterns that can never fit", [
    { ...GOOD, where: { process: ["!*", "!", "web：*"] } },
  ], [
    "rules[0].where.process[0]: excludes everything",
    "rules[0].where.process[1]: expected a name behind the !",
    'rules[0].where.process[2]: "web：*" holds full-width characters; write : * ! ?',
  ]],
  ["an unknown channel", [{ ...GOOD, to: ["onduty"] }], [
    'rules[0].to[0]: no channel is named "onduty"; channels are: oncall, mail',
  ]],
  ["the same name twice", [GOOD, GOOD], ['rules[1]: a rule named "a" stands above already']],
  ["a process filter about supervisord", [
    { ...GOOD, on: ["crash", "supervisor_stopping"], where: { process: "web:*" } },
  ], [
    "rules[0].where.process: supervisor_stopping is about no process; " +
    "put it into a rule without this filter",
  ]],
  ["a group filter about superbell itself", [
    { ...GOOD, on: ["group_added", "channel_failing", "gap"], where: { group: "web" } },
  ], [
    "rules[0].where.group: channel_failing, gap is about no group; " +
    "put them into a rule without this filter",
  ]],
  ["a text filter without a text", [{ ...GOOD, where: { text: "x" } }], [
    "rules[0].where.text: crash carries no text; put it into a rule without this filter",
  ]],
  ["a bad expression", [{ ...GOOD, on: "process_log", where: { text: "(" } }], [
    'rules[0].where.text: cannot read the regular expression "(": Unterminated group',
  ]],
  ["an unknown key", [{ ...GOOD, were: {} }], [
    'rules[0].were: unknown key; did you mean "where"?',
  ]],
];

for (const [name, rules, expected] of CASES) {
  Deno.test(`parseRules() answers for ${name}`, () => assertEquals(problemsOf(rules), expected));
}

/** Every key that only counts for what supervisord says. */
const FOR_EVENTS = {
  severity: "critical",
  stop: true,
  group_by: "host",
  after: { count: 2, within: "1m" },
  quiet: "1h",
  suppressed_by: "db:*",
  tail: { lines: 3 },
};

Deno.test("parseRules() warns of keys without effect on what superbell says of itself", () => {
  const own = { ...GOOD, on: ["channel_failing", "reload_failed"], ...FOR_EVENTS };
  const { problems, warnings } = readingOf([own]);
  assertEquals(problems, []);
  assertEquals(
    warnings.map((warning) => describeProblem("", warning)),
    Object.keys(FOR_EVENTS).map((key) =>
      `rules[0].${key}: has no effect: channel_failing, reload_failed are about superbell itself, ` +
      "and told each time and at once"
    ),
  );
});

Deno.test("parseRules() warns of no key that has an effect on another word of the rule", () => {
  const mixed = { ...GOOD, on: ["channel_failing", "gap"], ...FOR_EVENTS };
  const own = { ...GOOD, name: "b", on: ["channel_failing"] };
  assertEquals(readingOf([mixed, own]).warnings, []);
});
