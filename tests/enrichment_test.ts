// What is found out about an end: asked of a server that answers as supervisord does, and read
// from real log files, at the moments that matter.

import type { Alert } from "../src/alerts/alert.ts";
import { masker } from "../src/alerts/mask.ts";
import { type EnrichmentOptions, SupervisorEnrichment } from "../src/enrichment.ts";
import type { Event, ProcessName } from "../src/events/event.ts";
import { Log } from "../src/log.ts";
import { Redactor } from "../src/config/secret.ts";
import type { KnownProcess } from "../src/rules/roster.ts";
import type { TailSettings } from "../src/rules/rule.ts";
import { SupervisorClient } from "../src/supervisor/client.ts";
import { LogMarks } from "../src/supervisor/log_marks.ts";
import { assert, assertEquals, assertStringIncludes } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";
import { startHttpServer, startTcpServer } from "./support/http_server.ts";
import { ALERT, INCIDENT } from "./support/message.ts";

const WEB = { group: "web", name: "api" };
const PID = 4242;
const never = new AbortController().signal;

/** Local time, as supervisord's log has it. */
function stamp(atMs: number): string {
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  return local.replace("T", " ").replace(".", ",").replace("Z", "");
}

type Value = string | number | readonly Value[] | { readonly [name: string]: Value };

function xml(value: Value): string {
  if (typeof value === "number") return `<value><int>${value}</int></value>`;
  if (typeof value === "string") {
    return `<value><string>${
      value.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    }</string></value>`;
  }
  if (Array.isArray(value)) {
    return `<value><array><data>${value.map(xml).join("")}</data></array></value>`;
  }
  const members = Object.entries(value).map(([name, member]) =>
    `<member><name>${name}</name>${xml(member)}</member>`
  );
  return `<value><struct>${members.join("")}</struct></value>`;
}

