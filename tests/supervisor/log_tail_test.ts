import { Buffer } from "node:buffer";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { type HttpServer, startHttpServer, startTcpServer } from "../support/http_server.ts";
import { startSupervisord } from "../support/supervisord.ts";
import { SupervisorClient, SupervisorError } from "../../src/supervisor/client.ts";
import type { LogMark } from "../../src/supervisor/log_marks.ts";
import {
  type LogTailOptions,
  readLogTail,
  readSupervisorLog,
} from "../../src/supervisor/log_tail.ts";
import type { ProcessInfo } from "../../src/supervisor/process_infos.ts";

const WEB = { group: "web", name: "web" };
const STDERR = { channels: ["stderr"] } as const;

/** What a server of these tests answers to a method: a value as XML, or a status of HTTP. */
type Answer = (call: { readonly method: string; readonly body: string }) => string | number;

/** supervisord's XML-RPC with answers that a real one gives only now and then. */
function answering(answer: Answer): HttpServer {
  return startHttpServer(({ body }) => {
    const method = /<methodName>supervisor\.(.*?)<\/methodName>/.exec(body)?.[1] ?? "";
    const value = answer({ method, body });
    if (typeof value === "number") return new Response("error", { status: value });
    const whole = value.startsWith("<fault>")
      ? value
      : `<params><param><value>${value}</value></param></params>`;
    const xml = `<?xml version='1.0'?>\n<methodResponse>${whole}</methodResponse>`;
    return new Response(Buffer.from(xml, "latin1"));
  });
}

const struct = (members: Readonly<Record<string, string>>) =>
  `<struct>${
    Object.entries(members).map(([name, value]) =>
      `<member><name>${name}</name><value><string>${value}</string></value></member>`
    ).join("")
  }</struct>`;
const fault = (code: number, text: string) =>
  `<fault><value><struct><member><name>faultCode</name><value><int>${code}</int></value></member>` +
  `<member><name>faultString</name><value><string>${text}</string></value></member></struct>` +
  "</value></fault>";

/** The tail of a process whose log is this file. */
async function tailOfFile(path: string, options: LogTailOptions = {}) {
  await using server = answering(({ method }) =>
    method === "getProcessInfo" ? struct({ stderr_logfile: path }) : fault(20, "NO_FILE: it")
  );
  const client = new SupervisorClient({ url: server.origin });
  return await readLogTail(client, WEB, { ...STDERR, timeoutMs: 5000, ...options });
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);
const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

const contents: readonly (readonly [
  what: string,
  content: string | Uint8Array,
  options: LogTailOptions,
  lines: readonly string[],
])[] = [
  ["a short log", text(["a", "b"]), {}, ["a", "b"]],
  ["a log without a last line end", "a\nb", {}, ["a", "b"]],
  ["empty lines at both ends", "\n\na\n\nb\n\n\n", {}, ["a", "", "b"]],
  ["more lines than allowed", text(numbered(1, 100)), { maxLines: 3 }, numbered(98, 100)],
  ["more bytes than allowed", text(numbered(10, 99)), { maxBytes: 24 }, numbered(97, 99)],
  [
    "a log much larger than read",
    text(numbered(1, 100_000)),
    { maxBytes: 50 },
    numbered(99997, 100000),
  ],
  ["one endless line", "x".repeat(1_000_000), { maxBytes: 10 }, ["xxxxxxx…"]],
  ["a last line that is too long", `a\n${"订".repeat(10)}\n`, { maxBytes: 12 }, ["订订订…"]],
  [
    "colours, titles and links",
    "\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b(B\n",
    {},
    ["red link"],
  ],
  ["an escape sequence that does not end", "a\x1b]0;title\nb\x1b[\n", {}, ["a", "b"]],
  ["other control characters", "a\x00b\x07\x08\x7fc\x85\td\n", {}, ["abc\td"]],
  ["CRLF and a progress bar", "a\r\n 10%\r 50%\r100%\r\nb\n", {}, ["a", "100%", "b"]],
  ["UTF-8", "订单 🐶\n", {}, ["订单 🐶"]],
  [
    "GBK beside UTF-8",
    Buffer.from("\xce\xb4\xd5\xd2\xb5\xbd\n\xe8\xae\xa2\xe5\x8d\x95\n", "latin1"),
    {},
    ["未找到", "订单"],
  ],
  ["bytes that are no text", Buffer.from("a\xff\xfe\x80b\n", "latin1"), {}, [
    "a\ufffd\ufffd\ufffdb",
  ]],
];

