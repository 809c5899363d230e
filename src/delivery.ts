// Delivery takes entries from the outbox and brings them to people: claim, compose, send,
// settle. Each channel has its own workers, so that one that hangs holds up no other. All
// that must survive us (attempts, pauses, times of the next try) lies in the outbox.

import type { Alert } from "./alerts/alert.ts";
import { composeDigest } from "./alerts/digest.ts";
import type { Language } from "./alerts/messages.ts";
import { type Outcome, retry } from "./alerts/outcome.ts";
import type { Channel } from "./channels/channel.ts";
import type { Clock } from "./clock.ts";
import { formatDuration } from "./config/duration.ts";
import type { Redactor } from "./config/secret.ts";
import type { Log } from "./log.ts";
import { backoffMs, type RetryPolicy } from "./outbox/backoff.ts";
import type { Claim, Entry, Outbox } from "./outbox/outbox.ts";

/** A channel as opened for use. */
export interface OpenChannel {
  readonly name: string;
  readonly channel: Channel;
  readonly language: Language;
  /** Longest time of one attempt. */
  readonly timeoutMs: number;
  /** Attempts at the same time. */
  readonly concurrency: number;
  /** How long an entry waits for others to be told with it; 0: each has a message of its own. */
  readonly digestMs: number;
}

/** What delivery works with. */
export interface DeliveryOptions {
  /** The outbox on disk first, then the one in memory for what the disk did not take. */
  readonly outboxes: readonly Outbox[];
  readonly channels: readonly OpenChannel[];
  readonly retry: RetryPolicy;
  readonly timeZone: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly redactor: Redactor;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Another process may have changed the outbox (`superbell outbox retry`): look this often. */
const LOOK_EVERY_MS = 3000;

/** How much longer than its attempt a claim lasts: the time to settle it on a slow disk. */
const LEASE_MARGIN_MS = 30_000;

/** How long a channel may take to stop once its time is over; what it began goes on unwatched. */
const ABORT_GRACE_MS = 3000;

/** One message tells so many alerts at most. */
const MOST_IN_DIGEST = 1000;

/** So many failures of a channel in a row, and its next attempt waits like a failed entry. */
const FAILURES_BEFORE_PAUSE = 3;

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
  }
}

/** One channel's workers and what they share. */
class Lane {
  readonly name: string;
  readonly #channel: OpenChannel;
  readonly #options: DeliveryOptions;
  readonly #stopped = new AbortController();
  readonly #aborted = new AbortController();
  /** Workers that have nothing to do; those that wait for a time to pass are not woken early. */
  #idle: AbortController[] = [];
  /** How often it was woken: what is stored while a worker is about to rest must not be missed. */
  #wakes = 0;
  #failures = 0;
  #closedUntilMs = 0;
  /** So many entries are sent one by one, because a digest with them was rejected. */
  #singly = 0;

  constructor(channel: OpenChannel, options: DeliveryOptions) {
    this.name = channel.name;
    this.#channel = channel;
    this.#options = options;
  }

