// Keeps the roster and the count of the events for us: in memory, since every event changes them
// while supervisord waits, and on the disk beside the entries. What changed is written together
// with the next entries, or now and then; what a crash of ours takes with it is found again by
// asking supervisord.

import type { Event, Exit, ProcessName } from "./events/event.ts";
import type { FrameHeader } from "./events/frame.ts";
import type { Log } from "./log.ts";
import type { Gap, RosterChanges, RosterStore } from "./outbox/roster_store.ts";
import {
  afterEvent,
  afterNewRun,
  isFoundBefore,
  isStateEvent,
  type KnownProcess,
  processKey,
  type Roster,
  withKnownExit,
} from "./rules/roster.ts";
import {
  countMissing,
  type PoolSerials,
  serialsAfter,
  withoutMissing,
  withSerial,
} from "./rules/serials.ts";

/** What a roster keeper works with. */
export interface RosterKeeperOptions {
  readonly store: RosterStore;
  readonly supervisorRun: string;
  readonly log: Log;
}

/** What the last life of ours has left. */
export type Heritage =
  /** Nothing: we are here for the first time. */
  | "none"
  /** A roster of this run of supervisord. */
  | "same-run"
  /** A roster of a run that is over. */
  | "other-run";

/** The roster of this listener. */
export class RosterKeeper {
  readonly #options: RosterKeeperOptions;
  readonly #known = new Map<string, KnownProcess>();
  /** Keys that the store does not have as they are. */
  readonly #changed = new Set<string>();
  readonly #removed = new Map<string, ProcessName>();
  /** The store's generation that holds everything but those. */
  #generation = -1;
  #heritage: Heritage = "none";
  #serials: PoolSerials = serialsAfter(undefined);
  #pool: string | undefined;
  /** How many events have come; whether all is quiet is seen by it. */
  #events = 0;
  /** See `before`. */
  #before: Roster | undefined;
  /** Whether supervisord was asked since our start, so that what is known is of this life of it. */
  #isSettled = false;
  #isStopping = false;
  #isShared = false;
  #onChange: () => void = () => {};

  constructor(options: RosterKeeperOptions) {
    this.#options = options;
    try {
      this.#load();
    } catch (error) {
      options.log.warn(
        `what is known of the processes cannot be read, so an end while superbell was away may ` +
          `not be told: ${describe(error)}`,
      );
    }
    this.#before = new Map(this.#known);
  }

  /** Every process that is known, by processKey(). */
  get known(): Roster {
    return this.#known;
  }

  get heritage(): Heritage {
    return this.#heritage;
  }

  get events(): number {
    return this.#events;
  }

