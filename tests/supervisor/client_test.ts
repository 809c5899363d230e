import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { type HttpServer, refusingServer, startTcpServer } from "../support/http_server.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";
import { Secret } from "../../src/config/secret.ts";
import { SupervisorClient, SupervisorError } from "../../src/supervisor/client.ts";
import { RpcFault } from "../../src/supervisor/xmlrpc.ts";

const PASSWORD = "pä:ss wörd";

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

/** A real supervisord without our listener, and the programs of these tests. */
async function supervisordWith(sections: string): Promise<Supervisord> {
  return await startSupervisord({
    config: "",
    section: "[superbell]\n", // an unknown section is ignored
    running: false,
    programs: sections,
  });
}

const PROGRAMS = `[program:web]
command=/bin/sleep 100

[program:查询]
command=/bin/sleep 100
process_name=工作

[group:交易组]
programs=查询
`;

Deno.test("SupervisorClient calls a real supervisord through its unix socket", async (test) => {
  await using supervisord = await supervisordWith(PROGRAMS);
  const client = new SupervisorClient({ url: `unix://${supervisord.dir}/supervisor.sock` });

  await test.step("a call without parameters", async () => {
    assertEquals(await client.call("supervisor.getState"), {
      statecode: 1,
      statename: "RUNNING",
    });
    assertEquals(await client.call("supervisor.getPID"), supervisord.pid);
  });

  await test.step("names in Chinese, there and back", async () => {
    const info = await client.call("supervisor.getProcessInfo", ["交易组:工作"]);
    const { name, group } = info as Record<string, string>;
    assertEquals([name, group], ["工作", "交易组"]);
  });

  await test.step("a deferred answer whose Content-Length is too small (issue 1623)", async () => {
    await supervisord.until("RUNNING", () => supervisord.log().includes("success: 工作"));
    const results = await client.call("supervisor.stopProcessGroup", ["交易组"]);
    assertEquals(results, [
      { name: "工作", group: "交易组", status: 80, description: "OK" },
    ]);
  });

  await test.step("a fault", async () => {
    const fault = await assertRejects(
      () => client.call("supervisor.getProcessInfo", ["nosuch"]),
      RpcFault,
      "supervisord refused the call: BAD_NAME: nosuch (fault 10)",
    );
    assertEquals(fault.code, 10);
    const unknown = await assertRejects(() => client.call("supervisor.nosuch"), RpcFault);
    assertEquals(unknown.code, 1);
  });

  await test.step("several calls at once", async () => {
    const results = await client.multicall([
      ["supervisor.getIdentification", []],
      ["supervisor.getProcessInfo", ["a<b>&c"]],
      ["supervisor.tailProcessStdoutLog", ["web", 0, 10]],
    ]);
    assertEquals(results, [
      { value: "e2e" },
      { faultCode: 10, faultString: "BAD_NAME: a<b>&c" },
      { value: ["", 0, false] },
    ]);
    assertEquals(await client.multicall([]), []);
  });

  await test.step("many calls at the same time", async () => {
    const states = await Promise.all(
      Array.from({ length: 100 }, () => client.call("supervisor.getAllProcessInfo")),
    );
    assertEquals(new Set(states.map((list) => (list as unknown[]).length)), new Set([2]));
  });

  await test.step("a socket that is gone", async () => {
    await supervisord.stop();
    await assertRejects(
      () => client.call("supervisor.getState"),
      SupervisorError,
      `Cannot call supervisor.getState of supervisord at unix://${supervisord.dir}/` +
        "supervisor.sock: there is no such socket",
    );
  });
});

Deno.test("SupervisorClient gives user and password to a real supervisord", async (test) => {
  const port = freePort();
  const credentials = `username=admin\npassword=${PASSWORD}\n`;
  await using supervisord = await supervisordWith(
    `[unix_http_server]\n${credentials}\n[inet_http_server]\nport=127.0.0.1:${port}\n${credentials}`,
  );
  for (
    const url of [`http://127.0.0.1:${port}`, `unix://${supervisord.dir}/supervisor.sock`]
  ) {
    await test.step(url.slice(0, 4), async () => {
      const password = new Secret(PASSWORD, "literal");
      const client = new SupervisorClient({ url, username: "admin", password });
      assertEquals(await client.call("supervisor.getIdentification"), "e2e");

      const wants = "it wants a user and a password; set supervisor.username and " +
        "supervisor.password";
      const nobody = new SupervisorClient({ url });
      const first = await assertRejects(
        () => nobody.call("supervisor.getState"),
        SupervisorError,
        wants,
      );
      assertEquals(first.status, 401);
      const wrong = new SupervisorClient({
        url,
        username: "admin",
        password: new Secret("no-such-password", "literal"),
      });
      const second = await assertRejects(
        () => wrong.call("supervisor.getState"),
        SupervisorError,
        wants,
      );
      assert(!`${second.message}${second.stack}`.includes("no-such-password"));
    });
  }
  await supervisord.stop();
});

