// A delivery as the listener puts it together, with real outboxes, channels written for the
// case, and a clock that we move.

import type { Message } from "../../src/alerts/compose.ts";
import { delivered, type Outcome } from "../../src/alerts/outcome.ts";
import type { Channel, Pace, SendOptions } from "../../src/channels/channel.ts";
import { Redactor, Secret } from "../../src/config/secret.ts";
import { Delivery } from "../../src/delivery/delivery.ts";
import { Intake } from "../../src/intake.ts";
import type { OpenChannel } from "../../src/delivery/lane.ts";
import { Log } from "../../src/log.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { noticeRules } from "../../src/rules/notice.ts";
import type { Rule } from "../../src/rules/rule.ts";
import type { ChannelEvent } from "../../src/delivery/watch.ts";
import { assert } from "./assert.ts";
import { FakeClock } from "./fake_clock.ts";
import { Folder } from "./folder.ts";
import { ALERT } from "./message.ts";

export const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const SECRET = "s3cr3t-t0ken";

/** What a channel does with an attempt. */
export type Send = (message: Message, options: SendOptions) => Outcome | Promise<Outcome>;

export interface BenchOptions {
  readonly channels: Readonly<Record<string, Send>>;
  /** Of all channels. */
  readonly pace?: Pace;
  readonly paces?: Readonly<Record<string, Pace>>;
  readonly timeoutMs?: number;
  readonly concurrency?: number;
  readonly digestMs?: number;
  readonly giveUpAfterMs?: number;
  /** Which channel stands in for which. */
  readonly fallbacks?: Readonly<Record<string, string>>;
  /** @default five minutes */
  readonly fallbackAfterMs?: number;
  readonly rules?: readonly Rule[];
  readonly maxWaiting?: number;
}

/** An attempt that was made. */
export interface Sent {
  readonly channel: string;
  readonly id: string;
  readonly atS: number;
}

/** Every attempt is noted with its second. */
export class DeliveryBench implements AsyncDisposable {
  readonly #folder = new Folder();
  #options: BenchOptions;
  readonly clock = new FakeClock(NOW);
  disk = this.#open();
  memory = Outbox.open(":memory:", { nowMs: NOW });
  delivery: Delivery;
  readonly log: string[] = [];
  readonly sent: Sent[] = [];
  /** What was said at each attempt. */
  readonly messages: Message[] = [];
  #stopped = false;

  constructor(options: BenchOptions) {
    this.#options = options;
    this.delivery = this.#start();
  }

  #open(): Outbox {
    return Outbox.open(this.#folder.file("superbell.db"), { nowMs: this.clock.now() });
  }

  #start(before?: Delivery): Delivery {
    const options = this.#options;
    const redactor = new Redactor([new Secret(SECRET, "literal")]);
    const log = new Log({
      level: "info",
      redactor,
      now: () => this.clock.now(),
      write: (line) => void this.log.push(line.trimEnd()),
    });
    const delivery = new Delivery({
      outboxes: [this.disk, this.memory],
      channels: Object.entries(options.channels).map((entry) => this.#channel(...entry)),
      retry: {
        firstMs: 2 * SECOND,
        mostMs: MINUTE,
        giveUpAfterMs: options.giveUpAfterMs ?? 60 * MINUTE,
      },
      timeZone: "UTC",
      clock: this.clock,
      log,
      redactor,
      random: () => 0,
      maxWaiting: options.maxWaiting ?? 100_000,
      tell: (event) => this.#tell(event, intake),
    }, before);
    const intake = new Intake({
      rules: options.rules ?? [],
      outbox: this.disk,
      memory: this.memory,
      host: () => ALERT.host,
      supervisorRun: "1 2 3",
      now: () => this.clock.now(),
      digestMs: () => options.digestMs ?? 0,
      log,
      onStored: (channels) => delivery.wake(channels),
    });
    delivery.start();
    return delivery;
  }

  #channel(name: string, send: Send): OpenChannel {
    const options = this.#options;
    const pace = options.paces?.[name] ?? options.pace;
    return {
      name,
      language: "en",
      timeoutMs: options.timeoutMs ?? MINUTE,
      concurrency: options.concurrency ?? 1,
      digestMs: options.digestMs ?? 0,
      fallback: options.fallbacks?.[name],
      fallbackAfterMs: options.fallbackAfterMs ?? 5 * MINUTE,
      channel: {
        ...(pace && { pace }),
        send: async (message, sendOptions) => {
          const atS = (this.clock.now() - NOW) / SECOND;
          this.sent.push({ channel: name, id: message.id, atS });
          this.messages.push(message);
          return await send(message, sendOptions);
        },
      } satisfies Channel,
    };
  }

  #tell(event: ChannelEvent, intake: Intake): void {
    const channel = event.trouble.name;
    const fallback = this.#options.fallbacks?.[channel];
    const rules = noticeRules(this.#options.rules ?? [], { word: event.kind, channel, fallback });
    intake.tell([event], rules);
  }

  /** Goes on by other options; settles when the attempts by those of before have ended. */
  async reload(options: Partial<BenchOptions>): Promise<void> {
    const before = this.delivery;
    this.#options = { ...this.#options, ...options };
    const ended = before.retire();
    this.delivery = this.#start(before);
    await ended;
  }

  /** Stores an alert for each channel and says so. */
  store(id: string, ...channels: string[]): void {
    const alert = { ...ALERT, id };
    this.disk.enqueue(channels.map((channel) => ({ alert, channel })), this.clock.now());
    this.delivery.wake(channels);
  }

  /** Stops, with the window passing by itself. */
  async stop(windowMs: number): Promise<void> {
    this.#stopped = true;
    const stopped = this.delivery.stop(windowMs);
    let done = false;
    stopped.then(() => done = true);
    for (let round = 0; !done && round < 100; round++) await this.clock.advance(SECOND);
    assert(done, "stop() never ended");
  }

  /** Ends and begins anew with the same file; `kill` leaves the claims as they are. */
  async restart(how: "stop" | "kill" = "stop"): Promise<void> {
    if (how === "kill") this.disk.close(); // what runs cannot write anything any more
    await this.stop(0);
    this.disk.close();
    this.memory.close();
    this.disk = this.#open();
    this.memory = Outbox.open(":memory:", { nowMs: this.clock.now() });
    this.disk.releaseClaims();
    this.#stopped = false;
    this.delivery = this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stopped) await this.stop(0);
    this.disk.close();
    this.memory.close();
    this.#folder[Symbol.dispose]();
  }
}

/** When the attempts were made, in seconds since the beginning. */
export const seconds = ({ sent }: Pick<DeliveryBench, "sent">): number[] =>
  sent.map(({ atS }) => atS);

/** Does what the list says, one after the other, and then delivers. */
export function inTurn(...outcomes: Outcome[]): Send {
  return () => outcomes.shift() ?? delivered("ok");
}
