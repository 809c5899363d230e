import { ConfigNode, Reading, withoutLineEnd } from "../../src/config/node.ts";
import { assertEquals, assertFalse } from "../support/assert.ts";
import { Random } from "../support/random.ts";

const FILES: Readonly<Record<string, string>> = {
  "/run/token": "from-file\n",
  "/run/empty": "\n",
  "/run/two": "one\r\ntwo\r\n",
  "/run/unfilled": "$DINGTALK_TOKEN\n",
};

function reading(): Reading {
  return new Reading({
    env: (name) => ({ TOKEN: "from-env", EMPTY: "" })[name],
    readFile: (path) => path in FILES ? { text: FILES[path]! } : { why: "there is no such file" },
  });
}

interface Case {
  readonly name: string;
  read(node: ConfigNode): unknown;
  readonly value: unknown;
  readonly expected?: unknown;
  readonly problem?: string;
  /** Where the problem stands, if not at the node itself. */
  readonly path?: string;
}

const hour = { min: 0, max: 3_600_000 };
const small = { min: 1, max: 16 };

const CASES: readonly Case[] = [
  { name: "string() takes a text", read: (node) => node.string(), value: "x", expected: "x" },
  {
    name: "string() refuses an empty text",
    read: (node) => node.string(),
    value: " ",
    problem: "expected a text, found an empty one",
  },
  {
    name: "string() tells how to write a number as a text",
    read: (node) => node.string(),
    value: 13800138000,
    problem: 'expected a string, found a number ("13800138000"); put it in quotes',
  },
  {
    name: "string() refuses nothing",
    read: (node) => node.string(),
    value: null,
    problem: "expected a string, found nothing",
  },
  {
    name: "string() refuses a list",
    read: (node) => node.string(),
    value: ["x"],
    problem: "expected a string, found a list",
  },
  {
    name: "integer() takes a number",
    read: (node) => node.integer(small),
    value: 16,
    expected: 16,
  },
  {
    name: "integer() refuses a fraction",
    read: (node) => node.integer(small),
    value: 1.5,
    problem: 'expected a whole number, found a number ("1.5")',
  },
  {
    name: "integer() refuses a text",
    read: (node) => node.integer(small),
    value: "4",
    problem: 'expected a whole number, found a string ("4")',
  },
  {
    name: "integer() names its limits",
    read: (node) => node.integer(small),
    value: 17,
    problem: "expected a number from 1 to 16, found 17",
  },
  { name: "boolean() takes false", read: (node) => node.boolean(), value: false, expected: false },
  {
    name: "boolean() refuses a word",
    read: (node) => node.boolean(),
    value: "yes",
    problem: 'expected true or false, found a string ("yes")',
  },
  {
    name: "oneOf() names a few words",
    read: (node) => node.oneOf(["tls", "none"]),
    value: "ssl",
    problem: 'expected tls or none, found "ssl"',
  },
  {
    name: "oneOf() suggests one of many words",
    read: (node) => node.oneOf(["crash", "exit", "fatal", "stopped", "started"]),
    value: "crashed",
    problem: '"crashed" is not known here; did you mean "crash"?',
  },
  {
    name: "duration() takes a duration",
    read: (node) => node.duration(hour),
    value: "8s",
    expected: 8000,
  },
  {
    name: "duration() wants a unit",
    read: (node) => node.duration(hour),
    value: 8,
    problem: 'expected a duration like "8s", "10m" or "1h30m", found a number ("8")',
  },
  {
    name: "size() names the units",
    read: (node) => node.size({ min: 0, max: 1024 ** 4 }),
    value: "1T",
    problem: 'expected a size like "64MB" (units: B, KB, MB, GB), found a string ("1T")',
  },
  {
    name: "duration() names its limits",
    read: (node) => node.duration(hour),
    value: "2h",
    problem: "expected a duration from 0s to 1h, found 2h",
  },
  {
    name: "absolutePath() refuses a relative one",
    read: (node) => node.absolutePath(),
    value: "state",
    problem: 'expected an absolute path, found "state"',
  },
  {
    name: "url() does not repeat the address: it may hold a secret",
    read: (node) => node.url(["https"]),
    value: "ftp://user:hunter2@host/",
    problem: "expected https://, found ftp:",
  },
  {
    name: "list() takes a single item for a list of one",
    read: (node) => node.list((item) => item.string()),
    value: "x",
    expected: ["x"],
  },
  {
    name: "list() refuses an empty one",
    read: (node) => node.list((item) => item.string()),
    value: [],
    problem: "expected at least one item, found an empty list",
  },
  {
    name: "list() shows the right form",
    read: (node) => node.list((item) => item.string(), "[oncall]"),
    value: { oncall: null },
    problem: "expected a list like [oncall], found keys with values",
  },
  {
    name: "listOfSections() shows the right form, and not what stands there",
    read: (node) => node.listOfSections((item) => item.section().keys(), "{ name: a }"),
    value: "hunter2",
    problem: "expected a list like - { name: a } (a dash before each), found a string",
  },
  {
    name: "section() shows the right form, and asks for nothing in what is no section",
    read: (node) => node.section("{ count: 3 }").required("count").value,
    value: 3,
    problem: "expected keys with values like { count: 3 }, found a number",
  },
  {
    name: "section() asks for what is required where nothing stands",
    read: (node) => node.section("{ count: 3 }").required("count").value,
    value: null,
    path: "a.b.count",
    problem: "is required and missing",
  },
  {
    name: "pattern() tells what is wrong with an expression",
    read: (node) => node.pattern().source,
    value: "(",
    problem: 'cannot read the regular expression "(": Unterminated group',
  },
  {
    name: "pattern() refuses what only backtracking can do",
    read: (node) => node.pattern().source,
    value: "(?=a)b",
    problem: 'cannot read the regular expression "(?=a)b": it might take for ever; lookaround, ' +
      "back references and repetitions of hundreds are not possible",
  },
  {
    name: "pattern() says how to ignore case",
    read: (node) => node.pattern().source,
    value: "(?i:error)",
    problem: 'cannot read the regular expression "(?i:error)": it might take for ever; ' +
      "lookaround, back references and repetitions of hundreds are not possible; " +
      "to ignore case write [Ee]rror",
  },
  {
    name: "url() tells a bad port from a bad scheme",
    read: (node) => node.url(["http"]),
    value: "http://127.0.0.1:99999/x",
    problem: "is no address that can be used; look at the host and the port",
  },
  {
    name: "secret() takes no blanks for a value",
    read: (node) => node.secret().reveal(),
    value: "   ",
    problem: "expected a secret: a string, { env: NAME } or { file: PATH }; found an empty one",
  },
  {
    name: "secret() takes a literal",
    read: (node) => node.secret().reveal(),
    value: "hunter2",
    expected: "hunter2",
  },
  {
    name: "secret() takes { env }",
    read: (node) => node.secret().reveal(),
    value: { env: "TOKEN" },
    expected: "from-env",
  },
  {
    name: "secret() takes { file } without its line end",
    read: (node) => node.secret().reveal(),
    value: { file: "/run/token" },
    expected: "from-file",
  },
  {
    name: "secret() says where a missing variable is set",
    read: (node) => node.secret().reveal(),
    value: { env: "NONE" },
    path: "a.b.env",
    problem:
      "environment variable NONE is not set; export it in this shell, and for the listener set it in environment= of the [eventlistener:…] section",
  },
  {
    name: "secret() does not echo a number",
    read: (node) => node.secret().reveal(),
    value: 31337,
    problem:
      "expected a secret: a string, { env: NAME } or { file: PATH }; found a number (put it in quotes)",
  },
  {
    name: "secret() takes a $ that begins no variable of a shell",
    read: (node) => node.secret().reveal(),
    value: "pa$$word $5 $Hunter2 cost$UP",
    expected: "pa$$word $5 $Hunter2 cost$UP",
  },
  {
    name: "secret() refuses a shell's variable, and names it",
    read: (node) => node.secret().reveal(),
    value: "$DINGTALK_TOKEN",
    problem: "is a shell's variable, which is not filled in here; write { env: DINGTALK_TOKEN }",
  },
  {
    name: "secret() refuses a shell's variable in braces, without what stands in for it",
    read: (node) => node.secret().reveal(),
    value: "${ROBOT:-hunter2}",
    problem: "is a shell's variable, which is not filled in here; write { env: ROBOT }",
  },
  {
    name: "secret() does not repeat a password that only looks like a shell's variable",
    read: (node) => node.secret().reveal(),
    value: "$HUNTER2",
    problem: "is a shell's variable, which is not filled in here; write { env: NAME }",
  },
  {
    name: "secretLine() takes one line with its end",
    read: (node) => node.secretLine().reveal(),
    value: "hunter2\n",
    expected: "hunter2\n",
  },
  {
    name: "secretLine() refuses two lines",
    read: (node) => node.secretLine().reveal(),
    value: { file: "/run/two" },
    problem: "expected a secret of one line, found 2 lines; leave only the secret there",
  },
  {
    name: "secret() takes two lines, as a variable for a command may have",
    read: (node) => node.secret().reveal(),
    value: { file: "/run/two" },
    expected: "one\r\ntwo",
  },
  {
    name: "secret() refuses both sources at once",
    read: (node) => node.secret().reveal(),
    value: { env: "TOKEN", file: "/run/token" },
    problem: "expected exactly one of { env: NAME } and { file: PATH }",
  },
];

