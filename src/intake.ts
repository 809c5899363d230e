// Intake: frame, event, decisions, alerts, journal, and only then OK; a moment later one transaction
// stores what all that came meanwhile have brought. It waits for no network and for no other
// program. Whatever goes wrong here, supervisord gets its OK: an event that is refused or crashes
// us is sent again at once and for ever, and blocks all others.

import { type AlertContext, alertFor, alertOf, type Host } from "./alerts/alert.ts";
import type { Frame } from "./events/frame.ts";
import { displayName, type Event, groupOf, processOf, textOf } from "./events/event.ts";
import { parseEvent } from "./events/parse.ts";
import { guarded } from "./log.ts";
import type { TakenEvent, Taking } from "./outbox/journal.ts";
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
import { Storage, type StorageOptions, type StorageSettings, type Told } from "./storage.ts";
import type { Telling } from "./rules/telling.ts";

/** What intake goes by, and what can be another while it works. */
export interface IntakeSettings extends StorageSettings {
  readonly rules: readonly Rule[];
  readonly hostIncident?: HostIncident | undefined;
  readonly maintenance?: readonly MaintenanceWindow[];
  /** Of silences; undefined: the host's own. */
  readonly timeZone?: string | undefined;
  readonly host: () => Host;
  /** Whether the channel wants to know that an incident is over. @default true */
  readonly tellsResolved?: (channel: string) => boolean;
  /** Takes secrets out of what programs wrote. */
  readonly mask?: (text: string) => string;
}

/** What intake works with. */
export interface IntakeOptions
  extends IntakeSettings, Omit<StorageOptions, "roster" | "rules" | "onLeft"> {
  /** Names this run of supervisord; its serials are unique within it. */
  readonly supervisorRun: string;
  /** Nobody sets it; by it a clock that is set is noticed. */
  readonly monotonic?: () => number;
  /** Told of each event that a frame brought, at once; must not wait for anything. */
  readonly onEvent?: (event: Event, atMs: number) => void;
  /** Told that supervisord has discarded events; must not wait for anything. */
  readonly onGap?: () => void;
  /** Told what the rules made of each event, and of what was due. */
  readonly onStep?: (step: Step) => void;
}

/** Takes one event after the other. */
export class Intake {
  #options: IntakeOptions;
  /** What is known of the processes, and of the events that did not come. */
  readonly roster: RosterKeeper;
  readonly #rules: RuleKeeper;
  readonly #storage: Storage;
  #isStarted = false;

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
    this.#storage = new Storage({
      ...options,
      roster: this.roster,
      rules: this.#rules,
      onLeft: (events) => this.#takeAgain(events),
    });
    this.#guard("what was left in the journal", () => this.#storage.openJournal());
    this.#guard("the start of the rules", () => this.#rules.start());
    this.#isStarted = true;
  }

  /**
   * Goes by other settings from now on: what is open goes on where its rule is still there. Never
   * throws.
   */
  use(settings: IntakeSettings): void {
    this.#options = { ...this.#options, ...settings };
    this.#storage.use(settings);
    this.#guard("the new rules", () => this.#heed(this.#rules.use(rulesOf(settings))));
  }

  /**
   * Decides what is to be told about the frame, which is on disk then or stored already. Never
   * throws; afterwards OK may be said.
   */
  take(frame: Frame): void {
    const { serial, eventname } = frame.header;
    this.#guard(`event ${serial} ${eventname}`, () => this.#take(frame));
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
      return this.#storage.store(told);
    });
  }

  /** When something is due without an event; undefined: never. */
  get nextDueMs(): number | undefined {
    const dueMs = Math.min(this.#rules.nextDueMs ?? Infinity, this.#storage.nextDueMs ?? Infinity);
    return dueMs === Infinity ? undefined : dueMs;
  }

  /** Tells what is due by now. Never throws. */
  passTime(): void {
    this.#guard("what was due", () => this.#heed(this.#rules.step({ kind: "time" })));
  }

  /** Stores what was taken, and then what is known of the processes. Never throws. */
  store(): void {
    this.#guard("what was taken", () => this.#storage.catchUp());
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
    this.#storage.take(told, { frame, taking });
  }

  /** Takes what was answered and not stored. */
  #takeAgain(events: readonly TakenEvent[]): void {
    for (const taken of events) {
      const { serial, eventname } = taken.frame.header;
      const what = `event ${serial} ${eventname}`;
      this.#options.log.info(`${what} was taken, and not stored when superbell ended`);
      this.#guard(what, () => this.#storage.putOff(this.#askAgain(taken)));
    }
    // What has come since our start is newer.
    if (this.#isStarted) this.compare();
  }

  #askAgain({ frame, taking }: TakenEvent): Told {
    const event = eventOf({ frame, taking });
    // What is known of processes is of this run of supervisord.
    const isKnown = taking.supervisorRun !== this.#options.supervisorRun || this.#isStarted;
    if (!isKnown) this.roster.take(event, taking.atMs);
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
    this.#storage.store([{
      about: "by time",
      alerts: this.#alertsOf(step, this.#options.now()),
    }]);
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

  #guard<Value>(what: string, work: () => Value): Value | undefined {
    return guarded(this.#options.log, what, work);
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

function namesOf(events: readonly Event[]): string {
  return [...new Set(events.map(({ origin }) => origin.eventname))].join(", ");
}
