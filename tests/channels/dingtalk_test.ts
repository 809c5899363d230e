// dingtalk: the signature, what each code means, and the bugs of other senders. The payloads
// are in dingtalk_message_test.ts.

import type { Outcome } from "../../src/alerts/outcome.ts";
import { opener } from "../../src/channels/channel.ts";
import { dingtalk, sign } from "../../src/channels/dingtalk/mod.ts";
import { parseOptions } from "../../src/channels/dingtalk/options.ts";
import { Secret } from "../../src/config/secret.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { messageOf } from "../support/message.ts";
import { openChannel, parseSection } from "../support/section.ts";

const TOKEN = "3fd1a4f05c6f4b0e8d2c7b9a1e5d60f7";
const SECRET = "SEC1f2e3d4c5b6a79880123456789abcdef0123456789abcdef0123456789abcdef";
const NOW_MS = 1700000000001;

/** Sends one message to a robot that answers `answer`. */
async function sendTo(answer: () => Response, config: Record<string, unknown> = {}, times = 1) {
  await using server = startHttpServer(answer);
  const channel = openChannel(opener(dingtalk), {
    token: TOKEN,
    endpoint: server.origin,
    ...config,
  });
  const outcomes: Outcome[] = [];
  for (let sent = 0; sent < times; sent++) {
    const options = { signal: new AbortController().signal, nowMs: NOW_MS + sent };
    outcomes.push(await channel.send(messageOf(), options));
  }
  return { outcome: outcomes[0]!, requests: server.requests };
}

const yes = () => Response.json({ errcode: 0, errmsg: "ok" });

// printf '%s\n%s' $TS $SECRET | openssl dgst -sha256 -hmac $SECRET -binary | base64
// and the same by Python's hmac, and by urllib.parse.quote_plus for the address.
const SIGN = "BioamwKbzRsPxOBGb3MIA7I/B/4+OQVhK5AuAbsqWSg=";
const SIGN_IN_URL = "BioamwKbzRsPxOBGb3MIA7I%2FB%2F4%2BOQVhK5AuAbsqWSg%3D";

Deno.test("sign() makes the signature that openssl and Python make", () => {
  assertEquals(sign(new Secret(SECRET, "literal"), NOW_MS), SIGN);
});

Deno.test("dingtalk signs the address once, encoded once, and anew for each attempt", async () => {
  const { requests } = await sendTo(yes, { secret: SECRET }, 2);
  const [first, second] = requests.map(({ url }) => url.pathname + url.search);
  assertEquals(
    first,
    `/robot/send?access_token=${TOKEN}&timestamp=${NOW_MS}&sign=${SIGN_IN_URL}`,
  );
  const parameters = [...new URLSearchParams(second!.split("?")[1]).entries()];
  assertEquals(parameters.map(([name]) => name), ["access_token", "timestamp", "sign"]);
  assertEquals(parameters[1], ["timestamp", String(NOW_MS + 1)]);
  assert(parameters[2]![1] !== SIGN);
});

Deno.test("dingtalk without a secret sends the token alone", async () => {
  const { requests } = await sendTo(yes);
  assertEquals(requests[0]!.url.search, `?access_token=${TOKEN}`);
  assertEquals(requests[0]!.method, "POST");
  assertEquals(requests[0]!.headers.get("content-type"), "application/json; charset=utf-8");
});