  start(): Promise<void>[] {
    // A paced channel sends one by one: the pace counts attempts that are written down.
    const paced = this.#channel.channel.pace !== undefined;
    const workers = paced ? 1 : this.#channel.concurrency;
    return Array.from({ length: workers }, () => this.#work());
  }

  /** Called for every stored entry, so it must cost nothing while the workers are busy. */
  wake(): void {
    this.#wakes++;
    for (const worker of this.#idle.splice(0)) worker.abort();
  }

  stop(): void {
    this.#stopped.abort();
    this.wake();
  }

  abort(): void {
    this.#aborted.abort();
  }

  async #work(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const wakes = this.#wakes;
      try {
        const next = await this.#sendOne();
        if (next === "sent") continue;
        if (next.kind === "closed") await clock.sleep(next.waitMs, this.#stopped.signal);
        else if (wakes === this.#wakes) await this.#rest(next.waitMs);
      } catch (error) {
        // The outbox failed (disk full, read-only) after an attempt: nothing to settle it with.
        // The claim's lease ends, and the entry is taken up again.
        this.#tellOutbox(error);
        await clock.sleep(LOOK_EVERY_MS, this.#stopped.signal);
      }
    }
  }

  /** Waits for an entry to come, at most so long. */
  async #rest(waitMs: number): Promise<void> {
    const idle = new AbortController();
    this.#idle.push(idle);
    await this.#options.clock.sleep(waitMs, idle.signal);
    this.#idle = this.#idle.filter((other) => other !== idle);
  }

  /** Sends the next entry that is due; or says how long to wait, and for what. */
  async #sendOne(): Promise<
    "sent" | { readonly kind: "closed" | "empty"; readonly waitMs: number }
  > {
    const { clock, outboxes } = this.#options;
    const nowMs = clock.now();
    const { pace } = this.#channel.channel;
    let failed = false;
    // An outbox that fails must not hold up what lies in the other.
    const ask = <Value>(question: () => Value): Value | undefined => {
      try {
        return question();
      } catch (error) {
        failed = true;
        this.#tellOutbox(error);
        return undefined;
      }
    };
    const freeAtMs = Math.max(
      this.#closedUntilMs,
      ...outboxes.map((outbox) =>
        pace === undefined ? 0 : ask(() => outbox.paceFreeAtMs(pace, nowMs)) ?? 0
      ),
    );
    if (freeAtMs > nowMs) {
      return { kind: "closed", waitMs: Math.min(LOOK_EVERY_MS, freeAtMs - nowMs) };
    }
    const { digestMs, timeoutMs } = this.#channel;
    const leaseMs = timeoutMs + LEASE_MARGIN_MS;
    for (const outbox of outboxes) {
      const lease = { nowMs, leaseMs, most: this.#most(), aheadMs: digestMs };
      const claim = ask(() => outbox.claim(this.name, lease));
      if (claim === undefined) continue;
      await this.#attempt(outbox, claim);
      return "sent";
    }
    const dueAtMs = Math.min(
      ...outboxes.map((outbox) => ask(() => outbox.nextDueMs(this.name)) ?? Infinity),
    );
    const waitMs = failed ? LOOK_EVERY_MS : Math.max(1, dueAtMs - nowMs);
    // While a digest gathers, what is stored now is due later: nothing to be woken for.
    const kind = waitMs <= digestMs ? "closed" : "empty";
    return { kind, waitMs: Math.min(LOOK_EVERY_MS, waitMs) };
  }

  #most(): number {
    return this.#channel.digestMs > 0 && this.#singly === 0 ? MOST_IN_DIGEST : 1;
  }

  async #attempt(outbox: Outbox, claim: Claim): Promise<void> {
    const { clock, redactor } = this.#options;
    const atMs = clock.now();
    const outcome = await this.#send(claim, atMs);
    const endMs = clock.now();
    const reason = redactor.redact(outcome.kind === "delivered" ? outcome.detail : outcome.reason);
    const attempt = {
      atMs,
      tookMs: Math.max(0, endMs - atMs),
      outcome: outcome.kind,
      reason,
    };
    const several = claim.entries.length > 1;
    const random = this.#options.random();
    const nextTry = (entry: Entry) =>
      // What one alert is rejected for must not take the others of its digest with it.
      outcome.kind === "rejected" && several ? endMs : this.#nextTry(outcome, entry, endMs, random);
    const { pace } = this.#channel.channel;
    outbox.settle(claim, { attempt, nextTry, paceKey: pace?.key });
    if (several) this.#singly = outcome.kind === "rejected" ? claim.entries.length : 0;
    else this.#singly = Math.max(0, this.#singly - 1);
    this.#keepDistance(outbox, outcome, { nowMs: endMs, reason });
    for (const entry of claim.entries) {
      this.#tell(entry, outcome.kind, { reason, dueAtMs: nextTry(entry), nowMs: endMs });
    }
  }

  async #send(claim: Claim, nowMs: number): Promise<Outcome> {
    const signal = AbortSignal.any([
      this.#aborted.signal,
      AbortSignal.timeout(this.#channel.timeoutMs),
    ]);
    const ended = new AbortController();
    try {
      return await Promise.race([
        this.#sendUntil(signal, claim, nowMs),
        this.#overdue(signal, ended.signal),
      ]);
    } finally {
      ended.abort();
    }
  }

  async #sendUntil(signal: AbortSignal, { entries }: Claim, nowMs: number): Promise<Outcome> {
    const { language, timeoutMs, channel } = this.#channel;
    const { timeZone } = this.#options;
    try {
      const alerts = entries.map(({ alert }) => alert) as [Alert, ...Alert[]];
      const message = composeDigest(alerts, { language, timeZone });
      const outcome = await channel.send(message, { signal, nowMs });
      if (outcome.kind === "delivered" || !signal.aborted) return outcome;
      return retry(
        this.#aborted.signal.aborted
          ? "superbell was stopped before the answer came"
          : `No answer within ${formatDuration(timeoutMs)}`,
      );
    } catch (error) {
      return retry(`A mistake in superbell itself: ${describe(error)}`);
    }
  }

