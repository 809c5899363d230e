// Configurations from the file to the settings: golden messages for wrong ones, whole settings
// for right ones, and no secret in any of it.

// @ts-types="../src/std_yaml.d.ts"
import { parse as parseYaml } from "@std/yaml";
import { ConfigError } from "../src/config/problem.ts";
import { loadSettings, parseSettings, type Settings } from "../src/settings.ts";
import { assert, assertEquals, assertLess, assertMatch, assertThrows } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";

const FIXTURES = new URL("./fixtures/config/", import.meta.url).pathname;
const bad = [...Deno.readDirSync(FIXTURES)]
  .map(({ name }) => name)
  .filter((name) => /^bad_.*\.yaml$/.test(name))
  .sort();

const env = (name: string) => name === "SUPERBELL_TEST_EMPTY" ? "" : undefined;
const SECRETS = ["hunter2", "-secret", "secret-", "123secret", "never-shown", "a-literal-token"];

function load(path: string, variables: Readonly<Record<string, string>> = {}): Settings {
  return loadSettings(path, { env: (name) => variables[name] });
}

for (const name of bad) {
  Deno.test(`loadSettings() tells every problem of ${name} at once, in the order of the file`, () => {
    const path = FIXTURES + name;
    const error = assertThrows(() => loadSettings(path, { env }), ConfigError);
    const golden = Deno.readTextFileSync(path.replace(/yaml$/, "txt"));
    assertEquals(`${error.message.replaceAll(FIXTURES, "")}\n`, golden);
    for (const secret of SECRETS) assert(!error.message.includes(secret), `it shows ${secret}`);
    assertEquals(error.cause, undefined);
    assert(!Deno.inspect(error).includes("hunter2"));
  });
}

const MINIMAL = `
channels:
  oncall:
    type: webhook
    url: { env: HOOK }
rules:
  - name: crash
    on: crash
    to: oncall
`;

function parse(text: string, variables: Record<string, string> = { HOOK: "https://example.com/" }) {
  return parseSettings(text, {
    path: "superbell.yaml",
    env: (name) => variables[name],
    readFile: () => ({ why: "there are no files here" }),
  });
}

/** The problems of a text, a line each, without the file's name. */
function problemsOf(text: string, variables?: Record<string, string>): string[] {
  const error = assertThrows(() => parse(text, variables), ConfigError);
  return error.message.split("\n").map((line) => line.replace(/^superbell\.yaml: /, ""));
}

Deno.test("parseSettings() fills in what a minimal configuration leaves out", () => {
  const { channels, redactor: _redactor, mask: _mask, parts, ...settings } = parse(MINIMAL);
  assertEquals([...parts.keys()], ["channel oncall", "rule crash"]);
  assertEquals(settings, {
    path: "superbell.yaml",
    language: "en",
    timeZone: undefined,
    host: { name: "auto", address: "auto" },
    stateDir: "/var/lib/superbell",
    logLevel: "info",
    shutdownWindowMs: 8000,
    sync: "normal",
    retention: { keepMs: 7 * 86_400_000, maxBytes: 256 * 1024 ** 2 },
    maxWaiting: 100_000,
    maxMemoryBytes: 64 * 1024 ** 2,
    tail: { lines: 5, stream: "auto", maxBytes: 2048 },
    ruleTemplates: new Map(),
    retry: { firstMs: 2000, mostMs: 600_000, giveUpAfterMs: 3 * 86_400_000 },
    supervisor: undefined,
    nudgeMs: 0,
    reconcileMs: 300_000,
    rules: [{
      name: "crash",
      on: ["crash"],
      where: {},
      to: ["oncall"],
      pacing: {
        severity: "warning",
        stop: false,
        groupBy: "process",
        groupWaitMs: 0,
        quietMs: 0,
        remindEveryMs: 4 * 3_600_000,
        resolveAfterMs: 30_000,
        tellsResolved: true,
        flapping: { exits: 5, withinMs: 600_000, stableAfterMs: 600_000 },
      },
    }],
    hostIncident: undefined,
    maintenance: [],
    warnings: [],
    watchesFile: false,
    literalSecrets: [],
  });
  assertEquals(channels.map(({ open: _open, ...channel }) => channel), [
    {
      name: "oncall",
      type: "webhook",
      language: "en",
      timeoutMs: 10_000,
      concurrency: 1,
      digestMs: 0,
      tellsResolved: true,
      fallback: undefined,
      fallbackAfterMs: 300_000,
    },
  ]);
});

