// A channel as the configuration has it: the keys that every channel may have are read here, all
// others by its type.

import { type Language, LANGUAGES } from "./alerts/messages.ts";
import { type MessageTemplate, parseMessageTemplate } from "./alerts/template.ts";
import type { Channel } from "./channels/channel.ts";
import { CHANNEL_KINDS } from "./channels/registry.ts";
import { suggest } from "./config/nearest.ts";
import type { ConfigNode, Section } from "./config/node.ts";

/** A channel as configured; `open` makes it ready for use. */
export interface ConfiguredChannel {
  readonly name: string;
  readonly type: string;
  readonly language: Language;
  readonly timeoutMs: number;
  readonly concurrency: number;
  /** How long an alert waits for others to be told with it; 0: each has its own message. */
  readonly digestMs: number;
  /** The channel that takes its messages when it has failed for so long. */
  readonly fallback?: string | undefined;
  readonly fallbackAfterMs: number;
  /** Whether it is told that an incident is over. */
  readonly tellsResolved: boolean;
  /** The user's own words for each alert. */
  readonly template?: MessageTemplate;
  open(): Channel;
}

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What a channel looks like, for who has written something else. */
const CHANNEL_EXAMPLE = "{ type: dingtalk, token: { env: DINGTALK_TOKEN } }";

/** Reads the channels; those without a word of their own speak the language. */
export function parseChannels(node: ConfigNode, language: Language): ConfiguredChannel[] {
  if (node.value === undefined) return [];
  const before = node.reading.problems.length;
  const section = node.section(`{ oncall: ${CHANNEL_EXAMPLE} }`);
  const names = section.keys();
  if (names.length === 0 && node.reading.problems.length === before) {
    node.problem(
      "expected at least one channel, found none; their names stand below, two blanks further in",
    );
  }
  const misplaced = section.optional("type");
  if (typeof misplaced?.value === "string") {
    // Its neighbours are keys as well, and what is said of them as channels would not be true.
    misplaced.problem(
      "stands where a channel's name belongs; a channel's keys stand below its name, two blanks " +
        "further in",
    );
    return [];
  }
  const channels = names.map((name) =>
    parseChannel(name, section.required(name), { language, names })
  );
  section.end();
  return channels;
}

function parseChannel(
  name: string,
  node: ConfigNode,
  { language, names }: { readonly language: Language; readonly names: readonly string[] },
): ConfiguredChannel {
  const section = node.section(CHANNEL_EXAMPLE);
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
    tellsResolved: section.optional("resolved")?.boolean() ?? true,
    fallback: parseFallback(section.optional("fallback"), { name, names }),
    fallbackAfterMs:
      section.optional("fallback_after")?.duration({ min: SECOND_MS, max: DAY_MS }) ??
        5 * 60 * SECOND_MS,
  };
  const template = section.optional("template");
  const own = template && { template: parseMessageTemplate(template) };
  // Without a known type nothing can be said about the other keys.
  const open = kind?.parse(section);
  if (kind !== undefined) section.end();
  return {
    ...channel,
    ...own,
    open() {
      if (open === undefined) throw new Error(`Channel ${name} has no known type`);
      return open();
    },
  };
}

/** The name of another channel. */
function parseFallback(
  node: ConfigNode | undefined,
  { name, names }: { readonly name: string; readonly names: readonly string[] },
): string | undefined {
  return node?.stringThat((fallback) => {
    if (fallback === name) return "a channel cannot stand in for itself; name another one";
    const others = names.filter((other) => other !== name);
    return others.includes(fallback)
      ? undefined
      : `no channel is named "${fallback}"; other channels are: ${others.join(", ") || "none"}`;
  });
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

/** A language, or `auto`. */
export function parseLanguage(node: ConfigNode | undefined, auto: Language): Language {
  const word = node?.oneOf(["auto", ...LANGUAGES] as const) ?? "auto";
  return word === "auto" ? auto : word;
}
