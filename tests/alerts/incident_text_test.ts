// What a message about an incident says, in both languages: the title must suffice to decide
// whether to get up.

import type { Alert } from "../../src/alerts/alert.ts";
import { compose } from "../../src/alerts/compose.ts";
import { alertDocument } from "../../src/alerts/document.ts";
import { WORDS } from "../../src/alerts/messages.ts";
import type { ProcessName, ProcessState } from "../../src/events/event.ts";
import type { IncidentReport } from "../../src/rules/incident.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { ALERT } from "../support/message.ts";

const BEGAN = ALERT.atMs - 180_000;

function about(report: Partial<IncidentReport>, alert: Partial<Alert> = {}): Alert {
  return {
    ...ALERT,
    word: "crash",
    process: { group: "web", name: "api" },
    host: { name: "web-01", address: "10.0.0.11" },
    severity: "warning",
    ...alert,
    incident: {
      id: "0e55ecb04dfa",
      kind: "firing",
      number: 1,
      sinceMs: BEGAN,
      ends: 1,
      by: "process",
      key: "web:api",
      processes: [{ group: "web", name: "api" }],
      count: 1,
      ...report,
    },
  };
}

const workers = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    group: "jobs",
    name: `worker_${String(index).padStart(2, "0")}`,
  }));

const FATAL = { word: "fatal" } as const;

const MIXED = [
  { group: "db", name: "main" },
  { group: "web", name: "api" },
  { group: "web", name: "b" },
];

const LATER = { by: "group", key: "web:*", count: 3, processes: MIXED } as const;

const TWO = { count: 2, processes: workers(2), by: "group", key: "jobs:*" } as const;

const killedBy = (signal: string) => ({ signal, certainty: "sure" } as const);

/** Workers that these signals ended; undefined: not known. */
const ended = (...signals: readonly (string | undefined)[]) =>
  workers(signals.length).map((process, index) => {
    const signal = signals[index];
    return { process, ...(signal !== undefined && { exit: killedBy(signal) }) };
  });

/** Processes in these states; undefined: not known. */
const inStates = (
  processes: readonly ProcessName[],
  ...states: readonly (ProcessState | undefined)[]
) =>
  processes.map((process, index) => {
    const state = states[index];
    return { process, ...(state !== undefined && { state }) };
  });

