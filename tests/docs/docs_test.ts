// The docs say only what is true of the program: every path, link, command line, word and key
// in them exists, and every configuration in them is one that the program takes.

// @ts-types="../../src/std_yaml.d.ts"
import { parse as parseYaml } from "@std/yaml";
import type { Alert } from "../../src/alerts/alert.ts";
import { compose } from "../../src/alerts/compose.ts";
import { LANGUAGES } from "../../src/alerts/messages.ts";
import { FILTERS } from "../../src/alerts/template.ts";
import { PLACEHOLDERS } from "../../src/alerts/values.ts";
import { CHANNEL_KINDS } from "../../src/channels/registry.ts";
import { ConfigError, type Problem } from "../../src/config/problem.ts";
import type { ProcessName } from "../../src/events/event.ts";
import type { IncidentReport } from "../../src/rules/incident.ts";
import { REASONS } from "../../src/rules/reason.ts";
import { CONDITION_WORDS, conditionOf } from "../../src/rules/rule.ts";
import { subscriptionsFor } from "../../src/rules/subscriptions.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";

const ROOT = new URL("../../", import.meta.url);
const EXAMPLE = "config.example.yaml";
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

/** No key is called so, and none is near enough to be suggested instead of the list. */
const NO_KEY = "§";

/** Every page, by its path from the root. */
const PAGES = [
  ...["README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md"],
  ...pagesBelow("docs"),
].map((path) => ({ path, text: read(path) }));

function pagesBelow(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))]
    .sort((left, right) => left.name < right.name ? -1 : 1)
    .flatMap(({ name, isDirectory }) =>
      isDirectory
        ? pagesBelow(`${folder}/${name}`)
        : name.endsWith(".md")
        ? [`${folder}/${name}`]
        : []
    );
}

interface Block {
  readonly language: string;
  readonly text: string;
  /** Where it begins in its page, from 1. */
  readonly line: number;
}

/** The fenced blocks of a page, without the indentation of the list they stand in. */
function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^( *)```(\w*)\n(.*?)^ *```$/gms)].map((match) => ({
    language: match[2]!,
    text: match[3]!.replaceAll(new RegExp(`^${match[1]}`, "gm"), ""),
    line: text.slice(0, match.index).split("\n").length,
  }));
}

