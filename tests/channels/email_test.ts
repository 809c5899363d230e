// email: what its section may hold, the mail itself, and every way a real SMTP server takes or
// refuses it. What all channels share stands in conformance/.

import type { Alert } from "../../src/alerts/alert.ts";
import { composeDigest } from "../../src/alerts/digest.ts";
import { opener } from "../../src/channels/channel.ts";
import { describeReply, type Failure, outcomeOf } from "../../src/channels/email/failure.ts";
import { MAX_BODY_BYTES, MAX_SUBJECT_CHARS } from "../../src/channels/email/message.ts";
import { email } from "../../src/channels/email/mod.ts";
import { parseEmail, readMailbox } from "../../src/channels/email/options.ts";
import { Redactor } from "../../src/config/secret.ts";
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import { startTcpServer } from "../support/http_server.ts";
import { ALERT, INCIDENT, messageOf } from "../support/message.ts";
import { openChannel, parseSection } from "../support/section.ts";
import { type SmtpServerOptions, startSmtpServer } from "../support/smtp_server.ts";

const MINIMAL = { host: "smtp.example.com", from: "a@example.com", to: "b@example.com" };
const ACCOUNT = { username: "ops@example.com", password: "correct horse" };

const DEFAULTS: readonly (readonly [Record<string, unknown>, Record<string, unknown>])[] = [
  [{}, { security: "tls", port: 465 }],
  [{ security: "starttls" }, { security: "starttls", port: 587 }],
  [{ security: "none" }, { security: "none", port: 25 }],
  [{ security: "none", port: 2525 }, { security: "none", port: 2525 }],
];
for (const [config, expected] of DEFAULTS) {
  Deno.test(`parseEmail() completes ${JSON.stringify(config)}`, () => {
    const { value, problems } = parseSection(parseEmail, { ...MINIMAL, ...config });
    assertEquals(problems, []);
    assertEquals({ security: value.security, port: value.port }, expected);
  });
}

Deno.test("parseEmail() sends from the user where that is an address", () => {
  const { value, problems } = parseSection(parseEmail, { host: "h", to: "b@x.cn", ...ACCOUNT });
  assertEquals(problems, []);
  assertEquals(value.from, { name: "", address: "ops@example.com" });
});

Deno.test("parseEmail() wants a sender where the user is no address", () => {
  const config = { host: "h", to: "b@x.cn", username: "ops", password: "p" };
  assertEquals(parseSection(parseEmail, config).problems, ["c.from: is required and missing"]);
});

const PROBLEMS: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ from: null }, "c.from: expected a string, found nothing"],
  [{ from: "nobody" }, "c.from: expected an address"],
  [{ to: [] }, "c.to: expected at least one item, found an empty list"],
  [{ to: ["b@example.com", "b"] }, `c.to[1]: expected an address like "ops@example.com"`],
  [{ to: "b@example.com\r\nRCPT TO:<c@example.com>" }, "c.to: expected an address"],
  [{ cc: "x@y>z" }, "c.cc: expected an address"],
  [{ from: "A\nBcc: evil@x.cn <a@x.cn>" }, "c.from: expected an address"],
  [{ host: "https://smtp.example.com" }, "c.host: expected a host name or an IP address"],
  [{ port: 0 }, "c.port: expected a number from 1 to 65535, found 0"],
  [{ security: "ssl" }, `c.security: expected tls, starttls or none, found "ssl"`],
  [{ username: "u" }, "c.password: is required and missing"],
  [{ password: "p" }, "c.username: is required and missing"],
  [{ ...ACCOUNT, password: "one\ntwo" }, "c.password: expected a secret of one line, found 2"],
  [{ ca_file: "/no/such/ca.pem" }, `c.ca_file: cannot read "/no/such/ca.pem": no such file`],
  [{ ca_file: "/etc/hostname" }, `c.ca_file: "/etc/hostname" holds no certificate`],
  [
    { subject: "{proces} died" },
    `c.subject: unknown placeholder {proces}; did you mean "process"?`,
  ],
  [{ hello: "a b" }, "c.hello: expected a host name"],
  [{ tls: true }, "c.tls: unknown key"],
  [{ to: Array(101).fill("b@example.com") }, "c: more than 100 recipients"],
];
for (const [config, expected] of PROBLEMS) {
  Deno.test(`parseEmail() finds: ${expected}`, () => {
    const { problems } = parseSection(parseEmail, { ...MINIMAL, ...config });
    assertStringIncludes(problems.join("\n"), expected);
    assertEquals(problems.length, 1);
  });
}

