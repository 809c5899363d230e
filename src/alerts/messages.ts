// The words of the alerts, in Chinese and English. Every key must have both.

import type { ConditionWord } from "../rules/rule.ts";
import { INCIDENT_WORDS, type IncidentWords } from "./incident_words.ts";

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
  /** The same where the kernel's log says that it had used too much memory. */
  killedForMemory(signal: string): string;
  /** Where it only may have: the kernel has killed others, or it, in its control group. */
  readonly possibleCause: string;
  possiblyMemory(kills: number, since: string): string;
  /** supervisord gave up after so many failed starts. */
  gaveUp(failedStarts: number): string;
  readonly uptime: string;
  readonly restarts: string;
  restartsWithin(count: number, isAll: boolean): string;
  /** In its two largest units, rounded down. */
  duration(durationMs: number): string;
  /** The last lines of stderr or stdout. */
  tail(stream: string): string;
  lateTail(stream: string): string;
  /** The same of a process that was started more than once lately. */
  tailOfStarts(stream: string): string;
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
  /** The configuration's. */
  readonly file: string;
  readonly time: string;
  /** In its place where only that is known. */
  readonly found: string;
  readonly rule: string;
  readonly supervisor: string;
  readonly look: string;
  readonly alertId: string;
  readonly colon: string;
  /** Between names in a row. */
  readonly nameComma: string;
  testTitle(where: string): string;
  /** What happened, of the test message: what stands for `{happened}` there. */
  readonly testHappened: string;
  /** What happened, said of several. */
  inPlural(happened: string): string;
  /** One thing that happened, and the names that it happened to. */
  digestPart(names: string, happened: string): string;
  digestTitle(count: number, where: string, parts: string): string;
  readonly semicolon: string;
  readonly comma: string;
  /** As it follows a word: with a blank before it where the language wants one. */
  inBrackets(text: string): string;
  readonly testText: string;
  /** What became of the events that supervisord discarded. */
  dropped(dropped: number, recovered: number): string;
  readonly channel: string;
  readonly since: string;
  readonly down: string;
  readonly reason: string;
  readonly waiting: string;
  readonly givenUp: string;
  readonly fallback: string;
  readonly note: string;
  readonly reconciled: string;
  /** The section does not subscribe to the type of the event. */
  unsubscribed(eventname: string): string;
  readonly assumed: string;
  /** A configuration that is to replace the one in use. */
  readonly newConfiguration: string;
  readonly oldStays: string;
  readonly raiseBuffer: string;
  /** Said by a channel that stands in for another. */
  insteadOf(channel: string, reason: string): string;
  readonly incident: IncidentWords;
}

