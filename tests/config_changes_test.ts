// What is said of a changed configuration: names, never values.

import { changesBetween, type ConfigParts, partsOf } from "../src/config_changes.ts";
import { assert, assertEquals } from "./support/assert.ts";

const BASE = {
  language: "en",
  channels: {
    oncall: { type: "webhook", url: { file: "/etc/url" } },
    mail: { type: "exec", command: ["/bin/true"] },
  },
  rules: [
    { name: "crash", on: "crash", to: "oncall" },
    { name: "gap", on: "gap", to: "mail" },
  ],
};

const FILES = new Map([["/etc/url", "https://example.com/s3cr3t"]]);

const parts = (changes: object, files = FILES): ConfigParts =>
  partsOf({ ...BASE, ...changes }, files);

const CASES: readonly (readonly [what: string, now: ConfigParts, changes: readonly string[]])[] = [
  ["nothing", parts({}), []],
  ["a key", parts({ language: "zh", retry: { first: "1s" } }), ["language changed", "retry added"]],
  [
    "channels",
    parts({ channels: { oncall: BASE.channels.oncall, mail: { type: "exec" }, boss: {} } }),
    ["channel mail changed", "channel boss added"],
  ],
  ["a removed channel", parts({ channels: { mail: BASE.channels.mail } }), [
    "channel oncall removed",
  ]],
  ["a rule", parts({ rules: [BASE.rules[0], { ...BASE.rules[1], on: "tick" }] }), [
    "rule gap changed",
  ]],
  ["another name of a rule", parts({ rules: [BASE.rules[0], { ...BASE.rules[1], name: "g" }] }), [
    "rule g added",
    "rule gap removed",
  ]],
  ["the order of rules", parts({ rules: BASE.rules.toReversed() }), ["order of the rules changed"]],
  [
    "the order of channels",
    parts({
      channels: { mail: BASE.channels.mail, oncall: BASE.channels.oncall },
    }),
    [],
  ],
  ["what a named file holds", parts({}, new Map([["/etc/url", "https://example.com/other"]])), [
    "channel oncall changed",
  ]],
];

for (const [what, now, changes] of CASES) {
  Deno.test(`changesBetween() names what is different: ${what}`, () => {
    assertEquals(changesBetween(parts({}), now), changes);
  });
}

Deno.test("partsOf() holds no secret", () => {
  assert(!Deno.inspect([...parts({})]).includes("s3cr3t"));
});