const KEYWORD_HINT = "(set keyword to one of the robot's custom keywords)";
const ANSWERS: readonly (readonly [string, () => Response, Outcome])[] = [
  ["errcode 0", yes, { kind: "delivered", detail: "errcode 0" }],
  ["310000 keyword at HTTP 200", coded(310000, "keywords not in content"), {
    kind: "rejected",
    reason: `errcode 310000: keywords not in content ${KEYWORD_HINT}`,
  }],
  ["310000 keyword in Chinese", coded(310000, "错误描述:关键词不匹配"), {
    kind: "rejected",
    reason: `errcode 310000: 错误描述:关键词不匹配 ${KEYWORD_HINT}`,
  }],
  ["310000 signature", coded(310000, "sign not match"), {
    kind: "rejected",
    reason: "errcode 310000: sign not match (check secret, and this host's clock)",
  }],
  ["310000 address", coded(310000, "ip 1.2.3.4 not in whitelist"), {
    kind: "rejected",
    reason: "errcode 310000: ip 1.2.3.4 not in whitelist " +
      "(add this host's public address to the robot's IP addresses)",
  }],
  ["300001 token", coded(300001, "token is not exist"), {
    kind: "rejected",
    reason: "errcode 300001: token is not exist (check token; is the robot still in the group?)",
  }],
  ["a code that nobody knows", coded(40035, "缺少参数 json"), {
    kind: "rejected",
    reason: "errcode 40035: 缺少参数 json",
  }],
  ["-1", coded(-1, "系统繁忙"), { kind: "retry", reason: "errcode -1: 系统繁忙" }],
  ["130101", coded(130101, "send too fast, exceed 20 times per minute"), {
    kind: "retry",
    reason: "sent too fast, the robot is mute for ten minutes: " +
      '{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}',
    afterMs: 600_000,
    closesChannel: true,
  }],
  ["its gateway's status 1111", () => Response.json({ status: 1111, wait: 5, punish: "deny" }), {
    kind: "retry",
    reason: "sent too fast, the robot is mute for ten minutes: " +
      '{"status":1111,"wait":5,"punish":"deny"}',
    afterMs: 600_000,
    closesChannel: true,
  }],
  ["a login page at HTTP 200", () => new Response("<html>Welcome"), {
    kind: "retry",
    reason: "HTTP 200 without an errcode, not DingTalk's answer: <html>Welcome",
  }],
  ["an empty HTTP 200", () => new Response(""), {
    kind: "retry",
    reason: "HTTP 200 without an errcode, not DingTalk's answer",
  }],
  ["an errcode that is no number", () => Response.json({ errcode: "0" }), {
    kind: "retry",
    reason: 'HTTP 200 without an errcode, not DingTalk\'s answer: {"errcode":"0"}',
  }],
  ["errcode 0 at HTTP 502", () => Response.json({ errcode: 0 }, { status: 502 }), {
    kind: "retry",
    reason: 'HTTP 502: {"errcode":0}',
  }],
];
function coded(errcode: number, errmsg: string): () => Response {
  return () => Response.json({ errcode, errmsg });
}
for (const [what, answer, expected] of ANSWERS) {
  Deno.test(`dingtalk answers "${expected.kind}" to ${what}`, async () => {
    assertEquals((await sendTo(answer)).outcome, expected);
  });
}

const CLOCKS: readonly (readonly [number, string])[] = [
  [-4000, "this host's clock is 4000 s behind; set the time"],
  [90, "this host's clock is 90 s ahead; set the time"],
  [30, "check secret, and this host's clock"],
];
for (const [skew, hint] of CLOCKS) {
  Deno.test(`dingtalk finds a clock that is ${skew} s off`, async () => {
    // A Date header has whole seconds only.
    const date = new Date(NOW_MS - 1 - skew * 1000).toUTCString();
    const answer = () =>
      Response.json({ errcode: 310000, errmsg: "签名不匹配" }, { headers: { date } });
    const { outcome } = await sendTo(answer, { secret: SECRET });
    assertEquals(outcome, {
      kind: "rejected",
      reason: `errcode 310000: 签名不匹配 (${hint})`,
    });
  });
}

Deno.test("dingtalk lets neither token nor signature out of a refusal that repeats them", async () => {
  const errmsg = `no ${TOKEN} ${SIGN} access_token=${TOKEN}&sign=${SIGN_IN_URL} ${SECRET}`;
  const { outcome } = await sendTo(coded(300001, errmsg), { secret: SECRET });
  const said = JSON.stringify(outcome);
  for (const secret of [TOKEN, SIGN, SECRET]) assert(!said.includes(secret), said);
});

Deno.test("dingtalk keeps below 20 a minute for each robot, under a name without the token", () => {
  const paceOf = (config: Record<string, unknown>) =>
    openChannel(opener(dingtalk), { token: TOKEN, ...config }).pace!;
  const pace = paceOf({});
  assertEquals([pace.count, pace.perMs], [18, 60_000]);
  assert(/^dingtalk:[0-9a-f]{12}$/.test(pace.key));
  assertEquals(paceOf({ format: "markdown" }).key, pace.key);
  assert(paceOf({ token: "another" }).key !== pace.key);
  assert(paceOf({ endpoint: "http://relay.test" }).key !== pace.key);
});