  /** Keeps a channel that does not heed its signal from holding up its entries, and our end. */
  async #overdue(signal: AbortSignal, ended: AbortSignal): Promise<Outcome> {
    await aborted(AbortSignal.any([signal, ended]));
    await this.#options.clock.sleep(ABORT_GRACE_MS, ended);
    return retry("The channel went on after it was told to stop; we cannot know what became of it");
  }

  /** When to try again; undefined: not at all. */
  #nextTry(outcome: Outcome, entry: Entry, nowMs: number, random: number): number | undefined {
    if (outcome.kind !== "retry") return undefined;
    if (this.#aborted.signal.aborted) return nowMs; // our own end is nobody's failure
    const { retry: policy } = this.#options;
    if (nowMs - entry.sinceMs >= policy.giveUpAfterMs) return undefined;
    const waitMs = backoffMs(policy, entry.attempts + 1, random);
    return nowMs + Math.max(waitMs, outcome.afterMs ?? 0);
  }

  /** After a refusal of everything, or several failures in a row, the channel rests. */
  #keepDistance(
    outbox: Outbox,
    outcome: Outcome,
    { nowMs, reason }: { readonly nowMs: number; readonly reason: string },
  ): void {
    if (outcome.kind === "delivered") this.#failures = 0;
    if (outcome.kind !== "retry") return;
    this.#failures++;
    if (outcome.closesChannel === true) {
      const untilMs = nowMs + (outcome.afterMs ?? 0);
      this.#closedUntilMs = untilMs;
      const key = this.#channel.channel.pace?.key;
      if (key !== undefined) outbox.pause(key, { untilMs, reason });
    } else if (this.#failures >= FAILURES_BEFORE_PAUSE) {
      const { retry: policy, random } = this.#options;
      this.#closedUntilMs = nowMs +
        backoffMs(policy, this.#failures - FAILURES_BEFORE_PAUSE + 1, random());
    }
  }

  #tellOutbox(error: unknown): void {
    this.#options.log.error(`channel ${this.name}: cannot use the outbox: ${describe(error)}`);
  }

  #tell(
    entry: Entry,
    outcome: Outcome["kind"],
    { reason, dueAtMs, nowMs }: {
      readonly reason: string;
      readonly dueAtMs: number | undefined;
      readonly nowMs: number;
    },
  ): void {
    const { log } = this.#options;
    const what = `entry ${entry.id} (alert ${entry.alert.id}) to ${this.name}`;
    if (outcome === "delivered") {
      log.info(`delivered ${what}, attempt ${entry.attempts + 1}: ${reason}`);
    } else if (dueAtMs !== undefined) {
      const waitMs = Math.max(0, dueAtMs - nowMs);
      log.warn(`not delivered ${what}: ${reason}; next try in ${formatDuration(waitMs)}`);
    } else {
      log.error(
        `gave up ${what}: ${reason}; when the cause is mended: superbell outbox retry ${entry.id}`,
      );
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
