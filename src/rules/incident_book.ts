// Keeps the incidents and their processes as the events say, without a thought of who is told.

import { type Event, happenedAtMs, type ProcessName } from "../events/event.ts";
import { isFull, lastOf } from "./flapping.ts";
import { HOST_RULE, type HostIncident } from "./host_incident.ts";
import {
  type Cause,
  groupingKey,
  type Incident,
  isEnd,
  isWithin,
  type Member,
  memberAfter,
  memberStanding,
  processKey,
  type ProcessStanding,
  rankOf,
  stateAfter,
} from "./incident.ts";
import type { Plan } from "./plan.ts";
import type { ConditionWord } from "./rule.ts";
import type { RuleMemory } from "./rule_memory.ts";
import type { Suppression } from "./suppression.ts";
import type { Tally } from "./tally.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What comes back within that time after it was told as over must be well for twice as long. */
const RETURN_MS = HOUR_MS;
const LONGEST_WELL_MS = HOUR_MS / 2;

/** A failure of a process, as a rule found it in an event. */
export interface Failure {
  readonly process: ProcessName;
  /** The process's processKey(). */
  readonly key: string;
  readonly event: Event;
  /** What makes the event this one and no other. */
  readonly seed: string;
}

/** What the book works with. */
export interface BookOptions {
  readonly memory: RuleMemory;
  readonly plans: ReadonlyMap<string, Plan>;
  readonly suppression: Suppression;
  readonly idOf: (seed: string) => string;
}

/** The incidents in the memory, and who belongs to each. */
export class IncidentBook {
  readonly #options: BookOptions;
  readonly #memory: RuleMemory;

  constructor(options: BookOptions) {
    this.#options = options;
    this.#memory = options.memory;
  }

  /** Puts a failure into the incident that it belongs to; opens one if there is none. */
  add(
    failure: Failure,
    { plan, word, nowMs }: {
      readonly plan: Plan;
      readonly word: ConditionWord;
      readonly nowMs: number;
    },
  ): Incident {
    const { pacing: { groupBy, after }, name: rule } = plan;
    const key = groupBy === "process" ? failure.key : groupingKey(groupBy, failure);
    const before = this.#memory.tally(rule, key);
    const recentMs = after === undefined
      ? before.recentMs
      : lastOf(before.recentMs, nowMs, after.count);
    const isOld = nowMs - before.untoldAtMs > DAY_MS;
    const untold = (isOld ? 0 : before.untold) + (isEnd(failure.event) ? 1 : 0);
    const tally = { ...before, recentMs, untold, untoldAtMs: nowMs };
    this.#memory.putTally(tally);
    const isReady = after === undefined || word === "flapping" ||
      (rankOf(word) === 3 && !plan.onlyWorst) || isFull(recentMs, after.count, after.withinMs);
    const open = this.#memory.incident(rule, key);
    return open === undefined
      ? this.#begin(failure, { plan, word, tally, isReady, nowMs })
      : this.#extend(open, failure, { plan, word, isReady, nowMs });
  }