function proseOf(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```$/gms, "");
}

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch {
    return false;
  }
}

// --- links and paths

for (const { path, text } of PAGES) {
  Deno.test(`${path}: every link leads somewhere`, () => {
    const links = [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
    const broken = links.filter((link) => !/^https?:/.test(link) && !leadsSomewhere(link, path));
    assertEquals(broken, []);
  });

  Deno.test(`${path}: every path of the project exists`, () => {
    const named = [...proseOf(text).matchAll(/`((?:src|tests|docs|tools|bench)\/[\w./-]*)`/g)]
      .map((match) => match[1]!)
      .filter((name) => !name.includes("NAME"));
    assertEquals(named.filter((name) => !exists(name)), []);
  });
}

function leadsSomewhere(link: string, from: string): boolean {
  const [file = "", anchor] = link.split("#");
  const url = file === "" ? new URL(from, ROOT) : new URL(file, new URL(from, ROOT));
  try {
    if (anchor === undefined) return Deno.statSync(url).isFile;
    return anchorsOf(Deno.readTextFileSync(url)).includes(decodeURIComponent(anchor));
  } catch {
    return false;
  }
}

/** What the headings of a page can be linked by, as forges make it. */
function anchorsOf(text: string): string[] {
  return [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("docs/README.md links to every page of docs", () => {
  const index = read("docs/README.md");
  const missing = PAGES.map(({ path }) => path)
    .filter((path) => path.startsWith("docs/") && path !== "docs/README.md")
    .filter((path) => !index.includes(`(${path.slice("docs/".length)})`));
  assertEquals(missing, []);
});

// --- configurations

const certificates = await makeCertificates();
const CA = Deno.readTextFileSync(certificates.caFile);
await certificates[Symbol.asyncDispose]();

/** Reads a configuration on a host that has each secret, file and variable. */
function load(text: string): Settings {
  return parseSettings(withPrograms(text), {
    path: "superbell.yaml",
    env: (name) => /^(LANG|LC_.*|HOME|USER|PATH)$/.test(name) ? undefined : secretNamed(name),
    readFile: (path) => ({ text: path.endsWith(".pem") ? CA : secretNamed(path) }),
  });
}

function secretNamed(name: string): string {
  if (/url/i.test(name)) return "https://hooks.example.com/4711";
  return `${/secret$/i.test(name) ? "SEC" : ""}value-of-${name.split("/").at(-1)}`;
}

/** Puts programs and folders that every host has where the docs name the user's own. */
function withPrograms(text: string): string {
  return text.replaceAll(/(\bcommand:\s*(?:\[|-|\n\s*-)\s*)"?[\w./-]+"?/g, "$1/bin/echo")
    .replaceAll(/(\bdirectory:\s*)\/[\w./-]*/g, "$1/");
}

function problemsOf(text: string): string[] {
  try {
    load(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

/** A piece of a configuration (only `rules:`, only `channels:`, …) made whole. */
function whole(piece: string): string {
  const keys = Object.keys(parseYaml(piece, { schema: "core" }) as Record<string, unknown>);
  const parts = [piece];
  if (!keys.includes("channels")) {
    const wanted = [...piece.matchAll(/^\s*to: (.*?)(?: #.*)?$/gm)]
      .flatMap((match) => match[1]!.replaceAll(/[[\]"]/g, "").split(/,\s*/));
    const names = wanted.length === 0 ? ["any"] : [...new Set(wanted)];
    parts.push("channels:");
    parts.push(...names.map((name) => `  ${name}: { type: webhook, url: "https://a.example/" }`));
  }
  if (!keys.includes("rules")) {
    const channels = parseYaml(parts.join("\n"), { schema: "core" }) as {
      channels: Record<string, unknown>;
    };
    parts.push(`rules: [{ name: r, on: crash, to: [${Object.keys(channels.channels).join()}] }]`);
  }
  return parts.join("\n");
}

/** Whether a block of YAML is (a piece of) a configuration, and not of something else. */
function isConfiguration(text: string): boolean {
  const value = parseYaml(text, { schema: "core" });
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const known = knownKeys().filter((path) => !path.includes("."));
  return Object.keys(value).some((key) =>
    known.includes(key) && !["host", "language"].includes(key)
  );
}

for (const { path, text } of PAGES) {
  for (const block of blocksOf(text).filter(({ language }) => language === "yaml")) {
    Deno.test(`${path}:${block.line}: the YAML is what superbell takes`, () => {
      if (isConfiguration(block.text)) assertEquals(problemsOf(whole(block.text)), []);
      else parseYaml(block.text, { schema: "core" });
    });
  }
}

// A page with a section and a configuration shows two sides that must fit each other.
for (const { path, text } of PAGES) {
  const events = blocksOf(text).filter(({ language }) => language === "ini")
    .flatMap(({ text }) => [...text.matchAll(/^events=(.*)$/gm)].map((match) => match[1]!));
  const configuration = blocksOf(text).find((block) =>
    block.language === "yaml" && isConfiguration(block.text) && /^rules:/m.test(block.text)
  );
  if (events.length === 0 || configuration === undefined) continue;
  Deno.test(`${path}: events= is what its rules need`, () => {
    const { rules } = load(whole(configuration.text));
    assertEquals(events, [subscriptionsFor(rules).join(",")]);
  });
}

Deno.test("config.example.yaml loads as it is, without any variable or file", () => {
  const settings = parseSettings(read(EXAMPLE), {
    path: EXAMPLE,
    env: () => undefined,
    readFile: () => ({ why: "there is no such file" }),
  });
  assertEquals(settings.warnings, []);
});

Deno.test("config.example.yaml loads with every key that is off put on", () => {
  assertEquals(problemsOf(putOn(read(EXAMPLE))), []);
});

Deno.test("config.example.yaml names every key of the configuration", () => {
  const example = parseYaml(putOn(read(EXAMPLE)), { schema: "core" });
  const named = pathsOf(byType(example as Record<string, unknown>));
  assertEquals(knownKeys().filter((path) => !named.includes(path)), []);
});

Deno.test("config.example.yaml has one channel of each type", () => {
  const { channels } = parseYaml(read(EXAMPLE), { schema: "core" }) as {
    channels: Record<string, { type: string }>;
  };
  const types = Object.values(channels).map(({ type }) => type);
  assertEquals(types.toSorted(), CHANNEL_KINDS.map(({ type }) => type).toSorted());
});

Deno.test("docs/config.md and the channels' pages name every key", () => {
  const general = [...read("docs/config.md").matchAll(/`(\w+)`/g)].map((match) => match[1]!);
  const missing = knownKeys().filter((path) => {
    const [, type] = /^channels\.(\w+)\./.exec(path) ?? [];
    const key = path.split(".").at(-1)!;
    if (general.includes(key)) return false;
    return type === undefined || !new RegExp(`\\b${key}\\b`).test(read(`docs/channels/${type}.md`));
  });
  assertEquals(missing, []);
});

/** Takes the mark from lines like `#key: value`, which are keys that are off. */
function putOn(text: string): string {
  return text.replaceAll(/^( *)#(?=[a-z_]+:)/gm, "$1");
}

/** The configuration with its channels named after their types, for paths that can be compared. */
function byType(root: Record<string, unknown>): Record<string, unknown> {
  const channels = Object.values(root["channels"] as Record<string, { type: string }>);
  return { ...root, channels: Object.fromEntries(channels.map((one) => [one.type, one])) };
}

function pathsOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Array.isArray(value)
    ? value.flatMap((item) => pathsOf(item, path))
    : Object.entries(value).flatMap(([key, child]) =>
      pathsOf(child, path === "" ? key : `${path}.${key}`)
    );
  return [...new Set(path === "" ? inner : [path, ...inner])];
}

/**
 * Every key that the parsers ask for, as a path; a channel's with its type in place of its name.
 * Found by asking: a key that nobody knows brings the list of those that are known there.
 */
function knownKeys(): string[] {
  const found: string[] = [];
  const explore = (path: string, put: (value: unknown) => Record<string, unknown>) => {
    const keys = knownAt(put({ [NO_KEY]: 1 }));
    if (keys.join() === "env,file") return; // a secret, not a section
    for (const key of keys) {
      const inner = path === "" ? key : `${path}.${key}`;
      found.push(inner);
      if (inner === "channels") continue;
      const put1 = (value: unknown) => put({ [key]: value });
      explore(inner, inner === "rules" ? (value) => put1([value]) : put1);
    }
  };
  explore("", (value) => value as Record<string, unknown>);
  for (const { type } of CHANNEL_KINDS) {
    explore(
      `channels.${type}`,
      (value) => ({ channels: { c: { type, ...value as Record<string, unknown> } } }),
    );
  }
  return found;
}

function knownAt(root: Record<string, unknown>): string[] {
  let problems: readonly Problem[] = [];
  try {
    load(JSON.stringify(root));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems = error.problems;
  }
  const list = problems.find(({ path }) => path.split(".").at(-1) === NO_KEY)?.message;
  return /^unknown key; known are: (.*)$/.exec(list ?? "")?.[1]?.split(", ") ?? [];
}

Deno.test("knownKeys() finds keys at every depth", () => {
  const keys = knownKeys();
  const some = ["retry.first", "rules.where.process", "channels.dingtalk.mention.mobiles"];
  assertEquals(some.filter((path) => !keys.includes(path)), []);
  assertEquals(keys.filter((path) => path.includes(" ")), []);
});

// --- words

Deno.test("docs/rules.md has each word of on, with its event", () => {
  const page = read("docs/rules.md");
  const missing = CONDITION_WORDS.filter((word) =>
    !new RegExp(`^\\| \`${word}\` `, "m").test(page) ||
    !page.includes(`\`${conditionOf(word).subscription ?? word}\``)
  );
  assertEquals(missing, []);
});

Deno.test("docs/rules.md has each reason of a decision", () => {
  const page = read("docs/rules.md");
  const reasons = Object.keys(REASONS);
  assertEquals(reasons.filter((reason) => !page.includes(`| \`${reason}\``)), []);
});

Deno.test("docs/messages.md has each placeholder", () => {
  const page = read("docs/messages.md");
  assertEquals(Object.keys(PLACEHOLDERS).filter((name) => !page.includes(`| \`{${name}}\``)), []);
});

Deno.test("docs/messages.md has each filter", () => {
  const page = read("docs/messages.md");
  const isThere = (name: string) => new RegExp(`\\|${name}[ }]|\\| \`${name}\` `).test(page);
  assertEquals(Object.keys(FILTERS).filter((name) => !isThere(name)), []);
});

/** The incident of a process that has just failed. */
const incidentOf = (id: string, process: ProcessName, sinceMs: number): IncidentReport => ({
  id,
  kind: "firing",
  number: 1,
  sinceMs,
  ends: 1,
  by: "process",
  key: `${process.group}:${process.name}`,
  processes: [process],
  count: 1,
});

const SAMPLE_AT = Date.parse("2026-11-21T10:54:01+08:00");

/** What the samples of the docs are about. */
const SAMPLE: Alert = {
  id: "805170ba25b4",
  rule: "crash",
  word: "crash",
  eventname: "PROCESS_STATE_EXITED",
  atMs: SAMPLE_AT,
  severity: "warning",
  incident: incidentOf("86fa64e0f04b", { name: "api", group: "api" }, SAMPLE_AT),
  host: { name: "web-01", address: "10.0.0.11" },
  supervisor: "supervisor",
  process: { name: "api", group: "api" },
  pid: 16246,
  fromState: "RUNNING",
  expected: false,
  uptimeMs: 11_520_000,
};

/** What follows kill -9. */
const KILLED: Alert = { ...SAMPLE, exit: { signal: "SIGKILL", certainty: "sure" } };

const CRASH: Alert = {
  ...SAMPLE,
  exit: { status: 1, certainty: "sure" },
  restarts: { count: 2, isAll: true },
  tails: [{
    stream: "stderr",
    lines: [
      "Traceback (most recent call last):",
      '  File "/srv/api/main.py", line 31, in <module>',
      "psycopg2.OperationalError: connection to server at db-01 failed",
    ],
  }],
};

const FATAL: Alert = {
  id: "529ca950b4d9",
  rule: "crash",
  word: "fatal",
  eventname: "PROCESS_STATE_FATAL",
  atMs: SAMPLE_AT,
  severity: "warning",
  incident: incidentOf("05a9ed3afdf2", { name: "api", group: "web" }, SAMPLE_AT),
  host: SAMPLE.host,
  supervisor: "supervisor",
  process: { name: "api", group: "web" },
  fromState: "BACKOFF",
  exit: { status: 127, certainty: "sure" },
  failedStarts: 4,
};

for (const language of LANGUAGES) {
  Deno.test(`the samples in ${language} are what is really sent`, () => {
    const write = (alert: Alert) => compose(alert, { language, timeZone: "Asia/Shanghai" }).text;
    assertStringIncludes(read("docs/messages.md"), write(CRASH));
    assertStringIncludes(read("docs/messages.md"), write(FATAL));
    assertStringIncludes(read(language === "zh" ? "README.zh-CN.md" : "README.md"), write(KILLED));
  });
}

// --- commands

async function superbell(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("main.ts", ROOT).pathname, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** The help of each command, by its name, as the program prints it. */
async function helpByCommand(): Promise<Map<string, string>> {
  const list = /^Commands\n((?: {2}\S.*\n)+)/m.exec(await superbell("--help"))?.[1] ?? "";
  const names = list.trimEnd().split("\n").map((line) => line.trim().split(" ")[0]!);
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, await superbell(name, "--help")] as const),
    ),
  );
}

