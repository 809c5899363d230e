import { assert, assertEquals } from "../support/assert.ts";
import { startSupervisord } from "../support/supervisord.ts";
import { SupervisorClient } from "../../src/supervisor/client.ts";
import {
  type ExitFinding,
  exitOfInfo,
  type ExitQuery,
  type ExitReason,
  findExit,
  readExitLog,
  surerExit,
} from "../../src/supervisor/exit_reason.ts";
import { readSupervisorLog } from "../../src/supervisor/log_tail.ts";

const LOGS = new URL("../fixtures/supervisord_logs/", import.meta.url);

function recorded(name: string): string {
  return Deno.readTextFileSync(new URL(`${name}-supervisor-4.2.5-deb.log`, LOGS));
}

const status = (code: number): ExitReason => ({ kind: "status", status: code });
const signal = (name: string, coreDumped = false): ExitReason => ({
  kind: "signal",
  signal: name,
  coreDumped,
});

/** The parts of an end that do not depend on when the log was recorded. */
function short(log: string): unknown[] {
  return readExitLog(log).exits.map(({ name, ended, reason, expected, pid }) => [
    name,
    ended,
    reason.kind === "status" ? reason.status : reason.signal + (reason.coreDumped ? " core" : ""),
    expected,
    pid,
  ]);
}

Deno.test("readExitLog() reads every kind of end", () => {
  assertEquals(short(recorded("ends")), [
    ["nodir", "exited", 127, false, 8454],
    ["quick", "exited", 1, false, 8457],
    ["quick", "exited", 1, false, 9215],
    ["abrt", "exited", "SIGABRT", false, 8451],
    ["rt", "exited", "signal 40", false, 8459],
    ["segv", "exited", "SIGSEGV core", false, 8464],
    ["three", "exited", 3, false, 8473],
    ["zero", "exited", 0, true, 8487],
    ["victim", "exited", "SIGKILL", false, 8481],
    ["stopme", "stopped", "SIGTERM", undefined, 8466],
    ["polite", "stopped", 0, undefined, 8455],
    ["stubborn", "stopped", "SIGKILL", undefined, 8467],
  ]);
  assertEquals(readExitLog(recorded("ends")).exits[6], {
    name: "three",
    pid: 8473,
    ended: "exited",
    reason: status(3),
    expected: false,
    ran: true,
    time: "2026-11-21 03:48:34,582",
  });
});

Deno.test("readExitLog() reads names with quotes, blanks, brackets and Chinese", () => {
  assertEquals(short(recorded("names")), [
    ["a b", "exited", 11, false, 15917],
    ["it's", "exited", 10, false, 15911],
    ["x (exit status 0; expected)", "exited", 12, false, 15918],
    ["back\\x41", "exited", 14, false, 15927],
    ["exited: web", "exited", 15, false, 15931],
    ["订单服务", "exited", 7, false, 15943],
    ["🐶", "exited", "SIGKILL", false, 15950],
    ['say "hi" it\'s', "exited", 13, false, 15925],
    ["查询", "stopped", "SIGTERM", undefined, 15934],
  ]);
});

Deno.test("readExitLog() follows a process that is started again and again", () => {
  assertEquals(short(recorded("autorestart")), [
    ["flap", "exited", 3, false, 18197],
    ["cycle", "exited", 0, true, 18196],
    ["flap", "exited", 3, false, 18200],
    ["cycle", "exited", 0, true, 18221],
    ["flap", "exited", 3, false, 18242],
    ["cycle", "exited", 0, true, 18245],
    ["flap", "stopped", "SIGTERM", undefined, 18277],
  ]);
});

Deno.test("readExitLog() knows no pid where the log has no spawned lines (loglevel=warn)", () => {
  const log = readExitLog(recorded("loglevel-warn"));
  assertEquals(log.exits.map(({ name, pid }) => [name, pid]), [
    ["three", undefined],
    ["segv", undefined],
  ]);
  assertEquals(findExit(log, { name: "three", pid: 4711 }), {
    certainty: "likely",
    reason: status(3),
    ended: "exited",
    expected: false,
    time: "2026-11-21 03:49:05,928",
    pid: undefined,
  });
});