const OPTIONS: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ["a token", { token: TOKEN }, []],
  ["a missing token", {}, ["c.token: is required and missing"]],
  ["a whole address as the token", {
    token: `https://oapi.dingtalk.com/robot/send?access_token=${TOKEN}`,
  }, []],
  ["an address without a token", { token: "https://oapi.dingtalk.com/robot/send" }, [
    "c.token: expected the robot's token, found an address without access_token=",
  ]],
  ["an address of another host", { token: `https://relay.test/robot/send?access_token=${TOKEN}` }, [
    "c.token: the address is on another host than endpoint; set endpoint to its host",
  ]],
  ["the signing key as the token", { token: "SEC0f3c" }, [
    "c.token: this is the robot's signing key; put it under secret, and the token here",
  ]],
  ["a token in quotes", { token: `"${TOKEN}"` }, [
    "c.token: holds a quotation mark; write the token without it",
  ]],
  ["a token in quotes of a word processor", { token: `“${TOKEN}”` }, [
    "c.token: holds a quotation mark; write the token without it",
  ]],
  ["a token of two lines", { token: `${TOKEN}\n${TOKEN}\n` }, [
    "c.token: expected a secret of one line, found 2 lines; leave only the secret there",
  ]],
  ["a shell's variable", { token: "$DINGTALK_TOKEN" }, [
    "c.token: is a shell's variable, which is not filled in here; write { env: DINGTALK_TOKEN }",
  ]],
  ["a shell's variable as the signing key", { token: TOKEN, secret: "${DINGTALK_SECRET}" }, [
    "c.secret: is a shell's variable, which is not filled in here; write { env: DINGTALK_SECRET }",
  ]],
  ["a signing key with blanks around it", { token: TOKEN, secret: ` ${SECRET}\n` }, []],
  ["the token as the signing key", { token: TOKEN, secret: TOKEN }, [
    "c.secret: the robot's signing key begins with SEC, and this does not; " +
    "without a signature (加签) in the robot's settings leave secret out",
  ]],
  ["no signing key, and the official endpoint by name", {
    token: TOKEN,
    secret: "hunter2",
    endpoint: "https://oapi.dingtalk.com/",
  }, [
    "c.secret: the robot's signing key begins with SEC, and this does not; " +
    "without a signature (加签) in the robot's settings leave secret out",
  ]],
  ["a signing key in quotes", { token: TOKEN, secret: `'${SECRET}'` }, [
    "c.secret: holds a quotation mark; write the signing key without it",
  ]],
  ["an endpoint with the robot's path", {
    token: TOKEN,
    endpoint: "https://oapi.dingtalk.com/robot/send/",
  }, [
    "c.endpoint: must not end with /robot/send, which superbell adds itself; leave that out",
  ]],
  ["an endpoint with a base path", { token: TOKEN, endpoint: "https://relay.test/dingtalk" }, []],
  ["an endpoint with a query", { token: TOKEN, endpoint: "https://relay.test/?access_token=x" }, [
    "c.endpoint: expected only a scheme, a host, a port and a path",
  ]],
  ["half an address", { token: `access_token=${TOKEN}` }, [
    "c.token: expected the robot's token, or its whole address with access_token=",
  ]],
  ["a mobile that YAML took for a number", { token: TOKEN, mention: { mobiles: [13800138000] } }, [
    'c.mention.mobiles[0]: expected a string, found a number ("13800138000"); put it in quotes',
  ]],
  ["a mobile that is none", { token: TOKEN, mention: { mobiles: ["Zhang"] } }, [
    'c.mention.mobiles[0]: expected a number like "13800138000" or "+852-12345678", found "Zhang"',
  ]],
  ["a mistyped key", { token: TOKEN, mention: { mobile: ["13800138000"] } }, [
    'c.mention.mobile: unknown key; did you mean "mobiles"?',
  ]],
  ["a format that is none", { token: TOKEN, format: "html" }, [
    'c.format: expected text or markdown, found "html"',
  ]],
];
for (const [what, config, problems] of OPTIONS) {
  Deno.test(`parseOptions() of dingtalk reads ${what}`, () => {
    const parsed = parseSection(parseOptions, config);
    assertEquals(parsed.problems, problems);
    const said = problems.join();
    assert(!said.includes(TOKEN) && !said.includes(SECRET), said);
    if (problems.length > 0) return;
    assertEquals(parsed.value.token.reveal(), TOKEN);
    if (config["secret"] !== undefined) assertEquals(parsed.value.secret?.reveal(), SECRET);
  });
}

Deno.test("parseOptions() of dingtalk only warns where another installation may do otherwise", () => {
  const config = { token: TOKEN, secret: "own-key-hunter2", endpoint: "https://ding.example.com" };
  const { problems, reading } = parseSection(parseOptions, config);
  assertEquals(problems, []);
  assertEquals(reading.warnings.map(({ path }) => path), ["c.secret"]);
  assert(!reading.warnings[0]!.message.includes("hunter2"));
});

Deno.test("parseOptions() of dingtalk warns of mobile numbers that are none in mainland China", () => {
  const mobiles = ["13800138000", "1380013800", "23800138000", "+86-138001380", "+852-12345678"];
  const { problems, reading } = parseSection(parseOptions, { token: TOKEN, mention: { mobiles } });
  assertEquals(problems, []);
  assertEquals(
    reading.warnings.map(({ path }) => path),
    [1, 2, 3].map((index) => `c.mention.mobiles[${index}]`),
  );
  assert(reading.warnings[0]!.message.includes("those have 11 digits"));
});
