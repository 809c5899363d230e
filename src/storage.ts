// Stores what is told, with what the rules and the roster remember, in one transaction. What came
// with an event that lies in the journal may wait for others to be stored with it; what the disk
// refuses goes into memory, and what memory has no room for is lost and counted.

import type { Alert } from "./alerts/alert.ts";
import { guarded, type Log } from "./log.ts";
import type { TakenEvent } from "./outbox/journal.ts";
import type { Limit, NewEntry, Outbox } from "./outbox/outbox.ts";
import type { RosterKeeper } from "./roster_keeper.ts";
import type { RuleKeeper } from "./rule_keeper.ts";

/** What is told about: an event, or the time that has passed. */
export interface Told {
  readonly about: string;
  readonly alerts: readonly { readonly alert: Alert; readonly to: readonly string[] }[];
}

/** What can be another while it works. */
export interface StorageSettings {
  /** What memory may hold. @default MEMORY_LIMIT */
  readonly memoryLimit?: Limit;
  /** How long an alert for this channel waits for others to be told with it. */
  readonly digestMs: (channel: string) => number;
}

/** What a storage works with. */
export interface StorageOptions extends StorageSettings {
  readonly outbox: Outbox;
  /** Takes the entries that the disk does not. */
  readonly memory: Outbox;
  readonly roster: RosterKeeper;
  readonly rules: RuleKeeper;
  readonly now: () => number;
  /**
   * Does the work a moment later, when supervisord has its answer: what an event brings is stored
   * then, and until then the event is in the journal. Absent: all is stored at once.
   */
  readonly soon?: ((work: () => void) => void) | undefined;
  readonly log: Log;
  /** Told what an earlier life of ours has left in the journal: it was answered, and not stored. */
  readonly onLeft: (events: readonly TakenEvent[]) => void;
  /** Told which channels have new entries. */
  readonly onStored: (channels: readonly string[]) => void;
  /** Told that something may be due earlier than before. */
  readonly onDue?: () => void;
}

/** What memory holds at most while the disk takes nothing, settled entries included. */
export const MEMORY_LIMIT: Limit = { entries: 10_000, bytes: 64 * 1024 ** 2 };

/** So many events are stored together at most: more would hold up the next answer. */
const MOST_TAKEN = 100;

/** So often the disk is asked again to take what the rules remember. */
const WRITE_AGAIN_MS = 10_000;

/** The outbox on disk, the one in memory, and the journal, as intake sees them. */
export class Storage {
  #options: StorageOptions;
  /** What the events in the journal brought. */
  #taken: Told[] = [];
  /** When the disk is asked again; undefined: it has taken everything. */
  #writeAgainAtMs: number | undefined;
  /** New entries that neither disk nor memory took. */
  #lost = 0;

  constructor(options: StorageOptions) {
    this.#options = options;
  }

  /** Goes by other settings from now on. */
  use({ memoryLimit = MEMORY_LIMIT, digestMs }: StorageSettings): void {
    this.#options = { ...this.#options, memoryLimit, digestMs };
  }

  /** When the disk is asked again; undefined: it has taken everything. */
  get nextDueMs(): number | undefined {
    return this.#writeAgainAtMs;
  }

  /** Opens the journal, where one is kept and it is not open already. */
  openJournal(): void {
    const { outbox, soon, log, onLeft } = this.#options;
    if (soon === undefined) return;
    const { events, brokenBytes, trouble } = outbox.journal.open();
    if (trouble !== undefined) {
      log.warn(`there is no journal, so supervisord waits until an event is stored: ${trouble}`);
    }
    if (brokenBytes > 0) log.warn(`the last ${brokenBytes} bytes of the journal are no event`);
    if (events.length > 0) onLeft(events);
  }

  /** Takes an event with what it brought; afterwards supervisord may have its answer. */
  take(told: Told, event: TakenEvent): void {
    const isToStore = told.alerts.length > 0 || this.#options.rules.isChanged;
    if (isToStore && this.#append(event)) this.putOff(told);
    else this.store([told]);
  }

  /** Whether the event is in the journal now. */
  #append(event: TakenEvent): boolean {
    const { soon, outbox } = this.#options;
    return soon !== undefined && this.#taken.length < MOST_TAKEN && outbox.journal.append(event);
  }

