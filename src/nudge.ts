// Nudges supervisord awake. While nothing happens its loop looks around once a second: a program
// that dies is noticed in one round and told in the next, a second later. A call that asks for
// next to nothing makes it do both at once. One call at a time, over one connection that stays
// open; a supervisord that does not answer is left alone for longer and longer.

import type { Clock } from "./clock.ts";
import { formatDuration } from "./config/duration.ts";
import type { Log } from "./log.ts";
import type { SupervisorClient } from "./supervisor/client.ts";
import { RpcFault } from "./supervisor/xmlrpc.ts";

/** What nudging needs. */
export interface NudgeOptions {
  /** Closed at the end. */
  readonly client: Pick<SupervisorClient, "call" | "close">;
  /** From an answer to the next call. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What supervisord answers without looking at anything. */
const METHOD = "supervisor.getPID";

/** A loop that is held up for longer than this is not asleep. */
const TIMEOUT_MS = 5000;

/** The waits after a failure: doubled from the first up to the longest. */
const FIRST_REST_MS = 1000;
const LONGEST_REST_MS = 60_000;

/** Nudges until the signal; never rejects. */
export async function nudge(options: NudgeOptions, stop: AbortSignal): Promise<void> {
  const { client, intervalMs, clock, log } = options;
  let failures = 0;
  while (true) {
    await clock.sleep(failures === 0 ? intervalMs : restMs(intervalMs, failures), stop);
    if (stop.aborted) break;
    try {
      await ask(client, stop);
      if (failures > 0) log.info("supervisord answers again and is nudged as before");
      failures = 0;
    } catch (error) {
      if (stop.aborted) break;
      failures++;
      // Once, not each time: alerts come all the same, a second later.
      if (failures === 1) log.warn(`supervisord cannot be nudged, ${describe(error, intervalMs)}`);
    }
  }
  client.close();
}

async function ask(client: NudgeOptions["client"], stop: AbortSignal): Promise<void> {
  try {
    await client.call(METHOD, [], { timeoutMs: TIMEOUT_MS, signal: stop });
  } catch (error) {
    // Refused, as it does while it shuts down: its loop has turned all the same.
    if (!(error instanceof RpcFault)) throw error;
  }
}

/** How long supervisord is left alone after so many failures in a row. */
function restMs(intervalMs: number, failures: number): number {
  const doubled = FIRST_REST_MS * 2 ** Math.min(failures - 1, 10);
  return Math.max(intervalMs, Math.min(LONGEST_REST_MS, doubled));
}

function describe(error: unknown, intervalMs: number): string {
  const why = error instanceof Error ? error.message : String(error);
  const next = formatDuration(restMs(intervalMs, 1));
  return `so exits may be told a second later (next try in ${next}, then ever more rarely): ${why}`;
}
