// A million events that no rule picks, over pipes: what they leave behind in memory, and whether
// the last are slower than the first. Two measurements look at it, so it happens once.

import { Folder } from "../tests/support/folder.ts";
import { superbell, writeConfig } from "./candidates.ts";
import { drive, type PipesResult } from "./pipes.ts";
import type { MeasureOptions } from "./row.ts";

const WARM_UP = 2000;

let result: Promise<PipesResult> | undefined;

/** How superbell took them. */
export function million({ short }: MeasureOptions): Promise<PipesResult> {
  return result ??= run(short ? 2000 : 1_000_000);
}

async function run(events: number): Promise<PipesResult> {
  using folder = new Folder();
  const config = writeConfig(
    folder.path,
    "million",
    `shutdown_window: 0s
channels: { c: { type: webhook, url: "http://127.0.0.1:9/" } }
rules: [{ name: r, on: fatal, to: c }]\n`,
  );
  // What V8 does in the first second is no history.
  const warmup = events > WARM_UP ? WARM_UP : 0;
  return await drive(superbell(config), { events, processes: 100, warmup });
}
