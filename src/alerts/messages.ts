// The words of the alerts, in Chinese and English. Every key must have both.

import type { ConditionWord } from "../rules/rule.ts";

/** The languages that alerts can be written in. */
export const LANGUAGES = ["zh", "en"] as const;
export type Language = typeof LANGUAGES[number];

/** One language's words. */
export interface Words {
  /** What happened, said of a process, a group or supervisord. */
  readonly happened: Readonly<Record<ConditionWord, string>>;
  readonly exitedAsExpected: string;
  /** The same where the exit status is known, and for a signal. */
  exitedWith(status: number, expected: boolean): string;
  killedBy(signal: string, coreDumped: boolean): string;
  /** The cause alone, for the line below the title. */
  readonly exit: string;
  exitStatus(status: number): string;
  readonly coreDumped: string;
  readonly likely: string;
  readonly spawnError: string;
  /** "{what} on {where}" in the order of the language. */
  title(subject: string, happened: string, where: string): string;
  readonly host: string;
  readonly process: string;
  readonly group: string;
  readonly pid: string;
  readonly event: string;
  readonly fromState: string;
  readonly tries: string;
  readonly type: string;
  readonly text: string;
  readonly time: string;
  readonly rule: string;
  readonly supervisor: string;
  readonly look: string;
  readonly alertId: string;
  readonly colon: string;
  testTitle(where: string): string;
  /** One thing that happened, and the names that it happened to. */
  digestPart(names: string, happened: string): string;
  digestTitle(count: number, where: string, parts: string): string;
  readonly semicolon: string;
  readonly testText: string;
}

const en: Words = {
  happened: {
    crash: "exited unexpectedly",
    exit: "exited unexpectedly",
    fatal: "could not be started, supervisord gave up (FATAL)",
    start_failed: "failed to start, supervisord will try again (BACKOFF)",
    starting: "is starting",
    started: "is running",
    stopping: "is being stopped",
    stopped: "was stopped",
    state_unknown: "is in an unknown state",
    process_log: "wrote a line that a rule watches for",
    process_communication: "sent a message",
    remote_communication: "received a message",
    group_added: "was added",
    group_removed: "was removed",
    supervisor_starting: "has started",
    supervisor_stopping: "is shutting down",
    tick: "is alive",
  },
  exitedAsExpected: "exited as expected",
  exitedWith: (status, expected) =>
    `exited with status ${status}${expected ? ", as expected" : ""}`,
  killedBy: (signal, coreDumped) => `was killed by ${signal}${coreDumped ? " (core dumped)" : ""}`,
  exit: "Exit",
  exitStatus: (status) => `status ${status}`,
  coreDumped: "core dumped",
  likely: "likely; another process of this name may be meant",
  spawnError: "Spawn error",
  title: (subject, happened, where) => `${subject} ${happened} on ${where}`,
  host: "Host",
  process: "Process",
  group: "Group",
  pid: "PID",
  event: "Event",
  fromState: "From state",
  tries: "Tries",
  type: "Type",
  text: "Text",
  time: "Time",
  rule: "Rule",
  supervisor: "Supervisor",
  look: "Look at",
  alertId: "Alert",
  colon: ": ",
  testTitle: (where) => `Test message of superbell on ${where}`,
  digestPart: (names, happened) => `${names} ${happened}`,
  digestTitle: (count, where, parts) => `${count} alerts on ${where}: ${parts}`,
  semicolon: "; ",
  testText: "If you can read this, the channel works. Nothing has crashed.",
};

const zh: Words = {
  happened: {
    crash: "意外退出",
    exit: "意外退出",
    fatal: "启动失败，supervisord 已放弃 (FATAL)",
    start_failed: "启动失败，supervisord 将重试 (BACKOFF)",
    starting: "正在启动",
    started: "已运行",
    stopping: "正在停止",
    stopped: "已停止",
    state_unknown: "状态未知",
    process_log: "输出了规则关注的内容",
    process_communication: "发来消息",
    remote_communication: "收到消息",
    group_added: "已添加",
    group_removed: "已移除",
    supervisor_starting: "已启动",
    supervisor_stopping: "正在关闭",
    tick: "运行正常",
  },
  exitedAsExpected: "正常退出",
  exitedWith: (status, expected) => `${expected ? "正常" : "意外"}退出，退出码 ${status}`,
  killedBy: (signal, coreDumped) => `被 ${signal} 杀死${coreDumped ? "（已生成 core 文件）" : ""}`,
  exit: "退出原因",
  exitStatus: (status) => `退出码 ${status}`,
  coreDumped: "已生成 core 文件",
  likely: "推测；也可能是同名的另一个进程",
  spawnError: "启动错误",
  title: (subject, happened, where) => `${subject} ${happened}，主机 ${where}`,
  host: "主机",
  process: "进程",
  group: "进程组",
  pid: "PID",
  event: "事件",
  fromState: "之前状态",
  tries: "尝试次数",
  type: "类型",
  text: "内容",
  time: "时间",
  rule: "规则",
  supervisor: "Supervisor",
  look: "查看",
  alertId: "告警编号",
  colon: "：",
  testTitle: (where) => `superbell 测试消息，主机 ${where}`,
  digestPart: (names, happened) => `${names} ${happened}`,
  digestTitle: (count, where, parts) => `${count} 条告警，主机 ${where}：${parts}`,
  semicolon: "；",
  testText: "看到这条消息，说明通道可用。没有进程出现故障。",
};

/** The words of each language. */
export const WORDS: Readonly<Record<Language, Words>> = { zh, en };
