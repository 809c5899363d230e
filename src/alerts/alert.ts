// An alert is what is told about an event that a rule picked. It is plain data: it lies as
// JSON in the outbox, and a later version of superbell must still be able to read it.

import { createHash } from "node:crypto";
import { withoutLineEnd } from "../config/node.ts";
import {
  type ChannelTrouble,
  type Event,
  type Exit,
  happenedAtMs,
  type ProcessName,
  processOf,
  type ProcessState,
  textOf,
} from "../events/event.ts";
import type { IncidentReport } from "../rules/incident.ts";
import type { Severity } from "../rules/pacing.ts";
import type { ConditionWord } from "../rules/rule.ts";
import type { Telling } from "../rules/telling.ts";
import { truncateBytes } from "./truncate.ts";

/** The host that the alert comes from. */
export interface Host {
  readonly name: string;
  /** An IP address, or "" when none was found. */
  readonly address: string;
}

/** The last lines that a process wrote, without control characters and secrets; the oldest first. */
export interface Tail {
  readonly stream: "stderr" | "stdout";
  readonly lines: readonly string[];
  /** The process had been started anew when they were read, so some may be of the new run. */
  readonly isLate?: true;
}

/**
 * That a killed process had used too much memory. "sure": the kernel's log names it. "possible":
 * the kernel has killed `kills` processes of the same control group since `sinceMs`.
 */
export type MemoryKill =
  | { readonly certainty: "sure" }
  | { readonly certainty: "possible"; readonly kills: number; readonly sinceMs: number };

/** How one of several processes ended, and in which state it is, as far as that is known. */
export interface OneOfSeveral {
  readonly process: ProcessName;
  readonly exit?: Exit;
  readonly state?: ProcessState;
}

/** All that a message may say. */
export interface Alert {
  /** The same for every repeat of the same alert, so that a reader can tell a repeat. */
  readonly id: string;
  readonly rule: string;
  readonly word: ConditionWord;
  readonly severity?: Severity;
  readonly eventname: string;
  /**
   * When we read the event: supervisord's events carry no time. A tick's own second. Of what was
   * found afterwards when it happened, unless `foundOnly`.
   */
  readonly atMs: number;
  readonly host: Host;
  /** supervisord's `identifier=`. */
  readonly supervisor: string;
  readonly process?: ProcessName;
  readonly group?: string;
  readonly pid?: number;
  readonly fromState?: string;
  readonly expected?: boolean;
  readonly tries?: number;
  readonly exit?: Exit;
  readonly memory?: MemoryKill;
  /** How long the process had run, in milliseconds. */
  readonly uptimeMs?: number;
  /** How often it was started again in the hour before; there may be more where not `isAll`. */
  readonly restarts?: { readonly count: number; readonly isAll: boolean };
  /** How many starts in a row had failed when supervisord gave up. */
  readonly failedStarts?: number;
  readonly tails?: readonly Tail[];
  /** Of an alert about several processes: what is known of each of them. */
  readonly each?: readonly OneOfSeveral[];
  /** What the alert is part of; mails of one incident make one thread. Absent: of nothing. */
  readonly incident?: IncidentReport;
  /** What a program or a remote caller wrote, at most MAX_TEXT_BYTES of it. */
  readonly text?: string;
  /** The configuration that was refused. */
  readonly file?: string;
  /** The type of a remote communication. */
  readonly type?: string;
  /** How many events supervisord discarded, and what is known of them all the same. */
  readonly gap?: { readonly dropped: number; readonly recovered: number };
  /** The channel that fails; with `downMs` when it works again. */
  readonly trouble?: ChannelTrouble & { readonly downMs?: number };
  /** No event told it: it was found out by comparing afterwards. */
  readonly reconciled?: true;
  /** Of such a one: nothing says when it happened, and `atMs` is when it was found. */
  readonly foundOnly?: true;
  /** Of such a one: events= of the section does not have its type. */
  readonly unsubscribed?: true;
  /** Nor does anything say how it ended: it runs with another process id now. */
  readonly assumed?: true;
  /** Whom it was meant for, and why that channel did not deliver it; another stands in. */
  readonly insteadOf?: { readonly channel: string; readonly reason: string };
}

