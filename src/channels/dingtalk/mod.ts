// DingTalk's custom robot. It answers HTTP 200 to a refused message as well: only errcode 0 is
// a yes. More than 20 messages a minute mute it for ten minutes, so we stay below, and when it
// happens all the same the channel is closed for that long.

import { createHmac } from "node:crypto";
import { closed, delivered, type Outcome, rejected, retry } from "../../alerts/outcome.ts";
import type { Secret } from "../../config/secret.ts";
import type { Channel, ChannelKind } from "../channel.ts";
import { atEndpoint, fingerprint, type HttpReply, jsonObject, sendHttp } from "../http.ts";
import { bodyOf } from "./message.ts";
import { type DingtalkOptions, parseOptions } from "./options.ts";

/** The `dingtalk` type. */
export const dingtalk: ChannelKind<DingtalkOptions> = {
  type: "dingtalk",
  digestMs: 1000,
  parse: parseOptions,
  open,
};

const PENALTY_MS = 10 * 60_000;
const MAX_CLOCK_SKEW_MS = 60_000;

/** "Send too fast"; 410100 is from memory of the service's list, 130101 is seen. */
const THROTTLED: readonly unknown[] = [130101, 410100];

function open(options: DingtalkOptions): Channel {
  const { endpoint, token, secret, caCert } = options;
  return {
    pace: {
      key: `dingtalk:${fingerprint(endpoint, token.reveal())}`,
      count: 18,
      perMs: 60_000,
    },
    send(message, sending) {
      return sendHttp(
        {
          url: addressOf(options, sending.nowMs),
          headers: { "content-type": "application/json; charset=utf-8" },
          body: bodyOf(message, options),
          secrets: secret === undefined ? [token] : [token, secret],
          caCert,
        },
        sending,
        (reply) => judge(reply, { nowMs: sending.nowMs, signed: secret !== undefined }),
      );
    },
  };
}

/** Built anew for each attempt: a signature is good for an hour. */
function addressOf({ endpoint, token, secret }: DingtalkOptions, nowMs: number): URL {
  const url = atEndpoint(endpoint, "/robot/send");
  url.searchParams.set("access_token", token.reveal());
  if (secret !== undefined) {
    url.searchParams.set("timestamp", String(nowMs));
    url.searchParams.set("sign", sign(secret, nowMs));
  }
  return url;
}

/** base64(HMAC-SHA256(secret, timestamp "\n" secret)); the URL encodes it, once. */
export function sign(secret: Secret, nowMs: number): string {
  const key = secret.reveal();
  return createHmac("sha256", key).update(`${nowMs}\n${key}`).digest("base64");
}

interface Sent {
  readonly nowMs: number;
  readonly signed: boolean;
}

/** What the service's answer means; undefined where the HTTP status says it all. */
function judge(reply: HttpReply, sent: Sent): Outcome | undefined {
  const body = jsonObject(reply);
  // Its gateway says the same without an errcode: status 1111, "punish": "deny".
  if (THROTTLED.includes(body?.errcode) || body?.status === 1111) {
    return closed(
      `sent too fast, the robot is mute for ten minutes: ${reply.excerpt()}`,
      PENALTY_MS,
    );
  }
  if (reply.status < 200 || reply.status > 299) return undefined;
  const code = body?.errcode;
  if (typeof code !== "number") {
    return retry(`HTTP ${reply.status} without an errcode, not DingTalk's answer${quoted(reply)}`);
  }
  if (code === 0) return delivered("errcode 0");
  const text = typeof body?.errmsg === "string" ? body.errmsg : "";
  const said = `errcode ${code}: ${reply.excerpt(text)}`;
  if (code === -1) return retry(said);
  const hint = hintFor(code, { text, reply, sent });
  return rejected(hint === undefined ? said : `${said} (${hint})`);
}

function quoted(reply: HttpReply): string {
  const excerpt = reply.excerpt();
  return excerpt === "" ? "" : `: ${excerpt}`;
}

/** 310000 has several causes, told apart only by a text that is English or Chinese. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/keyword|关键词|关键字/i, "set keyword to one of the robot's custom keywords"],
  [/sign|签名/i, "check secret, and this host's clock"],
  [/timestamp|时间/i, "check this host's clock"],
  [/\bip\b|白名单/i, "add this host's public address to the robot's IP addresses"],
];

const CODE_HINTS: Readonly<Record<number, string>> = {
  300001: "check token; is the robot still in the group?",
  400101: "check token; is the robot still in the group?",
  400102: "the robot is switched off",
  460101: "the message is too long",
  101002: "the message is too long",
  90030: "the organisation's monthly quota of robot messages is used up",
};

function hintFor(
  code: number,
  { text, reply, sent }: { text: string; reply: HttpReply; sent: Sent },
): string | undefined {
  if (code !== 310000) return CODE_HINTS[code];
  const skewMs = reply.dateMs === undefined ? 0 : sent.nowMs - reply.dateMs;
  if (sent.signed && Math.abs(skewMs) > MAX_CLOCK_SKEW_MS) {
    const seconds = Math.round(Math.abs(skewMs) / 1000);
    return `this host's clock is ${seconds} s ${skewMs > 0 ? "ahead" : "behind"}; set the time`;
  }
  return CAUSES.find(([pattern]) => pattern.test(text))?.[1];
}