/** What is told, and its title in English and Chinese. */
const TITLES: readonly (readonly [string, Alert, string, string])[] = [
  [
    "a failure",
    about({}),
    "web:api exited unexpectedly on web-01",
    "web:api 意外退出，主机 web-01",
  ],
  [
    "several processes",
    about({ count: 42, processes: workers(42), by: "group", key: "jobs:*" }, {
      ...FATAL,
      each: inStates(workers(42), ...Array<ProcessState>(42).fill("FATAL")),
    }),
    "42 processes (jobs:worker_[00-41]) could not be started, supervisord gave up (FATAL) on web-01",
    "42 个进程（jobs:worker_[00-41]）启动失败，supervisord 已放弃重试 (FATAL)，主机 web-01",
  ],
  [
    "several processes of a host",
    about({ count: 3, processes: MIXED, by: "host", key: "*" }, FATAL),
    "3 processes (db:main, web:api, web:b) failed on web-01",
    "3 个进程（db:main、web:api、web:b）发生故障，主机 web-01",
  ],
  [
    "one process of a host",
    about({ by: "host", key: "*" }, FATAL),
    "web:api could not be started, supervisord gave up (FATAL) on web-01",
    "web:api 启动失败，supervisord 已放弃重试 (FATAL)，主机 web-01",
  ],
  [
    "several processes of a rule",
    about({ count: 3, processes: MIXED, by: "rule", key: "*" }, {
      ...FATAL,
      rule: "backups",
      each: inStates(MIXED, "FATAL", "FATAL", "FATAL"),
    }),
    "backups: 3 processes (db:main, web:api, web:b) could not be started, supervisord gave up" +
    " (FATAL) on web-01",
    "backups：3 个进程（db:main、web:api、web:b）启动失败，supervisord 已放弃重试 (FATAL)，主机 web-01",
  ],
  [
    "a reminder of a rule",
    about({ kind: "reminder", reminder: 1, by: "rule", key: "*" }, { rule: "backups" }),
    "Reminder 1: backups: web:api exited unexpectedly on web-01, for 3m now",
    "第 1 次提醒：backups：web:api 意外退出，主机 web-01，已持续 3 分钟",
  ],
  [
    "one process that came in later",
    about({ ...LATER, joined: { processes: MIXED.slice(1, 2), count: 1, unsettled: 3 } }),
    "Also: web:api exited unexpectedly on web-01, 3 down now",
    "新增故障：web:api 意外退出，主机 web-01，现有 3 个进程未恢复",
  ],
  [
    "several that came in later",
    about({ ...LATER, joined: { processes: MIXED.slice(1), count: 2, unsettled: 3 } }),
    "Also: 2 processes (web:api, web:b) failed on web-01, 3 down now",
    "新增故障：2 个进程（web:api、web:b）发生故障，主机 web-01，现有 3 个进程未恢复",
  ],
  [
    "one that came in later, when the others are well",
    about({ ...LATER, joined: { processes: MIXED.slice(1, 2), count: 1, unsettled: 1 } }),
    "Also: web:api exited unexpectedly on web-01",
    "新增故障：web:api 意外退出，主机 web-01",
  ],
  [
    "flapping",
    about({ ends: 5, flapping: true }, { word: "flapping" }),
    "web:api keeps ending and starting again on web-01, ended 5 times",
    "web:api 反复退出重启，主机 web-01，退出 5 次",
  ],
  [
    "a reminder",
    about({ kind: "reminder", reminder: 2 }, FATAL),
    "Reminder 2: web:api could not be started, supervisord gave up (FATAL) on web-01, for 3m now",
    "第 2 次提醒：web:api 启动失败，supervisord 已放弃重试 (FATAL)，主机 web-01，已持续 3 分钟",
  ],
  [
    "an escalation",
    about({ kind: "escalated", ends: 3 }),
    "Escalated: web:api exited unexpectedly on web-01, for 3m now, ended 3 times",
    "告警升级：web:api 意外退出，主机 web-01，已持续 3 分钟，退出 3 次",
  ],
  [
    "the end",
    about({ kind: "resolved", settling: "running", downMs: 180_000 }),
    "web:api is running again on web-01, was down for 3m",
    "web:api 已恢复运行，主机 web-01，故障持续 3 分钟",
  ],
  [
    "the end of flapping",
    about({
      kind: "resolved",
      settling: "running",
      downMs: 3_600_000,
      ends: 57,
      flapping: true,
    }, { word: "flapping" }),
    "web:api is stable again on web-01, ended 57 times",
    "web:api 已恢复稳定，主机 web-01，退出 57 次",
  ],
  [
    "the end of several",
    about({ kind: "resolved", settling: "running", downMs: 5000, count: 2, processes: workers(2) }),
    "2 processes (jobs:worker_00, jobs:worker_01) are running again on web-01, after 5s",
    "2 个进程（jobs:worker_00、jobs:worker_01）已恢复运行，主机 web-01，故障持续 5 秒",
  ],
  [
    "a process with a Chinese name",
    about({}, { process: { group: "订单", name: "订单" } }),
    "订单 exited unexpectedly on web-01",
    "订单 意外退出，主机 web-01",
  ],
  [
    "several that ended in the same way",
    about(TWO, { each: ended("SIGSEGV", "SIGSEGV"), exit: killedBy("SIGSEGV") }),
    "2 processes (jobs:worker_00, jobs:worker_01) were killed by SIGSEGV on web-01",
    "2 个进程（jobs:worker_00、jobs:worker_01）被 SIGSEGV 终止，主机 web-01",
  ],
  [
    "several that ended in different ways",
    about(TWO, { each: ended("SIGSEGV", "SIGKILL"), exit: killedBy("SIGKILL") }),
    "2 processes (jobs:worker_00, jobs:worker_01) exited unexpectedly on web-01",
    "2 个进程（jobs:worker_00、jobs:worker_01）意外退出，主机 web-01",
  ],
  [
    "several of which one's end is not known",
    about(TWO, { each: ended("SIGKILL", undefined), exit: killedBy("SIGKILL") }),
    "2 processes (jobs:worker_00, jobs:worker_01) exited unexpectedly on web-01",
    "2 个进程（jobs:worker_00、jobs:worker_01）意外退出，主机 web-01",
  ],
  [
    "several of which one's end alone is known",
    about(TWO, { exit: killedBy("SIGKILL"), memory: { certainty: "sure" } }),
    "2 processes (jobs:worker_00, jobs:worker_01) exited unexpectedly on web-01",
    "2 个进程（jobs:worker_00、jobs:worker_01）意外退出，主机 web-01",
  ],
  [
    "several of which not all were given up",
    about(TWO, { ...FATAL, failedStarts: 4, each: inStates(workers(2), "FATAL", "EXITED") }),
    "2 processes (jobs:worker_00, jobs:worker_01) failed on web-01",
    "2 个进程（jobs:worker_00、jobs:worker_01）发生故障，主机 web-01",
  ],
  [
    "several that were given up after different numbers of starts",
    about(TWO, { ...FATAL, failedStarts: 4, each: inStates(workers(2), "FATAL", "FATAL") }),
    "2 processes (jobs:worker_00, jobs:worker_01) could not be started, supervisord gave up" +
    " (FATAL) on web-01",
    "2 个进程（jobs:worker_00、jobs:worker_01）启动失败，supervisord 已放弃重试 (FATAL)，主机 web-01",
  ],
  [
    "a stop by hand",
    about({ kind: "resolved", settling: "stopped", downMs: 5000 }),
    "web:api was stopped by hand on web-01, was down for 5s",
    "web:api 已被手动停止，主机 web-01，故障持续 5 秒",
  ],
];