Deno.test("parseSettings() reads every key", () => {
  const { channels, redactor: _redactor, mask, parts: _parts, ...settings } = parse(`
language: zh
time_zone: Asia/Shanghai
host: { name: node-7, address: 10.0.0.7 }
state_dir: /srv/superbell
log_level: debug
shutdown_window: 1m30s
outbox: { sync: full, keep: 2d, max_size: 64MB, max_waiting: 500, max_memory: 8MB }
tail: { lines: 20, stream: both, max_bytes: 4KB }
mask: ["card [0-9]+"]
mask_defaults: false
retry: { first: 500ms, most: 1h, give_up_after: 12h }
supervisor: { url: "http://localhost:9001", nudge: 250ms, reconcile_every: 1m }
reload: { watch: true }
channels:
  oncall:
    type: webhook
    url: { env: HOOK }
    language: en
    timeout: 3s
    concurrency: 4
    fallback: spare
    fallback_after: 90s
  spare: { type: webhook, url: "https://example.com/literal-secret" }
  unused: { type: exec, command: [/bin/true] }
rules:
  - { name: a, on: [crash, fatal], where: { group: [web, "!test"] }, to: [oncall] }
`);
  const { rules, hostIncident: _hostIncident, maintenance: _maintenance, ...rest } = settings;
  assertEquals(rest, {
    path: "superbell.yaml",
    language: "zh",
    timeZone: "Asia/Shanghai",
    host: { name: "node-7", address: "10.0.0.7" },
    stateDir: "/srv/superbell",
    logLevel: "debug",
    shutdownWindowMs: 90_000,
    sync: "full",
    retention: { keepMs: 2 * 86_400_000, maxBytes: 64 * 1024 ** 2 },
    maxWaiting: 500,
    maxMemoryBytes: 8 * 1024 ** 2,
    tail: { lines: 20, stream: "both", maxBytes: 4096 },
    ruleTemplates: new Map(),
    retry: { firstMs: 500, mostMs: 3_600_000, giveUpAfterMs: 12 * 3_600_000 },
    supervisor: { url: "http://localhost:9001", username: undefined, password: undefined },
    nudgeMs: 250,
    reconcileMs: 60_000,
    warnings: [{ path: "channels.unused", message: "no rule sends to this channel" }],
    watchesFile: true,
    literalSecrets: ["channels.spare.url"],
  });
  assertEquals(
    mask("card 4711 password=x https://example.com/literal-secret"),
    "*** password=x [secret]",
  );
  assertEquals(rules.map(({ where }) => where.group?.excluded[0]?.text), ["test"]);
  assertEquals(channels.map(({ open: _open, ...channel }) => channel), [
    {
      name: "oncall",
      type: "webhook",
      language: "en",
      timeoutMs: 3000,
      concurrency: 4,
      digestMs: 0,
      tellsResolved: true,
      fallback: "spare",
      fallbackAfterMs: 90_000,
    },
    {
      name: "spare",
      type: "webhook",
      language: "zh",
      timeoutMs: 10_000,
      concurrency: 1,
      digestMs: 0,
      tellsResolved: true,
      fallback: undefined,
      fallbackAfterMs: 300_000,
    },
    {
      name: "unused",
      type: "exec",
      language: "zh",
      timeoutMs: 10_000,
      concurrency: 1,
      digestMs: 0,
      tellsResolved: true,
      fallback: undefined,
      fallbackAfterMs: 300_000,
    },
  ]);
});