  /** Stores what an event brought, that lies in the journal, a moment later. */
  putOff(told: Told): void {
    const { soon, log } = this.#options;
    if (this.#taken.length === 0) {
      soon?.(() => guarded(log, "what was taken", () => this.catchUp()));
    }
    this.#taken.push(told);
  }

  /** Stores what was put off. */
  catchUp(): void {
    if (this.#taken.length > 0) this.store([]);
  }

  /**
   * Stores all of it in one transaction, with what was put off and what the rules and the roster
   * remember. Answers the number of new entries; undefined: they are lost.
   */
  store(more: readonly Told[]): number | undefined {
    const told = [...this.#taken, ...more];
    this.#taken = [];
    const added = this.#storeAll(told);
    // What the disk refused stays in the journal, should we end before it takes it.
    if (this.#writeAgainAtMs === undefined) this.#options.outbox.journal.cut();
    this.openJournal(); // another database may have taken the place of the one before
    return added;
  }

  #storeAll(told: readonly Told[]): number | undefined {
    const { rules, log, digestMs, now, onStored, onDue } = this.#options;
    const entries = told.flatMap(({ alerts }) => alerts).flatMap(({ alert, to }) =>
      to.map((channel): NewEntry => ({ alert, channel, digestMs: digestMs(channel) }))
    );
    this.#writeAgainAtMs = undefined;
    const nowMs = now();
    const added = entries.length > 0
      ? this.#enqueue(entries, nowMs)
      : rules.isChanged
      ? this.#remember(nowMs)
      : 0;
    onDue?.();
    if (added === undefined) return undefined;
    for (const { about, alerts } of told) {
      if (added === 0 && alerts.length > 0) {
        log.info(`${about}: came again, its alerts are stored already`);
        continue;
      }
      for (const { alert, to } of alerts) log.info(`${about}: ${describeAlert(alert, to)}`);
    }
    if (added > 0) onStored(entries.map(({ channel }) => channel));
    return added;
  }

  /** Writes what is remembered; a disk that takes nothing is asked again later. */
  #remember(nowMs: number): 0 {
    try {
      this.#write([], nowMs);
    } catch (error) {
      this.#writeAgainAtMs = nowMs + WRITE_AGAIN_MS;
      this.#options.log.debug(`the incidents cannot be written: ${describe(error)}`);
    }
    return 0;
  }

  /** The number of new entries; those that the disk refuses go into memory. Undefined: lost. */
  #enqueue(entries: readonly NewEntry[], nowMs: number): number | undefined {
    const { outbox, memory, memoryLimit = MEMORY_LIMIT, log } = this.#options;
    try {
      return this.#write(entries, nowMs);
    } catch (error) {
      this.#writeAgainAtMs = nowMs + WRITE_AGAIN_MS;
      log.error(
        `cannot store ${entries.length} entries in "${outbox.path}" (${describe(error)}); they ` +
          "are kept in memory and sent from there, and are lost if superbell ends before",
      );
      const { fits, forgotten } = memory.makeRoom(entries.length, memoryLimit);
      if (forgotten > 0) log.error(`memory is full: ${forgotten} dead entries in it are forgotten`);
      if (!fits) {
        this.#lost += entries.length;
        log.error(
          `memory is full of waiting entries: ${entries.length} are lost, ${this.#lost} since the start`,
        );
        return undefined;
      }
      return memory.enqueue(entries, nowMs);
    }
  }

  /** The number of new entries; throws where the disk refuses. */
  #write(entries: readonly NewEntry[], nowMs: number): number {
    const { outbox, roster, rules } = this.#options;
    const added = outbox.enqueue(entries, nowMs, { roster: roster.changes, rules: rules.changes });
    roster.wasWritten();
    rules.wasWritten();
    return added;
  }
}

function describeAlert({ id, rule, incident }: Alert, to: readonly string[]): string {
  const of = incident === undefined ? "" : ` (${incident.kind}, incident ${incident.id})`;
  return `rule ${rule}: alert ${id}${of} to ${to.join(", ") || "nobody"}`;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
