// What is told of an incident, now or later: each of its messages, and when to look at it again. It
// is asked whenever something happened to an incident, and when its time has come.

import { processOf } from "../events/event.ts";
import { NO_ENDS } from "./flapping.ts";
import { HOST_RULE } from "./host_incident.ts";
import type { Holds, News } from "./holds.ts";
import {
  type Cause,
  type Closing,
  type Incident,
  pauseMs,
  processKey,
  type TellingKind,
  type Told,
} from "./incident.ts";
import { type Hold, isMuted } from "./muting.ts";
import { LONGEST_REMINDER_MS } from "./pacing.ts";
import type { Plan } from "./plan.ts";
import type { HoldReason } from "./reason.ts";
import type { RuleMemory } from "./rule_memory.ts";
import type { Draft, Verdict } from "./step.ts";
import type { Suppression } from "./suppression.ts";
import { settlingOfAll, tellingOf, toldOf } from "./telling.ts";

/** What the teller works with. */
export interface TellerOptions {
  readonly memory: RuleMemory;
  readonly plans: ReadonlyMap<string, Plan>;
  readonly holds: Holds;
  readonly suppression: Suppression;
}

/** Who tells of the incidents in the memory. */
export class IncidentTeller {
  readonly #memory: RuleMemory;
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #holds: Holds;
  readonly #suppression: Suppression;

  constructor({ memory, plans, holds, suppression }: TellerOptions) {
    this.#memory = memory;
    this.#plans = plans;
    this.#holds = holds;
    this.#suppression = suppression;
  }