const FALLBACKS: readonly (readonly [string, string])[] = [
  ["oncall", "a channel cannot stand in for itself; name another one"],
  ["mial", 'no channel is named "mial"; other channels are: mail'],
];
for (const [name, message] of FALLBACKS) {
  Deno.test(`parseSettings() refuses ${name} as a fallback of oncall`, () => {
    const text = `
channels:
  oncall: { type: exec, command: [/bin/true], fallback: ${name} }
  mail: { type: exec, command: [/bin/true], fallback: oncall }
rules:
  - { name: a, on: crash, to: [oncall, mail] }
`;
    assertEquals(problemsOf(text), [`channels.oncall.fallback: ${message}`]);
  });
}

const LOCALES: [Record<string, string>, string][] = [
  [{}, "en"],
  [{ LANG: "C.UTF-8" }, "en"],
  [{ LANG: "zh_CN.UTF-8" }, "zh"],
  [{ LANG: "ZH" }, "zh"],
  [{ LC_ALL: "en_US.UTF-8", LANG: "zh_CN.UTF-8" }, "en"],
  [{ LC_ALL: "", LC_MESSAGES: "zh_TW", LANG: "en" }, "zh"],
];
for (const [variables, language] of LOCALES) {
  Deno.test(`parseSettings() writes ${language} with ${JSON.stringify(variables)}`, () => {
    const HOOK = "https://example.com/";
    assertEquals(parse(MINIMAL, { HOOK, ...variables }).language, language);
    assertEquals(parse(`language: auto${MINIMAL}`, { HOOK, ...variables }).language, language);
    assertEquals(parse(`language: zh${MINIMAL}`, { HOOK, ...variables }).language, "zh");
  });
}

Deno.test("parseSettings() keeps on: a key and yes, no, off words, as YAML 1.2 has it", () => {
  assertEquals(parse(MINIMAL).rules[0]?.on, ["crash"]);
  for (const word of ["no", "yes", "on", "off", "y", "2026-11-21", "12:30:00"]) {
    assertEquals(parse(MINIMAL.replace("name: crash", `name: ${word}`)).rules[0]?.name, word);
  }
});

Deno.test("parseSettings() understands anchors and aliases", () => {
  const text = `
channels:
  first: &hook { type: webhook, url: { env: HOOK } }
  second: *hook
rules:
  - { name: a, on: &on [crash, fatal], to: [first, second] }
  - { name: b, on: *on, to: first }
`;
  assertEquals(parse(text).rules.map(({ on }) => on), [["crash", "fatal"], ["crash", "fatal"]]);
});

Deno.test("parseSettings() is not held up by a billion laughs", () => {
  let bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (let level = 1; level < 12; level++) {
    bomb += `a${level}: &a${level} [${Array(10).fill(`*a${level - 1}`).join(", ")}]\n`;
  }
  const startedAtMs = performance.now();
  const problems = problemsOf(`${bomb}channels: *a11\nrules: *a11\n`);
  assertLess(performance.now() - startedAtMs, 5000);
  assert(
    problems.some((line) => /^channels: expected keys with values.*, found a list$/.test(line)),
  );
  assertLess(problems.join("\n").length, 100_000);
});

Deno.test("parseSettings() is not held up by a mapping that holds itself", () => {
  const problems = problemsOf("channels: &x { a: *x }\nrules: &y [*y]\n");
  assertEquals(problems[0], "channels.a.type: is required and missing");
  assertEquals(problemsOf("&x [*x]"), [
    "expected keys with values like { channels: …, rules: … }, found a list",
  ]);
});