for (const [host, count] of [["127.0.0.1", 0], ["localhost", 0], ["::1", 0], ["10.0.0.1", 1]]) {
  Deno.test(`parseEmail() warns ${count} times of an open password to ${host}`, () => {
    const config = { ...MINIMAL, ...ACCOUNT, host, security: "none" };
    const { problems, reading } = parseSection(parseEmail, config);
    assertEquals([problems.length, reading.warnings.length], [0, count]);
  });
}

const MAILBOXES: readonly (readonly [string, ReturnType<typeof readMailbox>])[] = [
  ["a@b.cn", { name: "", address: "a@b.cn" }],
  ["运维, 组 <a+b@b.cn>", { name: "运维, 组", address: "a+b@b.cn" }],
  [`"Ops Team" <a@b>`, { name: "Ops Team", address: "a@b" }],
  ["<a@b>", { name: "", address: "a@b" }],
  ["用户@例子.中国", { name: "", address: "用户@例子.中国" }],
  ["a@b, c@d", undefined],
  ["a@b@c", undefined],
  ["a b@c", undefined],
  ["a@b\0", undefined],
  ["x", undefined],
];
for (const [text, expected] of MAILBOXES) {
  Deno.test(`readMailbox() of ${JSON.stringify(text)}`, () => {
    assertEquals(readMailbox(text), expected);
  });
}

/** Sends one message by a server that behaves by `options`. */
async function send(
  options: SmtpServerOptions,
  config: Record<string, unknown> = {},
  message = messageOf(),
) {
  await using server = await startSmtpServer(options);
  const channel = openChannel(opener(email), {
    ...{ ...MINIMAL, host: "127.0.0.1", port: server.port, security: "none" },
    ...config,
  });
  const signal = new AbortController().signal;
  const outcome = await channel.send(message, { signal, nowMs: Date.UTC(2026, 10, 21, 3, 0, 0) });
  return { outcome, mails: server.mails };
}

Deno.test("email sends a complete mail", async () => {
  const { outcome, mails: [mail] } = await send({}, {
    from: "监控 <sb@example.com>",
    to: ["a@x.cn", "B <b@x.cn>"],
    cc: "c@x.cn",
    hello: "node-7.example.com",
  });
  assertEquals(outcome, { kind: "delivered", detail: "250 2.0.0 Ok: queued as 4XyZ" });
  assert(mail !== undefined);
  assertEquals(mail.to, ["a@x.cn", "b@x.cn", "c@x.cn"]);
  assertEquals(mail.from, "sb@example.com");
  assertEquals(mail.subject, "web:api exited unexpectedly on node-7");
  assertEquals(mail.text.replaceAll("\r\n", "\n").trim(), messageOf().text);
  assertEquals(mail.hello, "node-7.example.com");
  const { "message-id": id, ...headers } = mail.headers;
  const { "content-type": type, ...others } = headers;
  assert(type?.startsWith("multipart/alternative;"), type);
  assertEquals(others, {
    from: "监控 <sb@example.com>",
    to: "a@x.cn, B <b@x.cn>",
    cc: "c@x.cn",
    subject: "web:api exited unexpectedly on node-7",
    date: "Sat, 21 Nov 2026 03:00:00 +0000",
    "x-superbell-alert-id": "0123456789ab",
    "auto-submitted": "auto-generated",
    "mime-version": "1.0",
  });
  assert(/^<0123456789ab\.[0-9a-f]{12}@example\.com>$/.test(id ?? ""), id);
});

Deno.test("email is text alone with html: false", async () => {
  const { mails: [mail] } = await send({}, { html: false });
  assertEquals(mail?.html, null);
  assertEquals(mail?.headers["content-type"], 'text/plain; charset="utf-8"');
  assertEquals(mail?.text.replaceAll("\r\n", "\n").trim(), messageOf().text);
});

