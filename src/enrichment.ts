// Finds out what an event does not say: how the process ended, how long it had run, and what it
// wrote last. supervisord's own log has the end at the moment the event comes; XML-RPC has
// forgotten it when the process is started again. It belongs to delivery, for intake waits for
// nobody, and it may take no longer than a second: a message without the cause now is better than
// one with it later. Nothing that a program wrote gets into our log.

import type { Alert, Tail } from "./alerts/alert.ts";
import type { Exit } from "./events/event.ts";
import type { Log } from "./log.ts";
import type { TailSettings } from "./rules/rule.ts";
import type { SupervisorClient } from "./supervisor/client.ts";
import {
  type ExitFinding,
  type ExitLog,
  exitOfInfo,
  findExit,
  readExitLog,
  surerExit,
} from "./supervisor/exit_reason.ts";
import {
  type LogMarks,
  mayHoldNewRun,
  type NotedEnd,
  type ProcessInfo,
} from "./supervisor/log_marks.ts";
import { type LogTailOptions, readLogTail, readSupervisorLog } from "./supervisor/log_tail.ts";
import type { MemoryWatch } from "./supervisor/out_of_memory.ts";
import { exitOf } from "./supervisor/reconcile.ts";
import { readRunLog, type RunHistory, runHistory, type RunLog } from "./supervisor/run_history.ts";

/** What delivery asks for. Never rejects; alerts of which nothing is found stay as they are. */
export interface Enrichment {
  enrich(alerts: readonly Alert[], signal: AbortSignal): Promise<readonly Alert[]>;
}

/** What enrichment works with besides supervisord. */
export interface EnrichmentOptions {
  /** Told what was found out about an alert. */
  readonly onExit?: (alert: Alert, exit: Exit) => void;
  /** Where logs ended; without them a tail may hold lines of the new run. */
  readonly marks?: LogMarks | undefined;
  readonly memory?: MemoryWatch | undefined;
  /** What to tell of the last lines, by the rule's name. @default nothing */
  readonly tailFor?: (rule: string) => TailSettings;
  /** Takes secrets out of what programs wrote. */
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
 * In a storm supervisord is asked once in so long and not once for each message: a list of
 * hundreds of processes keeps it, and us, from the next event for some 20 ms.
 */
const SHARED_MS = 500;

/** supervisord's times are whole seconds, and an event is read a little after its time. */
const ROUNDED_MS = 1000;

/** What supervisord answered; a part is absent where it did not. */
interface Answers {
  readonly exits: ExitLog | undefined;
  readonly runs: RunLog | undefined;
  readonly infos: readonly ProcessInfo[] | undefined;
}

/** Answers that others may use as well. */
interface SharedAnswers {
  readonly answers: Promise<Answers | undefined>;
  /** When supervisord was asked, since 1970 UTC: what had happened before is in them. */
  readonly askedAtMs: number;
  /** The same on the monotonic clock. */
  readonly beganMs: number;
  readonly bytes: number;
}

/** Asks supervisord, the log files and the kernel. */
export class SupervisorEnrichment implements Enrichment {
  readonly #client: SupervisorClient;
  readonly #log: Log;
  readonly #options: EnrichmentOptions;
  #shared: SharedAnswers | undefined;

  constructor(client: SupervisorClient, log: Log, options: EnrichmentOptions = {}) {
    this.#client = client;
    this.#log = log;
    this.#options = options;
  }

  async enrich(alerts: readonly Alert[], signal: AbortSignal): Promise<readonly Alert[]> {
    const wanted = alerts.filter(isWanted);
    if (wanted.length === 0) return alerts;
    const over = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const answers = await this.#answersAbout(wanted, over);
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

  #answersAbout(alerts: readonly Alert[], signal: AbortSignal): Promise<Answers | undefined> {
    const bytes = Math.min(MAX_LOG_BYTES, MIN_LOG_BYTES + alerts.length * LOG_BYTES_FOR_EACH);
    const beganMs = performance.now();
    const shared = this.#shared;
    const isGood = shared !== undefined && beganMs - shared.beganMs < SHARED_MS &&
      bytes <= shared.bytes && alerts.every(({ atMs }) => atMs < shared.askedAtMs);
    if (isGood) return shared.answers;
    const answers = this.#ask({ count: alerts.length, bytes }, signal);
    this.#shared = { answers, askedAtMs: Date.now(), beganMs, bytes };
    return answers;
  }