for (const [what, alert, english, chinese] of TITLES) {
  Deno.test(`compose() says of ${what} all that matters in the title`, () => {
    const title = (language: "en" | "zh") => compose(alert, { language, timeZone: "UTC" }).title;
    assertEquals([title("en"), title("zh")], [english, chinese]);
  });
}

/** Words that are true of a process in one state only, and what is said of several in it. */
const STATE_WORDS = [
  [
    "start_failed",
    "BACKOFF",
    "failed to start, supervisord will try again (BACKOFF)",
    "启动失败，supervisord 将重试 (BACKOFF)",
  ],
  [
    "fatal",
    "FATAL",
    "could not be started, supervisord gave up (FATAL)",
    "启动失败，supervisord 已放弃重试 (FATAL)",
  ],
  ["state_unknown", "UNKNOWN", "are in an unknown state", "状态未知"],
] as const;

for (const [word, state, english, chinese] of STATE_WORDS) {
  Deno.test(`compose() says ${word} of several only where each is known to be ${state}`, () => {
    const said = (language: "en" | "zh", each?: Alert["each"], count = 2) =>
      compose(about({ ...TWO, count }, { word, ...(each && { each }) }), {
        language,
        timeZone: "UTC",
      }).values.happened;
    const states = (...of: readonly (ProcessState | undefined)[]) => inStates(workers(2), ...of);
    assertEquals(said("en", states(state, state)), english);
    assertEquals(said("zh", states(state, state)), chinese);
    const notOfAll = [
      undefined,
      [],
      states(state, "EXITED"),
      states("EXITED", state),
      states(state, undefined),
      states(state, state).slice(0, 1),
    ];
    for (const each of notOfAll) {
      assertEquals([said("en", each), said("zh", each)], ["failed", "发生故障"]);
    }
    // A message names only so many; of the others nothing is known.
    assertEquals(said("en", states(state, state), 3), "failed");
  });
}

Deno.test("compose() says of several neither that all flap nor how long each was down", () => {
  const titles = (report: Partial<IncidentReport>) =>
    (["en", "zh"] as const).map((language) =>
      compose(about({ ...TWO, ...report }, { word: "flapping" }), { language, timeZone: "UTC" })
        .title
    );
  assertEquals(titles({ ends: 6, flapping: true }), [
    "2 processes (jobs:worker_00, jobs:worker_01) failed on web-01, ended 6 times",
    "2 个进程（jobs:worker_00、jobs:worker_01）发生故障，主机 web-01，退出 6 次",
  ]);
  for (const title of titles({ kind: "resolved", settling: "stopped", downMs: 60_000 })) {
    assert(!/down for/.test(title), title);
    assertMatch(title, /(?:, after 1m|，故障持续 1 分钟)$/);
  }
});

Deno.test("compose() puts the last line of one program into no title about several", () => {
  const tails = [{ stream: "stderr", lines: ["panic: out of memory"] }] as const;
  const titleOf = (report: Partial<IncidentReport>) =>
    compose(about(report, { tails }), { language: "en", timeZone: "UTC" }).title;
  assertStringIncludes(titleOf({}), "panic");
  const mixed = [
    TWO,
    { count: 3, processes: MIXED, by: "host" },
    { ...LATER, joined: { processes: MIXED.slice(1), count: 2, unsettled: 3 } },
  ] as const;
  for (const report of mixed) assert(!titleOf(report).includes("panic"));
});