  /** Events that were jumped over and have not come. */
  get missing(): number {
    return countMissing(this.#serials);
  }

  /** Whether supervisord is shutting down. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Takes note of a header; answers whether events are missing before it. */
  hear({ pool, poolserial }: FrameHeader): boolean {
    this.#events++;
    if (this.#isShared) return false;
    const serials = withSerial(this.#serials, poolserial);
    const isGap = serials.missing.length > this.#serials.missing.length;
    this.#serials = serials;
    this.#pool = pool;
    if (isGap) this.#before ??= new Map(this.#known);
    return isGap;
  }

  /** Takes note of an event that a frame brought; answers whether it was found out before. */
  take(event: Event, atMs: number): boolean {
    if (isStateEvent(event)) {
      const key = processKey(event.process);
      const known = this.#known.get(key);
      const wasFound = isFoundBefore(known, event, atMs);
      this.#put(key, afterEvent(known, event, atMs));
      return wasFound;
    }
    if (event.kind === "supervisor_stopping") this.#isStopping = true;
    if (event.kind === "supervisor_running") {
      this.#isStopping = false;
      // A reload: the same supervisord, and all its processes are new.
      if (!this.#isSettled) this.#beginAnew("other-run");
    }
    return false;
  }

  /** Notes how a process ended. */
  noteExit(process: ProcessName, end: { readonly pid: number | undefined; readonly exit: Exit }) {
    const key = processKey(process);
    const known = this.#known.get(key);
    if (known !== undefined) this.#put(key, withKnownExit(known, end));
  }

  /** The roster when nothing was missing yet; undefined: nothing is. */
  get before(): Roster | undefined {
    return this.#before;
  }

  /** Takes over what a comparison brought. */
  replace(
    { changed, removed }: {
      readonly changed: readonly KnownProcess[];
      readonly removed: readonly ProcessName[];
    },
  ): void {
    for (const known of changed) this.#put(processKey(known.process), known);
    for (const process of removed) {
      const key = processKey(process);
      this.#known.delete(key);
      this.#changed.delete(key);
      this.#removed.set(key, process);
    }
  }

  /** Others share our pool: what does not come to us comes to them. */
  ignoreSerials(): void {
    this.#isShared = true;
    this.#serials = serialsAfter(undefined);
  }

  /** Gives up the events that are missing; answers how many. */
  giveUpMissing(): number {
    const missing = this.missing;
    this.#serials = withoutMissing(this.#serials);
    return missing;
  }

  /** Nothing is missing any more: what is known is complete. */
  settle(): void {
    if (this.missing === 0 && this.#before !== undefined) {
      for (const [key, { alivePid }] of this.#before) {
        if (this.#known.get(key)?.alivePid !== alivePid) this.#changed.add(key);
      }
      this.#before = undefined;
    }
    this.#isSettled = true;
    this.#heritage = "same-run";
  }

  /** What the store does not have yet; for use inside its transaction. */
  readonly changes = (): RosterChanges => {
    const isAll = this.#options.store.generation !== this.#generation;
    const keys = isAll ? this.#known.keys() : this.#changed;
    return {
      changed: [...keys].map((key) => this.#stored(key)).filter((known) => known !== undefined),
      removed: isAll ? [] : [...this.#removed.values()],
      isAll,
    };
  };

  /**
   * As the next start must find it, should we end before all is settled: with the process id that
   * ran before events were dropped, of which no end has been seen.
   */
  #stored(key: string): KnownProcess | undefined {
    const known = this.#known.get(key);
    const pid = this.#before?.get(key)?.alivePid;
    if (known === undefined || pid === undefined || known.endedPids.includes(pid)) return known;
    return { ...known, alivePid: pid };
  }

  /** Whether the store lacks something. */
  get isChanged(): boolean {
    return this.#changed.size > 0 || this.#removed.size > 0 ||
      this.#options.store.generation !== this.#generation;
  }

  /** `heed` is called, in place of whoever was before, when the store begins to lack something. */
  onChange(heed: () => void): void {
    this.#onChange = heed;
  }

  /** The store has taken the changes. */
  wasWritten(): void {
    this.#changed.clear();
    this.#removed.clear();
    this.#generation = this.#options.store.generation;
  }

  /** Writes what the store lacks; a store that takes nothing gets it the next time. */
  write(): void {
    if (!this.isChanged) return;
    try {
      const isOther = this.#options.store.generation !== this.#generation;
      this.#options.store.write(this.changes);
      this.wasWritten();
      if (isOther) this.#noteRun();
    } catch (error) {
      this.#options.log.debug(`the roster cannot be written: ${describe(error)}`);
    }
  }

  /** Keeps a gap for those who ask. */
  keepGap(gap: Gap): void {
    try {
      this.#options.store.addGap(gap);
    } catch (error) {
      this.#options.log.debug(`the gap cannot be kept: ${describe(error)}`);
    }
  }

  /** An orderly end: the next start knows which event comes next. */
  end(): void {
    this.write();
    const { next } = this.#serials;
    try {
      this.#options.store.note({
        pool: this.#pool,
        poolserial: next === undefined || next === 0 ? undefined : String(next - 1),
      });
    } catch (error) {
      this.#options.log.debug(`the last event's serial cannot be noted: ${describe(error)}`);
    }
  }

  #load(): void {
    const { store, supervisorRun } = this.#options;
    const notes = store.notes();
    for (const known of store.processes()) this.#known.set(processKey(known.process), known);
    this.#generation = store.generation;
    if (notes.supervisor_run === undefined) return this.#noteRun();
    const isSame = notes.supervisor_run === supervisorRun;
    this.#heritage = isSame ? "same-run" : "other-run";
    // A new supervisord counts from 0. Without a note we were killed, and nothing is known.
    this.#serials = serialsAfter(isSame ? serialOf(notes.poolserial) : -1);
    if (!isSame) this.#beginAnew("other-run");
    this.#noteRun();
  }

  #noteRun(): void {
    const { store, supervisorRun } = this.#options;
    store.note({ supervisor_run: supervisorRun, poolserial: undefined });
  }

  #beginAnew(heritage: Heritage): void {
    for (const [key, known] of this.#known) this.#put(key, afterNewRun(known));
    if (this.#heritage !== "none") this.#heritage = heritage;
    this.#before = new Map(this.#known);
  }

  #put(key: string, known: KnownProcess): void {
    if (this.#known.get(key) === known) return;
    this.#known.set(key, known);
    this.#changed.add(key);
    if (this.#removed.size > 0) this.#removed.delete(key);
    if (this.#changed.size === 1) this.#onChange();
  }
}

function serialOf(note: string | undefined): number | undefined {
  return note !== undefined && /^\d{1,15}$/.test(note) ? Number(note) : undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
