// webhook: the document, templates and their escapes, and what counts as a yes.

import type { Outcome } from "../../src/alerts/outcome.ts";
import { opener } from "../../src/channels/channel.ts";
import { webhook } from "../../src/channels/webhook/mod.ts";
import { parseOptions } from "../../src/channels/webhook/options.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { messageOf } from "../support/message.ts";
import { openChannel, parseSection } from "../support/section.ts";

async function send(
  config: Record<string, unknown>,
  { answer = () => new Response("ok"), message = messageOf() } = {},
) {
  await using server = startHttpServer(answer);
  const url = `${server.origin}/hooks/abc?key=s3cret%2F1`;
  const channel = openChannel(opener(webhook), { url, ...config });
  const signal = new AbortController().signal;
  const outcome = await channel.send(message, { signal, nowMs: Date.now() });
  return { outcome, request: server.requests[0]! };
}

Deno.test("webhook posts the whole alert", async () => {
  const { outcome, request } = await send({});
  assertEquals(outcome, { kind: "delivered", detail: "HTTP 200" });
  assertEquals(request.method, "POST");
  assertEquals(request.url.pathname + request.url.search, "/hooks/abc?key=s3cret%2F1");
  assertEquals(request.headers.get("content-type"), "application/json");
  assertEquals(request.headers.get("x-superbell-alert-id"), "0123456789ab");
  assertEquals(JSON.parse(request.body), {
    version: 1,
    id: "0123456789ab",
    rule: "crash",
    on: "crash",
    event: "PROCESS_STATE_EXITED",
    title: "web:api exited unexpectedly on node-7",
    text: messageOf().text,
    at: "2026-11-21T02:11:30.000Z",
    host: { name: "node-7", address: "10.0.0.7" },
    supervisor: "supervisor",
    process: { name: "api", group: "web", pid: 4242 },
    group: "web",
    from_state: "RUNNING",
    expected: false,
    tries: null,
    exit: null,
    out_of_memory: null,
    uptime_ms: null,
    restarts: null,
    severity: null,
    failed_starts: null,
    tails: [],
    data: null,
    type: null,
    gap: null,
    channel: null,
    reconciled: false,
    incident: null,
    instead_of: null,
  });
});

const NASTY = 'a "b" \\c\n&d=é {summary}';
const TEMPLATES: readonly (readonly [string, string, string, string])[] = [
  [
    "application/json",
    '{"data": "{data}", "literal": "{{host}}", "host": "{host}"}',
    "application/json",
    '{"data": "a \\"b\\" \\\\c\\n&d=é {summary}", "literal": "{host}", "host": "node-7"}',
  ],
  [
    "application/x-www-form-urlencoded",
    "data={data}&host={host}",
    "application/x-www-form-urlencoded",
    "data=a%20%22b%22%20%5Cc%0A%26d%3D%C3%A9%20%7Bsummary%7D&host=node-7",
  ],
  ["text/plain", "{host}: {data}", "text/plain; charset=utf-8", `node-7: ${NASTY}`],
];
for (const [content_type, template, type, body] of TEMPLATES) {
  Deno.test(`webhook fills a template of ${content_type}`, async () => {
    const message = messageOf({ text: NASTY });
    const { request } = await send({ body: { template, content_type } }, { message });
    assertEquals(request.headers.get("content-type"), type);
    assertEquals(request.body, body);
  });
}

Deno.test("webhook sends the headers of the config, before its own", async () => {
  const headers = { Authorization: "Bearer abc", "Content-Type": "application/vnd.x+json" };
  const { request } = await send({ method: "PUT", headers });
  assertEquals(request.method, "PUT");
  assertEquals(request.headers.get("authorization"), "Bearer abc");
  assertEquals(request.headers.get("content-type"), "application/vnd.x+json");
});

Deno.test("webhook calls by GET without a body", async () => {
  const { outcome, request } = await send({ method: "GET" });
  assertEquals(outcome.kind, "delivered");
  assertEquals([request.method, request.body], ["GET", ""]);
  assertEquals(request.headers.get("content-type"), null);
  assertEquals(request.headers.get("x-superbell-alert-id"), "0123456789ab");
});

/** As of a service that says 200 to everything. */
const CODES = { expect_json: { errcode: 0 }, retry_json: { errcode: [45009, -1] } };

