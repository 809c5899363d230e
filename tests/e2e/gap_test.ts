// What supervisord drops is told all the same, once, and what is no crash is not told as one.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { executable, superbell } from "../support/executable.ts";
import { type RecordedCall, recordedCalls, RECORDER } from "../support/recorder.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
log_level: debug
host: { name: web-1 }
state_dir: "{dir}/state"
channels:
  command: { type: exec, command: ["{dir}/record"], concurrency: 8 }
rules:
  - { name: all, on: [crash, fatal, gap, supervisor_stopping], to: [command] }
`;

/** As much as a listener gets that nobody has configured. */
const SMALL_BUFFER = { buffer_size: "10" };

const FILES = { record: RECORDER };

const programs = (count: number, autorestart: boolean) =>
  Array.from({ length: count }, (_, index) => `
[program:p${String(index).padStart(2, "0")}]
command=/bin/sleep 1000
autorestart=${autorestart}
`).join("");

const told = (supervisord: Supervisord, word: string): RecordedCall[] =>
  recordedCalls(supervisord.dir).filter(({ document: { on, incident } }) =>
    on === word && incident?.kind !== "resolved"
  );

/** The processes that were told, each as often as it was. */
function namesOf(calls: readonly RecordedCall[]): string[] {
  return calls.map(({ document }) => document.process!.name).sort();
}

/** Waits until the listener has compared itself with supervisord for the first time. */
async function settled(supervisord: Supervisord, names: readonly string[]): Promise<void> {
  await supervisord.until(
    "every program to run",
    () => names.every((name) => supervisord.log().includes(`success: ${name} entered RUNNING`)),
  );
  await supervisord.until(
    "the roster to be compared",
    () => supervisord.listenerLog().split("compared with supervisord's list").length > 1,
  );
}

for (const autorestart of [true, false]) {
  Deno.test(`60 kills at once with buffer_size=10 are all told once (autorestart=${autorestart})`, async () => {
    await using supervisord = await startSupervisord({
      config: CONFIG,
      programs: programs(60, autorestart),
      files: FILES,
      keys: SMALL_BUFFER,
    });
    const names = Array.from({ length: 60 }, (_, index) => `p${String(index).padStart(2, "0")}`);
    await settled(supervisord, names);
    const gapsOfBoot = told(supervisord, "gap").length;
    const pids = names.map((name) => supervisord.pidOf(name));
    for (const pid of pids) Deno.kill(pid, "SIGKILL");
    await supervisord.until("60 crashes", () => told(supervisord, "crash").length >= 60);
    const gap = await supervisord.until(
      "the gap",
      () => told(supervisord, "gap").find(({ document }) => document.gap!.recovered > 0),
    );
    assertEquals(namesOf(told(supervisord, "crash")), names);
    assertEquals(
      told(supervisord, "crash").map(({ document }) => document.process!.pid).sort(),
      [...pids].sort(),
    );
    const { recovered, dropped } = gap.document.gap!;
    const found = told(supervisord, "crash").filter(({ document }) => document.reconciled);
    assertEquals(found.length, recovered);
    assert(dropped >= recovered && recovered >= 40, `${dropped} dropped, ${recovered} recovered`);
    for (const { document } of told(supervisord, "crash")) {
      assertEquals(document.exit?.signal, "SIGKILL", document.text);
    }
    assertMatch(found[0]!.document.text, /^Note: found afterwards; supervisord did not send/m);
    assertMatch(gap.document.title, /^supervisord has dropped \d+ events \(\d+ ends of processes/);
    assertMatch(supervisord.listenerLog(), /ERROR supervisord dropped \d+ events for us; \d+ ends/);
    assert(told(supervisord, "gap").length - gapsOfBoot <= 1, "one line, not one for each burst");
  });
}

Deno.test("what crashed while the listener was stopped is told at its next start", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: programs(30, true),
    files: FILES,
    keys: { ...SMALL_BUFFER, buffer_size: "2" },
  });
  const names = Array.from({ length: 30 }, (_, index) => `p${String(index).padStart(2, "0")}`);
  await settled(supervisord, names);
  await supervisord.ctl("stop", "superbell");
  for (const name of names.slice(0, 20)) Deno.kill(supervisord.pidOf(name), "SIGKILL");
  await supervisord.until(
    "them to run again",
    () => names.slice(0, 20).every((name) => supervisord.pidsOf(name).length === 2),
  );
  await supervisord.ctl("start", "superbell");
  await supervisord.until("20 crashes", () => told(supervisord, "crash").length >= 20);
  await supervisord.until(
    "the gap",
    () => told(supervisord, "gap").some(({ document }) => document.gap!.recovered > 0),
  );
  assertEquals(namesOf(told(supervisord, "crash")), names.slice(0, 20));
});

Deno.test("two crashes of one program are one incident, which counts both", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG.replace("to: [command]", "resolve_after: 1s, to: [command]"),
    programs: programs(1, true),
    files: FILES,
    keys: { ...SMALL_BUFFER, buffer_size: "1" },
  });
  await settled(supervisord, ["p00"]);
  await supervisord.ctl("stop", "superbell");
  for (let count = 1; count <= 2; count++) {
    Deno.kill(supervisord.pidOf("p00"), "SIGKILL");
    await supervisord.until(
      "it to run again",
      () => supervisord.log().split("success: p00 entered RUNNING").length === count + 2,
    );
  }
  const [first] = supervisord.pidsOf("p00");
  await supervisord.ctl("start", "superbell");
  const about = () =>
    recordedCalls(supervisord.dir).map(({ document }) => document)
      .filter(({ process }) => process?.name === "p00");
  await supervisord.until("that it is over", () => about().length >= 2);
  // Which of the two arrives first is not promised.
  const [firing, resolved] = about().sort((one, other) =>
    one.incident!.number - other.incident!.number
  );
  assertEquals([firing!.incident!.kind, firing!.incident!.ends], ["firing", 1]);
  assertEquals([resolved!.incident!.kind, resolved!.incident!.ends], ["resolved", 2]);
  assertEquals(firing!.process!.pid, first);
});

Deno.test("a program that was FATAL before the first start is told", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: "[program:missing]\ncommand=/nonexistent/program\nstartretries=0\n" +
      '[program:done]\ncommand=/bin/sh -c "exit 3"\nstartsecs=0\nautorestart=false\n',
    files: FILES,
    keys: { ...SMALL_BUFFER, autostart: "false" },
    running: false,
  });
  await supervisord.logs("gave up: missing");
  await supervisord.logs("exited: done");
  // A pool without a process keeps what comes; a new one has nothing.
  await Deno.writeTextFile(
    `${supervisord.dir}/superbell.conf`,
    (await Deno.readTextFile(`${supervisord.dir}/superbell.conf`)).replace(
      "buffer_size=10",
      "buffer_size=100",
    ),
  );
  await supervisord.ctl("update");
  await supervisord.ctl("start", "superbell");
  await supervisord.until("the message", () => told(supervisord, "fatal").length > 0);
  const [call] = told(supervisord, "fatal");
  assertEquals(call!.document.reconciled, true);
  assertStringIncludes(call!.document.text, "Spawn error: can't find command");
  assertEquals(told(supervisord, "crash"), [], "what ended before we came is not our news");
});

Deno.test("a restart of supervisord, a reload or supervisorctl restart is no crash", async () => {
  const dir = await Deno.makeTempDir({ prefix: "superbell-e2e-" });
  const options = { config: CONFIG, programs: programs(5, true), files: FILES, dir };
  const names = ["p00", "p01", "p02", "p03", "p04"];
  try {
    {
      await using supervisord = await startSupervisord(options);
      await settled(supervisord, names);
      const runs = () => supervisord.listenerLog().split("compared with supervisord's list").length;
      let before = runs();
      await supervisord.ctl("restart", "p00", "p01");
      await supervisord.ctl("restart", "superbell");
      await supervisord.until("a comparison", () => runs() > before);
      before = runs();
      await supervisord.ctl("reload");
      await supervisord.until("a comparison", () => runs() > before);
      await supervisord.stop();
    }
    await using again = await startSupervisord(options);
    const runs = () => again.listenerLog().split("compared with supervisord's list").length;
    const before = runs();
    await again.until("a comparison", () => runs() > before);
    assertEquals(told(again, "crash"), []);
    assertEquals(told(again, "fatal"), []);
    assertEquals(told(again, "gap"), []);
    assert(told(again, "supervisor_stopping").length <= 2);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("listeners that share a pool raise no false alarm", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: programs(20, true),
    files: {
      ...FILES,
      "two.yaml": CONFIG.replace("{dir}/state", "{dir}/state-two"),
      choose: '#!/bin/sh\n[ "$1" = 1 ] || exec "$2" listen -c "{dir}/superbell.yaml"\n' +
        'exec "$2" listen -c "{dir}/two.yaml"\n',
    },
    keys: {
      numprocs: "2",
      process_name: "superbell_%(process_num)d",
      command: `{dir}/choose %(process_num)d ${executable()}`,
    },
    running: false,
  });
  await supervisord.until(
    "both to have compared",
    () => supervisord.listenerLog().split("listeners share the pool").length > 2,
  );
  for (let count = 0; count < 20; count++) {
    Deno.kill(supervisord.pidOf(`p${String(count).padStart(2, "0")}`), "SIGKILL");
  }
  await supervisord.until("20 crashes", () => told(supervisord, "crash").length >= 20);
  assertEquals(new Set(namesOf(told(supervisord, "crash"))).size, 20);
  assertEquals(told(supervisord, "crash").length, 20);
  assertEquals(told(supervisord, "gap"), []);
  assert(!supervisord.listenerLog().includes("supervisord dropped"));
});

Deno.test("a shutdown of supervisord is one message, not one for each process", async () => {
  const slow = (name: string) => `