Deno.test("readExitLog() finds all of 120 that were killed at once, each with its pid", () => {
  const text = recorded("120-killed-at-once");
  const log = readExitLog(text);
  const killed = log.exits.filter(({ ended }) => ended === "exited");
  assertEquals(killed.length, 120);
  const spawned = [...text.matchAll(/spawned: '(.*)' with pid (\d+)/g)].slice(0, 120);
  for (const [, name, pid] of spawned) {
    const { certainty, reason } = findExit(log, {
      name: name!,
      pid: Number(pid),
      ended: "exited",
    });
    assertEquals([certainty, reason], ["sure", signal("SIGKILL")]);
  }
});

Deno.test("readExitLog() forgets who ran before supervisord started anew", () => {
  const log = readExitLog(recorded("reload"));
  assertEquals(findExit(log, { name: "a", pid: 19013 }).reason, signal("SIGKILL"));
  assertEquals(findExit(log, { name: "a", pid: 19011 }).ended, "stopped");
  const crashed = "2026-11-21 01:00:00,000 INFO spawned: 'a' with pid 7\n" +
    "2026-11-21 01:00:01,000 INFO supervisord started with pid 100\n" +
    "2026-11-21 01:00:02,000 INFO spawned: 'a' with pid 8\n" +
    "2026-11-21 01:00:03,000 WARN exited: a (exit status 1; not expected)\n";
  assertEquals(findExit(readExitLog(crashed), { name: "a", pid: 7 }).certainty, "unknown");
  assertEquals(findExit(readExitLog(crashed), { name: "a", pid: 8 }).certainty, "sure");
});

/** east:worker was 12149, killed with SIGKILL; west:worker was 12152, killed with SIGSEGV. */
const TWO_GROUPS = recorded("two-groups-one-name");
const AFTER_FIRST = TWO_GROUPS.slice(
  0,
  TWO_GROUPS.indexOf("INFO spawned: 'worker' with pid 12162"),
);
const AFTER_SECOND = TWO_GROUPS.slice(0, TWO_GROUPS.indexOf("INFO waiting for worker"));

const twoGroups: readonly (readonly [
  what: string,
  log: string,
  query: Omit<ExitQuery, "name">,
  certainty: string,
  reason: ExitReason | undefined,
])[] = [
  ["there is one end only", AFTER_FIRST, { pid: 12149 }, "sure", signal("SIGKILL")],
  [
    "the other still runs",
    AFTER_FIRST,
    { pid: 12149, runningPids: new Set([12152]) },
    "sure",
    signal("SIGKILL"),
  ],
  [
    "of two ends the last, which is wrong here",
    AFTER_SECOND,
    { pid: 12149 },
    "likely",
    signal("SIGSEGV"),
  ],
  ["of two ends the last", AFTER_SECOND, { pid: 12152 }, "likely", signal("SIGSEGV")],
  ["the process is newer than the other end", AFTER_SECOND, { pid: 12163 }, "unknown", undefined],
  [
    "no stop is asked for",
    TWO_GROUPS,
    { pid: 12152, ended: "exited" },
    "likely",
    signal("SIGSEGV"),
  ],
  ["all ends are stops by SIGTERM", TWO_GROUPS, { pid: 12163 }, "sure", signal("SIGTERM")],
];

for (const [what, text, query, certainty, reason] of twoGroups) {
  Deno.test(`findExit() with two groups that share a name: ${what}`, () => {
    const finding = findExit(readExitLog(text), { name: "worker", ...query });
    assertEquals([finding.certainty, finding.reason], [certainty, reason]);
  });
}

const T = "2026-11-21 01:40:09,212";
const at = (...messages: readonly string[]) =>
  messages.map((message) => `${T} ${message}\n`).join("");
const DIED = "WARN exited: web (exit status 3; not expected)";
const found = (certainty: string, pid?: number) => ({
  certainty,
  reason: status(3),
  ended: "exited",
  expected: false,
  time: T,
  pid,
});
const UNKNOWN = { certainty: "unknown" };