  /** Looks at an incident that no rule has just found a failure for. */
  considerLater(id: string, nowMs: number, draft: Draft): void {
    const before = this.#memory.byId(id);
    // One whose rule is gone is about to be closed.
    if (before === undefined || !this.#plans.has(before.rule)) return;
    const said = this.consider(id, nowMs, draft);
    if (said === undefined) return;
    // That it is held is said once, and only where something waits to be told.
    const after = this.#memory.byId(id);
    if (said.verdict === "hold" && (after?.held === undefined || after.held === before.held)) {
      return;
    }
    draft.decisions.push({ rule: before.rule, incident: before.id, ...said });
  }

  /** Tells what is to be told of an incident now, and notes when to look at it again. */
  consider(id: string, nowMs: number, draft: Draft): Verdict | undefined {
    const before = this.#memory.byId(id);
    if (before === undefined) return undefined;
    const plan = this.#plans.get(before.rule)!;
    if (this.#memory.stopping) {
      return this.#putHeld(before, { reason: "supervisord-stopping" });
    }
    if (before.unsettled === 0 && nowMs >= before.wellUntilMs) {
      return this.#end(before, plan, nowMs, draft);
    }
    const incident = this.#withoutUnseen(before, nowMs);
    let hold: Hold | undefined;
    for (const news of newsOf(incident)) {
      const own = this.#holds.ofNews(incident, plan, { news, nowMs });
      if (own !== undefined) {
        hold = earlier(hold, own);
        continue;
      }
      // What holds the one is no word about the other.
      const told = hold === undefined ? incident : { ...incident, held: undefined };
      const fired = this.#fire(told, plan, { news, nowMs, draft });
      // What was held may have waited past the time to tell others.
      const more = this.#tellMore(fired, plan, { hold, nowMs, draft });
      if (more === undefined) this.#put(fired, hold);
      return { verdict: "alert", reason: news };
    }
    // A silence of some is none of the others that are down.
    if (hold === undefined || isMuted(hold)) {
      const more = this.#tellMore(incident, plan, { hold, nowMs, draft });
      if (more !== undefined) return more;
    }
    this.#put(incident, hold);
    if (hold !== undefined) return { verdict: "hold", reason: hold.reason };
    if (incident.acknowledged !== undefined) return { verdict: "hold", reason: "acknowledged" };
    return {
      verdict: "hold",
      reason: incident.word === "flapping" ? "flapping" : "already-told",
    };
  }

  /** Forgets what came and went while it was meant to be quiet; the next time it is news again. */
  #withoutUnseen(incident: Incident, nowMs: number): Incident {
    const { told } = incident;
    let seen = incident;
    for (const news of newsOf(incident)) {
      if (told === undefined || !this.#holds.isUnseen(incident, news, nowMs)) continue;
      if (news === "worse") {
        seen = { ...seen, rank: told.rank };
        for (const [key, member] of this.#memory.membersOf(incident)) {
          if ((member.rank ?? 0) <= told.rank) continue;
          this.#memory.putMember(incident, { ...member, rank: told.rank }, key);
        }
      } else {
        seen = { ...seen, joined: 0, newest: undefined };
        for (const [key, { joined, toldRank, ...member }] of this.#memory.membersOf(incident)) {
          if (joined !== true) continue;
          this.#memory.putMember(incident, { ...member, rank: toldRank ?? 0 }, key);
        }
      }
    }
    return seen;
  }

  /** A reminder or an escalation, if one is due; `hold` is of what is new. */
  #tellMore(
    incident: Incident,
    plan: Plan,
    { hold, nowMs, draft }: {
      readonly hold: Hold | undefined;
      readonly nowMs: number;
      readonly draft: Draft;
    },
  ): Verdict | undefined {
    const { told, acknowledged } = incident;
    if (told === undefined || acknowledged !== undefined || incident.unsettled === 0) {
      return undefined;
    }
    const escalates = told.escalateAtMs !== undefined && nowMs >= told.escalateAtMs;
    const reminds = told.remindAtMs !== undefined && nowMs >= told.remindAtMs;
    if (!escalates && !reminds) return undefined;
    const gate = this.#holds.ofAny(incident, plan, nowMs);
    if (gate !== undefined) return this.#putHeld(incident, earlier(gate, hold));
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
    this.#put({ ...incident, told: now }, hold);
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
    const joins = (before?.joins ?? 0) + (news === "joined" ? 1 : 0);
    const told: Told = {
      atMs: before?.atMs ?? nowMs,
      rank: before !== undefined && news === "joined" && !this.#isNewcomers(incident)
        ? before.rank
        : incident.rank,
      messages: (before?.messages ?? 0) + 1,
      reminders: before?.reminders ?? 0,
      ...(joins > 0 && { joins }),
      remindAtMs: remindEveryMs > 0 ? nowMs + remindEveryMs : undefined,
      escalateAtMs: before === undefined
        ? escalate && nowMs + escalate.afterMs
        : before.escalateAtMs,
      ...(before?.escalated && { escalated: true }),
    };
    const fired: Incident = {
      ...incident,
      told,
      held: undefined,
      joined: 0,
      newest: undefined,
      // Who looks after a crash may not know yet that supervisord gave up.
      acknowledged: news === "worse" ? undefined : incident.acknowledged,
    };
    const { newest, held } = incident;
    this.#tell("firing", fired, {
      heldBy: held,
      ...(news === "joined" && { newest }),
      nowMs,
      draft,
    });
    if (incident.joined > 0 || news === "opened") this.#welcome(fired, news);
    const tally = this.#memory.tally(incident.rule, incident.key);
    this.#memory.putTally({ ...tally, untold: 0, toldAtMs: nowMs });
    return fired;
  }

  /** Whether the worst that happened, happened to one who came in. */
  #isNewcomers(incident: Incident): boolean {
    const process = processOf(incident.event);
    return process !== undefined &&
      this.#memory.membersOf(incident).get(processKey(process))?.joined === true;
  }

  /** Those who came in are told, and newcomers no more; who is well was not named with the ill. */
  #welcome(incident: Incident, news: News): void {
    const namesAll = news === "joined" || incident.unsettled === 0;
    for (const [key, member] of this.#memory.membersOf(incident)) {
      const { joined, toldRank, ...welcomed } = member;
      const isNamed = namesAll || member.settled === undefined;
      if (joined !== true && (isNamed || news !== "opened")) continue;
      const rank = isNamed ? {} : { rank: toldRank ?? 0 } as const;
      this.#memory.putMember(incident, { ...welcomed, ...rank }, key);
    }
  }

  /** All have been well for long enough. */
  #end(incident: Incident, plan: Plan, nowMs: number, draft: Draft): Verdict | undefined {
    const members = [...this.#memory.membersOf(incident).values()];
    const known = toldOf(members);
    const settling = settlingOfAll(known);
    const { told } = incident;
    const isSaid = told !== undefined && settling !== "removed" && plan.pacing.tellsResolved;
    let over = incident;
    if (isSaid) {
      const muted = this.#holds.ofProcesses(known, nowMs);
      if (muted !== undefined) return this.#putHeld(incident, muted);
      over = { ...incident, told: { ...told, messages: told.messages + 1 } };
      this.#tell("resolved", over, { nowMs, draft });
    }
    const closing = told === undefined && settling !== "removed" ? "untold" : settling;
    const tally = this.#memory.tally(incident.rule, incident.key);
    if (told !== undefined) {
      this.#memory.putTally({
        ...tally,
        untold: 0,
        ...(settling !== "removed" && { resolvedAtMs: nowMs, returns: incident.returns }),
      });
    } else if (incident.held === "silenced" || incident.held === "maintenance") {
      // What was meant to happen unseen is not counted in the next message either.
      this.#memory.putTally({ ...tally, untold: 0 });
    }
    for (const { process, flapping } of members) {
      if (flapping !== true) continue;
      const counted = this.#memory.tally(incident.rule, processKey(process));
      this.#memory.putTally({ ...counted, ends: NO_ENDS });
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
    this.#memory.close({ incident, atMs: nowMs, closing });
    const rules = this.#suppression.remove(incident.id);
    const isHost = incident.rule === HOST_RULE;
    if (rules.length === 0 && !isHost) return;
    this.release(
      ({ rule, held }) =>
        (held === "suppressed" && rules.includes(rule)) || (held === "host-incident" && isHost),
      nowMs,
      draft,
    );
  }

  /** Looks again at the incidents that something has held until now. */
  release(isHeld: (incident: Incident) => boolean, nowMs: number, draft: Draft): void {
    for (const incident of this.#memory.incidents()) {
      if (isHeld(incident)) this.considerLater(incident.id, nowMs, draft);
    }
  }

  /** Notes that something is held, and that only the end of that changes it. */
  #putHeld(incident: Incident, hold: Hold): Verdict {
    this.#putWith(incident, hold.reason, hold.untilMs);
    return { verdict: "hold", reason: hold.reason };
  }

  /** Notes when to look again: at the end of a hold, of the time to be well, for a reminder. */
  #put(incident: Incident, hold?: Hold): void {
    const { told, unsettled, acknowledged, wellUntilMs } = incident;
    let dueAtMs = hold?.untilMs ?? Infinity;
    if (unsettled === 0) dueAtMs = Math.min(dueAtMs, wellUntilMs);
    // While something new is held, nothing old is repeated, unless it is held for some only.
    else if (
      told !== undefined && acknowledged === undefined && (hold === undefined || isMuted(hold))
    ) {
      dueAtMs = Math.min(dueAtMs, told.remindAtMs ?? Infinity, told.escalateAtMs ?? Infinity);
    }
    this.#putWith(incident, hold?.reason, dueAtMs === Infinity ? undefined : dueAtMs);
  }

  #putWith(incident: Incident, held: HoldReason | undefined, dueAtMs: number | undefined): void {
    const isSame = incident.held === held && incident.dueAtMs === dueAtMs &&
      this.#memory.byId(incident.id) === incident;
    if (!isSame) this.#memory.putIncident({ ...incident, held, dueAtMs });
  }

  #tell(
    kind: TellingKind,
    incident: Incident,
    { draft, ...options }: {
      readonly to?: readonly string[];
      readonly heldBy?: HoldReason | undefined;
      readonly newest?: Cause | undefined;
      readonly nowMs: number;
      readonly draft: Draft;
    },
  ): void {
    const members = [...this.#memory.membersOf(incident).values()];
    const plan = this.#plans.get(incident.rule)!;
    draft.tellings.push(tellingOf(kind, { incident, members, plan }, options));
  }
}

