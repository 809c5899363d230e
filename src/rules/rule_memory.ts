// All that the rules remember: the open incidents with their processes, what each rule counts of
// each process, and the silences. What has changed since the last time is handed out as rows, to
// be stored in the same transaction as the messages that follow from it.

import type { ProcessName } from "../events/event.ts";
import { DueTimes } from "./due.ts";
import { type Ends, NO_ENDS } from "./flapping.ts";
import { type RecentFailure, RecentFailures } from "./host_incident.ts";
import { type Closing, type Incident, type Member, processKey } from "./incident.ts";
import type { Silence } from "./silence.ts";

/** What one rule counts of one key: a process, or what it gathers. */
export interface Tally {
  readonly rule: string;
  readonly key: string;
  /** When the last ones for `after` came, the latest last; at most `after.count`. */
  readonly recentMs: readonly number[];
  /** The ends for `flapping`. */
  readonly ends: Ends;
  /** Ends that no message has counted yet, and when the last was. */
  readonly untold: number;
  readonly untoldAtMs: number;
  /** When it was told as firing, for `quiet`. */
  readonly toldAtMs?: number;
  /** When an incident of it was told as over, and how often it has come back soon after. */
  readonly resolvedAtMs?: number;
  readonly returns: number;
}

/** What is stored, and read at the start. */
export interface Remembered {
  readonly incidents: readonly {
    readonly incident: Incident;
    readonly members: readonly Member[];
  }[];
  readonly tallies: readonly Tally[];
  readonly silences: readonly Silence[];
  /** So much of what is stored could not be read; absent: all could. */
  readonly unreadable?: number;
  /**
   * What is of use for seconds only, and so is not stored: who has failed lately, and whether
   * supervisord shuts down.
   */
  readonly failures?: readonly RecentFailure[];
  readonly stopping?: boolean;
}

/** Rows to write; of those that are gone only what names them. */
export interface Changes {
  /** Nothing else is remembered: what is stored beside it goes, but what is over. */
  readonly isAll: boolean;
  readonly incidents: readonly Incident[];
  readonly members: readonly { readonly incident: string; readonly member: Member }[];
  readonly closed: readonly ClosedIncident[];
  readonly tallies: readonly Tally[];
  /** To be forgotten before the others are written. */
  readonly forgottenTallies: readonly { readonly rule: string; readonly key: string }[];
  readonly silences: readonly Silence[];
  readonly endedSilences: readonly string[];
}

/** An incident that is over. */
export interface ClosedIncident {
  readonly incident: Incident;
  readonly atMs: number;
  readonly closing: Closing;
}

interface Open {
  incident: Incident;
  readonly members: Map<string, Member>;
}

/** By rule and key: two maps, for to join the two names costs more than to look twice. */
class ByRule<Value> {
  readonly #rules = new Map<string, Map<string, Value>>();

  get({ rule, key }: RuleKey): Value | undefined {
    return this.#rules.get(rule)?.get(key);
  }

  set({ rule, key }: RuleKey, value: Value): void {
    const keys = this.#rules.get(rule);
    if (keys === undefined) this.#rules.set(rule, new Map([[key, value]]));
    else keys.set(key, value);
  }

  delete({ rule, key }: RuleKey): void {
    const keys = this.#rules.get(rule);
    keys?.delete(key);
    if (keys?.size === 0) this.#rules.delete(rule);
  }

  values(): Value[] {
    return [...this.#rules.values()].flatMap((keys) => [...keys.values()]);
  }
}

interface RuleKey {
  readonly rule: string;
  readonly key: string;
}

/** A place that keeps its identity while what stands in it changes. */
interface TallyPlace {
  tally: Tally;
}

/** So many that are over wait to be written while the disk takes nothing; the oldest go. */
const MOST_CLOSED = 1000;

const NOTHING: Remembered = { incidents: [], tallies: [], silences: [] };

/** The memory of one listener. */
export class RuleMemory {
  readonly #open = new Map<string, Open>();
  readonly #ids = new ByRule<string>();
  /** Which incidents a process is in. */
  readonly #byProcess = new Map<string, Set<string>>();
  readonly #tallies = new ByRule<TallyPlace>();
  readonly #due = new DueTimes();
  readonly #silences = new Map<string, Silence>();
  readonly failures: RecentFailures;
  /** supervisord shuts down: what stops and fails now is no news. */
  stopping: boolean;
  /** When the last step was. */
  lastMs: number;
  readonly #changedIncidents = new Set<string>();
  readonly #changedMembers = new Map<string, Set<string>>();
  #closed: ClosedIncident[] = [];
  readonly #changedTallies = new Set<TallyPlace>();
  readonly #forgottenTallies = new Set<TallyPlace>();
  readonly #changedSilences = new Set<string>();
  readonly #endedSilences = new Set<string>();

