// What is known of the silences: those in force with what they hold, and those that wait for a
// listener to take them.

import { formatTime } from "../alerts/compose.ts";
import { formatRoughly } from "../config/duration.ts";
import { displayName, type ProcessName } from "../events/event.ts";
import type { Connection } from "../outbox/connection.ts";
import { RequestStore } from "../outbox/request_store.ts";
import { processesOf, StoredIncidents } from "../outbox/stored_incidents.ts";
import { parseRequest } from "../rules/request.ts";
import { isAbout, type Silence } from "../rules/silence.ts";
import { oneLine } from "./table.ts";
import type { Here } from "./when.ts";

/** A silence and what it holds now. */
export interface SeenSilence extends Silence {
  /** It was asked for, and no listener has taken it yet. */
  readonly isAsked: boolean;
  readonly holds: readonly {
    readonly incident: string;
    readonly rule: string;
    readonly processes: readonly ProcessName[];
  }[];
}

/** A line names so many held processes. */
const MOST_NAMED = 5;

/** The silences, the one that ends first first; those that are only asked for at the end. */
export function readSilences(outbox: Connection, nowMs: number): SeenSilence[] {
  const stored = new StoredIncidents(outbox);
  const silences = stored.silences(nowMs);
  const held = silences.length === 0
    ? []
    : stored.open().filter(({ incident }) => incident.held === "silenced");
  const asked = new Map<string, Silence>();
  const ended = new Set<string>();
  for (const { text } of new RequestStore(outbox).waiting()) {
    const request = parseRequest(text, nowMs);
    if ("why" in request) continue;
    if (request.kind === "silence") asked.set(request.silence.id, request.silence);
    if (request.kind === "unsilence") ended.add(request.id);
  }
  return [
    ...silences.map((silence): SeenSilence => ({
      ...silence,
      isAsked: false,
      holds: held.flatMap((one) => {
        const processes = processesOf(one).filter((process) => isAbout(silence, { process }));
        const { id: incident, rule } = one.incident;
        return processes.length === 0 ? [] : [{ incident, rule, processes }];
      }),
    })),
    ...[...asked.values()].map((silence): SeenSilence => ({
      ...silence,
      isAsked: true,
      holds: [],
    })),
  ].filter(({ id }) => !ended.has(id));
}

/** The silence as the cells of a row. */
export function silenceCells(silence: SeenSilence, { nowMs, timeZone }: Here): string[] {
  const { id, patterns, untilMs, by, reason, isAsked, holds } = silence;
  const left = formatRoughly(Math.max(0, untilMs - nowMs));
  return [
    id,
    oneLine(patterns.join(" ")),
    `until ${formatTime(untilMs, timeZone)} (${left} left)`,
    oneLine(reason === "" ? `by ${by}` : `by ${by}: ${reason}`),
    isAsked ? "waits for a listener to start" : describeHolds(holds),
  ];
}

function describeHolds(holds: SeenSilence["holds"]): string {
  if (holds.length === 0) return "holds nothing now";
  const names = holds.flatMap(({ rule, processes }) =>
    processes.map((process) => `${displayName(process)} (${rule})`)
  );
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "";
  return oneLine(`holds ${names.slice(0, MOST_NAMED).join(", ")}${more}`);
}

/** The silence for programs; keys may be added. */
export function silenceDocument(silence: SeenSilence, nowMs: number) {
  const { id, patterns, createdAtMs, untilMs, by, reason, isAsked, holds } = silence;
  return {
    id,
    patterns,
    since: isAsked ? null : new Date(createdAtMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    remaining_ms: Math.max(0, untilMs - nowMs),
    by,
    reason,
    in_force: !isAsked,
    holds,
  };
}
