// What is told of an incident, now or later: each of its messages, and when to look at it again. It
// is asked whenever something happened to an incident, and when its time has come.

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
import type { Hold } from "./muting.ts";
import { LONGEST_REMINDER_MS } from "./pacing.ts";
import type { Plan } from "./plan.ts";
import type { HoldReason } from "./reason.ts";
import type { RuleMemory } from "./rule_memory.ts";
import type { Draft, Verdict } from "./step.ts";
import type { Suppression } from "./suppression.ts";
import { settlingOfAll, tellingOf } from "./telling.ts";

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
    const incident = this.#memory.byId(id);
    if (incident === undefined) return undefined;
    const plan = this.#plans.get(incident.rule)!;
    if (this.#memory.stopping) {
      return this.#putHeld(incident, { reason: "supervisord-stopping" });
    }
    if (incident.unsettled === 0 && nowMs >= incident.wellUntilMs) {
      return this.#end(incident, plan, nowMs, draft);
    }
    const news = newsOf(incident);
    const hold = news && this.#holds.ofNews(incident, plan, { news, nowMs });
    if (news !== undefined && hold === undefined) {
      const fired = this.#fire(incident, plan, { news, nowMs, draft });
      // What was held may have waited past the time to tell others.
      if (this.#tellMore(fired, plan, nowMs, draft) === undefined) this.#put(fired);
      return { verdict: "alert", reason: news };
    }
    if (news === undefined) {
      const more = this.#tellMore(incident, plan, nowMs, draft);
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

  /** A reminder or an escalation, if one is due. */
  #tellMore(incident: Incident, plan: Plan, nowMs: number, draft: Draft): Verdict | undefined {
    const { told, acknowledged } = incident;
    if (told === undefined || acknowledged !== undefined || incident.unsettled === 0) {
      return undefined;
    }
    const escalates = told.escalateAtMs !== undefined && nowMs >= told.escalateAtMs;
    const reminds = told.remindAtMs !== undefined && nowMs >= told.remindAtMs;
    if (!escalates && !reminds) return undefined;
    const gate = this.#holds.ofAny(incident, plan, nowMs);
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
    this.#put({ ...incident, told: now });
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
      rank: incident.rank,
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
    if (incident.joined > 0) this.#welcome(fired);
    const tally = this.#memory.tally(incident.rule, incident.key);
    this.#memory.putTally({ ...tally, untold: 0, toldAtMs: nowMs });
    return fired;
  }

  /** Those who came in are told, and newcomers no more. */
  #welcome(incident: Incident): void {
    for (const [key, { joined, ...member }] of this.#memory.membersOf(incident)) {
      if (joined === true) this.#memory.putMember(incident, member, key);
    }
  }

  /** All have been well for long enough. */
  #end(incident: Incident, plan: Plan, nowMs: number, draft: Draft): Verdict | undefined {
    const members = [...this.#memory.membersOf(incident).values()];
    const settling = settlingOfAll(members);
    const { told } = incident;
    const isSaid = told !== undefined && settling !== "removed" && plan.pacing.tellsResolved;
    let over = incident;
    if (isSaid) {
      const muted = this.#holds.ofProcesses(members, nowMs);
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
    // While something new is held, nothing old is repeated.
    else if (told !== undefined && acknowledged === undefined && hold === undefined) {
      dueAtMs = Math.min(told.remindAtMs ?? Infinity, told.escalateAtMs ?? Infinity);
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

/** What of an incident has not been told yet. */
function newsOf({ told, rank, joined }: Incident): News | undefined {
  if (told === undefined) return "opened";
  if (rank > told.rank) return "worse";
  return joined > 0 ? "joined" : undefined;
}