  async #ask(
    { count, bytes }: { readonly count: number; readonly bytes: number },
    signal: AbortSignal,
  ): Promise<Answers | undefined> {
    const options = { timeoutMs: TIMEOUT_MS, signal };
    const [log, list] = await Promise.allSettled([
      readSupervisorLog(this.#client, bytes, options),
      this.#client.call("supervisor.getAllProcessInfo", [], options),
    ]);
    for (const answer of [log, list]) {
      if (answer.status === "fulfilled") continue;
      const what = count === 1 ? "a process" : "processes";
      this.#log.info(`cannot find out how ${what} ended: ${describe(answer.reason)}`);
      break;
    }
    if (log.status === "rejected" && list.status === "rejected") return undefined;
    const text = log.status === "fulfilled" ? log.value : undefined;
    const infos = list.status === "fulfilled" ? list.value as readonly ProcessInfo[] : undefined;
    if (infos !== undefined) this.#options.marks?.note(infos);
    const isWhole = text !== undefined && new TextEncoder().encode(text).length < bytes;
    return {
      exits: text === undefined ? undefined : readExitLog(text),
      runs: text === undefined ? undefined : readRunLog(text, { isWhole }),
      infos,
    };
  }

  async #look(
    alert: Alert,
    answers: Answers,
    { withTails, signal }: { readonly withTails: boolean; readonly signal: AbortSignal },
  ): Promise<Alert> {
    const { marks, memory, onExit } = this.#options;
    const noted = marks?.endOf(alert.process!, alert) ?? { marks: {} };
    const about = lookAt(alert, answers, noted);
    const ended = alert.exit === undefined ? withExit(alert, about.finding) : alert;
    if (ended.exit !== undefined && alert.exit === undefined) onExit?.(ended, ended.exit);
    const isKilled = ended.exit?.signal === "SIGKILL" && alert.pid !== undefined;
    const [kill, tails] = await Promise.all([
      isKilled ? memory?.find({ pid: alert.pid!, atMs: alert.atMs }, signal) : undefined,
      withTails ? this.#tailsOf(alert, about, noted, signal) : [],
    ]);
    return {
      ...ended,
      ...(kill && { memory: kill }),
      ...about.history,
      ...(tails.length > 0 && { tails }),
    };
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

function lookAt(alert: Alert, { exits, runs, infos }: Answers, { startS }: NotedEnd): Run {
  const { name, group } = alert.process!;
  const info = infos?.find((other) => other.name === name && other.group === group);
  const namesakes = infos?.filter((other) => other.name === name && other.group !== group).length;
  const byLog = exits === undefined ? UNKNOWN : findExit(exits, {
    name,
    pid: alert.pid,
    ended: "exited",
    ...(namesakes !== undefined && { namesakes }),
    ...(infos && { runningPids: new Set(infos.map(({ pid }) => Number(pid))) }),
  });
  const finding = surerExit(byLog, exitOfInfo(info ?? null, startS));
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

function withExit(alert: Alert, finding: ExitFinding): Alert {
  const { certainty, reason, spawnError } = finding;
  if (certainty === "unknown") return alert;
  // supervisord said that it was not expected; a cause that says otherwise is another's.
  if (alert.expected !== undefined && finding.expected !== undefined) {
    if (alert.expected !== finding.expected) return alert;
  }
  const exit = exitOf(reason, { certainty, spawnError });
  return exit === undefined ? alert : { ...alert, exit };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