Deno.test("email has the same facts in HTML, and nothing in it is markup of others", async () => {
  const nasty = `</td><script>alert("1")</script>&amp;'`;
  const message = messageOf({
    process: { name: nasty, group: nasty },
    tails: [{ stream: "stderr", lines: ["</pre><b>", "\ttab"] }],
  });
  const { mails: [mail] } = await send({}, {}, message);
  const html = (mail?.html ?? "").replaceAll("\r\n", "\n");
  assertEquals([...html.matchAll(/<script|<b>/g)].length, 0);
  const escaped = "&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;";
  assertStringIncludes(html, escaped);
  assertStringIncludes(html, "&lt;/pre&gt;&lt;b&gt;\n\ttab</pre>");
  for (const { label } of message.facts) assertStringIncludes(html, `>${label}</td>`);
  // What is opened is closed, in order.
  const open: string[] = [];
  for (const [, close, name] of html.matchAll(/<(\/?)([a-z]+)[^>]*>/g)) {
    if (close === "/") assertEquals(open.pop(), name);
    else if (name !== "meta") open.push(name!);
  }
  assertEquals(open, []);
});

Deno.test("email makes one thread of the mails of an incident", async () => {
  const threadOf = async (incident: string | undefined, to: string) => {
    const { mails: [mail] } = await send(
      {},
      { to },
      messageOf({
        id: crypto.randomUUID(),
        ...(incident !== undefined && { incident: { ...INCIDENT, id: incident } }),
      }),
    );
    const { references, "in-reply-to": inReplyTo, "message-id": id } = mail!.headers;
    return { references, inReplyTo, id };
  };
  const [first, second, other] = [
    await threadOf("web-7", "a@x"),
    await threadOf("web-7", "a@x"),
    await threadOf("db-1", "a@x"),
  ];
  assert(/^<incident\.web-7\.[0-9a-f]{12}@example\.com>$/.test(first.references ?? ""));
  assertEquals([first.inReplyTo, second.references], [first.references, first.references]);
  assertNotEquals(first.id, second.id);
  assertNotEquals(other.references, first.references);
  const alone = await threadOf(undefined, "a@x");
  assertEquals([alone.references, alone.inReplyTo], [undefined, undefined]);
});

Deno.test("email has the priority of the worst that it tells", async () => {
  const priorityOf = async (...severities: readonly Alert["severity"][]) => {
    const alerts = severities.map((severity): Alert => ({ ...ALERT, severity: severity! }));
    const message = composeDigest(alerts as [Alert, ...Alert[]], { language: "en" });
    return (await send({}, {}, message)).mails[0]?.headers["importance"];
  };
  assertEquals(await priorityOf("info", "critical", "warning"), "High");
  assertEquals(await priorityOf("info", "info"), "Low");
  assertEquals(await priorityOf("warning"), undefined);
});

Deno.test("email tells a digest's incidents, each once", async () => {
  const alerts = ["a", "b", "a"].map((id): Alert => ({ ...ALERT, incident: { ...INCIDENT, id } }));
  const message = composeDigest(alerts as [Alert, ...Alert[]], { language: "en" });
  const { mails: [mail] } = await send({}, {}, message);
  const ids = mail!.headers["references"]!.split(/\s+/).map((id) => id.slice(0, 12));
  assertEquals(ids, ["<incident.b.", "<incident.a."]);
  assert(mail!.headers["in-reply-to"]!.startsWith("<incident.a."));
});

Deno.test("email keeps both parts within the limit, whatever must be escaped", async () => {
  const lines = Array.from({ length: 3000 }, (_, index) => `<&"'> ${index} ${"&".repeat(40)}`);
  const message = messageOf({ tails: [{ stream: "stderr", lines }] });
  const { mails: [mail] } = await send({}, {}, message);
  const { mails: [own] } = await send({}, { body: "{tail}" }, message);
  for (const part of [mail!.text, mail!.html!, own!.text, own!.html!]) {
    assert(new TextEncoder().encode(part.replaceAll("\r\n", "\n")).length <= MAX_BODY_BYTES + 2);
  }
  assertStringIncludes(mail!.html!, "2999 &amp;");
  assertStringIncludes(mail!.text, "2999 &");
});

Deno.test("email gives a repeat the same Message-ID, and other people another one", async () => {
  const idFor = async (to: string) => (await send({}, { to })).mails[0]?.headers["message-id"];
  const [first, repeat, other] = await Promise.all([idFor("a@x"), idFor("a@x"), idFor("b@x")]);
  assertEquals(repeat, first);
  assertNotEquals(other, first);
});

