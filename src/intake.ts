// Intake: frame, event, decisions, alerts, journal, and only then OK; a moment later one transaction
// stores what all that came meanwhile have brought. It waits for no network and for no other
// program. Whatever goes wrong here, supervisord gets its OK: an event that is refused or crashes
// us is sent again at once and for ever, and blocks all others.

import { type Alert, type AlertContext, alertFor, alertOf, type Host } from "./alerts/alert.ts";
import type { Frame } from "./events/frame.ts";
import { displayName, type Event, groupOf, processOf, textOf } from "./events/event.ts";
import { parseEvent } from "./events/parse.ts";
import type { Log } from "./log.ts";
import type { TakenEvent, Taking } from "./outbox/journal.ts";
import type { Limit, NewEntry, Outbox } from "./outbox/outbox.ts";
import { decide } from "./rules/decide.ts";
import type { Decision, Step } from "./rules/engine.ts";
import type { HostIncident } from "./rules/host_incident.ts";
import type { MaintenanceWindow } from "./rules/maintenance.ts";
import type { Request } from "./rules/request.ts";
import type { Note, Silence } from "./rules/silence.ts";
import { isStateEvent, processKey } from "./rules/roster.ts";
import { RosterKeeper } from "./roster_keeper.ts";
import { type EventContext, RuleKeeper, type RuleSettings } from "./rule_keeper.ts";
import type { Rule } from "./rules/rule.ts";
import type { Telling } from "./rules/telling.ts";

/** What intake goes by, and what can be another while it works. */
export interface IntakeSettings {
  readonly rules: readonly Rule[];
  readonly hostIncident?: HostIncident | undefined;
  readonly maintenance?: readonly MaintenanceWindow[];
  /** Of silences; undefined: the host's own. */
  readonly timeZone?: string | undefined;
  /** What memory may hold. @default MEMORY_LIMIT */
  readonly memoryLimit?: Limit;
  readonly host: () => Host;
  /** Whether the channel wants to know that an incident is over. @default true */
  readonly tellsResolved?: (channel: string) => boolean;
  /** How long an alert for this channel waits for others to be told with it. */
  readonly digestMs: (channel: string) => number;
  /** Takes secrets out of what programs wrote. */
  readonly mask?: (text: string) => string;
}

/** What intake works with. */
export interface IntakeOptions extends IntakeSettings {
  readonly outbox: Outbox;
  /** Takes the entries that the disk does not. */
  readonly memory: Outbox;
  /** Names this run of supervisord; its serials are unique within it. */
  readonly supervisorRun: string;
  readonly now: () => number;
  /** Nobody sets it; by it a clock that is set is noticed. */
  readonly monotonic?: () => number;
  /** Told of each event that a frame brought, at once; must not wait for anything. */
  readonly onEvent?: (event: Event, atMs: number) => void;
  readonly log: Log;
  /** Told which channels have new entries. */
  readonly onStored: (channels: readonly string[]) => void;
  /** Told that supervisord has discarded events; must not wait for anything. */
  readonly onGap?: () => void;
  /** Told that something may be due earlier than before. */
  readonly onDue?: () => void;
  /** Told what the rules made of each event, and of what was due. */
  readonly onStep?: (step: Step) => void;
  /**
   * Does the work a moment later, when supervisord has its answer: what an event brings is stored
   * then, and until then the event is in the journal. Absent: all is stored at once.
   */
  readonly soon?: ((work: () => void) => void) | undefined;
}

/** What is told about: an event, or the time that has passed. */
interface Told {
  readonly about: string;
  readonly alerts: readonly { readonly alert: Alert; readonly to: readonly string[] }[];
}

/** What memory holds at most while the disk takes nothing, settled entries included. */
export const MEMORY_LIMIT: Limit = { entries: 10_000, bytes: 64 * 1024 ** 2 };

/** So many events are stored together at most: more would hold up the next answer. */
const MOST_TAKEN = 100;