for (const [what, content, options, lines] of contents) {
  Deno.test(`readLogTail() of a file with ${what}`, async () => {
    using folder = new Folder();
    const path = folder.file("log");
    Deno.writeFileSync(path, typeof content === "string" ? Buffer.from(content) : content);
    const tail = await tailOfFile(path, options);
    assertEquals(tail, { lines, channel: "stderr", source: "file", isExact: false, reason: "" });
  });
}

/** Where a log ends now. */
function markOf(path: string): LogMark {
  const { size, ino, mtime } = Deno.statSync(path);
  return { path, size, inode: ino, modifiedMs: mtime!.getTime(), notedAtMs: Date.now() };
}

Deno.test("readLogTail() ends at the mark, also where the file was renamed since", async () => {
  using folder = new Folder();
  const path = folder.write("log", text(numbered(1, 9)));
  const marks = { stderr: markOf(path) };
  Deno.writeTextFileSync(path, "new\n", { append: true });
  const { lines, isExact } = await tailOfFile(path, { marks, maxLines: 2 });
  assertEquals([lines, isExact], [numbered(8, 9), true]);
  Deno.renameSync(path, `${path}.1`);
  Deno.writeTextFileSync(path, "newer\n");
  const renamed = await tailOfFile(path, { marks, maxLines: 2 });
  assertEquals([renamed.lines, renamed.isExact], [numbered(8, 9), true]);
});

Deno.test("readLogTail() says that it is not exact where the marked file is gone or was cut", async () => {
  using folder = new Folder();
  const path = folder.write("log", text(numbered(1, 9)));
  const marks = { stderr: markOf(path) };
  Deno.truncateSync(path, 0);
  Deno.writeTextFileSync(path, "new\n", { append: true });
  const { lines, isExact } = await tailOfFile(path, { marks });
  assertEquals([lines, isExact], [["new"], false]);
  const other = { stderr: { ...markOf(path), path: "/another" } };
  assertEquals((await tailOfFile(path, { marks: other })).isExact, false);
});

Deno.test("readLogTail() shows nothing of a log that is older than the run", async () => {
  using folder = new Folder();
  const path = folder.write("log", "old\n");
  const { modifiedMs } = markOf(path);
  const reason = "stderr: nothing was written since it was started";
  const marks = { stderr: markOf(path) };
  for (const options of [{}, { marks }]) {
    const startedAtMs = modifiedMs + 5000;
    assertEquals((await tailOfFile(path, { ...options, startedAtMs })).reason, reason);
    const lines = (await tailOfFile(path, { ...options, startedAtMs: modifiedMs })).lines;
    assertEquals(lines, ["old"]);
  }
});

Deno.test("readLogTail() goes on in the rotated file", async () => {
  using folder = new Folder();
  folder.write("log.1", text(numbered(1, 5)) + "li");
  folder.write("log", "ne 6\nline 7\n");
  const tail = await tailOfFile(folder.file("log"), { maxLines: 4 });
  assertEquals(tail.lines, numbered(4, 7));
  folder.write("log", "");
  assertEquals((await tailOfFile(folder.file("log"))).lines, [...numbered(1, 5), "li"]);
});

Deno.test("readLogTail() reads no more than it may of both files", async () => {
  using folder = new Folder();
  folder.write("log.1", text(numbered(1, 1000)));
  folder.write("log", text(numbered(1001, 1002)));
  const tail = await tailOfFile(folder.file("log"), { maxBytes: 40 });
  assertEquals(tail.lines, numbered(999, 1002));
});

