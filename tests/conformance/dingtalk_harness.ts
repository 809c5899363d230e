// DingTalk's custom robot as far as its docs describe it: it checks the token, the signature
// and the size of what it gets, and says no by HTTP 200.

import type { ChannelHarness } from "./channel.ts";
import { type Answers, echo, type RecordedRequest, startHttpSide } from "../support/http_server.ts";
import { createHmac } from "node:crypto";

const TOKEN = "566cc69da782ec33e42541b09b08551f09fbe864eb8008112e994b43887conform";
const SECRET = "SECb81a68f9f1c6cf37b4a1eb2b2d60a1bd5f4e18d20c9e1f4dconformance";
const REFUSAL = "keywords not in content";

/** The robot's text messages. */
export const dingtalkHarness: ChannelHarness = harness("text");
/** The robot's markdown messages. */
export const dingtalkMarkdownHarness: ChannelHarness = {
  ...harness("markdown"),
  variant: "markdown",
};

function harness(format: "text" | "markdown"): ChannelHarness {
  return {
    type: "dingtalk",
    secrets: [TOKEN, SECRET],
    maxBytes: 20_000,
    refusal: REFUSAL,
    busy: { afterMs: 600_000, closesChannel: true },
    async start(behaviour) {
      const texts: string[] = [];
      const side = await startHttpSide(behaviour, answersInto(texts));
      return {
        config: { token: TOKEN, secret: SECRET, format, endpoint: side.origin },
        ...(side.trusting && { trusting: side.trusting }),
        received: () => texts,
        [Symbol.asyncDispose]: () => side[Symbol.asyncDispose](),
      };
    },
  };
}

function answersInto(texts: string[]): Answers {
  return {
    accepts(request) {
      const wrong = wrongWith(request);
      if (wrong !== undefined) return Response.json(wrong);
      texts.push(shown(request.body));
      return Response.json({ errcode: 0, errmsg: "ok" });
    },
    "refuses-message": (request) =>
      Response.json({ errcode: 310000, errmsg: `${REFUSAL}, ${echo(request)}` }),
    busy: (request) =>
      Response.json({
        status: 1111,
        wait: 5,
        source: `${echo(request)}`,
        punish: "deny",
        errmsg: "send too fast, exceed 20 times per minute",
      }),
    "answers-garbage": (request) => new Response(`<html>Portal login ${echo(request)}</html>`),
    "server-error": (request) => new Response(`bad gateway ${echo(request)}`, { status: 502 }),
  };
}

function wrongWith({ url, body, bodyBytes, headers }: RecordedRequest): object | undefined {
  const parameter = (name: string) => url.searchParams.getAll(name).join();
  const timestamp = parameter("timestamp");
  const expected = createHmac("sha256", SECRET).update(`${timestamp}\n${SECRET}`).digest("base64");
  if (url.pathname !== "/robot/send") return { errcode: 404, errmsg: "no such address" };
  if (parameter("access_token") !== TOKEN) return { errcode: 300001, errmsg: "token is not exist" };
  if (parameter("sign") !== expected) return { errcode: 310000, errmsg: "sign not match" };
  if (headers.get("content-type") !== "application/json; charset=utf-8") {
    return { errcode: 43004, errmsg: "invalid content type" };
  }
  if (bodyBytes > 20_000) {
    return { errcode: 460101, errmsg: "message too long, exceed 20000 bytes" };
  }
  const { msgtype, ...rest } = JSON.parse(body);
  return msgtype in rest ? undefined : { errcode: 40035, errmsg: `missing parameter ${msgtype}` };
}

/** What the app shows; of markdown the backslashes that take a mark's meaning go away. */
function shown(body: string): string {
  const { text, markdown } = JSON.parse(body);
  return markdown === undefined
    ? text.content
    : markdown.text.replace(/\\([!-/:-@[-`{-~])/g, "$1").replace(/^> /gm, "");
}
