// Finds out what an event does not say: how the process ended, how long it had run, and what it
// wrote last. supervisord's own log has the end at the moment the event comes; XML-RPC has
// forgotten it when the process is started again. It belongs to delivery, for intake waits for
// nobody, and it may take no longer than a second: a message without the cause now is better than
// one with it later. Nothing that a program wrote gets into our log.

import { type Alert, maskedExit, type OneOfSeveral, type Tail } from "./alerts/alert.ts";
import { severalOf } from "./alerts/incident_text.ts";
import type { Exit, ProcessName } from "./events/event.ts";
import type { Log } from "./log.ts";
import { type KnownProcess, processKey } from "./rules/roster.ts";
import type { TailSettings } from "./rules/rule.ts";
import type { CallOptions, SupervisorClient } from "./supervisor/client.ts";
import {
  type ExitFinding,
  type ExitLog,
  exitOfInfo,
  findExit,
  readExitLog,
  surerExit,
} from "./supervisor/exit_reason.ts";
import { type LogMarks, mayHoldNewRun, type NotedEnd } from "./supervisor/log_marks.ts";
import { type LogTailOptions, readLogTail, readSupervisorLog } from "./supervisor/log_tail.ts";
import type { MemoryWatch } from "./supervisor/out_of_memory.ts";
import {
  askAbout,
  askAboutAll,
  isCheaperByName,
  type ProcessInfo,
} from "./supervisor/process_infos.ts";
import { exitOf } from "./supervisor/reconcile.ts";
import { readRunLog, type RunHistory, runHistory, type RunLog } from "./supervisor/run_history.ts";

/** What delivery asks for. Never rejects; alerts of which nothing is found stay as they are. */
export interface Enrichment {
  enrich(alerts: readonly Alert[], signal: AbortSignal): Promise<readonly Alert[]>;
}

/** The end of a process by itself, as its event tells it. */
export interface End {
  readonly process: ProcessName;
  /** Undefined: of a start that failed. */
  readonly pid: number | undefined;
  /** Whether supervisord expected it. */
  readonly expected: boolean | undefined;
  /** When the event came. */
  readonly atMs: number;
}

/** What enrichment works with besides supervisord. */
export interface EnrichmentOptions {
  /** Told what was found out about an end. */
  readonly onExit?: (end: Pick<End, "process" | "pid">, exit: Exit) => void;
  /** Where logs ended; without them a tail may hold lines of the new run. */
  readonly marks?: LogMarks | undefined;
  readonly memory?: MemoryWatch | undefined;
  /** What to tell of the last lines, by the rule's name. @default nothing */
  readonly tailFor?: (rule: string) => TailSettings;
  /** What the roster has of a process, for alerts about several. */
  readonly known?: (name: ProcessName) => KnownProcess | undefined;
  /** Takes secrets out of what programs and supervisord wrote. */
  readonly mask?: (text: string) => string;
}

/** For the whole of it. */
const TIMEOUT_MS = 1000;

/** The end of supervisord's log that is looked at: some 200 bytes for each process that ends. */
const MIN_LOG_BYTES = 64 * 1024;
const LOG_BYTES_FOR_EACH = 1024;
const MAX_LOG_BYTES = 1024 * 1024;

/** A digest tells only a few in full; of more alerts at once no tails are read. */
const MOST_TAILS = 10;

/**
 * In a storm supervisord is asked for what is large once in so long and not once for each message:
 * a list of hundreds of processes keeps it, and us, from the next event for some 20 ms.
 */
const SHARED_MS = 500;

/** supervisord's times are whole seconds, and an event is read a little after its time. */
const ROUNDED_MS = 1000;

/** What is asked about. */
type About = Pick<Alert, "process" | "atMs">;

/** What supervisord answered; a part is absent where it did not. */
interface Answers extends Partial<LogAnswer> {
  readonly list: ProcessList | undefined;
}

