// What the rules make of what happens, over time: which incident an event belongs to, whether it
// is told now, later or not at all, and why. It has no clock: whoever holds it calls step() with
// each event and again at the time that the last step asked for. The same steps always give the
// same answers.

import { type Event, groupOf, type ProcessName, processOf } from "../events/event.ts";
import { decide } from "./decide.ts";
import { isFlapping, isFull, lastOf, NO_ENDS, withEnd } from "./flapping.ts";
import { HOST_RULE, type HostIncident } from "./host_incident.ts";
import {
  type Closing,
  groupingKey,
  type Incident,
  isEnd,
  isWithin,
  nextReminderMs,
  processKey,
  type ProcessStanding,
  type TellingKind,
  type Told,
} from "./incident.ts";
import { IncidentBook } from "./incident_book.ts";
import type { MaintenanceWindow } from "./maintenance.ts";
import { type Hold, Muting } from "./muting.ts";
import { LONGEST_REMINDER_MS } from "./pacing.ts";
import { hostPlan, type Plan, planOf } from "./plan.ts";
import type { HoldReason, TellReason } from "./reason.ts";
import {
  conditionOf,
  type ConditionWord,
  isFailure,
  type NamePatterns,
  type Rule,
} from "./rule.ts";
import { RuleMemory } from "./rule_memory.ts";
import type { Decision, Input, Step } from "./step.ts";
import {
  endedSilences,
  type Note,
  openedSilence,
  SILENCE_TYPE,
  UNSILENCE_TYPE,
} from "./silence.ts";
import { Suppression } from "./suppression.ts";
import { settlingOfAll, type Telling, tellingOf } from "./telling.ts";

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

type Verdict =
  | { readonly verdict: "alert"; readonly reason: TellReason }
  | { readonly verdict: "hold"; readonly reason: HoldReason };

/** What is collected during a step. */
interface Draft {
  readonly decisions: Decision[];
  readonly tellings: Telling[];
  readonly notes: Note[];
}

/** A failure that a rule found in an event. */
interface Found {
  readonly plan: Plan;
  readonly word: ConditionWord;
}

