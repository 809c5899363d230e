// Moves what is remembered in time: the clock was set, and what was counted must not be lost. Also
// finds the last time that a memory knows of, by which a clock that was set back is noticed.

import type { Incident, Member } from "./incident.ts";
import type { Tally } from "./tally.ts";

/** The process, with its times moved by so many milliseconds. */
export function shiftedMember(member: Member, byMs: number): Member {
  const { settled } = member;
  return settled === undefined
    ? member
    : { ...member, settled: { ...settled, atMs: settled.atMs + byMs } };
}

/** The incident, with its times moved by so many milliseconds. */
export function shiftedIncident(incident: Incident, byMs: number): Incident {
  const { told, acknowledged, dueAtMs, watchedFromMs, newest } = incident;
  return {
    ...incident,
    startedAtMs: incident.startedAtMs + byMs,
    eventAtMs: incident.eventAtMs + byMs,
    gatherUntilMs: incident.gatherUntilMs + byMs,
    wellUntilMs: incident.wellUntilMs + byMs,
    ...(dueAtMs !== undefined && { dueAtMs: dueAtMs + byMs }),
    ...(watchedFromMs !== undefined && { watchedFromMs: watchedFromMs + byMs }),
    ...(newest && { newest: { ...newest, eventAtMs: newest.eventAtMs + byMs } }),
    ...(acknowledged && { acknowledged: { ...acknowledged, atMs: acknowledged.atMs + byMs } }),
    ...(told && {
      told: {
        ...told,
        atMs: told.atMs + byMs,
        ...(told.remindAtMs !== undefined && { remindAtMs: told.remindAtMs + byMs }),
        ...(told.escalateAtMs !== undefined && { escalateAtMs: told.escalateAtMs + byMs }),
      },
    }),
  };
}

/** The count, with its times moved by so many milliseconds. */
export function shiftedTally(tally: Tally, byMs: number): Tally {
  const { toldAtMs, resolvedAtMs } = tally;
  return {
    ...tally,
    recentMs: tally.recentMs.map((atMs) => atMs + byMs),
    ends: { ...tally.ends, atMs: tally.ends.atMs.map((atMs) => atMs + byMs) },
    untoldAtMs: tally.untoldAtMs + byMs,
    ...(toldAtMs !== undefined && { toldAtMs: toldAtMs + byMs }),
    ...(resolvedAtMs !== undefined && { resolvedAtMs: resolvedAtMs + byMs }),
  };
}

/** The latest time that was not ahead when it was written down. */
export function lastTimeOf(
  incidents: readonly { readonly incident: Incident; readonly members: readonly Member[] }[],
  tallies: readonly Tally[],
): number {
  let lastMs = -Infinity;
  const see = (atMs: number | undefined) => lastMs = Math.max(lastMs, atMs ?? -Infinity);
  for (const { incident, members } of incidents) {
    for (const { settled } of members) see(settled?.atMs);
    for (const atMs of [incident.startedAtMs, incident.eventAtMs, incident.told?.atMs]) see(atMs);
  }
  for (const { untoldAtMs, toldAtMs, resolvedAtMs, ends } of tallies) {
    for (const atMs of [untoldAtMs, toldAtMs, resolvedAtMs, ends.atMs.at(-1)]) see(atMs);
  }
  return lastMs;
}
