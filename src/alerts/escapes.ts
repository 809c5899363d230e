// Text as the markup of a service shows it, so that nothing in it is markup: above all no call of
// people ("<!channel>", "<at id=all>"), whatever a program has printed. Where a service has no
// way to write a character, another that looks like it stands there.

/** How to write a text for each format, by the filter's name in a template. */
export const ESCAPES = {
  html: escapeHtml,
  slack: escapeSlack,
  feishu: escapeFeishu,
  wecom: escapeWecom,
  telegram_html: (text: string) => withoutMentions(escapeHtml(text)),
  telegram_markdown: escapeTelegramMarkdown,
} as const satisfies Readonly<Record<string, (text: string) => string>>;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as HTML shows it; characters that no document may hold become U+FFFD. */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Slack knows these three entities and no others (docs.slack.dev, "Formatting message text"). */
function escapeSlack(text: string): string {
  return printable(text).replace(/[&<>]/g, (character) => ENTITIES[character]!);
}

/**
 * Feishu's cards take HTML entities for the characters of their markdown (open.feishu.cn, rich text
 * component, "special characters"; "~" has a name of its own there). Four blanks at the beginning
 * of a line would be a block of code, in which entities are not read.
 */
function escapeFeishu(text: string): string {
  return printable(text)
    .replace(/[&<>"'`*_#:!$+\-|\\()[\]]/g, (character) => `&#${character.charCodeAt(0)};`)
    .replaceAll("~", "&sim;")
    .replace(
      /^[ \t]+/gm,
      (blanks) => blanks.replaceAll(" ", "&nbsp;").replaceAll("\t", "&emsp;"),
    );
}

/**
 * WeCom's markdown has no way to write "<", which begins a call of people ("<@all>") and a colour;
 * nor to write "[a](b)" that is no link.
 */
function escapeWecom(text: string): string {
  return printable(text).replaceAll("<", "＜").replaceAll(">", "＞").replaceAll("](", "]（");
}

/** MarkdownV2: core.telegram.org/bots/api names 18 characters; the backslash is the 19th. */
function escapeTelegramMarkdown(text: string): string {
  return withoutMentions(printable(text).replace(/[\\_*[\]()~`>#+\-=|{}.!]/g, "\\$&"));
}

/**
 * Telegram makes a call of "@name" in any text, unless a letter stands before it as in an address
 * of mail. A character that is not seen, U+2060, keeps the two apart; at the end of the text too,
 * for another may follow.
 */
function withoutMentions(text: string): string {
  return text.replace(/(?<![A-Za-z0-9_])@(?=\\?[A-Za-z0-9_]|$)/g, "@\u2060");
}

function printable(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex -- they are to go
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, "\ufffd");
}