/** Its list as it is looked up, for each of the hundreds of a storm. */
interface ProcessList {
  readonly byName: ReadonlyMap<string, readonly ProcessInfo[]>;
  readonly runningPids: ReadonlySet<number>;
}

/** What its log says. */
interface LogAnswer {
  readonly exits: ExitLog;
  readonly runs: RunLog;
}

/** An answer that others may use as well. */
interface Shared<Value> {
  readonly answer: Promise<Value>;
  /** When supervisord was asked, since 1970 UTC: what had happened before is in it. */
  readonly askedAtMs: number;
  /** The same on the monotonic clock. */
  readonly beganMs: number;
}

/** Asks supervisord, the log files and the kernel. */
export class SupervisorEnrichment implements Enrichment {
  readonly #client: SupervisorClient;
  readonly #log: Log;
  readonly #options: EnrichmentOptions;
  #sharedLog: Shared<LogAnswer> & { readonly bytes: number } | undefined;
  /** `about`: the keys of the processes that were asked about; undefined: of all. */
  #sharedInfos:
    | Shared<readonly ProcessInfo[]> & { readonly about: ReadonlySet<string> | undefined }
    | undefined;
  /** How many were asked about by name since then, on the monotonic clock. */
  #byName = { sinceMs: -Infinity, count: 0 };
  /** When it was said that supervisord does not answer, on the monotonic clock. */
  #saidMs = -Infinity;

  constructor(client: SupervisorClient, log: Log, options: EnrichmentOptions = {}) {
    this.#client = client;
    this.#log = log;
    this.#options = options;
  }

