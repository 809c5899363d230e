// Growth: what one event costs as history, processes and rules become more. Flat is what we
// want, and what the pictures show or do not show.

import { DatabaseSync } from "node:sqlite";
import { Folder } from "../tests/support/folder.ts";
import { stateDir, superbell, writeConfig } from "./candidates.ts";
import { million } from "./million.ts";
import { drive, type PipesOptions } from "./pipes.ts";
import type { Picture } from "./picture.ts";
import { aim, type Measured, type MeasureOptions, median, type Row, rowOf } from "./row.ts";

const ROUNDS = 3;
const EVENTS = 2000;
const WARM_UP = 1000;
const HISTORIES = [1000, 10_000, 100_000, 1_000_000];
const PROCESSES = [10, 100, 1000, 5000];
const RULES = [1, 10, 100, 1000];

/** Flat means: the last point costs at most so many times the cheapest of those before. */
const FLAT = 1.2;

/** What becomes of the events: the word of the only rule that could pick them. */
const FATES = [["no rule matches", "fatal"], ["matched and stored", "exit"]] as const;

/** The middle times of an event in microseconds, round by round, by the number that varies. */
type Series = ReadonlyMap<number, readonly number[]>;

/** What varies, and what came out for each fate. */
interface Sweep {
  readonly name: "history" | "processes" | "rules";
  readonly unit: string;
  readonly fates: readonly { readonly fate: string; readonly series: Series }[];
}

interface Point {
  readonly command: readonly string[];
  readonly options: PipesOptions;
  /** Makes it as it was before the first round. */
  readonly before?: () => void;
}

/** Measures it. */
export async function growth(options: MeasureOptions): Promise<Measured> {
  using folder = new Folder();
  const sweeps = [
    await byHistory(folder.path, options),
    await byProcesses(folder.path, options),
    await byRules(folder.path, options),
  ];
  return { rows: sweeps.flatMap(rowsOf), pictures: sweeps.map(pictureOf) };
}

/** Stored: so many delivered entries lie on the disk. Unmatched: so many events came before. */
async function byHistory(folder: string, options: MeasureOptions): Promise<Sweep> {
  const commands = new Map<number, readonly string[]>();
  const pathOf = (entries: number) => `${stateDir(folder, `history-${entries}`)}/superbell.db`;
  for (const entries of points(HISTORIES, options)) {
    const command = superbell(configFor(folder, { name: `history-${entries}`, on: "exit" }));
    await drive(command, { events: 100, crash: false, idle_s: 0 });
    fill(pathOf(entries), entries);
    commands.set(entries, command);
  }
  const series = await measureEach([...commands.keys()], options, (entries, size) => ({
    command: commands.get(entries)!,
    options: size,
    before: () => keepOnly(pathOf(entries), entries),
  }));
  const { windows } = await million(options);
  return {
    name: "history",
    unit: "events before",
    fates: [
      { fate: FATES[0][0], series: new Map(windows.map(([events, us]) => [events, [us]])) },
      { fate: FATES[1][0], series },
    ],
  };
}

async function byProcesses(folder: string, options: MeasureOptions): Promise<Sweep> {
  return await byFate("processes", "processes", async (on) => {
    return await measureEach(points(PROCESSES, options), options, (processes, size) => ({
      command: superbell(configFor(folder, { name: `processes-${processes}-${on}`, on })),
      // Each of them has been seen when the measuring begins.
      options: { ...size, processes, warmup: size.warmup === 0 ? 0 : size.warmup + processes },
    }));
  });
}

async function byRules(folder: string, options: MeasureOptions): Promise<Sweep> {
  return await byFate("rules", "rules", async (on) => {
    return await measureEach(points(RULES, options), options, (rules, size) => ({
      command: superbell(configFor(folder, { name: `rules-${rules}-${on}`, on, rules })),
      options: { ...size, processes: 10 },
    }));
  });
}

async function byFate(
  name: Sweep["name"],
  unit: string,
  measure: (on: string) => Promise<Series>,
): Promise<Sweep> {
  const fates: { fate: string; series: Series }[] = [];
  for (const [fate, on] of FATES) fates.push({ fate, series: await measure(on) });
  return { name, unit, fates };
}

