// Answer time: how long supervisord waits for a listener, from the last byte of an event to
// READY. All in turn, round by round, over pipes that a small Python program plays.

import { DatabaseSync } from "node:sqlite";
import { Folder } from "../tests/support/folder.ts";
import { startHttpServer, startTcpServer } from "../tests/support/http_server.ts";
import {
  buildC,
  type Candidate,
  pythonNoop,
  stateDir,
  superbell,
  writeConfig,
} from "./candidates.ts";
import { drive, type PipesOptions, type PipesResult } from "./pipes.ts";
import { against, aim, type Measured, type MeasureOptions, type Row, rowOf } from "./row.ts";

const ROUNDS = 3;
const EVENTS = 6_000;
/** A listener runs for months: what V8 does in the first second is not what supervisord waits for. */
const WARM_UP = 1000;
/** Deliveries of the webhook. */
const AT_ONCE = 8;

interface Scenario extends Candidate {
  readonly options?: Omit<PipesOptions, "events">;
  /** The name of superbell's state, and how many entries must lie there after so many events. */
  readonly stored?: { readonly name: string; readonly entries: (events: number) => number };
  /** The service that its deliveries must have reached meanwhile. */
  readonly reaches?: "silent" | "quick";
}

const NOBODY = "superbell, no rule matches";
const STORED = "superbell, matched and stored";
const HANGING = "superbell, stored while 8 deliveries hang";

const GOALS = [
  { name: NOBODY, word: "p50", most: 1.1, to: undefined },
  { name: STORED, word: "p50", most: 1.4, to: undefined },
  { name: HANGING, word: "p99", most: 1.2, to: STORED },
] as const;

/** Measures it. */
export async function answer({ short }: MeasureOptions): Promise<Measured> {
  using folder = new Folder();
  const rounds = short ? 1 : ROUNDS;
  const size = short ? { events: 300, warmup: 0 } : { events: EVENTS, warmup: WARM_UP };
  const events = size.events + size.warmup;
  const reached = { silent: 0, quick: 0 };
  // Takes connections and never answers.
  await using silent = startTcpServer(() => void reached.silent++);
  await using quick = startHttpServer(() => {
    reached.quick++;
    return new Response();
  });
  const c = await buildC(folder.path);
  const addresses = { silent: `${silent.origin}/`, quick: `${quick.origin}/` };
  const scenarios: readonly Scenario[] = [
    pythonNoop,
    ...(c ? [c] : []),
    ...ours(folder.path, { ...addresses, events }),
  ];
  const results = new Map(scenarios.map(({ name }) => [name, [] as PipesResult[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, command, options, stored, reaches } of scenarios) {
      // A fresh state each round: what a round stored must not slow the next one.
      if (stored !== undefined) removeIfThere(stateDir(folder.path, stored.name));
      Object.assign(reached, { silent: 0, quick: 0 });
      results.get(name)!.push(await drive(command, { ...size, idle_s: 0.1, ...options }));
      if (stored !== undefined) assertStored(folder.path, stored, events);
      // In the short form all is over before the first delivery begins.
      if (!short && reaches !== undefined && reached[reaches] < AT_ONCE) {
        throw new Error(`Cannot trust "${name}": ${reached[reaches]} deliveries began`);
      }
    }
  }
  return { rows: scenarios.flatMap(({ name }) => rowsOf(name, results)) };
}

function ours(
  folder: string,
  { silent, quick, events }: {
    readonly silent: string;
    readonly quick: string;
    readonly events: number;
  },
): Scenario[] {
  const none = () => 0;
  // An expected exit is told each time; a crash opens an incident, which is told once.
  const notice = { crash: false };
  const all = (count: number) => count;
  // Gathers for an hour, so that nothing is sent meanwhile.
  const gathers =
    `channels: { c: { type: dingtalk, token: t, endpoint: "${silent}", digest: 1h } }`;
  const one = (on: string) => `rules: [{ name: r, on: ${on}, to: c }]`;
  const hundred = Array.from({ length: 100 }, (_, index) => {
    const pattern = `p00${String(index).padStart(2, "0")}?`;
    return `  - { name: r${index}, on: [exit, fatal], where: { process: ["${pattern}"] }, to: c }`;
  }).join("\n");
  const hook = (url: string, more = "") =>
    `channels: { c: { type: webhook, url: "${url}", concurrency: ${AT_ONCE}${more} } }`;
  const scenario = (
    name: string,
    entries: (events: number) => number,
    config: string,
    options: Omit<PipesOptions, "events">,
  ): Scenario => {
    const state = name.replaceAll(/\W+/g, "-");
    const path = writeConfig(folder, state, `shutdown_window: 0s\n${config}`);
    return { name, command: superbell(path), stored: { name: state, entries }, options };
  };
  return [
    scenario(NOBODY, none, `${gathers}\n${one("fatal")}`, {}),
    scenario(STORED, all, `${gathers}\n${one("exit")}`, notice),
    scenario("superbell, each opens an incident", all, `${gathers}\n${one("crash")}`, {
      processes: events,
    }),
    scenario("superbell, its incident is open", () => 1, `${gathers}\n${one("crash")}`, {}),
    scenario(
      "superbell, stored, 100 rules and 1,000 processes",
      all,
      `${gathers}\nrules:\n${hundred}`,
      { ...notice, processes: 1000 },
    ),
    {
      ...scenario(HANGING, all, `${hook(silent, ", timeout: 1h")}\n${one("exit")}`, notice),
      reaches: "silent",
    },
    {
      ...scenario(
        "superbell, stored while a webhook takes 8 at once",
        all,
        `${hook(quick)}\n${one("exit")}`,
        notice,
      ),
      reaches: "quick",
    },
  ];
}

function rowsOf(name: string, results: ReadonlyMap<string, readonly PipesResult[]>): Row[] {
  const figures = [["p50", "p50Us"], ["p99", "p99Us"], ["max", "maxUs"]] as const;
  return figures.map(([word, key]) => {
    const rowFor = (other: string) => {
      const rounds = results.get(other);
      return rounds && rowOf([other, word], "µs", rounds.map((result) => result[key]));
    };
    const row = rowFor(name)!;
    if (!name.startsWith("superbell")) return row;
    const toC = against(row, rowFor("C, does nothing"), "C");
    const toPython = against(toC, rowFor(pythonNoop.name), "Python");
    const goal = GOALS.find((goal) => goal.name === name && goal.word === word);
    if (goal === undefined) return toPython;
    const compared = goal.to === undefined
      ? toPython
      : against(toPython, rowFor(goal.to), "without");
    const to = goal.to === undefined ? "Python" : "without";
    return aim(compared, `≤ ${goal.most}× ${to}`, (ratio) => ratio <= goal.most);
  });
}

/** A figure of storing is worth nothing when nothing was stored. */
function assertStored(
  folder: string,
  { name, entries }: Scenario["stored"] & object,
  events: number,
): void {
  using database = new DatabaseSync(`${stateDir(folder, name)}/superbell.db`, { readOnly: true });
  const { count } = database.prepare("select count(*) as count from entry").get() as {
    readonly count: number;
  };
  if (count === entries(events)) return;
  throw new Error(`Cannot trust "${name}": ${events} events made ${count} entries`);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