Deno.test("parseSettings() takes keys of JavaScript's own for ordinary ones", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assertMatch(problemsOf(`${key}: { a: 1 }${MINIMAL}`).join(), /unknown key/);
    const problems = problemsOf(MINIMAL.replace("type: webhook", `type: ${key}`));
    assertMatch(problems.join(), /no channel type is called/);
    assertEquals(parse(MINIMAL.replaceAll("oncall", key)).channels[0]?.name, key);
  }
});

Deno.test("parseSettings() finds no fault with CRLF, a byte order mark and comments", () => {
  assertEquals(parse(MINIMAL.replaceAll("\n", "\r\n")).rules.length, 1);
  assertEquals(parse("\ufeff" + MINIMAL.trimStart()).rules.length, 1);
  assertEquals(parse(MINIMAL.replace("crash\n", "crash # 崩溃\n")).rules.length, 1);
});

Deno.test("parseSettings() warns of an interface that has no address now", () => {
  const { warnings } = parse(`host: { address: nosuch0 }${MINIMAL}`);
  assertEquals(warnings.map(({ path }) => path), ["host.address"]);
  assertMatch(warnings[0]!.message, /^no interface "nosuch0" has an address now; /);
});

Deno.test("loadSettings() says why a file cannot be read", () => {
  using folder = new Folder();
  const missing = folder.file("none.yaml");
  const error = assertThrows(() => load(missing), ConfigError);
  assertEquals(error.message, `${missing}: cannot be read: there is no such file`);
  const directory = assertThrows(() => load(folder.path), ConfigError);
  assertEquals(directory.message, `${folder.path}: cannot be read: it is a directory`);
});

const LITERAL = MINIMAL.replace("{ env: HOOK }", "https://example.com/T0KEN-literal");
const EXPOSED = [
  "holds a secret (channels.oncall.url) and can be read by every user of this host; " +
  "chmod 600 it, or write { env: NAME } or { file: PATH } instead of the secret",
];
/** Text, mode, warnings about the whole file. */
const MODES: [string, string, number, string[]][] = [
  ["a literal secret", LITERAL, 0o644, EXPOSED],
  ["a literal secret", LITERAL, 0o604, EXPOSED],
  ["a literal secret", LITERAL, 0o600, []],
  ["a literal secret", LITERAL, 0o640, []],
  ["a secret by env", MINIMAL, 0o644, []],
  ["a secret by file", MINIMAL.replace("{ env: HOOK }", "{ file: FILE }"), 0o644, []],
];
for (const [what, text, mode, warnings] of MODES) {
  const verdict = warnings.length > 0 ? "warns of" : "is content with";
  Deno.test(`loadSettings() ${verdict} ${what} in a file of mode ${mode.toString(8)}`, () => {
    using folder = new Folder();
    const secret = folder.write("secret", "https://example.com/from-a-file\n");
    const path = folder.write("superbell.yaml", text.replace("FILE", secret), mode);
    const messages = () =>
      load(path, { HOOK: "https://example.com/from-env" }).warnings.map(({ message }) => message);
    Deno.chmodSync(folder.path, 0o711);
    assertEquals(messages(), warnings);
    Deno.chmodSync(folder.path, 0o700); // nobody else comes to the file
    assertEquals(messages(), []);
  });
}

Deno.test("parseSettings() gives a Redactor that knows every secret of the file", () => {
  const { redactor, channels } = parse(LITERAL);
  assertEquals(redactor.redact("POST /T0KEN-literal failed"), "POST [secret] failed");
  const shown = Deno.inspect(parse(LITERAL), { depth: 20, showHidden: true }) +
    JSON.stringify(parse(LITERAL)) + String(channels[0]?.open);
  assert(!shown.includes("T0KEN"), "the settings show a secret when printed");
});

const SERVERS: readonly (readonly [string, string, string | undefined])[] = [
  ["{ url: unix:///run/s.sock }", "", "unix:///run/s.sock"],
  ["{}", "unix:///run/told.sock", "unix:///run/told.sock"],
  ["{}", "", undefined],
  ["{ username: u, password: p }", "http://localhost:9001", "http://localhost:9001"],
];

