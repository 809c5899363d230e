// Loss: storms of programs that die, one by one and all in one instant, and channels that take
// their time. Each listener meets the same storms with three channels at once, which take 0, 0.2
// and 2 s for a message. Counted is what people were told: the names in the texts that arrived.

import { Folder } from "../tests/support/folder.ts";
import { type HttpServer, startHttpServer } from "../tests/support/http_server.ts";
import type { Supervisord } from "../tests/support/supervisord.ts";
import { tutorial, writeConfig } from "./candidates.ts";
import { type ListenerSection, ourSection, section, startDaemon } from "./daemon.ts";
import { aim, type Measured, type MeasureOptions, type Row } from "./row.ts";
import { pause, wakes } from "./usage.ts";

const STORMS = [10, 100, 300, 1000];
const TAKES_MS = [0, 200, 2000];
/** Storms that leave the machine room for both listeners' supervisords at the same time. */
const SMALL = 100;
/** One death after the other. */
const SPACING_MS = 5;

/** How long people wait for news from each listener after the last death of a storm. */
const MANNERS = ["one by one", "in one instant"] as const;
type Manner = typeof MANNERS[number];

/** How long people wait for a storm's news, and for what still waits then. */
interface Patience {
  readonly newsMs: number;
  readonly drainMs: number;
}

const PATIENCE = {
  superbell: { newsMs: 20_000, drainMs: 20_000 },
  python: { newsMs: 2500, drainMs: 10_000 },
};
const SHORT_PATIENCE = { newsMs: 2000, drainMs: 30_000 };

/** A listener is calm when it is woken no more often than this in a while; idle it is 5 times. */
const CALM_MS = 1500;
const CALM_WAKES = 20;
/** Before that superbell has not looked at supervisord's list yet, and is calm as well. */
const LEAST_BEFORE_MS = 3500;
const CALM_WITHIN_MS = 60_000;

/**
 * What the goal allows beyond the channel's own time for the message in hand and the next one;
 * supervisord's own second before its listener gets to know is not in it.
 */
const GRACE_MS = 2000;
const SUPERVISORD_MS = 1000;

interface Storm {
  readonly deaths: number;
  readonly manner: Manner;
}

/** A robot's group of people. */
interface Room {
  readonly takesMs: number;
  readonly receiver: HttpServer;
  /** When each process was told first: once the robot has said yes. */
  readonly toldAtMs: Map<string, number>;
  /** From now on it takes no time: what waits only has to be counted. */
  hurried: boolean;
}

interface Told {
  readonly storm: string;
  readonly takesMs: number;
  readonly deaths: number;
  readonly told: number;
  /** From the last death to the last news; undefined when we did not wait for all of it. */
  readonly lastMs: number | undefined;
}

/** Measures it. */
export async function loss({ short }: MeasureOptions): Promise<Measured> {
  using folder = new Folder();
  const storms = short
    ? [{ deaths: 10, manner: "in one instant" } as const]
    : STORMS.flatMap((deaths) => MANNERS.map((manner) => ({ deaths, manner })));
  const rows: Row[] = [];
  for (const [index, storm] of storms.entries()) {
    const sectionsOfOurs = async (rooms: readonly Room[]) => [
      await ourSection(
        "superbell",
        writeConfig(folder.path, `superbell${index}`, configFor(rooms)),
      ),
    ];
    const sectionsOfPython = (rooms: readonly Room[]) => Promise.resolve(rooms.map(pythonSection));
    const patience = short ? { superbell: SHORT_PATIENCE, python: SHORT_PATIENCE } : PATIENCE;
    await using stack = new AsyncDisposableStack();
    // The programs take longest to start, and may well do that side by side.
    const [ourPlace, pythonPlace] = await Promise.all([
      open(stack, storm, sectionsOfOurs),
      open(stack, storm, sectionsOfPython),
    ]);
    if (!short) await Promise.all([calm(ourPlace), calm(pythonPlace)]);
    const [ours, python] = storm.deaths <= SMALL
      ? await Promise.all([
        strike(ourPlace, storm, patience.superbell),
        strike(pythonPlace, storm, patience.python),
      ])
      : [
        await strike(ourPlace, storm, patience.superbell),
        await strike(pythonPlace, storm, patience.python),
      ];
    rows.push(...ours.flatMap((told, room) => rowsOf(told, python[room]!)));
  }
  return { rows };
}

function configFor(rooms: readonly Room[]): string {
  const channels = rooms.map(({ takesMs, receiver }) =>
    `  c${takesMs}: { type: dingtalk, token: t${takesMs}, endpoint: "${receiver.origin}" }`
  );
  const names = rooms.map(({ takesMs }) => `c${takesMs}`).join(", ");
  return `language: en
channels:
${channels.join("\n")}
rules: [{ name: r, on: [crash, fatal], to: [${names}] }]\n`;
}

/** With the keys of the tutorials; buffer_size is not among them. */
function pythonSection({ takesMs, receiver }: Room): ListenerSection {
  return section(`python_${takesMs}`, tutorial("http", `${receiver.origin}/`), {
    events: "PROCESS_STATE_EXITED",
    stderr_logfile: `{dir}/python_${takesMs}.log`,
  });
}

/** A supervisord with its programs and listeners, and who is told. */
interface Place {
  readonly daemon: Supervisord;
  readonly listeners: readonly ListenerSection[];
  readonly rooms: readonly Room[];
  readonly pids: readonly number[];
}