const VALUE = "<value><string>4.2.5</string></value>";
const BODY = `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n${VALUE}\n</param>\n` +
  "</params>\n</methodResponse>\n";
const http = (status: string, body: string, length = body.length) =>
  `HTTP/1.1 ${status}\r\nServer: Medusa/1.12\r\nContent-Type: text/xml\r\n` +
  `Content-Length: ${length}\r\n\r\n${body}`;

/** What the server does with the connection after it has answered. */
type After = "close" | "keep open";

function answering(pieces: readonly string[], after: After): HttpServer {
  return startTcpServer(async (connection) => {
    const bytes = new Uint8Array(64 * 1024);
    let request = "";
    while (!request.includes("</methodCall>")) {
      const count = await connection.read(bytes);
      if (count === null) break;
      request += new TextDecoder().decode(bytes.subarray(0, count));
    }
    for (const piece of pieces) await connection.write(new TextEncoder().encode(piece));
    if (after === "close") connection.close();
  });
}

const good: readonly (readonly [what: string, pieces: readonly string[], after: After])[] = [
  ["a reply, connection closed", [http("200 OK", BODY)], "close"],
  ["a reply, connection kept open", [http("200 OK", BODY)], "keep open"],
  ["a reply byte by byte", [...http("200 OK", BODY)], "keep open"],
  ["more bytes than promised", [http("200 OK", BODY, BODY.length - 14)], "keep open"],
  ["more bytes than promised, in pieces", [
    http("200 OK", BODY, BODY.length - 60).slice(0, -50),
    BODY.slice(-50),
  ], "keep open"],
  ["fewer bytes than promised", [http("200 OK", BODY, BODY.length + 100)], "close"],
  ["a reply cut off after the value", [http("200 OK", BODY).slice(0, -30)], "close"],
  ["no length", [`HTTP/1.0 200 OK\r\n\r\n${BODY}`], "close"],
  ["no reason phrase", [`HTTP/1.1 200\r\ncontent-length:1\r\n\r\n${BODY}`], "keep open"],
];

for (const [what, pieces, after] of good) {
  Deno.test(`SupervisorClient takes ${what}`, async () => {
    await using server = answering(pieces, after);
    const client = new SupervisorClient({ url: server.origin });
    assertEquals(await client.call("supervisor.getSupervisorVersion"), "4.2.5");
  });
}

const bad: readonly (readonly [
  what: string,
  pieces: readonly string[],
  after: After,
  message: string,
  status?: number,
])[] = [
  [
    "401 with the connection kept open",
    [http("401 Unauthorized", "no")],
    "keep open",
    "it wants a user and a password",
    401,
  ],
  [
    "404",
    [http("404 Not Found", "")],
    "keep open",
    "the configuration lacks [rpcinterface:supervisor]",
    404,
  ],
  [
    "500 with the connection kept open",
    [http("500 Internal Server Error", "x")],
    "keep open",
    "HTTP 500, an error inside supervisord",
    500,
  ],
  ["500 without a body", ["HTTP/1.1 500 X\r\n\r\n"], "close", "HTTP 500", 500],
  ["a redirect", [http("302 Found", "")], "keep open", "HTTP 302", 302],
  ["an end without an answer", [], "close", "it hung up without an answer"],
  ["an end in the head", ["HTTP/1.1 200 OK\r\nContent-"], "close", "the answer is not HTTP"],
  [
    "an end in the body",
    [http("200 OK", BODY).slice(0, -60)],
    "close",
    "Cannot read supervisord's reply",
  ],
  ["another protocol", ["SSH-2.0-OpenSSH_9.2p1\r\n"], "keep open", "the answer is not HTTP"],
  ["a TLS alert", ["\x15\x03\x01\x00\x02\x02\x46"], "keep open", "the answer is not HTTP"],
  [
    "a head without end",
    ["HTTP/1.1 200 OK\r\n", "X: y\r\n".repeat(20_000)],
    "keep open",
    "the answer is not HTTP",
  ],
  ["a status that is none", ["HTTP/1.1 OK\r\n\r\n"], "keep open", "the answer is not HTTP"],
  ["a page", [http("200 OK", "<html></html>")], "close", 'found "<html></html>"'],
  ["an empty body", [http("200 OK", "")], "close", "found its end"],
  [
    "a reply larger than allowed",
    [http("200 OK", "x".repeat(2000))],
    "keep open",
    "the reply is larger than 1000 bytes",
  ],
  [
    "a reply without end",
    [http("200 OK", "x".repeat(900), 1e9), "x".repeat(900)],
    "keep open",
    "the reply is larger than 1000 bytes",
  ],
];