for (const [section, told, url] of SERVERS) {
  Deno.test(`parseSettings() asks supervisord at ${url} for ${section} and "${told}"`, () => {
    const text = `supervisor: ${section}\nchannels: { c: { type: webhook, url: "http://h/" } }\n` +
      `rules: [{ name: a, on: crash, to: c }]\n`;
    const env = (name: string) => name === "SUPERVISOR_SERVER_URL" ? told : undefined;
    const settings = parseSettings(text, { path: "x", env, readFile: () => ({ why: "none" }) });
    assertEquals(settings.supervisor?.url, url);
  });
}

Deno.test("parseSettings() wants both user and password of supervisord, and an address it has", () => {
  const text = `supervisor: { url: "/run/s.sock", username: u }\n` +
    `channels: { c: { type: webhook, url: "http://h/" } }\nrules: [{ name: a, on: crash, to: c }]\n`;
  const context = { path: "x", env: () => undefined, readFile: () => ({ why: "none" }) };
  const error = assertThrows(() => parseSettings(text, context), ConfigError);
  assertEquals(error.message.split("\n"), [
    "x: supervisor: expected both of username and password, or neither",
    "x: supervisor.url: expected an address that begins with http:// or unix://",
  ]);
});

Deno.test("parseSettings() wants no nudge, or one that lets supervisord do something else", () => {
  const text = (nudge: string) =>
    `supervisor: { nudge: ${nudge} }\nchannels: { c: { type: webhook, url: "http://h/" } }\n` +
    `rules: [{ name: a, on: crash, to: c }]\n`;
  const nudgeMs = (nudge: string) => parse(text(nudge)).nudgeMs;
  assertEquals(["0s", "10ms", "1m"].map(nudgeMs), [0, 10, 60_000]);
  const problem = (nudge: string) => problemsOf(text(nudge)).join();
  assertEquals(
    problem("5ms"),
    "supervisor.nudge: expected 0s (off) or at least 10ms, found 5ms",
  );
  assertEquals(problem("2m"), "supervisor.nudge: expected a duration from 0s to 1m, found 2m");
});

Deno.test("parseSettings() reads what a rule wants of the last lines, and a channel's own words", () => {
  const { rules, channels, ruleTemplates } = parse(`
channels:
  oncall:
    type: webhook
    url: { env: HOOK }
    template: { title: "[{host}] {summary}", text: "{process} at {time|date %H:%M}" }
rules:
  - { name: a, on: crash, to: oncall, tail: { lines: 0 }, template: { title: "db: {summary}" } }
`);
  assertEquals(rules[0]?.tail, { lines: 0 });
  assertEquals(ruleTemplates.get("a")?.title?.pieces.length, 2);
  assertEquals(channels[0]?.template?.title?.pieces.length, 4);
  assertEquals(channels[0]?.template?.text?.pieces.length, 3);
});

Deno.test("parseSettings() finds what is wrong with tail, mask and template", () => {
  const problems = problemsOf(
    `
tail: { lines: 1000, stream: stdin, max_bytes: 1MB }
mask: ["x*", "("]
mask_defaults: "no"
channels:
  oncall: { type: webhook, url: { env: HOOK }, template: { title: "{proces}", subject: x } }
rules:
  - { name: a, on: crash, to: oncall, tail: { line: 3 } }
`,
    { HOOK: "https://example.com/" },
  );
  assertEquals(problems, [
    "tail.lines: expected a number from 0 to 100, found 1000",
    'tail.stream: expected auto, stderr, stdout or both, found "stdin"',
    "tail.max_bytes: expected a size from 64 to 16384 bytes, found 1MB",
    "mask[0]: matches an empty text as well, so *** would stand everywhere",
    'mask[1]: cannot read the regular expression "(": Unterminated group',
    'mask_defaults: expected true or false, found a string ("no")',
    'channels.oncall.template.title: unknown placeholder {proces}; did you mean "process"?',
    "channels.oncall.template.subject: unknown key; known are: title, text",
    'rules[0] (a).tail.line: unknown key; did you mean "lines"?',
  ]);
});

