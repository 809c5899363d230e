// Nudging with a clock that we move and a server on loopback that counts.

import { Redactor } from "../src/config/secret.ts";
import { Log } from "../src/log.ts";
import { nudge } from "../src/nudge.ts";
import { SupervisorClient } from "../src/supervisor/client.ts";
import { assertEquals, assertStringIncludes } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { type HttpServer, startTcpServer } from "./support/http_server.ts";
import { until } from "./support/until.ts";

const INTERVAL_MS = 200;
const response = (value: string) =>
  `<?xml version='1.0'?>\n<methodResponse>${value}</methodResponse>`;
const PID = response("<params><param><value><int>7</int></value></param></params>");
const SHUTDOWN = response(
  "<fault><value><struct><member><name>faultCode</name><value><int>6</int></value></member>" +
    "<member><name>faultString</name><value><string>SHUTDOWN_STATE</string></value></member>" +
    "</struct></value></fault>",
);

/** What the server does with a call: answers, says nothing, or hangs up. */
type Mood = { readonly body: string } | "silent" | "hangs up";

/** Plays supervisord for one nudger. */
class Bench implements AsyncDisposable {
  readonly clock = new FakeClock(Date.UTC(2026, 10, 21));
  readonly log: string[] = [];
  /** The request of each call. */
  readonly calls: string[] = [];
  connections = 0;
  closed = 0;
  mood: Mood = { body: PID };
  readonly #server: HttpServer = startTcpServer((connection) => {
    this.connections++;
    this.#serve(connection).catch(() => {}).finally(() => this.closed++);
  });
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor() {
    this.#running = nudge({
      client: new SupervisorClient({ url: this.#server.origin }, { keepsConnection: true }),
      intervalMs: INTERVAL_MS,
      clock: this.clock,
      log: new Log({
        level: "info",
        redactor: new Redactor([]),
        now: () => this.clock.now(),
        write: (line) => this.log.push(line),
      }),
    }, this.#stop.signal);
  }

  /** Lets the time pass and waits until so many calls have come. */
  async advance(durationMs: number, calls: number): Promise<void> {
    await this.clock.advance(durationMs);
    await until(`call ${calls}`, () => this.calls.length >= calls);
    await this.#asleep();
  }

  /** Waits until the nudger does nothing but wait. */
  async #asleep(): Promise<void> {
    if (this.mood === "silent") return;
    await until("the nudger to sleep", () => this.clock.sleepers > 0);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#server[Symbol.asyncDispose]();
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const bytes = new Uint8Array(4096);
    let request = "";
    while (true) {
      const count = await connection.read(bytes);
      if (count === null) return;
      request += new TextDecoder().decode(bytes.subarray(0, count));
      if (!request.includes("</methodCall>")) continue;
      this.calls.push(request);
      request = "";
      if (this.mood === "hangs up") return connection.close();
      if (this.mood === "silent") continue;
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${this.mood.body.length}\r\n\r\n`;
      await connection.write(new TextEncoder().encode(head + this.mood.body));
    }
  }
}

Deno.test("nudge() asks for the process id at each interval, over one connection", async () => {
  await using bench = new Bench();
  for (let call = 1; call <= 5; call++) {
    await bench.clock.advance(INTERVAL_MS - 1);
    assertEquals(bench.calls.length, call - 1);
    await bench.advance(1, call);
  }
  assertEquals(bench.connections, 1);
  assertStringIncludes(bench.calls[4]!, "POST /RPC2 HTTP/1.1\r\n");
  assertStringIncludes(bench.calls[4]!, "<methodName>supervisor.getPID</methodName>");
  assertEquals(bench.log, []);
});

Deno.test("nudge() never calls while a call waits for its answer", async () => {
  await using bench = new Bench();
  bench.mood = "silent";
  await bench.advance(INTERVAL_MS, 1);
  await bench.clock.advance(20 * INTERVAL_MS);
  assertEquals(bench.calls.length, 1);
});

Deno.test("nudge() leaves a supervisord that does not answer alone, ever longer, and says it once", async () => {
  await using bench = new Bench();
  bench.mood = "hangs up";
  await bench.advance(INTERVAL_MS, 1);
  const rests = [1, 2, 4, 8, 16, 32, 60, 60];
  for (const [index, seconds] of rests.entries()) {
    await bench.clock.advance(seconds * 1000 - 1);
    assertEquals(bench.calls.length, index + 1);
    await bench.advance(1, index + 2);
  }
  assertEquals(bench.log.length, 1);
  assertStringIncludes(bench.log[0]!, "WARN supervisord cannot be nudged, so exits may be told");
  assertStringIncludes(bench.log[0]!, "it hung up without an answer");

  bench.mood = { body: PID };
  await bench.advance(60_000, 10);
  await bench.advance(INTERVAL_MS, 11);
  assertEquals(bench.log.length, 2);
  assertStringIncludes(bench.log[1]!, "INFO supervisord answers again");
  assertEquals(bench.connections, 10);
});

Deno.test("nudge() takes a refusal for an answer: supervisord is awake", async () => {
  await using bench = new Bench();
  bench.mood = { body: SHUTDOWN };
  await bench.advance(INTERVAL_MS, 1);
  await bench.advance(INTERVAL_MS, 2);
  assertEquals([bench.connections, bench.log], [1, []]);
});

for (const mood of ["silent", { body: PID }] as const) {
  const when = mood === "silent" ? "in the middle of a call" : "between two calls";
  Deno.test(`nudge() ends when told, ${when}, and closes its connection`, async () => {
    await using bench = new Bench();
    bench.mood = mood;
    await bench.advance(INTERVAL_MS, 1);
    await bench.stop();
    await until("the connection to end", () => bench.closed === 1);
    await bench.clock.advance(10 * INTERVAL_MS);
    assertEquals([bench.calls.length, bench.log], [1, []]);
  });
}