  constructor(remembered: Remembered = NOTHING) {
    for (const { incident, members } of remembered.incidents) {
      for (const member of members) this.putMember(incident, member);
      this.putIncident(incident);
    }
    for (const tally of remembered.tallies) this.#tallies.set(tally, { tally });
    for (const silence of remembered.silences) this.#silences.set(silence.id, silence);
    this.failures = new RecentFailures(remembered.failures);
    this.stopping = remembered.stopping ?? false;
    this.lastMs = lastTimeOf(remembered);
    this.wasWritten();
  }

  /** Takes in what was stored before; what is remembered already goes before it. */
  takeIn({ incidents, tallies, silences }: Remembered): void {
    for (const { incident, members } of incidents) {
      if (this.incident(incident.rule, incident.key) !== undefined) continue;
      for (const member of members) this.putMember(incident, member);
      this.putIncident(incident);
    }
    for (const tally of tallies) {
      if (this.#tallies.get(tally) === undefined) this.putTally(tally);
    }
    for (const silence of silences) {
      if (!this.#silences.has(silence.id)) this.putSilence(silence);
    }
  }

  /** Everything, as it would be stored. */
  snapshot(): Remembered {
    return {
      incidents: [...this.#open.values()].map(({ incident, members }) => ({
        incident,
        members: [...members.values()],
      })),
      tallies: this.#tallies.values().map(({ tally }) => tally),
      silences: [...this.#silences.values()],
      failures: this.failures.all(),
      stopping: this.stopping,
    };
  }

  incident(rule: string, key: string): Incident | undefined {
    const id = this.#ids.get({ rule, key });
    return id === undefined ? undefined : this.byId(id);
  }

  byId(id: string): Incident | undefined {
    return this.#open.get(id)?.incident;
  }

  incidents(): Incident[] {
    return [...this.#open.values()].map(({ incident }) => incident);
  }

  membersOf({ id }: Incident): ReadonlyMap<string, Member> {
    return this.#open.get(id)?.members ?? new Map();
  }

  /** The ids of the incidents that a process is in. */
  incidentsOf(process: ProcessName): readonly string[] {
    return [...this.#byProcess.get(processKey(process)) ?? []];
  }

  tally(rule: string, key: string): Tally {
    return this.#tallies.get({ rule, key })?.tally ??
      { rule, key, recentMs: [], ends: NO_ENDS, untold: 0, untoldAtMs: 0, returns: 0 };
  }

  silences(): Silence[] {
    return [...this.#silences.values()];
  }

  putIncident(incident: Incident): void {
    const { id } = incident;
    const open = this.#open.get(id);
    if (open === undefined) this.#begin(incident);
    else open.incident = incident;
    this.#due.set(id, incident.dueAtMs);
    this.#changedIncidents.add(id);
  }

  putMember(incident: Incident, member: Member): void {
    const { id } = incident;
    const key = processKey(member.process);
    const { members } = this.#open.get(id) ?? this.#begin(incident);
    if (!members.has(key)) {
      const ids = this.#byProcess.get(key);
      if (ids === undefined) this.#byProcess.set(key, new Set([id]));
      else ids.add(id);
    }
    members.set(key, member);
    const changed = this.#changedMembers.get(id);
    if (changed === undefined) this.#changedMembers.set(id, new Set([key]));
    else changed.add(key);
  }

  #begin(incident: Incident): Open {
    const open = { incident, members: new Map() };
    this.#open.set(incident.id, open);
    this.#ids.set(incident, incident.id);
    return open;
  }

  close(closed: ClosedIncident): void {
    const { incident } = closed;
    const { id } = incident;
    for (const process of this.#open.get(id)?.members.keys() ?? []) {
      const ids = this.#byProcess.get(process);
      ids?.delete(id);
      if (ids?.size === 0) this.#byProcess.delete(process);
    }
    this.#open.delete(id);
    this.#ids.delete(incident);
    this.#due.set(id, undefined);
    this.#changedIncidents.delete(id);
    this.#changedMembers.delete(id);
    this.#closed.push(closed);
    if (this.#closed.length > MOST_CLOSED) this.#closed.shift();
  }

  putTally(tally: Tally): void {
    let place = this.#tallies.get(tally);
    if (place === undefined) this.#tallies.set(tally, place = { tally });
    else place.tally = tally;
    this.#changedTallies.add(place);
  }

  /** Forgets what was counted of those for which it says so. */
  forgetTallies(isGone: (tally: Tally) => boolean): void {
    for (const place of this.#tallies.values()) {
      if (!isGone(place.tally)) continue;
      this.#tallies.delete(place.tally);
      this.#changedTallies.delete(place);
      this.#forgottenTallies.add(place);
    }
  }

  putSilence(silence: Silence): void {
    this.#silences.set(silence.id, silence);
    this.#changedSilences.add(silence.id);
    this.#endedSilences.delete(silence.id);
  }

  endSilence(id: string): void {
    if (!this.#silences.delete(id)) return;
    this.#changedSilences.delete(id);
    this.#endedSilences.add(id);
  }

  nextDueMs(): number | undefined {
    return this.#due.next();
  }

  /** The ids of the incidents that are due by then; of those due at once the oldest first. */
  takeDue(nowMs: number): string[] {
    return this.#due.take(nowMs).flatMap((id) => this.byId(id) ?? []).sort(byDue)
      .map(({ id }) => id);
  }

  /** Whether something has changed since it was written. */
  get isChanged(): boolean {
    return this.#closed.length > 0 ||
      [
        this.#changedIncidents,
        this.#changedMembers,
        this.#changedTallies,
        this.#forgottenTallies,
        this.#changedSilences,
        this.#endedSilences,
      ].some(({ size }) => size > 0);
  }

  /** What has changed since it was written. */
  changes(): Changes {
    return {
      isAll: false,
      incidents: [...this.#changedIncidents].flatMap((id) => this.byId(id) ?? []),
      members: [...this.#changedMembers].flatMap(([name, keys]) => {
        const open = this.#open.get(name);
        return [...keys].flatMap((key) => {
          const member = open?.members.get(key);
          return member === undefined ? [] : [{ incident: open!.incident.id, member }];
        });
      }),
      closed: this.#closed,
      tallies: [...this.#changedTallies].map(({ tally }) => tally),
      forgottenTallies: [...this.#forgottenTallies].map(({ tally }) => tally),
      silences: [...this.#changedSilences].map((id) => this.#silences.get(id)!),
      endedSilences: [...this.#endedSilences],
    };
  }

  /** Everything, for a file that holds nothing of it. */
  all(): Changes {
    const { incidents, tallies, silences } = this.snapshot();
    return {
      isAll: true,
      incidents: incidents.map(({ incident }) => incident),
      members: incidents.flatMap(({ incident, members }) =>
        members.map((member) => ({ incident: incident.id, member }))
      ),
      closed: this.#closed,
      tallies,
      forgottenTallies: [],
      silences,
      endedSilences: [],
    };
  }

  /** The changes are stored. */
  wasWritten(): void {
    this.#changedIncidents.clear();
    this.#changedMembers.clear();
    if (this.#closed.length > 0) this.#closed = [];
    this.#changedTallies.clear();
    this.#forgottenTallies.clear();
    this.#changedSilences.clear();
    this.#endedSilences.clear();
  }

  /** Moves everything in time: the clock was set, and what was counted must not be lost. */
  shift(byMs: number): void {
    for (const { incident, members } of [...this.#open.values()]) {
      for (const member of members.values()) this.putMember(incident, shiftedMember(member, byMs));
      this.putIncident(shiftedIncident(incident, byMs));
    }
    for (const { tally } of this.#tallies.values()) this.putTally(shiftedTally(tally, byMs));
    this.failures.shift(byMs);
  }
}

function byDue(left: Incident, right: Incident): number {
  const [one, other] = [left, right].map(({ rule, key }) => `${rule}\n${key}`);
  return (left.dueAtMs ?? 0) - (right.dueAtMs ?? 0) || left.startedAtMs - right.startedAtMs ||
    (one! < other! ? -1 : 1);
}

/** The latest time that was not ahead when it was written down. */
function lastTimeOf({ incidents, tallies }: Remembered): number {
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

function shiftedMember(member: Member, byMs: number): Member {
  const { settled } = member;
  return settled === undefined
    ? member
    : { ...member, settled: { ...settled, atMs: settled.atMs + byMs } };
}

function shiftedIncident(incident: Incident, byMs: number): Incident {
  const { told, acknowledged, dueAtMs, watchedFromMs } = incident;
  return {
    ...incident,
    startedAtMs: incident.startedAtMs + byMs,
    eventAtMs: incident.eventAtMs + byMs,
    gatherUntilMs: incident.gatherUntilMs + byMs,
    wellUntilMs: incident.wellUntilMs + byMs,
    ...(dueAtMs !== undefined && { dueAtMs: dueAtMs + byMs }),
    ...(watchedFromMs !== undefined && { watchedFromMs: watchedFromMs + byMs }),
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

function shiftedTally(tally: Tally, byMs: number): Tally {
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
