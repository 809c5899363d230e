// kill -9: the listener is killed again and again, at moments that are spread evenly over a
// storm of incidents, while the services at the other end fail in all the usual ways. Every
// alert must be taken at least once. Which were taken twice is counted at the services, and told
// apart by its cause: a kill, or an answer that the service itself did not get through.

import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { makePlace } from "../support/places.ts";
import { Random } from "../support/random.ts";
import { comes, countEntries, duration, pause, type Row, type Say } from "./figures.ts";
import { startReceiver, type Taken, timesTaken, type Treatment } from "./receiver.ts";

/** How large the storm is. */
export interface KillNineOptions {
  readonly incidents: number;
  readonly kills: number;
  /** Incidents and kills are spread over so long. */
  readonly campaignMs: number;
  readonly seed: number;
  readonly say: Say;
}

/** What one channel did. */
export interface ChannelCounts {
  /** Alerts that were taken at least once. */
  readonly taken: number;
  readonly messages: number;
  /** Alerts beyond the first time, because the listener was killed before it had written down. */
  readonly againAfterKill: number;
  /** Alerts beyond the first time, because the service took them and its answer was lost. */
  readonly againAfterLostAnswer: number;
  /** Messages that were followed by another one with some of their alerts. */
  readonly messagesAgain: number;
}

/** What came of it. */
export interface KillNineCounts {
  readonly options: Omit<KillNineOptions, "say">;
  readonly kills: number;
  /** Kills before the listener had said READY. */
  readonly killsInStart: number;
  /** Events that had to be sent again, as supervisord does: the kill came before the answer. */
  readonly sentAgain: number;
  /** Answers that cost more than an attempt, by kind. */
  readonly treatments: ReadonlyMap<Treatment, number>;
  readonly hook: ChannelCounts;
  readonly robot: ChannelCounts;
  /** Entries that do not stand as delivered in the end. */
  readonly waiting: number;
  readonly dead: number;
  readonly tookMs: number;
}

/** How the services treat a request, in hundredths. What is left is taken at once. */
const MOODS: readonly (readonly [number, Treatment | "takes-slowly"])[] = [
  [6, "server-error"],
  [4, "breaks-off"],
  [0.25, "loses-answer"],
  [2, "too-many"],
  [1, "too-many-wait"],
  [5, "takes-slowly"],
];
const SLOW_MS = { least: 50, more: 150 };
const SETTLED_WITHIN_MS = 120_000;
const SAY_EVERY_MS = 20_000;

/** Blows the storm and counts. */
export async function killNine(options: KillNineOptions): Promise<KillNineCounts> {
  const { incidents, campaignMs, say } = options;
  const random = new Random(options.seed);
  const moods = new Random(options.seed + 1);
  await using service = startReceiver(() => treatment(moods));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(service.origin));
  const dueMs = moments(incidents, campaignMs, random);
  const killsMs = moments(options.kills, campaignMs, random);
  const startedAtMs = performance.now();
  const nowMs = () => performance.now() - startedAtMs;
  let [next, kills, killsInStart, sentAgain, saidAtMs] = [0, 0, 0, 0, 0];
  for (const killAtMs of [...killsMs, undefined]) {
    await using listener = new PipedListener(config);
    const killed = killAtMs === undefined
      ? undefined
      : pause(Math.max(0, killAtMs - nowMs())).then(() => listener.kill("SIGKILL"));
    const first = next;
    let sent = 0;
    // As supervisord: an event as soon as it has happened and the one before is answered.
    const feed = async () => {
      await listener.ready(1);
      for (let serial = first; serial < incidents; serial++) {
        await pause(Math.max(0, dueMs[serial]! - nowMs()));
        sent++;
        await listener.take(crashFrame(serial, `job_${serial}`));
      }
    };
    const feeding = feed().catch((error) => {
      if (killAtMs === undefined) throw error;
    });
    if (killed === undefined) {
      await feeding;
      next = incidents;
      await comes(() => countEntries(place.dir, "waiting") === 0, SETTLED_WITHIN_MS);
      break;
    }
    await killed;
    await listener.end();
    kills++;
    if (listener.stdout === "") killsInStart++;
    next = first + listener.answers;
    sentAgain += Math.max(0, sent - listener.answers);
    await feeding;
    if (nowMs() - saidAtMs > SAY_EVERY_MS) {
      saidAtMs = nowMs();
      say(`${kills} kills, ${next} incidents, ${timesTaken(service.taken, "hook").size} told`);
    }
  }
  return {
    options,
    kills,
    killsInStart,
    sentAgain,
    treatments: service.treatments,
    hook: channelCounts(service.taken, "hook"),
    robot: channelCounts(service.taken, "robot"),
    waiting: countEntries(place.dir, "waiting"),
    dead: countEntries(place.dir, "dead"),
    tookMs: nowMs(),
  };
}