/** The rules at work. */
export class RuleEngine {
  readonly memory: RuleMemory;
  readonly #options: EngineOptions;
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #suppression: Suppression;
  readonly #muting: Muting;
  readonly #book: IncidentBook;

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
    this.#suppression = new Suppression(new Map(dependent));
    this.#muting = new Muting(memory, options.maintenance ?? []);
    this.#book = new IncidentBook({
      memory,
      plans: this.#plans,
      suppression: this.#suppression,
      idOf: options.idOf,
    });
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
    for (const id of this.memory.takeDue(nowMs)) this.#considerLater(id, nowMs, draft);
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

  #takeEvent(input: Input & { readonly kind: "event" }, nowMs: number, draft: Draft): void {
    const { event, withhold } = input;
    if (event.kind === "supervisor_stopping") this.memory.stopping = true;
    if (event.kind === "supervisor_running") this.#goOn(nowMs, draft);
    if (event.kind === "remote_communication") this.#takeRemote(event, input.seed, nowMs, draft);
    const process = processOf(event);
    // What was found out before has been followed then.
    const isNews = process !== undefined && withhold !== "found-before";
    const touched = new Set(isNews ? this.#book.follow(process, event, nowMs) : []);
    if (event.kind === "process_group_removed") {
      for (const id of this.#book.removeGroup(event.group, nowMs)) touched.add(id);
    }
    const verdicts = this.#findAll(input, nowMs, draft);
    const found = verdicts.flatMap((verdict) => "plan" in verdict ? [verdict] : []);
    const { hostIncident } = this.#options;
    if (hostIncident !== undefined && process !== undefined && found.length > 0) {
      // First of all: it holds the others.
      const isMuted = this.#muting.holdOf({ process }, nowMs) !== undefined;
      const failure = { process, event, seed: input.seed };
      const host = isMuted ? undefined : this.#book.countFailure(failure, { hostIncident, nowMs });
      if (host !== undefined) {
        touched.delete(host);
        this.#considerLater(host, nowMs, draft);
      }
    }
    for (const verdict of verdicts) {
      if (!("plan" in verdict)) {
        draft.decisions.push(verdict);
        continue;
      }
      const failure = { process: process!, event, seed: input.seed };
      const incident = this.#book.add(failure, { ...verdict, nowMs });
      touched.delete(incident.id);
      const said = this.#consider(incident.id, nowMs, draft) ??
        { verdict: "hold", reason: "already-told" };
      draft.decisions.push({ rule: verdict.plan.name, incident: incident.id, ...said });
    }
    for (const id of touched) this.#considerLater(id, nowMs, draft);
  }

  /** supervisord is up: what its shutdown has held goes on. */
  #goOn(nowMs: number, draft: Draft): void {
    this.memory.stopping = false;
    this.#release(({ held }) => held === "supervisord-stopping", nowMs, draft);
  }

  /** What each rule says of the event: a decision, or that it found a failure. */
  #findAll(
    input: Input & { readonly kind: "event" },
    nowMs: number,
    draft: Draft,
  ): (Decision | Found)[] {
    const { event } = input;
    let stopped = false;
    return decide(this.#options.rules, event, input.withhold).map((match): Decision | Found => {
      const rule = match.rule.name;
      if (match.verdict === "skip") return { rule, verdict: "skip", reason: match.reason };
      if (stopped) return { rule, verdict: "skip", reason: "stopped-by-rule" };
      const plan = this.#plans.get(rule)!;
      const flaps = this.#noteEnd(plan, input, nowMs);
      const word = flaps ? "flapping" : match.word;
      if (word === "flapping" && !flaps) return { rule, verdict: "skip", reason: "not-flapping" };
      stopped = plan.pacing.stop;
      // An end that was expected is news and no trouble.
      const isFine = event.kind === "process_exited" && event.expected && !flaps;
      if (isFailure(word) && !isFine) return { plan, word };
      return { rule, ...this.#notice(plan, word, event, nowMs, draft) };
    });
  }

  /** Counts an end for a rule that watches for flapping; answers whether the process flaps. */
  #noteEnd(plan: Plan, input: Input & { readonly kind: "event" }, nowMs: number): boolean {
    const process = processOf(input.event);
    if (!plan.watchesFlapping || process === undefined || !isEnd(input.event)) return false;
    const { flapping } = plan.pacing;
    const tally = this.memory.tally(plan.name, processKey(process));
    const ends = withEnd(tally.ends, flapping, { nowMs, ranMs: input.ranMs });
    this.memory.putTally({ ...tally, ends });
    if (isFlapping(ends, flapping)) return true;
    const incident = this.memory.incident(plan.name, groupingKey(plan.pacing.groupBy, { process }));
    const member = incident && this.memory.membersOf(incident).get(processKey(process));
    return member?.flapping === true;
  }

  /** Tells what is over at once, unless it is held. */
  #notice(plan: Plan, word: ConditionWord, event: Event, nowMs: number, draft: Draft): Verdict {
    const { pacing } = plan;
    const process = processOf(event);
    const subject = { process, group: groupOf(event) };
    const tally = this.memory.tally(plan.name, groupingKey(pacing.groupBy, subject));
    const { after, quietMs } = pacing;
    const recentMs = after === undefined
      ? tally.recentMs
      : lastOf(tally.recentMs, nowMs, after.count);
    const hold = ((): Hold | undefined => {
      if (after !== undefined && !isFull(recentMs, after.count, after.withinMs)) {
        return { reason: "below-after" };
      }
      if (process !== undefined && this.#isSuppressed(plan.name, [process], "")) {
        return { reason: "suppressed" };
      }
      // What superbell says of itself is never silenced: it would be silent about being deaf.
      const muted = conditionOf(word).about === "superbell"
        ? undefined
        : this.#muting.holdOf(subject, nowMs);
      if (muted !== undefined) return muted;
      return isWithin(tally.toldAtMs, quietMs, nowMs) ? { reason: "quiet" } : undefined;
    })();
    if (after !== undefined || (quietMs > 0 && hold === undefined)) {
      this.memory.putTally({
        ...tally,
        recentMs,
        ...(hold === undefined && { toldAtMs: nowMs }),
      });
    }
    if (hold !== undefined) return { verdict: "hold", reason: hold.reason };
    const { name: rule, to } = plan;
    draft.tellings.push({
      rule,
      to,
      severity: pacing.severity,
      word,
      event,
      eventAtMs: nowMs,
    });
    return { verdict: "alert", reason: "matched" };
  }

  /** Brings the incidents up to date with what supervisord says, whatever events have come. */
  #compare(processes: readonly ProcessStanding[], nowMs: number, draft: Draft): void {
    const standing = new Map(processes.map((one) => [processKey(one.process), one]));
    const touched = new Set([
      ...this.#book.remove((process) => !standing.has(processKey(process)), nowMs),
      ...this.#book.compare(standing, nowMs),
    ]);
    for (const id of touched) this.#considerLater(id, nowMs, draft);
  }

  /** Looks at an incident that no rule has just found a failure for. */
  #considerLater(id: string, nowMs: number, draft: Draft): void {
    const before = this.memory.byId(id);
    // One whose rule is gone is about to be closed.
    if (before === undefined || !this.#plans.has(before.rule)) return;
    const said = this.#consider(id, nowMs, draft);
    if (said === undefined) return;
    // That it is held is said once, and only where something waits to be told.
    const after = this.memory.byId(id);
    if (said.verdict === "hold" && (after?.held === undefined || after.held === before.held)) {
      return;
    }
    draft.decisions.push({ rule: before.rule, incident: before.id, ...said });
  }

  /** Tells what is to be told of an incident now, and notes when to look at it again. */
  #consider(id: string, nowMs: number, draft: Draft): Verdict | undefined {
    const incident = this.memory.byId(id);
    if (incident === undefined) return undefined;
    const plan = this.#planOf(incident);
    if (this.memory.stopping) {
      return this.#putHeld(incident, { reason: "supervisord-stopping" });
    }
    if (incident.unsettled === 0 && nowMs >= incident.wellUntilMs) {
      return this.#end(incident, plan, nowMs, draft);
    }
    const news = newsOf(incident);
    const hold = news && this.#holdOf(incident, plan, { news, nowMs });
    if (news !== undefined && hold === undefined) {
      const fired = this.#fire(incident, plan, { news, nowMs, draft });
      // What was held may have waited past the time to tell others.
      if (this.#tellMore(fired, plan, nowMs, draft) === undefined) this.#put(fired, undefined);
      return { verdict: "alert", reason: news };
    }
    if (news === undefined) {
      const more = this.#tellMore(incident, plan, nowMs, draft);
      if (more !== undefined) return more;
    }
    this.#put({ ...incident, held: hold?.reason }, hold?.untilMs);
    if (hold !== undefined) return { verdict: "hold", reason: hold.reason };
    if (incident.acknowledged !== undefined) return { verdict: "hold", reason: "acknowledged" };
    return {
      verdict: "hold",
      reason: incident.word === "flapping" ? "flapping" : "already-told",
    };
  }

  /** A reminder or an escalation, if one is due. */
  #tellMore(incident: Incident, plan: Plan, nowMs: number, draft: Draft): Verdict | undefined {
    const { told, acknowledged } = incident;
    if (told === undefined || acknowledged !== undefined || incident.unsettled === 0) {
      return undefined;
    }
    const escalates = told.escalateAtMs !== undefined && nowMs >= told.escalateAtMs;
    const reminds = told.remindAtMs !== undefined && nowMs >= told.remindAtMs;
    if (!escalates && !reminds) return undefined;
    const gate = this.#gateOf(incident, plan, nowMs);
    if (gate !== undefined) return this.#putHeld(incident, gate);
    let now: Told = told;
    if (escalates) {
      now = { ...now, messages: now.messages + 1, escalateAtMs: undefined, escalated: true };
      const to = plan.pacing.escalate?.to ?? [];
      this.#tell("escalated", { ...incident, told: now }, { to, nowMs, draft });
    }
    if (reminds) {
      now = reminded(now, plan.pacing.remindEveryMs, nowMs);
      this.#tell("reminder", { ...incident, told: now }, { nowMs, draft });
    }
    this.#put({ ...incident, held: undefined, told: now }, undefined);
    return { verdict: "alert", reason: escalates ? "escalation-due" : "reminder-due" };
  }

  #fire(
    incident: Incident,
    plan: Plan,
    { news, nowMs, draft }: {
      readonly news: News;
      readonly nowMs: number;
      readonly draft: Draft;
    },
  ): Incident {
    const { remindEveryMs, escalate } = plan.pacing;
    const before = incident.told;
    const told: Told = {
      atMs: before?.atMs ?? nowMs,
      rank: incident.rank,
      messages: (before?.messages ?? 0) + 1,
      reminders: before?.reminders ?? 0,
      remindAtMs: remindEveryMs > 0 ? nowMs + remindEveryMs : undefined,
      escalateAtMs: before === undefined
        ? escalate && nowMs + escalate.afterMs
        : before.escalateAtMs,
      ...(before?.escalated && { escalated: true }),
    };
    const { held, ...rest } = incident;
    const fired: Incident = {
      ...rest,
      told,
      joined: 0,
      // Who looks after a crash may not know yet that supervisord gave up.
      acknowledged: news === "worse" ? undefined : incident.acknowledged,
    };
    this.#tell("firing", fired, { heldBy: held, nowMs, draft });
    const tally = this.memory.tally(incident.rule, incident.key);
    this.memory.putTally({ ...tally, untold: 0, toldAtMs: nowMs });
    return fired;
  }

  /** All have been well for long enough. */
  #end(incident: Incident, plan: Plan, nowMs: number, draft: Draft): Verdict | undefined {
    const members = [...this.memory.membersOf(incident).values()];
    const settling = settlingOfAll(members);
    const { told } = incident;
    const isSaid = told !== undefined && settling !== "removed" && plan.pacing.tellsResolved;
    let over = incident;
    if (isSaid) {
      const muted = this.#muting.holdOfAll(members, nowMs);
      if (muted !== undefined) return this.#putHeld(incident, muted);
      over = { ...incident, told: { ...told, messages: told.messages + 1 } };
      this.#tell("resolved", over, { nowMs, draft });
    }
    const closing = told === undefined && settling !== "removed" ? "untold" : settling;
    const tally = this.memory.tally(incident.rule, incident.key);
    if (told !== undefined) {
      this.memory.putTally({
        ...tally,
        untold: 0,
        ...(settling !== "removed" && { resolvedAtMs: nowMs, returns: incident.returns }),
      });
    } else if (incident.held === "silenced" || incident.held === "maintenance") {
      // What was meant to happen unseen is not counted in the next message either.
      this.memory.putTally({ ...tally, untold: 0 });
    }
    for (const { process, flapping } of members) {
      if (flapping !== true) continue;
      const counted = this.memory.tally(incident.rule, processKey(process));
      this.memory.putTally({ ...counted, ends: NO_ENDS });
    }
    this.#close({ ...over, dueAtMs: undefined }, closing, nowMs, draft);
    return isSaid ? { verdict: "alert", reason: "resolved" } : undefined;
  }

  #close(
    incident: Incident,
    closing: Closing,
    nowMs: number,
    draft: Draft,
  ): void {
    this.memory.close({ incident, atMs: nowMs, closing });
    const rules = new Set(this.#suppression.remove(incident.id));
    const isHost = incident.rule === HOST_RULE;
    if (rules.size === 0 && !isHost) return;
    this.#release(
      ({ rule, held }) =>
        (held === "suppressed" && rules.has(rule)) || (held === "host-incident" && isHost),
      nowMs,
      draft,
    );
  }

  /** Looks again at the incidents that something has held until now. */
  #release(isHeld: (incident: Incident) => boolean, nowMs: number, draft: Draft): void {
    for (const incident of this.memory.incidents()) {
      if (isHeld(incident)) this.#considerLater(incident.id, nowMs, draft);
    }
  }

  /** What holds a message about something new. */
  #holdOf(
    incident: Incident,
    plan: Plan,
    { news, nowMs }: { readonly news: News; readonly nowMs: number },
  ): Hold | undefined {
    if (news === "opened" && !incident.ready) return { reason: "below-after" };
    const gate = this.#gateOf(incident, plan, nowMs);
    if (gate !== undefined) return gate;
    const { held } = incident;
    // What was held and has mended itself meanwhile need not be told any more.
    if (incident.unsettled === 0 && held !== undefined && held !== "group-wait") {
      return { reason: held };
    }
    const { toldAtMs } = this.memory.tally(incident.rule, incident.key);
    const { quietMs } = plan.pacing;
    if (news === "opened" && incident.rank < 3 && isWithin(toldAtMs, quietMs, nowMs)) {
      return { reason: "quiet", untilMs: toldAtMs! + quietMs };
    }
    if (nowMs < incident.gatherUntilMs && news !== "worse") {
      return { reason: "group-wait", untilMs: incident.gatherUntilMs };
    }
    return undefined;
  }

  /** What holds any message about an incident that is not over. */
  #gateOf(incident: Incident, { name }: Plan, nowMs: number): Hold | undefined {
    if (incident.rule !== HOST_RULE && this.memory.incident(HOST_RULE, "*") !== undefined) {
      return { reason: "host-incident" };
    }
    const members = this.memory.membersOf(incident);
    const self = incident.id;
    const processes = () => [...members.values()].map(({ process }) => process);
    if (this.#isSuppressed(name, processes, self)) return { reason: "suppressed" };
    const ill = [...members.values()].filter(({ settled }) => settled === undefined);
    return this.#muting.holdOfAll(ill.length > 0 ? ill : [...members.values()], nowMs);
  }

  /** Whether an incident that the rule depends on is open, and is not itself held so. */
  #isSuppressed(
    rule: string,
    processes: readonly ProcessName[] | (() => readonly ProcessName[]),
    self: string,
  ): boolean {
    for (const name of this.#suppression.holdersOf(rule)) {
      const holder = this.memory.byId(name);
      if (name === self || holder === undefined) continue;
      if (!holder.ready || holder.held === "suppressed") continue;
      const all = typeof processes === "function" ? processes() : processes;
      return !all.some((process) => this.#suppression.isNamed(rule, process));
    }
    return false;
  }

  /** Notes that something is held, and that only the end of that changes it. */
  #putHeld(incident: Incident, hold: Hold): Verdict {
    this.memory.putIncident({ ...incident, held: hold.reason, dueAtMs: hold.untilMs });
    return { verdict: "hold", reason: hold.reason };
  }

  /** Notes when to look again: at the end of a hold, of the time to be well, for a reminder. */
  #put(incident: Incident, holdUntilMs: number | undefined): void {
    const { told, unsettled, acknowledged, wellUntilMs, held } = incident;
    // While something new is held, nothing old is repeated.
    const isPressing = told !== undefined && unsettled > 0 && acknowledged === undefined &&
      held === undefined;
    const times = [
      holdUntilMs,
      unsettled === 0 ? wellUntilMs : undefined,
      isPressing ? told.remindAtMs : undefined,
      isPressing ? told.escalateAtMs : undefined,
    ].filter((time) => time !== undefined);
    const dueAtMs = times.length === 0 ? undefined : Math.min(...times);
    this.memory.putIncident({ ...incident, dueAtMs });
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
      this.#considerLater(incident.id, nowMs, draft);
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
    this.#considerLater(incident.id, nowMs, draft);
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
    this.#release(({ held }) => held === "silenced", nowMs, draft);
  }

  #tell(
    kind: TellingKind,
    incident: Incident,
    { draft, ...options }: {
      readonly to?: readonly string[];
      readonly heldBy?: HoldReason | undefined;
      readonly nowMs: number;
      readonly draft: Draft;
    },
  ): void {
    const members = [...this.memory.membersOf(incident).values()];
    const plan = this.#planOf(incident);
    draft.tellings.push(tellingOf(kind, { incident, members, plan }, options));
  }

  #planOf({ rule }: Incident): Plan {
    return this.#plans.get(rule)!;
  }
}

