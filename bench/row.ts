// What a measurement answers: rows of a table, and pictures where a row cannot tell it.

import type { Picture } from "./picture.ts";

/** One figure of one subject. */
export interface Row {
  /** Of whom, or under which circumstances: a row of the table. */
  readonly subject: string;
  /** What was measured: a column of the table. */
  readonly figure: string;
  /** The middle of the rounds; NaN where there is none. */
  readonly value: number;
  /** "" for a plain count. */
  readonly unit: string;
  /** The least and the most of the rounds; absent where there was one. */
  readonly spread?: readonly [number, number];
  /** How many times that of another subject it is, and whose. */
  readonly ratios?: readonly { readonly value: number; readonly to: string }[];
  /** What we wanted, and whether it came true. */
  readonly goal?: { readonly text: string; readonly reached: number; readonly met: boolean };
}

/** How much of it to do. */
export interface MeasureOptions {
  /** Just enough to see that the bench itself works. */
  readonly short: boolean;
}

/** What came out. */
export interface Measured {
  readonly rows: readonly Row[];
  readonly pictures?: readonly Picture[];
}

/** One of the measurements. */
export type Measure = (options: MeasureOptions) => Promise<Measured>;

/** The middle one; of an even number the upper. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that so large a share of the others is not above. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** The row of a figure that was taken in several rounds. */
export function rowOf(
  [subject, figure]: readonly [subject: string, figure: string],
  unit: string,
  rounds: readonly number[],
): Row {
  if (rounds.length < 2) return { subject, figure, unit, value: median(rounds) };
  const spread = [Math.min(...rounds), Math.max(...rounds)] as const;
  return { subject, figure, unit, value: median(rounds), spread };
}

/** The row with its ratio to another one, by their middles; as it is where there is none. */
export function against(row: Row, other: Row | undefined, to: string): Row {
  if (other === undefined) return row;
  return { ...row, ratios: [...row.ratios ?? [], { value: row.value / other.value, to }] };
}

/** The row with a goal for its last ratio or, where it has none, its value. */
export function aim(row: Row, text: string, isMet: (value: number) => boolean): Row {
  const reached = row.ratios?.at(-1)?.value ?? row.value;
  return { ...row, goal: { text, reached, met: isMet(reached) } };
}

/** A number with three digits that count. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const [whole, part] = value.toFixed(Math.min(places, 4)).split(".");
  const grouped = whole!.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** The rows as a table in Markdown: a line for each subject, a column for each figure. */
export function tableOf(rows: readonly Row[]): string {
  const subjects = [...new Set(rows.map(({ subject }) => subject))];
  const figures = [...new Set(rows.map(({ figure }) => figure))];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const cell = (subject: string, figure: string) => {
    const row = rows.find((row) => row.subject === subject && row.figure === figure);
    return row === undefined ? "" : cellOf(row);
  };
  return [
    line(["", ...figures]),
    line(["---", ...figures.map(() => "---")]),
    ...subjects.map((subject) =>
      line([subject, ...figures.map((figure) => cell(subject, figure))])
    ),
  ].join("\n");
}

function cellOf({ value, unit, spread, ratios = [] }: Row): string {
  const range = spread === undefined ? "" : ` (${spread.map(digits).join("–")})`;
  const compared = ratios.map(({ value, to }) => `${digits(value)}× ${to}`).join(", ");
  if (Number.isNaN(value)) return "–";
  return `${digits(value)} ${unit}`.trim() + range + (compared === "" ? "" : `<br>${compared}`);
}

/** The goals and whether they were met; a figure with many goals in one line, but for the missed. */
export function goalsOf(rows: readonly Row[]): string {
  const aimed = rows.flatMap((row) => row.goal === undefined ? [] : [{ row, goal: row.goal }]);
  const line = ({ row, goal }: typeof aimed[number]) => {
    const found = Number.isNaN(goal.reached) ? "none in time" : digits(goal.reached);
    return `- ${
      goal.met ? "met" : "**missed**"
    }: ${row.subject}, ${row.figure}: wanted ${goal.text}, ` +
      `found ${found}`;
  };
  return [...Map.groupBy(aimed, ({ row }) => row.figure)].flatMap(([figure, goals]) => {
    if (goals.length < 4) return goals.map(line);
    const missed = goals.filter(({ goal }) => !goal.met);
    const met = goals.length - missed.length;
    return [`- met in ${met} of ${goals.length} cases: ${figure}`, ...missed.map(line)];
  }).join("\n");
}