/** The points in turn, round by round. */
async function measureEach(
  counts: readonly number[],
  { short }: MeasureOptions,
  pointFor: (count: number, size: { readonly events: number; readonly warmup: number }) => Point,
): Promise<Series> {
  const size = short ? { events: 100, warmup: 0 } : { events: EVENTS, warmup: WARM_UP };
  const prepared = counts.map((count) => ({ count, point: pointFor(count, size) }));
  const results = new Map(counts.map((count) => [count, [] as number[]]));
  for (let round = 0; round < (short ? 1 : ROUNDS); round++) {
    for (const { count, point: { command, options, before } } of prepared) {
      before?.();
      results.get(count)!.push(
        (await drive(command, { ...options, crash: false, idle_s: 0.1 })).p50Us,
      );
    }
  }
  return results;
}

function points(all: readonly number[], { short }: MeasureOptions): readonly number[] {
  return short ? all.slice(0, 2) : all;
}

/** Of the rules only the last looks at the processes that die. */
function configFor(
  folder: string,
  { name, on, rules = 1 }: { readonly name: string; readonly on: string; readonly rules?: number },
): string {
  const others = Array.from(
    { length: rules - 1 },
    (_, index) =>
      `  - { name: r${index}, on: [crash, fatal], where: { group: team${index}-* }, to: c }`,
  );
  // Gathers for an hour, so that nothing is sent meanwhile; and keeps all of the history.
  return writeConfig(
    folder,
    name,
    `shutdown_window: 0s
outbox: { keep: 400d, max_size: 1000GB }
channels: { c: { type: dingtalk, token: t, endpoint: "http://127.0.0.1:9", digest: 1h } }
rules:
${[...others, `  - { name: last, on: ${on}, to: c }`].join("\n")}\n`,
  );
}

/** Takes out what was stored behind so many entries. */
function keepOnly(path: string, entries: number): void {
  using database = new DatabaseSync(path);
  database.exec(`delete from entry where id > ${entries}`);
  database.exec("pragma wal_checkpoint(truncate)");
}

/** Makes of the few real entries in the database so many delivered ones in all. */
function fill(path: string, entries: number): void {
  using database = new DatabaseSync(path);
  const columns = database.prepare("select name from pragma_table_info('entry')").all()
    .map(({ name }) => String(name)).filter((name) => name !== "id" && name !== "alert_id");
  const nowMs = Date.now();
  database.exec("pragma synchronous = off");
  database.exec(`update entry set state = 'delivered', settled_at_ms = ${nowMs}`);
  const { count } = database.prepare("select count(*) as count from entry").get() as {
    readonly count: number;
  };
  const list = columns.join(", ");
  database.exec(`
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${entries - count})
    insert into entry (alert_id, ${list})
    select hex(randomblob(6)), ${list}
    from n join entry on entry.id = 1 + n.i % ${count}`);
  database.exec("pragma wal_checkpoint(truncate)");
}

function rowsOf({ name, unit, fates }: Sweep): Row[] {
  return fates.flatMap(({ fate, series }) => {
    const rows = [...series].map(([count, rounds]) =>
      rowOf([`${count.toLocaleString("en")} ${unit}`, fate], "µs", rounds)
    );
    // The least, for a first one that happens to be slow would let the last one pass.
    const last = rows.at(-1)!;
    const others = rows.length > 1 ? rows.slice(0, -1) : rows;
    const least = Math.min(...others.map(({ value }) => value));
    const grown = { ...last, ratios: [{ value: last.value / least, to: "the least" }] };
    // Every rule is looked at for every event: more of them cost more.
    if (name === "rules") return [...rows.slice(0, -1), grown];
    return [...rows.slice(0, -1), aim(grown, `≤ ${FLAT}× the least`, (ratio) => ratio <= FLAT)];
  });
}

function pictureOf({ name, unit, fates }: Sweep): Picture {
  const lines = fates.map(({ fate, series }) => ({
    name: fate,
    points: [...series].map(([count, rounds]) => [count, median(rounds)] as const),
  }));
  const said = lines.map(({ name, points }) => {
    const [first, last] = [points[0]!, points.at(-1)!];
    const at = ([count, us]: readonly [number, number]) =>
      `${us.toFixed(0)} µs at ${count.toLocaleString("en")}`;
    return `${name}: ${at(first)}, ${at(last)}`;
  });
  return {
    name: `growth-${name}`,
    title: `Answer time of one event by ${name === "history" ? "history" : `number of ${name}`}`,
    alt: `Answer time of one event by ${unit}. ${said.join("; ")}.`,
    x: { label: unit, logarithmic: true },
    y: { label: "answer time, p50, µs" },
    lines,
  };
}