const PLURALS: Readonly<Record<string, string>> = {
  was: "were",
  is: "are",
  has: "have",
  keeps: "keep",
};

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
    flapping: "keeps ending and starting again",
    state_unknown: "is in an unknown state",
    process_log: "wrote a line that a rule watches for",
    process_communication: "sent a message",
    remote_communication: "received a message",
    group_added: "was added",
    group_removed: "was removed",
    supervisor_starting: "has started",
    supervisor_stopping: "is shutting down",
    tick: "is alive",
    gap: "has discarded events",
    channel_failing: "does not deliver",
    channel_recovered: "delivers again",
    reload_failed: "was refused",
    reload_recovered: "was taken",
  },
  exitedAsExpected: "exited as expected",
  exitedWith: (status, expected) => `exited ${expected ? "as expected " : ""}with status ${status}`,
  killedBy: (signal, coreDumped) => `was killed by ${signal}${coreDumped ? " (core dumped)" : ""}`,
  exit: "Exit",
  exitStatus: (status) => `status ${status}`,
  coreDumped: "core dumped",
  likely: "likely; another process of this name may be meant",
  spawnError: "Spawn error",
  killedForMemory: (signal) => `was killed by ${signal} (out of memory, says the kernel)`,
  possibleCause: "Possible cause",
  possiblyMemory: (kills, since) =>
    `out of memory: the kernel has killed ${kills} process${kills === 1 ? "" : "es"} of its ` +
    `control group for that since ${since}`,
  gaveUp: (failedStarts) =>
    failedStarts === 1
      ? "failed to start, supervisord gave up (FATAL)"
      : `failed to start ${failedStarts} times, supervisord gave up (FATAL)`,
  uptime: "Uptime",
  restarts: "Restarts",
  restartsWithin: (count, isAll) => `${isAll ? "" : "at least "}${count} in the last hour`,
  duration: (durationMs) => twoUnits(durationMs, ["d", "h", "m", "s"], ""),
  tail: (stream) => `Last lines of ${stream}`,
  lateTail: (stream) => `Last lines of ${stream} (it runs again: some may be newer)`,
  tailOfStarts: (stream) => `Last lines of ${stream} (some may be of earlier starts)`,
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
  file: "File",
  time: "Time",
  found: "Found",
  rule: "Rule",
  supervisor: "Supervisor",
  look: "Look at",
  alertId: "Alert",
  colon: ": ",
  nameComma: ", ",
  testTitle: (where) => `Test message of superbell on ${where}`,
  testHappened: "test message",
  // Each of ours begins with its verb.
  inPlural: (happened) => happened.replace(/^(?:was|is|has|keeps)\b/, (verb) => PLURALS[verb]!),
  digestPart: (names, happened) => `${names} ${happened}`,
  digestTitle: (count, where, parts) => `${count} alerts on ${where}: ${parts}`,
  semicolon: "; ",
  comma: ", ",
  inBrackets: (text) => ` (${text})`,
  testText: "If you can read this, the channel works. This is only a test.",
  dropped: (dropped, recovered) =>
    `has dropped ${dropped} event${dropped === 1 ? "" : "s"} ` +
    `(${recovered} end${recovered === 1 ? "" : "s"} of processes found afterwards)`,
  channel: "Channel",
  since: "Since",
  down: "Failed for",
  reason: "Reason",
  waiting: "Waiting",
  givenUp: "Given up",
  fallback: "Fallback",
  note: "Note",
  reconciled: "found afterwards; supervisord did not send the event",
  unsubscribed: (eventname) =>
    `found afterwards; events= of the section may lack ${eventname}: superbell init section prints the right line`,
  assumed:
    "found afterwards and only likely: supervisord did not send the event, and its log does not say how the process ended",
  newConfiguration: "superbell's new configuration",
  oldStays: "the configuration from before goes on; a restart would fail",
  raiseBuffer:
    "buffer_size= of superbell's section is too small for so many events at once; raise it",
  insteadOf: (channel, reason) => `in place of channel ${channel}: ${reason}`,
  incident: INCIDENT_WORDS.en,
};

const NEW_CONFIGURATION = "superbell 的新配置";

