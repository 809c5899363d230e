// A message as a mail: plain text in UTF-8. Everything that comes from a program or a name
// goes through nodemailer's own encoding; the subject is made one line before.

import { domainToASCII } from "node:url";
import type { SendMailOptions } from "nodemailer";
import type { Message } from "../../alerts/compose.ts";
import { render, renderEach } from "../../alerts/template.ts";
import { truncateBytes, truncateChars } from "../../alerts/truncate.ts";
import { fingerprint } from "../http.ts";
import { shorten } from "../shorten.ts";
import type { EmailOptions } from "./options.ts";

/** A longer subject is cut; lists of mails show less anyway. */
export const MAX_SUBJECT_CHARS = 200;

/** A longer body is cut: far below what any server takes, far above what anybody reads. */
export const MAX_BODY_BYTES = 100 * 1024;

/** The mail about one message. */
export function mailOf(message: Message, options: EmailOptions, nowMs: number): SendMailOptions {
  const subject = options.subject ? render(options.subject, message) : message.title;
  // Without a template the long texts are cut and every fact stays.
  const body = options.body
    ? renderEach(options.body, message)
    : shorten(message, ({ text }) => byteLength(text) <= MAX_BODY_BYTES).text;
  return {
    from: { ...options.from },
    to: options.to.map((mailbox) => ({ ...mailbox })),
    cc: options.cc.map((mailbox) => ({ ...mailbox })),
    subject: truncateChars(oneLine(subject), MAX_SUBJECT_CHARS),
    text: truncateBytes(body, MAX_BODY_BYTES),
    date: new Date(nowMs),
    messageId: messageId(message.id, options),
    headers: {
      "X-Superbell-Alert-Id": oneLine(message.id),
      "Auto-Submitted": "auto-generated",
    },
  };
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
