// Folders of a test's own, and what lies in an outbox file.

import { DatabaseSync } from "node:sqlite";
import type { Alert } from "../../src/alerts/alert.ts";
import { Folder } from "./folder.ts";

/** A folder of the test's own; `{dir}` in what is written into it stands for the folder. */
export class Place extends Folder {
  get dir(): string {
    return this.path;
  }

  override write(name: string, text: string, mode = 0o600): string {
    return super.write(name, text.replaceAll("{dir}", this.path), mode);
  }
}

/** Makes a folder. */
export function makePlace(): Place {
  return new Place();
}

/** An entry as it stands in the file. */
export interface StoredEntry {
  readonly alertId: string;
  readonly channel: string;
  readonly state: string;
  readonly attempts: number;
  readonly reason: string;
  readonly alert: Alert;
}

/** The entries in the outbox of a state directory; none while there is no file. */
export function storedEntries(stateDir: string): StoredEntry[] {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(`${stateDir}/superbell.db`, { readOnly: true });
  } catch {
    return [];
  }
  try {
    database.exec("pragma busy_timeout = 2000");
    const rows = database.prepare(
      `select alert_id, channel, state, attempts, coalesce(reason, '') as reason, alert
       from entry order by id`,
    ).all();
    return rows.map((row) => ({
      alertId: String(row.alert_id),
      channel: String(row.channel),
      state: String(row.state),
      attempts: Number(row.attempts),
      reason: String(row.reason),
      alert: JSON.parse(String(row.alert)),
    }));
  } catch (error) {
    if (/no such table/.test(String(error))) return []; // it is being created
    throw error;
  } finally {
    database.close();
  }
}

/** Every file below a folder. */
export function filesBelow(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory, isFile }) =>
    isDirectory ? filesBelow(`${dir}/${name}`) : isFile ? [`${dir}/${name}`] : []
  );
}
