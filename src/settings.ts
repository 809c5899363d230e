// From the file to the settings: every problem is found in one pass and told at once, in the
// order of the file. Nothing is half right: with one problem there are no settings.

// @ts-types="./std_yaml.d.ts"
import { parse as parseYaml, YamlSyntaxError } from "@std/yaml";
import { masker } from "./alerts/mask.ts";
import type { Language } from "./alerts/messages.ts";
import { type MessageTemplate, parseMessageTemplate } from "./alerts/template.ts";
import { type ConfigParts, partsOf } from "./config_changes.ts";
import { otherSlips, tabProblem } from "./config_slips.ts";
import { formatDuration } from "./config/duration.ts";
import { inFileOrder } from "./config/file_order.ts";
import { withItemNames } from "./config/item_names.ts";
import { suggest } from "./config/nearest.ts";
import { ConfigNode, Reading, type SecretSources, type Section, wrongUrl } from "./config/node.ts";
import { ConfigError, type Problem } from "./config/problem.ts";
import { Redactor } from "./config/secret.ts";
import { explainFault } from "./config/yaml_fault.ts";
import { type ConfiguredChannel, parseChannels, parseLanguage } from "./configured_channel.ts";
import { type FileRead, readNow } from "./file_read.ts";
import { addressOf, type HostSettings, interfaceNames, isAddress } from "./host.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import type { RetryPolicy } from "./outbox/backoff.ts";
import type { Sync } from "./outbox/open.ts";
import type { Retention } from "./outbox/outbox.ts";
import { type HostIncident, parseHostIncident } from "./rules/host_incident.ts";
import { type MaintenanceWindow, parseMaintenance } from "./rules/maintenance.ts";
import { channelName, parsePatterns, parseRules, parseTail } from "./rules/parse.ts";
import type { Rule, TailSettings } from "./rules/rule.ts";
import type { SupervisorAddress } from "./supervisor/client.ts";

export type { ConfiguredChannel } from "./configured_channel.ts";

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
  /** Entries that may wait for one channel. */
  readonly maxWaiting: number;
  /** What memory may hold while the disk takes nothing. */
  readonly maxMemoryBytes: number;
  /** The last lines of processes, where a rule has nothing else. */
  readonly tail: TailSettings;
  /** Takes secrets, also ours, out of what programs wrote. */
  readonly mask: (text: string) => string;
  readonly retry: RetryPolicy;
  /** Where supervisord can be asked; undefined when it has no server. */
  readonly supervisor: SupervisorAddress | undefined;
  /** How often supervisord's loop is woken, so that it tells of exits sooner; 0: not at all. */
  readonly nudgeMs: number;
  /** How often the roster is compared with supervisord's list; 0: when events are missing only. */
  readonly reconcileMs: number;
  readonly channels: readonly ConfiguredChannel[];
  readonly rules: readonly Rule[];
  /** The user's own words for the alerts of a rule, by its name; they win over the channel's. */
  readonly ruleTemplates: ReadonlyMap<string, MessageTemplate>;
  /** When the whole host has an incident; undefined: never. */
  readonly hostIncident: HostIncident | undefined;
  readonly maintenance: readonly MaintenanceWindow[];
  /** Whether a file that has changed is loaded by itself. */
  readonly watchesFile: boolean;
  /** By which this configuration can be compared with another. */
  readonly parts: ConfigParts;
  readonly warnings: readonly Problem[];
  readonly redactor: Redactor;
}

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MB = 1024 ** 2;

/** How often supervisord is nudged unless configured; and what would only burn its processor. */
const NUDGE_MS = 0;
const LEAST_NUDGE_MS = 10;

const DEFAULT_TAIL: TailSettings = { lines: 5, stream: "auto", maxBytes: 2 * 1024 };

/** So many keys with a secret are named in one warning. */
const MOST_NAMED = 5;

/** Where settings are read, and by whom. */
export interface LoadOptions {
  readonly env: (name: string) => string | undefined;
  /** Reads the configuration and the files that it names. @default from the disk */
  readonly readFile?: (path: string) => FileRead;
  /** False for a command that sends nothing: a secret that it cannot see is no problem. */
  readonly needsSecrets?: boolean;
  /**
   * For a command that only looks into state_dir: told the problems, if there are any, in place of
   * a ConfigError, unless state_dir is one of them. What has a problem is as if it were not there.
   */
  readonly onProblems?: (problems: readonly Problem[]) => void;
}

/** Reads the settings from a file. Throws a ConfigError that holds every problem. */
export function loadSettings(
  path: string,
  { readFile = readNow, ...options }: LoadOptions,
): Settings {
  const file = readFile(path);
  if ("why" in file) {
    throw new ConfigError(path, [{ path: "", message: `cannot be read: ${file.why}` }]);
  }
  const text = decodeUtf8(file.bytes);
  if (text === undefined) {
    throw new ConfigError(path, [{
      path: "",
      message: "is not in UTF-8 (GBK?); save it as UTF-8",
    }]);
  }
  const settings = parseSettings(text, {
    path,
    ...options,
    readFile: (named) => asSecretFile(readFile(named)),
  });
  return {
    ...settings,
    warnings: [...settings.warnings, ...exposedSecrets(file.isOpenToAll, settings)],
  };
}

