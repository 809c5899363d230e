// Watches over one channel: says through another one that it fails and that it works again,
// hands over what waits for it to the channel that stands in, and keeps what waits within its
// bound. In small steps, because intake waits for each.

import { CarefulUse } from "./careful_use.ts";
import type { Circuit } from "./circuit.ts";
import type { Clock } from "../clock.ts";
import { formatRoughly } from "../config/duration.ts";
import type { ChannelTrouble, Event } from "../events/event.ts";
import type { Lane } from "./lane.ts";
import type { Log } from "../log.ts";
import type { Outbox, StandIn } from "../outbox/outbox.ts";
import { type Cursor, FROM_THE_START } from "../outbox/reroute.ts";

/** An event about a channel. */
export type ChannelEvent = Extract<Event, { readonly trouble: ChannelTrouble }>;

/** What a watch works with. */
export interface WatchOptions {
  readonly lane: Lane;
  /** The fallback as configured. */
  readonly fallback: string | undefined;
  /** So long a channel may fail before that is told and its fallback stands in. */
  readonly afterMs: number;
  /** Entries that may wait for the channel. */
  readonly maxWaiting: number;
  /** Who stands in now; undefined: nobody, or nobody who works. */
  readonly standIn: () => StandIn | undefined;
  /** New entries for this channel were stored. */
  readonly wake: (channel: string) => void;
  /** Tells people; the same event told twice is told once. */
  readonly tell: (event: ChannelEvent) => void;
  /** The outbox on disk first. */
  readonly outboxes: readonly Outbox[];
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY_MS = 3000;
const COUNT_EVERY_MS = 10_000;

/** What could not be handed over is looked at again after so long. */
const LOOK_AGAIN_EVERY_MS = 60_000;

/** Between two steps, for intake and delivery. */
const STEP_PAUSE_MS = 20;

/** One channel's watch. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #circuit: Circuit;
  readonly #use: CarefulUse;
  #idle: AbortController | undefined;
  /** How often it was woken, so that nothing is missed while it is about to rest. */
  #wakes = 0;
  /** By outbox: up to where it has been handed over, and when that round began. */
  readonly #rounds = new Map<Outbox, { readonly cursor: Cursor; readonly sinceMs: number }>();
  #countedAtMs: number;
  /** Whether too many waited when they were counted last. */
  #isFull = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#circuit = options.lane.circuit;
    this.#use = new CarefulUse(options.lane.name, options.log);
    this.#countedAtMs = options.clock.monotonic();
  }

  /** Something has happened to the channel. Costs nothing while it works. */
  wake(): void {
    if (this.#isWell()) return;
    this.#wakes++;
    this.#idle?.abort();
  }

  #isWell(): boolean {
    return this.#circuit.failingForMs() === undefined && this.#circuit.overSinceMs === undefined;
  }

  /** Works until the signal; never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, lane } = this.#options;
    while (!stop.aborted) {
      const wakes = this.#wakes;
      try {
        lane.lookForMend();
        this.#tell();
        await this.#handOver(stop);
        await this.#bound(stop);
        if (wakes !== this.#wakes) continue;
      } catch (error) {
        this.#use.tell(error); // a mistake of ours; the next time may do it
      }
      this.#idle = new AbortController();
      const signal = AbortSignal.any([stop, this.#idle.signal]);
      await clock.sleep(this.#isWell() ? COUNT_EVERY_MS : LOOK_EVERY_MS, signal);
    }
  }

  /** Says that it fails, once, and when that is over, once. */
  #tell(): void {
    const { afterMs, clock, lane, log, tell } = this.#options;
    const circuit = this.#circuit;
    const overSinceMs = circuit.overSinceMs;
    if (overSinceMs !== undefined) {
      // Of this run by the clock that nobody sets.
      const downMs = circuit.failedForMs ?? Math.max(0, clock.now() - overSinceMs);
      log.info(`channel ${lane.name} delivers again, after ${formatRoughly(downMs)}`);
      tell(this.#recovered(overSinceMs, downMs));
      this.#keepTold(undefined);
    }
    // After a start it may work again: what waits is tried first, and then it is told.
    if (!this.#isFailing() || circuit.isTold || lane.isAboutToTry()) return;
    const trouble = this.#troubleNow();
    log.error(
      `channel ${lane.name} has failed for ${formatRoughly(afterMs)}: ${trouble.reason}; ` +
        `${trouble.waiting} entries wait`,
    );
    tell(this.#failing(trouble, String(trouble.sinceMs)));
    this.#keepTold(clock.now());
  }

  #keepTold(atMs: number | undefined): void {
    this.#circuit.told(atMs);
    this.#keepState();
  }

  #keepState(): void {
    const { state } = this.#circuit;
    const [disk] = this.#options.outboxes;
    if (state === undefined || disk === undefined) return;
    this.#use.ask(disk, () => disk.channels.write(state));
  }

  #isFailing(): boolean {
    return (this.#circuit.failingForMs() ?? -Infinity) >= this.#options.afterMs;
  }

  #troubleNow(): ChannelTrouble {
    const { lane, fallback, clock } = this.#options;
    const { failingSinceMs, lastReason, givenUp } = this.#circuit.state ?? {};
    return {
      name: lane.name,
      sinceMs: failingSinceMs ?? clock.now(),
      reason: lastReason ?? "",
      waiting: this.#waiting(),
      ...(fallback !== undefined && { fallback }),
      ...(givenUp !== undefined && givenUp > 0 && { givenUp }),
    };
  }

  #waiting(): number {
    const { outboxes, lane } = this.#options;
    const count = (outbox: Outbox) => this.#use.ask(outbox, () => outbox.waiting(lane.name)) ?? 0;
    return outboxes.reduce((sum, outbox) => sum + count(outbox), 0);
  }

  #failing(trouble: ChannelTrouble, when: string): ChannelEvent {
    return {
      kind: "channel_failing",
      origin: originOf("SUPERBELL_CHANNEL_FAILING", `channel ${trouble.name} ${when}`),
      trouble,
    };
  }

  #recovered(sinceMs: number, downMs: number): ChannelEvent {
    const { lane } = this.#options;
    return {
      kind: "channel_recovered",
      origin: originOf("SUPERBELL_CHANNEL_RECOVERED", `channel ${lane.name} ${sinceMs}`),
      trouble: {
        name: lane.name,
        sinceMs,
        downMs,
        // Of the attempt that worked: how is of no interest to people.
        reason: "",
        waiting: this.#waiting(),
      },
    };
  }

  /** Hands over what waits, unless the lane is about to try it, which shows how the channel is. */
  async #handOver(stop: AbortSignal): Promise<void> {
    const { outboxes, lane, clock, log } = this.#options;
    const counts = new Map<string, number>();
    for (const outbox of outboxes) {
      while (!stop.aborted && this.#isFailing() && !lane.isAboutToTry()) {
        const to = this.#options.standIn();
        if (to === undefined) break;
        const moved = this.#use.ask(outbox, () => this.#step(outbox, to));
        if (moved === undefined) break;
        counts.set(to.channel, (counts.get(to.channel) ?? 0) + moved);
        if (moved > 0) this.#options.wake(to.channel);
        await clock.sleep(STEP_PAUSE_MS, stop);
      }
    }
    for (const [channel, count] of counts) {
      if (count === 0) continue;
      log.warn(
        `channel ${lane.name} fails: ${count} entries were handed over to ${channel}: ` +
          `${this.#circuit.state?.lastReason}`,
      );
    }
  }

  /** The number of entries that one step handed over; undefined: there is nothing to look at. */
  #step(outbox: Outbox, to: StandIn): number | undefined {
    const { lane, clock } = this.#options;
    if (outbox.nextDueMs(lane.name) === undefined) {
      this.#rounds.delete(outbox);
      return undefined;
    }
    const monotonicMs = clock.monotonic();
    let round = this.#rounds.get(outbox);
    if (round === undefined || monotonicMs - round.sinceMs >= LOOK_AGAIN_EVERY_MS) {
      round = { cursor: FROM_THE_START, sinceMs: monotonicMs };
    }
    const { moved, isAll, last } = outbox.reroute(lane.name, {
      to,
      why: this.#circuit.state?.lastReason ?? "it fails",
      nowMs: clock.now(),
      after: round.cursor,
    });
    this.#rounds.set(outbox, { ...round, cursor: last });
    return isAll && moved === 0 ? undefined : moved;
  }

  /** Gives up what is too much, says how much that was, and tells it. */
  async #bound(stop: AbortSignal): Promise<void> {
    const { outboxes: [disk], lane, maxWaiting, clock, log, tell } = this.#options;
    const monotonicMs = clock.monotonic();
    if (disk === undefined || monotonicMs - this.#countedAtMs < COUNT_EVERY_MS) return;
    this.#countedAtMs = monotonicMs;
    const waiting = this.#use.ask(disk, () => disk.waiting(lane.name)) ?? 0;
    const excess = waiting - maxWaiting;
    const reason = `more than ${maxWaiting} messages waited for ${lane.name}`;
    let given = 0;
    while (!stop.aborted && given < excess) {
      const count = this.#use.ask(
        disk,
        () => disk.giveUpOldest(lane.name, { count: excess - given, reason }, clock.now()),
      );
      if (count === undefined || count === 0) break;
      given += count;
      await clock.sleep(STEP_PAUSE_MS, stop);
    }
    const wasFull = this.#isFull;
    this.#isFull = given > 0;
    if (given === 0) return;
    log.error(`gave up ${given} entries for "${lane.name}": ${reason}; see superbell outbox list`);
    this.#circuit.gaveUp(given);
    this.#keepState();
    // A channel whose failure is still to be told says it then; of the others it is news.
    const isToldLater = this.#circuit.failingForMs() !== undefined && !this.#circuit.isTold;
    if (wasFull || isToldLater) return;
    const trouble = this.#troubleNow();
    const when = this.#circuit.isTold ? `${trouble.sinceMs} full` : `full ${clock.now()}`;
    tell(this.#failing({ ...trouble, reason, givenUp: trouble.givenUp ?? given }, when));
  }
}

function originOf(eventname: string, identity: string): Event["origin"] {
  // Which supervisord it is does not matter here.
  return { server: "", eventname, identity };
}
