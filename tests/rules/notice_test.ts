import { noticeRules, reloadRules } from "../../src/rules/notice.ts";
import type { ConditionWord, Rule } from "../../src/rules/rule.ts";
import { assertEquals } from "../support/assert.ts";

const rule = (name: string, on: ConditionWord, ...to: string[]): Rule => ({
  name,
  on: [on],
  where: {},
  to,
});

/** What the rules are, the fallback, and who is told by which rule. */
const ROWS: readonly (readonly [
  string,
  Rule[],
  string | undefined,
  readonly (readonly [string, readonly string[]])[],
])[] = [
  [
    "the channels of the rules that have the word, without itself",
    [rule("a", "channel_failing", "oncall", "mail"), rule("b", "channel_failing", "boss")],
    "script",
    [["a", ["mail"]], ["b", ["boss"]]],
  ],
  [
    "the fallback, where the word's rules have no other channel",
    [rule("a", "channel_failing", "oncall"), rule("b", "crash", "oncall", "mail")],
    "script",
    [["channel_failing", ["script"]]],
  ],
  [
    "the channels beside it, each once, where there is no fallback",
    [rule("a", "crash", "oncall", "mail"), rule("b", "tick", "mail", "boss", "oncall")],
    undefined,
    [["channel_failing", ["mail", "boss"]]],
  ],
  [
    "nobody, where it stands alone",
    [rule("a", "crash", "oncall"), rule("b", "tick", "mail")],
    undefined,
    [],
  ],
];
for (const [what, rules, fallback, expected] of ROWS) {
  Deno.test(`noticeRules() goes to ${what}`, () => {
    const found = noticeRules(rules, { word: "channel_failing", channel: "oncall", fallback });
    assertEquals(found.map(({ name, to }) => [name, to] as const), expected);
  });
}

/** What the rules are, and who is told that a configuration was refused. */
const RELOAD_ROWS: readonly (readonly [
  string,
  Rule[],
  readonly (readonly [string, readonly string[]])[],
])[] = [
  [
    "the rules that have the word",
    [rule("a", "crash", "oncall"), rule("b", "reload_failed", "mail"), rule("c", "gap", "boss")],
    [["b", ["mail"]]],
  ],
  [
    "else to those who are told that a channel fails, each once",
    [
      rule("a", "crash", "oncall"),
      rule("b", "channel_failing", "mail", "boss"),
      rule("c", "channel_failing", "boss"),
    ],
    [["reload_failed", ["mail", "boss"]]],
  ],
  [
    "else to the channels of the first rule",
    [rule("a", "crash", "oncall"), rule("b", "tick", "mail")],
    [["reload_failed", ["oncall"]]],
  ],
];
for (const [what, rules, expected] of RELOAD_ROWS) {
  Deno.test(`reloadRules() goes to ${what}`, () => {
    const found = reloadRules(rules, "reload_failed");
    assertEquals(found.map(({ name, to }) => [name, to] as const), expected);
  });
}
