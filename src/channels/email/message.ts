// A message as a mail: plain text in UTF-8, and the same as HTML. Everything that comes from a
// program or a name goes through nodemailer's own encoding; the subject is made one line before.
// Mails of one incident refer to one id that no mail has: readers make a thread of them.

import { domainToASCII } from "node:url";
import type { SendMailOptions } from "nodemailer";
import type { Message } from "../../alerts/compose.ts";
import { severityOf } from "../../alerts/severity.ts";
import { render, renderEach } from "../../alerts/template.ts";
import { truncateBytes, truncateChars } from "../../alerts/truncate.ts";
import { fingerprint } from "../http.ts";
import { shorten } from "../shorten.ts";
import { htmlOf, htmlOfText } from "./html.ts";
import type { EmailOptions } from "./options.ts";

/** A longer subject is cut; lists of mails show less anyway. */
export const MAX_SUBJECT_CHARS = 200;

/**
 * A longer body is cut: far below what any server takes, far above what anybody reads. Gmail hides
 * what comes behind 102 KB of HTML.
 */
export const MAX_BODY_BYTES = 100 * 1024;

/** Readers of mail show a mark, and can be told to make a sound, for "high". */
const PRIORITIES = { info: "low", warning: "normal", critical: "high" } as const;

/** A digest may be of many incidents; a reader puts it into the thread of the last one named. */
const MAX_REFERENCES = 10;

/** The mail about one message. */
export function mailOf(message: Message, options: EmailOptions, nowMs: number): SendMailOptions {
  const subject = options.subject ? render(options.subject, message) : message.title;
  const body = options.body ? renderEach(options.body, message) : textOf(message);
  const text = truncateBytes(body, MAX_BODY_BYTES);
  const isOwn = options.body !== undefined || message.ownText !== undefined;
  const references = threadOf(message, options);
  return {
    from: { ...options.from },
    to: options.to.map((mailbox) => ({ ...mailbox })),
    cc: options.cc.map((mailbox) => ({ ...mailbox })),
    subject: truncateChars(oneLine(subject), MAX_SUBJECT_CHARS),
    text,
    ...(options.html && { html: isOwn ? ownHtml(message, text) : factsHtml(message) }),
    ...(references.length > 0 && { references, inReplyTo: references.at(-1)! }),
    date: new Date(nowMs),
    messageId: messageId(message.id, options),
    priority: PRIORITIES[severityOf(message.alerts)],
    headers: {
      "X-Superbell-Alert-Id": oneLine(message.id),
      "Auto-Submitted": "auto-generated",
    },
  };
}

/** Without a template the long texts are cut and every fact stays. */
function textOf(message: Message): string {
  return shorten(message, ({ text }) => byteLength(text) <= MAX_BODY_BYTES).text;
}

function factsHtml(message: Message): string {
  return htmlOf(shorten(message, (form) => byteLength(htmlOf(form)) <= MAX_BODY_BYTES));
}

/** The beginning of the text, as much of it as fits once it is escaped. */
function ownHtml(message: Message, text: string): string {
  let html = htmlOfText(message, text);
  for (let bytes = byteLength(text); byteLength(html) > MAX_BODY_BYTES && bytes > 0;) {
    bytes = Math.floor(bytes / 2);
    html = htmlOfText(message, truncateBytes(text, bytes));
  }
  return html;
}

/** The ids of the incidents that the message tells of, each once; the first one's last. */
function threadOf({ alerts }: Message, options: EmailOptions): string[] {
  const ids = new Set(alerts.flatMap(({ incident }) => incident === undefined ? [] : incident.id));
  return [...ids].slice(0, MAX_REFERENCES).reverse()
    .map((id) => messageId(`incident.${id}`, options));
}

/**
 * The same for every repeat of an alert to the same people, so that a mail server that knows
 * the id already can drop the repeat.
 */
function messageId(alertId: string, { from, to, cc }: EmailOptions): string {
  const people = fingerprint(...[...to, ...cc].map(({ address }) => address));
  const domain = domainToASCII(from.address.slice(from.address.indexOf("@") + 1));
  return `<${alertId.replace(/[^\w.-]/g, "")}.${people}@${domain || "superbell.invalid"}>`;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