Deno.test("readLogTail() reads regular files only", async () => {
  using folder = new Folder();
  const fifo = folder.file("fifo");
  assert((await new Deno.Command("mkfifo", { args: [fifo] }).output()).success);
  Deno.symlinkSync("/dev/stderr", folder.file("link"));
  for (const path of [fifo, folder.path, "/dev/stderr", "/proc/self/fd/2", folder.file("link")]) {
    assertEquals(await tailOfFile(path), {
      lines: [],
      channel: "stderr",
      source: "none",
      isExact: false,
      reason: `stderr: "${path}" is not a regular file`,
    });
  }
  Deno.symlinkSync(folder.write("log", "a\n"), folder.file("good"));
  assertEquals((await tailOfFile(folder.file("good"))).lines, ["a"]);
});

const nothing: readonly (readonly [what: string, answer: Answer, reason: string])[] = [
  ["has no log file", () => struct({ stderr_logfile: "" }), "stderr: it has no log file"],
  [
    "has lost its log file",
    ({ method }) =>
      method === "getProcessInfo"
        ? struct({ stderr_logfile: "/no/such/log" })
        : fault(20, "NO_FILE: x"),
    "stderr: the log file is missing",
  ],
  [
    "is not there",
    ({ method }) =>
      method === "getProcessInfo" ? fault(10, "BAD_NAME: x") : "<array><data></data></array>",
    "supervisord refused the call: BAD_NAME: x (fault 10)",
  ],
  [
    "has an empty log",
    ({ method }) => method === "getProcessInfo" ? struct({ stderr_logfile: "/no/such/log" }) : "",
    "stderr: the log is empty",
  ],
  [
    "belongs to a supervisord that goes down",
    () => fault(6, "SHUTDOWN_STATE"),
    "supervisord refused the call: SHUTDOWN_STATE (fault 6)",
  ],
];

for (const [what, answer, reason] of nothing) {
  Deno.test(`readLogTail() says why there is nothing of a process that ${what}`, async () => {
    await using server = answering(answer);
    const client = new SupervisorClient({ url: server.origin });
    assertEquals(await readLogTail(client, WEB, STDERR), {
      lines: [],
      channel: "stderr",
      source: "none",
      isExact: false,
      reason,
    });
  });
}

/** By XML-RPC, from a server that answers each readProcessStderrLog by the next of these. */
async function tailByRpc(answers: readonly (string | number)[], options: LogTailOptions = {}) {
  const asked: number[] = [];
  await using server = answering(({ method, body }) => {
    // A relative path is supervisord's business (3.x).
    if (method === "getProcessInfo") return struct({ stderr_logfile: "logs/web.log" });
    assertEquals(method, "readProcessStderrLog");
    asked.push(Number(/<int>(-?\d+)<\/int>/.exec(body)?.[1]));
    return answers[asked.length - 1] ?? fault(30, "FAILED");
  });
  const client = new SupervisorClient({ url: server.origin });
  const tail = await readLogTail(client, WEB, { ...STDERR, maxBytes: 25, ...options });
  return { tail, asked };
}

Deno.test("readLogTail() by XML-RPC asks for a little more after HTTP 500", async () => {
  const { tail, asked } = await tailByRpc([500, 500, 500, "a\nb\n"]);
  assertEquals(asked, [-100, -101, -102, -103]);
  assertEquals(tail, {
    lines: ["a", "b"],
    channel: "stderr",
    source: "rpc",
    isExact: false,
    reason: "",
  });
});

Deno.test("readLogTail() by XML-RPC gives up after four times HTTP 500", async () => {
  const { tail, asked } = await tailByRpc([500, 500, 500, 500, "a"]);
  assertEquals(asked.length, 4);
  assertEquals(tail.lines, []);
  assertStringIncludes(tail.reason, "HTTP 500, an error inside supervisord");
});

Deno.test("readLogTail() by XML-RPC asks once where the answer is another error", async () => {
  const { tail, asked } = await tailByRpc([400]);
  assertEquals(asked.length, 1);
  assertStringIncludes(tail.reason, "HTTP 400");
});