/** What has been told, with one reminder more. */
function reminded(told: Told, everyMs: number, nowMs: number): Told {
  const reminders = told.reminders + 1;
  const waitMs = pauseMs({ firstMs: everyMs, longestMs: LONGEST_REMINDER_MS }, reminders);
  return { ...told, messages: told.messages + 1, reminders, remindAtMs: nowMs + waitMs };
}

/** What has been told, with the times of a rule that may be another than it was told by. */
export function repaced(
  told: Told,
  { pacing: { remindEveryMs, escalate } }: Plan,
  nowMs: number,
): Told {
  const { remindAtMs = Infinity, reminders, escalated } = told;
  const pace = { firstMs: remindEveryMs, longestMs: LONGEST_REMINDER_MS };
  return {
    ...told,
    remindAtMs: remindEveryMs === 0
      ? undefined
      : Math.min(remindAtMs, nowMs + pauseMs(pace, reminders)),
    escalateAtMs: escalated === true ? undefined : escalate && told.atMs + escalate.afterMs,
  };
}

/** What of an incident has not been told yet; the worst first. */
function newsOf({ told, rank, joined }: Incident): readonly News[] {
  if (told === undefined) return ["opened"];
  return [...rank > told.rank ? ["worse"] as const : [], ...joined > 0 ? ["joined"] as const : []];
}

/** The first of two, until the earlier end of both. */
function earlier(hold: Hold, other: Hold | undefined): Hold;
function earlier(hold: Hold | undefined, other: Hold): Hold;
function earlier(hold: Hold | undefined, other: Hold | undefined): Hold | undefined {
  if (hold === undefined || other === undefined) return hold ?? other;
  const untilMs = Math.min(hold.untilMs ?? Infinity, other.untilMs ?? Infinity);
  return untilMs === Infinity ? hold : { ...hold, untilMs };
}
