// HTTP for every channel that speaks it: one request in, one outcome out. A channel says what
// to send and how its service says yes or no; what a status or a broken connection means is
// decided here, once. No address, cause or whole reply ever gets into an outcome: errors are
// told in our own words, and what we quote of a reply is short and has the secrets removed.

// @ts-types="./std_streams.d.ts"
import { LimitedBytesTransformStream, toText } from "@std/streams";
import { createHash } from "node:crypto";
import { closed, delivered, type Outcome, rejected, retry } from "../alerts/outcome.ts";
import { truncateChars } from "../alerts/truncate.ts";
import type { Section } from "../config/node.ts";
import { Redactor, Secret } from "../config/secret.ts";
import type { SendOptions } from "./channel.ts";

/** One request, and what is needed to make it. */
export interface HttpRequest {
  readonly url: URL;
  /** @default "POST" */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The channel's secrets; the address counts as one without being named here. */
  readonly secrets: readonly Secret[];
  /** PEM of one more CA to trust. */
  readonly caCert?: string | undefined;
}

/** What came back. */
export interface HttpReply {
  readonly status: number;
  /** The body, at most MAX_REPLY_BYTES of it. It may hold secrets: quote it by `excerpt`. */
  readonly text: string;
  /** The service's clock by its Date header. */
  readonly dateMs?: number;
  /** What Retry-After asks for, from now. */
  readonly retryAfterMs?: number;
  /** A short piece of `text` (or of the whole body) that may stand in a reason. */
  excerpt(text?: string): string;
}

/** A service's own verdict on a reply; undefined leaves it to the status. */
export type Judge = (reply: HttpReply) => Outcome | undefined;

const MAX_REPLY_BYTES = 64 * 1024;
const MAX_EXCERPT_CHARS = 200;
const MAX_RETRY_AFTER_MS = 24 * 60 * 60_000;
const RETRY_STATUSES = [408, 425, 429];

/** One attempt over HTTP. Whatever goes wrong is an outcome; nothing is thrown. */
export async function sendHttp(
  request: HttpRequest,
  options: SendOptions,
  judge: Judge = () => undefined,
): Promise<Outcome> {
  const redactor = new Redactor([...request.secrets, new Secret(request.url.href, "literal")]);
  const answer = await exchange(request, options, redactor);
  if ("kind" in answer) return answer;
  return scrub(judge(answer) ?? judgeStatus(answer), redactor);
}

async function exchange(
  request: HttpRequest,
  { signal, nowMs }: SendOptions,
  redactor: Redactor,
): Promise<HttpReply | Outcome> {
  const { host } = request.url;
  if (signal.aborted) return retry(`${host}: ${whyAborted(signal)}`);
  const { caCert, method = "POST", body } = request;
  try {
    // A client of its own for each attempt: alerts are rare, and a connection that was kept
    // open for an hour is a dead one.
    using client = Deno.createHttpClient({
      poolMaxIdlePerHost: 0,
      ...(caCert !== undefined && { caCerts: [caCert] }),
    });
    const response = await fetch(request.url, {
      method,
      headers: { "user-agent": "superbell", ...request.headers },
      ...(body !== undefined && { body }),
      redirect: "manual",
      signal,
      client,
    });
    const text = await readBounded(response);
    return replyOf(response, text, { nowMs, redactor });
  } catch (error) {
    return retry(`${host}: ${signal.aborted ? whyAborted(signal) : describeFailure(error)}`);
  }
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return "";
  return await toText(
    response.body.pipeThrough(new LimitedBytesTransformStream(MAX_REPLY_BYTES)),
  );
}

function replyOf(
  { status, headers }: Response,
  text: string,
  { nowMs, redactor }: { readonly nowMs: number; readonly redactor: Redactor },
): HttpReply {
  const date = Date.parse(headers.get("date") ?? "");
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"), date || nowMs);
  return {
    status,
    text,
    ...(!Number.isNaN(date) && { dateMs: date }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    // Redacted before it is cut, so that no half of a secret is left at the end.
    excerpt: (part = text) =>
      truncateChars(redactor.redact(oneLine(redactor.redact(part))), MAX_EXCERPT_CHARS),
  };
}

/** Retry-After in seconds or as a date, at least a second and at most a day. */
function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(waitMs, 1000), MAX_RETRY_AFTER_MS);
}