for (const [what, pieces, after, message, status] of bad) {
  Deno.test(`SupervisorClient refuses ${what}`, async () => {
    await using server = answering(pieces, after);
    const client = new SupervisorClient({ url: server.origin });
    const error = await assertRejects(
      () => client.call("supervisor.getState", [], { maxReplyBytes: 1000 }),
      SupervisorError,
      message,
    );
    assertStringIncludes(
      error.message,
      `Cannot call supervisor.getState of supervisord at ${server.origin}: `,
    );
    assertEquals(error.status, status);
  });
}

Deno.test("SupervisorClient tells of a reset", async () => {
  // Closed while the request lies unread: the kernel answers that with a reset.
  await using server = startTcpServer((connection) => connection.close());
  const client = new SupervisorClient({ url: server.origin });
  const error = await assertRejects(() => client.call("a.b"), SupervisorError);
  assert(/the connection was reset|hung up without an answer/.test(error.message), error.message);
});

Deno.test("SupervisorClient tells that nobody listens", async () => {
  await using server = refusingServer();
  const client = new SupervisorClient({ url: server.origin });
  await assertRejects(() => client.call("a.b"), SupervisorError, "nobody listens there");
});

Deno.test("SupervisorClient tells that a unix socket has no owner", async () => {
  using folder = new Folder();
  const listener = Deno.listen({ transport: "unix", path: folder.file("listening") });
  await Deno.rename(folder.file("listening"), folder.file("s")); // or close() would remove it
  listener.close();
  const client = new SupervisorClient({ url: `unix://${folder.file("s")}` });
  await assertRejects(() => client.call("a.b"), SupervisorError, "nobody listens there");
});

const silent: readonly (readonly [what: string, pieces: readonly string[]])[] = [
  ["says nothing", []],
  ["stops in the head", ["HTTP/1.1 200 OK\r\nCon"]],
  ["stops in the body", [http("200 OK", BODY).slice(0, -80)]],
];

for (const [what, pieces] of silent) {
  Deno.test(`SupervisorClient waits no longer than it may for a server that ${what}`, async () => {
    await using server = answering(pieces, "keep open");
    const client = new SupervisorClient({ url: server.origin });
    await assertRejects(
      () => client.call("a.b", [], { timeoutMs: 50 }),
      SupervisorError,
      "no answer within 50 ms",
    );
  });

  Deno.test(`SupervisorClient gives up when told, with a server that ${what}`, async () => {
    await using server = answering(pieces, "keep open");
    const client = new SupervisorClient({ url: server.origin });
    const abort = new AbortController();
    const call = client.call("a.b", [], { signal: abort.signal });
    abort.abort();
    await assertRejects(() => call, SupervisorError, "the call was given up");
  });
}

Deno.test("SupervisorClient stops a server that sends for ever", async () => {
  await using server = startTcpServer(async (connection) => {
    await connection.read(new Uint8Array(64 * 1024));
    try {
      while (true) await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\nX: "));
    } catch {
      // that is how it ends
    }
  });
  const client = new SupervisorClient({ url: server.origin });
  await assertRejects(() => client.call("a.b"), SupervisorError, "the answer is not HTTP");
});

Deno.test("SupervisorClient does not even connect when it is told to give up before", async () => {
  let connections = 0;
  await using server = startTcpServer(() => void connections++);
  const client = new SupervisorClient({ url: server.origin });
  await assertRejects(
    () => client.call("a.b", [], { signal: AbortSignal.abort() }),
    SupervisorError,
    "the call was given up",
  );
  assertEquals(connections, 0);
});