/** So often the disk is asked again to take what the rules remember. */
const WRITE_AGAIN_MS = 10_000;

/** Takes one event after the other. */
export class Intake {
  #options: IntakeOptions;
  /** What is known of the processes, and of the events that did not come. */
  readonly roster: RosterKeeper;
  readonly #rules: RuleKeeper;
  /** New entries that neither disk nor memory took. */
  #lost = 0;
  /** When the disk is asked again; undefined: it has taken everything. */
  #writeAgainAtMs: number | undefined;
  /** What the events in the journal brought. */
  #taken: Told[] = [];

  constructor(options: IntakeOptions) {
    this.#options = options;
    const { outbox, supervisorRun, log } = options;
    this.roster = new RosterKeeper({ store: outbox.roster, supervisorRun, log });
    this.#rules = new RuleKeeper({
      ...rulesOf(options),
      store: outbox.incidents,
      supervisorRun,
      now: options.now,
      monotonic: options.monotonic,
      log,
    });
    this.#guard("what was left in the journal", () => this.#takeAgain());
    this.#guard("the start of the rules", () => this.#rules.start());
  }

  /**
   * Goes by other settings from now on: what is open goes on where its rule is still there. Never
   * throws.
   */
  use(settings: IntakeSettings): void {
    this.#options = { ...this.#options, ...settings };
    this.#guard("the new rules", () => this.#heed(this.#rules.use(rulesOf(settings))));
  }

  /**
   * Decides what is to be told about the frame, which is on disk then or stored already. Never
   * throws; afterwards OK may be said.
   */
  take(frame: Frame): void {
    try {
      this.#take(frame);
    } catch (error) {
      const { serial, eventname } = frame.header;
      this.#options.log.error(
        `a mistake in superbell itself: event ${serial} ${eventname} brought no alert: ${
          error instanceof Error ? error.stack : error
        }`,
      );
    }
  }

  /**
   * Stores, in one transaction, what is to be told about events that we found out ourselves;
   * `rules` in place of the configured ones remember nothing and hold nothing. Answers the number
   * of new entries; undefined: they are lost. Never throws.
   */
  tell(events: readonly Event[], rules?: readonly Rule[]): number | undefined {
    return this.#guard(namesOf(events), () => {
      const atMs = this.#options.now();
      const told = events.map((event) =>
        rules === undefined ? this.#ask(event, { atMs }) : this.#askOthers(rules, event, atMs)
      );
      return this.#store(told, atMs);
    });
  }

  /** When something is due without an event; undefined: never. */
  get nextDueMs(): number | undefined {
    const dueMs = Math.min(this.#rules.nextDueMs ?? Infinity, this.#writeAgainAtMs ?? Infinity);
    return dueMs === Infinity ? undefined : dueMs;
  }

  /** Tells what is due by now. Never throws. */
  passTime(): void {
    this.#guard("what was due", () => this.#heed(this.#rules.step({ kind: "time" })));
  }

  /** Stores what was taken, and then what is known of the processes. Never throws. */
  store(): void {
    this.#storeTaken();
    this.roster.write(); // not before: an event that is taken again must find what it found
  }

  /** The silences that are in force, or were until lately. */
  get silences(): readonly Silence[] {
    return this.#rules.silences;
  }

  /** Does what a person asks; answers what is to be said of it. Never throws; undefined: a mistake. */
  request(request: Request): readonly Note[] | undefined {
    return this.#guard("what was asked", () => {
      const step = this.#rules.step(request);
      this.#heed(step);
      return step.notes;
    });
  }

  /** Brings the incidents up to date with the roster, which is complete now. Never throws. */
  compare(): void {
    this.#guard("the comparison of incidents", () => {
      const processes = [...this.roster.known.values()];
      this.#heed(this.#rules.step({ kind: "processes", processes }));
    });
  }

  #take(frame: Frame): void {
    const { now } = this.#options;
    const atMs = now();
    const isGap = this.roster.hear(frame.header);
    const event = parseEvent(frame);
    this.#options.onEvent?.(event, atMs);
    const ranMs = this.#ranMs(event, atMs);
    const wasFound = this.roster.take(event, atMs);
    if (isGap) this.#options.onGap?.();
    const withhold = wasFound
      ? "found-before"
      : this.roster.isStopping && isStateEvent(event)
      ? "supervisord-stopping"
      : undefined;
    const taking: Taking = { atMs, supervisorRun: this.#options.supervisorRun, withhold, ranMs };
    const told = this.#ask(event, { ...taking, frame });
    if (!this.#isToStore(told) || !this.#defer(told, { frame, taking })) this.#store([told], atMs);
  }

  /** Whether the event has left anything. */
  #isToStore({ alerts }: Told): boolean {
    return alerts.length > 0 || this.#rules.isChanged;
  }

  /** Whether the event is in the journal, so that it can be stored when supervisord does not wait. */
  #defer(told: Told, event: TakenEvent): boolean {
    const { soon, outbox } = this.#options;
    const isReady = soon !== undefined && this.#writeAgainAtMs === undefined &&
      this.#taken.length < MOST_TAKEN;
    if (!isReady || !outbox.journal.append(event)) return false;
    this.#keep(told, soon);
    return true;
  }

  /** Keeps what an event in the journal brought, until it is stored. */
  #keep(told: Told, soon: (work: () => void) => void): void {
    if (this.#taken.length === 0) soon(() => this.#storeTaken());
    this.#taken.push(told);
  }

  #storeTaken(): void {
    if (this.#taken.length === 0) return;
    this.#guard("what was taken", () => this.#store([], this.#options.now()));
  }

  /** Takes what an earlier life of ours has left in the journal: it was answered, and not stored. */
  #takeAgain(): void {
    const { outbox, log, soon } = this.#options;
    if (soon === undefined) return;
    const { events, brokenBytes, trouble } = outbox.journal.open();
    if (trouble !== undefined) {
      log.warn(`there is no journal, so supervisord waits until an event is stored: ${trouble}`);
    }
    if (brokenBytes > 0) log.warn(`the last ${brokenBytes} bytes of the journal are no event`);
    const all = events.map((taken) => ({ taken, event: eventOf(taken) }));
    const stored = all.findLastIndex(({ event }) => this.#rules.isStored(event));
    for (const { taken, event } of all.slice(stored + 1)) {
      const { serial, eventname } = taken.frame.header;
      log.info(`event ${serial} ${eventname} was taken, and not stored when superbell ended`);
      const told = this.#guard(eventname, () => this.#askAgain(event, taken));
      if (told !== undefined) this.#keep(told, soon);
    }
  }

  #askAgain(event: Event, { frame, taking }: TakenEvent): Told {
    // What is known of processes is of this run of supervisord.
    if (taking.supervisorRun === this.#options.supervisorRun) this.roster.take(event, taking.atMs);
    return this.#ask(event, { ...taking, frame });
  }

  /** How long the process had been running, as far as the roster knows. */
  #ranMs(event: Event, atMs: number): number | undefined {
    if (event.kind !== "process_exited") return undefined;
    const known = this.roster.known.get(processKey(event.process));
    return known?.state === "RUNNING" ? Math.max(0, atMs - known.sinceMs) : undefined;
  }

  /** What the rules make of an event. */
  #ask(
    event: Event,
    { frame, ...taking }: EventContext & { readonly atMs: number; readonly frame?: Frame },
  ): Told {
    const { log, mask } = this.#options;
    const about = `${describeOrigin(event)}${describeSubject(event)}`;
    const step = this.#rules.take(event, taking);
    if (log.writes("debug")) {
      const described = describeEvent(event, frame);
      log.debug((mask?.(described) ?? described) + describeDecisions(step?.decisions ?? []));
    }
    if (step === undefined) {
      log.info(`${about}: came again, its alerts are stored already`);
      return { about, alerts: [] };
    }
    this.#options.onStep?.(step);
    for (const { rule, verdict, reason } of step.decisions) {
      if (verdict === "hold") log.info(`${about}: rule ${rule}: held (${reason})`);
    }
    return { about, alerts: this.#alertsOf(step, taking.atMs, frame) };
  }

  /** What rules make of an event that are none of ours. */
  #askOthers(rules: readonly Rule[], event: Event, atMs: number): Told {
    const context = this.#contextOf(atMs);
    const alerts = decide(rules, event).flatMap((decision) =>
      decision.verdict === "alert"
        ? [{ alert: alertFor(decision, event, context), to: decision.rule.to }]
        : []
    );
    return { about: `${describeOrigin(event)}${describeSubject(event)}`, alerts };
  }

  /** Stores what a step brought that no event has caused. */
  #heed(step: Step): void {
    this.#options.onStep?.(step);
    const { log } = this.#options;
    for (const { rule, incident, verdict, reason } of step.decisions) {
      const of = incident === undefined ? "" : `, incident ${incident}`;
      if (verdict === "hold") log.info(`by time: rule ${rule}${of}: held (${reason})`);
      else log.debug(`by time: rule ${rule}${of}: ${verdict} (${reason})`);
    }
    const atMs = this.#options.now();
    this.#store([{ about: "by time", alerts: this.#alertsOf(step, atMs) }], atMs);
  }

  #alertsOf({ tellings }: Step, atMs: number, frame?: Frame): Told["alerts"] {
    // Most events bring no alert, and supervisord waits.
    if (tellings.length === 0) return [];
    const context = this.#contextOf(atMs, frame);
    return tellings.map((telling) => ({
      alert: alertOf(telling, context),
      to: this.#wanted(telling),
    }));
  }

  #wanted({ to, incident }: Telling): readonly string[] {
    const { tellsResolved } = this.#options;
    if (incident?.kind !== "resolved" || tellsResolved === undefined) return to;
    return to.filter(tellsResolved);
  }

  #contextOf(atMs: number, frame?: Frame): AlertContext {
    const { host, supervisorRun, mask } = this.#options;
    return {
      host: host(),
      atMs,
      supervisorRun,
      ...(frame && { payload: frame.payload }),
      ...(mask && { mask }),
    };
  }

  /** Runs what must not fail; a mistake of ours is logged and answers undefined. */
  #guard<Value>(what: string, work: () => Value): Value | undefined {
    try {
      return work();
    } catch (error) {
      this.#options.log.error(
        `a mistake in superbell itself: ${what} brought no alert: ${
          error instanceof Error ? error.stack : error
        }`,
      );
      return undefined;
    }
  }

  /** Stores all of it, and what was taken before, in one transaction with what the rules remember. */
  #store(more: readonly Told[], atMs: number): number | undefined {
    const { outbox } = this.#options;
    const told = [...this.#taken, ...more];
    this.#taken = [];
    try {
      return this.#storeAll(told, atMs);
    } finally {
      outbox.journal.cut();
      this.#takeAgain(); // another database may have taken the place of the one before
    }
  }

  #storeAll(told: readonly Told[], atMs: number): number | undefined {
    const { log, digestMs } = this.#options;
    const entries = told.flatMap(({ alerts }) => alerts).flatMap(({ alert, to }) =>
      to.map((channel): NewEntry => ({ alert, channel, digestMs: digestMs(channel) }))
    );
    this.#writeAgainAtMs = undefined;
    if (entries.length === 0) {
      if (this.#rules.isChanged) this.#remember(atMs);
      this.#options.onDue?.();
      return 0;
    }
    const added = this.#enqueue(entries, atMs);
    this.#options.onDue?.();
    if (added === undefined) return undefined;
    for (const { about, alerts } of told) {
      if (added === 0 && alerts.length > 0) {
        log.info(`${about}: came again, its alerts are stored already`);
        continue;
      }
      for (const { alert, to } of alerts) log.info(`${about}: ${describeAlert(alert, to)}`);
    }
    if (added > 0) this.#options.onStored(entries.map(({ channel }) => channel));
    return added;
  }

  /** Writes what the rules remember; a disk that takes nothing is asked again later. */
  #remember(atMs: number): void {
    const { outbox, log } = this.#options;
    try {
      outbox.enqueue([], atMs, { roster: this.roster.changes, rules: this.#rules.changes });
      this.roster.wasWritten();
      this.#rules.wasWritten();
    } catch (error) {
      this.#writeAgainAtMs = atMs + WRITE_AGAIN_MS;
      log.debug(
        `the incidents cannot be written: ${error instanceof Error ? error.message : error}`,
      );
    }
  }

  /** The number of new entries; those that the disk refuses go into memory. Undefined: lost. */
  #enqueue(entries: readonly NewEntry[], nowMs: number): number | undefined {
    const { outbox, memory, memoryLimit = MEMORY_LIMIT, log } = this.#options;
    try {
      const added = outbox.enqueue(entries, nowMs, {
        roster: this.roster.changes,
        rules: this.#rules.changes,
      });
      this.roster.wasWritten();
      this.#rules.wasWritten();
      return added;
    } catch (error) {
      this.#writeAgainAtMs = nowMs + WRITE_AGAIN_MS;
      log.error(
        `cannot store ${entries.length} entries in "${outbox.path}" (${
          error instanceof Error ? error.message : error
        }); they are kept in memory and sent from there, and are lost if superbell ends before`,
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
}

/** What of the settings is for the rules. */
function rulesOf(settings: IntakeSettings): RuleSettings {
  const { rules, hostIncident, maintenance = [], timeZone } = settings;
  return { rules, hostIncident, maintenance, timeZone };
}

/** As it was, whichever run of supervisord sent it. */
function eventOf({ frame, taking }: TakenEvent): Event {
  const event = parseEvent(frame);
  const { origin } = event;
  return { ...event, origin: { ...origin, identity: `${taking.supervisorRun}\n${origin.serial}` } };
}

function describeEvent(event: Event, frame: Frame | undefined): string {
  if (frame === undefined) return `${describeOrigin(event)}${describeSubject(event)}`;
  const { serial, pool, poolserial, server, eventname } = frame.header;
  const header = `event ${serial} ${eventname} (server ${server}, pool ${pool} ${poolserial})`;
  return `${header}${describeSubject(event)} ${
    new TextDecoder().decode(frame.payload.subarray(0, 1024))
  }`;
}

function describeOrigin({ origin: { serial, eventname, reconciled } }: Event): string {
  if (serial !== undefined) return `event ${serial} ${eventname}`;
  return `${reconciled === true ? "reconciled" : "own"} event ${eventname}`;
}

function describeSubject(event: Event): string {
  const process = processOf(event);
  if (process !== undefined) return ` of ${displayName(process)}`;
  const group = groupOf(event);
  if (group !== undefined) return ` of ${group}`;
  if ("trouble" in event) return ` of channel ${event.trouble.name}`;
  return textOf(event) !== undefined && event.kind === "unknown" ? " of an unknown type" : "";
}

function describeDecisions(decisions: readonly Decision[]): string {
  return decisions.map(({ rule, verdict, reason }) => `; ${rule}: ${verdict} (${reason})`).join("");
}

function describeAlert({ id, rule, incident }: Alert, to: readonly string[]): string {
  const of = incident === undefined ? "" : ` (${incident.kind}, incident ${incident.id})`;
  return `rule ${rule}: alert ${id}${of} to ${to.join(", ") || "nobody"}`;
}

function namesOf(events: readonly Event[]): string {
  return [...new Set(events.map(({ origin }) => origin.eventname))].join(", ");
}
