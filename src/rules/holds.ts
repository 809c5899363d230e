// What holds back a message, and until when: silences and windows, what a rule depends on, the
// incident of the whole host, and the rule's own pace.

import { type ProcessName, processOf } from "../events/event.ts";
import { isFull } from "./flapping.ts";
import { HOST_RULE } from "./host_incident.ts";
import { type Incident, isWithin, type Member, pauseMs, processKey } from "./incident.ts";
import type { Hold, Muting, Subject } from "./muting.ts";
import { LONGEST_JOIN_MS } from "./pacing.ts";
import type { Plan } from "./plan.ts";
import { conditionOf, type ConditionWord } from "./rule.ts";
import type { RuleMemory } from "./rule_memory.ts";
import type { Suppression } from "./suppression.ts";
import type { Tally } from "./tally.ts";

/** What of an incident has not been told yet. */
export type News = "opened" | "worse" | "joined";

/** What the holds look at. */
export interface HoldsOptions {
  readonly memory: RuleMemory;
  readonly muting: Muting;
  readonly suppression: Suppression;
}

/** Everything that holds. */
export class Holds {
  readonly #memory: RuleMemory;
  readonly #muting: Muting;
  readonly #suppression: Suppression;

  constructor({ memory, muting, suppression }: HoldsOptions) {
    this.#memory = memory;
    this.#muting = muting;
    this.#suppression = suppression;
  }

  /** What holds a notice of the rule, which has been counted already. */
  ofNotice(
    { name, pacing: { after, quietMs } }: Plan,
    { word, subject, tally, nowMs }: {
      readonly word: ConditionWord;
      readonly subject: Subject;
      readonly tally: Tally;
      readonly nowMs: number;
    },
  ): Hold | undefined {
    if (after !== undefined && !isFull(tally.recentMs, after.count, after.withinMs)) {
      return { reason: "below-after" };
    }
    const { process } = subject;
    if (process !== undefined && this.#isSuppressed(name, () => [process], "")) {
      return { reason: "suppressed" };
    }
    // What superbell says of itself is never silenced: it would be silent about being deaf.
    const muted = conditionOf(word).about === "superbell"
      ? undefined
      : this.#muting.holdOf(subject, nowMs);
    if (muted !== undefined) return muted;
    return isWithin(tally.toldAtMs, quietMs, nowMs) ? { reason: "quiet" } : undefined;
  }

  /** What holds a message about something new. */
  ofNews(
    incident: Incident,
    plan: Plan,
    { news, nowMs }: { readonly news: News; readonly nowMs: number },
  ): Hold | undefined {
    if (news === "opened" && !incident.ready) return { reason: "below-after" };
    const hold = this.#ofOthers(incident, plan) ??
      this.#muting.holdOfAll(this.#concernedBy(incident, news), nowMs);
    if (hold !== undefined) return hold;
    const { held } = incident;
    // What was held and has mended itself meanwhile need not be told any more.
    if (incident.unsettled === 0 && held !== undefined && held !== "group-wait") {
      return { reason: held };
    }
    const { quietMs } = plan.pacing;
    if (news === "opened" && incident.rank < 3 && quietMs > 0) {
      const { toldAtMs } = this.#memory.tally(incident.rule, incident.key);
      if (isWithin(toldAtMs, quietMs, nowMs)) {
        return { reason: "quiet", untilMs: toldAtMs! + quietMs };
      }
    }
    if (news === "worse") return undefined;
    // When all are well again, only that is left to tell.
    if (news === "joined" && incident.unsettled === 0) return { reason: "group-wait" };
    const untilMs = news === "joined" ? this.#joinAtMs(incident, plan) : incident.gatherUntilMs;
    return nowMs < untilMs ? { reason: "group-wait", untilMs } : undefined;
  }

  /** When those who came in later are told: a storm of them must not be a storm of messages. */
  #joinAtMs({ rule, key, told, gatherUntilMs }: Incident, { pacing }: Plan): number {
    const { toldAtMs = 0 } = this.#memory.tally(rule, key);
    const pace = { firstMs: pacing.groupWaitMs, longestMs: LONGEST_JOIN_MS };
    return Math.max(gatherUntilMs, toldAtMs + pauseMs(pace, told?.joins ?? 0));
  }

  /** What holds any message about an incident that is not over. */
  ofAny(incident: Incident, plan: Plan, nowMs: number): Hold | undefined {
    return this.#ofOthers(incident, plan) ??
      this.#muting.holdOfAll(this.#concernedBy(incident, "opened"), nowMs);
  }

  /** What came and went while it was meant to be quiet is not told, though others are down. */
  isUnseen(incident: Incident, news: News, nowMs: number): boolean {
    if (!this.#muting.canMute) return false;
    const members = this.#concernedBy(incident, news);
    return members.every(({ settled }) => settled !== undefined) &&
      this.#muting.holdOfAll(members, nowMs) !== undefined;
  }

  /** Whom it is about: a silence of these holds it, whoever else of the incident is down. */
  #concernedBy(incident: Incident, news: News): readonly Member[] {
    if (!this.#muting.canMute) return [];
    const members = this.#memory.membersOf(incident);
    const all = [...members.values()];
    if (news === "joined") return all.filter(({ joined }) => joined === true);
    if (news === "worse") {
      const process = processOf(incident.event);
      const member = process && members.get(processKey(process));
      if (member !== undefined) return [member];
    }
    const ill = all.filter(({ settled }) => settled === undefined);
    return ill.length > 0 ? ill : all;
  }

  /** The incidents of others that hold this one. */
  #ofOthers(incident: Incident, { name }: Plan): Hold | undefined {
    if (incident.rule !== HOST_RULE && this.#memory.incident(HOST_RULE, "*") !== undefined) {
      return { reason: "host-incident" };
    }
    const members = this.#memory.membersOf(incident);
    const processes = () => Array.from(members.values(), ({ process }) => process);
    if (this.#isSuppressed(name, processes, incident.id)) return { reason: "suppressed" };
    return undefined;
  }

  /** What is meant to be quiet now, of a process whatever rule it is about. */
  ofProcess(process: ProcessName, nowMs: number): Hold | undefined {
    return this.#muting.holdOf({ process }, nowMs);
  }

  /** What is meant to be quiet now, of processes that are told of together. */
  ofProcesses(members: readonly Member[], nowMs: number): Hold | undefined {
    return this.#muting.holdOfAll(members, nowMs);
  }

  /** Whether an incident that the rule depends on is open, and is not itself held so. */
  #isSuppressed(
    rule: string,
    processes: () => readonly ProcessName[],
    self: string,
  ): boolean {
    for (const name of this.#suppression.holdersOf(rule)) {
      const holder = this.#memory.byId(name);
      if (name === self || holder === undefined) continue;
      if (!holder.ready || holder.held === "suppressed") continue;
      return !processes().some((process) => this.#suppression.isNamed(rule, process));
    }
    return false;
  }
}
