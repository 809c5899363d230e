// Runs pipes.py, which plays supervisord for one listener over its pipes and measures.

import { plainEnv } from "../tests/support/executable.ts";
import { fileOf, PYTHON } from "./candidates.ts";
import { ahead } from "./priority.ts";

/** What is sent; see pipes.py. */
export interface PipesOptions {
  readonly events: number;
  /** By how many names of processes they come. @default 1 */
  readonly processes?: number;
  /** @default true */
  readonly crash?: boolean;
  /** Events before the measured ones. @default 0 */
  readonly warmup?: number;
  /** Seconds before the idle memory is read. @default 0.5 */
  readonly idle_s?: number;
}

/** What came out. Times of an event are from its last byte to READY. */
export interface PipesResult {
  readonly startMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** After so many events, the middle of the last thousand. */
  readonly windows: readonly (readonly [events: number, p50Us: number])[];
  readonly idleKb: MemoryKb;
  readonly afterKb: MemoryKb;
}

/** In KiB. */
export interface MemoryKb {
  readonly rssAnon: number;
  readonly rss: number;
  readonly pss: number;
}

/** Sends the events to the listener, one after the other, and answers the times. */
export async function drive(
  command: readonly string[],
  options: PipesOptions,
): Promise<PipesResult> {
  const [program, ...first] = [...await ahead(), PYTHON];
  const { success, stdout, stderr } = await new Deno.Command(program!, {
    args: [...first, fileOf("pipes.py"), JSON.stringify(options), ...command],
    clearEnv: true,
    env: plainEnv({ SUPERVISOR_ENABLED: "1" }),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`Cannot measure ${command.join(" ")}: ${text(stderr)}`);
  return JSON.parse(text(stdout));
}