Deno.test("readLogTail() by XML-RPC takes ill-formed XML and bytes in no encoding", async () => {
  const { tail } = await tailByRpc(["\x1b[31mred\x1b[0m &lt;\x00\xce\xb4\xd5\xd2\xb5\xbd&gt;\n"]);
  assertEquals(tail.lines, ["red <未找到>"]);
});

Deno.test("readLogTail() by XML-RPC drops the rest of a cut line", async () => {
  const { tail } = await tailByRpc([`${"x".repeat(97)}\ny\n`]);
  assertEquals(tail.lines, ["y"]);
});

Deno.test("readLogTail() asks stdout where stderr has nothing (redirect_stderr)", async () => {
  using folder = new Folder();
  const path = folder.write("log", "a\n");
  await using server = answering(() => struct({ stderr_logfile: "", stdout_logfile: path }));
  const client = new SupervisorClient({ url: server.origin });
  assertEquals(await readLogTail(client, WEB), {
    lines: ["a"],
    channel: "stdout",
    source: "file",
    isExact: false,
    reason: "",
  });
});

Deno.test("readLogTail() finds a process that Python 2 does not know by its name", async () => {
  using folder = new Folder();
  const path = folder.write("log", "a\n");
  const other = struct({ group: "web", name: "db", stderr_logfile: "/no" });
  await using server = answering(({ method }) =>
    method === "getProcessInfo"
      ? fault(10, "BAD_NAME")
      : `<array><data><value>${other}</value><value>${
        struct({ group: "web", name: "web", stderr_logfile: path })
      }</value></data></array>`
  );
  const client = new SupervisorClient({ url: server.origin });
  assertEquals((await readLogTail(client, WEB, STDERR)).lines, ["a"]);
});

Deno.test("readLogTail() keeps its deadline and stops when told", async () => {
  await using server = startTcpServer(() => {}); // says nothing
  const client = new SupervisorClient({ url: server.origin });
  const tail = await readLogTail(client, WEB, { timeoutMs: 50 });
  assertEquals(tail.reason, "no answer within 50 ms");
  const abort = new AbortController();
  const reading = readLogTail(client, WEB, { signal: abort.signal });
  abort.abort();
  assertEquals((await reading).reason, "it was given up");
  const before = await readLogTail(client, WEB, { signal: AbortSignal.abort() });
  assertEquals(before.reason, "it was given up");
});

