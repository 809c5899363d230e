// Mass kill: many programs die in the same instant under a real supervisord whose buffer for a
// listener holds ten events. It throws most of them away before any listener sees them; superbell
// must tell every crash all the same, once, and say how many events were thrown away.

import { startRobot } from "../support/robot.ts";
import { readIfThere, startSupervisord, type Supervisord } from "../support/supervisord.ts";
import { comes, countEntries, duration, type Row, type Say } from "./figures.ts";
import { alertIdsIn, startReceiver, type Taken, timesTaken } from "./receiver.ts";

/** What dies, and how supervisord treats it. */
export interface MassKillOptions {
  readonly programs: number;
  readonly autorestart: boolean;
  /** `buffer_size=` of both listeners; supervisord's default is 10. */
  readonly bufferSize: number;
  readonly say: Say;
}

/** What superbell says of events that supervisord threw away. */
export interface Gap {
  readonly dropped: number;
  /** Ends of processes that were found out afterwards. */
  readonly recovered: number;
}

/** What came of it. */
export interface MassKillCounts {
  readonly options: Omit<MassKillOptions, "say">;
  /** Events that supervisord threw away for superbell, by its own log. */
  readonly discarded: number;
  /** Of the programs, so many have been told to have crashed. */
  readonly told: number;
  /** From the kill until the last was told. */
  readonly toldWithinMs: number;
  /** Programs whose one crash brought two alerts. */
  readonly toldTwice: number;
  /** Alerts that were sent more than once by the webhook, which gets them one by one. */
  readonly sentTwice: number;
  /** Messages in which the robot told the same alerts. */
  readonly messages: number;
  /** Alerts that its messages name. */
  readonly inMessages: number;
  /** Alerts about the programs that came only after the listener had been killed and started. */
  readonly afterRestart: number;
  /** Whether the listener still told an ordinary crash at the end. */
  readonly stillTells: boolean;
  /** What superbell said of the gap. */
  readonly gaps: readonly Gap[];
  /** Programs that a listener without reconciliation heard of, beside us. */
  readonly naive: number;
}

const TOKEN = "chaos-token-2c81";
const GROUP = "jobs";
const CANARY = "canary";
const TOLD_WITHIN_MS = 30_000;
/** A gap is told when no further one has come for a while. */
const GAP_TOLD_WITHIN_MS = 45_000;
const COMPARED_WITHIN_MS = 15_000;
const START_GAP_WITHIN_MS = 6000;
/** For a large number of programs to be RUNNING on a slow machine. */
const STARTED_WITHIN_MS = 60_000;

/** Kills them all and counts. */
export async function massKill(options: MassKillOptions): Promise<MassKillCounts> {
  const { programs, say } = options;
  await using robot = startRobot({ token: TOKEN });
  await using hook = startReceiver(() => "takes");
  await using supervisord = await startSupervisord({
    config: configText(robot.endpoint, hook.origin),
    programs: programsText(options),
    keys: { buffer_size: String(options.bufferSize) },
  });
  const stateDir = `${supervisord.dir}/state`;
  const settled = async () => {
    await comes(() => countEntries(stateDir, "waiting") === 0, TOLD_WITHIN_MS);
  };
  await supervisord.until(
    `${programs} programs to be RUNNING`,
    () => running(supervisord) === programs,
    STARTED_WITHIN_MS,
  );
  await compared(supervisord, 1);
  await settled();
  // Starting so many has made a gap of its own; it must not be told together with the next one.
  await comes(() => gapsIn(hook.taken).length > 0, START_GAP_WITHIN_MS);
  const before = { discarded: discarded(supervisord), gaps: gapsIn(hook.taken).length };
  const gaps = () => gapsIn(hook.taken).slice(before.gaps);
  const discardedSince = () => discarded(supervisord) - before.discarded;
  say(`${programs} programs run, autorestart=${options.autorestart}`);

  const pids = jobPids(supervisord);
  // While it stands still all of them die: for supervisord that is one instant on any machine.
  Deno.kill(supervisord.pid, "SIGSTOP");
  for (const pid of pids) Deno.kill(pid, "SIGKILL");
  Deno.kill(supervisord.pid, "SIGCONT");
  const killAtMs = performance.now();
  await comes(() => crashesIn(hook.taken).size >= programs, TOLD_WITHIN_MS);
  const toldWithinMs = performance.now() - killAtMs;
  await settled();
  const told = crashesIn(hook.taken).size;
  const alertsBefore = alertsIn(hook.taken).size;
  say(`told ${told} of ${programs} in ${duration(toldWithinMs)}`);
  await comes(() => sumOf(gaps()) >= discardedSince(), GAP_TOLD_WITHIN_MS);
  // A kill between the taking and its being written down would send the last one again, rightly.
  await settled();

  // A start compares as well: what has been told must not be told again by it.
  Deno.kill(supervisord.pidOf("superbell"), "SIGKILL");
  await supervisord.until(
    "the listener to be RUNNING again",
    () => supervisord.log().split("success: superbell entered RUNNING state").length === 3,
  );
  Deno.kill(supervisord.pidOf(CANARY), "SIGKILL");
  const stillTells = await comes(() => documents(hook.taken, CANARY).length > 0, TOLD_WITHIN_MS);
  await compared(supervisord, 2);
  await settled();
  const crashes = crashesIn(hook.taken);
  const ids = alertsIn(hook.taken);
  const inMessages = new Set(robot.messages.flatMap(({ text }) => alertIdsIn(text)));
  return {
    options,
    discarded: discardedSince(),
    told,
    toldWithinMs,
    toldTwice: [...crashes.values()].filter((ids) => ids.size > 1).length,
    sentTwice: [...timesTaken(hook.taken)].filter(([, times]) => times > 1).length,
    messages:
      robot.messages.filter(({ text }) => alertIdsIn(text).some((id) => ids.has(id))).length,
    inMessages: [...ids].filter((id) => inMessages.has(id)).length,
    afterRestart: ids.size - alertsBefore,
    stillTells,
    gaps: gaps(),
    naive: new Set(readIfThere(`${supervisord.dir}/naive.heard`).split("\n").filter(isJob)).size,
  };
}

