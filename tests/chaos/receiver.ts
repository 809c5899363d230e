// The service at the other end of the channels: it writes down every alert that it took, and
// treats each request as it is told: takes it, fails, refuses it, takes it and breaks off.

import type { Certificates } from "../support/certificates.ts";
import { type HttpServer, type RecordedRequest, startHttpServer } from "../support/http_server.ts";

/** What happens to one request. Only the first two take the message. */
export type Treatment =
  | "takes"
  /** Takes it, and the connection breaks before the answer is complete. */
  | "loses-answer"
  /** The connection breaks in the middle of an answer that looked good; nothing was taken. */
  | "breaks-off"
  | "server-error"
  /** 429 without a word about how long. */
  | "too-many"
  /** 429 with `Retry-After: 1`. */
  | "too-many-wait"
  /** HTTP 200, and in the service's own terms: busy, try again. */
  | "says-busy"
  /** HTTP 200, and in the service's own terms: refused for good. */
  | "says-no"
  /** HTTP 200 with a page of somebody else's. */
  | "page";

/** One message that was taken. */
export interface Taken {
  readonly channel: "hook" | "robot";
  /** The alerts that it tells; several in a digest. */
  readonly ids: readonly string[];
  /** Of a webhook: the whole document. */
  readonly document: Readonly<Record<string, unknown>> | undefined;
  /** Of a robot: what people read. */
  readonly text: string;
  /** Since 1970, in milliseconds. */
  readonly atMs: number;
  /** Whether the answer went out whole. */
  readonly answered: boolean;
}

/** A started service: a webhook at `/hook` and a DingTalk robot, on one port. */
export interface Receiver extends AsyncDisposable {
  readonly origin: string;
  readonly port: number;
  readonly taken: readonly Taken[];
  /** How often each treatment was dealt out. */
  readonly treatments: ReadonlyMap<Treatment, number>;
}

/** Starts the service on a free port of loopback. */
export function startReceiver(
  treat: (request: RecordedRequest) => Treatment | Promise<Treatment>,
  certificates?: Pick<Certificates, "cert" | "key">,
): Receiver {
  const taken: Taken[] = [];
  const treatments = new Map<Treatment, number>();
  const server: HttpServer = startHttpServer(async (request) => {
    const treatment = await treat(request);
    treatments.set(treatment, (treatments.get(treatment) ?? 0) + 1);
    if (treatment === "takes" || treatment === "loses-answer") {
      taken.push(takenFrom(request, treatment === "takes"));
    }
    return ANSWERS[treatment]();
  }, certificates);
  return {
    origin: server.origin,
    port: Number(new URL(server.origin).port),
    taken,
    treatments,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const ANSWERS: Readonly<Record<Treatment, () => Response>> = {
  takes: () => Response.json({ errcode: 0, errmsg: "ok" }),
  "loses-answer": brokenAnswer,
  "breaks-off": brokenAnswer,
  "server-error": () => new Response("internal server error", { status: 500 }),
  "too-many": () => new Response("too many requests", { status: 429 }),
  "too-many-wait": () =>
    new Response("too many requests", { status: 429, headers: { "retry-after": "1" } }),
  "says-busy": () => Response.json({ errcode: -1, errmsg: "system busy" }),
  "says-no": () => Response.json({ errcode: 310000, errmsg: "keywords not in content" }),
  page: () => new Response("<html><title>Log in to the network</title></html>"),
};

function brokenAnswer(): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"errcode": 0, "err')),
    pull: (controller) => controller.error(new Error("broken off")),
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

function takenFrom({ url, body }: RecordedRequest, answered: boolean): Taken {
  const json = JSON.parse(body);
  const common = { atMs: Date.now(), answered };
  if (url.pathname === "/hook") {
    return { ...common, channel: "hook", ids: [json.id], document: json, text: json.text };
  }
  const text: string = json.msgtype === "text" ? json.text.content : json.markdown.text;
  return { ...common, channel: "robot", ids: alertIdsIn(text), document: undefined, text };
}

/** The alert ids that stand in a message in English: in its lines "Alert". */
export function alertIdsIn(text: string): string[] {
  const lines = text.match(/^Alert: .*$/gm) ?? [];
  return [...new Set(lines.join("\n").match(/\b[0-9a-f]{12}\b/g) ?? [])];
}

/** How often each alert was taken, by one channel or by all. */
export function timesTaken(
  taken: readonly Taken[],
  channel?: Taken["channel"],
): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const message of taken) {
    if (channel !== undefined && message.channel !== channel) continue;
    for (const id of message.ids) times.set(id, (times.get(id) ?? 0) + 1);
  }
  return times;
}
