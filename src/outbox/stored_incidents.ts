// The incidents and silences as people ask for them, over a visitor's connection: those that are
// open, and what was. A row that cannot be read is left out.

import { processOf } from "../events/event.ts";
import type { Closing, Incident, Member } from "../rules/incident.ts";
import type { Silence } from "../rules/silence.ts";
import { readIncident, readMember, readSilence } from "../rules/stored_memory.ts";
import type { Connection } from "./connection.ts";

/** An incident with its processes, and how it ended. */
export interface StoredIncident {
  readonly incident: Incident;
  readonly members: readonly Member[];
  /** Absent while it is open. */
  readonly closed?: { readonly atMs: number; readonly closing: Closing };
}

const COLUMNS = "id, incident, closed_at_ms, closing";

/** What one database knows of incidents. */
export class StoredIncidents {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Those that are open, the oldest first. */
  open(): StoredIncident[] {
    return this.#read(
      `select ${COLUMNS} from incident where closed_at_ms is null order by started_at_ms, id`,
    );
  }

  /** Those that were open at that time or later: the oldest first, and the open ones at the end. */
  since(sinceMs: number): StoredIncident[] {
    const closed = this.#read(
      `select ${COLUMNS} from incident
       where closed_at_ms is not null and closed_at_ms >= ? order by started_at_ms, id`,
      sinceMs,
    );
    return [...closed, ...this.open()];
  }

  /** The silences that have not ended by then, the one that ends first first. */
  silences(nowMs: number): Silence[] {
    return this.#connection.run(() =>
      this.#connection.sql("select silence from silence where until_ms > ? order by until_ms, id")
        .all(nowMs)
        .flatMap((row) => readSilence(String(row.silence)) ?? [])
    );
  }

  #read(text: string, ...parameters: readonly number[]): StoredIncident[] {
    return this.#connection.run(() =>
      this.#connection.sql(text).all(...parameters).flatMap((row): StoredIncident[] => {
        const incident = readIncident(String(row.incident));
        if (incident === undefined) return [];
        const members = this.#connection
          .sql(
            `select member from incident_process where incident_id = ?
             order by group_name, name`,
          )
          .all(String(row.id))
          .flatMap((member) => readMember(String(member.member)) ?? []);
        if (row.closed_at_ms === null) return [{ incident, members }];
        const closed = { atMs: Number(row.closed_at_ms), closing: row.closing as Closing };
        return [{ incident, members, closed }];
      })
    );
  }
}

/** The processes of an incident; of one whose rows are lost, that of its worst event. */
export function processesOf({ incident, members }: StoredIncident) {
  const process = processOf(incident.event);
  if (members.length > 0) return members.map((member) => member.process);
  return process === undefined ? [] : [process];
}
