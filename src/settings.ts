// From the file to the settings: every problem is found in one pass and told at once, in the
// order of the file. Nothing is half right: with one problem there are no settings.

// @ts-types="./std_yaml.d.ts"
import { parse as parseYaml, YamlSyntaxError } from "@std/yaml";
import { type Language, LANGUAGES } from "./alerts/messages.ts";
import type { Channel } from "./channels/channel.ts";
import { CHANNEL_KINDS } from "./channels/registry.ts";
import { suggest } from "./config/nearest.ts";
import { ConfigNode, Reading, type SecretSources, type Section, wrongUrl } from "./config/node.ts";
import { ConfigError, type Problem } from "./config/problem.ts";
import { Redactor } from "./config/secret.ts";
import { addressOf, type HostSettings, interfaceNames, isAddress } from "./host.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import type { RetryPolicy } from "./outbox/backoff.ts";
import type { Sync } from "./outbox/open.ts";
import type { Retention } from "./outbox/outbox.ts";
import { parseRules } from "./rules/parse.ts";
import type { Rule } from "./rules/rule.ts";
import type { SupervisorAddress } from "./supervisor/client.ts";

/** A channel as configured; `open` makes it ready for use. */
export interface ConfiguredChannel {
  readonly name: string;
  readonly type: string;
  readonly language: Language;
  readonly timeoutMs: number;
  readonly concurrency: number;
  /** How long an alert waits for others to be told with it; 0: each has its own message. */
  readonly digestMs: number;
  open(): Channel;
}

/** A configuration without problems. */
export interface Settings {
  readonly path: string;
  readonly language: Language;
  /** An IANA name; undefined: the host's own. */
  readonly timeZone: string | undefined;
  readonly host: HostSettings;
  readonly stateDir: string;
  readonly logLevel: LogLevel;
  /** How long deliveries may go on after SIGTERM or the end of stdin. */
  readonly shutdownWindowMs: number;
  readonly sync: Sync;
  readonly retention: Retention;
  readonly retry: RetryPolicy;
  /** Where supervisord can be asked; undefined when it has no server. */
  readonly supervisor: SupervisorAddress | undefined;
  readonly channels: readonly ConfiguredChannel[];
  readonly rules: readonly Rule[];
  readonly warnings: readonly Problem[];
  readonly redactor: Redactor;
}

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MB = 1024 ** 2;

/** How far into a document, and into how much of it, inFileOrder looks. */
const MAX_DEPTH = 16;
const MAX_PLACES = 100_000;

/** Where settings are read, and by whom. */
export interface LoadOptions {
  readonly env: (name: string) => string | undefined;
  /** False for a command that sends nothing: a secret that it cannot see is no problem. */
  readonly needsSecrets?: boolean;
}

/** Reads the settings from a file. Throws a ConfigError that holds every problem. */
export function loadSettings(path: string, options: LoadOptions): Settings {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new ConfigError(path, [{ path: "", message: `cannot be read: ${whyUnreadable(error)}` }]);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new ConfigError(path, [{
      path: "",
      message: "is not in UTF-8 (GBK?); save it as UTF-8",
    }]);
  }
  const settings = parseSettings(text, { path, ...options, readFile: readSecretFile });
  return { ...settings, warnings: [...settings.warnings, ...exposedSecrets(path, settings)] };
}

/** What parseSettings needs besides the text. */
export interface SettingsContext extends SecretSources {
  /** Named in errors. */
  readonly path: string;
  /** @default true */
  readonly needsSecrets?: boolean;
}

/** The settings and, for exposedSecrets, whether a secret stands in the file itself. */
type ParsedSettings = Settings & { readonly holdsLiteralSecret: boolean };

/** Reads the settings from a text. Throws a ConfigError that holds every problem. */
export function parseSettings(text: string, context: SettingsContext): ParsedSettings {
  const root = parseRoot(text, context.path);
  const reading = new Reading(context, context);
  const section = new ConfigNode(root, "", reading).section();
  const language = parseLanguage(section.optional("language"), detectLanguage(context.env));
  const timeZone = parseTimeZone(section.optional("time_zone"));
  const host = parseHost(section.optional("host"));
  const stateDir = section.optional("state_dir")?.absolutePath() ?? "/var/lib/superbell";
  const logLevel = section.optional("log_level")?.oneOf(LOG_LEVELS) ?? "info";
  const shutdownWindowMs =
    section.optional("shutdown_window")?.duration({ min: 0, max: 10 * 60 * SECOND_MS }) ??
      8 * SECOND_MS;
  const outbox = parseOutbox(section.optional("outbox"));
  const retry = parseRetry(section.optional("retry"));
  const supervisor = parseSupervisor(section.optional("supervisor"), context.env);
  const channelsNode = section.required("channels");
  const channels = parseChannels(channelsNode, language);
  const rulesNode = section.required("rules");
  // Without channels every `to` would be a problem too, and none of them the real one.
  const names = channelsNode.value === undefined ? undefined : channels.map(({ name }) => name);
  const rules = rulesNode.value === undefined ? [] : parseRules(rulesNode, names);
  section.end();
  for (const { name } of channels) {
    if (rules.some(({ to }) => to.includes(name))) continue;
    reading.warnings.push({ path: `channels.${name}`, message: "no rule sends to this channel" });
  }
  if (reading.problems.length > 0) {
    const problems = [...slips(text), ...inFileOrder(reading.problems, root)];
    throw new ConfigError(context.path, problems);
  }
  return {
    path: context.path,
    language,
    timeZone,
    host,
    stateDir,
    logLevel,
    shutdownWindowMs,
    ...outbox,
    retry,
    supervisor,
    channels,
    rules,
    warnings: inFileOrder(reading.warnings, root),
    redactor: new Redactor(reading.secrets),
    holdsLiteralSecret: reading.secrets.some(({ source }) => source === "literal"),
  };
}

