import type { Alert } from "../../src/alerts/alert.ts";
import { compose, composeTest, formatTime } from "../../src/alerts/compose.ts";
import { alertDocument } from "../../src/alerts/document.ts";
import { LANGUAGES, WORDS } from "../../src/alerts/messages.ts";
import { CONDITION_WORDS, type ConditionWord } from "../../src/rules/rule.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { ALERT, messageOf } from "../support/message.ts";

Deno.test("compose() tells a crash in English", () => {
  assertEquals(
    messageOf().text,
    `web:api exited unexpectedly on node-7

Host: node-7 (10.0.0.7)
Process: web:api
PID: 4242
Event: PROCESS_STATE_EXITED
From state: RUNNING
Time: 2026-11-21 02:11:30 +00:00
Rule: crash
Look at: supervisorctl tail web:api stderr
Alert: 0123456789ab`,
  );
});

Deno.test("compose() tells a crash in Chinese", () => {
  assertEquals(
    compose(ALERT, { language: "zh", timeZone: "Asia/Shanghai" }).text,
    `web:api 意外退出，主机 node-7

主机：node-7 (10.0.0.7)
进程：web:api
PID：4242
事件：PROCESS_STATE_EXITED
此前状态：RUNNING
时间：2026-11-21 10:11:30 +08:00
规则：crash
查看：supervisorctl tail web:api stderr
告警编号：0123456789ab`,
  );
});

const TITLES: readonly (readonly [ConditionWord, string, string])[] = [
  [
    "fatal",
    "web:api could not be started, supervisord gave up (FATAL) on node-7",
    "web:api 启动失败，supervisord 已放弃重试 (FATAL)，主机 node-7",
  ],
  [
    "start_failed",
    "web:api failed to start, supervisord will try again (BACKOFF) on node-7",
    "web:api 启动失败，supervisord 将重试 (BACKOFF)，主机 node-7",
  ],
  ["started", "web:api is running on node-7", "web:api 已启动 (RUNNING)，主机 node-7"],
  ["stopped", "web:api was stopped on node-7", "web:api 已停止，主机 node-7"],
];

for (const [word, en, zh] of TITLES) {
  Deno.test(`compose() titles ${word} in both languages`, () => {
    assertEquals(messageOf({ word }).title, en);
    assertEquals(messageOf({ word }, "zh").title, zh);
  });
}

Deno.test("compose() tells an expected exit from an unexpected one", () => {
  assertEquals(
    messageOf({ word: "exit", expected: true }).title,
    "web:api exited as expected on node-7",
  );
  assertEquals(messageOf({ word: "exit" }).title, "web:api exited unexpectedly on node-7");
});

Deno.test("compose() names a process once where its group has the same name", () => {
  const message = messageOf({ process: { name: "cat", group: "cat" } });
  assertEquals(message.title, "cat exited unexpectedly on node-7");
  assertEquals(message.values.process, "cat");
});

Deno.test("compose() says supervisord where an alert is about no process", () => {
  const { process: _process, pid: _pid, fromState: _fromState, expected: _expected, ...rest } =
    ALERT;
  const message = compose({
    ...rest,
    word: "supervisor_stopping",
    eventname: "SUPERVISOR_STATE_CHANGE_STOPPING",
  }, {
    language: "en",
    timeZone: "UTC",
  });
  assertEquals(message.title, "supervisord is shutting down on node-7");
  assert(!message.text.includes("Look at"));
});

Deno.test("compose() quotes a name for the shell in the command to look further", () => {
  const message = messageOf({ process: { name: "a b'; rm -rf /", group: "web" } });
  assert(message.text.includes(`supervisorctl tail 'web:a b'\\''; rm -rf /' stderr`), message.text);
});

Deno.test("compose() shows a text of several lines below its label", () => {
  assertMatch(messageOf({ text: "one\ntwo" }).text, /^Text: \none\ntwo$/m);
});

Deno.test("composeTest() says that it is only a test, also in what placeholders stand for", () => {
  const message = composeTest(ALERT, { language: "en", timeZone: "UTC" });
  assertEquals(message.title, "Test message of superbell on node-7");
  assert(message.text.includes("This is only a test"));
  assert(!/crash|fail/i.test(message.text), message.text);
  const { on, process, happened } = message.values;
  assertEquals([on, process, happened], ["test", "superbell", "test message"]);
  assertEquals(alertDocument(message).on, "test");
});

