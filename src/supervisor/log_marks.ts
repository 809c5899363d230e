// Where the logs of a process end at the moment when the process does. supervisord writes all
// that a process has said before it tells of the end (process.py:finish), and starts it again
// right after that: a tail that is read up to the mark is that of the end and not of the new
// start. So the size is asked for when the event comes, without waiting for anything else, and
// the path is known before. (A file system that hangs holds up supervisord itself, which writes
// these files.) Under load the new run may still be faster: mayHoldNewRun() tells.

import type { Event, ProcessName } from "../events/event.ts";
import type { SupervisorClient } from "./client.ts";
import { askAbout, askAboutAll, isCheaperByName, type ProcessInfo } from "./process_infos.ts";
import type { RpcValue } from "./xmlrpc.ts";

export type LogChannel = "stderr" | "stdout";

/** A log as it was when its process ended. */
export interface LogMark {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Tells the file from the one that has taken its name since. */
  readonly inode: number | null;
  /** When it was written last, in milliseconds since 1970 UTC. */
  readonly modifiedMs: number;
  /** When it was looked at. */
  readonly notedAtMs: number;
}

/** A process's logs at its end; absent where there is none, or it may not be looked at. */
export type Marks = Partial<Record<LogChannel, LogMark>>;

/** What was noted when a process ended. */
export interface NotedEnd {
  readonly marks: Marks;
  /** When that run had begun, in seconds since 1970 UTC, where supervisord was asked in time. */
  readonly startS?: number;
}

/** So long after a start we ask where its logs are, once for all that start until then. */
const REFRESH_AFTER_MS = 10_000;

/** So many ends are remembered; each is asked about within seconds, or never. */
const MOST_ENDS = 2000;

/** A failed start has no process id; its alert's time may differ from that of the event by so much. */
const SAME_END_MS = 500;

/** What was known of a process when supervisord was asked last. */
interface Known {
  readonly process: ProcessName;
  readonly paths: Partial<Record<LogChannel, string>>;
  readonly pid: number;
  readonly startS: number;
}

interface End {
  readonly key: string;
  readonly pid?: number;
  readonly atMs: number;
  readonly noted: NotedEnd;
}

/** Remembers where logs ended. */
export class LogMarks {
  readonly #client: SupervisorClient;
  readonly #known = new Map<string, Known>();
  /** Those of each name, in whatever group. */
  #named: ReadonlyMap<string, readonly ProcessName[]> = new Map();
  /** Whether supervisord has no others, as far as its events tell. */
  #isWhole = false;
  /** Processes that have started since, by key; what is known of them is of the run before. */
  readonly #started = new Map<string, ProcessName>();
  /** The newest last. */
  readonly #ends: End[] = [];
  #willRefresh = false;

  constructor(client: SupervisorClient) {
    this.#client = client;
  }

