// What people read, whole and in both languages. The alerts are of the form that a real
// supervisord brings; tests/e2e/messages_test.ts has some that it did bring.

import type { Alert } from "../../src/alerts/alert.ts";
import { compose, composeTest } from "../../src/alerts/compose.ts";
import { composeDigest } from "../../src/alerts/digest.ts";
import { LANGUAGES } from "../../src/alerts/messages.ts";
import { htmlOf } from "../../src/channels/email/html.ts";
import type { IncidentReport } from "../../src/rules/incident.ts";
import { CONDITION_WORDS, conditionOf } from "../../src/rules/rule.ts";
import { approvedNames, assertApproved } from "../support/approved.ts";
import { assertEquals } from "../support/assert.ts";

const AT = Date.UTC(2026, 10, 21, 2, 54, 1);
const HOUR_MS = 3_600_000;

const BASE = {
  id: "805170ba25b4",
  rule: "crash",
  atMs: AT,
  host: { name: "web-01", address: "10.0.0.11" },
  supervisor: "supervisor",
} as const;

const CRASH: Alert = {
  ...BASE,
  word: "crash",
  eventname: "PROCESS_STATE_EXITED",
  process: { group: "web", name: "api" },
  pid: 16246,
  fromState: "RUNNING",
  expected: false,
};

const FATAL: Alert = {
  ...BASE,
  word: "fatal",
  eventname: "PROCESS_STATE_FATAL",
  process: { group: "web", name: "api" },
  fromState: "BACKOFF",
};

const TRACEBACK = [
  "Traceback (most recent call last):",
  '  File "/srv/api/main.py", line 31, in <module>',
  "    main()",
  '  File "/srv/api/main.py", line 17, in main',
  "psycopg2.OperationalError: 无法连接 db-01:5432",
];

const KILLED = { signal: "SIGKILL", certainty: "sure" } as const;

const INCIDENT: IncidentReport = {
  id: "7f3a60c1de22",
  kind: "firing",
  number: 1,
  sinceMs: AT - 60_000,
  ends: 3,
  by: "group",
  key: "web:*",
  processes: [
    { group: "db", name: "main" },
    { group: "web", name: "api" },
    { group: "web", name: "pay" },
  ],
  count: 3,
};

