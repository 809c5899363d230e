import type { Alert } from "../../src/alerts/alert.ts";
import { compose, composeTest, formatTime } from "../../src/alerts/compose.ts";
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
之前状态：RUNNING
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
    "web:api 启动失败，supervisord 已放弃 (FATAL)，主机 node-7",
  ],
  [
    "start_failed",
    "web:api failed to start, supervisord will try again (BACKOFF) on node-7",
    "web:api 启动失败，supervisord 将重试 (BACKOFF)，主机 node-7",
  ],
  ["started", "web:api is running on node-7", "web:api 已运行，主机 node-7"],
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

Deno.test("composeTest() says that nothing has crashed", () => {
  const message = composeTest(ALERT, { language: "en", timeZone: "UTC" });
  assertEquals(message.title, "Test message of superbell on node-7");
  assert(message.text.includes("Nothing has crashed"));
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
    "exited with status 0, as expected",
    "正常退出，退出码 0",
  ],
  [{ exit: { signal: "SIGKILL", certainty: "sure" } }, "was killed by SIGKILL", "被 SIGKILL 杀死"],
  [
    { exit: { signal: "SIGSEGV", coreDumped: true, certainty: "sure" } },
    "was killed by SIGSEGV (core dumped)",
    "被 SIGSEGV 杀死（已生成 core 文件）",
  ],
  [{ exit: { spawnError: "no such file", certainty: "sure" } }, "exited unexpectedly", "意外退出"],
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
