// The open incidents with their processes, found by their id, by rule and key, by a process that is
// in them, and by when they are due; and what of them has changed since it was written.

import { DueTimes } from "./due.ts";
import type { Closing, Incident, Member } from "./incident.ts";
import { ByRule } from "./tally.ts";

/** An incident that is over. */
export interface ClosedIncident {
  readonly incident: Incident;
  readonly atMs: number;
  readonly closing: Closing;
}

/** A process of an incident, named by its id. */
export interface MemberOf {
  readonly incident: string;
  readonly member: Member;
}

interface Open {
  incident: Incident;
  readonly members: Map<string, Member>;
  /** Those that have changed since they were written, by their keys. */
  readonly changed: Set<string>;
}

/** So many that are over wait to be written while the disk takes nothing; the oldest go. */
const MOST_CLOSED = 1000;

const NO_MEMBERS: ReadonlyMap<string, Member> = new Map();

/** All that is open. */
export class OpenIncidents {
  readonly #open = new Map<string, Open>();
  readonly #byKey = new ByRule<Open>();
  /** The ids of the incidents that a process is in: one for each rule at most. */
  readonly #byProcess = new Map<string, string[]>();
  readonly #due = new DueTimes();
  readonly #changed = new Set<Open>();
  readonly #changedMembers = new Set<Open>();
  #closed: ClosedIncident[] = [];

  byKey(rule: string, key: string): Incident | undefined {
    return this.#byKey.get(rule, key)?.incident;
  }

  byId(id: string): Incident | undefined {
    return this.#open.get(id)?.incident;
  }

  all(): Incident[] {
    return [...this.#open.values()].map(({ incident }) => incident);
  }

  get size(): number {
    return this.#open.size;
  }

  /** By processKey(). */
  membersOf(id: string): ReadonlyMap<string, Member> {
    return this.#open.get(id)?.members ?? NO_MEMBERS;
  }

  /** The ids of the incidents that a process is in, by its processKey(). */
  idsOf(process: string): readonly string[] {
    return this.#byProcess.get(process)?.slice() ?? [];
  }

  put(incident: Incident): void {
    const { id } = incident;
    let open = this.#open.get(id);
    if (open === undefined) open = this.#begin(incident);
    else open.incident = incident;
    this.#due.set(id, incident.dueAtMs);
    this.#changed.add(open);
  }

  /** `key` is the processKey() of the member. */
  putMember(incident: Incident, key: string, member: Member): void {
    const { id } = incident;
    const open = this.#open.get(id) ?? this.#begin(incident);
    if (!open.members.has(key)) {
      const ids = this.#byProcess.get(key);
      if (ids === undefined) this.#byProcess.set(key, [id]);
      else ids.push(id);
    }
    open.members.set(key, member);
    open.changed.add(key);
    this.#changedMembers.add(open);
  }

  #begin(incident: Incident): Open {
    const open = { incident, members: new Map(), changed: new Set<string>() };
    this.#open.set(incident.id, open);
    this.#byKey.set(incident, open);
    return open;
  }

  close(closed: ClosedIncident): void {
    const { incident } = closed;
    const { id } = incident;
    const open = this.#open.get(id);
    if (open !== undefined) {
      for (const process of open.members.keys()) {
        const ids = this.#byProcess.get(process)!;
        ids.splice(ids.indexOf(id), 1);
        if (ids.length === 0) this.#byProcess.delete(process);
      }
      this.#open.delete(id);
      this.#changed.delete(open);
      this.#changedMembers.delete(open);
    }
    this.#byKey.delete(incident);
    this.#due.set(id, undefined);
    this.#closed.push(closed);
    if (this.#closed.length > MOST_CLOSED) this.#closed.shift();
  }

  nextDueMs(): number | undefined {
    return this.#due.next();
  }

  /** The ids of the incidents that are due by then; of those due at once the oldest first. */
  takeDue(nowMs: number): string[] {
    const ids = this.#due.take(nowMs);
    if (ids.length < 2) return ids;
    const due = ids.map((id) => this.#open.get(id)!.incident);
    return due.sort(byDue).map(({ id }) => id);
  }

  get isChanged(): boolean {
    return this.#changed.size > 0 || this.#changedMembers.size > 0 || this.#closed.length > 0;
  }

  changed(): Incident[] {
    return [...this.#changed].map(({ incident }) => incident);
  }

  changedMembers(): MemberOf[] {
    const changed: MemberOf[] = [];
    for (const { incident, members, changed: keys } of this.#changedMembers) {
      for (const key of keys) changed.push({ incident: incident.id, member: members.get(key)! });
    }
    return changed;
  }

  closed(): readonly ClosedIncident[] {
    return this.#closed;
  }

  wasWritten(): void {
    for (const { changed } of this.#changedMembers) changed.clear();
    if (this.#changed.size > 0) this.#changed.clear();
    if (this.#changedMembers.size > 0) this.#changedMembers.clear();
    if (this.#closed.length > 0) this.#closed = [];
  }
}

function byDue(left: Incident, right: Incident): number {
  return (left.dueAtMs ?? 0) - (right.dueAtMs ?? 0) || left.startedAtMs - right.startedAtMs ||
    compared(left.rule, right.rule) || compared(left.key, right.key);
}

function compared(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
