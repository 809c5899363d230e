// Small things that every proof needs: what it says while it runs, the lines of its summary,
// and what the system knows of a process.

import { DatabaseSync } from "node:sqlite";
import { readIfThere } from "../support/supervisord.ts";

/** Told what a proof counts as it goes. */
export type Say = (line: string) => void;

/** One line of the summary. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  /** What was promised; absent where the figure is only told. */
  readonly goal?: string;
  readonly kept?: boolean;
}

/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock. */
const TICK_MS = 10;

const LOOK_EVERY_MS = 20;

/** The smallest value that at least this share of the values does not exceed; 0 without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** Processor time that a process has used since its start, in milliseconds. */
export function cpuMs(pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Memory that a process has for itself (the rest of what it uses is the mapped executable). */
export function rssAnonMb(pid: number): number {
  const [, kb] = /^RssAnon:\s+(\d+) kB$/m.exec(readIfThere(`/proc/${pid}/status`)) ?? [];
  return Number(kb ?? NaN) / 1024;
}

/** How many entries of an outbox are in this state; 0 while there is no file. */
export function countEntries(stateDir: string, state: "waiting" | "delivered" | "dead"): number {
  return ask(stateDir, `select count(*) as n from entry where state = '${state}'`);
}

/** How many attempts have been written down; one message is one, however many alerts it tells. */
export function countAttempts(stateDir: string): number {
  return ask(stateDir, "select count(distinct at_ms) as n from attempt");
}

function ask(stateDir: string, sql: string): number {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(`${stateDir}/superbell.db`, { readOnly: true });
  } catch {
    return 0;
  }
  try {
    database.exec("pragma busy_timeout = 2000");
    return Number(database.prepare(sql).get()!.n);
  } catch (error) {
    if (/no such table/.test(String(error))) return 0; // it is being created
    throw error;
  } finally {
    database.close();
  }
}

/** Whether it comes true in time. Unlike until() this is no error: a proof counts what came. */
export async function comes(
  look: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  while (!await look()) {
    if (performance.now() > endMs) return false;
    await pause(LOOK_EVERY_MS);
  }
  return true;
}

/** Time that is part of what is proven: how long a fault lasts, how fast a storm blows. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `1.2 s` or `34 ms`. */
export function duration(ms: number): string {
  return ms >= 1000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
