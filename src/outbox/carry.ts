// Carries entries from one database into another, with all that is known about them but their
// numbers: an alert for a channel is the same wherever it lies.

import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";

/** What makes a waiting entry. */
export const WAITING_COLUMNS: readonly string[] = [
  "alert_id",
  "channel",
  "alert",
  "created_at_ms",
  "since_ms",
  "due_at_ms",
  "attempts",
  "reason",
];

/** Everything about an entry but its number. */
const ALL_COLUMNS: readonly string[] = [
  ...WAITING_COLUMNS,
  "state",
  "claim",
  "claimed_at_ms",
  "claimed_until_ms",
  "settled_at_ms",
];

type Row = Readonly<Record<string, SQLOutputValue>>;

/** A function that stores a row and answers its new number; undefined when it is there already. */
export function insertEntry(
  database: DatabaseSync,
  columns: readonly string[],
): (row: Row) => SQLInputValue | undefined {
  const statement = database.prepare(
    `insert into entry (${columns.join()}) values (${columns.map(() => "?").join()})
     on conflict (alert_id, channel) do nothing returning id`,
  );
  return (row) => statement.get(...columns.map((column) => row[column] ?? null))?.id;
}

/** Copies the entries that `where` (SQL) chooses, with their attempts; answers their old numbers. */
export function carry(
  from: DatabaseSync,
  { into, where }: { readonly into: DatabaseSync; readonly where: string },
): number[] {
  const insert = insertEntry(into, ALL_COLUMNS);
  const attempts = from.prepare(
    "select at_ms, took_ms, outcome, reason, claim, pace_key from attempt where entry_id = ? order by id",
  );
  const insertAttempt = into.prepare(
    `insert into attempt (entry_id, at_ms, took_ms, outcome, reason, claim, pace_key)
     values (?, ?, ?, ?, ?, ?, ?)`,
  );
  const rows = from.prepare(`select id, ${ALL_COLUMNS.join()} from entry where ${where}`).all();
  return rows.map((row) => {
    const id = insert(row);
    if (id !== undefined) {
      for (const attempt of attempts.all(row.id!)) {
        const { at_ms, took_ms, outcome, reason, claim, pace_key } = attempt;
        insertAttempt.run(id, at_ms!, took_ms!, outcome!, reason!, claim!, pace_key!);
      }
    }
    return Number(row.id);
  });
}
