// Cost: memory, processor time, disk and the size of the file, beside the Python listeners that
// superbell replaces: one process for each way to tell people.

import { executable } from "../tests/support/executable.ts";
import { Folder } from "../tests/support/folder.ts";
import type { Supervisord } from "../tests/support/supervisord.ts";
import { pythonNoop, stateDir, superbell, tutorial, writeConfig } from "./candidates.ts";
import { type ListenerSection, ourSection, section, startDaemon } from "./daemon.ts";
import { million } from "./million.ts";
import { drive, type MemoryKb } from "./pipes.ts";
import { aim, type Measured, type MeasureOptions, type Row, rowOf } from "./row.ts";
import { cpuUs, memoryKb, pause, wakes } from "./usage.ts";

const STARTS = 3;
const IDLE_MS = 20_000;
/**
 * What a listener does at its start is over then: it asks supervisord, and V8 tidies up once, some
 * 30 s after the start.
 */
const SETTLE_MS = 35_000;
const WAITING = 100_000;

const OURS = "superbell";
const THREE = "three Python listeners together";
const PYTHON = ["Python, posts by HTTP", "Python, mails", "Python, runs a command"] as const;

/** Measures it. */
export async function cost({ short }: MeasureOptions): Promise<Measured> {
  using folder = new Folder();
  const durationMs = short ? 500 : IDLE_MS;
  await using place = await openIdle(folder.path);
  const settled = pause(Math.min(SETTLE_MS, durationMs));
  // While they settle there is time for what does not measure them.
  const packed = short ? [] : await packedRows(folder.path);
  const started = await startRows(folder.path, short ? 1 : STARTS);
  await settled;
  const idle = await idleRows(place, durationMs);
  await place.daemon.stop();
  const { afterKb } = await million({ short });
  const full = await waitingRows(folder.path, short ? 500 : WAITING);
  const rows = [
    ...idle,
    ...started,
    ...memoryRows(
      short ? "superbell, after 2,000 events" : "superbell, after 1,000,000 events",
      afterKb,
    ),
    ...full,
    fileRow("superbell", "file", Deno.statSync(executable()).size),
    ...packed,
  ];
  return { rows: withGoals(rows) };
}

function configFor(folder: string, name: string): string {
  return writeConfig(
    folder,
    name,
    `shutdown_window: 0s\nchannels: { c: { type: webhook, url: "http://127.0.0.1:9/" } }
rules: [{ name: r, on: [crash, fatal], to: c }]\n`,
  );
}

async function startRows(folder: string, starts: number): Promise<Row[]> {
  const candidates = [
    { name: OURS, command: superbell(configFor(folder, "start")) },
    { name: PYTHON[0], command: tutorial("http", "http://127.0.0.1:9/") },
    pythonNoop,
  ];
  const times = new Map(candidates.map(({ name }) => [name, [] as number[]]));
  for (let start = 0; start < starts; start++) {
    for (const { name, command } of candidates) {
      times.get(name)!.push((await drive(command, { events: 0, idle_s: 0 })).startMs);
    }
  }
  return [...times].map(([name, rounds]) => rowOf([name, "start to READY"], "ms", rounds));
}

/** A supervisord that has nothing to do, and the listeners under it. */
interface IdlePlace extends AsyncDisposable {
  readonly daemon: Supervisord;
  readonly listeners: readonly { readonly name: string; readonly section: ListenerSection }[];
}

