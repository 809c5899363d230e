// A DingTalk custom robot on loopback: it checks address, token, time and signature, and says
// no in the service's way, by HTTP 200 with an errcode.

import { createHmac } from "node:crypto";
import { type RecordedRequest, startHttpServer } from "./http_server.ts";

/** Which robot it is. Without a secret it asks for no signature. */
export interface RobotOptions {
  readonly token: string;
  readonly secret?: string;
  /** A word that every message must hold. */
  readonly keyword?: string;
}

/** How it treats a message that is right in itself; "hangs" holds it until release(). */
export type RobotMood = "accepts" | "sent-too-fast" | "hangs";

/** A message that it took. */
export interface RobotMessage {
  readonly text: string;
  readonly at: {
    readonly atMobiles?: readonly string[];
    readonly atUserIds?: readonly string[];
    readonly isAtAll?: boolean;
  };
  /** The whole JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A started robot. */
export interface Robot extends AsyncDisposable {
  /** For the channel's `endpoint:`. */
  readonly endpoint: string;
  readonly messages: readonly RobotMessage[];
  readonly requests: readonly RecordedRequest[];
  /** The errcode of every answer so far. */
  readonly errcodes: readonly number[];
  mood: RobotMood;
  /** Lets what it holds go on, as accepted. */
  release(): void;
}

/** A signature is good for an hour. */
const WINDOW_MS = 3_600_000;

/** Starts a robot on a free port. */
export function startRobot(options: RobotOptions): Robot {
  const messages: RobotMessage[] = [];
  const errcodes: number[] = [];
  let held = Promise.withResolvers<void>();
  const server = startHttpServer(async (request) => {
    const hangs = robot.mood === "hangs";
    if (hangs) await held.promise;
    const wrong = wrongWith(request, options) ??
      (robot.mood === "sent-too-fast"
        ? { errcode: 130101, errmsg: "send too fast, exceed 20 times per minute" }
        : undefined);
    errcodes.push(wrong?.errcode ?? 0);
    if (wrong !== undefined) return Response.json(wrong);
    messages.push(messageOf(request));
    return Response.json({ errcode: 0, errmsg: "ok" });
  });
  const robot: Robot = {
    endpoint: server.origin,
    messages,
    requests: server.requests,
    errcodes,
    mood: "accepts",
    release() {
      robot.mood = "accepts";
      held.resolve();
      held = Promise.withResolvers<void>();
    },
    async [Symbol.asyncDispose]() {
      robot.release();
      await server[Symbol.asyncDispose]();
    },
  };
  return robot;
}

interface Refusal {
  readonly errcode: number;
  readonly errmsg: string;
}

function wrongWith(request: RecordedRequest, options: RobotOptions): Refusal | undefined {
  const { url, method, headers, body, bodyBytes } = request;
  const parameter = (name: string) => url.searchParams.getAll(name).join();
  if (url.pathname !== "/robot/send" || method !== "POST") {
    return { errcode: 404, errmsg: "the requested address does not exist" };
  }
  if (parameter("access_token") !== options.token) {
    return { errcode: 300001, errmsg: "token is not exist" };
  }
  if (!headers.get("content-type")?.startsWith("application/json")) {
    return { errcode: 43004, errmsg: "invalid content type" };
  }
  if (bodyBytes > 20_000) return { errcode: 460101, errmsg: "message too long" };
  const unsigned = options.secret === undefined ? undefined : wrongSignature(url, options.secret);
  if (unsigned !== undefined) return { errcode: 310000, errmsg: unsigned };
  if (!messageOf(request).text.includes(options.keyword ?? "")) {
    return { errcode: 310000, errmsg: `keywords not in content, was: ${body.slice(0, 40)}` };
  }
  return undefined;
}

function wrongSignature(url: URL, secret: string): string | undefined {
  const timestamp = url.searchParams.get("timestamp") ?? "";
  const skewMs = Math.abs(Date.now() - Number(timestamp));
  if (!/^\d{13}$/.test(timestamp) || skewMs > WINDOW_MS) return "invalid timestamp";
  const sign = createHmac("sha256", secret).update(`${timestamp}\n${secret}`).digest("base64");
  return url.searchParams.get("sign") === sign ? undefined : "sign not match";
}

function messageOf({ body }: RecordedRequest): RobotMessage {
  const json = JSON.parse(body);
  const text = json.msgtype === "text" ? json.text.content : json.markdown.text;
  return { text, at: json.at ?? {}, json };
}
