import { withItemNames } from "../../src/config/item_names.ts";
import { assertEquals } from "../support/assert.ts";

const ROOT = {
  rules: [{ name: "crash" }, { name: 5 }, { name: "two\nlines" }, "text", { name: "a(b)$&" }],
  mask: ["x"],
  channels: { name: "oncall" },
};

const CASES: readonly (readonly [string, string])[] = [
  ["rules[0]", "rules[0] (crash)"],
  ["rules[0].to[1]", "rules[0] (crash).to[1]"],
  ["rules[1].name", "rules[1].name"],
  ["rules[2]", "rules[2]"],
  ["rules[3]", "rules[3]"],
  ["rules[4].on", "rules[4] (a(b)$&).on"],
  ["rules[9]", "rules[9]"],
  ["mask[0]", "mask[0]"],
  ["channels.rules[0]", "channels.rules[0]"],
  ["", ""],
];

for (const [path, expected] of CASES) {
  Deno.test(`withItemNames() answers ${JSON.stringify(expected)} for ${JSON.stringify(path)}`, () => {
    assertEquals(withItemNames([{ path, message: "m" }], ROOT), [{ path: expected, message: "m" }]);
  });
}

Deno.test("withItemNames() takes a document that is no mapping", () => {
  for (const root of [null, "rules", ["rules"]]) {
    assertEquals(withItemNames([{ path: "rules[0]", message: "m" }], root)[0]?.path, "rules[0]");
  }
});