const rows: readonly (readonly [
  what: string,
  log: string,
  query: Partial<ExitQuery>,
  expected: unknown,
])[] = [
  ["an empty log", "", {}, UNKNOWN],
  ["another name", at(DIED), { name: "we" }, UNKNOWN],
  ["a name of Object's own", at(DIED), { name: "constructor" }, UNKNOWN],
  ["a pid that still runs", at("INFO spawned: 'web' with pid 7"), {}, UNKNOWN],
  [
    "the pid through its spawned line",
    at("INFO spawned: 'web' with pid 7", DIED),
    {},
    found("sure", 7),
  ],
  [
    "INFO instead of WARN, before 4.2.5",
    at("INFO spawned: 'web' with pid 7", DIED.replace("WARN", "INFO")),
    {},
    found("sure", 7),
  ],
  [
    "CRLF",
    at("INFO spawned: 'web' with pid 7", DIED).replaceAll("\n", "\r\n"),
    {},
    found("sure", 7),
  ],
  ["no line end yet", at("INFO spawned: 'web' with pid 7", DIED).trimEnd(), {}, found("sure", 7)],
  ["the spawned line cut off", `' with pid 7\n${at(DIED)}`, {}, found("likely")],
  ["only the pid of the next one", at(DIED, "INFO spawned: 'web' with pid 8"), {}, found("likely")],
  ["only ends of later ones", at("INFO spawned: 'web' with pid 8", DIED), {}, UNKNOWN],
  [
    "the pid under another name",
    at("INFO spawned: 'db' with pid 7", "INFO spawned: 'web' with pid 8", DIED),
    {},
    UNKNOWN,
  ],
  [
    "the same pid again, later",
    at(
      "INFO spawned: 'web' with pid 7",
      "WARN exited: web (exit status 1; not expected)",
      "INFO spawned: 'web' with pid 7",
      DIED,
    ),
    {},
    found("sure", 7),
  ],
  ["a namesake that may have been there before", at("INFO spawned: 'web' with pid 7", DIED), {
    namesakes: 1,
  }, found("likely", 7)],
  [
    "a namesake that cannot",
    at("INFO supervisord started with pid 1", "INFO spawned: 'web' with pid 7", DIED),
    { namesakes: 1 },
    found("sure", 7),
  ],
  [
    "no pid (FATAL)",
    at("INFO spawned: 'web' with pid 7", DIED),
    { pid: undefined },
    found("likely"),
  ],
  ["no pid, and nobody else of this name", at("INFO spawned: 'web' with pid 7", DIED), {
    pid: undefined,
    namesakes: 0,
  }, found("sure")],
  [
    "no pid and no end",
    at("INFO spawned: 'web' with pid 7"),
    { pid: undefined, namesakes: 0 },
    UNKNOWN,
  ],
  ["stops only", at("INFO spawned: 'web' with pid 7", DIED), { ended: "stopped" }, UNKNOWN],
  [
    "two of the name that ended alike",
    at("INFO spawned: 'web' with pid 7", "INFO spawned: 'web' with pid 8", DIED, DIED),
    {},
    found("sure", 7),
  ],
  ["a first line without the beginning of its time", `:40:09,212 ${DIED}\n`, {}, {
    ...found("likely"),
    time: "",
  }],
  [
    "a first line without the beginning of its level",
    `RN exited: web (exit status 3; not expected)\n`,
    {},
    UNKNOWN,
  ],
  ["a time in another form", `2026-11-21T01:40:09.212+08:00 ${DIED}\n`, {}, {
    ...found("likely"),
    time: "2026-11-21T01:40:09.212+08:00",
  }],
  ["a time in yet another form", `x\nNov 21 01:40:09 host supervisord[1]: ${DIED}\n`, {}, {
    ...found("likely"),
    time: "Nov 21 01:40:09 host supervisord[1",
  }],
  ["no level", `${T} exited: web (exit status 3; not expected)\n`, {}, UNKNOWN],
  [
    "an end that supervisord cannot name",
    at(
      "INFO spawned: 'web' with pid 7",
      "WARN exited: web (unknown termination cause 0x137f; not expected)",
    ),
    {},
    UNKNOWN,
  ],
  [
    "3.x: a repr of bytes",
    at(
      String.raw`INFO spawned: '\xe8\xae\xa2\xe5\x8d\x95' with pid 7`,
      DIED.replace("web", "订单"),
    ),
    { name: "订单" },
    found("sure", 7),
  ],
  [
    "3.x: a repr of text",
    at(
      String.raw`INFO spawned: u'\u8ba2\u5355\U0001f436\xe9' with pid 7`,
      DIED.replace("web", "订单🐶é"),
    ),
    { name: "订单🐶é" },
    found("sure", 7),
  ],
  [
    "3.x: a repr in double quotes",
    at(`INFO spawned: "it's" with pid 7`, DIED.replace("web", "it's")),
    { name: "it's" },
    found("sure", 7),
  ],
  [
    "3.x: a repr with both quotes",
    at(String.raw`INFO spawned: 'it\'s "x"' with pid 7`, DIED.replace("web", `it's "x"`)),
    { name: `it's "x"` },
    found("sure", 7),
  ],
  [
    "3.x: a repr with a backslash",
    at(String.raw`INFO spawned: 'a\\b' with pid 7`, DIED.replace("web", "a\\b")),
    { name: "a\\b" },
    found("sure", 7),
  ],
];