[program:${name}]
command=/bin/sh -c "trap 'sleep 1; exit 1' TERM; while :; do sleep 0.1; done"
`;
  await using supervisord = await startSupervisord({
    config: CONFIG.replace("[crash, fatal,", "[crash, fatal, stopping, stopped,"),
    programs: ["a", "b", "c"].map(slow).join(""),
    files: FILES,
  });
  await settled(supervisord, ["a", "b", "c"]);
  await supervisord.stop();
  const words = recordedCalls(supervisord.dir).map(({ document }) => document.on);
  assertEquals(words, ["supervisor_stopping"], supervisord.tails());
  assertStringIncludes(supervisord.listenerLog(), "all: skip (supervisord-stopping)");
});

/** As people write it who do not print the section: their own words, and a sign of life. */
const WRONG_EVENTS = { events: "PROCESS_STATE_FATAL,TICK_5,TICK_60" };

/** When supervisord's log says that the program ended, in milliseconds since 1970 UTC. */
function loggedEndMs(supervisord: Supervisord, name: string): number {
  const line = supervisord.log().split("\n").find((one) => one.includes(`exited: ${name} (`));
  const [, day, clock] = /^(\S+) ([\d:]+,\d{3}) /.exec(line ?? "") ?? [];
  return new Date(`${day}T${clock?.replace(",", ".")}`).getTime();
}

Deno.test("a section that lacks an event is named, and an end has the time of supervisord's log", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG.replace("channels:", "supervisor: { reconcile_every: 15s }\nchannels:")
      .replace("to: [command]", "resolve_after: 1s, to: [command]"),
    programs: programs(1, true),
    files: FILES,
    keys: WRONG_EVENTS,
  });
  await settled(supervisord, ["p00"]);
  await supervisord.until("a tick", () => supervisord.listenerLog().includes(" TICK_5 "));
  const ticks = () => supervisord.listenerLog().split(" TICK_5 ").length;
  const before = ticks();
  await supervisord.until("another one", () => ticks() > before);
  Deno.kill(supervisord.pidOf("p00"), "SIGKILL");
  const [crash] = await supervisord.until("the crash", () => {
    const calls = told(supervisord, "crash");
    return calls.length > 0 && calls;
  }, 60_000);
  const { document } = crash!;
  const endedAtMs = loggedEndMs(supervisord, "p00");
  assertEquals([document.at, document.reconciled], [new Date(endedAtMs).toISOString(), true]);
  assertEquals(document.incident!.since, document.at);
  assertStringIncludes(document.text, "\nTime: ");
  const over = await supervisord.until(
    "that it is over",
    () =>
      recordedCalls(supervisord.dir).find(({ document: { incident } }) =>
        incident?.kind === "resolved"
      ),
  );
  assertEquals(over.document.incident!.since, document.at);
  assertMatch(over.document.title, /p00 is running again on web-1, was down for [1-9]\d*s/);
  await supervisord.until(
    "the reason",
    () => supervisord.listenerLog().includes("events= of the section lacks PROCESS_STATE_EXITED"),
    60_000,
  );
  // The next one is found while that is known.
  Deno.kill(supervisord.pidOf("p00"), "SIGKILL");
  const second = await supervisord.until("the second", () => told(supervisord, "crash")[1], 60_000);
  assertStringIncludes(
    second.document.text,
    "events= of the section may lack PROCESS_STATE_EXITED: superbell init section prints",
  );
  const lines = supervisord.listenerLog().split("lacks PROCESS_STATE_EXITED").length - 1;
  assertEquals(lines, 1, "said once");
  const status = await superbell(["status", "-c", `${supervisord.dir}/superbell.yaml`]);
  assertMatch(status.stdout, /^gaps +none: .*NEVER SENDS PROCESS_STATE_EXITED/m);
  assertMatch(
    status.stdout,
    /^events= of the section: superbell init section .* prints the right/m,
  );
});
