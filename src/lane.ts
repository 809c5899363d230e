// A lane brings the entries of one channel to it: claim, compose, send, settle, and rest where
// the channel fails or the service wants it. What was sent and could not be written down (disk
// full) is remembered and written first, so that it is not sent again and again.

import type { Alert } from "./alerts/alert.ts";
import { composeDigest } from "./alerts/digest.ts";
import type { Language } from "./alerts/messages.ts";
import { type Outcome, retry } from "./alerts/outcome.ts";
import type { Channel } from "./channels/channel.ts";
import type { Clock } from "./clock.ts";
import { formatDuration } from "./config/duration.ts";
import type { Redactor } from "./config/secret.ts";
import type { Enrichment } from "./enrichment.ts";
import type { Log } from "./log.ts";
import { backoffMs, givesUp, type RetryPolicy } from "./outbox/backoff.ts";
import {
  type Claim,
  type Entry,
  LONGEST_PAUSE_MS,
  type Outbox,
  type Settlement,
} from "./outbox/outbox.ts";

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

/** What a lane works with. */
export interface LaneOptions {
  /** The outbox on disk first, then the one in memory for what the disk did not take. */
  readonly outboxes: readonly Outbox[];
  /** Finds out how processes ended; undefined where nobody can be asked. */
  readonly enrichment?: Enrichment | undefined;
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

/** No entry waits longer than this, or than retry.most where that is more. */
const LONGEST_WAIT_MS = 60 * 60 * 1000;

/** One message tells so many alerts at most. */
const MOST_IN_DIGEST = 1000;

/** So many failures of a channel in a row, and its next attempt waits like a failed entry. */
const FAILURES_BEFORE_PAUSE = 3;

/** An attempt that was made, and the outbox that did not take it. */
interface Unsettled {
  readonly outbox: Outbox;
  readonly claim: Claim;
  readonly settlement: Settlement;
}

/** One channel's workers and what they share. */
export class Lane {
  readonly name: string;
  readonly #channel: OpenChannel;
  readonly #options: LaneOptions;
  readonly #stopped = new AbortController();
  readonly #aborted = new AbortController();
  /** Workers that have nothing to do; those that wait for a time to pass are not woken early. */
  #idle: AbortController[] = [];
  /** How often it was woken: what is stored while a worker is about to rest must not be missed. */
  #wakes = 0;
  #failures = 0;
  /** By the service's word; on the monotonic clock, as the next one. */
  #closedUntilMs = -Infinity;
  /** Because the channel keeps failing; ended by a hand that mends something. */
  #restsUntilMs = -Infinity;
  /** Outbox.changes() of each outbox when that rest began. */
  #changes: readonly (number | undefined)[] = [];
  /** What was said about an outbox that fails. */
  readonly #troubles = new Map<Outbox, string>();
  /** Attempts that could not be written down yet. */
  #unsettled: readonly Unsettled[] = [];
  /** So many entries are sent one by one, because a digest with them was rejected. */
  #singly = 0;

  constructor(channel: OpenChannel, options: LaneOptions) {
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

  /** Writes down what could not be written so far; the last chance, when no worker runs. */
  settleLeft(): void {
    for (const { outbox, claim } of this.#unsettled) {
      if (this.#ask(outbox, () => this.#settlePast(outbox))) continue;
      const { log } = this.#options;
      for (const entry of claim.entries) {
        log.error(`the last attempt of ${this.#name(entry, outbox)} could not be written down`);
      }
    }
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
        // A mistake of ours. The claim's lease ends, and the entry is taken up again.
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
    const { clock, outboxes, retry: policy } = this.#options;
    const nowMs = clock.now();
    const closedMs = this.#closedMs(nowMs);
    if (closedMs > 0) return { kind: "closed", waitMs: Math.min(LOOK_EVERY_MS, closedMs) };
    const { digestMs, timeoutMs } = this.#channel;
    const lease = {
      nowMs,
      leaseMs: timeoutMs + LEASE_MARGIN_MS,
      most: this.#most(),
      aheadMs: digestMs,
      longestWaitMs: longestWaitMs(policy),
    };
    let waitMs = LOOK_EVERY_MS;
    for (const outbox of outboxes) {
      // An outbox that fails must not hold up what lies in the other.
      const found = this.#ask(outbox, () => {
        this.#settlePast(outbox);
        return outbox.claim(this.name, lease) ?? outbox.nextDueMs(this.name);
      });
      if (typeof found === "object") {
        await this.#attempt(outbox, found);
        return "sent";
      }
      if (found !== undefined) waitMs = Math.min(waitMs, Math.max(1, found - nowMs));
    }
    // While a digest gathers, what is stored now is due later: nothing to be woken for.
    return { kind: waitMs <= digestMs ? "closed" : "empty", waitMs };
  }

