// Calls supervisord's XML-RPC at the address that it gave us (SUPERVISOR_SERVER_URL): a unix
// socket or HTTP, with user and password where the server asks for them. Every call has a
// deadline, a largest reply and, unless one is kept, a connection of its own. HTTP is spoken here
// by hand: fetch sends an absolute-form target through a unix socket, which supervisord answers
// with 400, and both fetch and node:http believe its Content-Length, which is too small for
// non-ASCII text in deferred answers (supervisor/xmlrpc.py:DeferredXMLRPCResponse counts
// characters).

import { Buffer } from "node:buffer";
import type { Secret } from "../config/secret.ts";
import { isFaultStruct, readReply, RpcFormatError, type RpcValue, writeCall } from "./xmlrpc.ts";

/** Where supervisord listens, and who we are there. */
export interface SupervisorAddress {
  /** `unix:///run/supervisor.sock`, `http://localhost:9001`. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
}

/** Limits of one call. */
export interface CallOptions {
  /** @default 5000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** @default 33554432, for 10,000 processes in getAllProcessInfo are about 10 MB */
  readonly maxReplyBytes?: number;
}

/** How a client goes about its calls. */
export interface ClientOptions {
  /** Keeps one connection open from call to call, for who calls all the time. @default false */
  readonly keepsConnection?: boolean;
}

/** supervisord could not be reached, or answered something that is not XML-RPC. */
export class SupervisorError extends Error {
  override readonly name = "SupervisorError";
  /** HTTP's status, where the answer was one and not 200. */
  readonly status: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options);
    this.status = options.status;
  }
}

/** One call of `multicall`, or its fault. */
export type MulticallResult = { readonly value: RpcValue } | {
  readonly faultCode: number;
  readonly faultString: string;
};

const TIMEOUT_MS = 5000;
const MAX_REPLY_BYTES = 32 * 1024 * 1024;
const MAX_HEAD_BYTES = 64 * 1024;
/** Room for the answers that are asked for all the time; more is made as it is needed. */
const FIRST_READ_BYTES = 4 * 1024;

/** supervisord's XML-RPC interface. */
export class SupervisorClient {
  readonly #address: SupervisorAddress;
  readonly #keepsConnection: boolean;
  /** Open and idle; a call takes it, so that no other one gets its answer. */
  #kept: Deno.Conn | undefined;

  constructor(address: SupervisorAddress, options: ClientOptions = {}) {
    this.#address = address;
    this.#keepsConnection = options.keepsConnection ?? false;
  }

  /** Calls a method. Throws an RpcFault (refused) or a SupervisorError (not reached, odd answer). */
  async call(
    method: string,
    parameters: readonly RpcValue[] = [],
    options: CallOptions = {},
  ): Promise<RpcValue> {
    const body = writeCall(method, parameters);
    let reply: HttpReply;
    try {
      const endpoint = endpointOf(this.#address.url);
      const kept = this.#kept;
      this.#kept = undefined;
      reply = await exchange(endpoint, this.#request(endpoint, body), { ...options, kept });
      this.#keepOrClose(reply);
    } catch (error) {
      throw this.#failed(method, describeFailure(error), { cause: error });
    }
    const { status, body: bytes } = reply;
    if (status !== 200) throw this.#failed(method, describeStatus(status), { status });
    try {
      return readReply(bytes);
    } catch (error) {
      if (!(error instanceof RpcFormatError)) throw error;
      throw this.#failed(method, error.message, { cause: error });
    }
  }

  /** Several calls in one request; each has its own result or fault. */
  async multicall(
    calls: readonly (readonly [method: string, parameters: readonly RpcValue[]])[],
    options: CallOptions = {},
  ): Promise<MulticallResult[]> {
    const list = calls.map(([methodName, params]) => ({ methodName, params }));
    const results = await this.call("system.multicall", [list], options);
    if (!Array.isArray(results) || results.length !== calls.length) {
      throw this.#failed("system.multicall", "the results do not fit the calls");
    }
    // supervisord gives the value itself; the specification wants it in a list of one.
    return (results as readonly RpcValue[]).map((result) =>
      isFaultStruct(result) ? result : { value: result }
    );
  }

  /** Closes the connection that is kept, if any. */
  close(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }

  #keepOrClose({ status, connection }: HttpReply): void {
    // After a refusal supervisord's side of the connection is in doubt.
    if (!this.#keepsConnection || status !== 200 || this.#kept !== undefined) connection.close();
    else this.#kept = connection;
  }

  /**
   * HTTP/1.0, so that nobody answers in chunks and everybody closes the connection; 1.1 where it
   * is kept: supervisord states the length of every XML-RPC answer.
   */
  #request(endpoint: Endpoint, body: string): Uint8Array {
    const { username, password } = this.#address;
    const who = Buffer.from(`${username}:${password?.reveal() ?? ""}`).toString("base64");
    const lines = [
      `POST /RPC2 HTTP/${this.#keepsConnection ? "1.1" : "1.0"}`,
      `Host: ${endpoint.host}`,
      "Content-Type: text/xml",
      `Content-Length: ${body.length}`, // ASCII
      `Connection: ${this.#keepsConnection ? "keep-alive" : "close"}`,
      ...(username === undefined ? [] : [`Authorization: Basic ${who}`]),
      "",
      body,
    ];
    return new TextEncoder().encode(lines.join("\r\n"));
  }

  #failed(
    method: string,
    why: string,
    options: ErrorOptions & { readonly status?: number } = {},
  ): SupervisorError {
    const where = this.#address.url.replace(/\/\/[^/]*@/, "//"); // no password that stands in it
    return new SupervisorError(`Cannot call ${method} of supervisord at ${where}: ${why}`, options);
  }
}