const TIMES: readonly (readonly [string, string, string])[] = [
  ["2026-07-01T00:00:00Z", "Europe/Berlin", "2026-07-01 02:00:00 +02:00"],
  ["2026-12-01T00:00:00Z", "Europe/Berlin", "2026-12-01 01:00:00 +01:00"],
  ["2026-01-01T23:59:59Z", "Asia/Kolkata", "2026-01-02 05:29:59 +05:30"],
  ["2026-01-01T00:00:00Z", "America/New_York", "2025-12-31 19:00:00 -05:00"],
  ["2026-01-01T00:00:00Z", "UTC", "2026-01-01 00:00:00 +00:00"],
];

for (const [instant, zone, expected] of TIMES) {
  Deno.test(`formatTime() writes ${instant} in ${zone}`, () => {
    assertEquals(formatTime(Date.parse(instant), zone), expected);
  });
}

for (const language of LANGUAGES) {
  Deno.test(`messages in ${language} have a word for every condition`, () => {
    for (const word of CONDITION_WORDS) assert(WORDS[language].happened[word].length > 0, word);
  });
}

Deno.test("compose() names a group as one, and sends to supervisord's log where nothing started", () => {
  const { process: _process, pid: _pid, fromState: _fromState, expected: _expected, ...rest } =
    ALERT;
  const added = {
    ...rest,
    word: "group_added",
    eventname: "PROCESS_GROUP_ADDED",
    group: "lg",
  } as const;
  assertEquals(compose(added, { language: "zh" }).title, "进程组 lg 已添加，主机 node-7");
  assertEquals(compose(added, { language: "en" }).title, "Group lg was added on node-7");
  assertMatch(
    messageOf({ word: "fatal" }).text,
    /^Look at: supervisorctl tail web:api stderr; supervisorctl maintail$/m,
  );
});

const EXITS: readonly (readonly [Partial<Alert>, string, string])[] = [
  [{ exit: { status: 3, certainty: "sure" } }, "exited with status 3", "意外退出，退出码 3"],
  [
    { word: "exit", expected: true, exit: { status: 0, certainty: "sure" } },
    "exited as expected with status 0",
    "正常退出，退出码 0",
  ],
  [{ exit: { signal: "SIGKILL", certainty: "sure" } }, "was killed by SIGKILL", "被 SIGKILL 终止"],
  [
    { exit: { signal: "SIGSEGV", coreDumped: true, certainty: "sure" } },
    "was killed by SIGSEGV (core dumped)",
    "被 SIGSEGV 终止（已生成 core 文件）",
  ],
];

for (const [changes, en, zh] of EXITS) {
  Deno.test(`compose() titles ${JSON.stringify(changes.exit)} in both languages`, () => {
    assertEquals(messageOf(changes).title, `web:api ${en} on node-7`);
    assertEquals(messageOf(changes, "zh").title, `web:api ${zh}，主机 node-7`);
  });
}

Deno.test("compose() tells how a process ended, and how sure that is", () => {
  const lines = (exit: Alert["exit"] & object) =>
    messageOf({ exit }).text.split("\n").filter((line) => /^(Exit|Spawn)/.test(line));
  assertEquals(lines({ status: 3, certainty: "sure" }), ["Exit: status 3"]);
  assertEquals(lines({ signal: "SIGABRT", coreDumped: true, certainty: "likely" }), [
    "Exit: SIGABRT, core dumped (likely; another process of this name may be meant)",
  ]);
  assertEquals(lines({ spawnError: "can't find command", certainty: "sure" }), [
    "Spawn error: can't find command",
  ]);
});

