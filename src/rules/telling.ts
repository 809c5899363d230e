// What is to be told: of an event, or of an incident as it stands.

import type { Event } from "../events/event.ts";
import {
  type Cause,
  type Incident,
  type IncidentReport,
  type Member,
  MOST_NAMED,
  type Settling,
  type TellingKind,
} from "./incident.ts";
import type { Severity } from "./pacing.ts";
import type { Plan } from "./plan.ts";
import type { HoldReason } from "./reason.ts";
import type { ConditionWord } from "./rule.ts";

/** What is to be told. */
export interface Telling {
  readonly rule: string;
  /** Names of channels. */
  readonly to: readonly string[];
  readonly severity: Severity;
  readonly word: ConditionWord;
  /** The event that it is about, and when it came. */
  readonly event: Event;
  readonly eventAtMs: number;
  /** Absent: a notice, which is over at once. */
  readonly incident?: IncidentReport;
}

/** Holds that are the rule's own way of telling, and nobody's to wonder about. */
const ORDINARY_HOLDS: readonly HoldReason[] = ["group-wait", "below-after"];

/** A message about an incident, which counts this message already. */
export function tellingOf(
  kind: TellingKind,
  { incident, members, plan }: {
    readonly incident: Incident;
    readonly members: readonly Member[];
    readonly plan: Plan;
  },
  { to, heldBy, newest, nowMs }: {
    /** In place of the rule's own channels. */
    readonly to?: readonly string[];
    readonly heldBy?: HoldReason | undefined;
    /** It is about those who came in later, and this happened to the latest of them. */
    readonly newest?: Cause | undefined;
    readonly nowMs: number;
  },
): Telling {
  const { severity, escalate } = plan.pacing;
  const { told } = incident;
  const escalated = told?.escalated === true ? escalate?.to ?? [] : [];
  const ill = members.filter(({ settled }) => settled === undefined);
  const known = kind === "resolved" ? toldOf(members) : members;
  const shown = kind === "resolved" || ill.length === 0 ? known : ill;
  const settledMs = Math.max(...known.map(({ settled }) => settled?.atMs ?? nowMs));
  const about = newest ?? incident;
  const joined = newest && members.filter((member) => member.joined === true);
  return {
    rule: plan.name,
    to: to ?? [...new Set([...plan.to, ...escalated])],
    severity,
    word: about.word,
    event: about.event,
    eventAtMs: about.eventAtMs,
    incident: {
      id: incident.id,
      kind,
      number: told?.messages ?? 1,
      ...(kind === "reminder" && { reminder: told?.reminders ?? 1 }),
      sinceMs: incident.startedAtMs,
      ...(kind === "resolved" && {
        downMs: Math.max(0, settledMs - incident.startedAtMs),
        settling: settlingOfAll(known),
      }),
      ...(members.some(({ flapping }) => flapping) && { flapping: true }),
      ends: incident.ends,
      by: incident.by,
      key: incident.key,
      processes: shown.slice(0, MOST_NAMED).map(({ process }) => process),
      count: shown.length,
      ...(joined && {
        joined: {
          processes: joined.slice(0, MOST_NAMED).map(({ process }) => process),
          count: joined.length,
          unsettled: incident.unsettled,
        },
      }),
      ...(heldBy !== undefined && !ORDINARY_HOLDS.includes(heldBy) && { heldBy }),
    },
  };
}

/** Those whose end is told: all but who failed and ran again before anything of it was told. */
export function toldOf(members: readonly Member[]): readonly Member[] {
  const told = members.filter(({ rank }) => rank !== 0);
  return told.length > 0 ? told : members;
}

/** How an incident ended: running if any process is, and removed only if all are. */
export function settlingOfAll(members: readonly Member[]): Settling {
  const order: readonly Settling[] = ["running", "exited", "stopped"];
  return order.find((how) => members.some(({ settled }) => settled?.how === how)) ?? "removed";
}
