import { inFileOrder } from "../../src/config/file_order.ts";
import { assertEquals } from "../support/assert.ts";

const DOCUMENT = { rules: [{ name: "a" }, { on: ["crash"] }], channels: { hook: { url: "x" } } };

Deno.test("inFileOrder() sorts problems as their keys stand in the file", () => {
  const paths = ["channels.hook.url", "rules[1].on[0]", "rules[0].name", "rules"];
  const sorted = inFileOrder(paths.map((path) => ({ path, message: "" })), DOCUMENT);
  assertEquals(sorted.map(({ path }) => path), paths.toReversed());
});

Deno.test("inFileOrder() puts what is missing behind the key that it is missing from", () => {
  const paths = ["channels", "rules[1].to", "", "rules[1]", "state_dir"];
  const sorted = inFileOrder(paths.map((path) => ({ path, message: "" })), DOCUMENT);
  assertEquals(sorted.map(({ path }) => path), [
    "",
    "state_dir",
    "rules[1]",
    "rules[1].to",
    "channels",
  ]);
});

Deno.test("inFileOrder() comes to an end where a document holds itself", () => {
  const loop: Record<string, unknown> = { first: 1 };
  for (const key of ["a", "b", "c", "d"]) loop[key] = loop;
  const problems = [{ path: "d", message: "" }, { path: "first", message: "" }];
  assertEquals(inFileOrder(problems, loop).length, 2);
});
