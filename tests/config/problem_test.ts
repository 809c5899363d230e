import { ConfigError, describeProblem } from "../../src/config/problem.ts";
import { assertEquals } from "../support/assert.ts";

/** File, path, message, the line. */
const LINES = [
  ["a.yaml", "channels.c", "is wrong", "a.yaml: channels.c: is wrong"],
  ["a.yaml", "", "cannot be read", "a.yaml: cannot be read"],
  ["", "rules[0]", "is wrong", "rules[0]: is wrong"],
  ["", "", "is wrong", "is wrong"],
] as const;
for (const [file, path, message, line] of LINES) {
  Deno.test(`describeProblem() writes ${JSON.stringify(line)}`, () => {
    assertEquals(describeProblem(file, { path, message }), line);
  });
}

Deno.test("ConfigError holds every problem, a line each", () => {
  const problems = [{ path: "a", message: "one" }, { path: "", message: "two" }];
  const error = new ConfigError("f", problems);
  assertEquals([error.name, error.message], ["ConfigError", "f: a: one\nf: two"]);
  assertEquals(error.problems, problems);
});
