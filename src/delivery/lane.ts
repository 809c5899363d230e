// A lane brings the entries of one channel to it: claim, send, settle, as its circuit and its
// pace let it. What was sent and could not be written down (disk full) is remembered and written
// first, so that it is not sent again and again.

import type { Alert } from "../alerts/alert.ts";
import type { Language } from "../alerts/messages.ts";
import type { MessageTemplate } from "../alerts/template.ts";
import type { Outcome } from "../alerts/outcome.ts";
import { attempt } from "./attempt.ts";
import { logAttempt, nameOf } from "./attempt_log.ts";
import { CarefulUse } from "./careful_use.ts";
import type { Channel } from "../channels/channel.ts";
import { Circuit, pauseMs } from "./circuit.ts";
import { type Clock, untilBeatMs } from "../clock.ts";
import { formatDuration, formatRoughly } from "../config/duration.ts";
import type { Redactor } from "../config/secret.ts";
import type { Enrichment } from "../enrichment.ts";
import type { Log } from "../log.ts";
import { backoffMs, givesUp, type RetryPolicy } from "../outbox/backoff.ts";
import type { Claim, Entry, Outbox, Pause, StandIn } from "../outbox/outbox.ts";
import { paceWaitMs } from "./pace.ts";
import { Settler } from "./settler.ts";

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
  /** The user's own words for each alert. */
  readonly template?: MessageTemplate | undefined;
  /** The channel that takes its messages when it has failed for so long. */
  readonly fallback?: string | undefined;
  readonly fallbackAfterMs: number;
}

/** What a lane works with. */
export interface LaneOptions {
  /** The outbox on disk first, then the one in memory for what the disk did not take. */
  readonly outboxes: readonly Outbox[];
  /** Finds out how processes ended; undefined where nobody can be asked. */
  readonly enrichment?: Enrichment | undefined;
  readonly retry: RetryPolicy;
  readonly timeZone: string | undefined;
  /** The user's own words for the alerts of a rule, by its name. */
  readonly templateOf?: (rule: string) => MessageTemplate | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly redactor: Redactor;
  /** In [0, 1). */
  readonly random: () => number;
}

/** What a lane needs of the house around it. */
export interface LaneSurroundings {
  /** Who takes what this channel will never deliver; undefined: nobody. */
  standIn(): StandIn | undefined;
  /** An attempt has ended and is settled, as far as that was possible. */
  onSettled(): void;
  /** Another channel has got an entry. */
  onHandedOver(channel: string): void;
  /** When attempts by this sender began that are written down nowhere yet, on any channel. */
  unwritten(sender: string): readonly number[];
}

/** Another process may have changed the outbox (`superbell outbox retry`): look this often. */
export const LOOK_EVERY_MS = 3000;

/** Where nothing waits a lane is woken for what comes; this often it looks all the same. */
const LOOK_ANYWAY_MS = 30_000;

/** How much longer than its attempt a claim lasts: the time to settle it on a slow disk. */
const LEASE_MARGIN_MS = 30_000;

/** No entry waits longer than this, or than retry.most where that is more. */
const LONGEST_WAIT_MS = 60 * 60 * 1000;

/** One message tells so many alerts at most. */
const MOST_IN_DIGEST = 1000;

/** One channel's workers and what they share. */
export class Lane {
  readonly name: string;
  readonly circuit: Circuit;
  readonly #channel: OpenChannel;
  readonly #options: LaneOptions;
  readonly #surroundings: LaneSurroundings;
  readonly #use: CarefulUse;
  readonly #settler: Settler;
  readonly #stopped = new AbortController();
  readonly #aborted = new AbortController();
  /** The lane that did this until now, of another configuration; it makes its last attempts. */
  #before: Lane | undefined;
  /** Another lane goes on in place of this one. */
  #isRetired = false;
  #workers: readonly Promise<void>[] = [];
  /** Workers that have nothing to do; those that wait for a time to pass are not woken early. */
  #idle: AbortController[] = [];
  /** How often it was woken: what is stored while a worker is about to rest must not be missed. */
  #wakes = 0;
  /** Outbox.changes() of each outbox when the circuit's rest began. */
  #changes: readonly (number | undefined)[] = [];
  /** Whether it has been said that the pace holds messages back. */
  #isHeldBack = false;
  /** When the attempts began that are under way. */
  readonly #begun = new Map<Claim, number>();
  /** So many entries are sent one by one, because a digest with them was rejected. */
  #singly = 0;

