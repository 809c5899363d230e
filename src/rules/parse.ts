// Reads the `rules:` section. What cannot ever come true, such as a filter on processes in a
// rule about supervisord itself, is a problem here and not a surprise at night.

import type { ConfigNode } from "../config/node.ts";
import {
  CONDITION_WORDS,
  conditionOf,
  type ConditionWord,
  type NamePattern,
  type NamePatterns,
  type Rule,
} from "./rule.ts";

/** The rules, in the order of the file. `channels` are the names that `to` may hold, if known. */
export function parseRules(node: ConfigNode, channels: readonly string[] | undefined): Rule[] {
  const names = new Set<string>();
  return node.list((item) => {
    const rule = parseRule(item, channels);
    if (rule.name !== "" && names.has(rule.name)) {
      item.problem(`a rule named "${rule.name}" stands above already`);
    }
    names.add(rule.name);
    return rule;
  });
}

function parseRule(node: ConfigNode, channels: readonly string[] | undefined): Rule {
  const section = node.section();
  const name = section.required("name").string();
  const onNode = section.required("on");
  const on = onNode.value === undefined
    ? []
    : onNode.list(readWord).filter((word) => word !== undefined);
  const where = parseWhere(section.optional("where"), on);
  const toNode = section.required("to");
  const to = toNode.value === undefined ? [] : toNode.list((item) => channelName(item, channels));
  if (new Set(to).size < to.length) toNode.problem("names a channel twice");
  section.end();
  return { name, on, where, to };
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

function channelName(node: ConfigNode, channels: readonly string[] | undefined): string {
  return node.stringThat((name) =>
    channels === undefined || channels.includes(name)
      ? undefined
      : `no channel is named "${name}"; channels are: ${channels.join(", ") || "none"}`
  );
}

function parseWhere(node: ConfigNode | undefined, on: readonly ConditionWord[]): Rule["where"] {
  if (node === undefined) return {};
  const section = node.section();
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
    const without = conditions.filter(({ condition }) => condition.about === "supervisord");
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

function parsePatterns(node: ConfigNode): NamePatterns {
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
