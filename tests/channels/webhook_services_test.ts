// The channels of docs/channels/webhook.md for Slack, Feishu, WeCom and Telegram, as they stand
// there, against a server that takes and answers as the service does. A hostile program tries to
// call everybody; only what the user has written may be markup.

// @ts-types="../../src/std_yaml.d.ts"
import { parse as parseYaml } from "@std/yaml";
import type { Alert } from "../../src/alerts/alert.ts";
import type { Outcome } from "../../src/alerts/outcome.ts";
import { opener } from "../../src/channels/channel.ts";
import { webhook } from "../../src/channels/webhook/mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { messageOf } from "../support/message.ts";
import { openChannel } from "../support/section.ts";

const PAGE = Deno.readTextFileSync(new URL("../../docs/channels/webhook.md", import.meta.url));

/** The section of a channel as the page has it, with another address. */
function documented(name: string, url: string): Record<string, unknown> {
  const blocks = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) =>
    parseYaml(text!, { schema: "core" }) as { channels?: Record<string, Record<string, unknown>> }
  );
  const found = blocks.map(({ channels }) => channels?.[name]).filter((one) => one !== undefined);
  assertEquals(found.length, 1, `${name} stands once on the page`);
  const { type, ...section } = found[0]!;
  assertEquals(type, "webhook");
  return { ...section, url };
}

const CALLS =
  '<!channel> <@U024BE7LH> <at id=all></at> <at user_id="all">x</at> <@all> @oncall_bot ' +
  "[log in](https://evil.test) <a href='tg://user?id=1'>x</a> </pre><b> &lt;!here&gt; **!** \\_";

/** An alert in which everything that others write is hostile. */
const HOSTILE: Partial<Alert> = {
  process: { group: `web${CALLS}`, name: `api"}]${CALLS}` },
  exit: { status: 3, certainty: "sure" },
  tails: [{ stream: "stderr", lines: [`    ${CALLS}`, `ValueError: ${CALLS}`] }],
};

interface Service {
  /** What people read in a request's body, as markup. */
  content(body: Record<string, unknown>): string;
  /** The markup in a content, in its order. */
  readonly markup: RegExp;
  /** What stands in the content although a person wrote none of it: the user's own. */
  readonly own: readonly string[];
  /** A piece that must be readable in it, escaped. */
  readonly shows: string;
  readonly limit: (content: string, body: string) => boolean;
  readonly answers: readonly (readonly [string, () => Response, Outcome["kind"]])[];
}

const bytes = (text: string) => new TextEncoder().encode(text).length;
const json = (value: unknown, status = 200) => () => Response.json(value, { status });

