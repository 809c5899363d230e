// Time to the phone: from a program's death to the request at the channel, on a supervisord that
// has nothing else to do, for several intervals of `supervisor.nudge`; and what the nudging costs.
// All settings run at the same time, each with a supervisord of its own, for they mostly sleep.

import { SupervisorClient } from "../src/supervisor/client.ts";
import type { AlertDocument } from "../src/alerts/document.ts";
import { Folder } from "../tests/support/folder.ts";
import { type HttpServer, startHttpServer } from "../tests/support/http_server.ts";
import type { Supervisord } from "../tests/support/supervisord.ts";
import { tutorial, writeConfig } from "./candidates.ts";
import { type ListenerSection, ourSection, section, startDaemon } from "./daemon.ts";
import { aim, type Measured, type MeasureOptions, quantile, type Row, rowOf } from "./row.ts";
import { cpuUs, pause } from "./usage.ts";

const NUDGES = ["0s", "1s", "200ms", "50ms"];
const PYTHON_TUTORIAL = "Python as in tutorials";
/** Supervisords for each setting. */
const EACH = 2;
const DEATHS = 25;
const IDLE_MS = 12_000;
/** What a listener does at its start is over then. */
const SETTLE_MS = 6000;
const CALLS = 500;
const LOOP_MS = 5000;

/** Between two deaths, so that each comes at another moment of supervisord's second. */
const LEAST_PAUSE_MS = 300;
const PAUSE_RANGE_MS = 1000;

/** One program for each death: what dies again soon is not told again. */
function programs(deaths: number): string {
  return `
[program:job]
command=/bin/sleep 100000
process_name=job_%(process_num)02d
numprocs=${deaths}
startsecs=0
autorestart=true
stdout_logfile=NONE
stderr_logfile=NONE

[program:loop]
command=/bin/sleep 0.02
exitcodes=1
autostart=false
startsecs=0
autorestart=true
stdout_logfile=NONE
stderr_logfile=NONE
`;
}

interface Death {
  /** From the death to the request at the channel. */
  readonly toldMs: number;
  /** The part until our listener had the event; undefined where it does not say. */
  readonly eventMs: number | undefined;
  /** Until supervisord had started the program again. */
  readonly restartMs: number;
}

/** One supervisord with one listener and the channel. */
interface Place {
  readonly daemon: Supervisord;
  readonly receiver: HttpServer;
  readonly arrivals: readonly { readonly atMs: number; readonly body: string }[];
}

/** Measures it. */
export async function latency({ short }: MeasureOptions): Promise<Measured> {
  using folder = new Folder();
  await using places = new AsyncDisposableStack();
  const settings = short ? NUDGES.slice(2) : NUDGES;
  const deaths = short ? 2 : DEATHS;
  const named = [
    ...settings.map((nudge) => ({ name: `superbell, nudge ${nudge}`, nudge })),
    { name: PYTHON_TUTORIAL, nudge: undefined },
  ];
  const groups = await Promise.all(named.map(async ({ name, nudge }) => {
    const opened = await Promise.all(Array.from({ length: short ? 1 : EACH }, async (_, index) => {
      const name = `n${nudge ?? "python"}-${index}`;
      return await open(places, folder.path, { nudge, name, deaths });
    }));
    return { name, nudge, places: opened };
  }));
  const idle = await Promise.all(
    groups.map(({ places: [place] }) => idleOf(place!.daemon, short ? 500 : IDLE_MS)),
  );
  const died = await Promise.all(groups.map(async (group) => {
    const each = group.places.map((place) => die(place, deaths));
    return (await Promise.all(each)).flat();
  }));
  const calls = await callRows(groups.at(-1)!.places[0]!.daemon, short ? 20 : CALLS);
  const starts = await Promise.all(
    groups.map(({ places: [place] }) => startsOf(place!.daemon, short ? 500 : LOOP_MS)),
  );
  return {
    rows: [
      ...groups.flatMap(({ name, nudge }, index) => deathRows(name, nudge, died[index]!)),
      ...groups.map(({ name }, index) =>
        rowOf([name, "starts of a program that ends at once"], "a second", [starts[index]!])
      ),
      ...groups.flatMap(({ name }, index) => idleRows(name, idle[index]!)),
      ...calls,
    ],
  };
}

async function open(
  stack: AsyncDisposableStack,
  folder: string,
  { name, nudge, deaths }: {
    readonly name: string;
    readonly nudge: string | undefined;
    readonly deaths: number;
  },
): Promise<Place> {
  const arrivals: { atMs: number; body: string }[] = [];
  const receiver = stack.use(startHttpServer(({ body }) => {
    arrivals.push({ atMs: nowMs(), body });
    return new Response();
  }));
  const listener = nudge === undefined ? pythonSection(receiver.origin) : await ourSection(
    "superbell",
    writeConfig(
      folder,
      name,
      `supervisor: { nudge: ${nudge} }
channels: { c: { type: webhook, url: "${receiver.origin}/" } }
rules: [{ name: r, on: [crash, fatal], to: c }]\n`,
    ),
  );
  const daemon = stack.use(
    await startDaemon({ listeners: [listener], programs: programs(deaths) }),
  );
  return { daemon, receiver, arrivals };
}

