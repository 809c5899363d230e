// What the rules make of what happens, over time: which incident an event belongs to, whether it
// is told now, later or not at all, and why. It has no clock: whoever holds it calls step() with
// each event and again at the time that the last step asked for. The same steps always give the
// same answers. An event's way: finder.ts says which rules find a failure in it, incident_book.ts
// puts that into an incident, incident_teller.ts tells of it, unless holds.ts holds that.

import { type Event, processOf } from "../events/event.ts";
import { Finder } from "./finder.ts";
import type { HostIncident } from "./host_incident.ts";
import { Holds } from "./holds.ts";
import { type Incident, processKey, type ProcessStanding } from "./incident.ts";
import { type Failure, IncidentBook } from "./incident_book.ts";
import { IncidentTeller, repaced } from "./incident_teller.ts";
import type { MaintenanceWindow } from "./maintenance.ts";
import { Muting } from "./muting.ts";
import { hostPlan, type Plan, planOf } from "./plan.ts";
import type { NamePatterns, Rule } from "./rule.ts";
import { RuleMemory } from "./rule_memory.ts";
import type { Draft, EventInput, Input, Step } from "./step.ts";
import { endedSilences, openedSilence, SILENCE_TYPE, UNSILENCE_TYPE } from "./silence.ts";
import { Suppression } from "./suppression.ts";

export type { Decision, Input, Step } from "./step.ts";

/** What the engine works with. */
export interface EngineOptions {
  readonly rules: readonly Rule[];
  readonly hostIncident?: HostIncident | undefined;
  readonly maintenance?: readonly MaintenanceWindow[];
  /** Of the top level; undefined: the host's own. */
  readonly timeZone?: string | undefined;
  /** A short id made of a text: the same text, the same id. */
  readonly idOf: (seed: string) => string;
}

const SECOND_MS = 1000;

/** After our start nothing old is told at once: it may be over, and its events are on their way. */
const START_GRACE_MS = 30 * SECOND_MS;

/** The clock is set back by less every day, by those who keep it right. */
const CLOCK_SLACK_MS = 2 * SECOND_MS;

/** The rules at work. */
export class RuleEngine {
  readonly memory: RuleMemory;
  readonly #options: EngineOptions;
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #suppression: Suppression;
  readonly #holds: Holds;
  readonly #finder: Finder;
  readonly #book: IncidentBook;
  readonly #teller: IncidentTeller;

  constructor(options: EngineOptions, memory: RuleMemory = new RuleMemory()) {
    this.#options = options;
    this.memory = memory;
    const plans = options.rules.map(planOf);
    const { hostIncident } = options;
    this.#plans = new Map(
      [...plans, ...hostIncident === undefined ? [] : [hostPlan(hostIncident)]]
        .map((plan) => [plan.name, plan]),
    );
    const dependent = plans.flatMap(({ name, pacing }): [string, NamePatterns][] =>
      pacing.suppressedBy === undefined ? [] : [[name, pacing.suppressedBy]]
    );
    const suppression = this.#suppression = new Suppression(new Map(dependent));
    const muting = new Muting(memory, options.maintenance ?? []);
    const holds = this.#holds = new Holds({ memory, muting, suppression });
    const shared = { memory, plans: this.#plans, holds, suppression };
    this.#finder = new Finder({ ...shared, rules: options.rules });
    this.#book = new IncidentBook({ ...shared, idOf: options.idOf });
    this.#teller = new IncidentTeller(shared);
    for (const incident of memory.incidents()) {
      for (const { process } of memory.membersOf(incident).values()) {
        this.#suppression.add(incident.id, process);
      }
    }
  }