/** The lines of the summary. */
export function killNineRows(counts: KillNineCounts): Row[] {
  const { incidents } = counts.options;
  const failures = [...counts.treatments].filter(([treatment]) => treatment !== "takes");
  const again = ({ againAfterKill, againAfterLostAnswer }: ChannelCounts) =>
    againAfterKill + againAfterLostAnswer;
  const taken = (name: string, channel: ChannelCounts): Row => ({
    what: `${name}: taken at least once`,
    figure: `${channel.taken} of ${incidents} in ${channel.messages} messages`,
    goal: "all",
    kept: channel.taken === incidents,
  });
  const { hook, robot } = counts;
  return [
    {
      what: "kill -9 of the listener",
      figure: `${counts.kills}, ${counts.killsInStart} of them before READY, ` +
        `${counts.sentAgain} events sent again; seed ${counts.options.seed}`,
      goal: String(counts.options.kills),
      kept: counts.kills === counts.options.kills,
    },
    {
      what: "the services' own failures",
      figure: failures.map(([treatment, times]) => `${times} ${treatment}`).join(", "),
    },
    taken("webhook", hook),
    {
      what: "webhook: taken again",
      figure: `${again(hook)} (${percent(again(hook) / incidents)}): ` +
        `${hook.againAfterKill} after a kill, ${hook.againAfterLostAnswer} after a lost answer`,
      goal: "under 2 %",
      kept: again(hook) < incidents * 0.02,
    },
    taken("robot, which gathers", robot),
    {
      // Its messages are few and each tells many alerts: a share of them would be chance.
      what: "robot: taken again",
      figure: `${robot.messagesAgain} messages with ${again(robot)} alerts: ` +
        `${robot.againAfterKill} after a kill, ${robot.againAfterLostAnswer} after a lost answer`,
    },
    {
      what: `left after ${duration(counts.tookMs)}`,
      figure: `${counts.waiting} waiting, ${counts.dead} dead`,
      goal: "0, 0",
      kept: counts.waiting === 0 && counts.dead === 0,
    },
  ];
}

function configText(origin: string): string {
  return `
language: en
state_dir: "{dir}"
retry: { first: 200ms, most: 2s }
channels:
  hook: { type: webhook, url: "${origin}/hook", timeout: 2s }
  robot: { type: dingtalk, token: chaos-token-51aa, endpoint: "${origin}", timeout: 2s }
rules:
  - { name: crash, on: [crash], to: [hook, robot] }
`;
}

async function treatment(moods: Random): Promise<Treatment> {
  let left = moods.next() * 100;
  for (const [hundredths, mood] of MOODS) {
    left -= hundredths;
    if (left >= 0) continue;
    if (mood !== "takes-slowly") return mood;
    await pause(SLOW_MS.least + moods.below(SLOW_MS.more));
    break;
  }
  return "takes";
}

/** So many moments, evenly spread by chance, in order. */
function moments(count: number, withinMs: number, random: Random): number[] {
  return Array.from({ length: count }, () => random.next() * withinMs)
    .sort((left, right) => left - right);
}

function channelCounts(all: readonly Taken[], channel: Taken["channel"]): ChannelCounts {
  const taken = all.filter((message) => message.channel === channel);
  const last = new Map<string, Taken>();
  let [againAfterKill, againAfterLostAnswer] = [0, 0];
  const messagesAgain = new Set<Taken>();
  for (const message of taken) {
    for (const id of message.ids) {
      const before = last.get(id);
      last.set(id, message);
      if (before === undefined) continue;
      messagesAgain.add(before);
      if (before.answered) againAfterKill++;
      else againAfterLostAnswer++;
    }
  }
  return {
    taken: last.size,
    messages: taken.length,
    againAfterKill,
    againAfterLostAnswer,
    messagesAgain: messagesAgain.size,
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
