// Delivery takes entries from the outbox and brings them to people: claim, compose, send,
// settle. Each channel has a lane with its own workers, so that one that hangs holds up no
// other. All that must survive us (attempts, pauses, times of the next try) lies in the outbox.

import { Lane, type LaneOptions, type OpenChannel } from "./lane.ts";

/** What delivery works with. */
export interface DeliveryOptions extends LaneOptions {
  readonly channels: readonly OpenChannel[];
}

/** Brings entries to their channels until it is stopped. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #lanes: readonly Lane[];
  #workers: Promise<void>[] = [];

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#lanes = options.channels.map((channel) => new Lane(channel, options));
  }

  /** Starts the workers; they find by themselves what waits already. */
  start(): void {
    this.#workers = this.#lanes.flatMap((lane) => lane.start());
  }

  /** Says that entries for these channels have just been stored. */
  wake(channels: Iterable<string>): void {
    for (const name of channels) this.#lanes.find((lane) => lane.name === name)?.wake();
  }

  /**
   * Takes nothing new, gives running attempts `windowMs` to end, then aborts them; what is not
   * delivered stays in the outbox. Resolves when no attempt is running any more.
   */
  async stop(windowMs: number): Promise<void> {
    for (const lane of this.#lanes) lane.stop();
    const ended = new AbortController();
    const all = Promise.all(this.#workers).then(() => ended.abort());
    await this.#options.clock.sleep(windowMs, ended.signal);
    for (const lane of this.#lanes) lane.abort();
    await all;
    for (const lane of this.#lanes) lane.settleLeft();
  }
}
