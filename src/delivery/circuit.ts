// The circuit of one channel. Closed: everything is sent. Open, after several failures in a row
// or by the service's word: nothing is even claimed, so that a hundred waiting messages do not
// knock a hundred times. Half-open, when that rest is over: one attempt tries, and its outcome
// closes or opens the circuit. All waits are on the monotonic clock, which nobody sets.

import type { Outcome } from "../alerts/outcome.ts";
import type { Clock } from "../clock.ts";
import { backoffMs, type RetryPolicy } from "../outbox/backoff.ts";
import { type ChannelState, type Held, LONGEST_PAUSE_MS, type Pause } from "../outbox/outbox.ts";

/** What a circuit works with. */
export interface CircuitOptions {
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** How an attempt ended: when, and what people are told about it. */
interface Ending {
  readonly outcome: Outcome;
  readonly atMs: number;
  readonly reason: string;
}

/** So many failures in a row open the circuit. */
const FAILURES_BEFORE_REST = 3;

/** A restart often means that somebody has mended something: it is tried soon, but not at once. */
const LONGEST_REST_AFTER_START_MS = 10_000;

/** Whether a channel may be tried now, and since when it has failed. */
export class Circuit {
  readonly #name: string;
  #options: CircuitOptions;
  /** Undefined before the first attempt of all. */
  #state: ChannelState | undefined;
  /** state.failingSinceMs on the monotonic clock. */
  #failingFromMs: number | undefined;
  #restsUntilMs = -Infinity;
  #closedUntilMs = -Infinity;
  #failedForMs: number | undefined;
  #isTrying = false;