/** What we keep of a text that an event carries. */
export const MAX_TEXT_BYTES = 8 * 1024;

/** What an alert takes from outside the event. */
export interface AlertContext {
  readonly host: Host;
  readonly atMs: number;
  /** Names one run of one supervisord on one host: its serials are unique only within it. */
  readonly supervisorRun: string;
  /** The event's payload, if a frame brought it: one that is sent again has the same bytes. */
  readonly payload?: Uint8Array;
  /** Takes secrets out of what programs and callers wrote. */
  readonly mask?: (text: string) => string;
}

/** The alert that a telling asks for. The same one always gives the same id. */
export function alertOf(telling: Telling, context: AlertContext): Alert {
  const { rule, word, severity, event, eventAtMs, incident } = telling;
  if (incident === undefined) {
    return { ...alertFor({ rule: { name: rule }, word }, event, context), severity };
  }
  const of = { ...context, atMs: eventAtMs };
  const { payload: _, ...withoutPayload } = of;
  const about = alertFor({ rule: { name: rule }, word }, event, withoutPayload);
  const id = hashOf([incident.id, incident.kind, String(incident.number)]);
  if (incident.kind === "firing") return { ...about, id, severity, incident };
  // What is told later is about the incident, and no more about its last event.
  const { eventname, host, supervisor, process } = about;
  return {
    id,
    rule,
    word,
    severity,
    eventname,
    atMs: context.atMs,
    host,
    supervisor,
    ...(process && { process }),
    incident,
  };
}

/** An id: so short that a person can say it, so long that no two are the same. */
export function hashOf(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12);
}

/** The alert of a rule about an event. The same event always gives the same id. */
export function alertFor(
  decision: { readonly rule: { readonly name: string }; readonly word: ConditionWord },
  event: Event,
  context: AlertContext,
): Alert {
  const { origin } = event;
  const process = processOf(event);
  const text = textOf(event);
  const identity = origin.identity === undefined
    ? [context.supervisorRun, origin.serial, origin.eventname, decision.rule.name]
    : [origin.identity, origin.eventname, decision.rule.name];
  const hash = createHash("sha256").update(identity.join("\n"));
  if (context.payload !== undefined) hash.update(context.payload);
  return {
    id: hash.digest("hex").slice(0, 12),
    rule: decision.rule.name,
    word: decision.word,
    eventname: origin.eventname,
    atMs: event.kind === "tick" ? event.whenMs : happenedAtMs(event, context.atMs),
    host: context.host,
    supervisor: origin.server,
    ...(process && { process }),
    ...("group" in event && { group: event.group }),
    ...("pid" in event && event.pid > 0 && { pid: event.pid }),
    ...("fromState" in event && { fromState: event.fromState }),
    ...("expected" in event && { expected: event.expected }),
    ...("tries" in event && event.tries !== undefined && { tries: event.tries }),
    ...("type" in event && { type: event.type }),
    ...("exit" in event && event.exit !== undefined && { exit: maskedExit(event.exit, context) }),
    ...("isAssumed" in event && { assumed: true }),
    ...(event.kind === "gap" && { gap: { dropped: event.dropped, recovered: event.recovered } }),
    ...("trouble" in event && { trouble: event.trouble }),
    ...("file" in event && { file: event.file }),
    ...(origin.reconciled === true && {
      reconciled: true,
      ...(origin.atMs === undefined && { foundOnly: true }),
      ...(origin.unsubscribed === true && { unsubscribed: true }),
    }),
    // A log event ends with the line's own end, which says nothing.
    ...(text !== undefined && { text: kept(withoutLineEnd(text), context) }),
  };
}

/** supervisord quotes the command in its reason, with all that stands in it. */
export function maskedExit(exit: Exit, { mask }: Pick<AlertContext, "mask">): Exit {
  return mask === undefined || exit.spawnError === undefined
    ? exit
    : { ...exit, spawnError: mask(exit.spawnError) };
}

/** Masked once it is short, for masking takes time; a mask may be longer than what it hides. */
function kept(text: string, { mask }: AlertContext): string {
  const short = truncateBytes(text, MAX_TEXT_BYTES);
  return mask === undefined ? short : truncateBytes(mask(short), MAX_TEXT_BYTES);
}
