// Of an end that is told, delivery finds out the cause. Of one that is held nobody would ever, and
// whoever asks how it stands would not see why a program dies: so the causes of held ends are
// looked for here, all of them at once and seldom, and never before the answer to supervisord.

import type { Clock } from "./clock.ts";
import type { End } from "./enrichment.ts";
import type { Event } from "./events/event.ts";
import type { Step } from "./rules/engine.ts";
import { processKey } from "./rules/roster.ts";

/** What untold ends work with. */
export interface UntoldEndsOptions {
  /** Whether the cause of the process's last end is known. */
  readonly isKnown: (end: End) => boolean;
  /** Finds out the causes of the ends, and notes them. */
  readonly find: (ends: readonly End[], signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
}

/** supervisord writes its log just before it tells us; others that end with it come by then. */
const GATHER_MS = 200;

/** So seldom supervisord is asked, however often programs end; */
const SPACING_MS = 2000;

/** and so much longer than it took, for a supervisord that is busy has other things to do. */
const SPACING_OF_TOOK = 20;

/** More processes than that at once are not looked at: the newest are. */
const MOST_ENDS = 200;

/** The ends of which nobody is told, until their causes have been looked for. */
export class UntoldEnds {
  readonly #options: UntoldEndsOptions;
  /** The last one of each process, by processKey(). */
  readonly #ends = new Map<string, End>();
  /** What the event says that the rules judge now. */
  #judged: End | undefined;
  #wake = new AbortController();

  constructor(options: UntoldEndsOptions) {
    this.#options = options;
  }

  /** An event has come, and the rules are asked about it next. */
  heard(event: Event, atMs: number): void {
    this.#judged = endOf(event, atMs);
  }

  /** What the rules made of it: told, held, or none of their business. */
  decided({ decisions, tellings }: Step): void {
    const end = this.#judged;
    this.#judged = undefined;
    if (end === undefined || tellings.length > 0) return;
    if (!decisions.some(({ verdict }) => verdict === "hold")) return;
    const key = processKey(end.process);
    this.#ends.delete(key); // to the end of the map
    this.#ends.set(key, end);
    this.#wake.abort();
  }

  /** Works until the signal. */
  async run(stop: AbortSignal): Promise<void> {
    const { isKnown, find, clock } = this.#options;
    while (!stop.aborted) {
      if (this.#ends.size === 0) {
        this.#wake = new AbortController();
        await clock.sleep(LONGEST_SLEEP_MS, AbortSignal.any([stop, this.#wake.signal]));
        continue;
      }
      await clock.sleep(GATHER_MS, stop);
      const ends = [...this.#ends.values()].filter((end) => !isKnown(end)).slice(-MOST_ENDS);
      this.#ends.clear();
      if (stop.aborted || ends.length === 0) continue;
      const beganMs = clock.monotonic();
      await find(ends, stop);
      const tookMs = clock.monotonic() - beganMs;
      await clock.sleep(Math.max(SPACING_MS, tookMs * SPACING_OF_TOOK), stop);
    }
  }
}

/** A timer takes no more than this. */
const LONGEST_SLEEP_MS = 24 * 60 * 60 * 1000;

/** The end of a process that the event tells; of a start that failed no process id is known. */
function endOf(event: Event, atMs: number): End | undefined {
  switch (event.kind) {
    case "process_exited":
      return { process: event.process, pid: event.pid, expected: event.expected, atMs };
    case "process_backoff":
    case "process_fatal":
      return { process: event.process, pid: undefined, expected: undefined, atMs };
    default:
      return undefined;
  }
}
