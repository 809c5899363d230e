// Delivery takes entries from the outbox and brings them to people: claim, compose, send,
// settle. Each channel has a lane with its own workers, so that one that hangs holds up no
// other, and a watch that sees to it when it fails. All that must survive us (attempts, pauses,
// how a channel fares, times of the next try) lies in the outbox.

import { untilBeatMs } from "../clock.ts";
import { Lane, type LaneOptions, LOOK_EVERY_MS, type OpenChannel } from "./lane.ts";
import type { Outbox, StandIn } from "../outbox/outbox.ts";
import { type ChannelEvent, Watch } from "./watch.ts";

/** What delivery works with. */
export interface DeliveryOptions extends LaneOptions {
  readonly channels: readonly OpenChannel[];
  /** Entries that may wait for one channel. */
  readonly maxWaiting: number;
  /** Tells people that a channel fails, or works again. */
  readonly tell: (event: ChannelEvent) => void;
}

/** Brings entries to their channels until it is stopped. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #watches: ReadonlyMap<string, Watch>;
  readonly #stopped = new AbortController();
  #workers: Promise<void>[] = [];
  /** The delivery that goes on in place of this one. */
  #heir: Delivery | undefined;

  /** `before` is the delivery by another configuration, whose work goes on here. */
  constructor(options: DeliveryOptions, before?: Delivery) {
    this.#options = options;
    const lanesBefore = before && before.#lanes;
    this.#lanes = new Map(options.channels.map((channel) => [
      channel.name,
      new Lane(channel, options, {
        // It will never be delivered there: better late by another one than not at all.
        standIn: () =>
          this.#last.#standInFor(channel.name, { willDo: () => true, takesBack: () => true }),
        onSettled: () => this.#last.#settled(channel.name, this),
        onHandedOver: (name) => this.#last.wake([name]),
        unwritten: (sender) => this.#last.#unwritten(sender),
      }, lanesBefore?.get(channel.name)),
    ]));
    if (before !== undefined) before.#heir = this;
    this.#watches = new Map(options.channels.map((channel) => [
      channel.name,
      new Watch({
        ...options,
        lane: this.#lanes.get(channel.name)!,
        fallback: channel.fallback,
        afterMs: channel.fallbackAfterMs,
        standIn: () =>
          this.#standInFor(channel.name, {
            willDo: (lane) => lane.mayStandIn(),
            takesBack: (lane) => lane.circuit.failingForMs() === undefined,
          }),
        wake: (name) => this.wake([name]),
      }),
    ]));
  }

  /** Starts the workers; they find by themselves what waits already. */
  start(): void {
    const { signal } = this.#stopped;
    this.#workers = [
      ...[...this.#lanes.values()].flatMap((lane) => lane.start()),
      ...[...this.#watches.values()].map((watch) => watch.run(signal)),
      this.#lookForOthers(signal),
    ];
  }

  /**
   * Wakes the lanes when another process has written into the outbox (`superbell outbox retry`).
   * One looks for all of them, for one that asks its own questions costs ten times as much.
   */
  async #lookForOthers(stop: AbortSignal): Promise<void> {
    const { clock, outboxes: [disk] } = this.#options;
    if (disk === undefined) return;
    let before = versionOf(disk);
    while (!stop.aborted) {
      await clock.sleep(untilBeatMs(clock, LOOK_EVERY_MS), stop);
      const version = versionOf(disk);
      // A disk in trouble may work again.
      if (version === undefined || version !== before) {
        for (const lane of this.#lanes.values()) lane.wake();
      }
      before = version;
    }
  }

  /** Says that entries for these channels have just been stored. */
  wake(channels: Iterable<string>): void {
    for (const name of channels) {
      this.#lanes.get(name)?.wake();
      this.#watches.get(name)?.wake();
    }
  }

  /** This delivery, or the one that has come in its place. */
  get #last(): Delivery {
    return this.#heir === undefined ? this : this.#heir.#last;
  }

  /** The first one along the fallbacks that will do; they may stand in for each other. */
  #standInFor(
    channel: string,
    { willDo, takesBack }: {
      readonly willDo: (lane: Lane) => boolean;
      readonly takesBack: (lane: Lane) => boolean;
    },
  ): StandIn | undefined {
    const seen = new Set([channel]);
    let name = this.#options.channels.find((other) => other.name === channel)?.fallback;
    while (name !== undefined && !seen.has(name)) {
      seen.add(name);
      const fallback = this.#options.channels.find((other) => other.name === name);
      const lane = this.#lanes.get(name);
      if (fallback === undefined || lane === undefined) return undefined;
      if (willDo(lane)) {
        return { channel: name, digestMs: fallback.digestMs, takesBack: takesBack(lane) };
      }
      name = fallback.fallback;
    }
    return undefined;
  }

  /** When attempts by this sender began that are written down nowhere yet, on any channel. */
  #unwritten(sender: string): readonly number[] {
    return [...this.#lanes.values()].flatMap((lane) =>
      lane.sender === sender ? lane.unwrittenTimes() : []
    );
  }

  /** An attempt for the channel has ended, here or where this one goes on from. */
  #settled(channel: string, by: Delivery): void {
    this.#watches.get(channel)?.wake();
    // What did not get through may be due again.
    if (by !== this) this.#lanes.get(channel)?.wake();
  }

  /** Takes nothing new; resolves when the running attempts have ended, each within its time. */
  async retire(): Promise<void> {
    this.#stopped.abort();
    for (const lane of this.#lanes.values()) lane.retire();
    await Promise.all(this.#workers);
    for (const [name, lane] of this.#lanes) {
      // Where the work goes on, what is not written down yet goes on as well.
      if (!this.#last.#lanes.has(name)) lane.settleLeft();
    }
  }

  /**
   * Takes nothing new, gives running attempts `windowMs` to end, then aborts them; what is not
   * delivered stays in the outbox. Resolves when no attempt is running any more.
   */
  async stop(windowMs: number): Promise<void> {
    this.#stopped.abort();
    const lanes = [...this.#lanes.values()];
    for (const lane of lanes) lane.stop();
    const ended = new AbortController();
    const all = Promise.all(this.#workers).then(() => ended.abort());
    await this.#options.clock.sleep(windowMs, ended.signal);
    for (const lane of lanes) lane.abort();
    await all;
    for (const lane of lanes) lane.settleLeft();
  }
}

/** Changes when another process has written; undefined: it cannot be asked. */
function versionOf(outbox: Outbox): string | undefined {
  try {
    return outbox.requests.version();
  } catch {
    return undefined; // the lanes say why
  }
}