for (const { name, read, value, expected, problem, path = "a.b" } of CASES) {
  Deno.test(`ConfigNode.${name}`, () => {
    const found = reading();
    const result = read(new ConfigNode(value, "a.b", found));
    const problems = problem === undefined ? [] : [{ path, message: problem }];
    assertEquals(found.problems, problems);
    if (problem === undefined) assertEquals(result, expected);
  });
}

Deno.test("ConfigNode.secret() names the file that cannot be used", () => {
  const found = reading();
  new ConfigNode({ file: "/run/none" }, "a", found).secret();
  new ConfigNode({ file: "/run/empty" }, "b", found).secret();
  new ConfigNode({ file: "token" }, "c", found).secret();
  assertEquals(found.problems, [
    { path: "a.file", message: 'cannot read "/run/none": there is no such file' },
    { path: "b.file", message: '"/run/empty" is empty' },
    { path: "c.file", message: 'expected an absolute path, found "token"' },
  ]);
});

Deno.test("Section notes missing and unknown keys, each with its path", () => {
  const found = reading();
  const section = new ConfigNode({ tokn: "x", type: "y" }, "channels.oncall", found).section();
  section.required("token");
  section.required("type").string();
  section.end();
  assertEquals(found.problems, [
    { path: "channels.oncall.token", message: "is required and missing" },
    { path: "channels.oncall.tokn", message: 'unknown key; did you mean "token"?' },
  ]);
});

