// Real HTTP servers on a free port of loopback, for channels that speak HTTP: some answer and
// record what they were asked, others break in the ways that a network breaks.

import type { Behaviour } from "../conformance/channel.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";

/** A request as the server got it. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
  readonly bodyBytes: number;
}

/** A started server. */
export interface HttpServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly requests: readonly RecordedRequest[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Answers every request by `answer`; with certificates by TLS. */
export function startHttpServer(
  answer: (request: RecordedRequest) => Response | Promise<Response>,
  certificates?: Pick<Certificates, "cert" | "key">,
): HttpServer {
  const requests: RecordedRequest[] = [];
  const tls = certificates && { cert: certificates.cert, key: certificates.key };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...tls },
    async (request) => {
      const bytes = await request.bytes();
      const { method, headers } = request;
      const body = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      const url = new URL(request.url);
      const recorded = { method, url, headers, body, bodyBytes: bytes.length };
      requests.push(recorded);
      return await answer(recorded);
    },
  );
  const scheme = certificates === undefined ? "http" : "https";
  return {
    origin: `${scheme}://127.0.0.1:${server.addr.port}`,
    requests,
    async [Symbol.asyncDispose]() {
      let timer: number | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, SHUTDOWN_MS));
      await Promise.race([server.shutdown(), late]);
      clearTimeout(timer);
      server.unref();
    },
  };
}

/**
 * What runs is answered before a server ends. Deno 2.7 waits for ever for a connection that was
 * accepted at that moment and whose client has gone.
 */
const SHUTDOWN_MS = 5000;

/** Hands every connection to `serve` and closes what is left of them at the end. */
export function startTcpServer(
  serve: (connection: Deno.TcpConn) => Promise<void> | void,
): HttpServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      await serve(connection);
    }
  })();
  return {
    origin: `http://127.0.0.1:${listener.addr.port}`,
    requests: [],
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of connections) closeOnce(connection);
    },
  };
}

/** Sends `bytes` as the whole answer to the first piece of a request, and closes. */
export function startRawServer(bytes: string): HttpServer {
  return startTcpServer(async (connection) => {
    await connection.read(new Uint8Array(64 * 1024));
    await connection.write(new TextEncoder().encode(bytes));
    connection.close();
  });
}

/** An address where nothing listens. */
export function refusingServer(): HttpServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const origin = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  return { origin, requests: [], [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** What a service says, where it says something. */
export type Answers = Readonly<
  Record<
    "accepts" | "refuses-message" | "busy" | "answers-garbage" | "server-error",
    (request: RecordedRequest) => Response
  >
>;

/** The other side of an HTTP channel. */
export interface HttpSide extends HttpServer {
  readonly trusting?: { readonly ca_file: string };
}

/** Starts the service; how its connection breaks is the same for all services. */
export async function startHttpSide(behaviour: Behaviour, answers: Answers): Promise<HttpSide> {
  switch (behaviour) {
    case "hangs":
      return startTcpServer(() => {});
    case "resets":
      // Closed while a request lies unread: the kernel answers it with a reset.
      return startTcpServer((connection) => connection.close());
    case "refuses-connection":
      return refusingServer();
    case "breaks-tls": {
      const certificates = await makeCertificates();
      const server = startHttpServer(answers.accepts, certificates);
      return {
        ...server,
        trusting: { ca_file: certificates.caFile },
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]();
          await certificates[Symbol.asyncDispose]();
        },
      };
    }
    default:
      return startHttpServer(answers[behaviour]);
  }
}

/** All that a request gave away, for an answer that repeats it as some services do. */
export function echo({ method, url, headers }: RecordedRequest): string {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${url.href}`, ...url.searchParams.values(), ...lines].join(" ");
}

function closeOnce(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
