import { ConfigNode, Reading } from "../../src/config/node.ts";
import { describeProblem } from "../../src/config/problem.ts";
import { parseHostIncident } from "../../src/rules/host_incident.ts";
import { parseRules } from "../../src/rules/parse.ts";
import { assertEquals } from "../support/assert.ts";

function parse(rule: Record<string, unknown>) {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const whole = { name: "a", on: "crash", to: "oncall", ...rule };
  const [parsed] = parseRules(new ConfigNode([whole], "rules", reading), ["oncall", "boss"]);
  return {
    pacing: parsed!.pacing!,
    problems: reading.problems.map((problem) =>
      describeProblem("", problem).replace("rules[0].", "")
    ),
  };
}

Deno.test("parsePacing() reads every key", () => {
  const { pacing, problems } = parse({
    on: ["crash", "flapping"],
    severity: "critical",
    stop: true,
    group_by: "group",
    group_wait: "10s",
    after: { count: 3, within: "5m" },
    quiet: "10m",
    remind_every: "1h",
    resolve_after: "1m",
    resolved: false,
    flapping: { exits: 4, within: "2m", short_run: "3s", stable_after: "9m" },
    suppressed_by: ["db:*", "!db:test"],
    escalate: { after: "15m", to: ["boss"] },
  });
  assertEquals(problems, []);
  assertEquals(pacing, {
    severity: "critical",
    stop: true,
    groupBy: "group",
    groupWaitMs: 10_000,
    after: { count: 3, withinMs: 300_000 },
    quietMs: 600_000,
    remindEveryMs: 3_600_000,
    resolveAfterMs: 60_000,
    tellsResolved: false,
    flapping: { exits: 4, withinMs: 120_000, shortRunMs: 3000, stableAfterMs: 540_000 },
    suppressedBy: {
      wanted: [{ text: "db:*", qualified: true }],
      excluded: [{ text: "db:test", qualified: true }],
    },
    escalate: { afterMs: 900_000, to: ["boss"] },
  });
});

Deno.test("parsePacing() waits five seconds where others may come in", () => {
  const waits = [{}, { group_by: "group" }, { suppressed_by: "db:*" }, {
    group_by: "host",
    group_wait: "0s",
  }].map((rule) => parse(rule).pacing.groupWaitMs);
  assertEquals(waits, [0, 5000, 5000, 0]);
});

const BAD: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ["resolve_after in a rule of notices", { on: "started", resolve_after: "1m" }, [
    "resolve_after: never comes true: started is told and over at once; it needs a failure in on: " +
    "crash, exit, fatal, start_failed, state_unknown or flapping",
  ]],
  ["escalate in a rule of notices", {
    on: ["started", "tick"],
    escalate: { after: "1m", to: "boss" },
  }, [
    "escalate: never comes true: started, tick are told and over at once; it needs a failure in " +
    "on: crash, exit, fatal, start_failed, state_unknown or flapping",
  ]],
  ["escalate to who is told anyway", { escalate: { after: "1m", to: "oncall" } }, [
    "escalate.to: is told from the beginning already: it stands in to of the rule",
  ]],
  ["escalate to nobody", { escalate: { after: "1m", to: "ghost" } }, [
    'escalate.to: no channel is named "ghost"; channels are: oncall, boss',
  ]],
  ["group_wait without a group", { group_wait: "5s" }, [
    "group_wait: there is nothing to wait for: it needs group_by: group, host or rule, or suppressed_by",
  ]],
  ["flapping options without the word", { flapping: { exits: 3 } }, [
    "flapping: stands in a rule without the word flapping in on",
  ]],
  ["after for flapping", { on: "flapping", after: { count: 2, within: "1m" } }, [
    "after: flapping counts by itself; write flapping: { exits: …, within: … }",
  ]],
  ["after once", { after: { count: 1, within: "1m" } }, [
    "after.count: expected a number from 2 to 1000, found 1",
  ]],
  ["after without a time", { after: { count: 2 } }, ["after.within: is required and missing"]],
  ["reminders every second", { remind_every: "1s" }, [
    "remind_every: expected 0s (none) or at least 1m, found 1s",
  ]],
  ["a severity of its own", { severity: "urgent" }, [
    'severity: expected info, warning or critical, found "urgent"',
  ]],
  ["a group that is none", { group_by: "program" }, [
    'group_by: expected process, group, host or rule, found "program"',
  ]],
  ["to be held by everything", { suppressed_by: ["!db:*"] }, [
    "suppressed_by: expected at least one pattern without !; otherwise everything holds everything",
  ]],
  ["the host's own name", { name: "host_incident" }, [
    "name: is the name of what the key host_incident tells; take another",
  ]],
];
for (const [name, rule, expected] of BAD) {
  Deno.test(`parsePacing() refuses ${name}`, () => assertEquals(parse(rule).problems, expected));
}

Deno.test("parseHostIncident() has defaults, and needs somebody to tell", () => {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const host = (value: unknown) =>
    parseHostIncident(new ConfigNode(value, "host_incident", reading), (node) => node.string());
  const { processes, withinMs, to, pacing } = host({ to: "boss" })!;
  assertEquals([processes, withinMs, to, pacing.severity], [10, 30_000, ["boss"], "critical"]);
  host({});
  assertEquals(reading.problems.map(({ path }) => path), ["host_incident.to"]);
});