  /** `before` is the lane of this channel by another configuration, whose work goes on here. */
  constructor(
    channel: OpenChannel,
    options: LaneOptions,
    surroundings: LaneSurroundings,
    before?: Lane,
  ) {
    this.name = channel.name;
    this.circuit = before?.circuit ?? new Circuit(channel.name, options);
    this.#channel = channel;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#use = new CarefulUse(channel.name, options.log);
    this.#settler = before === undefined ? new Settler(this.#use) : before.#settler;
    this.#before = before;
  }

  start(): Promise<void>[] {
    this.#restore();
    // A paced channel sends one by one: the pace counts attempts that are written down.
    const paced = this.#channel.channel.pace !== undefined;
    const workers = paced ? 1 : this.#channel.concurrency;
    const before = this.#before;
    const isSameSender = paced && before !== undefined && before.sender === this.sender;
    const after = isSameSender ? before.#workers : [];
    this.#workers = Array.from({ length: workers }, () => this.#work(after));
    this.#before = undefined;
    return [...this.#workers];
  }

  /** Where the run before left off, as far as the outbox can be read. */
  #restore(): void {
    const { clock, outboxes } = this.#options;
    const [disk] = outboxes;
    if (disk === undefined) return;
    const nowMs = clock.now();
    const pausedUntilMs = this.#use.ask(disk, () => disk.pausedUntilMs(this.sender, nowMs)) ?? 0;
    if (this.#before !== undefined) this.circuit.use(this.#options, pausedUntilMs);
    else {
      this.circuit.restore(
        this.#use.ask(disk, () => disk.channels.read(this.name)),
        pausedUntilMs,
      );
    }
    this.#changes = this.#readChanges();
  }

  /** The sender as the service sees it, who may be closed. */
  get sender(): string {
    return this.#channel.channel.pace?.key ?? this.name;
  }

  /** Whether the lane is about to try an entry that waits already. */
  isAboutToTry(): boolean {
    const { clock } = this.#options;
    const nextMs = this.#nextDueMs();
    return this.circuit.mayAttempt() && nextMs !== undefined &&
      nextMs <= clock.now() + this.#channel.digestMs;
  }

  /** Whether it may take what another channel does not deliver. */
  mayStandIn(): boolean {
    if (!this.circuit.mayAttempt() || this.#pause(this.#options.clock.now())) return false;
    // What waits there already is the attempt that a half-open circuit may make.
    return !this.circuit.isHalfOpen || this.#nextDueMs() === undefined;
  }

  #nextDueMs(): number | undefined {
    const times = this.#options.outboxes.map((outbox) =>
      this.#use.ask(outbox, () => outbox.nextDueMs(this.name)) ?? Infinity
    );
    const nextMs = Math.min(...times);
    return nextMs === Infinity ? undefined : nextMs;
  }