  constructor(name: string, options: CircuitOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** What is to be kept over a restart; undefined before the first attempt. */
  get state(): ChannelState | undefined {
    return this.#state;
  }

  /**
   * Goes on by another policy, for a sender that is closed until then. Somebody has changed
   * something: if it rested, it is worth a try.
   */
  use(options: CircuitOptions, pausedUntilMs: number): void {
    const { clock } = options;
    this.#options = options;
    this.#closedUntilMs = clock.monotonic() +
      Math.min(pausedUntilMs - clock.now(), LONGEST_PAUSE_MS);
    this.#isTrying = false;
    this.endRest();
  }

  /** Goes on where the last run ended; `pausedUntilMs` is the service's own word. */
  restore(state: ChannelState | undefined, pausedUntilMs: number): void {
    const { clock } = this.#options;
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
    this.#closedUntilMs = monotonicMs + Math.min(pausedUntilMs - nowMs, LONGEST_PAUSE_MS);
    this.#state = state;
    if (state?.failingSinceMs === undefined) return;
    this.#failingFromMs = monotonicMs - Math.max(0, nowMs - state.failingSinceMs);
    if (state.failures < FAILURES_BEFORE_REST) return;
    const restMs = Math.min(this.#restMs(), LONGEST_REST_AFTER_START_MS);
    this.#restsUntilMs = monotonicMs + Math.min(restMs, state.lastAtMs + restMs - nowMs);
  }

  /** How long nothing may be claimed; 0 when an attempt may be made. */
  openForMs(): number {
    const untilMs = Math.max(this.#restsUntilMs, this.#closedUntilMs);
    return Math.max(0, untilMs - this.#options.clock.monotonic());
  }

  /** Whether the channel has failed so often that one attempt alone may try it. */
  get isHalfOpen(): boolean {
    return this.#failures >= FAILURES_BEFORE_REST && this.openForMs() === 0;
  }

  /** Whether that attempt is on its way: the others wait for how it ends. */
  get isTrying(): boolean {
    return this.#isTrying;
  }

  /** Whether an attempt may begin now. */
  mayAttempt(): boolean {
    return this.openForMs() === 0 && !this.#isTrying;
  }

  /** An attempt through another channel has closed the sender of both. */
  closeBy({ atMs, untilMs, reason }: Pause): void {
    const { clock } = this.#options;
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
    this.#closedUntilMs = monotonicMs + Math.min(untilMs - nowMs, LONGEST_PAUSE_MS);
    this.#failingFromMs ??= monotonicMs - Math.max(0, nowMs - atMs);
    this.#state = {
      ...this.#stateAfter({ outcome: { kind: "retry", reason }, atMs, reason }),
      failures: this.#failures, // none of its own
      held: { untilMs, reason },
    };
  }

  /** Its pace, or nothing, keeps it from sending. */
  hold(held: Held | undefined): void {
    if (this.#state !== undefined) this.#state = { ...this.#state, held };
  }

  /** An attempt begins; when the circuit is half-open, no other one may. */
  begin(): void {
    this.#isTrying = this.isHalfOpen;
  }

  /** An attempt has ended without any outcome of the channel's own. */
  cancel(): void {
    this.#isTrying = false;
  }

  /** An attempt has ended. */
  end(ending: Ending): void {
    const { outcome } = ending;
    const { clock } = this.#options;
    this.#isTrying = false;
    this.#state = this.#stateAfter(ending);
    if (outcome.kind === "delivered") {
      this.#failedForMs = this.failingForMs();
      this.#failingFromMs = undefined;
      this.#restsUntilMs = -Infinity;
      return;
    }
    const monotonicMs = clock.monotonic();
    this.#failingFromMs ??= monotonicMs;
    const closedMs = pauseMs(outcome);
    if (closedMs !== undefined) this.#closedUntilMs = monotonicMs + closedMs;
    else if (this.#failures >= FAILURES_BEFORE_REST) {
      this.#restsUntilMs = monotonicMs + this.#restMs();
    }
  }

  #stateAfter({ outcome, atMs, reason }: Ending): ChannelState {
    const isDelivered = outcome.kind === "delivered";
    const closesFor = pauseMs(outcome);
    return {
      name: this.#name,
      lastAtMs: atMs,
      lastOutcome: outcome.kind,
      lastReason: reason,
      failures: isDelivered ? 0 : this.#failures + 1,
      failingSinceMs: isDelivered ? undefined : this.#state?.failingSinceMs ?? atMs,
      toldAtMs: this.#state?.toldAtMs,
      toldSinceMs: this.#state?.toldSinceMs,
      givenUp: isDelivered ? 0 : this.#state?.givenUp ?? 0,
      held: closesFor === undefined ? undefined : { untilMs: atMs + closesFor, reason },
    };
  }

  get #failures(): number {
    return this.#state?.failures ?? 0;
  }

  #restMs(): number {
    const { retry, random } = this.#options;
    return backoffMs(retry, this.#failures - FAILURES_BEFORE_REST + 1, random());
  }

  /** Whether it rests because of its failures, not by the service's word. */
  get isResting(): boolean {
    return this.#restsUntilMs > this.#options.clock.monotonic();
  }

  /** Somebody has mended something: it is worth a try. */
  endRest(): void {
    this.#restsUntilMs = -Infinity;
  }

  /** How long it has delivered nothing that it was given; undefined while it works. */
  failingForMs(): number | undefined {
    if (this.#failingFromMs === undefined) return undefined;
    return this.#options.clock.monotonic() - this.#failingFromMs;
  }

  /** How long it had failed when it last delivered again, if that was in this run. */
  get failedForMs(): number | undefined {
    return this.#failedForMs;
  }

  /** Whether people know of this failure. */
  get isTold(): boolean {
    const { toldSinceMs, failingSinceMs } = this.#state ?? {};
    return toldSinceMs !== undefined && toldSinceMs === failingSinceMs;
  }

  /** Since when it had failed that people were told, and it is over now; undefined: nothing is. */
  get overSinceMs(): number | undefined {
    const { toldSinceMs } = this.#state ?? {};
    return this.isTold ? undefined : toldSinceMs;
  }

  /** People have been told that it fails; undefined: that this is over. */
  told(atMs: number | undefined): void {
    if (this.#state === undefined) return;
    const toldSinceMs = atMs === undefined ? undefined : this.#state.failingSinceMs;
    this.#state = { ...this.#state, toldAtMs: atMs, toldSinceMs };
  }

  /** So many of its entries have become dead, because too many waited. */
  gaveUp(count: number): void {
    if (this.#state?.failingSinceMs === undefined) return;
    this.#state = { ...this.#state, givenUp: this.#state.givenUp + count };
  }
}

/** For how long the service takes nothing at all; undefined: it does. */
export function pauseMs(outcome: Outcome): number | undefined {
  if (outcome.kind !== "retry" || outcome.closesChannel !== true) return undefined;
  return Math.min(outcome.afterMs ?? 0, LONGEST_PAUSE_MS);
}