Deno.test("email takes subject and body from templates, on one line the one", async () => {
  const { mails: [mail] } = await send({}, {
    subject: "[Supervisord] {process} crashed at {time}\n{data}",
    body: "Host {host} ({address})\nProcess {name}, pid {pid}, from {from_state}",
  }, messageOf({ text: "Bcc: evil@x.cn\r\n\r\nhello\u2028" }));
  assertEquals(
    mail?.subject,
    "[Supervisord] web:api crashed at 2026-11-21 02:11:30 +00:00 Bcc: evil@x.cn hello",
  );
  assertEquals(mail?.to, ["b@example.com"]);
  assertEquals(
    mail?.text.replaceAll("\r\n", "\n").trim(),
    "Host node-7 (10.0.0.7)\nProcess api, pid 4242, from RUNNING",
  );
});

Deno.test("email encodes a Chinese subject and cuts what is too long", async () => {
  const config = { subject: "告警🚨{data}", body: "{data}".repeat(10) };
  const { mails: [mail] } = await send({}, config, messageOf({ text: "很".repeat(20_000) }));
  assert(mail !== undefined);
  assertStringIncludes(mail.raw_subject, "=?UTF-8?");
  assertEquals(Array.from(mail.subject).length, MAX_SUBJECT_CHARS);
  assert(mail.subject.endsWith("很…"));
  assert(new TextEncoder().encode(mail.text.trim()).length <= MAX_BODY_BYTES);
  assert(mail.text.trim().endsWith("很…"));
});

Deno.test("email names who was refused when others were not", async () => {
  const refuse = { "b@x.cn": "550 5.1.1 no such user", "c@x.cn": "450 4.2.0 try again later." };
  const { outcome, mails } = await send({ refuse }, { to: ["a@x.cn", "b@x.cn"], cc: ["c@x.cn"] });
  assertEquals(outcome, {
    kind: "delivered",
    detail: "250 2.0.0 Ok: queued as 4XyZ; only 1 of 3, NOT to b@x.cn (550 5.1.1 no such user), " +
      "c@x.cn (450 4.2.0 try again later)",
  });
  assertEquals(mails[0]?.to, ["a@x.cn"]);
});

const REFUSALS: readonly (readonly [string, SmtpServerOptions, Record<string, unknown>, string])[] =
  [
    [
      "rejected",
      { refuse: { "b@example.com": "550 5.1.1 no such user" } },
      {},
      "refused every recipient: b@example.com (550 5.1.1 no such user)",
    ],
    [
      "retry",
      { refuse: { "b@x.cn": "550 no such user", "c@x.cn": "450 greylisted" } },
      { to: ["b@x.cn", "c@x.cn"] },
      "refused every recipient: b@x.cn (550 no such user), c@x.cn (450 greylisted)",
    ],
    [
      "rejected",
      { refuse: { "a@example.com": "553 not your address." } },
      {},
      "refused the sender: 553 not your address; check from",
    ],
    ["rejected", { data_reply: "554 5.7.1 spam" }, {}, "refused the mail: 554 5.7.1 spam"],
    ["retry", { data_reply: "451 4.3.0 disk full" }, {}, "refused the mail: 451 4.3.0 disk full"],
    ["rejected", { size: 100 }, {}, "refused the mail: 552 Error: Too much mail data"],
    [
      "rejected",
      { login: ACCOUNT },
      { ...ACCOUNT, password: "wrong one" },
      "refused the login: 535 5.7.8 Authentication credentials invalid; check username and password",
    ],
    [
      "rejected",
      { login: ACCOUNT },
      {},
      "refused the sender: 530 5.7.0 Authentication required; set username and password",
    ],
    ["retry", {}, { security: "starttls" }, "offers no STARTTLS: 454 TLS not available"],
    ["retry", {}, { security: "tls" }, "it does not speak TLS from the start"],
  ];
for (const [kind, options, config, reason] of REFUSALS) {
  Deno.test(`email answers ${kind}: ${reason}`, async () => {
    const { outcome, mails } = await send(options, config);
    assert("reason" in outcome);
    assertEquals([outcome.kind, mails.length], [kind, 0]);
    assertStringIncludes(outcome.reason, reason);
    assertStringIncludes(outcome.reason, "mail server 127.0.0.1:");
  });
}