const addresses: readonly (readonly [url: string, message: string])[] = [
  ["", "at : expected unix:///PATH or http://HOST:PORT"],
  ["/run/supervisor.sock", "expected unix:///PATH or http://HOST:PORT"],
  ["unix://", "expected unix:///PATH or http://HOST:PORT"],
  ["https://localhost:9001", "expected unix:///PATH or http://HOST:PORT"],
  ["http://localhost:99999", "expected unix:///PATH or http://HOST:PORT"],
  [
    "http://admin:se6cret@localhost:9001",
    "at http://localhost:9001: the address holds a user; set supervisor.username and .password",
  ],
];

for (const [url, message] of addresses) {
  Deno.test(`SupervisorClient refuses the address "${url}"`, async () => {
    const client = new SupervisorClient({ url });
    const error = await assertRejects(() => client.call("a.b"), SupervisorError, message);
    assert(!error.message.includes("se6cret"));
  });
}

Deno.test("SupervisorClient speaks to an IPv6 address, and as HTTP/1.0", async () => {
  const listener = Deno.listen({ hostname: "::1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    const bytes = new Uint8Array(64 * 1024);
    const count = await connection.read(bytes);
    await connection.write(new TextEncoder().encode(http("200 OK", BODY)));
    return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
  })();
  const client = new SupervisorClient({
    url: `http://[::1]:${listener.addr.port}/ignored`,
    username: "admin",
    password: new Secret("se6cret", "literal"),
  });
  assertEquals(await client.call("a.b"), "4.2.5");
  const head = (await serving).split("\r\n\r\n")[0];
  assertEquals(
    head,
    [
      "POST /RPC2 HTTP/1.0",
      `Host: [::1]:${listener.addr.port}`,
      "Content-Type: text/xml",
      "Content-Length: 91",
      "Connection: close",
      "Authorization: Basic YWRtaW46c2U2Y3JldA==",
    ].join("\r\n"),
  );
  listener.close();
});

Deno.test("SupervisorClient.multicall() refuses results that do not fit the calls", async () => {
  await using server = answering([http("200 OK", BODY)], "close");
  const client = new SupervisorClient({ url: server.origin });
  await assertRejects(
    () => client.multicall([["a.b", []]]),
    SupervisorError,
    "the results do not fit the calls",
  );
});

Deno.test("SupervisorClient keeps one connection to a real supervisord where it is told to", async () => {
  await using supervisord = await supervisordWith("");
  const url = `unix://${supervisord.dir}/supervisor.sock`;
  const client = new SupervisorClient({ url }, { keepsConnection: true });
  const socketsHeld = () =>
    [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith("socket:");
      } catch {
        return false; // the one of this very reading
      }
    }).length;
  const before = socketsHeld();
  for (let call = 0; call < 5; call++) {
    assertEquals(await client.call("supervisor.getPID"), supervisord.pid);
    assertEquals(socketsHeld(), before + 1);
  }
  // Calls at the same time have connections of their own; one of them is kept.
  const calls = Array.from({ length: 5 }, () => client.call("supervisor.getIdentification"));
  assertEquals(await Promise.all(calls), Array(5).fill("e2e"));
  assertEquals(socketsHeld(), before + 1);
  // A fault is an answer: the connection stays.
  await assertRejects(() => client.call("supervisor.nosuch"), RpcFault);
  assertEquals(socketsHeld(), before + 1);
  client.close();
  assertEquals(socketsHeld(), before);
  assertEquals(await client.call("supervisor.getPID"), supervisord.pid);
  client.close();
  await supervisord.stop();
});

Deno.test("SupervisorClient gives up a kept connection that was closed on it", async () => {
  let connections = 0;
  await using server = startTcpServer(async (connection) => {
    connections++;
    await connection.read(new Uint8Array(4096));
    await connection.write(new TextEncoder().encode(http("200 OK", BODY)));
    connection.close();
  });
  const client = new SupervisorClient({ url: server.origin }, { keepsConnection: true });
  assertEquals(await client.call("a.b"), "4.2.5");
  await assertRejects(() => client.call("a.b"), SupervisorError);
  assertEquals(await client.call("a.b"), "4.2.5");
  assertEquals(connections, 2);
  client.close();
});