/** What has been told, with one reminder more. */
function reminded(told: Told, everyMs: number, nowMs: number): Told {
  const reminders = told.reminders + 1;
  const waitMs = nextReminderMs({ everyMs, longestMs: LONGEST_REMINDER_MS }, reminders);
  return { ...told, messages: told.messages + 1, reminders, remindAtMs: nowMs + waitMs };
}

/** What has been told, with the times of a rule that may be another than it was told by. */
function repaced(told: Told, { pacing: { remindEveryMs, escalate } }: Plan, nowMs: number): Told {
  const { remindAtMs = Infinity, reminders, escalated } = told;
  const next = { everyMs: remindEveryMs, longestMs: LONGEST_REMINDER_MS };
  return {
    ...told,
    remindAtMs: remindEveryMs === 0
      ? undefined
      : Math.min(remindAtMs, nowMs + nextReminderMs(next, reminders)),
    escalateAtMs: escalated === true ? undefined : escalate && told.atMs + escalate.afterMs,
  };
}

type News = "opened" | "worse" | "joined";

/** What of an incident has not been told yet. */
function newsOf({ told, rank, joined }: Incident): News | undefined {
  if (told === undefined) return "opened";
  if (rank > told.rank) return "worse";
  return joined > 0 ? "joined" : undefined;
}