/** The lines of the summary. */
export function massKillRows(counts: MassKillCounts): Row[] {
  const { programs, autorestart, bufferSize } = counts.options;
  const dropped = sumOf(counts.gaps);
  const recovered = counts.gaps.reduce((sum, gap) => sum + gap.recovered, 0);
  return [
    {
      what: `told, autorestart=${autorestart}, buffer_size=${bufferSize}`,
      figure: `${counts.told} of ${programs} in ${duration(counts.toldWithinMs)}`,
      goal: "all",
      kept: counts.told === programs,
    },
    { what: "a listener that does not compare", figure: `${counts.naive} of ${programs}` },
    {
      what: "messages of the robot",
      figure: `${counts.messages} with ${counts.inMessages} alerts`,
      goal: "a few, with all",
      kept: counts.messages <= 5 && counts.inMessages >= programs,
    },
    {
      what: "told twice / sent twice",
      figure: `${counts.toldTwice} / ${counts.sentTwice}`,
      goal: "0 / 0",
      kept: counts.toldTwice === 0 && counts.sentTwice === 0,
    },
    {
      what: "events discarded by supervisord",
      figure: String(counts.discarded),
    },
    {
      what: "told about the gap",
      figure: `${counts.gaps.length} alerts: ${dropped} dropped, ${recovered} recovered`,
      goal: "the same number",
      kept: dropped === counts.discarded,
    },
    {
      what: "after a kill -9 and start of the listener",
      figure: `${counts.afterRestart} more, ${
        counts.stillTells ? "tells on" : "tells nothing more"
      }`,
      goal: "0 more, tells on",
      kept: counts.afterRestart === 0 && counts.stillTells,
    },
  ];
}

function configText(robot: string, hook: string): string {
  return `
language: en
state_dir: "{dir}/state"
log_level: debug
channels:
  robot: { type: dingtalk, token: ${TOKEN}, endpoint: "${robot}" }
  hook: { type: webhook, url: "${hook}/hook", concurrency: 4 }
rules:
  - { name: crash, on: [crash], where: { group: [${GROUP}, ${CANARY}] }, resolved: false, to: [robot, hook] }
  - { name: gap, on: [gap], to: [hook] }
`;
}

function programsText({ programs, autorestart, bufferSize }: MassKillOptions): string {
  const naive = new URL("naive_listener.py", import.meta.url).pathname;
  const quiet = "redirect_stderr=true\nstdout_logfile=NONE";
  return `
[program:${GROUP}]
command=/bin/sleep 100000
process_name=job_%(process_num)03d
numprocs=${programs}
autorestart=${autorestart}
${quiet}

[program:${CANARY}]
command=/bin/sleep 100000
autorestart=false
${quiet}

[eventlistener:naive]
command=/usr/bin/python3 ${naive} {dir}/naive.heard
events=PROCESS_STATE_EXITED
buffer_size=${bufferSize}
priority=-50
stdout_logfile=NONE
`;
}

function isJob(name: string): boolean {
  return /^job_\d+$/.test(name);
}

function running(supervisord: Supervisord): number {
  return supervisord.log().match(/success: job_\d+ entered RUNNING state/g)?.length ?? 0;
}

/** The process id that each of the programs has now. */
function jobPids(supervisord: Supervisord): number[] {
  const spawned = supervisord.log().matchAll(/spawned: '(job_\d+)' with pid (\d+)$/gm);
  return [...new Map([...spawned].map(([, name, pid]) => [name, Number(pid)])).values()];
}

function discarded(supervisord: Supervisord): number {
  return supervisord.log()
    .match(/pool superbell event buffer overflowed, discarding event/g)?.length ?? 0;
}

interface Document {
  readonly id: string;
  readonly on: string;
  readonly process: { readonly name: string } | null;
  readonly gap: Gap | null;
}

function documents(taken: readonly Taken[], name?: string): Document[] {
  return taken.flatMap(({ document }) => document === undefined ? [] : [document as never])
    .filter((document: Document) => name === undefined || document.process?.name === name);
}

/** The alerts about each of the programs. */
function crashesIn(taken: readonly Taken[]): ReadonlyMap<string, ReadonlySet<string>> {
  const crashes = new Map<string, Set<string>>();
  for (const { id, on, process } of documents(taken)) {
    if (on !== "crash" || process === null || !isJob(process.name)) continue;
    crashes.set(process.name, (crashes.get(process.name) ?? new Set()).add(id));
  }
  return crashes;
}

function alertsIn(taken: readonly Taken[]): ReadonlySet<string> {
  return new Set([...crashesIn(taken).values()].flatMap((ids) => [...ids]));
}

function gapsIn(taken: readonly Taken[]): Gap[] {
  return documents(taken).flatMap(({ gap }) => gap === null ? [] : [gap]);
}

/** Events that supervisord has dropped, as superbell has told. */
export function sumOf(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, { dropped }) => sum + dropped, 0);
}

/** Waits for the comparison with supervisord's list that every start makes. */
async function compared(supervisord: Supervisord, starts: number): Promise<void> {
  await comes(
    () => supervisord.listenerLog().split("supervisord's list (start)").length > starts,
    COMPARED_WITHIN_MS,
  );
}