Deno.test("Reading collects the secrets, so that all of them can be removed from texts", () => {
  const found = reading();
  new ConfigNode("hunter2", "a", found).secret();
  new ConfigNode({ env: "TOKEN" }, "b", found).secret();
  assertEquals(found.secrets.map((secret) => secret.source), ["literal", "env"]);
  assertFalse(Deno.inspect(found, { depth: 9 }).includes("hunter2"));
});

Deno.test("ConfigNode.pattern() runs in linear time", () => {
  const expression = new ConfigNode("^(a+)+$", "a", reading()).pattern();
  assertEquals(expression.test("a".repeat(60) + "!"), false);
});

Deno.test("ConfigNode.secret() warns of a file that every user can read", () => {
  const found = new Reading({
    env: () => undefined,
    readFile: () => ({ text: "hunter2\n", exposed: true }),
  });
  assertEquals(new ConfigNode({ file: "/etc/token" }, "a", found).secret().reveal(), "hunter2");
  assertEquals(found.warnings, [
    {
      path: "a.file",
      message: '"/etc/token" can be read by every user of this host; chmod 600 it',
    },
  ]);
});

Deno.test("ConfigNode.secret() warns where a shell's variable may stand in a secret", () => {
  const found = reading();
  new ConfigNode({ file: "/run/unfilled" }, "a", found).secret();
  new ConfigNode("Bearer $HOOK_TOKEN", "b", found).secret();
  new ConfigNode("https://example.com/${HOOK}/send", "c", found).secret();
  assertEquals(found.problems, []);
  const message = "holds what looks like a shell's variable ($…), which is not filled in here; " +
    "put the value itself there";
  assertEquals(found.warnings, ["a", "b", "c"].map((path) => ({ path, message })));
});

Deno.test("ConfigNode.pattern() takes the usual engine only where nothing repeats", () => {
  const engineOf = (text: string) => new ConfigNode(text, "a", reading()).pattern().flags;
  for (const text of ["ERROR|CRITICAL", "^(FATAL|PANIC) \\d", "[Ee]rror", "a.c$", ""]) {
    assertEquals(engineOf(text), "", text);
  }
  for (const text of ["a+", "a*b", "(a|b)(a|b)", "((a|b)|c)", "a{2}", "a?", "(?:a|b)", "\\+"]) {
    assertEquals(engineOf(text), "l", text);
  }
});

Deno.test("ConfigNode.pattern() finds the same with either engine", () => {
  const random = new Random(20261121);
  const parts = ["a", "b", "|", "^", "$", ".", "[ab]", "\\d", "\\.", "1"];
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: 1 + random.below(6) }, () => random.pick(parts)).join("");
    const line = Array.from({ length: random.below(12) }, () => random.pick([..."ab1.c\n"]))
      .join("");
    const ours = new ConfigNode(text, "a", reading()).pattern();
    assertEquals(ours.test(line), new RegExp(text, "l").test(line), `${text} in ${line}`);
  }
});

Deno.test("withoutLineEnd() takes linear time, whatever the text", () => {
  assertEquals(withoutLineEnd("a\r\n\n"), "a");
  assertEquals(withoutLineEnd("\n".repeat(1_000_000) + "x").length, 1_000_001);
  assertEquals(withoutLineEnd(""), "");
});