/** What parseSettings needs besides the text. */
export interface SettingsContext extends SecretSources {
  /** Named in errors. */
  readonly path: string;
  /** @default true */
  readonly needsSecrets?: boolean;
  /** As in LoadOptions. */
  readonly onProblems?: ((problems: readonly Problem[]) => void) | undefined;
}

/** The settings and, for exposedSecrets, the keys whose secrets stand in the file itself. */
type ParsedSettings = Settings & { readonly literalSecrets: readonly string[] };

/** Reads the settings from a text. Throws a ConfigError that holds every problem. */
export function parseSettings(text: string, context: SettingsContext): ParsedSettings {
  const root = parseRoot(text, context.path);
  const files = new Map<string, string>();
  const readFile: SecretSources["readFile"] = (path) => {
    const file = context.readFile(path);
    if ("text" in file) files.set(path, file.text);
    return file;
  };
  const reading = new Reading({ env: context.env, readFile }, context);
  const section = new ConfigNode(root, "", reading).section("{ channels: …, rules: … }");
  const language = parseLanguage(section.optional("language"), detectLanguage(context.env));
  const timeZone = parseTimeZone(section.optional("time_zone"));
  const host = parseHost(section.optional("host"));
  const stateDir = section.optional("state_dir")?.absolutePath() ?? "/var/lib/superbell";
  const logLevel = section.optional("log_level")?.oneOf(LOG_LEVELS) ?? "info";
  const shutdownWindowMs =
    section.optional("shutdown_window")?.duration({ min: 0, max: 10 * 60 * SECOND_MS }) ??
      8 * SECOND_MS;
  const outbox = parseOutbox(section.optional("outbox"));
  const tail = { ...DEFAULT_TAIL, ...parseOptionalTail(section.optional("tail")) };
  const mask = masker({
    patterns: section.optional("mask")?.list(readMask) ?? [],
    defaults: section.optional("mask_defaults")?.boolean() ?? true,
  });
  const retry = parseRetry(section.optional("retry"));
  const supervisor = parseSupervisor(section.optional("supervisor"), context.env);
  const channelsNode = section.required("channels");
  const channels = parseChannels(channelsNode, language);
  const rulesNode = section.required("rules");
  // Without channels every `to` would be a problem too, and none of them the real one.
  const names = channels.length === 0 ? undefined : channels.map(({ name }) => name);
  const ruleTemplates = new Map<string, MessageTemplate>();
  const readTemplate = (section: Section, rule: string) => {
    const template = section.optional("template");
    if (template !== undefined) ruleTemplates.set(rule, parseMessageTemplate(template));
  };
  const rules = rulesNode.value === undefined ? [] : parseRules(rulesNode, names, readTemplate);
  const hostIncident = parseHostIncident(
    section.optional("host_incident"),
    (item) => channelName(item, names),
  );
  const maintenance = parseMaintenance(section.optional("maintenance"), {
    timeZone,
    parseTimeZone,
    patterns: parsePatterns,
  });
  const watchesFile = parseReload(section.optional("reload"));
  section.end();
  for (const { name } of channels) {
    if (rules.some(({ to }) => to.includes(name))) continue;
    if (rules.some(({ pacing }) => pacing?.escalate?.to.includes(name))) continue;
    if (hostIncident?.to.includes(name) === true) continue;
    if (channels.some(({ fallback }) => fallback === name)) continue;
    reading.warnings.push({ path: `channels.${name}`, message: "no rule sends to this channel" });
  }
  if (reading.problems.length > 0) {
    const tab = tabProblem(text);
    const problems = tab === undefined
      ? [...otherSlips(text), ...withItemNames(inFileOrder(reading.problems, root), root)]
      : [tab];
    if (context.onProblems === undefined || problems.some(({ path }) => path === "state_dir")) {
      throw new ConfigError(context.path, problems);
    }
    context.onProblems(problems);
  }
  const redactor = new Redactor(reading.secrets);
  return {
    path: context.path,
    language,
    timeZone,
    host,
    stateDir,
    logLevel,
    shutdownWindowMs,
    ...outbox,
    tail,
    mask: (text) => mask(redactor.redact(text)),
    retry,
    ...supervisor,
    channels,
    rules,
    ruleTemplates,
    hostIncident,
    maintenance,
    watchesFile,
    // Of what has problems an alias may make an endless document; nobody compares that.
    parts: reading.problems.length > 0 ? new Map() : partsOf(root, files),
    warnings: withItemNames(inFileOrder(reading.warnings, root), root),
    redactor,
    literalSecrets: reading.literalSecrets,
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
    const line = error instanceof YamlSyntaxError ? error.line : 0;
    const problem = { path: "", message: at + explainFault(text, { what, line }) };
    const tab = tabProblem(text);
    throw new ConfigError(path, tab === undefined ? [...otherSlips(text), problem] : [tab]);
  }
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
  const section = node.section("{ name: web-01 }");
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
): Pick<Settings, "sync" | "retention" | "maxWaiting" | "maxMemoryBytes"> {
  const section = node?.section("{ keep: 7d, max_size: 256MB }");
  const sync = section?.optional("sync")?.oneOf(["normal", "full"] as const) ?? "normal";
  const keepMs = section?.optional("keep")?.duration({ min: HOUR_MS, max: 400 * DAY_MS }) ??
    7 * DAY_MS;
  const maxBytes = section?.optional("max_size")?.size({ min: MB, max: 1024 ** 4 }) ?? 256 * MB;
  const maxWaiting = section?.optional("max_waiting")?.integer({ min: 100, max: 10_000_000 }) ??
    100_000;
  const maxMemoryBytes = section?.optional("max_memory")?.size({ min: MB, max: 1024 * MB }) ??
    64 * MB;
  section?.end();
  return { sync, retention: { keepMs, maxBytes }, maxWaiting, maxMemoryBytes };
}

