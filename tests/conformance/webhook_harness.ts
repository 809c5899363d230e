// Somebody's webhook, once with our document and once with a template of JSON; once judged by a
// pattern and once by what the answer's JSON says.

import { type Answers, echo, startHttpSide } from "../support/http_server.ts";
import type { ChannelHarness } from "./channel.ts";

const PATH = "/hooks/T02AB3C4D/conformance-path-secret";
const QUERY_TOKEN = "conformance-query/secret+1";
const HEADER_TOKEN = "conformance-header-secret";
const REFUSAL = "no such room";

/** Our own document, and a pattern for the answer. */
export const webhookHarness: ChannelHarness = {
  ...harness({ expect_body: '"ok": ?true' }, (body) => JSON.parse(body).text),
  notApplicable: {
    "answers-garbage":
      "any answer with a good status is a yes, unless expect_body says otherwise (refuses-message)",
  },
};

/** A template, and an answer whose JSON says yes or no. */
export const webhookTemplateHarness: ChannelHarness = {
  ...harness(
    {
      body: { template: '{"say": "{summary}\\n{text}", "who": ["{process}"]}' },
      expect_json: { ok: true },
    },
    (body) => JSON.parse(body).say,
  ),
  variant: "template",
};

function harness(
  keys: Record<string, unknown>,
  read: (body: string) => string,
): ChannelHarness {
  return {
    type: "webhook",
    secrets: [PATH, QUERY_TOKEN, HEADER_TOKEN],
    refusal: REFUSAL,
    busy: { afterMs: 7000, closesChannel: true },
    async start(behaviour) {
      const texts: string[] = [];
      const side = await startHttpSide(behaviour, answersInto(texts, read));
      return {
        config: {
          url: `${side.origin}${PATH}?key=${encodeURIComponent(QUERY_TOKEN)}`,
          headers: { Authorization: `Bearer ${HEADER_TOKEN}` },
          ...keys,
        },
        ...(side.trusting && { trusting: side.trusting }),
        received: () => texts,
        [Symbol.asyncDispose]: () => side[Symbol.asyncDispose](),
      };
    },
  };
}

function answersInto(texts: string[], read: (body: string) => string): Answers {
  return {
    accepts(request) {
      const known = request.headers.get("authorization") === `Bearer ${HEADER_TOKEN}` &&
        request.url.pathname === PATH && request.url.searchParams.get("key") === QUERY_TOKEN;
      if (!known) return new Response("who are you?", { status: 403 });
      texts.push(read(request.body));
      return Response.json({ ok: true });
    },
    "refuses-message": (request) =>
      Response.json({ ok: false, error: REFUSAL, was: echo(request) }),
    busy: (request) =>
      new Response(`slow down ${echo(request)}`, { status: 429, headers: { "retry-after": "7" } }),
    "answers-garbage": (request) => new Response(`<html>${echo(request)}</html>`),
    "server-error": (request) => new Response(`oh no ${echo(request)}`, { status: 500 }),
  };
}