Deno.test("readLogTail() and readSupervisorLog() with a real supervisord", async (test) => {
  const words = "订单服务出错了".repeat(3);
  await using supervisord = await startSupervisord({
    config: "",
    section: "[superbell]\n", // an unknown section is ignored
    running: false,
    files: {
      "says.sh": `#!/bin/sh
i=0
while [ $i -lt 60 ]; do echo "$i ${words}" >&2; i=$((i+1)); done
printf '\\033[31mred\\033[0m\\n' >&2
exit 3
`,
      "gbk.sh": `#!/bin/sh
printf 'a\\n\\316\\264\\325\\322\\265\\275\\n'
exit 3
`,
    },
    programs: `[program:says]
command={dir}/says.sh
startretries=0

[program:gbk]
command={dir}/gbk.sh
redirect_stderr=true
startretries=0

[program:quiet]
command=/bin/sleep 100
stdout_logfile=NONE
stderr_logfile=NONE
`,
  });
  const client = new SupervisorClient({ url: `unix://${supervisord.dir}/supervisor.sock` });
  await supervisord.logs("gave up: says");
  await supervisord.logs("gave up: gbk");
  const says = { group: "says", name: "says" };

  await test.step("from the file", async () => {
    const tail = await readLogTail(client, says, { maxLines: 3, timeoutMs: 5000 });
    assertEquals(tail, {
      lines: [`58 ${words}`, `59 ${words}`, "red"],
      channel: "stderr",
      source: "file",
      isExact: false,
      reason: "",
    });
  });

  await test.step("GBK, from stdout, for stderr is redirected", async () => {
    const gbk = { group: "gbk", name: "gbk" };
    const tail = await readLogTail(client, gbk, { timeoutMs: 5000 });
    assertEquals([tail.lines, tail.channel], [["a", "未找到"], "stdout"]);
  });

  await test.step("no log files", async () => {
    const tail = await readLogTail(client, { group: "quiet", name: "quiet" }, { timeoutMs: 5000 });
    assertEquals(tail.reason, "stderr: it has no log file; stdout: it has no log file");
  });

  await test.step("by XML-RPC, wherever the piece begins", async () => {
    const { origin, ...proxy } = withoutFiles(client);
    await using _ = proxy;
    const remote = new SupervisorClient({ url: origin });
    for (let maxBytes = 100; maxBytes < 104; maxBytes++) {
      const tail = await readLogTail(remote, says, { maxBytes, timeoutMs: 5000 });
      assertEquals(tail.lines, [`59 ${words}`, "red"]);
      assertEquals([tail.source, tail.channel], ["rpc", "stderr"]);
    }
    const gbk = await readLogTail(remote, { group: "gbk", name: "gbk" }, { timeoutMs: 5000 });
    assertStringIncludes(gbk.reason, "stdout: Cannot call supervisor.readProcessStdoutLog");
    assertStringIncludes(gbk.reason, "HTTP 500");
  });

  await test.step("by XML-RPC up to a mark", async () => {
    const { origin, ...proxy } = withoutFiles(client);
    await using _ = proxy;
    const remote = new SupervisorClient({ url: origin });
    const info = await client.call("supervisor.getProcessInfo", ["says"]) as ProcessInfo;
    const path = String(info.stderr_logfile);
    const whole = Deno.readTextFileSync(path);
    const size = new TextEncoder().encode(whole.slice(0, whole.indexOf("59 "))).length;
    const marks = { stderr: { ...markOf(path), path: path.slice(1), size } };
    for (let maxBytes = 100; maxBytes < 104; maxBytes++) {
      const options = { marks, maxBytes, timeoutMs: 5000, maxLines: 2 };
      const { lines, source, isExact } = await readLogTail(remote, says, options);
      assertEquals([lines.at(-1), source, isExact], [`58 ${words}`, "rpc", true]);
    }
  });

  await test.step("supervisord's own log", async () => {
    const log = await readSupervisorLog(client, 1_000_000);
    assertStringIncludes(log, "WARN exited: says (exit status 3; not expected)\n");
    assertEquals((await readSupervisorLog(client, 10)).length, 10);
  });

  await test.step("supervisord gone", async () => {
    await supervisord.stop();
    const tail = await readLogTail(client, says);
    assertStringIncludes(tail.reason, "there is no such socket");
    await assertRejects(() => readSupervisorLog(client, 10), SupervisorError);
  });
});

/**
 * Hands calls on to a real supervisord and its answers back, with the paths of the log files
 * made relative: as for a user who may not read the files. (Tests run as root, who may.)
 */
function withoutFiles(client: SupervisorClient): HttpServer {
  return startHttpServer(async ({ body }) => {
    const [, method = ""] = /<methodName>(.*?)<\/methodName>/.exec(body) ?? [];
    const [, name = ""] = /<string>(.*?)<\/string>/.exec(body) ?? [];
    const numbers = [...body.matchAll(/<int>(.*?)<\/int>/g)].map(([, number]) => Number(number));
    try {
      const value = await client.call(method, [name, ...numbers]);
      const xml = typeof value === "string" ? escaped(value) : struct(
        Object.fromEntries(
          Object.entries(value as Record<string, string>).map(([key, member]) => [
            key,
            key.endsWith("_logfile") ? String(member).replace(/^\/+/, "") : String(member),
          ]),
        ),
      );
      return new Response(
        `<?xml version='1.0'?><methodResponse><params><param><value>${xml}</value></param>` +
          "</params></methodResponse>",
      );
    } catch (error) {
      if (!(error instanceof SupervisorError)) throw error;
      return new Response("", { status: error.status ?? 502 });
    }
  });
}

function escaped(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
