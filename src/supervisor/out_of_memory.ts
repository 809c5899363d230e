// Whether the kernel killed a process because memory had run out. Its log (/dev/kmsg) names the
// process, where we may read it; what is said then is sure. A control group only counts how many
// of its processes were killed, so that can be no more than a hint.

import { closeSync, constants, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import type { MemoryKill } from "../alerts/alert.ts";

/** Who was killed. */
export interface KilledProcess {
  readonly pid: number;
  /** When its end was read, in milliseconds since 1970 UTC. */
  readonly atMs: number;
}

/** Where the kernel tells it; elsewhere in tests. */
export interface MemoryPlaces {
  readonly kernelLog: string;
  /** /proc, for the control group, the uptime and the namespace of process ids. */
  readonly proc: string;
  readonly controlGroups: string;
}

const PLACES: MemoryPlaces = {
  kernelLog: "/dev/kmsg",
  proc: "/proc",
  controlGroups: "/sys/fs/cgroup",
};

/** The first namespace of process ids, whose numbers the kernel's log has (PROC_PID_INIT_INO). */
const FIRST_PID_NAMESPACE = "pid:[4026531836]";

/** How long before we read of its end a process may have been killed; ids come again later. */
const KILLED_WITHIN_MS = 10 * 60_000;
const CLOCKS_DIFFER_MS = 5000;

/** How often the counter is looked at, and how many of its values are remembered. */
const LOOK_EVERY_MS = 10_000;
const MOST_LOOKS = 30;
/** A look this short before the event may have seen the very kill. */
const TOO_LATE_MS = 5000;

/** One record is less than this (kernel/printk.c: PRINTK_MESSAGE_MAX is 2048 at most). */
const RECORD_BYTES = 8 * 1024;
/** The largest log has some hundred thousand records; only so many are looked at. */
const MOST_RECORDS = 50_000;
/** So many are read at once; others may work in between. */
const RECORDS_AT_ONCE = 500;

/** Remembers how many processes the kernel has killed, and finds out whether it killed one. */
export class MemoryWatch {
  readonly #places: MemoryPlaces;
  #looks: readonly { readonly atMs: number; readonly kills: number }[] = [];

  constructor(places: MemoryPlaces = PLACES) {
    this.#places = places;
  }

  /** Looks at the counter, at most every ten seconds. */
  look(nowMs: number): void {
    const last = this.#looks.at(-1);
    if (last !== undefined && Math.abs(nowMs - last.atMs) < LOOK_EVERY_MS) return;
    const kills = readKills(this.#places);
    if (kills === undefined) return;
    this.#looks = [...this.#looks, { atMs: nowMs, kills }].slice(-MOST_LOOKS);
  }

  /** What is known about a process that SIGKILL ended. Never throws. */
  async find(killed: KilledProcess, signal: AbortSignal): Promise<MemoryKill | undefined> {
    if (await this.#isInKernelLog(killed, signal)) return { certainty: "sure" };
    const kills = readKills(this.#places);
    const before = this.#looks.findLast(({ atMs }) => atMs <= killed.atMs - TOO_LATE_MS);
    if (kills === undefined || before === undefined || kills <= before.kills) return undefined;
    return { certainty: "possible", kills: kills - before.kills, sinceMs: before.atMs };
  }

  async #isInKernelLog({ pid, atMs }: KilledProcess, signal: AbortSignal): Promise<boolean> {
    const { proc, kernelLog } = this.#places;
    try {
      // In a container the same number is another process.
      if (readlinkSync(`${proc}/self/ns/pid`) !== FIRST_PID_NAMESPACE) return false;
      const bootMs = Date.now() -
        1000 * Number(readFileSync(`${proc}/uptime`, "utf8").split(" ")[0]);
      for await (const { text, sinceBootMs } of kernelRecords(kernelLog, signal)) {
        const ageMs = atMs - (bootMs + sinceBootMs);
        if (ageMs > KILLED_WITHIN_MS || ageMs < -CLOCKS_DIFFER_MS) continue;
        if (killedForMemory(text) === pid) return true;
      }
    } catch {
      // It may not be read, or there is none.
    }
    return false;
  }
}

/**
 * The process that a line of the kernel's log says was killed because memory had run out.
 * Since 5.0 "Out of memory: Killed process 7 (x) …" and "Memory cgroup out of memory: Killed …";
 * before, and in CentOS 7's, "Killed process 7 (x) …" alone.
 */
export function killedForMemory(line: string): number | undefined {
  const pid = /^(?:(?:Memory cgroup out|Out) of memory[^:]*: )?Killed process (\d{1,10})[ ,]/.exec(
    line,
  )?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Each read gives one record: `6,1234,5678901,-;the text`, the third number in microseconds. */
async function* kernelRecords(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<{ readonly text: string; readonly sinceBootMs: number }> {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = new Uint8Array(RECORD_BYTES);
    for (let count = 0; count < MOST_RECORDS && !signal.aborted; count++) {
      if (count % RECORDS_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      const record = readRecord(file, buffer);
      if (record === undefined) return;
      const [, micros, text] = /^\d+,\d+,(\d+),[^;]*;(.*)/.exec(record) ?? [];
      if (text !== undefined) yield { text, sinceBootMs: Number(micros) / 1000 };
    }
  } finally {
    closeSync(file);
  }
}

/** The next record; "" for one that was overwritten meanwhile, undefined behind the last. */
function readRecord(file: number, buffer: Uint8Array): string | undefined {
  try {
    const length = readSync(file, buffer, 0, buffer.length, null);
    return length === 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, length));
  } catch (error) {
    if ((error as { readonly code?: string }).code === "EPIPE") return "";
    return undefined; // EAGAIN: there is none
  }
}

/** How many processes of our control group, which is supervisord's, the kernel has killed. */
function readKills({ proc, controlGroups }: MemoryPlaces): number | undefined {
  const groups = readIfThere(`${proc}/self/cgroup`).split("\n");
  const pathIn = (pattern: RegExp) =>
    groups.map((line) => pattern.exec(line)?.[1]).find((path) => path !== undefined);
  const [unified, memory] = [
    pathIn(/^0::(\/.*)$/),
    pathIn(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/),
  ];
  const files = [
    ...(unified === undefined ? [] : [`${controlGroups}${unified}/memory.events`]),
    ...(memory === undefined ? [] : [`${controlGroups}/memory${memory}/memory.oom_control`]),
    // What a container sees as its own root.
    ...(memory === undefined ? [] : [`${controlGroups}/memory/memory.oom_control`]),
  ];
  for (const file of files) {
    const kills = /^oom_kill (\d+)$/m.exec(readIfThere(file))?.[1];
    if (kills !== undefined) return Number(kills);
  }
  return undefined;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