const zh: Words = {
  happened: {
    crash: "意外退出",
    exit: "意外退出",
    fatal: "启动失败，supervisord 已放弃重试 (FATAL)",
    start_failed: "启动失败，supervisord 将重试 (BACKOFF)",
    starting: "正在启动",
    started: "已启动 (RUNNING)",
    stopping: "正在停止",
    stopped: "已停止",
    flapping: "反复退出重启",
    state_unknown: "状态未知",
    process_log: "日志命中规则",
    process_communication: "发来消息",
    remote_communication: "收到远程消息",
    group_added: "已添加",
    group_removed: "已移除",
    supervisor_starting: "已启动",
    supervisor_stopping: "正在关闭",
    tick: "运行正常",
    gap: "丢弃了事件",
    channel_failing: "无法送达消息",
    channel_recovered: "已恢复送达",
    reload_failed: "有误，未生效",
    reload_recovered: "已生效",
  },
  exitedAsExpected: "正常退出",
  exitedWith: (status, expected) => `${expected ? "正常" : "意外"}退出，退出码 ${status}`,
  killedBy: (signal, coreDumped) => `被 ${signal} 终止${coreDumped ? "（已生成 core 文件）" : ""}`,
  exit: "退出方式",
  exitStatus: (status) => `退出码 ${status}`,
  coreDumped: "已生成 core 文件",
  likely: "推测；也可能是同名的另一个进程",
  spawnError: "启动错误",
  killedForMemory: (signal) => `因内存不足被 ${signal} 终止（据内核日志）`,
  possibleCause: "可能原因",
  possiblyMemory: (kills, since) =>
    `内存不足：自 ${since} 起，内核因内存不足终止了同一 cgroup 中的 ${kills} 个进程`,
  gaveUp: (failedStarts) =>
    `启动失败${failedStarts === 1 ? "" : ` ${failedStarts} 次`}，supervisord 已放弃重试 (FATAL)`,
  uptime: "运行时长",
  restarts: "重启次数",
  restartsWithin: (count, isAll) => `最近 1 小时${isAll ? "" : "至少"} ${count} 次`,
  duration: (durationMs) => twoUnits(durationMs, [" 天", " 小时", " 分钟", " 秒"], " "),
  tail: (stream) => `${stream} 最后几行`,
  lateTail: (stream) => `${stream} 最后几行（进程已重新运行，可能含新的输出）`,
  tailOfStarts: (stream) => `${stream} 最后几行（可能含此前几次启动的输出）`,
  title: (subject, happened, where) => `${spaced(subject)}${happened}，主机 ${where}`,
  host: "主机",
  process: "进程",
  group: "进程组",
  pid: "PID",
  event: "事件",
  fromState: "此前状态",
  tries: "启动失败次数",
  type: "类型",
  text: "内容",
  file: "文件",
  time: "时间",
  found: "发现时间",
  rule: "规则",
  supervisor: "Supervisor",
  look: "查看",
  alertId: "告警编号",
  colon: "：",
  nameComma: "、",
  testTitle: (where) => `superbell 测试消息，主机 ${where}`,
  testHappened: "测试消息",
  inPlural: (happened) => happened,
  digestPart: (names, happened) => `${spaced(names)}${happened}`,
  digestTitle: (count, where, parts) => `${count} 条告警，主机 ${where}：${parts}`,
  semicolon: "；",
  comma: "，",
  inBrackets: (text) => `（${text}）`,
  testText: "看到这条消息，说明通道可用。这是一条测试消息，不代表任何故障。",
  dropped: (dropped, recovered) =>
    `丢弃了 ${dropped} 个事件（事后查询得知 ${recovered} 次进程退出）`,
  channel: "通道",
  since: "故障开始",
  down: "故障时长",
  reason: "原因",
  waiting: "等待中",
  givenUp: "已放弃",
  fallback: "备用通道",
  note: "说明",
  reconciled: "事后查询得知（未收到该事件）",
  unsubscribed: (eventname) =>
    `事后查询得知；superbell 配置段的 events= 可能缺少 ${eventname}，正确写法见 superbell init section`,
  assumed: "事后查询得知，仅为推测（未收到该事件，supervisord 的日志也没有退出方式）",
  newConfiguration: NEW_CONFIGURATION,
  oldStays: "原配置继续有效；此时重启会失败",
  raiseBuffer: "superbell 配置段的 buffer_size= 太小，请调大",
  insteadOf: (channel, reason) => `代替通道 ${channel} 发送：${reason}`,
  incident: INCIDENT_WORDS.zh,
};

/** The blank shows where a name ends; our own words and brackets need none. */
function spaced(subject: string): string {
  return subject === NEW_CONFIGURATION || subject.endsWith("）") ? subject : `${subject} `;
}

/** `3h12m`: the two largest units of days, hours, minutes and seconds, rounded down. */
function twoUnits(durationMs: number, units: readonly string[], between: string): string {
  const seconds = Math.floor(durationMs / 1000);
  const counts = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  const first = Math.max(0, counts.findIndex((count) => count > 0));
  if (counts.every((count) => count === 0)) return `0${units.at(-1)}`;
  return [first, first + 1].filter((index) => (counts[index] ?? 0) > 0)
    .map((index) => `${counts[index]}${units[index]}`).join(between);
}

/** The words of each language. */
export const WORDS: Readonly<Record<Language, Words>> = { zh, en };