  /** Takes what has happened, and whatever has become due until now. */
  step(input: Input, nowMs: number): Step {
    const draft: Draft = { decisions: [], tellings: [], notes: [] };
    this.#heedClock(input, nowMs);
    // Nobody waits for messages with this one: what is due comes with the next step.
    if (input.kind === "clock_set") return { ...draft, nextDueAtMs: this.memory.nextDueMs() };
    if (input.kind === "start") this.#start(nowMs);
    if (input.kind === "reload") this.#reload(nowMs, draft);
    for (const id of this.memory.takeDue(nowMs)) this.#teller.considerLater(id, nowMs, draft);
    switch (input.kind) {
      case "event":
        this.#takeEvent(input, nowMs, draft);
        break;
      case "processes":
        this.#compare(input.processes, nowMs, draft);
        break;
      case "acknowledge":
        this.#acknowledge(input, nowMs, draft);
        break;
      case "silence":
        this.memory.putSilence(input.silence);
        break;
      case "unsilence":
        this.#endSilences([input.id], nowMs, draft);
        break;
    }
    return { ...draft, nextDueAtMs: this.memory.nextDueMs() };
  }

  /** Times that were counted by a clock that was set afterwards are moved with it. */
  #heedClock(input: Input, nowMs: number): void {
    const { lastMs } = this.memory;
    if (input.kind === "clock_set") this.#shift(input.byMs, nowMs);
    else if (nowMs < lastMs - CLOCK_SLACK_MS) this.#shift(nowMs - lastMs, nowMs);
    this.memory.lastMs = nowMs;
  }

  #shift(byMs: number, nowMs: number): void {
    this.memory.shift(byMs);
    // Silences and windows go by the clock on the wall: theirs may be over now.
    for (const incident of this.memory.incidents()) {
      if (incident.held !== "silenced" && incident.held !== "maintenance") continue;
      this.memory.putIncident({ ...incident, dueAtMs: nowMs });
    }
  }

  #takeEvent(input: EventInput, nowMs: number, draft: Draft): void {
    const { event, seed, withhold } = input;
    if (event.kind === "supervisor_stopping") this.memory.stopping = true;
    if (event.kind === "supervisor_running") this.#goOn(nowMs, draft);
    if (event.kind === "remote_communication") this.#takeRemote(event, seed, nowMs, draft);
    const process = processOf(event);
    // What was found out before has been followed then.
    const isNews = process !== undefined && withhold !== "found-before";
    const touched = new Set(isNews ? this.#book.follow(process, event, nowMs) : []);
    if (event.kind === "process_group_removed") {
      for (const id of this.#book.removeGroup(event.group, nowMs)) touched.add(id);
    }
    const findings = this.#finder.find(input, nowMs, draft);
    const failure = process && { process, key: processKey(process), event, seed };
    if (failure !== undefined && findings.some(({ verdict }) => verdict === "failure")) {
      // First of all: it holds the others.
      const host = this.#countForHost(failure, nowMs);
      if (host !== undefined) {
        touched.delete(host);
        this.#teller.considerLater(host, nowMs, draft);
      }
    }
    for (const finding of findings) {
      if (finding.verdict !== "failure") {
        draft.decisions.push(finding);
        continue;
      }
      const incident = this.#book.add(failure!, { ...finding, nowMs });
      touched.delete(incident.id);
      const said = this.#teller.consider(incident.id, nowMs, draft) ??
        { verdict: "hold", reason: "already-told" };
      draft.decisions.push({ rule: finding.plan.name, incident: incident.id, ...said });
    }
    for (const id of touched) this.#teller.considerLater(id, nowMs, draft);
  }

  /** Answers the id of the host's incident, if the failure belongs to it. */
  #countForHost(failure: Failure, nowMs: number): string | undefined {
    const { hostIncident } = this.#options;
    if (hostIncident === undefined) return undefined;
    if (this.#holds.ofProcess(failure.process, nowMs) !== undefined) return undefined;
    return this.#book.countFailure(failure, { hostIncident, nowMs });
  }

  /** supervisord is up: what its shutdown has held goes on. */
  #goOn(nowMs: number, draft: Draft): void {
    this.memory.stopping = false;
    this.#teller.release(({ held }) => held === "supervisord-stopping", nowMs, draft);
  }

  /** Brings the incidents up to date with what supervisord says, whatever events have come. */
  #compare(processes: readonly ProcessStanding[], nowMs: number, draft: Draft): void {
    const standing = new Map(processes.map((one) => [processKey(one.process), one]));
    const touched = new Set([
      ...this.#book.remove((process) => !standing.has(processKey(process)), nowMs),
      ...this.#book.compare(standing, nowMs),
    ]);
    for (const id of touched) this.#teller.considerLater(id, nowMs, draft);
  }

  /** Tells nothing: all is looked at after the time of grace. */
  #start(nowMs: number): void {
    this.#adopt(nowMs);
    for (const incident of this.memory.incidents()) {
      // Nobody watched while we were away.
      const watched = this.#book.watchFrom(incident, this.#planOf(incident), nowMs);
      const dueAtMs = Math.max(watched.dueAtMs ?? 0, nowMs + START_GRACE_MS);
      this.memory.putIncident({ ...watched, dueAtMs });
    }
    for (const { id, untilMs } of this.memory.silences()) {
      if (untilMs <= nowMs) this.memory.endSilence(id);
    }
  }

  /** What the new rules, windows and dependencies make of what is open. */
  #reload(nowMs: number, draft: Draft): void {
    this.#adopt(nowMs);
    for (const incident of this.memory.incidents()) {
      this.#teller.considerLater(incident.id, nowMs, draft);
    }
  }

  /**
   * Goes on with the incidents of these rules; those of others are over without a word. Whoever
   * calls looks again at all that stay, for what is over may have held them.
   */
  #adopt(nowMs: number): void {
    for (const incident of this.memory.incidents()) {
      const plan = this.#plans.get(incident.rule);
      if (plan === undefined || plan.pacing.groupBy !== incident.by) {
        const over = { ...incident, dueAtMs: undefined };
        this.memory.close({ incident: over, atMs: nowMs, closing: "forgotten" });
        this.#suppression.remove(incident.id);
      }
    }
    for (const incident of this.memory.incidents()) {
      const { told } = incident;
      if (told === undefined) continue;
      this.memory.putIncident({ ...incident, told: repaced(told, this.#planOf(incident), nowMs) });
    }
    this.memory.forgetTallies(({ rule }) => !this.#plans.has(rule));
  }

  #acknowledge(
    { incident: id, by, reason }: Input & { readonly kind: "acknowledge" },
    nowMs: number,
    draft: Draft,
  ): void {
    const incident = this.memory.incidents().find((open) => open.id === id);
    if (incident === undefined) {
      draft.notes.push({ level: "warn", text: `no open incident ${id} to acknowledge` });
      return;
    }
    this.memory.putIncident({ ...incident, acknowledged: { by, reason, atMs: nowMs } });
    draft.notes.push({
      level: "info",
      text: `incident ${id}: acknowledged by ${by}${reason === "" ? "" : `: ${reason}`}`,
    });
    this.#teller.considerLater(incident.id, nowMs, draft);
  }

  /** A deploy script begins or ends a silence. */
  #takeRemote(
    { type, text }: Event & { readonly kind: "remote_communication" },
    seed: string,
    nowMs: number,
    draft: Draft,
  ): void {
    if (type === SILENCE_TYPE) {
      const { timeZone, idOf } = this.#options;
      const { silence, note } = openedSilence(text, { id: idOf(seed), nowMs, timeZone });
      if (silence !== undefined) this.memory.putSilence(silence);
      draft.notes.push(note);
    } else if (type === UNSILENCE_TYPE) {
      const { ids, note } = endedSilences(this.memory.silences(), text.trim());
      draft.notes.push(note);
      this.#endSilences(ids, nowMs, draft);
    }
  }

  #endSilences(ids: readonly string[], nowMs: number, draft: Draft): void {
    for (const id of ids) this.memory.endSilence(id);
    this.#teller.release(({ held }) => held === "silenced", nowMs, draft);
  }

  #planOf({ rule }: Incident): Plan {
    return this.#plans.get(rule)!;
  }
}
