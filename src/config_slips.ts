// Slips of the keyboard that YAML reads as something else: what it makes of them brings problems
// that are not true. Text in, problems out; of two readings of a text it is found out whether its
// tabs are to blame.

// @ts-types="./std_yaml.d.ts"
import { parse as parseYaml, YamlSyntaxError } from "@std/yaml";
import type { Problem } from "./config/problem.ts";

/** So many lines are named. */
const MOST_NAMED = 3;

/** Into so much of a document is looked: aliases can make a short file endless. */
const MAX_PLACES = 100_000;

/**
 * The one problem of a text whose lines begin with tabs, where they have made another thing of it;
 * undefined: they have not, or there are none. YAML knows no tabs there.
 */
export function tabProblem(text: string): Problem | undefined {
  const lines = text.split("\n");
  const numbers = lines.flatMap((line, index) => /^ *\t/.test(line) ? [index + 1] : []);
  const [first] = numbers;
  if (first === undefined) return undefined;
  const mended = lines.map((line) =>
    line.replace(/^[ \t]+/, (blanks) => blanks.replaceAll("\t", "  "))
  ).join("\n");
  if (!isToBlame(read(text), read(mended), numbers)) return undefined;
  const column = lines[first - 1]!.indexOf("\t") + 1;
  const more = numbers.length - 1;
  const others = more === 0 ? "" : ` (${more} more ${more === 1 ? "line" : "lines"} too)`;
  return {
    path: "",
    message: `line ${first}, column ${column}: a tab${others}; YAML takes only blanks at the ` +
      "beginning of a line: write two for each level in place of a tab",
  };
}

/** Other slips, told only when something is wrong anyway. */
export function otherSlips(text: string): Problem[] {
  const lines = text.split("\n").map((line, index) => ({ line, number: index + 1 }));
  return lines.filter(({ line }) => /^[^#"']*[：，]/.test(line)).slice(0, MOST_NAMED)
    .map(({ number }) => ({
      path: "",
      message: `line ${number} holds a full-width "：" or "，"; write ": " or ", "`,
    }));
}

/** What YAML makes of a text, without the blanks in it; or where it cannot go on. */
type Shape = { readonly shape: string } | { readonly stuckAtLine: number | undefined };

/** Whether tabs in those lines make another thing of the text than blanks would. */
function isToBlame(asItIs: Shape, asMeant: Shape, lines: readonly number[]): boolean {
  // In a value of several lines a tab is a tab, and both are the same.
  if ("shape" in asItIs) return "shape" in asMeant && asItIs.shape !== asMeant.shape;
  // A tab is often read as more of the value above it, and YAML gives up a line further down.
  return "shape" in asMeant || asMeant.stuckAtLine !== asItIs.stuckAtLine ||
    lines.includes(asItIs.stuckAtLine ?? 0);
}

function read(text: string): Shape {
  try {
    const parts: string[] = [];
    const visit = (value: unknown) => {
      if (parts.length > MAX_PLACES) return;
      if (typeof value !== "object" || value === null) {
        parts.push(String(value).replaceAll(/\s+/g, ""));
        return;
      }
      parts.push(Array.isArray(value) ? "[" : "{");
      for (const [key, child] of Object.entries(value)) {
        parts.push(`${key}:`);
        visit(child);
      }
      parts.push("}");
    };
    visit(parseYaml(text, { schema: "core" }));
    return { shape: parts.join("\n") };
  } catch (error) {
    return { stuckAtLine: error instanceof YamlSyntaxError ? error.line : undefined };
  }
}
