// When many processes fail within seconds, the host is in trouble and not they: one message
// instead of one for each. Counts who has failed lately; what follows is decided in
// incident_book.ts.

import type { ConfigNode } from "../config/node.ts";
import type { Event, ProcessName } from "../events/event.ts";
import { type Member, memberAfter, processKey, stateAfter } from "./incident.ts";
import { DEFAULT_PACING, type Pacing, SEVERITIES } from "./pacing.ts";
import { parseEnding } from "./parse_pacing.ts";

/** The name in place of a rule's; no rule may have it. */
export const HOST_RULE = "host_incident";

/** When the host has an incident, and who is told. */
export interface HostIncident {
  /** So many processes, */
  readonly processes: number;
  /** all failing within that time. */
  readonly withinMs: number;
  readonly to: readonly string[];
  readonly pacing: Pacing;
}

/** The key `host_incident` of the configuration. */
export function parseHostIncident(
  node: ConfigNode | undefined,
  channelName: (node: ConfigNode) => string,
): HostIncident | undefined {
  if (node === undefined) return undefined;
  const section = node.section("{ processes: 10, within: 30s, to: [oncall] }");
  const to = section.required("to");
  const parsed: HostIncident = {
    processes: section.optional("processes")?.integer({ min: 2, max: 100_000 }) ?? 10,
    withinMs: section.optional("within")?.duration({ min: 1000, max: 3_600_000 }) ?? 30_000,
    to: to.value === undefined ? [] : to.list(channelName, "[oncall]"),
    pacing: {
      ...DEFAULT_PACING,
      groupBy: "host",
      severity: section.optional("severity")?.oneOf(SEVERITIES) ?? "critical",
      ...parseEnding(section),
    },
  };
  section.end();
  return parsed;
}

/** When a process failed last, and what has become of it. */
export interface RecentFailure {
  readonly atMs: number;
  readonly member: Member;
}

/** Who has failed lately, each process once; the one that failed longest ago first. */
export class RecentFailures {
  readonly #failures = new Map<string, RecentFailure>();

  constructor(failures: readonly RecentFailure[] = []) {
    for (const failure of failures) this.#failures.set(processKey(failure.member.process), failure);
  }

  /** Notes a failure; answers how many processes have failed within that time. */
  add(
    process: ProcessName,
    event: Event,
    { nowMs, withinMs }: { readonly nowMs: number; readonly withinMs: number },
  ): number {
    const key = processKey(process);
    this.#failures.delete(key); // it goes to the end
    this.#failures.set(key, { atMs: nowMs, member: memberAfter({ process }, event, nowMs) });
    for (const [oldest, { atMs }] of this.#failures) {
      // A time that lies ahead is older than a clock that was set back.
      if (atMs >= nowMs - withinMs && atMs <= nowMs) break;
      this.#failures.delete(oldest);
    }
    return this.#failures.size;
  }

  /** What has become of a process that failed, by its processKey(). */
  follow(process: string, event: Event, nowMs: number): void {
    const failure = this.#failures.get(process);
    if (failure === undefined || stateAfter(event) === undefined) return;
    const member = memberAfter(failure.member, event, nowMs);
    this.#failures.set(process, { ...failure, member }); // its place stays
  }

  all(): RecentFailure[] {
    return [...this.#failures.values()];
  }

  /** The clock was set. */
  shift(byMs: number): void {
    for (const [key, failure] of this.#failures) {
      this.#failures.set(key, { ...failure, atMs: failure.atMs + byMs });
    }
  }
}
