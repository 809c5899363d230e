// What `superbell simulate` prints: each event with what every rule made of it, and the messages.

import { formatTime } from "../alerts/compose.ts";
import { truncateChars } from "../alerts/truncate.ts";
import { displayName, type Event, groupOf, processOf, textOf } from "../events/event.ts";
import type { Decision } from "../rules/engine.ts";
import { REASONS } from "../rules/reason.ts";
import type { Happening, SimulatedMessage } from "./simulation.ts";
import { oneLine } from "./table.ts";

const MAX_TEXT_CHARS = 80;

/** The lines of one happening. */
export function describeHappening(
  { atMs, event, decisions, messages, notes }: Happening,
  timeZone: string | undefined,
): string[] {
  const what = event === undefined ? "by time" : describeEvent(event);
  const told = decisions.filter(({ verdict }) => verdict !== "skip");
  const skipped = decisions.filter(({ verdict }) => verdict === "skip");
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  const left = new Set(messages);
  return [
    `${formatTime(atMs, timeZone)}  ${what}`,
    ...told.flatMap((decision) => {
      const own = messages.filter((message) => left.has(message) && isOf(message, decision));
      for (const message of own) left.delete(message);
      return [`  ${describeDecision(decision)}`, ...describeMessages(decision, own)];
    }),
    ...[...byReason].map(([reason, all]) =>
      `  skip   ${oneLine(all.map(({ rule }) => rule).join(", "))}: ${reason}`
    ),
    ...notes.map((note) => `  note   ${oneLine(note)}`),
  ];
}

function isOf({ alert }: SimulatedMessage, { rule, incident }: Decision): boolean {
  return alert.rule === rule && alert.incident?.id === incident;
}

function describeDecision({ rule, verdict, reason, incident }: Decision): string {
  const of = incident === undefined ? "" : ` (incident ${incident})`;
  return `${verdict.padEnd(5)}  ${oneLine(rule)}: ${reason}${of}`;
}

/** Channels that get the same title stand on one line. */
function describeMessages(
  { verdict }: Decision,
  messages: readonly SimulatedMessage[],
): string[] {
  if (verdict !== "alert") return [];
  if (messages.length === 0) return ["         to nobody"];
  return [...Map.groupBy(messages, ({ title }) => title)].map(([title, all]) =>
    `         to ${all.map(({ channel }) => channel).join(", ")}: ${oneLine(title)}`
  );
}

function describeEvent(event: Event): string {
  const process = processOf(event);
  const subject = process === undefined ? groupOf(event) : displayName(process);
  const text = textOf(event);
  const facts = [
    event.kind === "remote_communication" ? event.type : undefined,
    event.kind === "process_exited" ? event.expected ? "expected" : "unexpected" : undefined,
    "tries" in event && event.tries !== undefined ? `tries ${event.tries}` : undefined,
    "pid" in event && event.pid > 0 ? `pid ${event.pid}` : undefined,
    text === undefined ? undefined : JSON.stringify(truncateChars(oneLine(text), MAX_TEXT_CHARS)),
  ].filter((fact) => fact !== undefined);
  const { serial, eventname } = event.origin;
  const about = [subject, eventname].filter((part) => part !== undefined).join("  ");
  return oneLine(about) + (facts.length === 0 ? "" : `  ${oneLine(facts.join(", "))}`) +
    (serial === undefined ? "" : `  #${serial}`);
}

/** What the reasons mean that came up, in the order of the list. */
export function describeReasons(happenings: readonly Happening[]): string[] {
  const seen = new Set(
    happenings.flatMap(({ decisions }) => decisions.map(({ reason }): string => reason)),
  );
  const shown = Object.entries(REASONS).filter(([reason]) => seen.has(reason));
  const width = Math.max(0, ...shown.map(([reason]) => reason.length));
  return shown.map(([reason, meaning]) => `${reason.padEnd(width)}  ${meaning}`);
}

/** A happening for programs; keys may be added. */
export function happeningDocument({ atMs, event, decisions, messages, notes }: Happening) {
  const process = event && processOf(event);
  return {
    at: new Date(atMs).toISOString(),
    event: event === undefined ? null : {
      serial: event.origin.serial ?? null,
      eventname: event.origin.eventname,
      process: process ?? null,
      group: groupOf(event) ?? null,
    },
    decisions: decisions.map(({ rule, verdict, reason, incident }) => ({
      rule,
      verdict,
      reason,
      incident: incident ?? null,
    })),
    messages: messages.map(({ channel, title, alert }) => ({
      channel,
      rule: alert.rule,
      kind: alert.incident?.kind ?? "notice",
      incident: alert.incident?.id ?? null,
      severity: alert.severity ?? null,
      title,
    })),
    notes,
  };
}
