// How processes ended, which no event says: told in the message of the same crash.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { type RecordedCall, recordedCalls, RECORDER } from "../support/recorder.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
host: { name: web-1 }
state_dir: "{dir}/state"
channels:
  command: { type: exec, command: ["{dir}/record", "{exit}"], concurrency: 4 }
rules:
  - { name: all, on: [exit, fatal], to: [command] }
`;

const program = (name: string, command: string, more = "autorestart=false") => `
[program:${name}]
command=${command}
autostart=false
startsecs=0
${more}
`;

const PROGRAMS = program("status", `/bin/sh -c "exit 3"`) +
  program("clean", "/bin/true") +
  program("again", `/bin/sh -c "sleep 1; exit 4"`, "autorestart=true") +
  program("segv", `/bin/sh -c "kill -SEGV $$"`) +
  program("killed", "/bin/sleep 1000") +
  program("订单", `/bin/sh -c "exit 5"`) + `
[program:missing]
command=/nonexistent/program
startretries=0
`;

Deno.test("how a process ended is told: status, signal, and why it could not be started", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: PROGRAMS,
    files: { record: RECORDER },
  });
  const callOf = (name: string) =>
    recordedCalls(supervisord.dir).find(({ document }) => document.process?.name === name);
  const told = (name: string) =>
    supervisord.until(`${name} to be told`, (): RecordedCall | undefined => callOf(name));
  for (const name of ["status", "clean", "again", "segv", "killed", "订单"]) {
    await supervisord.ctl("start", name);
  }
  Deno.kill(supervisord.pidOf("killed"), "SIGKILL");
  const exitOf = async (name: string) => {
    const { document, args } = await told(name);
    const { status, signal, certainty } = document.exit!;
    return { status, signal, certainty, args };
  };
  const sure = { status: null, signal: null, certainty: "sure" } as const;
  assertEquals(await exitOf("status"), { ...sure, status: 3, args: ["3"] });
  assertEquals(await exitOf("clean"), { ...sure, status: 0, args: ["0"] });
  // supervisord has started it again and XML-RPC has forgotten the status; the log has it.
  assertEquals(await exitOf("again"), { ...sure, status: 4, args: ["4"] });
  assertEquals(await exitOf("segv"), { ...sure, signal: "SIGSEGV", args: ["SIGSEGV"] });
  assertEquals(await exitOf("killed"), { ...sure, signal: "SIGKILL", args: ["SIGKILL"] });
  assertEquals(await exitOf("订单"), { ...sure, status: 5, args: ["5"] });
  assertStringIncludes((await told("killed")).document.title, "was killed by SIGKILL on web-1");
  assertStringIncludes((await told("missing")).document.text, "Spawn error: can't find command");
});

Deno.test("several that died in different ways get no cause of one of them", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG.replace("on: [exit, fatal]", "on: [crash], group_by: group, group_wait: 3s"),
    programs: `
[program:worker]
process_name=worker_%(process_num)02d
numprocs=3
command=/bin/sleep 1000
autorestart=false
startsecs=0
`,
    files: { record: RECORDER },
  });
  const pids = [0, 1, 2].map((number) => supervisord.pidOf(`worker_0${number}`));
  Deno.kill(pids[0]!, "SIGSEGV");
  Deno.kill(pids[1]!, "SIGSEGV");
  Deno.kill(pids[2]!, "SIGKILL");
  const { document } = await supervisord.until(
    "the three to be told",
    () => recordedCalls(supervisord.dir).find(({ document }) => document.incident?.count === 3),
  );
  assertEquals(
    document.title,
    "3 processes (worker:worker_[00-02]) exited unexpectedly on web-1",
  );
  const exits = document.text.split("\n").find((line) => line.startsWith("Exit: ")) ?? "";
  assertEquals(
    exits.slice("Exit: ".length).split("; ").sort(),
    ["worker:worker_00, worker:worker_01: SIGSEGV", "worker:worker_02: SIGKILL"],
  );
});

Deno.test("what supervisord says of a start that failed is masked wherever people read it", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: `
[program:quoted]
command=/bin/sh -c 'x password=hunter2 token=abc123
startretries=0
`,
    files: { record: RECORDER },
  });
  const { document } = await supervisord.until(
    "it to be told",
    () => recordedCalls(supervisord.dir).find(({ document }) => document.on === "fatal"),
  );
  assertStringIncludes(document.text, "Spawn error: can't parse command");
  const config = `${supervisord.dir}/superbell.yaml`;
  // The cause is written down within three seconds.
  const screens = await Promise.all(
    [["status"], ["status", "--json"]].map((args) =>
      supervisord.until(`superbell ${args.join(" ")} to tell the cause`, async () => {
        const { stdout } = await superbell([...args, "-c", config]);
        return stdout.includes("can't parse command") ? stdout : undefined;
      })
    ),
  );
  for (const text of [JSON.stringify(document), ...screens]) {
    assertStringIncludes(text, "password=***");
    assert(!/hunter2|abc123/.test(text), text);
  }
});
