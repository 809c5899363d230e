// What the rules remember, kept beside the entries: open incidents and their processes, what is
// counted, and the silences. It is written in the same transaction as the messages that follow
// from it, and read at the start. A row that cannot be read is one incident less, and no reason
// not to start.

import type { Incident, Member } from "../rules/incident.ts";
import type { Changes, ClosedIncident, Remembered } from "../rules/rule_memory.ts";
import { readIncident, readMember, readSilence, readTally } from "../rules/stored_memory.ts";
import type { Connection } from "./connection.ts";

/** What is written: the changes, and which event they are the last of. */
export interface RuleChanges extends Changes {
  /** Should it come again, it is in the memory already. */
  readonly lastEvent: string | undefined;
}

/** The key of the note that holds it. */
const LAST_EVENT = "rules_event";

/** So many incidents that are over are kept, the newest. */
const MOST_CLOSED = 10_000;

/** The memory of the rules in one database. */
export class IncidentStore {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Changes when another file takes the place of the one that was written to. */
  get generation(): number {
    return this.#connection.generation;
  }

  /** What was written before. */
  remembered(): Remembered {
    return this.#connection.run(() => {
      let unreadable = 0;
      const rows = <Row>(
        text: string,
        read: (json: string) => Row | undefined,
        ...parameters: readonly string[]
      ): Row[] => {
        const all = this.#sql(text).all(...parameters).map(({ json }) => read(String(json)));
        const whole = all.filter((row) => row !== undefined);
        unreadable += all.length - whole.length;
        return whole;
      };
      const incidents = rows(
        "select incident as json from incident where closed_at_ms is null",
        readIncident,
      ).flatMap((incident) => {
        const members = rows(
          "select member as json from incident_process where incident_id = ?",
          readMember,
          incident.id,
        );
        // Of nobody it would never be over.
        if (members.length === 0) unreadable++;
        return members.length === 0 ? [] : [{ incident: withCounts(incident, members), members }];
      });
      const tallies = rows("select tally as json from tally", readTally);
      const silences = rows("select silence as json from silence", readSilence);
      return { incidents, tallies, silences, ...(unreadable > 0 && { unreadable }) };
    });
  }

  /** The event that was written last. */
  lastEvent(): string | undefined {
    return this.#connection.run(() => {
      const row = this.#sql("select value from note where key = ?").get(LAST_EVENT);
      return typeof row?.value === "string" ? row.value : undefined;
    });
  }

  /** Writes the changes; only inside a transaction that is open. */
  writeInside(changes: RuleChanges): void {
    const { isAll, closed, incidents, members, tallies, forgottenTallies } = changes;
    if (isAll) {
      this.#sql("delete from incident where closed_at_ms is null").run();
      this.#sql("delete from tally").run();
      this.#sql("delete from silence").run();
    }
    for (const one of closed) this.#putIncident(one.incident, one);
    for (const incident of incidents) this.#putIncident(incident);
    for (const { incident, member } of members) {
      const { group, name } = member.process;
      this.#sql(
        `insert or replace into incident_process (incident_id, group_name, name, member)
         values (?, ?, ?, ?)`,
      ).run(incident, group, name, JSON.stringify(member));
    }
    // First: what was forgotten may be counted anew.
    for (const { rule, key } of forgottenTallies) {
      this.#sql("delete from tally where rule = ? and key = ?").run(rule, key);
    }
    for (const tally of tallies) {
      this.#sql("insert or replace into tally (rule, key, tally) values (?, ?, ?)")
        .run(tally.rule, tally.key, JSON.stringify(tally));
    }
    for (const silence of changes.silences) {
      this.#sql("insert or replace into silence (id, until_ms, silence) values (?, ?, ?)")
        .run(silence.id, silence.untilMs, JSON.stringify(silence));
    }
    for (const id of changes.endedSilences) this.#sql("delete from silence where id = ?").run(id);
    if (changes.lastEvent !== undefined) {
      this.#sql("insert or replace into note (key, value) values (?, ?)")
        .run(LAST_EVENT, changes.lastEvent);
    }
  }

  /** Forgets a batch of incidents that are over since long, or too many; answers how many. */
  sweep(
    { keepMs, most }: { readonly keepMs: number; readonly most: number },
    nowMs: number,
  ): number {
    return this.#connection.run(() => {
      const { changes } = this.#sql(
        `delete from incident where id in (
           select id from incident where closed_at_ms < ? limit ?)
           or id in (select id from incident where closed_at_ms is not null
             order by closed_at_ms desc limit ? offset ?)`,
      ).run(nowMs - keepMs, most, most, MOST_CLOSED);
      return Number(changes);
    });
  }

  #putIncident(incident: Incident, closed?: ClosedIncident): void {
    this.#sql(
      `insert into incident
         (id, rule, key, started_at_ms, told_at_ms, closed_at_ms, closing, incident)
       values (?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (id) do update set told_at_ms = excluded.told_at_ms,
         started_at_ms = excluded.started_at_ms, closed_at_ms = excluded.closed_at_ms,
         closing = excluded.closing, incident = excluded.incident`,
    ).run(
      incident.id,
      incident.rule,
      incident.key,
      incident.startedAtMs,
      incident.told?.atMs ?? null,
      closed?.atMs ?? null,
      closed?.closing ?? null,
      JSON.stringify(incident),
    );
  }

  #sql(text: string) {
    return this.#connection.sql(text);
  }
}

/** What it says of its processes is what they say. */
function withCounts(incident: Incident, members: readonly Member[]): Incident {
  const unsettled = members.filter(({ settled }) => settled === undefined).length;
  return { ...incident, members: members.length, unsettled };
}