Deno.test("parseSettings() lets who only looks see a document that holds itself, or is endless", () => {
  const levels = Array.from({ length: 9 }, (_, index) => {
    const before = Array(10).fill(`*b${index}`).join();
    return `b${index + 1}: &b${index + 1} [${before}]`;
  });
  const bomb = `b0: &b0 [${Array(10).fill("x").join()}]\n${levels.join("\n")}`;
  for (const unknown of ["x: &a [*a]", bomb]) {
    const found: string[] = [];
    const { stateDir } = parseSettings(`${MINIMAL}\nstate_dir: /srv/bell\n${unknown}\n`, {
      path: "superbell.yaml",
      env: () => undefined,
      readFile: () => ({ why: "not needed" }),
      needsSecrets: false,
      onProblems: (problems) => found.push(...problems.map(({ message }) => message)),
    });
    assertEquals(stateDir, "/srv/bell");
    assertMatch(found[0]!, /^unknown key/);
  }
});

const WRONG_FORMS: readonly (readonly [what: string, text: string, problems: readonly string[]])[] =
  [
    ["rules without dashes", MINIMAL.replace("- name", "  name"), [
      "rules: expected a list like - { name: crash, on: [crash, fatal], to: [oncall] } (a dash " +
      "before each), found keys with values",
    ]],
    ["keys of a channel beside its name", MINIMAL.replace(/^ {4}(type|url)/gm, "  $1"), [
      "channels.type: stands where a channel's name belongs; a channel's keys stand below its name, " +
      "two blanks further in",
    ]],
    ["a number for after", `${MINIMAL}    after: 3\n`, [
      "rules[0] (crash).after: expected keys with values like { count: 3, within: 10m }, found a number",
    ]],
    ["a duration for escalate", `${MINIMAL}    escalate: 15m\n`, [
      "rules[0] (crash).escalate: expected keys with values like { after: 15m, to: [managers] }, found " +
      "a string",
    ]],
    ["a name for host", `host: web-01${MINIMAL}`, [
      "host: expected keys with values like { name: web-01 }, found a string",
    ]],
    ["a list of channels", "channels: [oncall]\nrules: [{ name: a, on: crash, to: oncall }]\n", [
      "channels: expected keys with values like { oncall: { type: dingtalk, token: { env: " +
      "DINGTALK_TOKEN } } }, found a list",
    ]],
    ["a window without a dash", `maintenance: { from: "22:00", to: "06:00" }${MINIMAL}`, [
      'maintenance: expected a list like - { from: "22:00", to: "06:00" } (a dash before each), found keys ' +
      "with values",
    ]],
  ];
for (const [what, text, problems] of WRONG_FORMS) {
  Deno.test(`parseSettings() shows the right form in place of ${what}, and says it once`, () => {
    assertEquals(problemsOf(text), problems);
  });
}

Deno.test("parseSettings() wants a password of supervisord in one line", () => {
  const text = `supervisor: { username: u, password: "hunter2\\nhunter3" }${MINIMAL}`;
  assertEquals(problemsOf(text), [
    "supervisor.password: expected a secret of one line, found 2 lines; leave only the secret there",
  ]);
});

Deno.test("parseSettings() names the rule in a warning", () => {
  const { warnings } = parse(MINIMAL.replace("on: crash", "on: reload_failed\n    quiet: 1h"));
  assertEquals(warnings.map(({ path }) => path), ["rules[0] (crash).quiet"]);
});

const EXAMPLE = new URL("../config.example.yaml", import.meta.url).pathname;
type Place = Readonly<Record<string, unknown>>;

