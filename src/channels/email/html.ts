// The HTML part of a mail: the same words as in the text part, as a table that Outlook shows as
// well: no style sheet, no div that must float, each style at its place. Everything that stands
// in it is escaped.

import type { Message } from "../../alerts/compose.ts";
import { escapeHtml } from "../../alerts/escapes.ts";

const FONT = "font-family:Segoe UI,Helvetica,Arial,Microsoft YaHei,PingFang SC,sans-serif";
const LABEL = `${FONT};font-size:14px;color:#666666;white-space:nowrap;vertical-align:top;` +
  "padding:2px 12px 2px 0";
const VALUE = `${FONT};font-size:14px;color:#1a1a1a;vertical-align:top;padding:2px 0`;
const BLOCK = "font-family:Consolas,Menlo,monospace;font-size:13px;color:#1a1a1a;" +
  "background-color:#f4f4f4;padding:8px;margin:0;white-space:pre-wrap;word-wrap:break-word";
const OWN = `${FONT};font-size:14px;color:#1a1a1a;margin:0;white-space:pre-wrap;` +
  "word-wrap:break-word";
const TITLE = `${FONT};font-size:18px;font-weight:bold;color:#1a1a1a;margin:0;padding:0 0 8px 0`;

/** The message as a document; a text of the user's own keeps its lines. */
export function htmlOf(message: Pick<Message, "language" | "title" | "facts">): string {
  const rows = message.facts.map(({ label, value, wide }) =>
    wide === true && value.includes("\n") ? blockRow(label, value) : row(label, value)
  );
  return page(message, [
    `<p style="${TITLE}">${escapeHtml(message.title)}</p>`,
    '<table role="presentation" cellpadding="0" cellspacing="0" border="0">',
    ...rows,
    "</table>",
  ]);
}

/** A text of the user's own, line by line. */
export function htmlOfText(message: Pick<Message, "language" | "title">, text: string): string {
  return page(message, [`<pre style="${OWN}">${escapeHtml(text)}</pre>`]);
}

function page({ language, title }: Pick<Message, "language" | "title">, body: string[]): string {
  return [
    "<!DOCTYPE html>",
    `<html lang="${language}"><head><meta charset="utf-8"><title>${
      escapeHtml(title)
    }</title></head>`,
    '<body style="margin:0;padding:12px">',
    ...body,
    "</body></html>",
    "",
  ].join("\n");
}

function row(label: string, value: string): string {
  return `<tr><td style="${LABEL}">${escapeHtml(label)}</td>` +
    `<td style="${VALUE}">${escapeHtml(value)}</td></tr>`;
}

/** A text of several lines has the whole width. */
function blockRow(label: string, value: string): string {
  return `<tr><td colspan="2" style="${LABEL}">${escapeHtml(label)}</td></tr>\n` +
    `<tr><td colspan="2"><pre style="${BLOCK}">${escapeHtml(value)}</pre></td></tr>`;
}