function parseReload(node: ConfigNode | undefined): boolean {
  const section = node?.section("{ watch: true }");
  const watch = section?.optional("watch")?.boolean() ?? false;
  section?.end();
  return watch;
}

function parseRetry(node: ConfigNode | undefined): RetryPolicy {
  const section = node?.section("{ first: 2s, most: 10m }");
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

function parseOptionalTail(node: ConfigNode | undefined): Partial<TailSettings> {
  return node === undefined ? {} : parseTail(node);
}

function readMask(node: ConfigNode): RegExp {
  const before = node.reading.problems.length;
  const pattern = node.pattern();
  if (node.reading.problems.length === before && pattern.test("")) {
    node.problem("matches an empty text as well, so *** would stand everywhere");
  }
  return pattern;
}

/** supervisord tells its listeners its address, and never the password. */
function parseSupervisor(
  node: ConfigNode | undefined,
  env: (name: string) => string | undefined,
): Pick<Settings, "supervisor" | "nudgeMs" | "reconcileMs"> {
  const section = node?.section("{ username: admin, password: { env: SUPERVISOR_PASSWORD } }");
  const urlNode = section?.optional("url");
  const url =
    urlNode?.stringThat((text) =>
      /^unix:\/\/\/./.test(text) ? undefined : wrongUrl(text, ["http", "unix"])
    ) ?? env("SUPERVISOR_SERVER_URL");
  const username = section?.optional("username")?.string();
  const password = section?.optional("password")?.secretLine();
  if ((username === undefined) !== (password === undefined)) {
    node?.problem("expected both of username and password, or neither");
  }
  const nudgeMs = parseNudge(section?.optional("nudge"));
  const reconcileMs = section?.optional("reconcile_every")?.duration({ min: 0, max: DAY_MS }) ??
    5 * 60 * SECOND_MS;
  section?.end();
  const periods = { nudgeMs, reconcileMs };
  if (url === undefined || url === "") return { supervisor: undefined, ...periods };
  return { supervisor: { url, username, password }, ...periods };
}

function parseNudge(node: ConfigNode | undefined): number {
  const nudgeMs = node?.duration({ min: 0, max: 60 * SECOND_MS }) ?? NUDGE_MS;
  if (nudgeMs > 0 && nudgeMs < LEAST_NUDGE_MS) {
    const least = formatDuration(LEAST_NUDGE_MS);
    node?.problem(`expected 0s (off) or at least ${least}, found ${formatDuration(nudgeMs)}`);
  }
  return nudgeMs;
}

/** Warns of secrets that every user of the host can read. */
function exposedSecrets(isOpenToAll: boolean, settings: ParsedSettings): Problem[] {
  const keys = settings.literalSecrets;
  if (keys.length === 0 || !isOpenToAll) return [];
  const more = keys.length > MOST_NAMED ? ` and ${keys.length - MOST_NAMED} more` : "";
  const what = keys.length === 1 ? "a secret" : "secrets";
  const message =
    `holds ${what} (${keys.slice(0, MOST_NAMED).join(", ")}${more}) and can be read ` +
    "by every user of this host; chmod 600 it, or write { env: NAME } or { file: PATH } instead " +
    "of the secret";
  return [{ path: "", message }];
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function asSecretFile(file: FileRead): ReturnType<SecretSources["readFile"]> {
  if ("why" in file) return file;
  return { text: new TextDecoder().decode(file.bytes), exposed: file.isOpenToAll };
}
