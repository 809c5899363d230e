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
  /** The store's generation that says which run of supervisord it is about. */
  #notedGeneration = -1;
  /** Whether what is stored has been read; before that nothing may be written over it. */
  #isLoaded = false;
  #heritage: Heritage = "none";
  #serials: PoolSerials = serialsAfter(undefined);
  #pool: string | undefined;
  /** The first serial of this life. */
  #firstSerial: number | undefined;
  /** How many events have come; whether all is quiet is seen by it. */
  #events = 0;
  /** See `before`. */
  #before: Roster | undefined;
  /** Whether supervisord was asked since our start, so that what is known is of this life of it. */
  #isSettled = false;
  /** Whether an event said that supervisord begins: what is stored is of its life before. */
  #isBegun = false;
  #isStopping = false;
  #isShared = false;
  #onChange: () => void = () => {};

  constructor(options: RosterKeeperOptions) {
    this.#options = options;
    try {
      this.#load();
      this.#noteRun();
    } catch (error) {
      options.log.warn(
        `what is known of the processes cannot be read yet, so an end while superbell was away ` +
          `is told late: ${describe(error)}`,
      );
      this.#before = new Map();
    }
  }

  /** Every process that is known, by processKey(). */
  get known(): Roster {
    return this.#known;
  }

  get heritage(): Heritage {
    return this.#heritage;
  }

  /** Whether what the last life has left is known; else a comparison finds less than there is. */
  get isLoaded(): boolean {
    return this.#isLoaded;
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
    const gaps = this.#serials.missing.length;
    this.#loadLate();
    this.#events++;
    if (this.#isShared) return false;
    this.#firstSerial ??= poolserial;
    this.#serials = withSerial(this.#serials, poolserial);
    const isGap = this.#serials.missing.length > gaps;
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
      if (!this.#isSettled) this.#beginAnew();
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
    this.#loadLate();
    const missing = this.missing;
    this.#serials = withoutMissing(this.#serials);
    return missing;
  }

  /** Nothing is missing any more: what is known is complete. */
  settle(): void {
    if (this.missing === 0 && this.#before !== undefined) {
      const isBeginning = this.#changed.size === 0;
      for (const [key, { alivePid }] of this.#before) {
        if (this.#known.get(key)?.alivePid !== alivePid) this.#changed.add(key);
      }
      if (isBeginning && this.#changed.size > 0) this.#onChange();
      this.#before = undefined;
    }
    this.#isSettled = true;
    this.#heritage = "same-run";
  }

  /** What the store does not have yet; for use inside its transaction. */
  readonly changes = (): RosterChanges => {
    if (!this.#isLoaded) this.#readLate();
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
    this.#noteRun();
  }

  /** Writes what the store lacks; a store that takes nothing gets it the next time. */
  write(): void {
    if (!this.isChanged) return;
    try {
      this.#options.store.write(this.changes);
      this.wasWritten();
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

  /** Keeps, for those who ask, which types of events the section turned out to lack. */
  keepUnsubscribed(eventnames: readonly string[]): void {
    const unsubscribed = eventnames.length === 0 ? undefined : eventnames.join(",");
    try {
      this.#options.store.note({ unsubscribed });
    } catch (error) {
      this.#options.log.debug(`what the section lacks cannot be noted: ${describe(error)}`);
    }
  }

  /** An orderly end: the next start knows which event comes next. */
  end(): void {
    this.write();
    if (!this.#isLoaded) return;
    const { store, supervisorRun } = this.#options;
    const { next } = this.#serials;
    const poolserial = next === undefined || next === 0 ? undefined : String(next - 1);
    try {
      store.note({ supervisor_run: supervisorRun, pool: this.#pool, poolserial });
    } catch (error) {
      this.#options.log.debug(`the last event's serial cannot be noted: ${describe(error)}`);
    }
  }

  /** Reads what the last life has left; what this one knows already goes before it. */
  #load(): void {
    const { store, supervisorRun } = this.#options;
    const { supervisor_run, poolserial } = store.notes();
    const isNone = supervisor_run === undefined;
    const isOther = !isNone && (supervisor_run !== supervisorRun || this.#isBegun);
    const left = store.processes().map((known) => isOther ? afterNewRun(known) : known);
    this.#isLoaded = true;
    // Else all of it is written anew.
    if (!isOther && this.#known.size === 0) this.#generation = store.generation;
    const before = new Map(this.#before ?? this.#known);
    for (const known of left) {
      const key = processKey(known.process);
      before.set(key, known);
      const live = this.#known.get(key);
      if (!this.#removed.has(key)) this.#known.set(key, live ? withPast(live, known) : known);
    }
    this.#before = before;
    if (isNone) return;
    this.#heritage = isOther ? "other-run" : "same-run";
    // A new supervisord counts from 0. Without a note we were killed, and nothing is known.
    this.#goOnAfter(serialsAfter(isOther ? -1 : serialOf(poolserial)));
  }

  /** Tries again what could not be read at the start. */
  #loadLate(): void {
    if (this.#isLoaded) return;
    try {
      this.#readLate();
      this.#noteRun();
    } catch {
      // Said at the start; the store itself says what is wrong with it.
    }
  }

  #readLate(): void {
    this.#load();
    this.#options.log.info("what is known of the processes has been read now");
  }

  /** With these serials before those that have come. */
  #goOnAfter(past: PoolSerials): void {
    if (this.#isShared) return;
    if (this.#firstSerial === undefined) this.#serials = past;
    else {
      const { missing } = withSerial(past, this.#firstSerial);
      this.#serials = { ...this.#serials, missing: [...missing, ...this.#serials.missing] };
    }
  }

  /** Says in the store what the roster is about, and that no orderly end of ours is known. */
  #noteRun(): void {
    const { store, supervisorRun, log } = this.#options;
    if (this.#notedGeneration === store.generation) return;
    try {
      store.note({ supervisor_run: supervisorRun, poolserial: undefined });
      this.#notedGeneration = store.generation;
    } catch (error) {
      log.debug(`the run of supervisord cannot be noted: ${describe(error)}`);
    }
  }

  #beginAnew(): void {
    this.#isBegun = true;
    for (const [key, known] of this.#known) this.#put(key, afterNewRun(known));
    if (this.#heritage !== "none") this.#heritage = "other-run";
    this.#before = new Map(this.#known);
  }

  #put(key: string, known: KnownProcess): void {
    if (this.#known.get(key) === known) return;
    this.#known.set(key, known);
    // Once and not for each event: who heeds it aborts a signal, which takes 40 µs each time.
    const isBeginning = this.#changed.size === 0;
    this.#changed.add(key);
    if (this.#removed.size > 0) this.#removed.delete(key);
    if (isBeginning) this.#onChange();
  }
}

/** What is known by this life, with what is known from before it. */
function withPast(live: KnownProcess, past: KnownProcess): KnownProcess {
  return {
    ...live,
    endedPids: [...past.endedPids, ...live.endedPids],
    found: [...past.found, ...live.found],
    restarts: past.restarts + live.restarts,
    ...(live.restarts === 0 && past.exit !== undefined && { exit: past.exit }),
  };
}

function serialOf(note: string | undefined): number | undefined {
  return note !== undefined && /^\d{1,15}$/.test(note) ? Number(note) : undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