type Verdict = readonly [string, Record<string, unknown>, () => Response, Outcome];
const VERDICTS: readonly Verdict[] = [
  ["any 2xx", {}, () => new Response(null, { status: 202 }), {
    kind: "delivered",
    detail: "HTTP 202",
  }],
  ["a 2xx that is not expected", { expect: [200] }, () => new Response("", { status: 202 }), {
    kind: "rejected",
    reason: "HTTP 202 is not one of expect",
  }],
  ["a 409 that is expected", { expect: [200, 409] }, () => new Response("", { status: 409 }), {
    kind: "delivered",
    detail: "HTTP 409",
  }],
  ["a 503", { expect: [200] }, () => new Response("later", { status: 503 }), {
    kind: "retry",
    reason: "HTTP 503: later",
  }],
  ["a 403", {}, () => new Response("no", { status: 403 }), {
    kind: "rejected",
    reason: "HTTP 403: no",
  }],
  ["a body that matches", { expect_body: "^ok$" }, () => new Response("ok"), {
    kind: "delivered",
    detail: "HTTP 200",
  }],
  ["200-but-no", { expect_body: "^ok$" }, () => new Response("no such room"), {
    kind: "rejected",
    reason: "HTTP 200, but the answer does not match expect_body: no such room",
  }],
  ["a code that means yes", CODES, () => Response.json({ errcode: 0, errmsg: "ok" }), {
    kind: "delivered",
    detail: "HTTP 200",
  }],
  ["200 with a code that means no", CODES, () => Response.json({ errcode: 93000 }), {
    kind: "rejected",
    reason: 'HTTP 200, but the answer is not as expect_json says: {"errcode":93000}',
  }],
  ["a code of another type", CODES, () => Response.json({ errcode: "0" }), {
    kind: "rejected",
    reason: 'HTTP 200, but the answer is not as expect_json says: {"errcode":"0"}',
  }],
  ["an answer without the code", CODES, () => Response.json({ data: { errcode: 0 } }), {
    kind: "rejected",
    reason: 'HTTP 200, but the answer is not as expect_json says: {"data":{"errcode":0}}',
  }],
  ["a page in place of JSON", CODES, () => new Response("<h1>log in</h1>"), {
    kind: "retry",
    reason: "HTTP 200, but the answer is no JSON object (expect_json): <h1>log in</h1>",
  }],
  ["a word in place of JSON", CODES, () => new Response("ok"), {
    kind: "rejected",
    reason: "HTTP 200, but the answer is no JSON object (expect_json): ok",
  }],
  ["nothing in place of JSON", CODES, () => new Response(), {
    kind: "rejected",
    reason: "HTTP 200, but the answer is no JSON object (expect_json): ",
  }],
  ["a code that means later", CODES, () => Response.json({ errcode: 45009 }), {
    kind: "retry",
    reason: 'HTTP 200: {"errcode":45009}',
  }],
  [
    "a 400 with a code that means later",
    CODES,
    () => Response.json({ errcode: -1 }, { status: 400, headers: { "retry-after": "3" } }),
    { kind: "retry", reason: 'HTTP 400: {"errcode":-1}', afterMs: 3000 },
  ],
  ["a 400 with another code", CODES, () => Response.json({ errcode: 1 }, { status: 400 }), {
    kind: "rejected",
    reason: 'HTTP 400: {"errcode":1}',
  }],
  [
    "a 429 with a code that means later",
    CODES,
    () => Response.json({ errcode: -1 }, { status: 429, headers: { "retry-after": "3" } }),
    { kind: "retry", reason: 'HTTP 429: {"errcode":-1}', afterMs: 3000, closesChannel: true },
  ],
  [
    "several keys of which one is wrong",
    { expect_json: { ok: true, status: ["sent", "queued"] } },
    () => Response.json({ ok: true, status: "lost" }),
    {
      kind: "rejected",
      reason: 'HTTP 200, but the answer is not as expect_json says: {"ok":true,"status":"lost"}',
    },
  ],
  [
    "several keys that are right",
    { expect_json: { ok: true, status: ["sent", "queued"] } },
    () => Response.json({ status: "queued", ok: true }),
    { kind: "delivered", detail: "HTTP 200" },
  ],
];
for (const [what, config, answer, expected] of VERDICTS) {
  Deno.test(`webhook answers "${expected.kind}" to ${what}`, async () => {
    assertEquals((await send(config, { answer })).outcome, expected);
  });
}