function pythonSection(url: string): ListenerSection {
  return section("superbell", tutorial("http", url), {
    events: "PROCESS_STATE_EXITED",
    stderr_logfile: "{dir}/superbell.log",
  });
}

/** What an idle supervisord and its listener use, in microseconds of processor time a second. */
async function idleOf(
  daemon: Supervisord,
  durationMs: number,
): Promise<{ readonly supervisord: number; readonly listener: number }> {
  const pid = daemon.pidOf("superbell");
  await pause(Math.min(SETTLE_MS, durationMs));
  const before = { supervisord: cpuUs(daemon.pid), listener: cpuUs(pid), atMs: nowMs() };
  await pause(durationMs);
  const seconds = (nowMs() - before.atMs) / 1000;
  return {
    supervisord: (cpuUs(daemon.pid) - before.supervisord) / seconds,
    listener: (cpuUs(pid) - before.listener) / seconds,
  };
}

async function die({ daemon, arrivals }: Place, times: number): Promise<Death[]> {
  const deaths: Death[] = [];
  for (let index = 0; index < times; index++) {
    await pause(LEAST_PAUSE_MS + Math.random() * PAUSE_RANGE_MS);
    const job = `job_${String(index).padStart(2, "0")}`;
    const pid = daemon.pidOf(job);
    const diedAtMs = nowMs();
    Deno.kill(pid, "SIGKILL");
    const arrival = await daemon.until(
      "the death to be told",
      // That it runs again is told as well, later.
      () => arrivals.find(({ body }) => body.includes(job)),
    );
    await daemon.until("the job's restart", () => daemon.pidsOf(job).length === 2);
    const { at } = JSON.parse(arrival.body) as Partial<AlertDocument>;
    deaths.push({
      toldMs: arrival.atMs - diedAtMs,
      eventMs: at === undefined ? undefined : Date.parse(at) - diedAtMs,
      restartMs: lastSpawnMs(daemon, job) - diedAtMs,
    });
  }
  return deaths;
}

/** When supervisord's log says that it spawned the job the last time. */
function lastSpawnMs(daemon: Supervisord, job: string): number {
  const line = daemon.log().split("\n").findLast((line) => line.includes(`spawned: '${job}'`))!;
  const [date, time] = line.split(" ");
  return Date.parse(`${date}T${time!.replace(",", ".")}Z`); // it runs with TZ=UTC
}

/** How often a second supervisord starts a program that ends at once. */
async function startsOf(daemon: Supervisord, durationMs: number): Promise<number> {
  const client = new SupervisorClient({ url: `unix://${daemon.dir}/supervisor.sock` });
  await client.call("supervisor.startProcess", ["loop", false]);
  const before = daemon.pidsOf("loop").length;
  await pause(durationMs);
  const starts = daemon.pidsOf("loop").length - before;
  return starts / durationMs * 1000;
}

function deathRows(name: string, nudge: string | undefined, deaths: readonly Death[]): Row[] {
  const told = deaths.map(({ toldMs }) => toldMs);
  const events = deaths.flatMap(({ eventMs }) => eventMs ?? []);
  const own = deaths.flatMap(({ toldMs, eventMs }) =>
    eventMs === undefined ? [] : toldMs - eventMs
  );
  const restarts = deaths.map(({ restartMs }) => restartMs);
  const row = (what: string, values: readonly number[], share: number): Row => ({
    subject: name,
    figure: what,
    unit: "ms",
    value: quantile(values, share),
  });
  const rows = [row("death to request, p50", told, 0.5), row("death to request, p99", told, 0.99)];
  if (nudge !== undefined) {
    rows.push(
      row("until the listener has the event, p50", events, 0.5),
      row("from there to the request, p50", own, 0.5),
      row("from there to the request, p99", own, 0.99),
    );
  }
  return [...rows, row("death to restart, p50", restarts, 0.5)];
}

function idleRows(
  name: string,
  { supervisord, listener }: { readonly supervisord: number; readonly listener: number },
): Row[] {
  const percent = (us: number) => us / 1e4;
  const rows = [
    rowOf([name, "supervisord idle"], "% of a core", [percent(supervisord)]),
    rowOf([name, "listener idle"], "% of a core", [percent(listener)]),
  ];
  if (!name.endsWith("nudge 0s")) return rows;
  return [rows[0]!, aim(rows[1]!, "< 0.1 %", (value) => value < 0.1)];
}

/** What a call costs supervisord, over one connection and over one each. */
async function callRows(daemon: Supervisord, calls: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const keepsConnection of [true, false]) {
    const url = `unix://${daemon.dir}/supervisor.sock`;
    const client = new SupervisorClient({ url }, { keepsConnection });
    const before = cpuUs(daemon.pid);
    for (let call = 0; call < calls; call++) await client.call("supervisor.getPID");
    client.close();
    const how = keepsConnection ? "over one connection" : "over a connection of its own";
    rows.push(
      rowOf([`one nudge ${how}`, "supervisord's time"], "µs", [
        (cpuUs(daemon.pid) - before) / calls,
      ]),
    );
  }
  return rows;
}

/** As Date.now(), but finer than a millisecond. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
