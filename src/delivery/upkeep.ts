// Upkeep is what the outbox needs besides intake and delivery: it brings onto the disk what the
// disk did not take, follows a file that was removed, gives up what nobody will ever take, and
// removes what is old. In small steps, because intake waits for each.

import { type Clock, untilBeatMs } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Hopeless, Outbox, Retention } from "../outbox/outbox.ts";

/** What upkeep goes by, and what can be another while it works. */
export interface UpkeepSettings {
  /** The names of all channels. */
  readonly channels: readonly string[];
  readonly giveUpAfterMs: number;
  readonly retention: Retention;
}

/** What upkeep works with. */
export interface UpkeepOptions extends UpkeepSettings {
  readonly outbox: Outbox;
  readonly memory: Outbox;
  readonly clock: Clock;
  readonly log: Log;
}

const MOVE_EVERY_MS = 10_000;
const TIDY_EVERY_MS = 60 * 60 * 1000;

/** The first time, when a start with many listeners and much to send is over. */
const TIDY_FIRST_MS = 60_000;

/** Between two steps, for intake and delivery. */
const STEP_PAUSE_MS = 20;

/** At the end there is little time: supervisord kills us soon. */
const END_TRIES = 5;
const END_PAUSE_MS = 300;

/** What memory keeps of settled entries: enough to know an event that comes again. */
const MEMORY_RETENTION: Retention = { keepMs: TIDY_EVERY_MS, maxBytes: Infinity };

/** Keeps the outboxes in order until it is stopped. */
export class Upkeep {
  #options: UpkeepOptions;
  /** What has been said about the disk, so that it is said once. */
  #trouble: string | undefined;
  /** When the last round of tidying looked at the clock. */
  #lastTidyMs: number | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Goes by other settings from now on, and gives up what only a removed channel would take. */
  async use(settings: UpkeepSettings, stop: AbortSignal): Promise<void> {
    this.#options = { ...this.#options, ...settings };
    await this.#forgetRemoved(stop);
  }

  /** Works until the signal; never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    await this.#forgetRemoved(stop);
    await Promise.all([
      this.#every({ firstMs: MOVE_EVERY_MS, periodMs: MOVE_EVERY_MS }, stop, () => this.move(stop)),
      this.#every({ firstMs: TIDY_FIRST_MS, periodMs: TIDY_EVERY_MS }, stop, () => this.tidy(stop)),
    ]);
  }

  /** Follows the file, and brings onto the disk what lies in memory. */
  async move(stop: AbortSignal): Promise<void> {
    const { outbox, log } = this.#options;
    try {
      outbox.follow();
      if (this.#trouble !== undefined) log.info(`"${outbox.path}" can be used again`);
      this.#trouble = undefined;
    } catch (error) {
      const trouble = describe(error);
      if (trouble !== this.#trouble) log.error(`cannot use "${outbox.path}": ${trouble}`);
      this.#trouble = trouble;
      return;
    }
    let moved = 0;
    await this.#step(() => {
      const step = this.#moveStep();
      moved += step;
      return step;
    }, stop);
    if (moved > 0) log.info(`stored ${moved} entries that were kept in memory`);
  }

  /** Gives up what nobody will take, and removes what is old. */
  async tidy(stop: AbortSignal): Promise<void> {
    const { outbox, memory, retention, giveUpAfterMs, clock } = this.#options;
    await this.#forgetRemoved(stop);
    // By the clock of the last round: an hour ago it was too old as well, so that no clock that
    // has just been set forth makes it look so, and delivery had an hour to try.
    if (this.#lastTidyMs !== undefined) {
      await this.#giveUp({ sinceMs: this.#lastTidyMs - giveUpAfterMs }, stop);
    }
    this.#lastTidyMs = clock.now();
    await this.#step(() => outbox.sweep(retention, clock.now()), stop);
    await this.#step(() => memory.sweep(MEMORY_RETENTION, clock.now()), stop);
  }

  /** The last move before the end; answers how many messages are lost with the memory. */
  async end(): Promise<number> {
    const { memory, clock } = this.#options;
    for (let tries = 0; tries < END_TRIES; tries++) {
      try {
        while (this.#moveStep() > 0);
        break;
      } catch {
        // Another process may hold the lock for a moment; else what is left is counted.
        await clock.sleep(END_PAUSE_MS, new AbortController().signal);
      }
    }
    const { waiting, dead } = memory.entries.counts();
    return waiting + dead;
  }

  #moveStep(): number {
    const { outbox, memory, clock } = this.#options;
    return memory.moveTo(outbox, clock.now());
  }

  /** Gives up what waits for channels that are no longer configured, and how they fared. */
  async #forgetRemoved(stop: AbortSignal): Promise<void> {
    const { outbox, channels } = this.#options;
    await this.#step(() => {
      outbox.channels.keepOnly(channels);
      return 0;
    }, stop);
    await this.#giveUp({ sinceMs: undefined }, stop);
  }

  async #giveUp({ sinceMs }: Pick<Hopeless, "sinceMs">, stop: AbortSignal): Promise<void> {
    const { outbox, channels, clock, log } = this.#options;
    const counts = new Map<string, number>();
    await this.#step(() => {
      const batch = outbox.giveUp({ channels, sinceMs }, clock.now());
      for (const [channel, count] of batch) {
        counts.set(channel, (counts.get(channel) ?? 0) + count);
      }
      return batch.size;
    }, stop);
    for (const [channel, count] of counts) {
      const why = sinceMs === undefined
        ? "the configuration has no channel of this name"
        : "they waited too long without an attempt";
      log.error(`gave up ${count} entries for "${channel}": ${why}; see superbell outbox list`);
    }
  }

  /** Does the step until it answers that nothing is left. */
  async #step(step: () => number, stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    try {
      while (!stop.aborted && step() > 0) await clock.sleep(STEP_PAUSE_MS, stop);
    } catch (error) {
      // The next time does it; an upkeep that ended here would let the file grow for ever.
      log.warn(`upkeep of the outbox has to wait: ${describe(error)}`);
    }
  }

  async #every(
    { firstMs, periodMs }: { readonly firstMs: number; readonly periodMs: number },
    stop: AbortSignal,
    work: () => Promise<void>,
  ): Promise<void> {
    await this.#options.clock.sleep(firstMs, stop);
    while (!stop.aborted) {
      await work();
      await this.#options.clock.sleep(untilBeatMs(this.#options.clock, periodMs), stop);
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
