// What one configuration has that another has not, in words for the log: names of keys, channels
// and rules, never a value. Parts are compared by hashes, for they hold secrets; a file that a
// part names (a token, a CA) belongs to it with what it holds.

import { createHash } from "node:crypto";

/** A hash of each part of a configuration by its name, the rules in their order. */
export type ConfigParts = ReadonlyMap<string, string>;

/** The parts of a document that is known to be a valid configuration; `files` by their paths. */
export function partsOf(root: unknown, files: ReadonlyMap<string, string>): ConfigParts {
  const { channels, rules, ...rest } = root as Record<string, unknown>;
  const values: (readonly [name: string, value: unknown])[] = [
    ...Object.entries(rest),
    ...Object.entries(channels ?? {}).map(([name, value]) => [`channel ${name}`, value] as const),
    ...[rules].flat().map((rule) => [`rule ${(rule as { name?: unknown }).name}`, rule] as const),
  ];
  return new Map(values.map(([name, value]) => [name, hashOfPart(value, files)]));
}

function hashOfPart(value: unknown, files: ReadonlyMap<string, string>): string {
  const text = JSON.stringify(value) ?? "";
  const hash = createHash("sha256").update(text);
  for (const [path, content] of files) {
    if (text.includes(JSON.stringify(path))) hash.update("\0").update(path).update(content);
  }
  return hash.digest("hex");
}

/** What is different now: `channel oncall changed`, `rule crash added`; nothing where all is alike. */
export function changesBetween(before: ConfigParts, now: ConfigParts): string[] {
  const changed = [...now].flatMap(([name, hash]) => {
    const old = before.get(name);
    return old === hash ? [] : [`${name} ${old === undefined ? "added" : "changed"}`];
  });
  const removed = [...before.keys()].filter((name) => !now.has(name))
    .map((name) => `${name} removed`);
  const orderOf = (parts: ConfigParts, others: ConfigParts) =>
    [...parts.keys()].filter((name) => name.startsWith("rule ") && others.has(name)).join("\n");
  const isMoved = orderOf(before, now) !== orderOf(now, before);
  return [...changed, ...removed, ...(isMoved ? ["order of the rules changed"] : [])];
}
