// Texts that are no YAML, read by the parser that reads configurations.

// @ts-types="../../src/std_yaml.d.ts"
import { parse, YamlSyntaxError } from "@std/yaml";
import { explainFault } from "../../src/config/yaml_fault.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

/** What is said of a text: all of it, or only what follows the parser's own words. */
function explain(text: string): string {
  const error = assertThrows(() => parse(text, { schema: "core" }), YamlSyntaxError);
  const what = error.message.split(" at line ")[0]!;
  const said = explainFault(text, { what, line: error.line });
  return said.replace(`not valid YAML: ${what}`, "").replace(/^; /, "");
}

const QUOTES = "a value that begins with * ! [ { % @ & | > or ` must stand in quotes";
const GLUED = "line 2 needs a blank behind its colon";
const MIXED = "a list (- …) and keys (name: …) cannot stand side by side, as in lines 2 and 3";
const column = (begins: string, others: string) =>
  `${begins}, where those above begin with ${others}: what belongs together begins in the same column`;

const CASES: readonly (readonly [what: string, text: string, expected: string])[] = [
  [
    "a line too far left",
    "channels:\n  oncall:\n    type: exec\n   command: x\n",
    column("line 4 begins with 3 blanks", "4 (line 3), 2 (line 2) or 0 (line 1)"),
  ],
  [
    "a line too far right",
    "channels:\n  oncall:\n    type: exec\n      command: x\n",
    column("line 4 begins with 6 blanks", "4 (line 3), 2 (line 2) or 0 (line 1)"),
  ],
  [
    "a key that is not below the key behind the dash",
    "rules:\n  # the first\n\n  - name: a\n   on: crash\n",
    column("line 5 begins with 3 blanks", "4 (line 4) or 0 (line 1)"),
  ],
  [
    "an item beside the others",
    "rules:\n  - name: a\n - name: b\n",
    column("line 3 begins with 1 blank", "2 (line 2) or 0 (line 1)"),
  ],
  ["keys among items", "channels:\n  - oncall\n  b: 1\n", MIXED],
  ["items among keys", "rules:\n  name: crash\n  - on: crash\n", MIXED],
  ["no blank behind a colon", "channels:\n    type:exec\n    command: x\n", GLUED],
  ["the same in a rule", "rules:\n  - name:crash\n    on: crash\n", GLUED],
  ["a pattern without quotes", "where: { process: *web }\n", QUOTES],
  ["a pattern in a list", "process:\n  - *web\n", QUOTES],
  ["a password that begins with @", "password: @hunter2\n", QUOTES],
  ["a password that begins with |", "password: |hunter2\n", QUOTES],
  ["a text behind brackets", "- [web] crash\n", QUOTES],
  ["a text behind brackets, noticed late", "name: [web] crash\nb: 1\n", `${QUOTES} (line 1)`],
  ["a text behind braces", "rules:\n  - name: {host} crash\n", QUOTES],
  [
    "a value with a colon",
    "token: hunter2: hunter2\n",
    'a value that holds ": " must stand in quotes',
  ],
  [
    "brackets that are not closed",
    "to: [oncall\nrules: x\n",
    "a comma is missing, or a [ or { further up is not closed",
  ],
  [
    "quotes that are not closed",
    'a: "hunter2\nb: 1\n',
    "a quotation mark that opens a text is never closed",
  ],
  [
    "an expression in double quotes",
    'text: "\\d+"\n',
    `within "…" each \\ must be doubled; within '…' it need not`,
  ],
  ["two documents", "a: 1\n---\nb: 2\n", "a line of dashes (---) begins another one"],
  ["a full-width colon, which is told by itself", "a:\n  b： 1\n  c: 2\n", ""],
  [
    "a key twice",
    "a:\n  token: x\n  # more\n  b:\n    token: y\n  token: z\n",
    'the key "token" stands twice, in line 2 already; leave one of them',
  ],
  [
    "a key twice in an item",
    "rules:\n  - on: b\n  - on: crash\n    to: x\n    on: fatal\n",
    'the key "on" stands twice, in line 3 already; leave one of them',
  ],
  [
    "a key twice with CRLF and quotes",
    '"a": 1\r\nb: 2\r\n"a": 3\r\n',
    'the key "a" stands twice, in line 1 already; leave one of them',
  ],
  [
    "a key twice in braces",
    "rules:\n  - { name: a, on: b, to: c, on: d }\n",
    'the key "on" stands twice; leave one of them',
  ],
  [
    "a key twice in braces of several lines",
    "a: {\n  b: 1,\n  b: 2\n}\n",
    'the key "b" stands twice, in line 2 already; leave one of them',
  ],
  [
    "a key twice in braces of lines that hold more",
    "a: {\n  b: 1, c: 2,\n  d: 3, c: 4\n}\n",
    "a key stands twice in one section; leave one of them",
  ],
];

for (const [what, text, expected] of CASES) {
  Deno.test(`explainFault() explains ${what}`, () => {
    assertEquals(explain(text), expected);
    assert(!explain(text).includes("hunter2"));
  });
}

Deno.test("explainFault() knows a line that does not exist, and one that never ends", () => {
  const fault = { what: "bad indentation of a mapping entry", line: 99 };
  assertEquals(explainFault("a: 1", fault), `not valid YAML: ${fault.what}`);
  explainFault(": [".repeat(1_000_000), { ...fault, line: 1 }); // comes back
});