/** A supervisord with a few processes, whose answers can be changed between the calls. */
class Rig implements AsyncDisposable {
  readonly folder = new Folder();
  readonly stderr = this.folder.write("api.err", "");
  readonly stdout = this.folder.write("api.out", "");
  readonly nowMs = Date.now();
  log: string | undefined = "";
  info: Record<string, Value> = {
    ...WEB,
    ...{ pid: PID, start: Math.floor(this.nowMs / 1000) - 60, stop: 0, statename: "RUNNING" },
    ...{ spawnerr: "", exitstatus: 0, stderr_logfile: this.stderr, stdout_logfile: this.stdout },
  };
  /** Processes besides it. */
  others: Record<string, Value>[] = [];
  readonly said: string[] = [];
  readonly calls: string[] = [];
  readonly #server = startHttpServer(({ body }) => {
    const [, method = ""] = /<methodName>(?:supervisor\.)?(.*?)</.exec(body) ?? [];
    this.calls.push(method);
    const all = [this.info, ...this.others];
    const named = [...body.matchAll(/<string>([^<:]*:[^<]*)</g)].map(([, name]) =>
      all.find((info) => `${info.group}:${info.name}` === name) ??
        { faultCode: 10, faultString: `BAD_NAME: ${name}` }
    );
    const value = method === "getAllProcessInfo"
      ? all
      : method === "system.multicall"
      ? named
      : method === "readLog" && this.log !== undefined
      ? this.log
      : undefined;
    const answer = value === undefined
      ? `<fault>${xml({ faultCode: 20, faultString: "NO_FILE: it" })}</fault>`
      : `<params><param>${xml(value)}</param></params>`;
    return new Response(`<?xml version='1.0'?><methodResponse>${answer}</methodResponse>`);
  });
  readonly client = new SupervisorClient({ url: this.#server.origin });
  readonly marks = new LogMarks(this.client);

  /** The process ends: it is noted, and the alert about it answered. */
  end(word: Alert["word"] = "crash"): Alert {
    const atMs = Date.now();
    const origin = { server: "supervisor", eventname: "PROCESS_STATE_EXITED" };
    const event: Event = {
      ...{ kind: "process_exited", origin, process: WEB, fromState: "RUNNING", pid: PID },
      expected: false,
    };
    this.marks.heard(event, atMs);
    return { ...ALERT, process: WEB, pid: PID, word, atMs };
  }

  /** It is started again. */
  startAgain(): void {
    this.info = { ...this.info, pid: PID + 1, start: Math.floor(Date.now() / 1000) };
  }

  writeError(text: string): void {
    Deno.writeTextFileSync(this.stderr, text, { append: true });
  }

  async enrich(alert: Alert, options: EnrichmentOptions = {}): Promise<Alert> {
    const [richer] = await this.enrichment(options).enrich([alert], never);
    return richer!;
  }

  enrichment(options: EnrichmentOptions, client = this.client): SupervisorEnrichment {
    const tail: TailSettings = { lines: 3, stream: "auto", maxBytes: 2048 };
    const log = new Log({
      level: "debug",
      redactor: new Redactor([]),
      now: Date.now,
      write: (line) => this.said.push(line),
    });
    return new SupervisorEnrichment(client, log, {
      marks: this.marks,
      tailFor: () => tail,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

Deno.test("enrich() tells the exit, the uptime, the restarts and the last lines up to the end", async () => {
  await using rig = new Rig();
  await rig.marks.refresh();
  rig.writeError("one\ntwo\nthree\nOSError: gone\n");
  const alert = rig.end();
  rig.writeError("the new run says hello\n");
  const endMs = alert.atMs;
  const line = (backMs: number, text: string) => `${stamp(endMs - backMs)} ${text}\n`;
  rig.log = line(90_000, "INFO spawned: 'api' with pid 1") +
    line(61_000, "WARN exited: api (exit status 1; not expected)") +
    line(60_000, `INFO spawned: 'api' with pid ${PID}`) +
    line(5, "WARN exited: api (exit status 3; not expected)") +
    line(-5000, `INFO spawned: 'api' with pid ${PID + 1}`);
  rig.startAgain();
  const richer = await rig.enrich(alert);
  assertEquals(richer, {
    ...alert,
    exit: { status: 3, certainty: "sure" },
    uptimeMs: 59_995,
    restarts: { count: 1, isAll: true },
    tails: [{ stream: "stderr", lines: ["two", "three", "OSError: gone"] }],
  });
});

Deno.test("enrich() says so where lines may be of the new run", async () => {
  await using rig = new Rig();
  rig.writeError("old\n");
  const alert = rig.end(); // nobody has asked for the path before, so nothing was noted
  rig.writeError("new\n");
  rig.startAgain();
  const { tails } = await rig.enrich(alert);
  assertEquals(tails, [{ stream: "stderr", lines: ["old", "new"], isLate: true }]);
});

Deno.test("enrich() says so where the new run was faster than the mark", async () => {
  await using rig = new Rig();
  await rig.marks.refresh();
  rig.writeError("old\nnew\n");
  const alert = rig.end();
  rig.log = `${stamp(alert.atMs - 60_000)} INFO spawned: 'api' with pid ${PID}\n` +
    `${stamp(alert.atMs - 2000)} WARN exited: api (exit status 3; not expected)\n` +
    `${stamp(alert.atMs - 1000)} INFO spawned: 'api' with pid ${PID + 1}\n`;
  rig.startAgain();
  const { tails } = await rig.enrich(alert);
  assertEquals(tails, [{ stream: "stderr", lines: ["old", "new"], isLate: true }]);
});

Deno.test("enrich() shows no lines that are older than the run", async () => {
  await using rig = new Rig();
  rig.writeError("a warning of last year\n");
  Deno.utimeSync(rig.stderr, new Date(0), new Date(0));
  Deno.writeTextFileSync(rig.stdout, "the cause\n");
  await rig.marks.refresh();
  const alert = rig.end();
  const { tails } = await rig.enrich(alert);
  assertEquals(tails, [{ stream: "stdout", lines: ["the cause"] }]);
});

const STREAMS: readonly (readonly [TailSettings["stream"], readonly string[]])[] = [
  ["auto", ["stderr"]],
  ["stderr", ["stderr"]],
  ["stdout", ["stdout"]],
  ["both", ["stderr", "stdout"]],
];

for (const [stream, expected] of STREAMS) {
  Deno.test(`enrich() reads what stream: ${stream} asks for`, async () => {
    await using rig = new Rig();
    rig.writeError("e\n");
    Deno.writeTextFileSync(rig.stdout, "o\n");
    const tailFor = () => ({ lines: 1, stream, maxBytes: 100 });
    const { tails } = await rig.enrich(rig.end(), { tailFor });
    assertEquals(tails?.map((tail) => tail.stream), expected);
  });
}

Deno.test("enrich() reads nothing where the rule wants no lines", async () => {
  await using rig = new Rig();
  rig.writeError("password=hunter2\n");
  const asked: string[] = [];
  const richer = await rig.enrich(rig.end(), {
    tailFor: (rule) => {
      asked.push(rule);
      return { lines: 0, stream: "auto", maxBytes: 100 };
    },
  });
  assertEquals([richer.tails, asked], [undefined, ["crash"]]);
});

Deno.test("enrich() masks before it cuts, and puts no line into the log", async () => {
  await using rig = new Rig();
  rig.writeError(`BEGIN\nsecret one\nEND\nlast ${"x".repeat(50)} secret\n`);
  const mask = (text: string) => text.replace(/BEGIN[^]*END/, "***").replaceAll("secret", "***");
  const tailFor = () => ({ lines: 5, stream: "auto" as const, maxBytes: 64 });
  const { tails } = await rig.enrich(rig.end(), { mask, tailFor });
  assertEquals(tails?.[0]?.lines, ["***", `last ${"x".repeat(50)} ***`]);
  assert(!/secret|last/.test(rig.said.join("\n")), rig.said.join("\n"));
});

Deno.test("enrich() and note() mask what supervisord says of a start that failed", async () => {
  await using rig = new Rig();
  const spawnerr = "can't parse command '/x --password=hunter2 \"': No closing quotation";
  rig.info = { ...rig.info, pid: 0, statename: "FATAL", spawnerr };
  const mask = masker({ patterns: [/closing/], defaults: true });
  const told: unknown[] = [];
  const options: EnrichmentOptions = { mask, onExit: (_end, exit) => told.push(exit) };
  const fatal = { ...ALERT, process: WEB, word: "fatal", atMs: Date.now() } as const;
  const { pid: _, expected: __, ...alert } = fatal;
  const richer = await rig.enrich(alert, options);
  const end = { process: WEB, pid: undefined, expected: undefined, atMs: Date.now() };
  await rig.enrichment(options).note([end], never);
  const spawnError = "can't parse command '/x --password=*** \"': No *** quotation";
  assertEquals(richer.exit?.spawnError, spawnError);
  assertEquals(told, [richer.exit, richer.exit]);
});

Deno.test("enrich() finds out how each of several processes ended", async () => {
  await using rig = new Rig();
  await rig.marks.refresh();
  const crash = rig.end();
  const [dead, unknown] = [{ group: "web", name: "dead" }, { group: "web", name: "unknown" }];
  const line = (text: string) => `${stamp(crash.atMs - 5)} ${text}\n`;
  rig.others = [dead, unknown].map((name) => ({ ...rig.info, ...name, pid: 0 }));
  rig.log = line(`INFO spawned: 'api' with pid ${PID}`) + line("INFO spawned: 'dead' with pid 9") +
    line("WARN exited: api (terminated by SIGSEGV; not expected)") +
    line("WARN exited: dead (terminated by SIGKILL; not expected)");
  const processes = [WEB, dead, unknown];
  const several = { ...INCIDENT, by: "group", key: "web:*", processes, count: 3 } as const;
  const known = (process: ProcessName): KnownProcess | undefined => {
    if (process.name !== "dead") return undefined;
    const rest = { endedPids: [9], found: [], restarts: 1, sinceMs: crash.atMs };
    return { process, state: "EXITED", ...rest };
  };
  const richer = await rig.enrich({ ...crash, incident: several }, { known });
  assertEquals(
    richer.each?.map(({ process, exit, state }) => [process.name, exit?.signal, state]),
    [
      ["api", "SIGSEGV", undefined],
      ["dead", "SIGKILL", "EXITED"],
      ["unknown", undefined, undefined],
    ],
  );
  assertEquals((await rig.enrich({ ...crash, incident: INCIDENT }, { known })).each, undefined);
});

Deno.test("enrich() tells what it can where supervisord's log cannot be read", async () => {
  await using rig = new Rig();
  await rig.marks.refresh();
  rig.log = undefined;
  rig.writeError("the cause\n");
  rig.info = {
    ...rig.info,
    pid: 0,
    statename: "EXITED",
    exitstatus: 3,
    spawnerr: "Bad exit code 3",
  };
  const { exit, tails, uptimeMs } = await rig.enrich(rig.end());
  assertEquals(exit, { status: 3, certainty: "sure" });
  assertEquals(tails?.[0]?.lines, ["the cause"]);
  assert(uptimeMs! >= 59_000 && uptimeMs! < 120_000, `${uptimeMs}`);
  assertStringIncludes(rig.said.join(), "cannot find out how a process ended");
});

Deno.test("enrich() asks nothing about what is no end", async () => {
  await using rig = new Rig();
  const alert = rig.end("started");
  assertEquals(await rig.enrich(alert), alert);
  assertEquals(rig.calls, []);
});

Deno.test("enrich() asks once about what had happened by then, and anew about what came since", async () => {
  await using rig = new Rig();
  const log = new Log({ level: "error", redactor: new Redactor([]), now: Date.now });
  const enrichment = new SupervisorEnrichment(rig.client, log);
  const before = { ...rig.end(), atMs: rig.nowMs - 10 };
  const since = { ...before, atMs: rig.nowMs + 60_000 };
  rig.log = `${stamp(rig.nowMs - 20)} WARN exited: api (exit status 3; not expected)\n`;
  const enrich = async (alert: Alert) => (await enrichment.enrich([alert], never))[0]!.exit;
  const together = await Promise.all([enrich(before), enrich(before)]);
  assertEquals(together.map((exit) => exit?.status), [3, 3]);
  assertEquals(rig.calls.toSorted(), ["getAllProcessInfo", "readLog"]);
  assertEquals((await enrich(since))?.status, 3);
  assertEquals(rig.calls.length, 4);
});

Deno.test("enrich() asks about the process that is meant and those of its name, once the others are known", async () => {
  await using rig = new Rig();
  rig.others = [{ ...rig.info, group: "other", pid: 77 }, { ...rig.info, name: "worker" }];
  await rig.marks.refresh();
  rig.log = `${stamp(rig.nowMs - 9000)} INFO spawned: 'api' with pid 77\n` +
    `${stamp(rig.nowMs - 8000)} INFO spawned: 'api' with pid ${PID}\n` +
    `${stamp(rig.nowMs - 20)} WARN exited: api (exit status 3; not expected)\n`;
  rig.calls.length = 0;
  // The log does not say to which group a name belongs, and is not there from the beginning.
  const { exit } = await rig.enrich(rig.end());
  assertEquals(exit, { status: 3, certainty: "likely" });
  assertEquals(rig.calls.toSorted(), ["readLog", "system.multicall"]);
});

Deno.test("enrich() asks for the whole list where a process is new or not found by its name", async () => {
  await using rig = new Rig();
  await rig.marks.refresh();
  rig.log = `${stamp(rig.nowMs - 20)} WARN exited: api (exit status 3; not expected)\n`;
  const callsFor = async (alert: Alert) => {
    rig.calls.length = 0;
    await rig.enrich(alert);
    return rig.calls.filter((call) => call !== "readLog");
  };
  assertEquals(await callsFor(rig.end()), ["system.multicall"]);
  const alert = rig.end();
  rig.info = { ...rig.info, name: "renamed" };
  assertEquals(await callsFor(alert), ["system.multicall", "getAllProcessInfo"]);
  assertEquals(await callsFor(rig.end()), ["getAllProcessInfo"]);
});

Deno.test("enrich() gives up on a supervisord that does not answer, and tells the alert as it is", async () => {
  await using server = startTcpServer(() => {}); // says nothing
  await using rig = new Rig();
  const client = new SupervisorClient({ url: server.origin });
  const log = new Log({
    level: "info",
    redactor: new Redactor([]),
    now: Date.now,
    write: (line) => rig.said.push(line),
  });
  const alert = rig.end();
  const richer = await new SupervisorEnrichment(client, log).enrich([alert], never);
  assertEquals(richer, [alert]);
  assertStringIncludes(rig.said.join(), "cannot find out how a process ended");
});

Deno.test("note() finds out how processes ended of which nobody is told", async () => {
  await using rig = new Rig();
  await rig.marks.refresh();
  const crash = rig.end();
  const dead = { group: "web", name: "dead" };
  const line = (text: string) => `${stamp(crash.atMs - 5)} ${text}\n`;
  rig.others = [{ ...rig.info, ...dead, pid: 0, statename: "BACKOFF" }];
  rig.log = line(`INFO spawned: 'api' with pid ${PID}`) + line("INFO spawned: 'dead' with pid 9") +
    line("WARN exited: api (exit status 3; not expected)") +
    line("WARN exited: dead (terminated by SIGSEGV (core dumped); not expected)");
  const found: unknown[] = [];
  const ends = [
    { process: WEB, pid: PID, expected: false, atMs: crash.atMs },
    { process: dead, pid: undefined, expected: undefined, atMs: crash.atMs },
    // supervisord expected it: what the log has is of another end.
    { process: WEB, pid: PID, expected: true, atMs: crash.atMs },
    { process: { group: "web", name: "nobody" }, pid: 7, expected: false, atMs: crash.atMs },
  ];
  const enrichment = rig.enrichment({ onExit: (...told) => found.push(told) });
  await enrichment.note(ends, never);
  assertEquals(found, [
    [ends[0], { status: 3, certainty: "sure" }],
    [ends[1], { signal: "SIGSEGV", coreDumped: true, certainty: "sure" }],
  ]);
  assertEquals(rig.said, []);
});

Deno.test("note() says nothing that people read where supervisord does not answer", async () => {
  await using rig = new Rig();
  const { atMs } = rig.end();
  const client = new SupervisorClient({ url: "http://127.0.0.1:1" });
  const found: unknown[] = [];
  const enrichment = rig.enrichment({ onExit: (...told) => found.push(told) }, client);
  await enrichment.note([{ process: WEB, pid: PID, expected: false, atMs }], never);
  assertEquals(found, []);
  assertEquals(rig.said.map((text) => / ([A-Z]+) /.exec(text)?.[1]), ["DEBUG"]);
});