  #begin(
    { process, key: name, event, seed }: Failure,
    { plan, word, tally, isReady, nowMs }: {
      readonly plan: Plan;
      readonly word: ConditionWord;
      readonly tally: Tally;
      readonly isReady: boolean;
      readonly nowMs: number;
    },
  ): Incident {
    const { name: rule, pacing } = plan;
    const { key } = tally;
    const flaps = word === "flapping";
    const counted = flaps ? this.#memory.tally(rule, name).ends.atMs : undefined;
    const atMs = happenedAtMs(event, nowMs);
    const fresh = memberAfter({ process }, event, atMs);
    const member: Member = { ...fresh, ...(flaps && { flapping: true }), rank: rankOf(word) };
    const incident: Incident = {
      id: this.#options.idOf([seed, rule, key].join("\n")),
      rule,
      key,
      by: pacing.groupBy,
      startedAtMs: Math.min(counted?.[0] ?? nowMs, atMs),
      ends: counted?.length ?? tally.untold,
      rank: rankOf(word),
      word,
      event,
      eventAtMs: nowMs,
      members: 1,
      unsettled: member.settled === undefined ? 1 : 0,
      joined: 1,
      ready: isReady,
      gatherUntilMs: nowMs + pacing.groupWaitMs,
      wellUntilMs: 0,
      returns: isWithin(tally.resolvedAtMs, RETURN_MS, nowMs) ? tally.returns + 1 : 0,
    };
    this.#join(incident, member, name);
    return this.#put(incident, plan);
  }

  #extend(
    open: Incident,
    { process, key, event }: Failure,
    { plan, word, isReady, nowMs }: {
      readonly plan: Plan;
      readonly word: ConditionWord;
      readonly isReady: boolean;
      readonly nowMs: number;
    },
  ): Incident {
    const rank = rankOf(word);
    const worst = rank >= open.rank ? { rank, word, event, eventAtMs: nowMs } : undefined;
    const ready = open.ready || isReady;
    const known = this.#memory.membersOf(open).get(key);
    const cause: Cause = { word, event, eventAtMs: nowMs };
    const now: Incident = { ...open, ...worst, ready };
    if (known === undefined) return this.#grow(now, { process, key }, { plan, cause });
    // What makes the whole worse is told as that.
    const isWorse = worst !== undefined && open.told !== undefined && rank > open.told.rank;
    return this.#failAgain(now, { key, member: known }, { plan, cause, isWorse });
  }

  /** Who fails worse than has been told of it is news again, though others failed so before. */
  #failAgain(
    open: Incident,
    { key, member }: { readonly key: string; readonly member: Member },
    { plan, cause, isWorse }: {
      readonly plan: Plan;
      readonly cause: Cause;
      readonly isWorse: boolean;
    },
  ): Incident {
    const rank = rankOf(cause.word);
    const before = member.rank ?? 1;
    const flaps = cause.word === "flapping" && member.flapping !== true;
    const isNew = rank > before && open.told !== undefined && !isWorse && member.joined !== true;
    if (flaps || rank > before) {
      this.#memory.putMember(open, {
        ...member,
        ...(flaps && { flapping: true }),
        ...(isNew && { joined: true }),
        ...(isNew && before !== 0 && { toldRank: before }),
        ...(rank > before && { rank }),
      }, key);
    }
    const isNewest = isNew || (member.joined === true && rank >= before);
    return this.#put({
      ...open,
      ...(isNew && { joined: open.joined + 1 }),
      ...(isNewest && { newest: cause }),
      ...(isNew && open.joined === 0 && {
        gatherUntilMs: cause.eventAtMs + plan.pacing.groupWaitMs,
      }),
    }, plan);
  }

  /** Puts another process into an incident. */
  #grow(
    open: Incident,
    { process, key }: Pick<Failure, "process" | "key">,
    { plan, cause }: { readonly plan: Plan; readonly cause: Cause },
  ): Incident {
    const { word, event, eventAtMs } = cause;
    const isTold = open.told !== undefined;
    const member: Member = {
      ...memberAfter({ process }, event, eventAtMs),
      ...(word === "flapping" && { flapping: true }),
      ...(isTold && { joined: true }),
      rank: rankOf(word),
    };
    const isFirst = isTold && open.joined === 0;
    const grown: Incident = {
      ...open,
      ends: open.ends + (isEnd(event) ? 1 : 0),
      members: open.members + 1,
      unsettled: open.unsettled + (member.settled === undefined ? 1 : 0),
      joined: open.joined + 1,
      ...(isTold && { newest: cause }),
      ...(isFirst && { gatherUntilMs: eventAtMs + plan.pacing.groupWaitMs }),
    };
    this.#join(grown, member, key);
    return this.#put(grown, plan);
  }

  #join(incident: Incident, member: Member, key?: string): void {
    this.#memory.putMember(incident, member, key);
    this.#options.suppression.add(incident.id, member.process);
  }

  /** Stores the incident with the time until which all must stay well, where all are. */
  #put(incident: Incident, plan: Plan): Incident {
    const stored = incident.unsettled === 0
      ? { ...incident, wellUntilMs: this.#wellUntilMs(incident, plan) }
      : incident;
    this.#memory.putIncident(stored);
    return stored;
  }

  #wellUntilMs(incident: Incident, plan: Plan): number {
    let wellUntilMs = 0;
    for (const member of this.#memory.membersOf(incident).values()) {
      const fromMs = Math.max(member.settled?.atMs ?? 0, incident.watchedFromMs ?? 0);
      wellUntilMs = Math.max(wellUntilMs, fromMs + wellMs(plan, incident, member));
    }
    return wellUntilMs;
  }

  /** Brings every incident that the process is in up to date; answers their ids. */
  follow(process: ProcessName, event: Event, nowMs: number): readonly string[] {
    if (stateAfter(event) === undefined) return [];
    const key = processKey(process);
    this.#memory.failures.follow(key, event, nowMs);
    const atMs = happenedAtMs(event, nowMs);
    const ids = this.#memory.incidentsOf(process, key);
    for (const id of ids) {
      const incident = this.#memory.byId(id)!;
      const member = this.#memory.membersOf(incident).get(key)!;
      const after = memberAfter(member, event, atMs);
      const fails = after.settled === undefined;
      const known = fails ? this.#whenItRan(incident, atMs) : incident;
      const now = fails ? this.#afterItRan(after, { member, incident, nowMs: atMs }) : after;
      this.#replaceMember(known, { key, member, now, ended: isEnd(event) });
    }
    return ids;
  }

  /**
   * The incident, whose processes may have run for so long that it would be over if they did not
   * flap. A FATAL that was told is none of what fails now: another one is news, also to those who
   * know that somebody looks after the first.
   */
  #whenItRan(incident: Incident, nowMs: number): Incident {
    const { told, unsettled } = incident;
    if (unsettled > 0 || told === undefined || told.rank < 3) return incident;
    const { resolveAfterMs } = this.#options.plans.get(incident.rule)!.pacing;
    const members = [...this.#memory.membersOf(incident).values()];
    const allWellAtMs = Math.max(...members.map(({ settled }) => settled?.atMs ?? nowMs));
    return nowMs - allWellAtMs < resolveAfterMs
      ? incident
      : { ...incident, rank: 1, told: { ...told, rank: 2 } };
  }

  /** The same of one process, while others of the incident are down. */
  #afterItRan(
    after: Member,
    { member: { settled, rank, joined }, incident, nowMs }: {
      readonly member: Member;
      readonly incident: Incident;
      readonly nowMs: number;
    },
  ): Member {
    if (settled === undefined || rank !== 3 || joined === true) return after;
    const { resolveAfterMs } = this.#options.plans.get(incident.rule)!.pacing;
    return nowMs - settled.atMs < resolveAfterMs ? after : { ...after, rank: 2 };
  }

  #replaceMember(
    incident: Incident,
    { key, member, now, ended }: {
      readonly key: string;
      readonly member: Member;
      readonly now: Member;
      readonly ended: boolean;
    },
  ): void {
    this.#memory.putMember(incident, now, key);
    const unsettled = incident.unsettled + Number(now.settled === undefined) -
      Number(member.settled === undefined);
    // A start that goes on changes the process, and nothing of the incident.
    if (!ended && unsettled === incident.unsettled && unsettled > 0) return;
    const ends = incident.ends + (ended ? 1 : 0);
    const plan = this.#options.plans.get(incident.rule)!;
    const wellUntilMs = unsettled === 0 ? this.#wellUntilMs(incident, plan) : incident.wellUntilMs;
    this.#memory.putIncident({ ...incident, ends, unsettled, wellUntilMs });
  }

  /** The group's processes are gone, unless they come back soon: `update` removes and adds. */
  removeGroup(group: string, nowMs: number): string[] {
    this.#memory.forgetTallies(({ key }) => key.startsWith(`${group}:`));
    return this.remove((process) => process.group === group, nowMs);
  }

  /** Marks the processes as gone; answers the ids of their incidents. */
  remove(isGone: (name: ProcessName) => boolean, nowMs: number): string[] {
    const touched: string[] = [];
    for (const incident of this.#memory.incidents()) {
      const gone = [...this.#memory.membersOf(incident)].filter(([, { process, settled }]) =>
        settled?.how !== "removed" && isGone(process)
      );
      for (const [key, member] of gone) {
        const now: Member = { ...member, settled: { how: "removed", atMs: nowMs } };
        this.#replaceMember(this.#memory.byId(incident.id)!, { key, member, now, ended: false });
      }
      if (gone.length > 0) touched.push(incident.id);
    }
    return touched;
  }

  /** Puts right what no event has told; answers the ids of the incidents that changed. */
  compare(standing: ReadonlyMap<string, ProcessStanding>, nowMs: number): string[] {
    return this.#memory.incidents().map(({ id }) => id).filter((id) => {
      let changed = false;
      const { event, eventAtMs } = this.#memory.byId(id)!;
      const failedAtMs = happenedAtMs(event, eventAtMs);
      for (const [key, member] of this.#memory.membersOf(this.#memory.byId(id)!)) {
        const standingNow = standing.get(key);
        if (standingNow === undefined) continue;
        const now = memberStanding(member, standingNow, { failedAtMs, nowMs });
        if (now === member) continue;
        this.#replaceMember(this.#memory.byId(id)!, { key, member, now, ended: false });
        changed = true;
      }
      return changed;
    });
  }

  /** Counts who fails; answers the id of the host's incident if the failure belongs to it. */
  countFailure(
    { process, key, event, seed }: Failure,
    { hostIncident, nowMs }: { readonly hostIncident: HostIncident; readonly nowMs: number },
  ): string | undefined {
    const { withinMs } = hostIncident;
    const count = this.#memory.failures.add(process, event, { nowMs, withinMs });
    const plan = this.#options.plans.get(HOST_RULE)!;
    const open = this.#memory.incident(HOST_RULE, "*");
    if (open !== undefined) {
      const cause: Cause = { word: wordOfHost(event), event, eventAtMs: nowMs };
      const known = this.#memory.membersOf(open).get(key);
      if (known !== undefined) {
        // How bad it is for one of so many is in its message only while that is not told yet.
        if (known.joined === true || known.rank === 0) {
          this.#failAgain(open, { key, member: known }, { plan, cause, isWorse: false });
        }
        return open.id;
      }
      return this.#grow(open, { process, key }, { plan, cause }).id;
    }
    if (count < hostIncident.processes) return undefined;
    const failures = this.#memory.failures.all();
    const members = failures.map(({ member }) => member);
    const incident: Incident = {
      id: this.#options.idOf([seed, HOST_RULE].join("\n")),
      rule: HOST_RULE,
      key: "*",
      by: "host",
      startedAtMs: failures[0]?.atMs ?? nowMs,
      ends: members.length,
      rank: 3,
      word: wordOfHost(event),
      event,
      eventAtMs: nowMs,
      members: members.length,
      unsettled: members.filter(({ settled }) => settled === undefined).length,
      joined: 0,
      ready: true,
      gatherUntilMs: nowMs,
      wellUntilMs: 0,
      returns: 0,
    };
    for (const member of members) this.#join(incident, member);
    return this.#put(incident, plan).id;
  }

  /** Nobody watched while we were away: who is well must stay so from now on. */
  watchFrom(incident: Incident, plan: Plan, nowMs: number): Incident {
    return this.#put({ ...incident, watchedFromMs: nowMs }, plan);
  }
}

/** How long a process must be well. */
function wellMs({ pacing }: Plan, { returns }: Incident, { settled, flapping }: Member): number {
  const { resolveAfterMs } = pacing;
  if (settled?.how === "stopped" || settled?.how === "removed") return resolveAfterMs;
  if (flapping === true) return pacing.flapping.stableAfterMs;
  return Math.min(resolveAfterMs * 2 ** returns, Math.max(resolveAfterMs, LONGEST_WELL_MS));
}

function wordOfHost(event: Event): ConditionWord {
  switch (event.kind) {
    case "process_fatal":
      return "fatal";
    case "process_backoff":
      return "start_failed";
    case "process_unknown":
      return "state_unknown";
    default:
      return "crash";
  }
}