  /** Called for every stored entry, so it must cost nothing while the workers are busy. */
  wake(): void {
    this.#wakes++;
    // Without a reason Deno makes an exception for it, which takes 40 µs.
    for (const worker of this.#idle.splice(0)) worker.abort("woken");
  }

  stop(): void {
    this.#stopped.abort();
    this.wake();
  }

  /** Takes nothing new: how its last attempts end says nothing about the lane that goes on. */
  retire(): void {
    this.#isRetired = true;
    this.stop();
  }

  abort(): void {
    this.#aborted.abort();
  }

  /** Writes down what could not be written so far; the last chance, when no worker runs. */
  settleLeft(): void {
    for (const { outbox, claim } of this.#settler.settleLeft()) {
      for (const entry of claim.entries) {
        const what = nameOf(entry, outbox);
        this.#options.log.error(`the last attempt of ${what} could not be written down`);
      }
    }
  }

  /** Works once those workers have ended. */
  async #work(after: readonly Promise<void>[]): Promise<void> {
    const { clock } = this.#options;
    await Promise.all(after);
    while (!this.#stopped.signal.aborted) {
      const wakes = this.#wakes;
      try {
        const next = await this.#sendOne();
        if (next === "sent") continue;
        if (next.kind === "closed") await clock.sleep(next.waitMs, this.#stopped.signal);
        else if (wakes === this.#wakes) await this.#rest(next.waitMs);
      } catch (error) {
        // A mistake of ours. The claim's lease ends, and the entry is taken up again.
        this.#use.tell(error);
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
    if (this.circuit.isTrying) return { kind: "empty", waitMs: LOOK_EVERY_MS };
    const { digestMs, timeoutMs } = this.#channel;
    const lease = {
      nowMs,
      leaseMs: timeoutMs + LEASE_MARGIN_MS,
      most: this.#most(),
      aheadMs: digestMs,
      longestWaitMs: longestWaitMs(policy),
    };
    let waitMs = untilBeatMs(clock, LOOK_ANYWAY_MS);
    for (const outbox of outboxes) {
      // An outbox that fails must not hold up what lies in the other.
      const found = this.#use.ask(outbox, () => {
        this.#settler.settlePast(outbox);
        return outbox.claim(this.name, lease) ?? outbox.nextDueMs(this.name) ?? "nothing";
      });
      if (typeof found === "object") {
        await this.#attempt(outbox, found);
        return "sent";
      }
      if (found === "nothing") continue;
      // Till then somebody may set the clock, or mend the disk.
      const dueMs = found === undefined ? Infinity : Math.max(1, found - nowMs);
      waitMs = Math.min(waitMs, untilBeatMs(clock, LOOK_EVERY_MS), dueMs);
    }
    // While a digest gathers, what is stored now is due later: nothing to be woken for.
    return { kind: waitMs <= digestMs ? "closed" : "empty", waitMs };
  }

  /** How long nothing may be sent, by the circuit or the service's pace. */
  #closedMs(nowMs: number): number {
    this.lookForMend();
    this.#heedPause(nowMs);
    return Math.max(this.circuit.openForMs(), this.#paceMs(nowMs));
  }

  /** When attempts began that are not written down yet. */
  unwrittenTimes(): readonly number[] {
    return [...this.#settler.attemptTimes(), ...this.#begun.values()];
  }

  /** Until when the service takes nothing from the sender, by whatever channel it said so. */
  #pause(nowMs: number): Pause | undefined {
    return this.#options.outboxes
      .map((outbox) => this.#use.ask(outbox, () => outbox.pauseOf(this.sender, nowMs)))
      .find((pause) => pause !== undefined);
  }

  /** Where another channel has got the sender closed, this one fails too if it has to send. */
  #heedPause(nowMs: number): void {
    if (this.#channel.channel.pace === undefined || this.circuit.openForMs() > 0) return;
    const pause = this.#pause(nowMs);
    if (pause === undefined || this.#nextDueMs() === undefined) return;
    this.circuit.closeBy(pause);
    this.#keepState();
    this.#surroundings.onSettled();
  }

  #keepState(): void {
    const { state } = this.circuit;
    const [disk] = this.#options.outboxes;
    if (state === undefined || disk === undefined) return;
    this.#use.ask(disk, () => disk.channels.write(state));
  }

  #paceMs(nowMs: number): number {
    const { outboxes, log } = this.#options;
    const { pace } = this.#channel.channel;
    if (pace === undefined) return 0;
    const unwritten = this.#surroundings.unwritten(this.sender);
    const waitMs = paceWaitMs(pace, { outboxes, use: this.#use, nowMs, unwritten });
    const isHeldBack = waitMs > 0;
    if (isHeldBack && !this.#isHeldBack && this.circuit.openForMs() === 0) {
      const reason = `no more than ${pace.count} messages in ${formatDuration(pace.perMs)}, or ` +
        "its service closes it";
      log.info(`channel ${this.name}: ${reason}; the next one in ${formatRoughly(waitMs)}`);
      this.circuit.hold({ untilMs: nowMs + waitMs, reason });
      this.#keepState();
    }
    this.#isHeldBack = isHeldBack;
    return waitMs;
  }

  /** Ends the rest when somebody has used `superbell outbox` since it began: it is worth a try. */
  lookForMend(): void {
    if (!this.circuit.isResting) return;
    if (this.#readChanges().some((number, index) => number !== this.#changes[index])) {
      this.circuit.endRest();
    }
  }

  #readChanges(): readonly (number | undefined)[] {
    return this.#options.outboxes.map((outbox) => this.#use.ask(outbox, () => outbox.changes()));
  }

  #most(): number {
    return this.#channel.digestMs > 0 && this.#singly === 0 ? MOST_IN_DIGEST : 1;
  }

  async #attempt(outbox: Outbox, claimed: Claim): Promise<void> {
    this.circuit.begin();
    this.#begun.set(claimed, this.#options.clock.now());
    try {
      await this.#sendAndSettle(outbox, claimed);
    } finally {
      this.#begun.delete(claimed);
      if (!this.#isRetired) this.circuit.cancel();
      this.wake();
      this.#surroundings.onSettled();
    }
  }

  async #sendAndSettle(outbox: Outbox, claimed: Claim): Promise<void> {
    const { clock, redactor, timeZone, templateOf } = this.#options;
    const claim = await this.#enrich(outbox, claimed);
    const atMs = clock.now();
    const alerts = claim.entries.map(({ alert }) => alert) as [Alert, ...Alert[]];
    const aborted = this.#aborted.signal;
    const outcome = await attempt(alerts, {
      ...this.#channel,
      ...{ timeZone, templateOf, clock, aborted },
    });
    const endMs = clock.now();
    const reason = redactor.redact(outcome.kind === "delivered" ? outcome.detail : outcome.reason);
    const several = claim.entries.length > 1;
    const random = this.#options.random();
    const nextTry = (entry: Entry) =>
      // What one alert is rejected for must not take the others of its digest with it, and what
      // an old configuration is rejected for is tried with the new one.
      outcome.kind === "rejected" && (several || this.#isRetired)
        ? endMs
        : this.#nextTry(outcome, entry, endMs, random);
    // Our own end is nobody's failure.
    if (!this.#isRetired && (!aborted.aborted || outcome.kind === "delivered")) {
      this.circuit.end({ outcome, atMs: endMs, reason });
    }
    if (several) this.#singly = outcome.kind === "rejected" ? claim.entries.length : 0;
    else this.#singly = Math.max(0, this.#singly - 1);
    const ended = { atMs, tookMs: Math.max(0, endMs - atMs), outcome: outcome.kind, reason };
    const standIn = this.#surroundings.standIn();
    const closedMs = pauseMs(outcome);
    const stateOf = this.#settler.settle({
      outbox,
      claim,
      settlement: {
        attempt: ended,
        nextTry,
        paceKey: this.#channel.channel.pace?.key,
        pause: closedMs === undefined
          ? undefined
          : { sender: this.sender, atMs: endMs, untilMs: endMs + closedMs, reason },
        standIn,
        channelState: () => this.circuit.state,
      },
    });
    if (this.circuit.isResting) this.#changes = this.#readChanges();
    if (standIn !== undefined && claim.entries.some((entry) => stateOf(entry) === "rerouted")) {
      this.#surroundings.onHandedOver(standIn.channel);
    }
    for (const entry of claim.entries) {
      const waitMs = Math.max(0, (nextTry(entry) ?? endMs) - endMs);
      logAttempt(this.#options.log, entry, {
        outbox,
        attempt: ended,
        state: stateOf(entry),
        waitMs,
      });
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
    this.#use.ask(outbox, () => outbox.rewrite(changed));
    return { ...claim, entries: entries as [Entry, ...Entry[]] };
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
}

function longestWaitMs({ mostMs }: RetryPolicy): number {
  return Math.max(LONGEST_WAIT_MS, mostMs);
}