  /** How long nothing may be sent, by the service's word, its pace, or our own rest. */
  #closedMs(nowMs: number): number {
    const { clock, outboxes } = this.#options;
    const { pace } = this.#channel.channel;
    const monotonicMs = clock.monotonic();
    if (this.#restsUntilMs > monotonicMs && this.#isMended()) this.#restsUntilMs = -Infinity;
    return Math.max(
      this.#closedUntilMs - monotonicMs,
      this.#restsUntilMs - monotonicMs,
      ...outboxes.map((outbox) =>
        pace === undefined
          ? 0
          : (this.#ask(outbox, () => outbox.paceFreeAtMs(pace, nowMs)) ?? 0) - nowMs
      ),
    );
  }

  /** Whether somebody has used `superbell outbox` since the rest began: then it is worth a try. */
  #isMended(): boolean {
    return this.#readChanges().some((number, index) => number !== this.#changes[index]);
  }

  #readChanges(): readonly (number | undefined)[] {
    return this.#options.outboxes.map((outbox) => this.#ask(outbox, () => outbox.changes()));
  }

  /** The outbox's answer; undefined when it failed, which is logged once. */
  #ask<Value>(outbox: Outbox, question: () => Value): Value | undefined {
    try {
      const answer = question();
      this.#troubles.delete(outbox);
      return answer;
    } catch (error) {
      const trouble = describe(error);
      if (trouble !== this.#troubles.get(outbox)) this.#tellOutbox(error);
      this.#troubles.set(outbox, trouble);
      return undefined;
    }
  }