interface Endpoint {
  readonly target: Deno.UnixConnectOptions | Deno.ConnectOptions;
  readonly host: string;
}

interface HttpReply {
  readonly status: number;
  readonly body: Uint8Array;
  /** Still open: the caller keeps or closes it. */
  readonly connection: Deno.Conn;
}

/** A failure that is described already. */
class ExchangeError extends Error {}

function endpointOf(address: string): Endpoint {
  const path = /^unix:\/\/(.+)$/.exec(address)?.[1];
  if (path !== undefined) return { target: { transport: "unix", path }, host: "localhost" };
  const url = URL.parse(address);
  if (url?.protocol !== "http:") {
    throw new ExchangeError("expected unix:///PATH or http://HOST:PORT");
  }
  if (url.username !== "" || url.password !== "") {
    throw new ExchangeError("the address holds a user; set supervisor.username and .password");
  }
  return {
    target: { hostname: url.hostname, port: url.port === "" ? 80 : Number(url.port) },
    host: url.host,
  };
}

/** One request, one reply, over a connection that is open already or a new one. A throw closes it. */
async function exchange(
  { target }: Endpoint,
  request: Uint8Array,
  { timeoutMs = TIMEOUT_MS, signal, maxReplyBytes = MAX_REPLY_BYTES, kept }: CallOptions & {
    readonly kept: Deno.Conn | undefined;
  },
): Promise<HttpReply> {
  const over = new AbortController();
  const stopped = new Promise<never>((_, reject) =>
    over.signal.addEventListener("abort", () => reject(over.signal.reason))
  );
  stopped.catch(() => {}); // nobody waits for it when all goes well
  const giveUp = () => over.abort(new ExchangeError("the call was given up"));
  if (signal?.aborted) giveUp();
  signal?.addEventListener("abort", giveUp);
  const timer = setTimeout(
    () => over.abort(new ExchangeError(`no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  let connection = kept;
  try {
    over.signal.throwIfAborted();
    connection ??= await connect(target, over.signal);
    // Who refuses may answer before it has read everything; the reply then says more than EPIPE.
    writeAll(connection, request).catch(() => {});
    const reply = await Promise.race([readHttp(connection, maxReplyBytes), stopped]);
    return { ...reply, connection };
  } catch (error) {
    connection?.close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

async function connect(target: Endpoint["target"], signal: AbortSignal): Promise<Deno.Conn> {
  try {
    // A unix socket answers at once or not at all.
    if ("path" in target) return await Deno.connect(target);
    return await Deno.connect({ ...target, signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads until the reply is whole or the other side closes. */
async function readHttp(
  connection: Deno.Conn,
  maxReplyBytes: number,
): Promise<Omit<HttpReply, "connection">> {
  let held = Buffer.alloc(FIRST_READ_BYTES);
  let length = 0;
  let head: HttpHead | undefined;
  while (true) {
    if (length === held.length) held = Buffer.concat([held], 2 * held.length);
    const count = await connection.read(held.subarray(length));
    length += count ?? 0;
    const bytes = held.subarray(0, length);
    head ??= readHead(bytes);
    if (head === undefined && (count === null || length > MAX_HEAD_BYTES)) {
      throw new ExchangeError(
        length === 0 ? "it hung up without an answer" : "the answer is not HTTP",
      );
    }
    if (head === undefined) continue;
    const body = bytes.subarray(head.length);
    if (body.length > maxReplyBytes) {
      throw new ExchangeError(`the reply is larger than ${maxReplyBytes} bytes`);
    }
    if (count === null || isWhole(head, body)) return { status: head.status, body };
  }
}

interface HttpHead {
  readonly status: number;
  /** Up to the body, in bytes. */
  readonly length: number;
  /** What the body is said to have; where nothing is said, it ends with the connection. */
  readonly bodyLength: number;
}

function readHead(bytes: Buffer): HttpHead | undefined {
  const start = bytes.toString("latin1", 0, MAX_HEAD_BYTES);
  if (!start.startsWith("HTTP/1.".slice(0, start.length))) {
    throw new ExchangeError("the answer is not HTTP");
  }
  const end = start.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = start.slice(0, end + 2);
  const status = /^HTTP\/1\.\d (\d{3})\b/.exec(head)?.[1];
  if (status === undefined) throw new ExchangeError("the answer is not HTTP");
  const bodyLength = /\r\ncontent-length: *(\d{1,15}) *\r\n/i.exec(head)?.[1];
  return { status: Number(status), length: end + 4, bodyLength: Number(bodyLength ?? Infinity) };
}

/** A 401 leaves the connection open, so its length must be believed; that of a reply must not be. */
function isWhole({ status, bodyLength }: HttpHead, body: Buffer): boolean {
  if (body.length < bodyLength) return false;
  return status !== 200 || /<\/methodResponse>\s*$/.test(body.subarray(-64).toString("latin1"));
}

function describeStatus(status: number): string {
  if (status === 401) {
    return "it wants a user and a password; set supervisor.username and supervisor.password";
  }
  if (status === 404) return "no XML-RPC there; the configuration lacks [rpcinterface:supervisor]";
  if (status === 500) return "HTTP 500, an error inside supervisord; its own log has a traceback";
  return `HTTP ${status}`;
}

function describeFailure(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such socket";
  if (error instanceof Deno.errors.ConnectionRefused) return "nobody listens there";
  if (error instanceof Deno.errors.ConnectionReset) return "the connection was reset";
  if (error instanceof Deno.errors.WouldBlock) return "too many connections wait there already";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; run as supervisord's user, or set chmod/chown of its socket";
  }
  return error instanceof Error ? error.message : String(error);
}