/** The paths of all keys that lie at that place or below it. */
function pathsIn(place: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof place !== "object" || place === null) return [];
  return Object.entries(place).flatMap(([key, value]) => {
    const own = [...path, key];
    return Array.isArray(place) ? pathsIn(value, own) : [own, ...pathsIn(value, own)];
  });
}

/** Whether the example has keys with values there. */
function isSection(path: readonly string[]): boolean {
  const value = path.reduce<unknown>((place, key) => (place as Place)[key], exampleRoot());
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function exampleRoot(): Place {
  return parseYaml(Deno.readTextFileSync(EXAMPLE), { schema: "core" }) as Place;
}

/** A copy of the example without the value at that path, or with another one. */
function exampleWith(path: readonly string[], value?: unknown): string {
  const root = exampleRoot();
  const parent = path.slice(0, -1).reduce((place, key) => place[key] as Place, root);
  if (value === undefined) Reflect.deleteProperty(parent, path.at(-1)!);
  else Reflect.set(parent, path.at(-1)!, value);
  return JSON.stringify(root);
}

const examplePaths = pathsIn(exampleRoot());
const VARIABLES = { ALERT_TOKEN: "x", DINGTALK_TOKEN: "x", SUPERVISOR_PASSWORD: "x" };

for (const path of examplePaths.filter(isSection)) {
  const shown = path.join(".").replaceAll(/\.(\d+)/g, "[$1]");
  Deno.test(`parseSettings() shows a form that works in place of a number for ${shown}`, () => {
    // The name behind an item's number is no part of the path here.
    const about = (line: string) =>
      line.replace(/^([a-z_]+\[\d+\]) \([^)]*\)/, "$1").startsWith(shown);
    const [message] = problemsIn(exampleWith(path, 5)).filter(about);
    const [, form = "no form"] =
      /: expected keys with values like (.*?)(?: or the word json)?, found a number$/
        .exec(message ?? "") ?? [];
    const mended = problemsIn(exampleWith(path, parseYaml(form))).filter(about);
    // Whether the file has channels of those names is not the question.
    assertEquals(mended.filter((line) => !/\.to(\[0\])?: /.test(line)), [], message);
  });
}

function problemsIn(text: string): string[] {
  try {
    parse(text, VARIABLES);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").map((line) => line.replace(/^superbell\.yaml: /, ""));
  }
}

/** What has another default, or none; of a channel only what every channel may have. */
const EXAMPLES_ONLY = [
  "channels.oncall.language",
  ...["oncall", "ops-mail", "script", "inventory"].map((name) => `channels.${name}.fallback`),
  ...["where", "group_by", "after", "flapping.short_run", "suppressed_by", "escalate", "tail"]
    .map((key) => `rules.0.${key}`),
  "rules.1.where",
  "host_incident",
  "maintenance",
];

Deno.test("config.example.yaml holds the defaults, apart from what says that it is an example", () => {
  const comparable = (text: string): string => {
    const { parts: _1, redactor: _2, warnings: _3, literalSecrets: _4, ...rest } = parse(text);
    return JSON.stringify(
      rest,
      (_key, value) =>
        value instanceof Map ? [...value] : value instanceof RegExp ? value.source : value,
    );
  };
  const whole = comparable(exampleWith([""]));
  const other: string[] = [];
  for (const path of examplePaths) {
    const shown = path.join(".");
    if (EXAMPLES_ONLY.some((known) => shown.startsWith(`${known}.`))) continue;
    const without = exampleWith(path);
    if (problemsIn(without).length > 0) continue; // it is required
    if (comparable(without) !== whole) other.push(shown);
  }
  // The section of what is an example in it differs as well.
  assertEquals(
    other.filter((path) => path !== "rules.0.flapping").sort(),
    EXAMPLES_ONLY.toSorted(),
  );
});