const HELP = await helpByCommand();

/** Command lines of superbell in blocks of shell, ini and text, and in `code`. */
function commandLinesOf(text: string): string[] {
  const shell = blocksOf(text).filter(({ language }) => ["sh", "ini"].includes(language))
    .flatMap(({ text }) => text.split("\n"))
    .map((line) => line.replace(/(^|\s)#.*$/, ""));
  const inline = [...proseOf(text).matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  return [...shell, ...inline].flatMap((line) =>
    [...line.matchAll(/(?:^ *|\/|&& )superbell ([^|>&;)]+)/g)].map((match) => match[1]!.trim())
  );
}

for (const { path, text } of PAGES) {
  const lines = commandLinesOf(text);
  if (lines.length === 0) continue;
  Deno.test(`${path}: each command line of superbell exists`, () => {
    assertEquals(lines.filter((line) => !isKnown(line)), []);
  });
}

function isKnown(line: string): boolean {
  const [first = "", ...rest] = line.split(/\s+/);
  if (["--help", "--version", "COMMAND", "…"].includes(first)) return true;
  const help = HELP.get(first);
  if (help === undefined) return false;
  const options = rest.filter((word) => word.startsWith("-"));
  const known = (option: string) =>
    option === "--help" || new RegExp(`(^|[\\s[])${option}\\b`, "m").test(help);
  const action = rest.find((word) => /^[a-z]+$/.test(word));
  const hasAction = ["outbox", "silence", "init"].includes(first);
  return options.every(known) &&
    (!hasAction || action === undefined || new RegExp(`\\b${action}\\b`).test(help));
}

Deno.test("commandLinesOf() and isKnown() find what does not exist", () => {
  const page = "```sh\nsuperbell chek -c x\nsuperbell test --chanel a # superbell nothing\n```\n" +
    "`superbell outbox lst` and `supervisorctl status superbell`";
  const lines = commandLinesOf(page);
  assertEquals(lines, ["chek -c x", "test --chanel a", "outbox lst"]);
  assertEquals(lines.filter(isKnown), []);
});

Deno.test("docs/commands.md has each command", () => {
  const page = read("docs/commands.md");
  assertEquals([...HELP.keys()].filter((name) => !page.includes(`## \`superbell ${name}\``)), []);
});

Deno.test("docs/supervisor-section.md shows and explains each line that init prints", async () => {
  const printed = (await superbell("init", "section")).split("\n").filter((line) =>
    /^;?[a-z_[]+[^ ]*=/.test(line) || line.startsWith("[")
  ).map((line) =>
    line.replace(/^command=.*/, "command=/usr/local/bin/superbell listen -c /etc/superbell.yaml")
  );
  const page = read("docs/supervisor-section.md");
  const shown = blocksOf(page).find(({ language }) => language === "ini")!.text.trimEnd();
  assertEquals(shown, printed.join("\n"));
  const keys = printed.slice(1).map((line) => line.replace(/^;/, "").split("=")[0]!);
  const table = page.slice(page.indexOf("| line"));
  assertEquals(keys.filter((key) => !table.includes(`\`${key}\``)), []);
});

// --- the two READMEs

Deno.test("README.md and README.zh-CN.md have the same headings and blocks", () => {
  const [english, chinese] = [read("README.md"), read("README.zh-CN.md")];
  const levels = (text: string) =>
    [...proseOf(text).matchAll(/^(#+) /gm)].map((match) => match[1]!.length);
  assertEquals(levels(chinese), levels(english));
  const blocks = (text: string) =>
    blocksOf(text).map(({ language, text }) =>
      language === "text"
        ? "a sample"
        : text.replaceAll(/ *#.*$/gm, "").replace(/language: \w+/, "language: any")
    );
  assertEquals(blocks(chinese), blocks(english));
});
