// An alert is what is told about an event that a rule picked. It is plain data: it lies as
// JSON in the outbox, and a later version of superbell must still be able to read it.

import { createHash } from "node:crypto";
import { withoutLineEnd } from "../config/node.ts";
import { type Event, type ProcessName, processOf, textOf } from "../events/event.ts";
import type { Decision } from "../rules/decide.ts";
import type { ConditionWord } from "../rules/rule.ts";
import { truncateBytes } from "./truncate.ts";

/** The host that the alert comes from. */
export interface Host {
  readonly name: string;
  /** An IP address, or "" when none was found. */
  readonly address: string;
}

/** How a process ended. The event does not say; it is found out afterwards. */
export interface Exit {
  /** Its exit status, or the signal that killed it ("SIGSEGV"); neither where only a spawn error is known. */
  readonly status?: number;
  readonly signal?: string;
  readonly coreDumped?: boolean;
  /** Why supervisord could not even start it, in its words. */
  readonly spawnError?: string;
  /** "likely": the name fits, but another process may be meant. */
  readonly certainty: "sure" | "likely";
}

/** All that a message may say. */
export interface Alert {
  /** The same for every repeat of the same alert, so that a reader can tell a repeat. */
  readonly id: string;
  readonly rule: string;
  readonly word: ConditionWord;
  readonly eventname: string;
  /** When we read the event: supervisord's events carry no time. A tick's own second. */
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
  /** What a program or a remote caller wrote, at most MAX_TEXT_BYTES of it. */
  readonly text?: string;
  /** The type of a remote communication. */
  readonly type?: string;
}

/** What we keep of a text that an event carries. */
export const MAX_TEXT_BYTES = 8 * 1024;

/** What an alert takes from outside the event. */
export interface AlertContext {
  readonly host: Host;
  readonly atMs: number;
  /** Names one run of one supervisord on one host: its serials are unique only within it. */
  readonly supervisorRun: string;
  /** The event's payload: an event that is sent again has the same bytes. */
  readonly payload: Uint8Array;
}

/** The alert that a decision asks for. The same frame always gives the same id. */
export function alertFor(
  decision: Decision & { readonly verdict: "alert" },
  event: Event,
  context: AlertContext,
): Alert {
  const { origin } = event;
  const process = processOf(event);
  const text = textOf(event);
  const identity = [context.supervisorRun, origin.serial, origin.eventname, decision.rule.name];
  const hash = createHash("sha256").update(identity.join("\n")).update(context.payload);
  return {
    id: hash.digest("hex").slice(0, 12),
    rule: decision.rule.name,
    word: decision.word,
    eventname: origin.eventname,
    atMs: event.kind === "tick" ? event.whenMs : context.atMs,
    host: context.host,
    supervisor: origin.server,
    ...(process && { process }),
    ...("group" in event && { group: event.group }),
    ...("pid" in event && event.pid > 0 && { pid: event.pid }),
    ...("fromState" in event && { fromState: event.fromState }),
    ...("expected" in event && { expected: event.expected }),
    ...("tries" in event && { tries: event.tries }),
    ...("type" in event && { type: event.type }),
    // A log event ends with the line's own end, which says nothing.
    ...(text !== undefined && { text: truncateBytes(withoutLineEnd(text), MAX_TEXT_BYTES) }),
  };
}