/** What a status means where the service has nothing more to say about it. */
export function judgeStatus(reply: HttpReply): Outcome {
  const { status, retryAfterMs } = reply;
  const excerpt = reply.excerpt();
  const said = excerpt === "" ? `HTTP ${status}` : `HTTP ${status}: ${excerpt}`;
  if (status >= 200 && status < 300) return delivered(said);
  if (status >= 300 && status < 400) {
    return rejected(`HTTP ${status}: a redirect, which is not followed; use the final address`);
  }
  if (status === 429 && retryAfterMs !== undefined) return closed(said, retryAfterMs);
  if (status >= 500 || RETRY_STATUSES.includes(status)) return retry(said, retryAfterMs);
  return rejected(said);
}

/** The signal's own reason tells our timeout from our end. */
function whyAborted(signal: AbortSignal): string {
  const { reason } = signal;
  return reason instanceof DOMException && reason.name === "TimeoutError"
    ? "no answer within the time allowed"
    : "stopped before an answer came";
}

/** Deno 2.7 tells failures apart by text alone (reqwest, hyper and rustls write it). */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/connection refused/i, "connection refused; check the address, the port and the firewall"],
  [/dns error|lookup/i, "cannot resolve the host name; check it and this host's DNS"],
  [/UnknownIssuer/, "TLS: certificate not trusted; name its CA with ca_file"],
  [/not valid for name/, "TLS: the certificate is for another host name"],
  [/Expired|NotValidYet/, "TLS: certificate not valid at this time; check this host's clock"],
  [/certificate/i, "TLS: certificate not accepted"],
  [/corrupt message|tls|handshake/i, "TLS: no secure connection; is it https:// on that port?"],
  [/timed out/i, "connection timed out; check the address and the firewall"],
  [/unreachable/i, "network unreachable; check this host's network"],
  [/tunnel|proxy/i, "the proxy did not connect us; check HTTPS_PROXY and NO_PROXY"],
  [/connection reset|broken pipe/i, "connection reset before an answer came"],
  [/connection closed|reading a body|eof/i, "connection closed before the answer was complete"],
  [/pars/i, "the answer is not HTTP"],
];

/** Our own words for a failed fetch. Its message and cause hold the whole address. */
function describeFailure(error: unknown): string {
  const texts: string[] = [];
  for (let cause = error; cause instanceof Error && texts.length < 5; cause = cause.cause) {
    // What precedes "client error" is the address, which could hold any word.
    texts.push(cause.message.replace(/^.*?(?=client error \()/s, ""));
  }
  const found = FAILURES.find(([pattern]) => pattern.test(texts.join("\n")));
  return found?.[1] ?? "the request failed before an answer came";
}

function scrub(outcome: Outcome, redactor: Redactor): Outcome {
  return outcome.kind === "delivered"
    ? { ...outcome, detail: redactor.redact(outcome.detail) }
    : { ...outcome, reason: redactor.redact(outcome.reason) };
}

/** One line without control characters or marks that turn the direction of writing. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, " ").trim();
}

/** The reply's JSON object, or undefined when it is anything else. */
export function jsonObject(reply: HttpReply): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(reply.text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** A request's body and its type. */
export function jsonBody(value: unknown): Pick<HttpRequest, "body" | "headers"> {
  return {
    body: JSON.stringify(value),
    headers: { "content-type": "application/json; charset=utf-8" },
  };
}

/** Reads `endpoint`: the scheme, host and port (and path before the service's own) to speak to. */
export function readEndpoint(section: Section, official: string): string {
  const node = section.optional("endpoint");
  if (node === undefined) return official;
  const text = node.url(["https", "http"]);
  if (!URL.canParse(text)) return official;
  const { search, hash, username, password } = new URL(text);
  if (search + hash + username + password !== "") {
    node.problem("expected only a scheme, a host, a port and a path");
  }
  return text;
}

/** The address of `path` at an endpoint; the endpoint's own path is kept. */
export function atEndpoint(endpoint: string, path: string): URL {
  const url = new URL(endpoint);
  url.pathname = url.pathname.replace(/\/+$/, "") + path;
  return url;
}

/** Reads `ca_file`: the PEM text of a CA to trust besides the system's. */
export function readCaFile(section: Section): string | undefined {
  const node = section.optional("ca_file");
  const path = node?.absolutePath() ?? "";
  if (node === undefined || !path.startsWith("/")) return undefined;
  const file = node.reading.sources.readFile(path);
  if ("why" in file) node.problem(`cannot read "${path}": ${file.why}`);
  else if (!isCertificate(file.text)) node.problem(`"${path}" holds no certificate in PEM form`);
  else return file.text;
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    Deno.createHttpClient({ caCerts: [pem] }).close();
    return pem.includes("-----BEGIN CERTIFICATE-----");
  } catch {
    return false;
  }
}

/** Names a sender for `Pace.key` without giving its secrets away. */
export function fingerprint(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12);
}