for (const [what, log, query, expected] of rows) {
  Deno.test(`findExit() with ${what}`, () => {
    assertEquals<unknown>(findExit(readExitLog(log), { name: "web", pid: 7, ...query }), expected);
  });
}

Deno.test("readExitLog() and findExit() are linear in the size of the log", () => {
  const texts = [
    at(...Array.from({ length: 50_000 }, (_, n) => `INFO spawned: 'web' with pid ${n}`)) +
    at(...Array.from({ length: 50_000 }, () => DIED)),
    at(`DEBG 'web' stdout output:\n${"WARN exited: a (exit status 1; ".repeat(200_000)}`),
    `${"x".repeat(5_000_000)}\n`,
    at(
      ...Array.from({ length: 100_000 }, (_, n) => `WARN exited: w${n} (exit status 3; expected)`),
    ),
  ];
  for (const text of texts) {
    const startedAtMs = performance.now();
    findExit(readExitLog(text), { name: "web", pid: 7 });
    const tookMs = performance.now() - startedAtMs;
    assert(tookMs < 5000, `${text.slice(0, 60)}: ${tookMs} ms`); // what is not, takes minutes
  }
});

const infoRows:
  readonly (readonly [what: string, info: Record<string, string | number>, expected: unknown])[] = [
    ["EXITED, same start", {
      statename: "EXITED",
      exitstatus: 3,
      spawnerr: "Bad exit code 3",
      start: 100,
    }, { certainty: "sure", reason: status(3), ended: "exited", expected: false }],
    ["EXITED, another start", { statename: "EXITED", exitstatus: 0, spawnerr: "", start: 101 }, {
      certainty: "likely",
      reason: status(0),
      ended: "exited",
      expected: true,
    }],
    ["EXITED by a signal", {
      statename: "EXITED",
      exitstatus: -1,
      spawnerr: "Bad exit code -1",
      start: 100,
    }, {
      certainty: "sure",
      reason: { kind: "signal", signal: undefined, coreDumped: undefined },
      ended: "exited",
      expected: false,
    }],
    ["STOPPED", { statename: "STOPPED", exitstatus: -1, spawnerr: "", start: 100 }, {
      certainty: "sure",
      reason: { kind: "signal", signal: undefined, coreDumped: undefined },
      ended: "stopped",
      expected: undefined,
    }],
    ["STOPPED out of BACKOFF", {
      statename: "STOPPED",
      exitstatus: 0,
      spawnerr: "Exited too quickly (process log may have details)",
      start: 100,
    }, UNKNOWN],
    [
      "STOPPED and never started",
      { statename: "STOPPED", exitstatus: 0, spawnerr: "", start: 0 },
      UNKNOWN,
    ],
    ["RUNNING", { statename: "RUNNING", exitstatus: 0, spawnerr: "", start: 100 }, UNKNOWN],
    ["FATAL after quick ends", {
      statename: "FATAL",
      exitstatus: 0,
      spawnerr: "Exited too quickly (process log may have details)",
      start: 100,
    }, UNKNOWN],
    ["FATAL without a program", {
      statename: "FATAL",
      exitstatus: 0,
      spawnerr: "can't find command 'x'",
      start: 100,
    }, { certainty: "sure", spawnError: "can't find command 'x'" }],
    ["nothing in it", {}, UNKNOWN],
  ];

