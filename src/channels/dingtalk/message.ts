// The body of a robot's message. Two things that others forget: a mention needs the id in `at`
// AND the literal @id in the text, and the keyword must be in the title and in the text.

import { type Message, plainText } from "../../alerts/compose.ts";
import { WORDS } from "../../alerts/messages.ts";
import type { Alert } from "../../alerts/alert.ts";
import { isAtLeast, isRecovery, severityOf } from "../../alerts/severity.ts";
import { shorten } from "../shorten.ts";
import type { DingtalkOptions, Mention } from "./options.ts";

/** The service's limit for the whole body. */
export const MAX_BODY_BYTES = 20_000;

type Layout = Pick<DingtalkOptions, "format" | "mention" | "keyword">;

const NOBODY: Pick<Mention, "mobiles" | "userIds" | "all"> = {
  mobiles: [],
  userIds: [],
  all: false,
};

/** The request's body, shortened until it is within the limit. */
export function bodyOf(message: Message, options: Layout): string {
  const { mention } = options;
  const isCalled = isCalling(message.alerts, mention);
  const layout = { ...options, mention: isCalled ? mention : { ...NOBODY, from: mention.from } };
  const write = (form: Message) => JSON.stringify(payloadOf(form, layout));
  const encoder = new TextEncoder();
  return write(shorten(message, (form) => encoder.encode(write(form)).length <= MAX_BODY_BYTES));
}

/** Nobody is woken to hear that something is over, unless that was asked for. */
function isCalling(alerts: readonly Alert[], { from }: Mention): boolean {
  return from === undefined ? !alerts.every(isRecovery) : isAtLeast(severityOf(alerts), from);
}

function payloadOf(cut: Message, layout: Layout): Record<string, unknown> {
  const message = { ...cut, title: withKeyword(oneLine(cut.title), layout.keyword) };
  const content = layout.format === "text"
    ? { msgtype: "text", text: { content: complete(plainText(message), layout) } }
    : {
      msgtype: "markdown",
      markdown: { title: message.title, text: complete(markdown(message), layout) },
    };
  const { mobiles, userIds, all } = layout.mention;
  const at = {
    ...(mobiles.length > 0 && { atMobiles: mobiles }),
    ...(userIds.length > 0 && { atUserIds: userIds }),
    ...(all && { isAtAll: true }),
  };
  return Object.keys(at).length === 0 ? content : { ...content, at };
}

function withKeyword(title: string, keyword: string | undefined): string {
  return keyword === undefined || title.includes(keyword) ? title : `${keyword} ${title}`;
}

/** The text with the mentions, and with the keyword where escaping has changed it. */
function complete(text: string, { mention, keyword }: Layout): string {
  const parts = [text];
  const ids = [...mention.mobiles, ...mention.userIds];
  if (ids.length > 0) parts.push(ids.map((id) => `@${id}`).join(" "));
  if (keyword !== undefined && !text.includes(keyword)) parts.push(keyword);
  return parts.join("\n\n");
}

function markdown({ title, facts, language, ownText }: Message): string {
  // The user's own markup is his; what comes from elsewhere has none.
  if (ownText !== undefined) {
    return ownText.map(({ text, isValue }) => isValue ? escapeLines(text) : text).join("");
  }
  const { colon } = WORDS[language];
  const items = facts.filter((fact) => fact.wide !== true)
    .map(({ label, value }) => `- **${label}**${colon}${escape(oneLine(value))}`);
  const quotes = facts.filter((fact) => fact.wide === true)
    .map(({ label, value }) => `**${label}**${colon.trim()}\n\n${quote(value)}`);
  return [`#### ${escape(oneLine(title))}`, items.join("\n"), ...quotes].join("\n\n");
}

/** DingTalk joins lines that do not end in two spaces. */
function quote(text: string): string {
  return linesOf(text.trimEnd()).map((line) => `> ${line}`).join("  \n");
}

function escapeLines(text: string): string {
  return linesOf(text).join("  \n");
}

function linesOf(text: string): string[] {
  return text.split(/\r\n|\r|\n/).map((line) => escapeStart(escape(line)));
}

/** Takes the meaning from everything that is markup inside a line. */
function escape(text: string): string {
  return text.replace(/[\\`*_{}[\]<>~|&]/g, "\\$&");
}

/** Takes the meaning from what is markup only where a line begins. */
function escapeStart(line: string): string {
  return line.replace(
    /^(\s*)([#+=-]|\d+(?=[.)]))/,
    (_, space: string, mark: string) => /\d/.test(mark) ? `${space}${mark}\\` : `${space}\\${mark}`,
  );
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
