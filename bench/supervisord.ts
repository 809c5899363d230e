// Under a real supervisord: how many events a second it gets through each listener, and what
// that costs both. A program writes lines as fast as supervisord reads them, each a PROCESS_LOG
// event of its own; supervisord is busy all the time, so whoever answers faster gets more. Twice:
// ahead of all others, as the answer time is measured, and as people run it.

import { SupervisorClient } from "../src/supervisor/client.ts";
import { Folder } from "../tests/support/folder.ts";
import {
  buildC,
  crashmail,
  fileOf,
  PYTHON,
  pythonNoop,
  superbell,
  writeConfig,
} from "./candidates.ts";
import { section, startDaemon } from "./daemon.ts";
import { against, aim, type Measured, type MeasureOptions, type Row, rowOf } from "./row.ts";
import { mayPutAhead, putAhead } from "./priority.ts";
import { cpuUs, pause, wakes } from "./usage.ts";

const ROUNDS = 3;
const EVENTS = 10_000;
const QUIET_MS = 150;
const LOOK_EVERY_MS = 5;
const OURS = "superbell";
const USUAL = "at the usual priority";

interface Round {
  readonly perSecond: number;
  /** Microseconds of processor time for each event. */
  readonly listenerUs: number;
  readonly supervisordUs: number;
}

/** Measures it. */
export async function supervisord({ short }: MeasureOptions): Promise<Measured> {
  using folder = new Folder();
  const rounds = short ? 1 : ROUNDS;
  const events = short ? 1000 : EVENTS;
  // Looks at each line and finds nothing, as most rules for logs do most of the time.
  const config = writeConfig(
    folder.path,
    "superbell",
    `channels: { c: { type: webhook, url: "http://127.0.0.1:9/" } }
rules: [{ name: r, on: process_log, where: { text: "ERROR|CRITICAL" }, to: c }]\n`,
  );
  const candidates = [pythonNoop, await buildC(folder.path), await crashmail(), {
    name: OURS,
    command: superbell(config),
  }].filter((candidate) => candidate !== undefined);
  const manners = [...(await mayPutAhead() ? [{ isAhead: true }] : []), { isAhead: false }];
  const rows: Row[] = [];
  for (const manner of manners) {
    const results = new Map(candidates.map(({ name }) => [name, [] as Round[]]));
    for (let round = 0; round < rounds; round++) {
      for (const { name, command } of candidates) {
        results.get(name)!.push(await spam(command, { events, ...manner }));
      }
    }
    const all = [...results.keys()].flatMap((name) => rowsOf(name, results));
    const subjectOf = (name: string) => manner.isAhead ? name : `${name}, ${USUAL}`;
    rows.push(...all.map((row) => ({ ...row, subject: subjectOf(row.subject) })));
  }
  return { rows };
}

async function spam(
  command: readonly string[],
  { events, isAhead }: { readonly events: number; readonly isAhead: boolean },
): Promise<Round> {
  await using daemon = await startDaemon({
    listeners: [section("listener", command, {
      events: "PROCESS_LOG",
      buffer_size: String(events + 1),
      stdout_logfile: "NONE",
      stderr_logfile: "{dir}/listener.log",
    })],
    programs: `
[program:spam]
command=${PYTHON} ${fileOf("spam.py")} ${events} {dir}/begun
autostart=false
autorestart=false
startsecs=0
stdout_logfile=NONE
stdout_events_enabled=true
`,
  });
  const pid = daemon.pidOf("listener");
  for (const measured of isAhead ? [daemon.pid, pid] : []) await putAhead(measured);
  const before = { listener: cpuUs(pid), supervisord: cpuUs(daemon.pid) };
  const client = new SupervisorClient({ url: `unix://${daemon.dir}/supervisor.sock` });
  await client.call("supervisor.startProcess", ["spam", false]);
  const begunMs = await daemon.until("the lines", () => readBegun(daemon.dir), 120_000);
  const endedMs = await quiet(pid);
  const used = {
    listener: cpuUs(pid) - before.listener,
    supervisord: cpuUs(daemon.pid) - before.supervisord,
  };
  if (daemon.pidOf("listener") !== pid || daemon.log().includes("event buffer overflowed")) {
    throw new Error(`Cannot trust the figures: events were lost\n${daemon.tails()}`);
  }
  return {
    perSecond: events / (endedMs - begunMs) * 1000,
    listenerUs: used.listener / events,
    supervisordUs: used.supervisord / events,
  };
}

function readBegun(dir: string): number | undefined {
  try {
    return Number(Deno.readTextFileSync(`${dir}/begun`)) * 1000;
  } catch {
    return undefined; // not there yet
  }
}

/** When the listener began to get nothing more. */
async function quiet(pid: number): Promise<number> {
  let last = { atMs: Date.now(), wakes: wakes(pid) };
  while (Date.now() - last.atMs < QUIET_MS) {
    await pause(LOOK_EVERY_MS);
    const now = wakes(pid);
    // A timer of its own may wake it; an event wakes it at least once as well.
    if (now - last.wakes > 2) last = { atMs: Date.now(), wakes: now };
  }
  return last.atMs;
}

function rowsOf(name: string, results: ReadonlyMap<string, readonly Round[]>): Row[] {
  const figures = [
    ["events a second", "", "perSecond"],
    ["listener's processor time for one", "µs", "listenerUs"],
    ["supervisord's processor time for one", "µs", "supervisordUs"],
  ] as const;
  return figures.map(([what, unit, key]) => {
    const rowFor = (other: string) =>
      rowOf([other, what], unit, results.get(other)!.map((round) => round[key]));
    if (name === pythonNoop.name) return rowFor(name);
    const row = against(rowFor(name), rowFor(pythonNoop.name), "Python");
    if (name !== OURS || key !== "perSecond") return row;
    return aim(row, "≥ 0.95× Python", (ratio) => ratio >= 0.95);
  });
}
