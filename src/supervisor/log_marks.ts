// Where the logs of a process end at the moment when the process does. supervisord writes all
// that a process has said before it tells of the end (process.py:finish), and starts it again
// right after that: a tail that is read up to the mark is that of the end and not of the new
// start. So the size is asked for when the event comes, without waiting for anything else, and
// the path is known before. (A file system that hangs holds up supervisord itself, which writes
// these files.) Under load the new run may still be faster: mayHoldNewRun() tells.

import type { Event, ProcessName } from "../events/event.ts";
import type { SupervisorClient } from "./client.ts";
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

/** What getAllProcessInfo answers about one process. */
export type ProcessInfo = Readonly<Record<string, RpcValue>>;

/** So long after a start we ask where its logs are, once for all that start until then. */
const REFRESH_AFTER_MS = 10_000;

/** So many ends are remembered; each is asked about within seconds, or never. */
const MOST_ENDS = 2000;

/** A failed start has no process id; its alert's time may differ from that of the event by so much. */
const SAME_END_MS = 500;

/** What was known of a process when supervisord was asked last. */
interface Known {
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
  /** The newest last. */
  readonly #ends: End[] = [];
  #willRefresh = false;

  constructor(client: SupervisorClient) {
    this.#client = client;
  }

  /** Asks supervisord where the logs are. Never rejects: without marks a tail may be inexact. */
  async refresh(): Promise<void> {
    try {
      const list = await this.#client.call("supervisor.getAllProcessInfo");
      this.note(list as readonly ProcessInfo[]);
    } catch {
      // Enrichment asks again and says why it cannot.
    }
  }

  /** Takes over what supervisord has answered to somebody. */
  note(infos: readonly ProcessInfo[]): void {
    this.#known.clear();
    for (const { name, group, pid, start, stderr_logfile, stdout_logfile } of infos) {
      this.#known.set(keyOf({ name: String(name), group: String(group) }), {
        paths: {
          ...(isPath(stderr_logfile) && { stderr: stderr_logfile }),
          ...(isPath(stdout_logfile) && { stdout: stdout_logfile }),
        },
        pid: Number(pid),
        startS: Number(start),
      });
    }
  }

  /** Looks at the logs when a process ends. */
  heard(event: Event, atMs: number): void {
    if (event.kind === "process_group_added") void this.refresh();
    if (event.kind === "process_running" && this.#pidOf(event.process) !== event.pid) {
      this.#refreshLater();
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

  #refreshLater(): void {
    if (this.#willRefresh) return;
    this.#willRefresh = true;
    const timer = setTimeout(() => {
      this.#willRefresh = false;
      void this.refresh();
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
