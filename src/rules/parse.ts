// Reads the `rules:` section. What cannot ever come true, such as a filter on processes in a
// rule about supervisord itself, is a problem here and not a surprise at night.

import type { ConfigNode, Section } from "../config/node.ts";
import { HOST_RULE } from "./host_incident.ts";
import { parsePacing } from "./parse_pacing.ts";
import {
  CONDITION_WORDS,
  conditionOf,
  type ConditionWord,
  type NamePattern,
  type NamePatterns,
  type Rule,
  TAIL_STREAMS,
  type TailSettings,
} from "./rule.ts";

/** What a rule looks like, for who has written something else. */
const RULE_EXAMPLE = "{ name: crash, on: [crash, fatal], to: [oncall] }";

/** The rules, in the order of the file. `channels` are the names that `to` may hold, if known. */
export function parseRules(
  node: ConfigNode,
  channels: readonly string[] | undefined,
  readMore: ReadMore = () => {},
): Rule[] {
  const names = new Set<string>();
  return node.listOfSections((item) => {
    const rule = parseRule(item, { channels, readMore });
    if (rule.name !== "" && names.has(rule.name)) {
      item.problem(`a rule named "${rule.name}" stands above already`);
    }
    names.add(rule.name);
    return rule;
  }, RULE_EXAMPLE);
}

/** Reads the keys of a rule that decide nothing, and so are not for this layer to know. */
export type ReadMore = (section: Section, rule: string) => void;

function parseRule(
  node: ConfigNode,
  { channels, readMore }: {
    readonly channels: readonly string[] | undefined;
    readonly readMore: ReadMore;
  },
): Rule {
  const section = node.section(RULE_EXAMPLE);
  const name = section.required("name").stringThat((text) =>
    text === HOST_RULE ? `is the name of what the key ${HOST_RULE} tells; take another` : undefined
  );
  const onNode = section.required("on");
  const on = onNode.value === undefined
    ? []
    : onNode.list(readWord, "[crash, fatal]").filter((word) => word !== undefined);
  const where = parseWhere(section.optional("where"), on);
  const toNode = section.required("to");
  const to = toNode.value === undefined
    ? []
    : toNode.list((item) => channelName(item, channels), "[oncall]");
  if (new Set(to).size < to.length) toNode.problem("names a channel twice");
  const pacing = parsePacing(section, {
    on,
    to,
    channelName: (item) => channelName(item, channels),
    patterns: parsePatterns,
  });
  const tail = section.optional("tail");
  const own = tail && { tail: parseTail(tail) };
  readMore(section, name);
  section.end();
  return { name, on, where, to, pacing, ...own };
}

/** Reads a `tail:` section, of a rule or of the top level. */
export function parseTail(node: ConfigNode): Partial<TailSettings> {
  const section = node.section("{ lines: 10 }");
  const lines = section.optional("lines")?.integer({ min: 0, max: 100 });
  const stream = section.optional("stream")?.oneOf(TAIL_STREAMS);
  const maxBytes = section.optional("max_bytes")?.size({ min: 64, max: 16 * 1024 });
  section.end();
  return {
    ...(lines !== undefined && { lines }),
    ...(stream !== undefined && { stream }),
    ...(maxBytes !== undefined && { maxBytes }),
  };
}

/** A word of `on:`; undefined, and a problem, for any other. */
function readWord(node: ConfigNode): ConditionWord | undefined {
  const known = CONDITION_WORDS.find((word) => word === node.value);
  if (known !== undefined) return known;
  // supervisord's own names are what people know from other listeners.
  const meant = CONDITION_WORDS.filter((word) => conditionOf(word).subscription === node.value);
  if (meant.length > 0) {
    node.problem(`${node.value} is supervisord's name of the event; write ${meant.join(" or ")}`);
  } else node.oneOf(CONDITION_WORDS);
  return undefined;
}

/** A name that stands in `to`. */
export function channelName(node: ConfigNode, channels: readonly string[] | undefined): string {
  return node.stringThat((name) =>
    channels === undefined || channels.includes(name)
      ? undefined
      : `no channel is named "${name}"; channels are: ${channels.join(", ") || "none"}`
  );
}

function parseWhere(node: ConfigNode | undefined, on: readonly ConditionWord[]): Rule["where"] {
  if (node === undefined) return {};
  const section = node.section('{ process: ["web:*"] }');
  const [process, group, text] = ["process", "group", "text"].map((key) => section.optional(key));
  section.end();
  const conditions = on.map((word) => ({ word, condition: conditionOf(word) }));
  const refuse = (filter: ConfigNode, words: string[], why: string) => {
    if (words.length > 0) {
      filter.problem(
        `${words.join(", ")} ${why}; put ${
          words.length > 1 ? "them" : "it"
        } into a rule without this filter`,
      );
    }
  };
  if (process !== undefined) {
    const without = conditions.filter(({ condition }) => condition.about !== "process");
    refuse(process, without.map(({ word }) => word), "is about no process");
  }
  if (group !== undefined) {
    const without = conditions.filter(({ condition }) =>
      !["process", "group"].includes(condition.about)
    );
    refuse(group, without.map(({ word }) => word), "is about no group");
  }
  if (text !== undefined) {
    const without = conditions.filter(({ condition }) => condition.hasText === undefined);
    refuse(text, without.map(({ word }) => word), "carries no text");
  }
  return {
    ...(process && { process: parsePatterns(process) }),
    ...(group && { group: parsePatterns(group) }),
    ...(text && { text: text.pattern() }),
  };
}

/** Names with wildcards, those with `!` apart. */
export function parsePatterns(node: ConfigNode): NamePatterns {
  const texts = node.list((item) =>
    item.stringThat((text) => {
      if (text === "!") return "expected a name behind the !";
      if (/[：，＊！？]/.test(text)) return `"${text}" holds full-width characters; write : * ! ?`;
      return text === "!*" || text === "!*:*" ? "excludes everything" : undefined;
    })
  );
  const excluded = texts.filter((text) => text.startsWith("!")).map((text) => text.slice(1));
  const wanted = texts.filter((text) => !text.startsWith("!"));
  return { wanted: wanted.map(namePattern), excluded: excluded.map(namePattern) };
}

/** The pattern that a text is. */
export function namePattern(text: string): NamePattern {
  return { text, qualified: text.includes(":") };
}
