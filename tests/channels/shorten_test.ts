// Whatever an alert holds, each channel's message is within its limit, no character is cut in
// two, and what matters most is still there.

import type { Alert } from "../../src/alerts/alert.ts";
import { compose, type Message, plainText } from "../../src/alerts/compose.ts";
import { composeDigest } from "../../src/alerts/digest.ts";
import { parseTemplate } from "../../src/alerts/template.ts";
import { bodyOf, MAX_BODY_BYTES } from "../../src/channels/dingtalk/message.ts";
import { mailOf, MAX_BODY_BYTES as MAX_MAIL_BYTES } from "../../src/channels/email/message.ts";
import { parseEmail } from "../../src/channels/email/options.ts";
import { invocationOf, MAX_VALUE_BYTES } from "../../src/channels/exec/message.ts";
import { parseExec } from "../../src/channels/exec/options.ts";
import { shorten } from "../../src/channels/shorten.ts";
import { ConfigNode, Reading } from "../../src/config/node.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
} from "../support/assert.ts";
import { ALERT, messageOf } from "../support/message.ts";
import { Random } from "../support/random.ts";
import { parseSection } from "../support/section.ts";

const ALPHABET = [
  "a",
  "é",
  "订",
  "🔔",
  "\n",
  " ",
  "*",
  "<",
  "&",
  '"',
  "\\",
  "\t",
  "{",
  "|",
];
const LAST = "ValueError: 余额不足 🚨";

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

function someText(random: Random, maxLength: number): string {
  const length = random.below(maxLength);
  return Array.from({ length }, () => ALPHABET[random.below(ALPHABET.length)]).join("");
}

function someAlert(random: Random): Alert {
  const size = [20, 500, 30_000][random.below(3)]!;
  const tail = [...someText(random, size).split("\n"), LAST];
  return {
    ...ALERT,
    process: { group: someText(random, 40) || "g", name: someText(random, 40) || "n" },
    exit: { status: 3, certainty: "sure" },
    ...(random.below(2) === 0 && { text: someText(random, size) }),
    tails: [{ stream: "stderr", lines: tail }],
  };
}

/** The text of a channel as a service gets it, with its limit. */
function channels(message: Message): readonly (readonly [string, string, number])[] {
  const { value: mail } = parseSection(parseEmail, {
    ...{ host: "h", from: "a@b", to: "c@d" },
  });
  const { value: exec } = parseSection(parseExec, {
    command: ["/bin/echo", "{text}", "{tail}", "{summary}"],
  });
  const layout = {
    mention: { mobiles: ["13800138000"], userIds: [], all: false, from: "info" as const },
    keyword: "主机",
  };
  const { text, html } = mailOf(message, mail, 0);
  const { args, env } = invocationOf(message, exec);
  return [
    ["text", bodyOf(message, { ...layout, format: "text" }), MAX_BODY_BYTES],
    ["markdown", bodyOf(message, { ...layout, format: "markdown" }), MAX_BODY_BYTES],
    ["mail", String(text), MAX_MAIL_BYTES],
    ["HTML", String(html), MAX_MAIL_BYTES],
    ...args.map((arg, index) => [`argument ${index}`, arg, MAX_VALUE_BYTES] as const),
    ...Object.entries(env).map(([name, value]) => [name, value, MAX_VALUE_BYTES] as const),
  ];
}

Deno.test("every channel keeps its limit and cuts no character, whatever the alert holds", () => {
  const random = new Random(1234);
  for (let round = 0; round < 40; round++) {
    const alerts = Array.from({ length: [1, 1, 3, 40][round % 4]! }, () => someAlert(random));
    const language = round % 2 === 0 ? "en" : "zh";
    const message = composeDigest(alerts as [Alert, ...Alert[]], { language, timeZone: "UTC" });
    for (const [name, text, maxBytes] of channels(message)) {
      assertLessOrEqual(bytesOf(text), maxBytes, name);
      assert(text.isWellFormed() && !text.includes("\ufffd"), name);
    }
    if (alerts.length > 1) continue;
    for (const [name, text] of channels(message).slice(0, 4)) {
      // JSON and HTML write some characters in another way; these they do not.
      assertStringIncludes(text, "余额不足 🚨", name);
      assertStringIncludes(text, language === "en" ? "exited with status 3" : "退出码 3", name);
      assertStringIncludes(text, ALERT.id, name);
    }
  }
});

Deno.test("shorten() cuts the oldest lines of a tail first and keeps every fact", () => {
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}`);
  const message = messageOf({ tails: [{ stream: "stderr", lines }] });
  const short = shorten(message, ({ text }) => bytesOf(text) <= 1000);
  assertLessOrEqual(bytesOf(short.text), 1000);
  assertEquals(short.facts.map(({ label }) => label), message.facts.map(({ label }) => label));
  const tail = short.facts.find(({ isTail }) => isTail)!.value.split("\n");
  assertEquals(tail[0], "…");
  assertEquals(tail.slice(1), lines.slice(1 - tail.length));
  assert(tail.length > 20, `${tail.length} lines`);
});

Deno.test("shorten() keeps the title longest, and cuts it where nothing else is left", () => {
  const message = messageOf({ process: { group: "g", name: "名".repeat(500) } });
  const short = shorten(message, ({ text }) => bytesOf(text) <= 200);
  assert(short.title.startsWith("g:名名") && short.title.endsWith("…"), short.title);
});

Deno.test("shorten() cuts in a text of the user's own what came from elsewhere", () => {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const text = parseTemplate(new ConfigNode("# {process}\n{tail}\nsee the runbook", "t", reading));
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}`);
  const message = compose(
    { ...ALERT, tails: [{ stream: "stderr", lines }] },
    { language: "en", template: { text } },
  );
  const short = shorten(message, (form) => bytesOf(plainText(form)) <= 300);
  assertLessOrEqual(bytesOf(short.text), 300);
  assert(short.text.startsWith("# web:api\n…\nline "), short.text);
  assert(short.text.endsWith("line 999\nsee the runbook"), short.text);
});