/** Starts all that a storm goes over; it ends with the stack. */
async function open(
  stack: AsyncDisposableStack,
  { deaths }: Storm,
  listenersFor: (rooms: readonly Room[]) => Promise<readonly ListenerSection[]>,
): Promise<Place> {
  const rooms = TAKES_MS.map((takesMs) => openRoom(takesMs));
  for (const { receiver } of rooms) stack.use(receiver);
  const listeners = await listenersFor(rooms);
  const daemon = stack.use(await startDaemon({ listeners, programs: programs(deaths) }));
  const pids = await daemon.until("the programs to run", () => {
    const found = pidsOf(daemon);
    return found.length >= deaths && found;
  }, 60_000);
  return { daemon, listeners, rooms, pids };
}

/** Waits until the listeners have taken what the start brought: a storm of its own. */
async function calm({ daemon, listeners }: Place): Promise<void> {
  const woken = () => listeners.reduce((sum, { name }) => sum + wakes(daemon.pidOf(name)), 0);
  await pause(LEAST_BEFORE_MS);
  await daemon.until("the calm before the storm", async () => {
    const before = woken();
    await pause(CALM_MS);
    return woken() - before <= CALM_WAKES;
  }, CALM_WITHIN_MS);
}

/** Lets the storm come; answers what each room was told. */
async function strike(
  { daemon, rooms, pids }: Place,
  { deaths, manner }: Storm,
  patience: Patience,
): Promise<Told[]> {
  await kill(pids, manner);
  const endedAtMs = Date.now();
  const isOver = (room: Room) => room.toldAtMs.size + discarded(daemon, room) >= deaths;
  await untilOr(() => rooms.every(isOver), patience.newsMs);
  const complete = rooms.map(isOver);
  for (const room of rooms) room.hurried = true;
  await untilOr(() => rooms.every(isOver), patience.drainMs);
  return rooms.map(({ takesMs, toldAtMs }, index) => ({
    storm: `${deaths.toLocaleString("en")} deaths ${manner}`,
    takesMs,
    deaths,
    told: toldAtMs.size,
    lastMs: complete[index]! ? Math.max(...toldAtMs.values()) - endedAtMs : undefined,
  }));
}

function programs(count: number): string {
  // Two pipes each. No more than needed: each child closes so many descriptors as it starts.
  return `
[supervisord]
minfds=${2 * count + 500}
minprocs=${count + 100}

[program:job]
command=/bin/sleep 100000
process_name=job_%(process_num)04d
numprocs=${count}
startsecs=0
autorestart=false
redirect_stderr=true
stdout_logfile=NONE
`;
}

function openRoom(takesMs: number): Room {
  const toldAtMs = new Map<string, number>();
  const receiver = startHttpServer(async ({ body }) => {
    const endMs = Date.now() + takesMs;
    while (!room.hurried && Date.now() < endMs) await pause(Math.min(20, endMs - Date.now()));
    for (const name of namesIn(body)) if (!toldAtMs.has(name)) toldAtMs.set(name, Date.now());
    return Response.json({ errcode: 0, errmsg: "ok" });
  });
  const room = { takesMs, receiver, toldAtMs, hurried: false };
  return room;
}

/** Every process that a text names, also in the folded form: `job_[0000-0004,0007]`. */
function namesIn(text: string): string[] {
  const single = [...text.matchAll(/\bjob_\d{4}\b/g)].map(([name]) => name);
  const folded = [...text.matchAll(/\bjob_\[([\d,-]+)\]/g)].flatMap(([, ranges]) =>
    ranges!.split(",").flatMap((range) => {
      const [from, to = from] = range.split("-").map(Number);
      const number = (index: number) => String(from! + index).padStart(4, "0");
      return Array.from({ length: to! - from! + 1 }, (_, index) => `job_${number(index)}`);
    })
  );
  return [...single, ...folded];
}

/** Events that supervisord threw away for this room's listener. */
function discarded(daemon: Supervisord, { takesMs }: Room): number {
  return daemon.log().split(`pool python_${takesMs} event buffer overflowed`).length - 1;
}

/** The process id of every program. */
function pidsOf(daemon: Supervisord): number[] {
  return [...daemon.log().matchAll(/spawned: 'job_\d{4}' with pid (\d+)$/gm)]
    .map(([, pid]) => Number(pid));
}

async function kill(pids: readonly number[], manner: Manner): Promise<void> {
  for (const [index, pid] of pids.entries()) {
    if (manner === "one by one" && index > 0) await pause(SPACING_MS);
    Deno.kill(pid, "SIGKILL");
  }
}

/** Waits for it, but not for ever. */
async function untilOr(holds: () => boolean, withinMs: number): Promise<void> {
  const endMs = Date.now() + withinMs;
  while (!holds() && Date.now() < endMs) await pause(50);
}

function rowsOf(ours: Told, python: Told): Row[] {
  const { storm, takesMs } = ours;
  const subject = `${storm}, channel takes ${takesMs / 1000} s`;
  const told = ({ told, deaths }: Told) => 100 * told / deaths;
  const seconds = ({ lastMs }: Told) => lastMs === undefined ? NaN : lastMs / 1000;
  const mostS = (2 * takesMs + GRACE_MS + SUPERVISORD_MS) / 1000;
  const row = (figure: string, value: number, unit: string): Row => (
    { subject, figure, value, unit }
  );
  return [
    aim(row("told by superbell", told(ours), "%"), "100 %", (percent) => percent === 100),
    aim(
      row("superbell's last news after", seconds(ours), "s"),
      `≤ ${mostS} s`,
      (lastS) => lastS <= mostS,
    ),
    row("told by Python", told(python), "%"),
    row("Python's last news after", seconds(python), "s"),
  ];
}
