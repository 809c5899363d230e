// Where problems stand in the document that they are about: people mend a file from its top.

import type { Problem } from "./problem.ts";

/** How far into a document, and into how much of it, is looked. */
const MAX_DEPTH = 16;
const MAX_PLACES = 100_000;

/** Sorts by where the path stands in the document; a missing key comes behind its parent. */
export function inFileOrder(problems: readonly Problem[], root: unknown): Problem[] {
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
