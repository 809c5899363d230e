// The names of a list's items, for who reads a path: nobody counts to the eighth rule.

import type { Problem } from "./problem.ts";

/** A longer name, or one over several lines, would hide what is said. */
const SHOWN_NAME = /^[^\p{C}]{1,40}$/u;

/** The problems with `rules[7]` as `rules[7] (crash)`, where item 7 of the document's list has a name. */
export function withItemNames(problems: readonly Problem[], root: unknown): Problem[] {
  return problems.map(({ path, message }) => ({
    path: path.replace(/^([a-z_]+)\[(\d+)\]/, (item, key: string, index: string) => {
      const name = nameOf(childOf(childOf(root, key), index));
      return name === undefined ? item : `${item} (${name})`;
    }),
    message,
  }));
}

function nameOf(item: unknown): string | undefined {
  const name = childOf(item, "name");
  return typeof name === "string" && SHOWN_NAME.test(name) ? name : undefined;
}

function childOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}