for (const security of ["tls", "starttls"] as const) {
  Deno.test(`email logs in over ${security} by name and by address`, async () => {
    await using certificates = await makeCertificates();
    const { certFile: certificate, keyFile: key, caFile: ca_file } = certificates;
    for (const host of ["localhost", "127.0.0.1"]) {
      const config = { ...ACCOUNT, security, host, ca_file };
      const { outcome, mails } = await send(
        { security, certificate, key, login: ACCOUNT },
        config,
      );
      assertEquals(outcome.kind, "delivered", JSON.stringify(outcome));
      assertEquals([mails[0]?.user, mails[0]?.encrypted], [ACCOUNT.username, true]);
    }
  });

  Deno.test(`email sends nothing over ${security} when nobody vouches for the server`, async () => {
    await using certificates = await makeCertificates();
    const { certFile: certificate, keyFile: key } = certificates;
    const { outcome, mails } = await send(
      { security, certificate, key, login: ACCOUNT },
      { ...ACCOUNT, security },
    );
    assertEquals([outcome.kind, mails.length], ["retry", 0]);
    assertStringIncludes("reason" in outcome ? outcome.reason : "", "ca_file");
  });
}

Deno.test("email keeps login and mail to itself when STARTTLS is not offered", async () => {
  const heard: string[] = [];
  await using server = startTcpServer(async (connection) => {
    const say = (text: string) => connection.write(new TextEncoder().encode(text));
    const buffer = new Uint8Array(4096);
    await say("220 hi\r\n");
    for (let size = await connection.read(buffer); size; size = await connection.read(buffer)) {
      const line = new TextDecoder().decode(buffer.subarray(0, size));
      heard.push(line.trim().split(" ")[0]!);
      await say(/^EHLO/.test(line) ? "250-hi\r\n250 AUTH PLAIN\r\n" : "502 what?\r\n");
    }
  });
  const port = Number(new URL(server.origin).port);
  const config = { ...MINIMAL, ...ACCOUNT, host: "127.0.0.1", port, security: "starttls" };
  const channel = openChannel(opener(email), config);
  const signal = new AbortController().signal;
  const outcome = await channel.send(messageOf(), { signal, nowMs: 0 });
  assertEquals(outcome.kind, "retry");
  assertEquals(heard, ["EHLO", "STARTTLS"]);
});

Deno.test("email stops in the middle of a mail when its signal says so", async () => {
  await using server = await startSmtpServer({ hang: "data" });
  const config = { ...MINIMAL, host: "127.0.0.1", port: server.port, security: "none" };
  const controller = new AbortController();
  const sending = openChannel(opener(email), config)
    .send(messageOf(), { signal: controller.signal, nowMs: 0 });
  await server.hanging;
  controller.abort();
  const outcome = await sending;
  assertEquals(outcome, {
    kind: "retry",
    reason: `mail server 127.0.0.1:${server.port}: ` +
      "stopped before it was done (the mail may have got through)",
  });
});

// What no server on loopback can be made to do.
const BREAKS: readonly (readonly [Failure, string])[] = [
  [{ code: "EDNS", originalCode: "ENOTFOUND" }, "the host name was not found"],
  [{ code: "ETIMEDOUT", originalCode: "x" }, "no answer in time"],
  [{ code: "ESOCKET", originalCode: "EHOSTUNREACH" }, "no route to it; check the network"],
  [{ code: "ESOCKET", originalCode: "EPIPE" }, "the connection broke (EPIPE)"],
  [{ code: "EAUTH" }, "offers no login that we know"],
  [{ message: "invalid peer certificate: Expired" }, "its certificate has expired"],
  [
    { message: "invalid peer certificate: certificate not valid for name …" },
    "its certificate is for another name",
  ],
  [{ message: "hunter2 everywhere" }, "the connection broke"],
  [
    { command: "DATA", response: "503 bad sequence", responseCode: 503 },
    "refused the mail: 503 bad sequence",
  ],
  [
    { command: "CONN", response: "554 go away", responseCode: 554 },
    "does not serve us: 554 go away",
  ],
];
for (const [failure, expected] of BREAKS) {
  Deno.test(`outcomeOf() ${JSON.stringify(failure)}`, () => {
    const outcome = outcomeOf(failure, {
      ...{ host: "h", port: 465, security: "tls" },
      redactor: new Redactor([]),
      signal: new AbortController().signal,
    });
    assert(outcome.kind === "retry");
    assertStringIncludes(outcome.reason, expected);
  });
}

Deno.test("describeReply() takes linear time, whatever a server answers", () => {
  const reply = `554 ${".".repeat(1_000_000)}x`;
  assertEquals([...describeReply(reply, new Redactor([]))].length, 200);
});