Deno.test("compose() says since when, how often, and why so late", () => {
  const alert = about({ ends: 3, heldBy: "silenced" }, { severity: "critical" });
  const { text } = compose(alert, { language: "en", timeZone: "UTC" });
  for (
    const line of [
      "Severity: critical",
      `Since: ${new Date(BEGAN).toISOString().slice(0, 19).replace("T", " ")} +00:00`,
      "Ended (with failed starts): 3",
      "Told late: a silence was in force",
      "Incident: 0e55ecb04dfa",
    ]
  ) assertStringIncludes(text, `\n${line}\n`);
});

Deno.test("compose() says of several how each of them ended, those alike together", () => {
  const each = ended("SIGKILL", "SIGSEGV", "SIGKILL", "SIGKILL", undefined);
  const report = { ...TWO, count: 5, processes: workers(5) };
  const alert = about(report, { each, exit: killedBy("SIGKILL") });
  const factsIn = (language: "en" | "zh") =>
    compose(alert, { language, timeZone: "UTC" }).facts.map(({ label, value }) =>
      `${label} ${value}`
    );
  const [en, zh] = [factsIn("en"), factsIn("zh")];
  assert(
    en.includes("Exit jobs:worker_[00,02-03]: SIGKILL; jobs:worker_01: SIGSEGV"),
    en.join("\n"),
  );
  assert(
    zh.includes("退出方式 jobs:worker_[00,02-03]：SIGKILL；jobs:worker_01：SIGSEGV"),
    zh.join("\n"),
  );
  assert(en.includes("One of them web:api"), en.join("\n"));
});

Deno.test("compose() says of how many causes there are no more than ten", () => {
  const each = ended(...Array.from({ length: 30 }, (_, index) => `SIG${index}`));
  const alert = about({ ...TWO, count: 30, processes: workers(30) }, { each });
  const { facts } = compose(alert, { language: "en", timeZone: "UTC" });
  const exits = facts.find(({ label }) => label === "Exit")!.value;
  assertEquals(exits.split("; ").length, 11);
  assertStringIncludes(exits, "; … (20)");
});

Deno.test("compose() says of what is over neither how bad it was nor that one that flapped was down", () => {
  const text = (flapping: Pick<IncidentReport, "flapping">) =>
    compose(about({ kind: "resolved", downMs: 5000, ...flapping }, { severity: "critical" }), {
      language: "en",
      timeZone: "UTC",
    }).text;
  assert(!text({}).includes("critical"), text({}));
  assertStringIncludes(text({}), "\nDown for: 5s\n");
  assert(!text({ flapping: true }).toLowerCase().includes("down for"), text({ flapping: true }));
});

Deno.test("compose() says of an ordinary failure no more than it did", () => {
  const { facts } = compose(about({}), { language: "en", timeZone: "UTC" });
  const labels = facts.map(({ label }) => label);
  assertEquals(
    ["Severity", "Since", "Down for", WORDS.en.incident.ends, "Processes", "Told late"].filter((
      label,
    ) => labels.includes(label)),
    [],
  );
});

Deno.test("compose() names what is left of very many processes", () => {
  const alert = about({ count: 1000, processes: workers(99).slice(0, 3) });
  const { facts } = compose(alert, { language: "en", timeZone: "UTC" });
  assertEquals(
    facts.find(({ label }) => label === "Processes")?.value,
    "jobs:worker_[00-02] +997",
  );
});

Deno.test("alertDocument() has all of the incident", () => {
  const alert = about({ kind: "resolved", settling: "running", downMs: 5000, number: 3 });
  const message = compose(alert, { language: "en", timeZone: "UTC" });
  const { incident, severity } = alertDocument(message);
  assertEquals({ incident, severity }, {
    severity: "warning",
    incident: {
      id: "0e55ecb04dfa",
      kind: "resolved",
      number: 3,
      since: new Date(BEGAN).toISOString(),
      down_ms: 5000,
      settling: "running",
      ends: 1,
      by: "process",
      processes: ["web:api"],
      count: 1,
      joined: null,
      held_by: null,
    },
  });
});
