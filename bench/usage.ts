// What a process uses, as the kernel counts it.

import { readIfThere } from "../tests/support/supervisord.ts";
import type { MemoryKb } from "./pipes.ts";

/** Processor time of all threads of the process so far, in microseconds. */
export function cpuUs(pid: number): number {
  // To the nanosecond, where /proc/PID/stat counts in hundredths of a second. A thread that ended
  // is not in it: runtimes let idle ones go, which have done little.
  return ofThreads(pid, "schedstat").reduce(
    (sum, text) => sum + Number(text.split(" ")[0]) / 1000,
    0,
  );
}

/** How often a thread of the process has gone to sleep by itself: how often it was woken. */
export function wakes(pid: number): number {
  return ofThreads(pid, "status").reduce(
    (sum, text) => sum + Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(text)?.[1] ?? 0),
    0,
  );
}

/** Its memory now. */
export function memoryKb(pid: number): MemoryKb {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`) +
    Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)?.[1]);
  return { rssAnon: field("RssAnon"), rss: field("VmRSS"), pss: field("Pss") };
}

/** That file of each thread; one may end while we look. */
function ofThreads(pid: number, file: string): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)]
    .map(({ name }) => readIfThere(`/proc/${pid}/task/${name}/${file}`))
    .filter((text) => text !== "");
}

/** Waits. A bench measures what happens in a time. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
