import { foldNames } from "../../src/alerts/fold.ts";
import { assertEquals } from "../support/assert.ts";

const CASES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["nothing", [], []],
  ["names without numbers", ["web", "api", "web"], ["api", "web"]],
  ["two numbered ones", ["w_00", "w_01"], ["w_00", "w_01"]],
  ["a run", ["w_00", "w_01", "w_02"], ["w_[00-02]"]],
  ["runs with a gap, out of order", ["w_7", "w_1", "w_2", "w_3"], ["w_[1-3,7]"]],
  ["numbers of another width", ["w_1", "w_2", "w_3", "w_10", "w_11", "w_12"], [
    "w_[1-3]",
    "w_[10-12]",
  ]],
  ["a number in the middle", ["a1:x", "a2:x", "a3:x"], ["a[1-3]:x"]],
  ["the last number", ["v2_0", "v2_1", "v2_2", "v3_0"], ["v2_[0-2]", "v3_0"]],
  ["everything at once", ["db", "w_02", "w_00", "w_01", "订单:1"], ["db", "w_[00-02]", "订单:1"]],
];

for (const [name, names, expected] of CASES) {
  Deno.test(`foldNames() folds ${name}`, () => assertEquals(foldNames(names), expected));
}
