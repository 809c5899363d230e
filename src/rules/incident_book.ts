// Keeps the incidents and their processes as the events say, without a thought of who is told.

import type { Event, ProcessName } from "../events/event.ts";
import { isFull, lastOf } from "./flapping.ts";
import { HOST_RULE, type HostIncident } from "./host_incident.ts";
import {
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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What comes back within that time after it was told as over must be well for twice as long. */
const RETURN_MS = HOUR_MS;
const LONGEST_WELL_MS = HOUR_MS / 2;

/** A failure of a process, as a rule found it in an event. */
export interface Failure {
  readonly process: ProcessName;
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
    { process, event, seed }: Failure,
    { plan, word, nowMs }: {
      readonly plan: Plan;
      readonly word: ConditionWord;
      readonly nowMs: number;
    },
  ): Incident {
    const { pacing, name: rule } = plan;
    const key = groupingKey(pacing.groupBy, { process });
    const tally = this.#memory.tally(rule, key);
    const after = pacing.after;
    const recentMs = after === undefined
      ? tally.recentMs
      : lastOf(tally.recentMs, nowMs, after.count);
    const isOld = nowMs - tally.untoldAtMs > DAY_MS;
    const untold = (isOld ? 0 : tally.untold) + (isEnd(event) ? 1 : 0);
    this.#memory.putTally({ ...tally, recentMs, untold, untoldAtMs: nowMs });
    const rank = rankOf(word);
    const ready = after === undefined || word === "flapping" || (rank === 3 && !plan.onlyWorst) ||
      isFull(recentMs, after.count, after.withinMs);
    const open = this.#memory.incident(rule, key);
    const ends = word === "flapping"
      ? this.#memory.tally(rule, processKey(process)).ends.atMs.length
      : untold;
    const base: Incident = open ?? {
      id: this.#options.idOf([seed, rule, key].join("\n")),
      rule,
      key,
      by: pacing.groupBy,
      startedAtMs: word === "flapping"
        ? this.#memory.tally(rule, processKey(process)).ends.atMs[0] ?? nowMs
        : nowMs,
      ends,
      rank,
      word,
      event,
      eventAtMs: nowMs,
      members: 0,
      unsettled: 0,
      joined: 0,
      ready,
      gatherUntilMs: nowMs + pacing.groupWaitMs,
      wellUntilMs: 0,
      returns: isWithin(tally.resolvedAtMs, RETURN_MS, nowMs) ? tally.returns + 1 : 0,
    };
    const worst = rank >= base.rank ? { rank, word, event, eventAtMs: nowMs } : {};
    const incident: Incident = { ...base, ...worst, ready: base.ready || ready };
    const known = this.#memory.membersOf(incident).get(processKey(process));
    const flaps = word === "flapping" || known?.flapping === true;
    const member: Member = {
      ...(known ?? memberAfter({ process }, event, nowMs)),
      ...(flaps && { flapping: true }),
    };
    if (known !== undefined) {
      if (known.flapping !== member.flapping) this.#memory.putMember(incident, member);
      return this.#put(incident, plan);
    }
    const joins = incident.told !== undefined && incident.joined === 0;
    const joined: Incident = {
      ...incident,
      // The first one has been counted already.
      ends: open === undefined ? incident.ends : incident.ends + (isEnd(event) ? 1 : 0),
      members: incident.members + 1,
      unsettled: incident.unsettled + (member.settled === undefined ? 1 : 0),
      joined: incident.joined + 1,
      ...(joins && { gatherUntilMs: nowMs + pacing.groupWaitMs }),
    };
    this.#join(joined, member);
    return this.#put(joined, plan);
  }

  #join(incident: Incident, member: Member): void {
    this.#memory.putMember(incident, member);
    this.#options.suppression.add(incident.id, member.process);
  }

  /** Stores the incident with the time until which all must stay well, where all are. */
  #put(incident: Incident, plan: Plan): Incident {
    let stored = incident;
    if (incident.unsettled === 0) {
      let wellUntilMs = 0;
      for (const member of this.#memory.membersOf(incident).values()) {
        const fromMs = Math.max(member.settled?.atMs ?? 0, incident.watchedFromMs ?? 0);
        wellUntilMs = Math.max(wellUntilMs, fromMs + wellMs(plan, incident, member));
      }
      stored = { ...incident, wellUntilMs };
    }
    this.#memory.putIncident(stored);
    return stored;
  }

  /** Brings every incident that the process is in up to date; answers their ids. */
  follow(process: ProcessName, event: Event, nowMs: number): readonly string[] {
    if (stateAfter(event) === undefined) return [];
    this.#memory.failures.follow(process, event, nowMs);
    const ids = this.#memory.incidentsOf(process);
    for (const id of ids) {
      const incident = this.#memory.byId(id)!;
      const member = this.#memory.membersOf(incident).get(processKey(process))!;
      this.#replaceMember(incident, member, memberAfter(member, event, nowMs), isEnd(event));
    }
    return ids;
  }

  #replaceMember(incident: Incident, old: Member, member: Member, ended: boolean): void {
    this.#memory.putMember(incident, member);
    const change = Number(member.settled === undefined) - Number(old.settled === undefined);
    this.#put({
      ...incident,
      ends: incident.ends + (ended ? 1 : 0),
      unsettled: incident.unsettled + change,
    }, this.#options.plans.get(incident.rule)!);
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
      const gone = [...this.#memory.membersOf(incident).values()].filter(({ process, settled }) =>
        settled?.how !== "removed" && isGone(process)
      );
      for (const member of gone) {
        const removed: Member = { ...member, settled: { how: "removed", atMs: nowMs } };
        this.#replaceMember(this.#memory.byId(incident.id)!, member, removed, false);
      }
      if (gone.length > 0) touched.push(incident.id);
    }
    return touched;
  }

  /** Puts right what no event has told; answers the ids of the incidents that changed. */
  compare(standing: ReadonlyMap<string, ProcessStanding>, nowMs: number): string[] {
    return this.#memory.incidents().map(({ id }) => id).filter((id) => {
      let changed = false;
      const { eventAtMs: failedAtMs } = this.#memory.byId(id)!;
      for (const [key, member] of this.#memory.membersOf(this.#memory.byId(id)!)) {
        const now = standing.get(key);
        if (now === undefined) continue;
        const right = memberStanding(member, now, { failedAtMs, nowMs });
        if (right === member) continue;
        this.#replaceMember(this.#memory.byId(id)!, member, right, false);
        changed = true;
      }
      return changed;
    });
  }

  /** Counts who fails; answers the id of the host's incident if the failure belongs to it. */
  countFailure(
    { process, event, seed }: Failure,
    { hostIncident, nowMs }: { readonly hostIncident: HostIncident; readonly nowMs: number },
  ): string | undefined {
    const { withinMs } = hostIncident;
    const count = this.#memory.failures.add(process, event, { nowMs, withinMs });
    const plan = this.#options.plans.get(HOST_RULE)!;
    const open = this.#memory.incident(HOST_RULE, "*");
    if (open !== undefined) {
      if (this.#memory.membersOf(open).has(processKey(process))) return open.id;
      const member = memberAfter({ process }, event, nowMs);
      const grown = {
        ...open,
        ends: open.ends + (isEnd(event) ? 1 : 0),
        members: open.members + 1,
        unsettled: open.unsettled + (member.settled === undefined ? 1 : 0),
      };
      this.#join(grown, member);
      return this.#put(grown, plan).id;
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