function parseRoot(text: string, path: string): unknown {
  try {
    const root = parseYaml(text, { schema: "core" });
    return root ?? {};
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ConfigError(path, [{ path: "", message: "not valid YAML: nested too deeply" }]);
    }
    if (!(error instanceof SyntaxError)) throw error;
    // The parser's message goes on to quote the line, and quotes tags and aliases before that: a
    // password may begin with "!" or "*".
    const what = error.message.split("\n")[0]!.split(" at line ")[0]!
      .replace(/!<.*>/, "…").replace(/".*"/, "…");
    const column = error instanceof YamlSyntaxError && error.column > 0
      ? `, column ${error.column}`
      : "";
    const at = error instanceof YamlSyntaxError ? `line ${error.line}${column}: ` : "";
    // A key that stands twice is the one mistake that quotes do not cure.
    const hint = what.includes("duplicated")
      ? ""
      : "; a value that begins with * ! [ { % @ or ` must stand in quotes";
    const problem = { path: "", message: `${at}not valid YAML: ${what}${hint}` };
    throw new ConfigError(path, [...slips(text), problem]);
  }
}

/** Slips that YAML reads as something else, told only when something is wrong anyway. */
function slips(text: string): Problem[] {
  const lines = text.split("\n").map((line, index) => ({ line, number: index + 1 }));
  const found = [
    ...lines.filter(({ line }) => /^ *\t/.test(line))
      .map(({ number }) => ({ number, what: "begins with a tab; YAML wants blanks there" })),
    ...lines.filter(({ line }) => /^[^#"']*[：，]/.test(line))
      .map(({ number }) => ({
        number,
        what: 'holds a full-width "：" or "，"; write ": " or ", "',
      })),
  ];
  return found.slice(0, 3).map(({ number, what }) => ({
    path: "",
    message: `line ${number} ${what}`,
  }));
}

function parseLanguage(node: ConfigNode | undefined, auto: Language): Language {
  const word = node?.oneOf(["auto", ...LANGUAGES] as const) ?? "auto";
  return word === "auto" ? auto : word;
}

/** zh where the locale says so, else en. */
function detectLanguage(env: (name: string) => string | undefined): Language {
  const locale = env("LC_ALL") || env("LC_MESSAGES") || env("LANG") || "";
  return locale.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function parseTimeZone(node: ConfigNode | undefined): string | undefined {
  const zone = node?.stringThat((name) => {
    if (name === "auto") return undefined;
    try {
      new Intl.DateTimeFormat("en", { timeZone: name });
      return undefined;
    } catch {
      return `"${name}" is no time zone; expected auto or a name like "Asia/Shanghai"`;
    }
  });
  return zone === "auto" ? undefined : zone;
}

function parseHost(node: ConfigNode | undefined): HostSettings {
  if (node === undefined) return { name: "auto", address: "auto" };
  const section = node.section();
  const name = section.optional("name")?.string() ?? "auto";
  const addressNode = section.optional("address");
  const address = addressNode?.string() ?? "auto";
  section.end();
  if (addressNode !== undefined && address !== "auto" && address !== "" && !isAddress(address)) {
    // Not a problem: at boot the interface may come up after us.
    if (addressOf(address) === "") {
      addressNode.warning(
        `no interface "${address}" has an address now; ${suggest(address, interfaceNames())}`,
      );
    }
  }
  return { name, address };
}

function parseOutbox(
  node: ConfigNode | undefined,
): { readonly sync: Sync; readonly retention: Retention } {
  const section = node?.section();
  const sync = section?.optional("sync")?.oneOf(["normal", "full"] as const) ?? "normal";
  const keepMs = section?.optional("keep")?.duration({ min: HOUR_MS, max: 400 * DAY_MS }) ??
    7 * DAY_MS;
  const maxBytes = section?.optional("max_size")?.size({ min: MB, max: 1024 ** 4 }) ?? 256 * MB;
  section?.end();
  return { sync, retention: { keepMs, maxBytes } };
}

function parseRetry(node: ConfigNode | undefined): RetryPolicy {
  const section = node?.section();
  const firstMs = section?.optional("first")?.duration({ min: 100, max: HOUR_MS }) ??
    2 * SECOND_MS;
  const most = section?.optional("most");
  const mostMs = most?.duration({ min: SECOND_MS, max: DAY_MS }) ?? 10 * 60 * SECOND_MS;
  if (mostMs < firstMs) (most ?? node)?.problem("must not be shorter than first");
  const giveUpAfterMs =
    section?.optional("give_up_after")?.duration({ min: SECOND_MS, max: 400 * DAY_MS }) ??
      3 * DAY_MS;
  section?.end();
  return { firstMs, mostMs, giveUpAfterMs };
}

/** supervisord tells its listeners its address, and never the password. */
function parseSupervisor(
  node: ConfigNode | undefined,
  env: (name: string) => string | undefined,
): SupervisorAddress | undefined {
  const section = node?.section();
  const urlNode = section?.optional("url");
  const url =
    urlNode?.stringThat((text) =>
      /^unix:\/\/\/./.test(text) ? undefined : wrongUrl(text, ["http", "unix"])
    ) ?? env("SUPERVISOR_SERVER_URL");
  const username = section?.optional("username")?.string();
  const password = section?.optional("password")?.secret();
  if ((username === undefined) !== (password === undefined)) {
    node?.problem("expected both of username and password, or neither");
  }
  section?.end();
  return url === undefined || url === "" ? undefined : { url, username, password };
}

function parseChannels(node: ConfigNode, language: Language): ConfiguredChannel[] {
  if (node.value === undefined) return [];
  const section = node.section();
  const names = section.keys();
  if (names.length === 0) node.problem("expected at least one channel, found none");
  const channels = names.map((name) => parseChannel(name, section.required(name), language));
  section.end();
  return channels;
}

function parseChannel(name: string, node: ConfigNode, language: Language): ConfiguredChannel {
  const section = node.section();
  if (/[\s,]/.test(name)) node.problem("a channel's name must not hold blanks or commas");
  const kind = kindOf(section);
  const channel = {
    name,
    type: kind?.type ?? "",
    language: parseLanguage(section.optional("language"), language),
    timeoutMs: section.optional("timeout")?.duration({ min: 100, max: HOUR_MS }) ??
      10 * SECOND_MS,
    concurrency: section.optional("concurrency")?.integer({ min: 1, max: 16 }) ?? 1,
    digestMs: kind?.digestMs === undefined
      ? 0
      : section.optional("digest")?.duration({ min: 0, max: HOUR_MS }) ?? kind.digestMs,
  };
  // Without a known type nothing can be said about the other keys.
  const open = kind?.parse(section);
  if (kind !== undefined) section.end();
  return {
    ...channel,
    open() {
      if (open === undefined) throw new Error(`Channel ${name} has no known type`);
      return open();
    },
  };
}

function kindOf(section: Section): typeof CHANNEL_KINDS[number] | undefined {
  const node = section.required("type");
  if (node.value === undefined) return undefined;
  const types = CHANNEL_KINDS.map(({ type }) => type);
  if (typeof node.value === "string" && !types.includes(node.value)) {
    node.problem(`no channel type is called "${node.value}"; ${suggest(node.value, types)}`);
    return undefined;
  }
  const type = node.oneOf(types);
  return CHANNEL_KINDS.find((kind) => kind.type === type && node.value === type);
}

/** Sorts by where the path stands in the document; a missing key comes behind its parent. */
function inFileOrder(problems: readonly Problem[], root: unknown): Problem[] {
  const positions = new Map<string, number>();
  const visit = (value: unknown, path: string, depth: number) => {
    positions.set(path, positions.size);
    if (value === null || typeof value !== "object") return;
    // Aliases can make a short file endless; no key of ours lies that deep.
    if (depth > MAX_DEPTH || positions.size > MAX_PLACES) return;
    for (const [key, child] of Object.entries(value)) {
      const childPath = Array.isArray(value)
        ? `${path}[${key}]`
        : path === ""
        ? key
        : `${path}.${key}`;
      visit(child, childPath, depth + 1);
    }
  };
  visit(root, "", 0);
  const position = (path: string): number => {
    const found = positions.get(path);
    if (found !== undefined || path === "") return found ?? 0;
    return position(path.slice(0, Math.max(0, path.lastIndexOf(".")))) + 0.5;
  };
  return [...problems].sort((left, right) => position(left.path) - position(right.path));
}

/** Warns of secrets that every user of the host can read. */
function exposedSecrets(path: string, settings: ParsedSettings): Problem[] {
  const { mode } = Deno.statSync(path);
  if (!settings.holdsLiteralSecret || mode === null || (mode & 0o004) === 0) return [];
  const message = "holds a secret and can be read by every user of this host; " +
    `chmod 600 it, or write { env: NAME } or { file: PATH } instead of the secret`;
  return [{ path: "", message }];
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function readSecretFile(path: string): ReturnType<SecretSources["readFile"]> {
  try {
    const mode = Deno.statSync(path).mode ?? 0;
    return { text: Deno.readTextFileSync(path), exposed: (mode & 0o004) !== 0 };
  } catch (error) {
    return { why: whyUnreadable(error) };
  }
}

function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  return error instanceof Error ? error.message.replace(/ \(os error.*$/, "") : String(error);
}
