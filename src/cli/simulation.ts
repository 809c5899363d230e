// Runs events through the listener's own intake, with a clock of ours, an outbox in memory and
// nobody who sends: what comes out is what the listener would decide and tell.

import type { Alert } from "../alerts/alert.ts";
import { compose } from "../alerts/compose.ts";
import { intakeSettings } from "../assembly.ts";
import type { Clock } from "../clock.ts";
import { Redactor } from "../config/secret.ts";
import type { Event } from "../events/event.ts";
import { Intake } from "../intake.ts";
import { Log } from "../log.ts";
import { Outbox } from "../outbox/outbox.ts";
import type { Decision, Step } from "../rules/engine.ts";
import type { Settings } from "../settings.ts";
import type { Occurrence } from "./simulate_input.ts";

/** When it begins, and how time passes. */
export interface SimulationOptions {
  readonly settings: Settings;
  readonly startMs: number;
  /** Between two events that say nothing of the time. */
  readonly everyMs: number;
  /** How long it goes on after the last event. */
  readonly thenMs: number;
}

/** A message to one channel. */
export interface SimulatedMessage {
  readonly channel: string;
  readonly title: string;
  readonly alert: Alert;
}

/** An event, or what was due between two of them, and what came of it. */
export interface Happening {
  readonly atMs: number;
  /** Undefined: nothing but time has passed. */
  readonly event: Event | undefined;
  readonly decisions: readonly Decision[];
  readonly messages: readonly SimulatedMessage[];
  /** What the log would say besides. */
  readonly notes: readonly string[];
}

/** Whatever is due at one moment, again and again, would be a mistake of ours. */
const MOST_AT_ONCE = 10_000;

/** One listener that does nothing but decide. */
export class Simulation implements Disposable {
  readonly #options: SimulationOptions;
  readonly #outbox: Outbox;
  readonly #intake: Intake;
  #nowMs: number;
  /** What the event that is being taken has brought so far. */
  #event: Event | undefined;
  #steps: Step[] = [];
  #notes: string[] = [];
  #stored = 0;
  #lastEntry = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const { settings, startMs } = options;
    const now = () => this.#nowMs;
    this.#nowMs = startMs;
    this.#outbox = Outbox.open(":memory:", { nowMs: startMs });
    const clock: Clock = { now, monotonic: now, sleep: () => Promise.resolve() };
    this.#intake = new Intake({
      ...intakeSettings(settings, clock),
      outbox: this.#outbox,
      memory: this.#outbox,
      supervisorRun: "simulated",
      now,
      digestMs: () => 0,
      onEvent: (event) => this.#event = event,
      onStep: (step) => this.#steps.push(step),
      onStored: (channels) => this.#stored += channels.length,
      onGap: () =>
        this.#notes.push("events are missing before this one; superbell would ask supervisord"),
      log: new Log({
        level: "error",
        redactor: new Redactor([]),
        now,
        write: (line) => this.#notes.push(line.trimEnd()),
      }),
    });
  }

  /** When something would be due next; undefined: never. */
  get nextDueMs(): number | undefined {
    return this.#intake.nextDueMs;
  }

  /** What happens, one after the other. */
  *run(occurrences: readonly Occurrence[]): Generator<Happening> {
    const { startMs, everyMs, thenMs } = this.#options;
    const recordedMs = recordedStart(occurrences, everyMs);
    const offsetMs = recordedMs === undefined ? 0 : startMs - recordedMs;
    let isFirst = true;
    for (const { waitMs, tickMs, frameAt } of occurrences) {
      const usualMs = this.#nowMs + (waitMs ?? (isFirst ? 0 : everyMs));
      const tickedMs = tickMs === undefined ? undefined : tickMs + offsetMs;
      yield* this.#passUntil(Math.max(this.#nowMs, tickedMs ?? usualMs));
      isFirst = false;
      if (frameAt !== undefined) {
        this.#intake.take(frameAt(this.#nowMs));
        yield this.#take();
      }
    }
    yield* this.#passUntil(this.#nowMs + thenMs);
  }

  *#passUntil(untilMs: number): Generator<Happening> {
    for (let turn = 0; turn < MOST_AT_ONCE; turn++) {
      const dueMs = this.#intake.nextDueMs;
      if (dueMs === undefined || dueMs > untilMs) break;
      if (dueMs > this.#nowMs) turn = 0;
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      this.#intake.passTime();
      const happening = this.#take();
      if (happening.decisions.length + happening.notes.length > 0) yield happening;
    }
    this.#nowMs = untilMs;
  }

  /** What has come since the last time. */
  #take(): Happening {
    const happening = {
      atMs: this.#nowMs,
      event: this.#event,
      decisions: this.#steps.flatMap(({ decisions }) => decisions),
      messages: this.#messages(),
      notes: [
        ...this.#notes,
        ...this.#steps.flatMap(({ notes }) => notes.map(({ text }) => text)),
        ...(this.#event !== undefined && this.#steps.length === 0
          ? ["it came again and is known already"]
          : []),
      ],
    };
    this.#event = undefined;
    this.#steps = [];
    this.#notes = [];
    return happening;
  }

  #messages(): SimulatedMessage[] {
    if (this.#stored === 0) return [];
    const { settings } = this.#options;
    const entries = this.#outbox.entries.list({ limit: this.#stored })
      .filter(({ id }) => id > this.#lastEntry);
    this.#stored = 0;
    this.#lastEntry = entries.at(-1)?.id ?? this.#lastEntry;
    return entries.map(({ alert, channel }) => {
      const configured = settings.channels.find(({ name }) => name === channel);
      const { title } = compose(alert, {
        language: configured?.language ?? settings.language,
        timeZone: settings.timeZone,
        template: configured?.template,
        templateOf: (rule) => settings.ruleTemplates.get(rule),
      });
      return { channel, title, alert };
    });
  }

  [Symbol.dispose](): void {
    this.#outbox.close();
  }
}

/** When a recording began, by its first tick; undefined: it has none. */
export function recordedStart(
  occurrences: readonly Occurrence[],
  everyMs: number,
): number | undefined {
  const first = occurrences.findIndex(({ tickMs }) => tickMs !== undefined);
  return first < 0 ? undefined : occurrences[first]!.tickMs! - first * everyMs;
}