  #most(): number {
    return this.#channel.digestMs > 0 && this.#singly === 0 ? MOST_IN_DIGEST : 1;
  }

  async #attempt(outbox: Outbox, claimed: Claim): Promise<void> {
    const { clock, redactor } = this.#options;
    const claim = await this.#enrich(outbox, claimed);
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
    const paceKey = this.#channel.channel.pace?.key;
    const held = this.#settle({ outbox, claim, settlement: { attempt, nextTry, paceKey } });
    if (several) this.#singly = outcome.kind === "rejected" ? claim.entries.length : 0;
    else this.#singly = Math.max(0, this.#singly - 1);
    this.#keepDistance(outbox, outcome, { nowMs: endMs, reason });
    for (const entry of claim.entries) {
      const what = this.#name(entry, outbox);
      if (held.includes(entry)) {
        this.#tell(entry, { what, outcome: outcome.kind, reason, dueAtMs: nextTry(entry), endMs });
      } else {
        const fate = outcome.kind === "delivered" ? "it was delivered" : "it was not delivered";
        this.#options.log.warn(`${what} was dropped while it was being sent; ${fate}: ${reason}`);
      }
    }
  }

  /** The claim with what could be found out about its alerts, once: it is stored with them. */
  async #enrich(outbox: Outbox, claim: Claim): Promise<Claim> {
    const { enrichment } = this.#options;
    if (enrichment === undefined || claim.entries.every(({ attempts }) => attempts > 0)) {
      return claim;
    }
    const alerts = claim.entries.map(({ alert }) => alert);
    const richer = await enrichment.enrich(alerts, this.#aborted.signal);
    const entries = claim.entries.map((entry, index) => ({ ...entry, alert: richer[index]! }));
    const changed = entries.filter((_, index) => richer[index] !== alerts[index]);
    if (changed.length === 0) return claim;
    this.#ask(outbox, () => outbox.rewrite(changed));
    return { ...claim, entries: entries as [Entry, ...Entry[]] };
  }

  /** Writes the attempt down, now or as soon as the outbox takes it; answers what is still ours. */
  #settle(unsettled: Unsettled): readonly Entry[] {
    const { outbox, claim, settlement } = unsettled;
    const held = this.#ask(outbox, () => outbox.settle(claim, settlement));
    if (held === undefined) this.#unsettled = [...this.#unsettled, unsettled];
    return held ?? claim.entries;
  }

  /** Writes down what this outbox did not take so far; throws when it still does not. */
  #settlePast(outbox: Outbox): true {
    for (const unsettled of this.#unsettled.filter((other) => other.outbox === outbox)) {
      outbox.settle(unsettled.claim, unsettled.settlement);
      this.#unsettled = this.#unsettled.filter((other) => other !== unsettled);
    }
    return true;
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
    const attempts = entry.attempts + 1;
    if (givesUp(policy, { ageMs: nowMs - entry.sinceMs, attempts })) return undefined;
    const waitMs = Math.max(backoffMs(policy, attempts, random), outcome.afterMs ?? 0);
    return nowMs + Math.min(waitMs, longestWaitMs(policy));
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
    const monotonicMs = this.#options.clock.monotonic();
    if (outcome.closesChannel === true) {
      const forMs = Math.min(outcome.afterMs ?? 0, LONGEST_PAUSE_MS);
      this.#closedUntilMs = monotonicMs + forMs;
      const key = this.#channel.channel.pace?.key;
      if (key !== undefined) {
        this.#ask(outbox, () => outbox.pause(key, { untilMs: nowMs + forMs, reason }));
      }
    } else if (this.#failures >= FAILURES_BEFORE_PAUSE) {
      const { retry: policy, random } = this.#options;
      this.#restsUntilMs = monotonicMs +
        backoffMs(policy, this.#failures - FAILURES_BEFORE_PAUSE + 1, random());
      this.#changes = this.#readChanges();
    }
  }

  #tellOutbox(error: unknown): void {
    this.#options.log.error(`channel ${this.name}: cannot use the outbox: ${describe(error)}`);
  }

  /** For the log. The number of an entry in memory is that of another one on disk. */
  #name({ id, alert }: Entry, outbox: Outbox): string {
    const entry = outbox.isInMemory ? "an entry in memory" : `entry ${id}`;
    return `${entry} (alert ${alert.id}) to ${this.name}`;
  }

  #tell(
    entry: Entry,
    { what, outcome, reason, dueAtMs, endMs }: {
      readonly what: string;
      readonly outcome: Outcome["kind"];
      readonly reason: string;
      readonly dueAtMs: number | undefined;
      readonly endMs: number;
    },
  ): void {
    const { log } = this.#options;
    if (outcome === "delivered") {
      log.info(`delivered ${what}, attempt ${entry.attempts + 1}: ${reason}`);
    } else if (dueAtMs !== undefined) {
      const waitMs = Math.max(0, dueAtMs - endMs);
      log.warn(`not delivered ${what}: ${reason}; next try in ${formatDuration(waitMs)}`);
    } else {
      const again = what.startsWith("entry")
        ? `superbell outbox retry ${entry.id}`
        : "find it with superbell outbox list --state dead, once the disk has taken it";
      log.error(`gave up ${what}: ${reason}; when the cause is mended: ${again}`);
    }
  }
}

function longestWaitMs({ mostMs }: RetryPolicy): number {
  return Math.max(LONGEST_WAIT_MS, mostMs);
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
