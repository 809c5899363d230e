// A template is a text with placeholders: "{process} crashed at {time|date %H:%M}". Only a known
// name between braces is a placeholder, so that JSON can be written as it is; "{{name}}" stands
// for the literal "{name}". Behind a name stand filters, each after a "|". There is no logic in
// it. What is not known is a problem when the configuration is read.

import type { ConfigNode } from "../config/node.ts";
import { suggest } from "../config/nearest.ts";
import { ESCAPES } from "./escapes.ts";
import { truncateChars, truncateStartChars } from "./truncate.ts";
import { type Placeholder, PLACEHOLDERS, type Values } from "./values.ts";

/** A text in pieces: literal text, and placeholders with their filters. */
export interface Template {
  readonly pieces: readonly (string | Filled)[];
}

interface Filled {
  readonly placeholder: Placeholder;
  readonly filters: readonly ((value: string) => string)[];
}

/** A title and a text of the user's own; ours where one is absent. */
export interface MessageTemplate {
  readonly title?: Template | undefined;
  readonly text?: Template | undefined;
}

/** A piece of a text that was made from a template: a value is another's, the rest the user's. */
export interface TextPiece {
  readonly text: string;
  readonly isValue: boolean;
  /** It is what a program wrote last: its last lines matter most. */
  readonly isTail?: true;
}

/** What can stand behind a "|", with what it does (shown by docs and errors). */
export const FILTERS = {
  default: "`default TEXT`: TEXT where the value is empty",
  first: "`first N`: its first N characters",
  last: "`last N`: its last N characters",
  date: "`date FORMAT`: of a time, as the command date has it: %Y %m %d %H %M %S %z %F %T %%",
  html: "`html`: for HTML",
  slack: "`slack`: for Slack's mrkdwn",
  feishu: "`feishu`: for the markdown of Feishu's cards",
  wecom: "`wecom`: for WeCom's text and markdown",
  telegram_html: "`telegram_html`: for Telegram with parse_mode HTML",
  telegram_markdown: "`telegram_markdown`: for Telegram with parse_mode MarkdownV2",
} as const;
type FilterName = keyof typeof FILTERS;
type EscapeName = keyof typeof ESCAPES;

const BRACES = /\{\{([a-z_]+ *(?:\|[^{}\n]*)?)\}\}|\{([a-z_]+)( *\|[^{}\n]*)?\}/g;
const MAX_CHARS = 100_000;

/** Reads a template; everything unknown in it is a problem of the node. */
export function parseTemplate(node: ConfigNode): Template {
  const text = node.string();
  const pieces: Template["pieces"][number][] = [];
  let at = 0;
  for (const match of text.matchAll(BRACES)) {
    const [whole, literal, name, filters] = match;
    pieces.push(text.slice(at, match.index));
    at = match.index + whole.length;
    if (literal !== undefined) pieces.push(`{${literal}}`);
    else if (Object.hasOwn(PLACEHOLDERS, name!)) {
      const placeholder = name as Placeholder;
      pieces.push({ placeholder, filters: parseFilters(filters, { placeholder, whole, node }) });
    } else {
      node.problem(`unknown placeholder {${name}}; ${suggest(name!, Object.keys(PLACEHOLDERS))}`);
    }
  }
  pieces.push(text.slice(at));
  return { pieces: pieces.filter((piece) => piece !== "") };
}

/** Reads the `template:` section of a channel. */
export function parseMessageTemplate(node: ConfigNode): MessageTemplate {
  const section = node.section('{ title: "[{host}] {summary}" }');
  const [title, text] = [section.optional("title"), section.optional("text")];
  section.end();
  return {
    ...(title && { title: parseTemplate(title) }),
    ...(text && { text: parseTemplate(text) }),
  };
}

interface Place {
  readonly placeholder: Placeholder;
  /** The placeholder as it was written. */
  readonly whole: string;
  readonly node: ConfigNode;
}

function parseFilters(written: string | undefined, place: Place): Filled["filters"] {
  const parts = (written === undefined ? [] : written.split("|").slice(1))
    .map((part) => part.trim());
  const escape = parts.findIndex(isEscape);
  const late = escape < 0 ? undefined : parts.slice(escape + 1).find(changesText);
  if (late !== undefined) {
    const { whole, node } = place;
    node.problem(
      isEscape(late)
        ? `${whole} is escaped twice; take one of ${parts[escape]} and ${late}`
        : `${wordOf(late)} in ${whole} must stand before ${
          parts[escape]
        }: it would cut what that writes`,
    );
  }
  return parts.flatMap((part) => parseFilter(part, place) ?? []);
}