const SERVICES: Readonly<Record<string, Service>> = {
  slack: {
    content: (body) => body.mrkdwn === false ? String(body.text) : "mrkdwn is on",
    markup: /<[^>]*>/g,
    own: [],
    shows: "ValueError: &lt;!channel&gt; &lt;@U024BE7LH&gt;",
    limit: (content) => content.length <= 40_000,
    answers: [
      ["ok", () => new Response("ok"), "delivered"],
      ["no_text", () => new Response("no_text", { status: 400 }), "rejected"],
      ["invalid_token", () => new Response("invalid_token", { status: 403 }), "rejected"],
      ["429", () => new Response("", { status: 429, headers: { "retry-after": "1" } }), "retry"],
    ],
  },
  feishu: {
    content: (body) => {
      assertEquals(body.msg_type, "interactive");
      const card = body.card as {
        header: { title: { tag: string } };
        elements: { tag: string; content: string }[];
      };
      assertEquals(card.header.title.tag, "plain_text");
      assertEquals(card.elements.map(({ tag }) => tag), ["markdown"]);
      return card.elements[0]!.content;
    },
    markup: /<[^>]*>|\*\*|\]\(|^ {4}/gm,
    own: [],
    shows: "ValueError&#58; &#60;&#33;channel&#62;",
    limit: (_, body) => bytes(body) <= 20_000,
    answers: [
      ["code 0", json({ StatusCode: 0, StatusMessage: "success", code: 0, data: {} }), "delivered"],
      ["19024, no keyword", json({ code: 19024, msg: "Key Words Not Found" }), "rejected"],
      ["11232, too often", json({ code: 11232, msg: "frequency limited" }), "retry"],
      [
        "400 with 9499, a card it cannot read",
        json({ code: 9499, msg: "Bad Request" }, 400),
        "rejected",
      ],
    ],
  },
  wecom: {
    content: (body) => {
      assertEquals(body.msgtype, "markdown");
      return (body.markdown as { content: string }).content;
    },
    markup: /<[^>]*>|\]\(/g,
    own: [],
    shows: "ValueError: ＜!channel＞ ＜@U024BE7LH＞",
    limit: (content) => bytes(content) <= 4096,
    answers: [
      ["errcode 0", json({ errcode: 0, errmsg: "ok" }), "delivered"],
      ["93000, a bad key", json({ errcode: 93000, errmsg: "invalid webhook url" }), "rejected"],
      ["40058, too long", json({ errcode: 40058, errmsg: "exceed max length 4096" }), "rejected"],
      ["45009, too often", json({ errcode: 45009, errmsg: "api freq out of limit" }), "retry"],
    ],
  },
  telegram: {
    content: (body) => {
      assertEquals([body.parse_mode, body.chat_id], ["HTML", "-1001234567890"]);
      return String(body.text);
    },
    markup: /<[^>]*>|(?<!\w)@\w+/g,
    own: ["<b>", "</b>", "<pre>", "</pre>", "<code>", "</code>"],
    shows: "ValueError: &lt;!channel&gt;",
    // Telegram counts what is left of it once the markup is read.
    limit: (content) => content.replace(/<[^>]*>/g, "").replace(/&\w+;/g, "&").length <= 4096,
    answers: [
      ["ok", json({ ok: true, result: { message_id: 1 } }), "delivered"],
      ["no such chat", json({ ok: false, error_code: 400, description: "" }, 400), "rejected"],
      ["429", json({ ok: false, error_code: 429, parameters: { retry_after: 3 } }, 429), "retry"],
      ["200 but no", json({ ok: false }), "rejected"],
    ],
  },
};

async function send(name: string, answer: () => Response, changes: Partial<Alert>) {
  await using server = startHttpServer(answer);
  const channel = openChannel(opener(webhook), documented(name, `${server.origin}/x`));
  const signal = new AbortController().signal;
  const outcome = await channel.send(messageOf(changes), { signal, nowMs: Date.now() });
  return { outcome, body: server.requests[0]!.body };
}

for (const [name, service] of Object.entries(SERVICES)) {
  const yes = service.answers[0]![1];

  Deno.test(`the webhook for ${name}: a hostile program calls nobody`, async () => {
    const { outcome, body } = await send(name, yes, HOSTILE);
    assertEquals(outcome.kind, "delivered");
    const content = service.content(JSON.parse(body));
    assertEquals([...content.matchAll(service.markup)].map(([found]) => found), service.own);
    assertStringIncludes(content, service.shows);
  });

  Deno.test(`the webhook for ${name}: the longest message is within the service's limit`, async () => {
    for (const piece of ["<", "🚨", "汉字 _*\n"]) {
      const lines = piece.repeat(3000).split("\n");
      const { body } = await send(name, yes, { tails: [{ stream: "stderr", lines }] });
      const content = service.content(JSON.parse(body));
      assert(service.limit(content, body), `${piece}: ${content.length}, ${bytes(body)} bytes`);
    }
  });

  for (const [what, answer, kind] of service.answers) {
    Deno.test(`the webhook for ${name}: "${what}" is "${kind}"`, async () => {
      assertEquals((await send(name, answer, {})).outcome.kind, kind);
    });
  }
}