/** What we find out ourselves, and how it reads. */
const TROUBLE = {
  name: "oncall",
  sinceMs: ALERT.atMs - 300_000,
  reason: "HTTP 502",
  waiting: 12,
  fallback: "ops-mail",
};
const { process: _process, pid: _pid, fromState: _from, expected: _expected, ...OWN } = ALERT;
const OWN_MESSAGES: readonly (readonly [Partial<Alert>, string, string, readonly string[]])[] = [
  [
    { word: "channel_failing", trouble: { ...TROUBLE, givenUp: 3 } },
    "Channel oncall does not deliver on node-7",
    "通道 oncall 无法送达消息，主机 node-7",
    [
      "Channel: oncall",
      "Since: 2026-11-21 02:06:30 +00:00",
      "Reason: HTTP 502",
      "Waiting: 12",
      "Given up: 3",
      "Fallback: ops-mail",
      "Look at: superbell outbox list",
    ],
  ],
  [
    { word: "channel_recovered", trouble: { ...TROUBLE, downMs: 300_400 } },
    "Channel oncall delivers again on node-7",
    "通道 oncall 已恢复送达，主机 node-7",
    ["Failed for: 5m", "Waiting: 12"],
  ],
  [
    { word: "gap", gap: { dropped: 288, recovered: 285 } },
    "supervisord has dropped 288 events (285 ends of processes found afterwards) on node-7",
    "supervisord 丢弃了 288 个事件（事后查询得知 285 次进程退出），主机 node-7",
    ["Note: buffer_size= of superbell's section is too small for so many events at once; raise it"],
  ],
  [
    { word: "crash", process: ALERT.process!, reconciled: true },
    "web:api exited unexpectedly on node-7",
    "web:api 意外退出，主机 node-7",
    ["Note: found afterwards; supervisord did not send the event"],
  ],
  [
    { word: "crash", process: ALERT.process!, reconciled: true, unsubscribed: true },
    "web:api exited unexpectedly on node-7",
    "web:api 意外退出，主机 node-7",
    [
      "Note: found afterwards; events= of the section may lack PROCESS_STATE_EXITED: " +
      "superbell init section prints the right line",
    ],
  ],
  [
    { word: "crash", process: ALERT.process!, reconciled: true, assumed: true },
    "web:api exited unexpectedly on node-7",
    "web:api 意外退出，主机 node-7",
    [
      "Note: found afterwards and only likely: supervisord did not send the event, and its log " +
      "does not say how the process ended",
    ],
  ],
  [
    { word: "crash", process: ALERT.process!, insteadOf: { channel: "oncall", reason: "muted" } },
    "web:api exited unexpectedly on node-7",
    "web:api 意外退出，主机 node-7",
    ["Note: in place of channel oncall: muted"],
  ],
];
for (const [changes, english, chinese, lines] of OWN_MESSAGES) {
  Deno.test(`compose() writes "${english}"`, () => {
    const write = (language: "en" | "zh") =>
      compose({ ...OWN, ...changes }, { language, timeZone: "UTC" });
    assertEquals([write("en").title, write("zh").title], [english, chinese]);
    const { text } = write("en");
    assertEquals(text.split("\n").filter((line) => lines.includes(line)), lines);
  });
}

/** The lines of a message that tell what was found out beside the event. */
function found(changes: Partial<Alert>, language: "en" | "zh" = "en"): string[] {
  const known = messageOf({}, language).text.split("\n");
  return messageOf(changes, language).text.split("\n").slice(1)
    .filter((line) => !known.includes(line));
}

Deno.test("compose() tells how long it had run and how often it was started again", () => {
  const changes = { uptimeMs: 11_520_500, restarts: { count: 4, isAll: true } };
  assertEquals(found(changes), ["Uptime: 3h12m", "Restarts: 4 in the last hour"]);
  assertEquals(found(changes, "zh"), ["运行时长：3 小时 12 分钟", "重启次数：最近 1 小时 4 次"]);
  const many = { restarts: { count: 130, isAll: false } };
  assertEquals(found(many), ["Restarts: at least 130 in the last hour"]);
  assertEquals(found(many, "zh"), ["重启次数：最近 1 小时至少 130 次"]);
  assertEquals(found({ restarts: { count: 0, isAll: true } }), []);
});

const DURATIONS: readonly (readonly [number, string, string])[] = [
  [400, "0s", "0 秒"],
  [1999, "1s", "1 秒"],
  [61_000, "1m1s", "1 分钟 1 秒"],
  [3_600_000, "1h", "1 小时"],
  [3_605_000, "1h", "1 小时"],
  [90_000_000, "1d1h", "1 天 1 小时"],
  [40 * 86_400_000, "40d", "40 天"],
];

for (const [uptimeMs, en, zh] of DURATIONS) {
  Deno.test(`compose() writes ${uptimeMs} ms as ${en}`, () => {
    assertEquals(messageOf({ uptimeMs }).values.uptime, en);
    assertEquals(messageOf({ uptimeMs }, "zh").values.uptime, zh);
  });
}

