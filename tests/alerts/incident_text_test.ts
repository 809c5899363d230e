// What a message about an incident says, in both languages: the title must suffice to decide
// whether to get up.

import type { Alert } from "../../src/alerts/alert.ts";
import { compose } from "../../src/alerts/compose.ts";
import { alertDocument } from "../../src/alerts/document.ts";
import type { IncidentReport } from "../../src/rules/incident.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
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
    about({ count: 42, processes: workers(42), by: "group", key: "jobs:*" }, FATAL),
    "42 processes (jobs:worker_[00-41]) could not be started, supervisord gave up (FATAL) on web-01",
    "42 个进程（jobs:worker_[00-41]） 启动失败，supervisord 已放弃重试 (FATAL)，主机 web-01",
  ],
  [
    "flapping",
    about({ ends: 5, flapping: true }, { word: "flapping" }),
    "web:api keeps ending and starting again on web-01, ended 5 times",
    "web:api 反复退出又重启，主机 web-01，退出 5 次",
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
    "升级通知：web:api 意外退出，主机 web-01，已持续 3 分钟，退出 3 次",
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
    "web:api is stable again on web-01, was down for 1h, ended 57 times",
    "web:api 已恢复稳定，主机 web-01，故障持续 1 小时，退出 57 次",
  ],
  [
    "a stop by hand",
    about({ kind: "resolved", settling: "stopped", downMs: 5000 }),
    "web:api was stopped on web-01, was down for 5s",
    "web:api 已停止，主机 web-01，故障持续 5 秒",
  ],
];

for (const [what, alert, english, chinese] of TITLES) {
  Deno.test(`compose() says of ${what} all that matters in the title`, () => {
    const title = (language: "en" | "zh") => compose(alert, { language, timeZone: "UTC" }).title;
    assertEquals([title("en"), title("zh")], [english, chinese]);
  });
}

Deno.test("compose() says since when, how often, and why so late", () => {
  const alert = about({ ends: 3, heldBy: "silenced" }, { severity: "critical" });
  const { text } = compose(alert, { language: "en", timeZone: "UTC" });
  for (
    const line of [
      "Severity: critical",
      `Since: ${new Date(BEGAN).toISOString().slice(0, 19).replace("T", " ")} +00:00`,
      "Ended: 3",
      "Told late: a silence was in force",
      "Incident: 0e55ecb04dfa",
    ]
  ) assertStringIncludes(text, `\n${line}\n`);
});

Deno.test("compose() says of an ordinary failure no more than it did", () => {
  const { facts } = compose(about({}), { language: "en", timeZone: "UTC" });
  const labels = facts.map(({ label }) => label);
  assertEquals(
    ["Severity", "Since", "Down for", "Ended", "Processes", "Told late"].filter((label) =>
      labels.includes(label)
    ),
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
      held_by: null,
    },
  });
});
