// Keeps what the rules remember: in memory, since every event may change it while supervisord
// waits, and on the disk, written together with the messages that follow from it. Whoever calls
// gives the events and the time; what is to be told comes back.

import { hashOf } from "./alerts/alert.ts";
import type { Event } from "./events/event.ts";
import type { Log } from "./log.ts";
import type { IncidentStore, RuleChanges } from "./outbox/incident_store.ts";
import type { WithholdReason } from "./rules/decide.ts";
import { type EngineOptions, type Input, RuleEngine, type Step } from "./rules/engine.ts";
import { RuleMemory } from "./rules/rule_memory.ts";
import type { Silence } from "./rules/silence.ts";

/** The rules and what belongs to them. */
export type RuleSettings = Omit<EngineOptions, "idOf">;

/** What a rule keeper works with. */
export interface RuleKeeperOptions extends RuleSettings {
  readonly store: IncidentStore;
  /** Names this run of supervisord; its serials are unique within it. */
  readonly supervisorRun: string;
  readonly now: () => number;
  /** Nobody sets it; without it a clock that is set is noticed late. */
  readonly monotonic?: (() => number) | undefined;
  readonly log: Log;
}

/** What is known of an event beside itself. */
export interface EventContext {
  readonly withhold?: WithholdReason | undefined;
  /** How long its process had been running when it ended. */
  readonly ranMs?: number | undefined;
}

/** A clock is set when it leaves the one that nobody sets by more than this. */
const CLOCK_SET_MS = 2000;

/** The rules and their memory. */
export class RuleKeeper {
  #options: RuleKeeperOptions;
  #engine: RuleEngine;
  /** The store's generation that holds everything but the changes. */
  #generation = -1;
  /** The last event that the store has, as the rules left it. */
  #storedEvent: string | undefined;
  #lastEvent: string | undefined;
  /** What the two clocks differed by at the last step. */
  #skewMs: number | undefined;

  constructor(options: RuleKeeperOptions) {
    this.#options = options;
    this.#engine = this.#build(new RuleMemory());
    try {
      this.#engine = this.#build(this.#load());
      this.step({ kind: "start" });
    } catch (error) {
      // What cannot be understood must not keep us from starting, for ever.
      options.log.warn(`the open incidents cannot be read: ${describe(error)}`);
      this.#engine = this.#build(new RuleMemory());
      this.#generation = -1;
    }
  }

  #build(memory: RuleMemory): RuleEngine {
    const { rules, hostIncident, maintenance = [], timeZone } = this.#options;
    const idOf = (seed: string) => hashOf([seed]);
    return new RuleEngine({ rules, hostIncident, maintenance, timeZone, idOf }, memory);
  }

  /** Goes by other rules from now on, with what is remembered; what that brings comes back. */
  use(rules: RuleSettings): Step {
    this.#options = { ...this.#options, ...rules };
    this.#engine = this.#build(this.#engine.memory);
    return this.step({ kind: "reload" });
  }

  /** When the next step is due, if no event comes before; undefined: never. */
  get nextDueMs(): number | undefined {
    return this.#engine.memory.nextDueMs();
  }

  get silences(): readonly Silence[] {
    return this.#engine.memory.silences();
  }

  /** What an event brings; undefined where it came again and is in the memory already. */
  take(event: Event, { withhold, ranMs }: EventContext = {}): Step | undefined {
    const seed = this.#seedOf(event);
    if (seed === this.#storedEvent) return undefined;
    this.#lastEvent = seed;
    return this.step({ kind: "event", event, seed, withhold, ranMs });
  }

  /** What anything else brings. */
  step(input: Input): Step {
    const { now, log } = this.#options;
    const nowMs = now();
    this.#heedClock(nowMs);
    const step = this.#engine.step(input, nowMs);
    for (const { level, text } of step.notes) log[level](text);
    return step;
  }

  /** What the store does not have yet; for use inside its transaction. */
  readonly changes = (): RuleChanges => {
    const { memory } = this.#engine;
    const isAll = this.#options.store.generation !== this.#generation;
    return { ...(isAll ? memory.all() : memory.changes()), lastEvent: this.#lastEvent };
  };

  /** Whether the store lacks something. */
  get isChanged(): boolean {
    const { memory } = this.#engine;
    return memory.isChanged ||
      (memory.incidents().length > 0 && this.#options.store.generation !== this.#generation);
  }

  /** The store has taken the changes. */
  wasWritten(): void {
    this.#engine.memory.wasWritten();
    this.#generation = this.#options.store.generation;
    this.#storedEvent = this.#lastEvent;
  }

  #load(): RuleMemory {
    const { store } = this.#options;
    const memory = new RuleMemory(store.remembered());
    this.#storedEvent = store.lastEvent();
    this.#lastEvent = this.#storedEvent;
    this.#generation = store.generation;
    return memory;
  }

  /** Tells the engine that somebody has set the clock. */
  #heedClock(nowMs: number): void {
    const { monotonic } = this.#options;
    if (monotonic === undefined) return;
    const skewMs = nowMs - monotonic();
    const byMs = skewMs - (this.#skewMs ?? skewMs);
    this.#skewMs = skewMs;
    if (Math.abs(byMs) > CLOCK_SET_MS) this.#engine.step({ kind: "clock_set", byMs }, nowMs);
  }

  /** The same for an event that is sent again. */
  #seedOf({ origin }: Event): string {
    const { identity, serial, eventname } = origin;
    return identity === undefined
      ? [this.#options.supervisorRun, serial, eventname].join("\n")
      : [identity, eventname].join("\n");
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
