// Slow channel: many programs crash while every message takes seconds to send. supervisord must
// not notice: its events are answered at once, none is lost, and in the end all are told.

import { executable } from "../support/executable.ts";
import { readIfThere, startSupervisord, type Supervisord } from "../support/supervisord.ts";
import { comes, countEntries, duration, pause, percentile, type Row, type Say } from "./figures.ts";
import { startReceiver, timesTaken } from "./receiver.ts";

/** How many crash, and how slow the channels are. */
export interface SlowChannelOptions {
  readonly crashes: number;
  /** How long both services take for each message. */
  readonly answerAfterMs: number;
  /** The crashes are spread over so long. */
  readonly spreadMs: number;
  /** Messages that the webhook sends at the same time. */
  readonly concurrency: number;
  readonly bufferSize: number;
  readonly say: Say;
}

/** What came of it. */
export interface SlowChannelCounts {
  readonly options: Omit<SlowChannelOptions, "say">;
  /** Alerts that each channel told, of the crashes. */
  readonly toldByHook: number;
  readonly toldByRobot: number;
  /** Messages of the robot, which gathers. */
  readonly robotMessages: number;
  /** Alerts that a channel sent more than once. */
  readonly sentTwice: number;
  /** Events that supervisord threw away from the first crash on, by its own log. */
  readonly discarded: number;
  /** How long supervisord waited for the answer to each event, in milliseconds. */
  readonly waitsMs: readonly number[];
  readonly tookMs: number;
}

const TOKEN = "chaos-token-77f0";
const GROUP = "jobs";
const STARTED_WITHIN_MS = 60_000;

/** Lets them crash and counts. */
export async function slowChannel(options: SlowChannelOptions): Promise<SlowChannelCounts> {
  const { crashes, answerAfterMs, say } = options;
  await using service = startReceiver(() => pause(answerAfterMs).then(() => "takes"));
  const clock = new URL("pipe_clock.py", import.meta.url).pathname;
  await using supervisord = await startSupervisord({
    config: `
language: en
state_dir: "{dir}/state"
channels:
  hook: { type: webhook, url: "${service.origin}/hook", concurrency: ${options.concurrency} }
  robot: { type: dingtalk, token: ${TOKEN}, endpoint: "${service.origin}" }
rules:
  - { name: crash, on: [crash], where: { group: ${GROUP} }, resolved: false, to: [hook, robot] }
`,
    programs: `
[program:${GROUP}]
command=/bin/sleep 100000
process_name=job_%(process_num)03d
numprocs=${crashes}
autorestart=false
redirect_stderr=true
stdout_logfile=NONE
`,
    keys: {
      command:
        `/usr/bin/python3 ${clock} {dir}/waits ${executable()} listen -c {dir}/superbell.yaml`,
      buffer_size: String(options.bufferSize),
    },
  });
  await supervisord.until(
    `${crashes} programs to be RUNNING`,
    () => (supervisord.log().match(/success: job_\d+ entered RUNNING/g) ?? []).length === crashes,
    STARTED_WITHIN_MS,
  );
  const discardedBefore = discarded(supervisord);
  say(`${crashes} programs run; each message takes ${duration(answerAfterMs)}`);
  const names = Array.from({ length: crashes }, (_, index) => `job_${pad(index)}`);
  const pids = names.map((name) => supervisord.pidOf(name));
  const startedAtMs = performance.now();
  for (const [index, pid] of pids.entries()) {
    const atMs = startedAtMs + options.spreadMs * index / crashes;
    await pause(Math.max(0, atMs - performance.now()));
    Deno.kill(pid, "SIGKILL");
  }
  say(`${crashes} crashes within ${duration(performance.now() - startedAtMs)}`);
  const told = (channel: "hook" | "robot") => timesTaken(service.taken, channel).size;
  // Twice what the messages take one after the other, and some time for the last one.
  const withinMs = 2 * answerAfterMs * Math.ceil(crashes / options.concurrency) + 20_000;
  await comes(() => told("hook") >= crashes && told("robot") >= crashes, withinMs);
  await comes(() => countEntries(`${supervisord.dir}/state`, "waiting") === 0, 20_000);
  const tookMs = performance.now() - startedAtMs;
  say(`told ${told("hook")} by the webhook, ${told("robot")} by the robot in ${duration(tookMs)}`);
  const sentTwice = (["hook", "robot"] as const).flatMap((channel) =>
    [...timesTaken(service.taken, channel).values()].filter((times) => times > 1)
  );
  return {
    options,
    toldByHook: told("hook"),
    toldByRobot: told("robot"),
    robotMessages: service.taken.filter(({ channel }) => channel === "robot").length,
    sentTwice: sentTwice.length,
    discarded: discarded(supervisord) - discardedBefore,
    waitsMs: readIfThere(`${supervisord.dir}/waits`).split("\n").filter((line) => line !== "")
      .map((us) => Number(us) / 1000),
    tookMs,
  };
}

/** The lines of the summary. */
export function slowChannelRows(counts: SlowChannelCounts): Row[] {
  const { crashes, answerAfterMs, concurrency } = counts.options;
  const { waitsMs } = counts;
  const p99Ms = percentile(waitsMs, 0.99);
  return [
    {
      what: `told by the webhook (${duration(answerAfterMs)} each, ${concurrency} at a time)`,
      figure: `${counts.toldByHook} of ${crashes} in ${duration(counts.tookMs)}`,
      goal: "all",
      kept: counts.toldByHook === crashes,
    },
    {
      what: "told by the robot",
      figure: `${counts.toldByRobot} of ${crashes} in ${counts.robotMessages} messages`,
      goal: "all",
      kept: counts.toldByRobot === crashes,
    },
    {
      what: "sent twice",
      figure: String(counts.sentTwice),
      goal: "0",
      kept: counts.sentTwice === 0,
    },
    { what: "events discarded by supervisord", figure: String(counts.discarded) },
    {
      what: `supervisord's wait for an answer (${waitsMs.length} events)`,
      figure: `p50 ${duration(percentile(waitsMs, 0.5))}, p99 ${duration(p99Ms)}, ` +
        `most ${duration(Math.max(0, ...waitsMs))}`,
      goal: "p99 under 50 ms",
      kept: waitsMs.length > 0 && p99Ms < 50,
    },
  ];
}

function discarded(supervisord: Supervisord): number {
  return supervisord.log()
    .match(/pool superbell event buffer overflowed, discarding event/g)?.length ?? 0;
}

function pad(index: number): string {
  return String(index).padStart(3, "0");
}
