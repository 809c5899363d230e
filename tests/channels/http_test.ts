// sendHttp(): what a status or a broken connection means, and what never comes out.

import type { Outcome } from "../../src/alerts/outcome.ts";
import {
  atEndpoint,
  type HttpReply,
  type HttpRequest,
  readCaFile,
  readEndpoint,
  sendHttp,
} from "../../src/channels/http.ts";
import { Secret } from "../../src/config/secret.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import {
  echo,
  type HttpServer,
  refusingServer,
  startHttpServer,
  startRawServer,
  startTcpServer,
} from "../support/http_server.ts";
import { parseSection } from "../support/section.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 2, 0, 0);
const TOKEN = "token-0123456789";

/** Sends to `url` and keeps the reply that the judge saw. */
async function sendTo(url: string, changes: Partial<HttpRequest> = {}) {
  let reply: HttpReply | undefined;
  const outcome = await sendHttp(
    { url: new URL(url), body: "{}", secrets: [new Secret(TOKEN, "literal")], ...changes },
    { signal: new AbortController().signal, nowMs: NOW_MS },
    (seen) => {
      reply = seen;
      return undefined;
    },
  );
  return { outcome, reply };
}

function answering(status: number, headers: Record<string, string> = {}, body = ""): HttpServer {
  const nullBody = status === 204 || status === 304;
  return startHttpServer(() => new Response(nullBody ? null : body, { status, headers }));
}

const STATUSES: readonly (readonly [number, Outcome])[] = [
  [200, { kind: "delivered", detail: "HTTP 200: so be it" }],
  [204, { kind: "delivered", detail: "HTTP 204" }],
  [400, { kind: "rejected", reason: "HTTP 400: so be it" }],
  [401, { kind: "rejected", reason: "HTTP 401: so be it" }],
  [404, { kind: "rejected", reason: "HTTP 404: so be it" }],
  [408, { kind: "retry", reason: "HTTP 408: so be it" }],
  [410, { kind: "rejected", reason: "HTTP 410: so be it" }],
  [425, { kind: "retry", reason: "HTTP 425: so be it" }],
  [429, { kind: "retry", reason: "HTTP 429: so be it" }],
  [500, { kind: "retry", reason: "HTTP 500: so be it" }],
  [503, { kind: "retry", reason: "HTTP 503: so be it" }],
  [302, {
    kind: "rejected",
    reason: "HTTP 302: a redirect, which is not followed; use the final address",
  }],
];
for (const [status, expected] of STATUSES) {
  Deno.test(`sendHttp() answers "${expected.kind}" to HTTP ${status}`, async () => {
    await using server = answering(status, { location: "http://127.0.0.1:9/x" }, "so be it");
    assertEquals((await sendTo(server.origin)).outcome, expected);
    assertEquals(server.requests.length, 1);
  });
}

const RETRY_AFTER: readonly (readonly [number, string, number | undefined])[] = [
  [429, "30", 30_000],
  [429, "0", 1000],
  [429, "Sat, 21 Nov 2026 02:05:00 GMT", 300_000],
  [429, "99999999", 86_400_000],
  [429, "soon", undefined],
  [503, "120", 120_000],
];
for (const [status, value, afterMs] of RETRY_AFTER) {
  Deno.test(`sendHttp() reads Retry-After "${value}" of HTTP ${status}`, async () => {
    // The date is the service's own, and so is measured by the service's clock.
    const date = "Sat, 21 Nov 2026 02:00:00 GMT";
    await using server = answering(status, { "retry-after": value, date });
    const { outcome } = await sendTo(server.origin);
    assertEquals(outcome, {
      kind: "retry",
      reason: `HTTP ${status}`,
      ...(afterMs !== undefined && { afterMs }),
      ...(afterMs !== undefined && status === 429 && { closesChannel: true }),
    });
  });
}