function wordOf(filter: string): string {
  return filter.split(/\s/, 1)[0]!;
}

function isEscape(filter: string): boolean {
  return Object.hasOwn(ESCAPES, wordOf(filter));
}

/** Every filter that is known does, but the one for what is empty. */
function changesText(filter: string): boolean {
  const word = wordOf(filter);
  return Object.hasOwn(FILTERS, word) && word !== "default";
}

function parseFilter(
  written: string,
  { placeholder, whole, node }: Place,
): ((value: string) => string) | undefined {
  const [, word, argument] = /^(\S*)\s*(.*)$/s.exec(written) as unknown as [string, string, string];
  if (!Object.hasOwn(FILTERS, word)) {
    const known = Object.keys(FILTERS);
    node.problem(`unknown filter ${JSON.stringify(word)} in ${whole}; ${suggest(word, known)}`);
    return undefined;
  }
  const name = word as FilterName;
  if (name === "default") {
    if (argument === "") {
      node.problem(`default in ${whole} needs a text: {${placeholder}|default ?}`);
    }
    return (value) => value === "" ? argument : value;
  }
  if (name === "date") return parseDate(argument, { placeholder, whole, node });
  if (Object.hasOwn(ESCAPES, name)) {
    if (argument !== "") node.problem(`${name} in ${whole} takes nothing behind it`);
    return ESCAPES[name as EscapeName];
  }
  const maxChars = /^\d{1,6}$/.test(argument) ? Number(argument) : 0;
  if (maxChars < 1 || maxChars > MAX_CHARS) {
    node.problem(`${name} in ${whole} needs a number of characters: {${placeholder}|${name} 200}`);
    return undefined;
  }
  const cut = name === "first" ? truncateChars : truncateStartChars;
  return (value) => cut(value, maxChars);
}

/** A time as formatTime() writes it: so it can be found again also where several stand in a row. */
const TIME = /(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) ([+-]\d\d):(\d\d)/g;

function parseDate(
  format: string,
  { placeholder, whole, node }: Place,
): ((value: string) => string) | undefined {
  if (placeholder !== "time") {
    node.problem(`date in ${whole} is only for {time}`);
    return undefined;
  }
  const unknown = [...format.matchAll(/%(.?)/g)].find(([, code]) =>
    !"YmdHMSzFT%".includes(code!) || code === ""
  );
  if (format === "" || unknown !== undefined) {
    const found = unknown === undefined ? "nothing" : JSON.stringify(unknown[0]);
    node.problem(
      `date in ${whole} takes %Y %m %d %H %M %S %z %F %T and %%, found ${found}: {time|date %H:%M}`,
    );
    return undefined;
  }
  return (value) =>
    value.replace(TIME, (_, Y, m, d, H, M, S, hours, minutes) => {
      const codes: Readonly<Record<string, string>> = {
        ...{ Y, m, d, H, M, S, z: `${hours}${minutes}`, "%": "%" },
        ...{ F: `${Y}-${m}-${d}`, T: `${H}:${M}:${S}` },
      };
      return format.replace(/%(.)/g, (_, code) => codes[code]!);
    });
}

/** The text with each value put in, after `escape` has made it fit the format around it. */
export function render(
  template: Template,
  message: { readonly values: Values },
  escape: (value: string) => string = (value) => value,
): string {
  return renderPieces(template, message.values)
    .map(({ text, isValue }) => isValue ? escape(text) : text)
    .join("");
}

/** The text in pieces, for a format that must escape what is not the user's. */
export function renderPieces(template: Template, values: Values): TextPiece[] {
  return template.pieces.map((piece) => {
    if (typeof piece === "string") return { text: piece, isValue: false };
    const value = values[piece.placeholder];
    const text = piece.filters.reduce((text, filter) => filter(text), value);
    return { text, isValue: true, ...(piece.placeholder === "tail" && { isTail: true }) };
  });
}

/** The text once for each alert of the message, with an empty line between them. */
export function renderEach(
  template: Template,
  message: { readonly valuesOfEach: readonly Values[] },
): string {
  return message.valuesOfEach.map((values) => render(template, { values })).join("\n\n");
}