async function openIdle(folder: string): Promise<IdlePlace> {
  const keys = { events: "PROCESS_STATE_EXITED,TICK_60", stderr_logfile: "{dir}/python.log" };
  const listeners = [
    { name: OURS, section: await ourSection("superbell", configFor(folder, "off")) },
    { name: PYTHON[0], section: section("http", tutorial("http", "http://127.0.0.1:9/"), keys) },
    { name: PYTHON[1], section: section("mail", tutorial("mail", "127.0.0.1:9"), keys) },
    { name: PYTHON[2], section: section("command", tutorial("command", "/bin/true"), keys) },
  ];
  const daemon = await startDaemon({ listeners: listeners.map(({ section }) => section) });
  return { daemon, listeners, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

async function idleRows({ daemon, listeners }: IdlePlace, durationMs: number): Promise<Row[]> {
  const pids = listeners.map(({ section }) => daemon.pidOf(section.name));
  const before = pids.map((pid) => ({
    cpuUs: cpuUs(pid),
    wakes: wakes(pid),
    atMs: performance.now(),
  }));
  await pause(durationMs);
  const memories = pids.map(memoryKb);
  const rows = listeners.flatMap(({ name }, index) => {
    const { atMs, ...then } = before[index]!;
    const seconds = (performance.now() - atMs) / 1000;
    return [
      ...memoryRows(name, memories[index]!),
      rowOf([name, "processor, idle"], "% of a core", [
        (cpuUs(pids[index]!) - then.cpuUs) / seconds / 1e4,
      ]),
      rowOf([name, "woken, idle"], "a second", [(wakes(pids[index]!) - then.wakes) / seconds]),
    ];
  });
  const sum = (key: keyof MemoryKb) =>
    memories.slice(1).reduce((total, memory) => total + memory[key], 0);
  return [
    ...rows,
    ...memoryRows(THREE, { rssAnon: sum("rssAnon"), rss: sum("rss"), pss: sum("pss") }),
  ];
}

async function waitingRows(folder: string, events: number): Promise<Row[]> {
  // Gathers for an hour, so that all of them wait.
  const config = writeConfig(
    folder,
    "waiting",
    `shutdown_window: 0s
channels: { c: { type: dingtalk, token: t, endpoint: "http://127.0.0.1:9", digest: 1h } }
rules: [{ name: r, on: exit, to: c }]\n`,
  );
  const { afterKb } = await drive(superbell(config), { events, processes: 100, crash: false });
  const directory = stateDir(folder, "waiting");
  const bytes = [...Deno.readDirSync(directory)]
    .reduce((sum, { name }) => sum + Deno.statSync(`${directory}/${name}`).size, 0);
  const name = `superbell, with ${events.toLocaleString("en")} entries waiting`;
  return [
    ...memoryRows(name, afterKb),
    rowOf([name, "disk for one event"], "bytes", [bytes / events]),
  ];
}

async function packedRows(folder: string): Promise<Row[]> {
  const packed = `${folder}/superbell.xz`;
  try {
    const { success, stderr } = await new Deno.Command("sh", {
      args: ["-c", `exec xz -T0 -c "$0" > "$1"`, executable(), packed],
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`Cannot compress: ${new TextDecoder().decode(stderr)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return [fileRow("superbell", "file, by xz", Deno.statSync(packed).size)];
}

function fileRow(subject: string, figure: string, bytes: number): Row {
  return rowOf([subject, figure], "MB", [bytes / 1e6]);
}

function memoryRows(subject: string, { rssAnon, rss, pss }: MemoryKb): Row[] {
  const mb = (kb: number) => kb * 1024 / 1e6;
  return [
    rowOf([subject, "private memory (RssAnon)"], "MB", [mb(rssAnon)]),
    rowOf([subject, "RSS"], "MB", [mb(rss)]),
    rowOf([subject, "PSS"], "MB", [mb(pss)]),
  ];
}

function withGoals(rows: readonly Row[]): Row[] {
  const three = rows.find(({ subject, figure }) =>
    subject === THREE && figure.startsWith("private")
  )!;
  return rows.map((row) => {
    if (row.subject !== OURS) return row;
    if (row.figure.startsWith("private")) {
      return aim(row, "less than three Python listeners", (mb) => mb < three.value);
    }
    if (row.figure === "processor, idle") return aim(row, "< 0.1 %", (percent) => percent < 0.1);
    return row;
  });
}