  /** Asks supervisord where the logs are. Never rejects: without marks a tail may be inexact. */
  async refresh(): Promise<void> {
    try {
      this.note(await askAboutAll(this.#client));
    } catch {
      // Enrichment asks again and says why it cannot.
    }
  }

  /** Takes over the whole list that supervisord has answered to somebody. */
  note(infos: readonly ProcessInfo[]): void {
    this.#known.clear();
    this.noteSome(infos);
    const all = [...this.#known.values()].map(({ process }) => process);
    this.#named = Map.groupBy(all, ({ name }) => name);
    this.#isWhole = true;
  }

  /** Takes over what it has answered about some. */
  noteSome(infos: readonly ProcessInfo[]): void {
    for (const { name, group, pid, start, stderr_logfile, stdout_logfile } of infos) {
      const process = { name: String(name), group: String(group) };
      this.#known.set(keyOf(process), {
        process,
        paths: {
          ...(isPath(stderr_logfile) && { stderr: stderr_logfile }),
          ...(isPath(stdout_logfile) && { stdout: stdout_logfile }),
        },
        pid: Number(pid),
        startS: Number(start),
      });
    }
  }

  /**
   * These and all others of their names, which is enough to tell their ends apart; undefined where
   * the whole list must be asked for, because they are not all known or are too many.
   */
  withNamesakes(processes: readonly ProcessName[]): readonly ProcessName[] | undefined {
    if (!this.#isWhole || !processes.every((process) => this.#known.has(keyOf(process)))) {
      return undefined;
    }
    const names = new Set(processes.map(({ name }) => name));
    const meant = [...names].flatMap((name) => this.#named.get(name) ?? []);
    return isCheaperByName(meant.length, this.#known.size) ? meant : undefined;
  }

  /** How many processes supervisord has, as far as is known. */
  get count(): number {
    return this.#known.size;
  }

  /** Looks at the logs when a process ends. */
  heard(event: Event, atMs: number): void {
    const isOfNew = "process" in event && !this.#known.has(keyOf(event.process));
    if (isOfNew || event.kind === "process_group_removed") this.#isWhole = false;
    if (event.kind === "process_group_added") {
      this.#isWhole = false;
      void this.refresh();
    }
    if (event.kind === "process_running" && this.#pidOf(event.process) !== event.pid) {
      this.#refreshLater(event.process);
    }
    const isEnd = event.kind === "process_exited" || event.kind === "process_backoff" ||
      event.kind === "process_fatal";
    if (!isEnd) return;
    const known = this.#known.get(keyOf(event.process));
    if (known === undefined) return;
    const isItsRun = "pid" in event && event.pid === known.pid && known.startS > 0;
    this.#ends.push({
      key: keyOf(event.process),
      ...("pid" in event && event.pid !== undefined && { pid: event.pid }),
      atMs,
      noted: { marks: marksOf(known.paths), ...(isItsRun && { startS: known.startS }) },
    });
    if (this.#ends.length > MOST_ENDS) this.#ends.shift();
  }

  #pidOf(process: ProcessName): number | undefined {
    return this.#known.get(keyOf(process))?.pid;
  }

  /** Asks about those that have started, and not about all. */
  async #refreshStarted(): Promise<void> {
    const started = [...this.#started.values()];
    this.#started.clear();
    if (!this.#isWhole || !isCheaperByName(started.length, this.#known.size)) {
      return await this.refresh();
    }
    try {
      const infos = await askAbout(this.#client, started);
      if (infos === undefined) await this.refresh();
      else this.noteSome(infos);
    } catch {
      // As in refresh().
    }
  }

  #refreshLater(process: ProcessName): void {
    this.#started.set(keyOf(process), process);
    if (this.#willRefresh) return;
    this.#willRefresh = true;
    const timer = setTimeout(() => {
      this.#willRefresh = false;
      void this.#refreshStarted();
    }, REFRESH_AFTER_MS);
    Deno.unrefTimer(timer); // it holds up no end of ours
  }

  /** What was noted when the process of this id ended; where none is known, at about that time. */
  endOf(process: ProcessName, { pid, atMs }: { readonly pid?: number; readonly atMs: number }) {
    const key = keyOf(process);
    const isMeant = pid === undefined
      ? (end: End) => Math.abs(end.atMs - atMs) <= SAME_END_MS
      : (end: End) => end.pid === pid;
    return this.#ends.findLast((end) => end.key === key && isMeant(end))?.noted ?? NOTHING;
  }
}

const NOTHING: NotedEnd = { marks: {} };

/** A file's time of change is that of the kernel's last tick, at 100 a second in the worst case. */
const CLOCK_TICK_MS = 10;

/** No program writes sooner after its start, and no supervisord reads it sooner. */
const FASTEST_START_MS = 1;

/** Whether the log may have got something of a run that began at that time before it was marked. */
export function mayHoldNewRun({ modifiedMs, notedAtMs }: LogMark, startedAtMs: number): boolean {
  return notedAtMs > startedAtMs + FASTEST_START_MS && modifiedMs >= startedAtMs - CLOCK_TICK_MS;
}

function marksOf(paths: Known["paths"]): Marks {
  const [stderr, stdout] = [markOf(paths.stderr), markOf(paths.stdout)];
  return { ...(stderr && { stderr }), ...(stdout && { stdout }) };
}

function markOf(path: string | undefined): LogMark | undefined {
  if (path === undefined) return undefined;
  try {
    const { size, ino, mtime, isFile } = Deno.statSync(path);
    if (!isFile) return undefined;
    return { path, size, inode: ino, modifiedMs: mtime?.getTime() ?? 0, notedAtMs: Date.now() };
  } catch {
    return undefined; // gone, or in a folder that we may not look into
  }
}

/** One that is not absolute stands in supervisord's folder, which need not be ours (3.x). */
function isPath(value: RpcValue | undefined): value is string {
  return typeof value === "string" && value.startsWith("/");
}

function keyOf({ group, name }: ProcessName): string {
  return `${group}:${name}`;
}