Deno.test("compose() says that memory ran out only where the kernel names the process", () => {
  const exit = { signal: "SIGKILL", certainty: "sure" } as const;
  const sure = { exit, memory: { certainty: "sure" } } as const;
  assertEquals(
    messageOf(sure).title,
    "web:api was killed by SIGKILL (out of memory, says the kernel) on node-7",
  );
  const possible = {
    exit,
    memory: { certainty: "possible", kills: 1, sinceMs: ALERT.atMs - 60_000 },
  } as const;
  assertEquals(messageOf(possible).title, "web:api was killed by SIGKILL on node-7");
  assertEquals(found(possible), [
    "Exit: SIGKILL",
    "Possible cause: out of memory: the kernel has killed 1 process of its control group for " +
    "that since 2026-11-21 02:10:30 +00:00",
  ]);
});

Deno.test("compose() tells how often it failed to start, where that is known", () => {
  const title = (failedStarts: number) => messageOf({ word: "fatal", failedStarts }).title;
  assertEquals(title(4), "web:api failed to start 4 times, supervisord gave up (FATAL) on node-7");
  assertEquals(title(1), "web:api failed to start, supervisord gave up (FATAL) on node-7");
  const zh = messageOf({ word: "fatal", failedStarts: 4 }, "zh").title;
  assertEquals(zh, "web:api 启动失败 4 次，supervisord 已放弃重试 (FATAL)，主机 node-7");
});

Deno.test("compose() shows the last lines indented, so that none looks like a fact of ours", () => {
  const tails = [
    { stream: "stderr", lines: ["one", "", "Host: evil"] },
    { stream: "stdout", lines: ["two"], isLate: true },
  ] as const;
  assertEquals(found({ tails }), [
    "Last lines of stderr:",
    "  one",
    "  Host: evil",
    "Last lines of stdout (it runs again: some may be newer):",
    "  two",
    "Look at: supervisorctl tail web:api stdout",
  ]);
  assertEquals(messageOf({ tails }).values.tail, "one\n\nHost: evil\ntwo");
});

Deno.test("compose() says where the time is only when it was found", () => {
  const labels = (changes: Partial<Alert>, language: "en" | "zh") =>
    messageOf(changes, language).facts.map(({ label }) => label)
      .filter((label) => ["Time", "Found", "时间", "发现时间"].includes(label));
  assertEquals(labels({ reconciled: true }, "en"), ["Time"]);
  assertEquals(labels({ reconciled: true, foundOnly: true }, "en"), ["Found"]);
  assertEquals(labels({ reconciled: true, foundOnly: true }, "zh"), ["发现时间"]);
});

Deno.test("compose() says that last lines may be of several starts, where there were some", () => {
  const label = (changes: Partial<Alert>, language: "en" | "zh" = "en") =>
    messageOf({ tails: [{ stream: "stderr", lines: ["no such table"] }], ...changes }, language)
      .facts.find(({ isTail }) => isTail)?.label;
  assertEquals(label({}), "Last lines of stderr");
  assertEquals(
    label({ word: "fatal", failedStarts: 5 }),
    "Last lines of stderr (some may be of earlier starts)",
  );
  assertEquals(label({ word: "flapping" }, "zh"), "stderr 最后几行（可能含此前几次启动的输出）");
  assertEquals(label({ word: "fatal", failedStarts: 1 }), "Last lines of stderr");
});

Deno.test("compose() sends to the log that has the lines", () => {
  const look = (stream: "stderr" | "stdout") =>
    messageOf({ tails: [{ stream, lines: ["x"] }] }).values.look;
  assertEquals(look("stdout"), "supervisorctl tail web:api stdout");
  assertEquals(look("stderr"), "supervisorctl tail web:api stderr");
});

Deno.test("compose() names no rule where superbell tells by itself, without one", () => {
  const rules = (changes: Partial<Alert>) =>
    messageOf(changes).text.split("\n").filter((line) => line.startsWith("Rule"));
  const refused = { word: "reload_failed", eventname: "SUPERBELL_RELOAD_FAILED" } as const;
  assertEquals(rules({ ...refused, rule: "reload_failed" }), []);
  assertEquals(rules({ word: "channel_failing", rule: "channel_failing" }), []);
  assertEquals(rules({ ...refused, rule: "us" }), ["Rule: us"]);
  assertEquals(rules({ word: "crash", rule: "crash" }), ["Rule: crash"]);
});