const BROKEN: readonly (readonly [string, () => HttpServer, string])[] = [
  [
    "nothing listens",
    refusingServer,
    "connection refused; check the address, the port and the firewall",
  ],
  [
    "the connection is closed at once",
    () => startTcpServer((connection) => connection.close()),
    "connection closed before the answer was complete",
  ],
  [
    "the answer breaks off",
    () => startRawServer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
    "connection closed before the answer was complete",
  ],
  ["the answer is not HTTP", () => startRawServer("SSH-2.0-x\r\n\r\n"), "the answer is not HTTP"],
  [
    "TLS is spoken to a plain port",
    () => {
      const server = startRawServer("HTTP/1.1 400 Bad Request\r\n\r\n");
      return { ...server, origin: server.origin.replace("http:", "https:") };
    },
    "TLS: no secure connection; is it https:// on that port?",
  ],
  [
    "the name cannot be resolved",
    // A label of more than 63 characters: no DNS server is asked.
    () => ({ ...refusingServer(), origin: `http://${"x".repeat(70)}.test` }),
    "cannot resolve the host name; check it and this host's DNS",
  ],
];
for (const [when, start, reason] of BROKEN) {
  Deno.test(`sendHttp() says in its own words that ${when}`, async () => {
    await using server = start();
    const { outcome } = await sendTo(`${server.origin}/${TOKEN}?refused=certificate`);
    const { host } = new URL(server.origin);
    assertEquals(outcome, { kind: "retry", reason: `${host}: ${reason}` });
  });
}

Deno.test("sendHttp() quotes 200 characters of the answer, in one line, without secrets", async () => {
  await using server = startHttpServer((request) =>
    new Response(`no\u0000\r\n\u202e ${echo(request)} ${TOKEN}${"é".repeat(300)}`, { status: 400 })
  );
  const { outcome } = await sendTo(`${server.origin}/path-of-secrets?key=query-of-secrets`);
  assert(outcome.kind === "rejected");
  assertStringIncludes(outcome.reason, "HTTP 400: no POST [secret] [secret]");
  for (const secret of [TOKEN, TOKEN.slice(0, 8), "path-of", "query-of"]) {
    assert(!outcome.reason.includes(secret), outcome.reason);
  }
  assertEquals([...outcome.reason].length, "HTTP 400: ".length + 200);
});

Deno.test("sendHttp() leaves no half of a secret where it cuts", async () => {
  await using server = answering(400, {}, "a".repeat(195) + TOKEN);
  const { outcome } = await sendTo(server.origin);
  assertEquals(outcome, { kind: "rejected", reason: `HTTP 400: ${"a".repeat(195)}[sec…` });
});

Deno.test("sendHttp() reads no more than 64 KiB", async () => {
  await using server = answering(200, {}, "x".repeat(1024 * 1024));
  const { reply } = await sendTo(server.origin);
  assert(reply !== undefined && reply.text.length > 0 && reply.text.length <= 64 * 1024);
});

Deno.test("sendHttp() hands the service's clock to the judge", async () => {
  await using server = answering(200, { date: "Sat, 21 Nov 2026 02:05:00 GMT" });
  const { reply } = await sendTo(server.origin);
  assertEquals(reply?.dateMs, NOW_MS + 300_000);
});

Deno.test("sendHttp() tells its own end from the time allowed", async () => {
  await using server = startTcpServer(() => {});
  const reasons = [];
  for (const name of ["TimeoutError", "AbortError"]) {
    const controller = new AbortController();
    const request = { url: new URL(server.origin), secrets: [] };
    const sending = sendHttp(request, { signal: controller.signal, nowMs: NOW_MS });
    controller.abort(new DOMException("now", name));
    reasons.push(await sending);
  }
  const { host } = new URL(server.origin);
  assertEquals(reasons, [
    { kind: "retry", reason: `${host}: no answer within the time allowed` },
    { kind: "retry", reason: `${host}: stopped before an answer came` },
  ]);
});

Deno.test("readEndpoint() keeps a base path, and atEndpoint() puts the service's path behind it", () => {
  const read = (endpoint: string) =>
    parseSection((section) => readEndpoint(section, "https://official.test"), { endpoint });
  assertEquals(
    atEndpoint(read("http://relay.test:8080/ding/").value, "/robot/send").href,
    "http://relay.test:8080/ding/robot/send",
  );
  assertEquals(read("ftp://relay.test").problems, [
    "c.endpoint: expected https:// or http://, found ftp:",
  ]);
  assertEquals(read("https://relay.test/?key=hush").problems, [
    "c.endpoint: expected only a scheme, a host, a port and a path",
  ]);
});

Deno.test("readCaFile() takes a certificate and says why it does not take anything else", async () => {
  await using certificates = await makeCertificates();
  const read = (ca_file: string) => parseSection(readCaFile, { ca_file });
  assertEquals(read(certificates.caFile).problems, []);
  assertEquals(read("ca.pem").problems, [`c.ca_file: expected an absolute path, found "ca.pem"`]);
  assertEquals(read("/nowhere/ca.pem").problems, [
    `c.ca_file: cannot read "/nowhere/ca.pem": no such file`,
  ]);
  assertEquals(read(certificates.keyFile).problems, [
    `c.ca_file: "${certificates.keyFile}" holds no certificate in PEM form`,
  ]);
});
