// What goes into the engine of the rules, and what comes out of a step.

import type { Event } from "../events/event.ts";
import type { WithholdReason } from "./decide.ts";
import type { ProcessStanding } from "./incident.ts";
import type { HoldReason, SkipReason, TellReason } from "./reason.ts";
import type { Note, Silence } from "./silence.ts";
import type { Telling } from "./telling.ts";

/** An event of supervisord, or one that we found out. */
export interface EventInput {
  readonly kind: "event";
  readonly event: Event;
  /** What makes this event this one and no other: the same for every repeat. */
  readonly seed: string;
  /** How long the process had been RUNNING when it ended, if that is known. */
  readonly ranMs?: number | undefined;
  /** Why nothing is told about it, whatever the rules say. */
  readonly withhold?: WithholdReason | undefined;
}

/** What happens to the engine. */
export type Input =
  | EventInput
  /** A time that a step asked for has come. */
  | { readonly kind: "time" }
  /** We were started: what we remember is from before. */
  | { readonly kind: "start" }
  /** These rules are others than those that the memory is of. */
  | { readonly kind: "reload" }
  /** How all processes stand, by supervisord's own word; what is not among them is gone. */
  | { readonly kind: "processes"; readonly processes: readonly ProcessStanding[] }
  | {
    readonly kind: "acknowledge";
    readonly incident: string;
    readonly by: string;
    readonly reason: string;
  }
  | { readonly kind: "silence"; readonly silence: Silence }
  | { readonly kind: "unsilence"; readonly id: string }
  /** The clock was set forth by so much, or back if negative. */
  | { readonly kind: "clock_set"; readonly byMs: number };

/** Whether something is told now, and why. */
export type Verdict =
  | { readonly verdict: "alert"; readonly reason: TellReason }
  | { readonly verdict: "hold"; readonly reason: HoldReason };

/** What a rule made of an event, or of the time that passed. */
export type Decision =
  & {
    readonly rule: string;
    /** The incident that it is about, if there is one. */
    readonly incident?: string;
  }
  & (Verdict | { readonly verdict: "skip"; readonly reason: SkipReason });

/** What is collected during a step. */
export interface Draft {
  readonly decisions: Decision[];
  readonly tellings: Telling[];
  readonly notes: Note[];
}

/** What came of a step. What has changed lies in the memory. */
export interface Step {
  /** Of an event one for each rule, in their order; then those that time or others brought. */
  readonly decisions: readonly Decision[];
  readonly tellings: readonly Telling[];
  /** For the log: what became of a silence. */
  readonly notes: readonly Note[];
  /** When the next step is due, if nothing happens before. */
  readonly nextDueAtMs: number | undefined;
}
