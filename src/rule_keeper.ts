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
  /** When it came; undefined: now. */
  readonly atMs?: number | undefined;
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
  /** Whether what is stored has been read; before that nothing may be written over it. */
  #isLoaded = false;
  #isStarted = false;

  constructor(options: RuleKeeperOptions) {
    this.#options = options;
    this.#engine = this.#build(new RuleMemory());
    try {
      this.#load();
    } catch (error) {
      options.log.warn(`the open incidents cannot be read yet: ${describe(error)}`);
    }
  }

  #build(memory: RuleMemory): RuleEngine {
    const { rules, hostIncident, maintenance = [], timeZone } = this.#options;
    const idOf = (seed: string) => hashOf([seed]);
    return new RuleEngine({ rules, hostIncident, maintenance, timeZone, idOf }, memory);
  }

  /** From now on it is now; what came before our start and was not stored has been given. */
  start(): void {
    this.#isStarted = true;
    if (this.#isLoaded) this.#engine.step({ kind: "start" }, this.#options.now());
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
  take(event: Event, { withhold, ranMs, atMs }: EventContext = {}): Step | undefined {
    this.#loadLate();
    const seed = this.#seedOf(event);
    if (seed === this.#storedEvent) return undefined;
    this.#lastEvent = seed;
    return this.#step({ kind: "event", event, seed, withhold, ranMs }, atMs);
  }

  /** What anything else brings. */
  step(input: Input): Step {
    this.#loadLate();
    return this.#step(input);
  }

  #step(input: Input, atMs?: number): Step {
    const { now, log } = this.#options;
    const nowMs = now();
    this.#heedClock(nowMs);
    const { lastMs } = this.#engine.memory;
    // What came earlier comes in its place, but time does not go back.
    const step = this.#engine.step(input, Math.min(nowMs, Math.max(atMs ?? nowMs, lastMs)));
    for (const { level, text } of step.notes) log[level](text);
    return step;
  }

  /** What the store does not have yet; for use inside its transaction. */
  readonly changes = (): RuleChanges => {
    if (!this.#isLoaded) this.#load();
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

  /** Reads what is stored; throws where the store cannot be read. */
  #load(): void {
    const { store, now, log } = this.#options;
    const remembered = store.remembered();
    const storedEvent = store.lastEvent();
    const { memory } = this.#engine;
    const isFirst = !memory.isChanged;
    if (isFirst) this.#engine = this.#build(new RuleMemory(remembered));
    else {
      memory.takeIn(remembered);
      this.#engine = this.#build(memory);
    }
    this.#isLoaded = true;
    this.#storedEvent = storedEvent;
    this.#lastEvent ??= storedEvent;
    const { unreadable } = remembered;
    if (unreadable !== undefined) {
      log.warn(`${unreadable} rows of incidents and silences cannot be read, and are left out`);
    }
    // Else all is written anew: what is in no memory must not stay in the store as open.
    if (isFirst && unreadable === undefined) this.#generation = store.generation;
    if (this.#isStarted) this.#engine.step({ kind: "start" }, now());
  }

  /** Tries again what could not be read at the start. */
  #loadLate(): void {
    if (this.#isLoaded) return;
    try {
      this.#load();
      this.#options.log.info("the open incidents have been read now");
    } catch {
      // Said at the start; the store itself says what is wrong with it.
    }
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