  async enrich(alerts: readonly Alert[], signal: AbortSignal): Promise<readonly Alert[]> {
    const wanted = alerts.filter(isWanted);
    if (wanted.length === 0) return alerts;
    const over = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const answers = await this.#answersAbout(
      wanted,
      over,
      (why) => this.#sayUnknown(wanted.length, why),
    );
    if (answers === undefined) return alerts;
    return await Promise.all(alerts.map(async (alert) => {
      const place = wanted.indexOf(alert);
      if (place < 0) return alert;
      try {
        return await this.#look(alert, answers, { withTails: place < MOST_TAILS, signal: over });
      } catch (error) {
        this.#log.error(`a mistake in superbell itself: ${describe(error)}`);
        return alert;
      }
    }));
  }

  /** Finds out how processes ended of which nobody is told, and tells `onExit`. Never rejects. */
  async note(ends: readonly End[], signal: AbortSignal): Promise<void> {
    const { marks, onExit } = this.#options;
    if (ends.length === 0 || onExit === undefined) return;
    const over = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const answers = await this.#answersAbout(
      ends,
      over,
      (why) => this.#log.debug(`cannot find out how what is held ended: ${describe(why)}`),
    );
    if (answers === undefined) return;
    for (const end of ends) {
      try {
        const noted = marks?.endOf(end.process, placeOf(end)) ?? { marks: {} };
        const exit = exitFound(end, findEnd(end, answers, noted));
        if (exit !== undefined) onExit(end, maskedExit(exit, this.#options));
      } catch (error) {
        this.#log.error(`a mistake in superbell itself: ${describe(error)}`);
      }
    }
  }

  /** `sayWhy`: told the first reason why a part of the answers is missing. */
  async #answersAbout(
    alerts: readonly About[],
    signal: AbortSignal,
    sayWhy: (reason: unknown) => void,
  ): Promise<Answers | undefined> {
    const [log, list] = await Promise.allSettled([
      this.#logAbout(alerts, signal),
      this.#infosAbout(alerts, signal),
    ]);
    for (const answer of [log, list]) {
      if (answer.status === "fulfilled") continue;
      sayWhy(answer.reason);
      break;
    }
    if (log.status === "rejected" && list.status === "rejected") return undefined;
    return {
      ...(log.status === "fulfilled" && log.value),
      list: list.status === "fulfilled" ? processList(list.value) : undefined,
    };
  }

  /** Says it once for all who share the answer. */
  #sayUnknown(count: number, reason: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#saidMs < SHARED_MS) return;
    this.#saidMs = nowMs;
    const what = count === 1 ? "a process" : "processes";
    this.#log.info(`cannot find out how ${what} ended: ${describe(reason)}`);
  }

  #logAbout(alerts: readonly About[], signal: AbortSignal): Promise<LogAnswer> {
    const bytes = Math.min(MAX_LOG_BYTES, MIN_LOG_BYTES + alerts.length * LOG_BYTES_FOR_EACH);
    const shared = this.#sharedLog;
    if (shared !== undefined && bytes <= shared.bytes && isGood(shared, alerts)) {
      return shared.answer;
    }
    this.#sharedLog = { ...sharing(this.#readLog(bytes, signal)), bytes };
    return this.#sharedLog.answer;
  }

  async #readLog(bytes: number, signal: AbortSignal): Promise<LogAnswer> {
    const options = { timeoutMs: TIMEOUT_MS, signal };
    const text = await readSupervisorLog(this.#client, bytes, options);
    const isWhole = new TextEncoder().encode(text).length < bytes;
    return { exits: readExitLog(text), runs: readRunLog(text, { isWhole }) };
  }

  #infosAbout(alerts: readonly About[], signal: AbortSignal): Promise<readonly ProcessInfo[]> {
    const meant = this.#options.marks?.withNamesakes(alerts.map(({ process }) => process!));
    const keys = meant?.map(processKey);
    const shared = this.#sharedInfos;
    const isAboutThem = shared?.about === undefined ||
      keys?.every((key) => shared.about?.has(key));
    if (shared !== undefined && isAboutThem && isGood(shared, alerts)) return shared.answer;
    const byName = meant !== undefined && this.#maySpend(meant.length) ? meant : undefined;
    this.#sharedInfos = {
      ...sharing(this.#askInfos(byName, { timeoutMs: TIMEOUT_MS, signal })),
      about: byName && new Set(keys),
    };
    return this.#sharedInfos.answer;
  }

  /** Whether to ask by name is still cheaper, with all that was asked lately, than the whole list. */
  #maySpend(count: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#byName.sinceMs >= SHARED_MS) this.#byName = { sinceMs: nowMs, count: 0 };
    this.#byName.count += count;
    return isCheaperByName(this.#byName.count, this.#options.marks?.count ?? 0);
  }

  /** `byName`: whom to ask about; undefined: all. */
  async #askInfos(
    byName: readonly ProcessName[] | undefined,
    options: CallOptions,
  ): Promise<readonly ProcessInfo[]> {
    const { marks } = this.#options;
    const some = byName && await askAbout(this.#client, byName, options);
    if (some !== undefined) {
      marks?.noteSome(some);
      return some;
    }
    const all = await askAboutAll(this.#client, options);
    marks?.note(all);
    return all;
  }

  async #look(
    alert: Alert,
    answers: Answers,
    { withTails, signal }: { readonly withTails: boolean; readonly signal: AbortSignal },
  ): Promise<Alert> {
    const { marks, memory, onExit } = this.#options;
    const noted = marks?.endOf(alert.process!, alert) ?? { marks: {} };
    const about = lookAt(alert, answers, noted);
    const found = alert.exit === undefined ? exitFound(alert, about.finding) : undefined;
    const ended = found === undefined
      ? alert
      : { ...alert, exit: maskedExit(found, this.#options) };
    if (ended.exit !== undefined && alert.exit === undefined) {
      onExit?.({ process: alert.process!, pid: alert.pid }, ended.exit);
    }
    const isKilled = ended.exit?.signal === "SIGKILL" && alert.pid !== undefined;
    const [kill, tails] = await Promise.all([
      isKilled ? memory?.find({ pid: alert.pid!, atMs: alert.atMs }, signal) : undefined,
      withTails ? this.#tailsOf(alert, about, noted, signal) : [],
    ]);
    const each = this.#eachOf(ended, answers);
    return {
      ...ended,
      ...(each.length > 0 && { each }),
      ...(kill && { memory: kill }),
      ...about.history,
      ...(tails.length > 0 && { tails }),
    };
  }

  /** How each of several processes ended: the roster knows it, or supervisord's answers do. */
  #eachOf(alert: Alert, answers: Answers): OneOfSeveral[] {
    const { known: knownOf, marks } = this.#options;
    const own = processKey(alert.process!);
    return (severalOf(alert.incident)?.processes ?? []).map((process) => {
      const known = knownOf?.(process);
      const pid = known?.endedPids.at(-1);
      const noted = marks?.endOf(process, placeOf({ pid, atMs: alert.atMs })) ?? { marks: {} };
      const exit = (processKey(process) === own ? alert.exit : known?.exit) ??
        exitFound({}, findEnd({ process, pid }, answers, noted));
      return {
        process,
        ...(exit !== undefined && { exit: maskedExit(exit, this.#options) }),
        ...(known !== undefined && { state: known.state }),
      };
    });
  }

  async #tailsOf(
    alert: Alert,
    { info, startedAtMs, nextStartAtMs }: Run,
    { marks }: NotedEnd,
    signal: AbortSignal,
  ): Promise<Tail[]> {
    const { tailFor, mask } = this.#options;
    const settings = tailFor?.(alert.rule);
    if (settings === undefined || settings.lines === 0 || info === undefined) return [];
    const options: LogTailOptions = {
      maxLines: settings.lines,
      maxBytes: settings.maxBytes,
      ...(mask && { mask }),
      info,
      marks,
      startedAtMs,
      timeoutMs: TIMEOUT_MS,
      signal,
    };
    const wanted = CHANNELS[settings.stream].map(async (channels): Promise<Tail[]> => {
      const tail = await readLogTail(this.#client, alert.process!, { ...options, channels });
      if (tail.lines.length === 0) return [];
      const mark = tail.isExact ? marks[tail.channel] : undefined;
      const isLate = nextStartAtMs < Infinity &&
        (mark === undefined || mayHoldNewRun(mark, nextStartAtMs));
      return [{ stream: tail.channel, lines: tail.lines, ...(isLate && { isLate }) }];
    });
    return (await Promise.all(wanted)).flat();
  }
}

function sharing<Value>(answer: Promise<Value>): Shared<Value> {
  answer.catch(() => {}); // whoever asked hears of it
  return { answer, askedAtMs: Date.now(), beganMs: performance.now() };
}

/** Whether an answer is new enough, and was asked for after all that is told. */
function isGood({ askedAtMs, beganMs }: Shared<unknown>, alerts: readonly About[]): boolean {
  return performance.now() - beganMs < SHARED_MS && alerts.every(({ atMs }) => atMs < askedAtMs);
}

/** What to read for a setting: of each list the first log that has lines. */
const CHANNELS = {
  auto: [["stderr", "stdout"]],
  stderr: [["stderr"]],
  stdout: [["stdout"]],
  both: [["stderr"], ["stdout"]],
} as const;

/** What is known of the run that ended. */
interface Run {
  readonly finding: ExitFinding;
  readonly history: Pick<Alert, "uptimeMs" | "restarts" | "failedStarts">;
  readonly info: ProcessInfo | undefined;
  readonly startedAtMs: number | undefined;
  /** When the process was started again: what its logs got since is not of this run. */
  readonly nextStartAtMs: number;
}

function lookAt(alert: Alert, answers: Answers, noted: NotedEnd): Run {
  const { runs } = answers;
  const { startS } = noted;
  const process = alert.process!;
  const { name } = process;
  const { info, namesakes } = seenOf(process, answers);
  const finding = findEnd({ process, pid: alert.pid }, answers, noted);
  const query = { name, pid: alert.pid, atMs: alert.atMs, gaveUp: alert.word === "fatal" };
  const { nextStartAtMs, ...history }: RunHistory = runs === undefined || namesakes !== 0
    ? {}
    : runHistory(runs, query);
  const infoStartS = Number(info?.start ?? 0);
  const runsAgain = info !== undefined &&
    (startS === undefined
      ? Number(info.pid) > 0 && Number(info.pid) !== alert.pid ||
        infoStartS * 1000 > alert.atMs
      : infoStartS !== startS);
  const ownStartS = startS ?? (runsAgain || infoStartS === 0 ? undefined : infoStartS);
  const uptimeMs = history.uptimeMs ?? uptimeOf(alert, ownStartS);
  return {
    finding,
    history: { ...history, ...(uptimeMs !== undefined && { uptimeMs }) },
    info,
    startedAtMs: ownStartS === undefined ? undefined : ownStartS * 1000,
    nextStartAtMs: nextStartAtMs ?? (runsAgain ? infoStartS * 1000 : Infinity),
  };
}

/** The process in supervisord's list, and how many of other groups have its name there. */
function seenOf({ name, group }: ProcessName, { list }: Answers) {
  if (list === undefined) return { info: undefined, namesakes: undefined };
  const infos = list.byName.get(name) ?? [];
  const info = infos.find((other) => other.group === group);
  return { info, namesakes: infos.length - (info === undefined ? 0 : 1) };
}

function processList(infos: readonly ProcessInfo[]): ProcessList {
  return {
    byName: Map.groupBy(infos, ({ name }) => String(name)),
    runningPids: new Set(infos.map(({ pid }) => Number(pid))),
  };
}

/** How the process ended, by what is surest. */
function findEnd(
  { process, pid }: Pick<End, "process" | "pid">,
  answers: Answers,
  { startS }: NotedEnd,
): ExitFinding {
  const { exits, list } = answers;
  const { info, namesakes } = seenOf(process, answers);
  const byLog = exits === undefined ? UNKNOWN : findExit(exits, {
    name: process.name,
    pid,
    ended: "exited",
    ...(namesakes !== undefined && { namesakes }),
    ...(list && { runningPids: list.runningPids }),
  });
  return surerExit(byLog, exitOfInfo(info ?? null, startS));
}

const UNKNOWN: ExitFinding = { certainty: "unknown" };

/** Of a process that ended now, and not of a start that failed. */
function uptimeOf({ pid, atMs }: Alert, startS: number | undefined): number | undefined {
  if (pid === undefined || startS === undefined) return undefined;
  const uptimeMs = atMs - startS * 1000;
  return uptimeMs < ROUNDED_MS ? undefined : uptimeMs;
}

/** Whether the alert is about a process that ended by itself. */
function isWanted({ process, word, incident }: Alert): boolean {
  // Of a reminder it was told before, and what is over is no failure any more.
  if (incident !== undefined && incident.kind !== "firing") return false;
  if (process === undefined) return false;
  return ["crash", "exit", "fatal", "start_failed", "flapping"].includes(word);
}

function exitFound(
  { expected }: { readonly expected?: boolean | undefined },
  finding: ExitFinding,
): Exit | undefined {
  const { certainty, reason, spawnError } = finding;
  if (certainty === "unknown") return undefined;
  // supervisord said that it was not expected; a cause that says otherwise is another's.
  if (expected !== undefined && finding.expected !== undefined) {
    if (expected !== finding.expected) return undefined;
  }
  return exitOf(reason, { certainty, spawnError });
}

function placeOf(
  { pid, atMs }: Pick<End, "pid" | "atMs">,
): { readonly pid?: number; readonly atMs: number } {
  return { atMs, ...(pid !== undefined && { pid }) };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
