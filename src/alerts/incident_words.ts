// The words about incidents, in Chinese and English: that something is over, that it goes on,
// and why it is told only now.

import type { HoldReason } from "../rules/reason.ts";
import type { Severity } from "../rules/pacing.ts";
import type { Settling } from "../rules/incident.ts";

/** One language's words about incidents. */
export interface IncidentWords {
  /** How it is over, said of a process. */
  readonly over: Readonly<Record<Settling, string>>;
  /** The same of one that flapped. */
  readonly stable: string;
  /** Behind the title of what is over. */
  wasDown(duration: string): string;
  /** The same of several: the time of them all, for each may have been down for less. */
  tookAll(duration: string): string;
  ended(ends: number): string;
  /** In front of a title. */
  reminder(number: number): string;
  readonly escalated: string;
  /** Behind a title: how long it has lasted. */
  goesOn(duration: string): string;
  /** In front of a title about processes that came in later; behind it how many are not well. */
  readonly also: string;
  downNow(count: number): string;
  /** Whom of them the other facts are about. */
  readonly oneOfThem: string;
  /** What happened to several processes, each in its own way. */
  readonly failed: string;
  /** Several processes as the subject of a sentence. */
  processes(count: number, names: string): string;
  readonly incident: string;
  readonly severity: string;
  readonly severities: Readonly<Record<Severity, string>>;
  readonly since: string;
  readonly down: string;
  /** How often its processes ended since it began. */
  readonly ends: string;
  readonly affected: string;
  readonly late: string;
  /** Why it is told only now; of the ordinary reasons nothing is said. */
  readonly heldBy: Readonly<Partial<Record<HoldReason, string>>>;
}

const en: IncidentWords = {
  over: {
    running: "is running again",
    exited: "has ended as expected",
    stopped: "was stopped by hand",
    removed: "was removed",
  },
  stable: "is stable again",
  wasDown: (duration) => `was down for ${duration}`,
  tookAll: (duration) => `after ${duration}`,
  ended: (ends) => `ended ${ends} times`,
  reminder: (number) => `Reminder ${number}: `,
  escalated: "Escalated: ",
  goesOn: (duration) => `for ${duration} now`,
  also: "Also: ",
  downNow: (count) => `${count} down now`,
  oneOfThem: "One of them",
  failed: "failed",
  processes: (count, names) => `${count} processes (${names})`,
  incident: "Incident",
  severity: "Severity",
  severities: { info: "info", warning: "warning", critical: "critical" },
  since: "Since",
  down: "Down for",
  ends: "Ended (with failed starts)",
  affected: "Processes",
  late: "Told late",
  heldBy: {
    quiet: "a message about it was told shortly before (quiet)",
    suppressed: "something it depends on was broken (suppressed_by)",
    "host-incident": "the whole host was in trouble (host_incident)",
    silenced: "a silence was in force",
    maintenance: "a maintenance window was open",
    "supervisord-stopping": "supervisord was shutting down",
  },
};

const zh: IncidentWords = {
  over: {
    running: "已恢复运行",
    exited: "已正常退出",
    stopped: "已被手动停止",
    removed: "已移除",
  },
  stable: "已恢复稳定",
  wasDown: (duration) => `故障持续 ${duration}`,
  tookAll: (duration) => `故障持续 ${duration}`,
  ended: (ends) => `退出 ${ends} 次`,
  reminder: (number) => `第 ${number} 次提醒：`,
  escalated: "告警升级：",
  goesOn: (duration) => `已持续 ${duration}`,
  also: "新增故障：",
  downNow: (count) => `现有 ${count} 个进程未恢复`,
  oneOfThem: "其中之一",
  failed: "发生故障",
  processes: (count, names) => `${count} 个进程（${names}）`,
  incident: "故障编号",
  severity: "级别",
  severities: { info: "提示", warning: "警告", critical: "严重" },
  since: "故障开始",
  down: "故障时长",
  ends: "退出次数（含启动失败）",
  affected: "涉及进程",
  late: "延迟原因",
  heldBy: {
    quiet: "此前刚发送过同类消息 (quiet)",
    suppressed: "其依赖的进程此前有故障 (suppressed_by)",
    "host-incident": "此前整台主机有故障 (host_incident)",
    silenced: "此前处于静默期",
    maintenance: "此前处于维护窗口",
    "supervisord-stopping": "此前 supervisord 正在关闭",
  },
};

export const INCIDENT_WORDS = { en, zh } as const;
