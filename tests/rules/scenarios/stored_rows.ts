// The rows that a database would hold after the changes it was given: what the memory of the
// rules writes must suffice to have the same memory again.

import { type Incident, type Member, processKey } from "../../../src/rules/incident.ts";
import type { Changes, Remembered, Tally } from "../../../src/rules/rule_memory.ts";
import type { Silence } from "../../../src/rules/silence.ts";

/** Rows by their keys. */
export class StoredRows {
  readonly #incidents = new Map<string, Incident>();
  readonly #members = new Map<string, Map<string, Member>>();
  readonly #tallies = new Map<string, Tally>();
  readonly #silences = new Map<string, Silence>();

  apply(changes: Changes): void {
    for (const { incident } of changes.closed) {
      this.#incidents.delete(incident.id);
      this.#members.delete(incident.id);
    }
    for (const incident of changes.incidents) this.#incidents.set(incident.id, incident);
    for (const { incident, member } of changes.members) {
      const members = this.#members.get(incident) ?? new Map();
      this.#members.set(incident, members.set(processKey(member.process), member));
    }
    for (const { rule, key } of changes.forgottenTallies) this.#tallies.delete(`${rule}\n${key}`);
    for (const tally of changes.tallies) this.#tallies.set(`${tally.rule}\n${tally.key}`, tally);
    for (const silence of changes.silences) this.#silences.set(silence.id, silence);
    for (const id of changes.endedSilences) this.#silences.delete(id);
  }

  remembered(): Remembered {
    return {
      incidents: [...this.#incidents.values()].map((incident) => ({
        incident,
        members: [...this.#members.get(incident.id)?.values() ?? []],
      })),
      tallies: [...this.#tallies.values()],
      silences: [...this.#silences.values()],
    };
  }
}
