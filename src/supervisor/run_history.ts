// What supervisord's own log says about the runs of a process: how long the last one was, how
// often it was started again, how many starts failed before supervisord gave up. All of it is
// counted from `spawned:` lines, which a log with loglevel=warn does not have; then, and where
// two processes of one name cannot be told apart, nothing is said.

/** What is known; an absent one is not known. */
export interface RunHistory {
  readonly uptimeMs?: number;
  /** When it was started again, in milliseconds since 1970 UTC. */
  readonly nextStartAtMs?: number;
  /** Starts after an exit within the hour before the end; more are possible where not `isAll`. */
  readonly restarts?: { readonly count: number; readonly isAll: boolean };
  /** In a row, when supervisord gave up. */
  readonly failedStarts?: number;
}

/** Whose runs. */
export interface RunQuery {
  readonly name: string;
  readonly pid: number | undefined;
  /** When its end was read, in milliseconds since 1970 UTC. */
  readonly atMs: number;
  /** Whether supervisord has given up. */
  readonly gaveUp: boolean;
}

interface Entry {
  readonly atMs: number;
  readonly what: "started" | "spawned" | "running" | "exited" | "stopped" | "gave up";
  readonly pid?: number;
}

/** A piece of the log, by the names in it. */
export interface RunLog {
  readonly entriesByName: ReadonlyMap<string, readonly Entry[]>;
  /** Before it nothing is known; -Infinity where the piece is the whole log. */
  readonly beginsAtMs: number;
}

const HOUR_MS = 3_600_000;

/** The clock of supervisord's log has no zone: it is the host's, and so is ours. */
const LINE =
  /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[,.](\d{3}))? [A-Z]{4,8} (supervisord started with pid|spawned:|success:|exited:|stopped:|gave up:) (.*)$/;
const TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[,.](\d{3}))? /m;

const REST: readonly (readonly [string, Entry["what"], RegExp])[] = [
  ["spawned:", "spawned", /^'(.*)' with pid (\d{1,10})$/],
  ["success:", "running", /^(.*) entered RUNNING state\b/],
  ["exited:", "exited", /^(.*) \((?:exit status|terminated by) /],
  ["stopped:", "stopped", /^(.*) \((?:exit status|terminated by) /],
  ["gave up:", "gave up", /^(.*) entered FATAL state\b/],
];

/** Reads a piece of supervisord's log; its beginning may be cut inside a line unless `isWhole`. */
export function readRunLog(text: string, options: { readonly isWhole: boolean }): RunLog {
  const entriesByName = new Map<string, Entry[]>();
  for (const line of text.split("\n")) {
    const [, day, clock, ms, begin, rest] = LINE.exec(line) ?? [];
    if (begin === undefined || rest === undefined) continue;
    const atMs = timeOf(day!, clock!, ms);
    if (begin === "supervisord started with pid") {
      for (const entries of entriesByName.values()) entries.push({ atMs, what: "started" });
      continue;
    }
    const [, what, pattern] = REST.find(([word]) => word === begin)!;
    const [, name, pid] = pattern.exec(rest) ?? [];
    if (name === undefined) continue;
    const entries = entriesByName.get(name) ?? [];
    entriesByName.set(name, entries);
    entries.push({ atMs, what, ...(pid !== undefined && { pid: Number(pid) }) });
  }
  const [, day, clock, ms] = TIME.exec(text) ?? [];
  const firstMs = day === undefined ? Infinity : timeOf(day, clock!, ms);
  return { entriesByName, beginsAtMs: options.isWhole ? -Infinity : firstMs };
}

function timeOf(day: string, clock: string, ms = "000"): number {
  return new Date(`${day}T${clock}.${ms}`).getTime();
}

/** What the log says about a process; nobody else may have its name. */
export function runHistory({ entriesByName, beginsAtMs }: RunLog, query: RunQuery): RunHistory {
  const entries = entriesByName.get(query.name) ?? [];
  const run = lastRun(entries, query.pid);
  const restarts = restartsBefore(run?.endMs ?? query.atMs, entries, beginsAtMs);
  const failed = query.gaveUp ? failedStarts(entries, beginsAtMs) : undefined;
  return {
    ...(run && { uptimeMs: run.endMs - run.startMs }),
    ...(run?.nextStartMs !== undefined && { nextStartAtMs: run.nextStartMs }),
    ...(restarts && { restarts }),
    ...(failed !== undefined && { failedStarts: failed }),
  };
}

/** The run of the process id, where both its start and its end are there. */
function lastRun(
  entries: readonly Entry[],
  pid: number | undefined,
): LoggedRun | undefined {
  const start = entries.findLastIndex((entry) => entry.what === "spawned" && entry.pid === pid);
  if (pid === undefined || start < 0) return undefined;
  const later = entries.slice(start + 1).filter(({ what }) => what !== "running");
  const [end] = later;
  if (end?.what !== "exited" && end?.what !== "stopped") return undefined;
  const startMs = entries[start]!.atMs;
  // The clock may have been set back in between.
  if (end.atMs < startMs) return undefined;
  const next = later.find(({ what }) => what === "spawned");
  return { startMs, endMs: end.atMs, ...(next && { nextStartMs: next.atMs }) };
}

interface LoggedRun {
  readonly startMs: number;
  readonly endMs: number;
  readonly nextStartMs?: number;
}

function restartsBefore(
  endMs: number,
  entries: readonly Entry[],
  beginsAtMs: number,
): RunHistory["restarts"] {
  const fromMs = endMs - HOUR_MS;
  const count =
    entries.filter(({ atMs, what }, index) =>
      what === "spawned" && atMs > fromMs && atMs <= endMs && entries[index - 1]?.what === "exited"
    ).length;
  return count === 0 ? undefined : { count, isAll: beginsAtMs <= fromMs };
}

/** How many starts lie between the last time that it ran, or was stopped, and the giving up. */
function failedStarts(entries: readonly Entry[], beginsAtMs: number): number | undefined {
  const end = entries.findLastIndex(({ what }) => what === "gave up");
  if (end < 0) return undefined;
  const before = entries.slice(0, end);
  const begin = before.findLastIndex(({ what }) =>
    what === "running" || what === "stopped" || what === "gave up" || what === "started"
  );
  if (begin < 0 && beginsAtMs > -Infinity) return undefined;
  const count = before.slice(begin + 1).filter(({ what }) => what === "spawned").length;
  return count === 0 ? undefined : count;
}