Deno.test("webhook keeps a header's value and the address out of the reason", async () => {
  const answer = () =>
    new Response("abcdefghij /hooks/abc?key=s3cret%2F1 s3cret/1", { status: 401 });
  const { outcome } = await send({ headers: { Authorization: "Bearer abcdefghij" } }, { answer });
  assert(outcome.kind === "rejected");
  assertEquals(outcome.reason, "HTTP 401: [secret] [secret] [secret]");
});

const URL_KEY = { url: "https://hooks.test/x" };
const OPTIONS: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ["an address", URL_KEY, []],
  ["a missing address", {}, ["c.url: is required and missing"]],
  ["an address that is none", { url: "hooks.test/topsecret" }, [
    "c.url: expected an address that begins with https:// or http://",
  ]],
  ["two addresses", { url: "https://hooks.test/topsecret\nhttps://hooks.test/x\n" }, [
    "c.url: expected a secret of one line, found 2 lines; leave only the secret there",
  ]],
  ["a shell's variable for the address", { url: "${HOOK:-topsecret}" }, [
    "c.url: is a shell's variable, which is not filled in here; write { env: HOOK }",
  ]],
  ["another scheme", { url: "ftp://hooks.test/topsecret" }, [
    "c.url: expected https:// or http://, found ftp:",
  ]],
  ["a body for GET", { ...URL_KEY, method: "GET", body: "json" }, [
    "c.body: a GET carries no body; use POST",
  ]],
  ["another body", { ...URL_KEY, body: "jsn" }, [
    `c.body: expected keys with values like { template: '{ "title": "{summary}" }' } or the word ` +
    "json, found a string",
  ]],
  ["a body without a template", { ...URL_KEY, body: {} }, [
    "c.body.template: is required and missing",
  ]],
  ["an unknown placeholder", { ...URL_KEY, body: { template: '{"a": "{sumary}"}' } }, [
    'c.body.template: unknown placeholder {sumary}; did you mean "summary"?',
  ]],
  ["a placeholder without quotes", { ...URL_KEY, body: { template: '{"pid": {pid}}' } }, [
    "c.body: the template is not JSON once it is filled in; put placeholders in quotes",
  ]],
  ["a header that cannot be", { ...URL_KEY, headers: { "X Y": "topsecret" } }, [
    "c.headers.X Y: not a name that a header can have",
  ]],
  ["a header's value of two lines", { ...URL_KEY, headers: { "X-Y": "topsecret\nHost: z" } }, [
    "c.headers.X-Y: holds a character that no header can carry",
  ]],
  ["a status that is none", { ...URL_KEY, expect: [20] }, [
    "c.expect[0]: expected a number from 200 to 599, found 20",
  ]],
  ["a pattern that is none", { ...URL_KEY, expect_body: "(" }, [
    'c.expect_body: cannot read the regular expression "(": Unterminated group',
  ]],
  ["codes", { ...URL_KEY, ...CODES }, []],
  ["no codes", { ...URL_KEY, expect_json: {}, retry_json: 0 }, [
    "c.expect_json: expected keys of the answer with their values, as in { errcode: 0 }",
    "c.retry_json: expected keys with values like { errcode: 0 }, found a number",
  ]],
  ["codes that are none", { ...URL_KEY, expect_json: { ok: null, code: [0, { a: 1 }] } }, [
    "c.expect_json.ok: expected a list, found nothing",
    "c.expect_json.code[1]: expected a text, a number, true or false",
  ]],
];
for (const [what, config, problems] of OPTIONS) {
  Deno.test(`parseOptions() of webhook reads ${what}`, () => {
    const parsed = parseSection(parseOptions, config);
    assertEquals(parsed.problems, problems);
    assert(!JSON.stringify([parsed.problems, parsed.value]).includes("topsecret"));
  });
}

Deno.test("parseOptions() of webhook takes a header's value from the environment", () => {
  const config = { ...URL_KEY, headers: { Authorization: { env: "HOOK_AUTH" } } };
  const { value, problems } = parseSection(parseOptions, config, { HOOK_AUTH: "Bearer xyz" });
  assertEquals(problems, []);
  assertEquals(value.headers.Authorization?.reveal(), "Bearer xyz");
  assertStringIncludes(Deno.inspect(value), "[secret]");
  assert(!Deno.inspect(value).includes("xyz"));
});