const ALERTS: Readonly<Record<string, Alert | readonly [Alert, ...Alert[]]>> = {
  crash_without_cause: CRASH,
  crash_with_status: {
    ...CRASH,
    exit: { status: 3, certainty: "sure" },
    uptimeMs: 3.2 * HOUR_MS,
    restarts: { count: 2, isAll: true },
    tails: [{ stream: "stderr", lines: TRACEBACK }],
  },
  crash_with_lines_of_the_new_run: {
    ...CRASH,
    exit: { status: 1, certainty: "likely" },
    restarts: { count: 41, isAll: false },
    tails: [{
      stream: "stdout",
      lines: ["Error: EADDRINUSE :8080", "listening on :8080"],
      isLate: true,
    }],
  },
  crash_with_both_streams: {
    ...CRASH,
    exit: { status: 1, certainty: "sure" },
    tails: [
      { stream: "stderr", lines: ["panic: assignment to entry in nil map"] },
      {
        stream: "stdout",
        lines: ["2026/11/21 10:54:00 GET /orders 200", "2026/11/21 10:54:01 shutdown"],
      },
    ],
  },
  segfault: {
    ...CRASH,
    exit: { signal: "SIGSEGV", coreDumped: true, certainty: "sure" },
    uptimeMs: 61_000,
  },
  killed: { ...CRASH, exit: KILLED, uptimeMs: 26 * HOUR_MS },
  killed_out_of_memory: { ...CRASH, exit: KILLED, memory: { certainty: "sure" } },
  killed_perhaps_out_of_memory: {
    ...CRASH,
    exit: KILLED,
    memory: { certainty: "possible", kills: 2, sinceMs: AT - 55_000 },
  },
  exit_expected: { ...CRASH, word: "exit", expected: true, exit: { status: 0, certainty: "sure" } },
  fatal: { ...FATAL, exit: { status: 127, certainty: "sure" }, failedStarts: 4 },
  fatal_spawn_error: {
    ...FATAL,
    exit: { spawnError: "can't find command '/srv/api/run'", certainty: "sure" },
  },
  start_failed: {
    ...FATAL,
    word: "start_failed",
    eventname: "PROCESS_STATE_BACKOFF",
    fromState: "STARTING",
    tries: 2,
    exit: { status: 1, certainty: "likely" },
  },
  process_log: {
    ...CRASH,
    word: "process_log",
    eventname: "PROCESS_LOG_STDERR",
    text: "ERROR 数据库连接失败\nERROR giving up",
  },
  process_log_of_one_line: {
    ...CRASH,
    word: "process_log",
    eventname: "PROCESS_LOG_STDERR",
    text: "ERROR 数据库连接失败",
  },
  remote_communication: {
    ...BASE,
    word: "remote_communication",
    eventname: "REMOTE_COMMUNICATION",
    type: "deploy",
    text: "begin",
    supervisor: "web-01 main",
  },
  found_afterwards: { ...CRASH, exit: { status: 3, certainty: "likely" }, reconciled: true },
  gap: {
    ...BASE,
    word: "gap",
    eventname: "EVENTS_DISCARDED",
    gap: { dropped: 288, recovered: 12 },
  },
  channel_failing: {
    ...BASE,
    word: "channel_failing",
    eventname: "CHANNEL_FAILING",
    trouble: {
      name: "oncall",
      sinceMs: AT - 600_000,
      reason: "errcode 310000: sign not match",
      waiting: 7,
      fallback: "ops-mail",
    },
  },
  channel_recovered: {
    ...BASE,
    word: "channel_recovered",
    eventname: "CHANNEL_RECOVERED",
    trouble: {
      name: "oncall",
      sinceMs: AT - 600_000,
      reason: "connection refused",
      waiting: 0,
      givenUp: 2,
      downMs: 600_000,
    },
  },
  reload_failed: {
    ...BASE,
    rule: "superbell",
    word: "reload_failed",
    eventname: "SUPERBELL_RELOAD_FAILED",
    text: 'rules[0].where.proces: unknown key; did you mean "process"?\n' +
      'rules[1].to[0]: no channel is named "oncal"; did you mean "oncall"?',
    file: "/etc/superbell.yaml",
  },
  reload_recovered: {
    ...BASE,
    rule: "superbell",
    word: "reload_recovered",
    eventname: "SUPERBELL_RELOAD_RECOVERED",
  },
  in_place_of_another: {
    ...CRASH,
    exit: { status: 3, certainty: "sure" },
    insteadOf: { channel: "oncall", reason: "errcode 300001: token is not exist" },
  },
  programs_of_a_host: {
    ...CRASH,
    severity: "critical",
    exit: { status: 3, certainty: "sure" },
    tails: [{ stream: "stderr", lines: TRACEBACK.slice(-1) }],
    incident: { ...INCIDENT, by: "host", key: "*" },
  },
  programs_of_a_rule: {
    ...CRASH,
    rule: "backends",
    exit: { status: 3, certainty: "sure" },
    incident: { ...INCIDENT, by: "rule", key: "*" },
  },
  came_in_later: {
    ...CRASH,
    exit: { status: 3, certainty: "sure" },
    incident: {
      ...INCIDENT,
      number: 2,
      joined: { processes: INCIDENT.processes.slice(1), count: 2, unsettled: 3 },
    },
  },
  digest: [
    {
      ...CRASH,
      exit: { status: 3, certainty: "sure" },
      tails: [{ stream: "stderr", lines: TRACEBACK.slice(-1) }],
    },
    { ...FATAL, id: "529ca950b4d9", failedStarts: 4 },
    { ...CRASH, id: "aa00bb11cc22", exit: KILLED, process: { group: "jobs", name: "worker_07" } },
    { ...CRASH, id: "dd33ee44ff55", exit: KILLED, process: { group: "jobs", name: "worker_08" } },
    { ...CRASH, id: "1122aabb3344", exit: KILLED, process: { group: "jobs", name: "worker_09" } },
  ],
};

for (const language of LANGUAGES) {
  const options = { language, timeZone: "Asia/Shanghai" };
  for (const [name, alert] of Object.entries(ALERTS)) {
    Deno.test(`the message ${name} in ${language} is the approved one`, () => {
      const alerts = (Array.isArray(alert) ? alert : [alert]) as [Alert, ...Alert[]];
      assertApproved(`${language}/${name}`, composeDigest(alerts, options).text);
    });
  }

  Deno.test(`the test message in ${language} is the approved one`, () => {
    assertApproved(`${language}/test`, composeTest(CRASH, options).text);
  });

  Deno.test(`every word has its approved title in ${language}`, () => {
    const titles = CONDITION_WORDS.map((word) => {
      const { process: _p, pid: _i, fromState: _f, expected: _e, ...rest } = CRASH;
      const { about } = conditionOf(word);
      const trouble = { name: "oncall", sinceMs: AT, reason: "", waiting: 0 };
      const changes = word.startsWith("channel_")
        ? { ...rest, trouble }
        : about === "process"
        ? CRASH
        : about === "group"
        ? { ...rest, group: "web" }
        : rest;
      return `${word}: ${compose({ ...changes, word }, options).title}`;
    });
    assertApproved(`${language}/titles`, titles.join("\n"));
  });

  Deno.test(`no approved message in ${language} is left over`, () => {
    const names = [...Object.keys(ALERTS), "test", "titles", "mail.html"].sort();
    assertEquals(approvedNames(language), names);
  });

  Deno.test(`the HTML of a mail in ${language} is the approved one`, () => {
    const [alert] = [ALERTS["crash_with_status"] as Alert];
    assertApproved(`${language}/mail.html`, htmlOf(compose(alert, options)).trimEnd());
  });
}
