// All that the rules remember: the open incidents with their processes, what each rule counts of
// each process, and the silences. What has changed since the last time is handed out as rows, to
// be stored in the same transaction as the messages that follow from it.

import type { ProcessName } from "../events/event.ts";
import { type RecentFailure, RecentFailures } from "./host_incident.ts";
import { type Incident, type Member, processKey } from "./incident.ts";
import { type ClosedIncident, type MemberOf, OpenIncidents } from "./open_incidents.ts";
import { lastTimeOf, shiftedIncident, shiftedMember, shiftedTally } from "./shift.ts";
import type { Silence } from "./silence.ts";
import { Tallies, type Tally } from "./tally.ts";

export type { ClosedIncident } from "./open_incidents.ts";
export type { Tally } from "./tally.ts";

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
  readonly members: readonly MemberOf[];
  readonly closed: readonly ClosedIncident[];
  readonly tallies: readonly Tally[];
  /** To be forgotten before the others are written. */
  readonly forgottenTallies: readonly { readonly rule: string; readonly key: string }[];
  readonly silences: readonly Silence[];
  readonly endedSilences: readonly string[];
}

const NOTHING: Remembered = { incidents: [], tallies: [], silences: [] };

/** The memory of one listener. */
export class RuleMemory {
  readonly #open = new OpenIncidents();
  readonly #tallies = new Tallies();
  readonly #silences = new Map<string, Silence>();
  readonly #changedSilences = new Set<string>();
  readonly #endedSilences = new Set<string>();
  readonly failures: RecentFailures;
  /** supervisord shuts down: what stops and fails now is no news. */
  stopping: boolean;
  /** When the last step was. */
  lastMs: number;

  constructor(remembered: Remembered = NOTHING) {
    for (const { incident, members } of remembered.incidents) {
      for (const member of members) this.putMember(incident, member);
      this.putIncident(incident);
    }
    for (const tally of remembered.tallies) this.putTally(tally);
    for (const silence of remembered.silences) this.putSilence(silence);
    this.failures = new RecentFailures(remembered.failures);
    this.stopping = remembered.stopping ?? false;
    this.lastMs = lastTimeOf(remembered.incidents, remembered.tallies);
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
      if (!this.#tallies.has(tally)) this.putTally(tally);
    }
    for (const silence of silences) {
      if (!this.#silences.has(silence.id)) this.putSilence(silence);
    }
  }

  /** Everything, as it would be stored. */
  snapshot(): Remembered {
    return {
      incidents: this.incidents().map((incident) => ({
        incident,
        members: [...this.membersOf(incident).values()],
      })),
      tallies: this.#tallies.all(),
      silences: this.silences(),
      failures: this.failures.all(),
      stopping: this.stopping,
    };
  }

  incident(rule: string, key: string): Incident | undefined {
    return this.#open.byKey(rule, key);
  }

  byId(id: string): Incident | undefined {
    return this.#open.byId(id);
  }

  incidents(): Incident[] {
    return this.#open.all();
  }

  membersOf({ id }: Incident): ReadonlyMap<string, Member> {
    return this.#open.membersOf(id);
  }

  /** The ids of the incidents that a process is in. */
  incidentsOf(process: ProcessName, key: string = processKey(process)): readonly string[] {
    return this.#open.idsOf(key);
  }

  putIncident(incident: Incident): void {
    this.#open.put(incident);
  }

  /** Whoever has the processKey() at hand gives it, for it is asked for at every event. */
  putMember(incident: Incident, member: Member, key: string = processKey(member.process)): void {
    this.#open.putMember(incident, key, member);
  }

  close(closed: ClosedIncident): void {
    this.#open.close(closed);
  }

  tally(rule: string, key: string): Tally {
    return this.#tallies.get(rule, key);
  }

  putTally(tally: Tally): void {
    this.#tallies.put(tally);
  }

  /** Forgets what was counted of those for which it says so. */
  forgetTallies(isGone: (tally: Tally) => boolean): void {
    this.#tallies.forget(isGone);
  }

  silences(): Silence[] {
    return [...this.#silences.values()];
  }

  get hasSilences(): boolean {
    return this.#silences.size > 0;
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
    return this.#open.nextDueMs();
  }

  /** The ids of the incidents that are due by then; of those due at once the oldest first. */
  takeDue(nowMs: number): string[] {
    return this.#open.takeDue(nowMs);
  }

  /** Whether something has changed since it was written. */
  get isChanged(): boolean {
    return this.#open.isChanged || this.#tallies.isChanged || this.#changedSilences.size > 0 ||
      this.#endedSilences.size > 0;
  }

  /** What has changed since it was written. */
  changes(): Changes {
    return {
      isAll: false,
      incidents: this.#open.changed(),
      members: this.#open.changedMembers(),
      closed: this.#open.closed(),
      tallies: this.#tallies.changed(),
      forgottenTallies: this.#tallies.forgotten(),
      silences: Array.from(this.#changedSilences, (id) => this.#silences.get(id)!),
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
      closed: this.#open.closed(),
      tallies,
      forgottenTallies: [],
      silences,
      endedSilences: [],
    };
  }

  /** The changes are stored. */
  wasWritten(): void {
    this.#open.wasWritten();
    this.#tallies.wasWritten();
    this.#changedSilences.clear();
    this.#endedSilences.clear();
  }

  /** Moves everything in time: the clock was set, and what was counted must not be lost. */
  shift(byMs: number): void {
    for (const incident of this.incidents()) {
      for (const member of this.membersOf(incident).values()) {
        this.putMember(incident, shiftedMember(member, byMs));
      }
      this.putIncident(shiftedIncident(incident, byMs));
    }
    for (const tally of this.#tallies.all()) this.putTally(shiftedTally(tally, byMs));
    this.failures.shift(byMs);
  }
}
