// Whether the kernel killed a process because memory had run out. Its log (/dev/kmsg) names the
// process, where we may read it; what is said then is sure. It is read once, and then only what
// is new. A control group only counts how many of its processes were killed, so that can be no
// more than a hint.

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

/** So long the counter is taken to be the same for who cannot wait. */
const SAME_COUNT_MS = 100;

/** One record is less than this (kernel/printk.c: PRINTK_MESSAGE_MAX is 2048 at most). */
const RECORD_BYTES = 8 * 1024;
/** The largest log has some hundred thousand records; only so many are looked at. */
const MOST_RECORDS = 50_000;
/** So long is read at once; others work in between. */
const READ_AT_ONCE_MS = 2;
/** So many kills are remembered; each is asked about within seconds, or never. */
const MOST_KILLS = 1000;

/** One that the kernel's log tells of. */
interface LoggedKill {
  readonly pid: number;
  readonly sinceBootMs: number;
}

/** What there is to be read. */
interface Glance {
  /** When this host was started, in milliseconds since 1970 UTC; undefined: no log can be read. */
  readonly bootMs: number | undefined;
  readonly kills: number | undefined;
}

/** Remembers how many processes the kernel has killed, and finds out whether it killed one. */
export class MemoryWatch implements Disposable {
  readonly #places: MemoryPlaces;
  #looks: readonly { readonly atMs: number; readonly kills: number }[] = [];
  /** The kernel's log, open behind the last record that was read: no seek leads back there. */
  #kernelLog: number | undefined;
  #logged: readonly LoggedKill[] = [];
  /** Under way, for all who ask meanwhile: a storm asks about hundreds in one instant. */
  #glance: Promise<Glance> | undefined;
  /** By the monotonic clock. */
  #counted: { readonly atMs: number; readonly kills: number | undefined } = {
    atMs: -Infinity,
    kills: undefined,
  };

  constructor(places: MemoryPlaces = PLACES) {
    this.#places = places;
  }

  /** Closes the kernel's log; a later question opens it again. */
  [Symbol.dispose](): void {
    if (this.#kernelLog !== undefined) closeSync(this.#kernelLog);
    this.#kernelLog = undefined;
    this.#logged = []; // it will be read from its beginning
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
    const { bootMs, kills } = await this.#glanceWithin(signal);
    if (bootMs !== undefined && this.#isLogged(killed, bootMs)) return { certainty: "sure" };
    const before = this.#looks.findLast(({ atMs }) => atMs <= killed.atMs - TOO_LATE_MS);
    if (kills === undefined || before === undefined || kills <= before.kills) return undefined;
    return { certainty: "possible", kills: kills - before.kills, sinceMs: before.atMs };
  }

  /** When nobody waits any more for what the log says, the counter alone. */
  async #glanceWithin(signal: AbortSignal): Promise<Glance> {
    try {
      this.#glance ??= this.#read().finally(() => this.#glance = undefined);
      return await unlessAborted(this.#glance, signal);
    } catch {
      return { bootMs: undefined, kills: this.#killsLately() };
    }
  }

  /** The counter, which the first of hundreds reads for all. */
  #killsLately(): number | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#counted.atMs > SAME_COUNT_MS) {
      this.#counted = { atMs: nowMs, kills: readKills(this.#places) };
    }
    return this.#counted.kills;
  }

  async #read(): Promise<Glance> {
    const bootMs = await this.#readLog();
    return { bootMs, kills: readKills(this.#places) };
  }

  /** When this host was started, once the log is read; undefined where it says nothing. */
  async #readLog(): Promise<number | undefined> {
    const { proc } = this.#places;
    try {
      // In a container the same number is another process.
      if (readlinkSync(`${proc}/self/ns/pid`) !== FIRST_PID_NAMESPACE) return undefined;
      await this.#readNew();
      return Date.now() - 1000 * Number(readFileSync(`${proc}/uptime`, "utf8").split(" ")[0]);
    } catch {
      return undefined; // it may not be read, or there is none
    }
  }

  #isLogged({ pid, atMs }: KilledProcess, bootMs: number): boolean {
    return this.#logged.some((kill) => {
      const ageMs = atMs - (bootMs + kill.sinceBootMs);
      return kill.pid === pid && ageMs <= KILLED_WITHIN_MS && ageMs >= -CLOCKS_DIFFER_MS;
    });
  }

  /** Reads what the kernel's log has got since the last time; at the first time all of it. */
  async #readNew(): Promise<void> {
    const { kernelLog } = this.#places;
    this.#kernelLog ??= openSync(kernelLog, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = new Uint8Array(RECORD_BYTES);
    let untilMs = performance.now() + READ_AT_ONCE_MS;
    for (let count = 0; count < MOST_RECORDS; count++) {
      if (performance.now() >= untilMs) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        untilMs = performance.now() + READ_AT_ONCE_MS;
      }
      if (this.#kernelLog === undefined) return; // closed meanwhile
      const record = readRecord(this.#kernelLog, buffer);
      if (record === undefined) return;
      const kill = killOf(record);
      if (kill !== undefined) this.#logged = [...this.#logged, kill].slice(-MOST_KILLS);
    }
  }
}

/** Waits for it, or rejects when the signal comes first. */
async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  work.catch(() => {}); // others wait for it as well
  signal.throwIfAborted();
  const over = Promise.withResolvers<never>();
  const giveUp = () => over.reject(signal.reason);
  signal.addEventListener("abort", giveUp);
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
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

/** A record is `6,1234,5678901,-;the text`, the third number in microseconds. */
function killOf(record: string): LoggedKill | undefined {
  if (!record.includes("Killed process ")) return undefined; // nearly all of them
  const [, micros, text] = /^\d+,\d+,(\d+),[^;]*;(.*)/.exec(record) ?? [];
  const pid = text === undefined ? undefined : killedForMemory(text);
  return pid === undefined ? undefined : { pid, sinceBootMs: Number(micros) / 1000 };
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