for (const [what, info, expected] of infoRows) {
  Deno.test(`exitOfInfo() with ${what}`, () =>
    assertEquals<unknown>(exitOfInfo(info, 100), expected));
}

const sure: ExitFinding = { certainty: "sure", reason: status(1), pid: 7 };
const likely: ExitFinding = { certainty: "likely", reason: status(2) };
const unknown: ExitFinding = { certainty: "unknown" };
const unstarted: ExitFinding = { certainty: "sure", spawnError: "can't find command 'x'" };
const pairs: readonly (readonly [byLog: ExitFinding, byInfo: ExitFinding, surer: ExitFinding])[] = [
  [sure, { ...sure, reason: status(9) }, sure],
  [likely, sure, sure],
  [unknown, likely, likely],
  [unknown, unknown, unknown],
  [sure, unstarted, sure],
  [likely, unstarted, unstarted],
  [unknown, unstarted, unstarted],
];

for (const [byLog, byInfo, surer] of pairs) {
  const name = ({ certainty, spawnError }: ExitFinding) => spawnError ?? certainty;
  Deno.test(`surerExit() of ${name(byLog)} and ${name(byInfo)} is ${name(surer)}`, () => {
    assertEquals(surerExit(byLog, byInfo), surer);
  });
}

Deno.test("findExit() tells why processes of a real supervisord ended", async () => {
  await using supervisord = await startSupervisord({
    config: "",
    section: "[superbell]\n", // an unknown section is ignored
    running: false,
    programs: `[program:订单]
command=/bin/sh -c "sleep 1.2; exit 3"
autorestart=true

[program:victim]
command=/bin/sleep 100
autorestart=false
startsecs=0

[program:missing]
command=/no/such/command
startretries=0
`,
  });
  const client = new SupervisorClient({ url: `unix://${supervisord.dir}/supervisor.sock` });
  await supervisord.logs("spawned: 'victim'");
  const victim = supervisord.pidOf("victim");
  Deno.kill(victim, "SIGKILL");
  await supervisord.logs("exited: victim");
  await supervisord.logs("gave up: missing");
  await supervisord.logs("exited: 订单");
  const [first] = supervisord.pidsOf("订单");
  await supervisord.until("订单 to be started again", () => supervisord.pidsOf("订单").length > 1);

  const log = readExitLog(await readSupervisorLog(client, 64 * 1024));
  const killed = findExit(log, { name: "victim", pid: victim });
  assertEquals([killed.certainty, killed.reason], ["sure", signal("SIGKILL")]);
  const exited = findExit(log, { name: "订单", pid: first });
  assertEquals([exited.certainty, exited.reason, exited.expected], ["sure", status(3), false]);

  const infoOf = (name: string) => client.call("supervisor.getProcessInfo", [name]);
  assertEquals(exitOfInfo(await infoOf("victim")).reason, {
    kind: "signal",
    signal: undefined,
    coreDumped: undefined,
  });
  assertEquals(exitOfInfo(await infoOf("订单")), UNKNOWN as ExitFinding);
  assertEquals(
    surerExit(
      findExit(log, { name: "missing", pid: undefined }),
      exitOfInfo(await infoOf("missing")),
    ),
    { certainty: "sure", spawnError: "can't find command '/no/such/command'" },
  );
  await supervisord.stop();
});
