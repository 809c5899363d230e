// How much the outbox may take, of the disk or of memory. Entries that have left the queue make
// room, batch by batch; one that waits is never thrown away unsaid.

import type { Connection } from "./connection.ts";

/** What retention may keep. */
export interface Retention {
  readonly keepMs: number;
  /** The file and its -wal. */
  readonly maxBytes: number;
}

/** What an outbox in memory may hold. */
export interface Limit {
  readonly entries: number;
  readonly bytes: number;
}

/** So many entries are deleted in one go: some milliseconds. */
const BATCH = 100;

/** So many pages go back to the disk in one go. */
const PAGES = 1000;

/** One step of Outbox.sweep(). */
export function sweepStep(
  connection: Connection,
  { keepMs, maxBytes }: Retention,
  nowMs: number,
): number {
  return connection.run(() => {
    connection.sql("delete from pause where until_ms < ?").run(nowMs);
    let removed = removeSettled(connection, "settled_at_ms < ?", nowMs - keepMs);
    if (removed === 0 && bytesOnDisk(connection) > maxBytes) {
      checkpoint(connection);
      // What then still is too much waits.
      if (bytesOnDisk(connection) > maxBytes) removed = removeSettled(connection, "true");
    }
    // exec() would step the pragma once, and each step frees one page.
    connection.sql(`pragma incremental_vacuum(${PAGES})`).all();
    if (removed === 0) checkpoint(connection);
    return removed;
  });
}

/** What Outbox.makeRoom() does. */
export function makeRoom(
  connection: Connection,
  count: number,
  limit: Limit,
): { readonly fits: boolean; readonly forgotten: number } {
  return connection.run(() => {
    const fits = () =>
      Number(connection.sql("select count(*) as n from entry").get()!.n) + count <=
        limit.entries && bytesInUse(connection) < limit.bytes;
    let forgotten = 0;
    while (!fits()) {
      const rows = connection.sql(
        `delete from entry where id in (select id from entry where state <> 'waiting'
           order by state = 'dead', settled_at_ms limit ${BATCH}) returning state`,
      ).all();
      if (rows.length === 0) return { fits: false, forgotten };
      forgotten += rows.filter(({ state }) => state === "dead").length;
    }
    return { fits: true, forgotten };
  });
}

function removeSettled(
  connection: Connection,
  condition: string,
  ...parameters: readonly number[]
): number {
  const { changes } = connection.sql(
    `delete from entry where id in (select id from entry
       where state <> 'waiting' and ${condition} order by settled_at_ms limit ${BATCH})`,
  ).run(...parameters);
  return Number(changes);
}

/** Brings the -wal into the file and cuts it; does nothing while another process reads it. */
function checkpoint(connection: Connection): void {
  connection.sql("pragma wal_checkpoint(truncate)").all();
}

/** What the disk holds of us. */
function bytesOnDisk(connection: Connection): number {
  return pragma(connection, "page_count") * pragma(connection, "page_size") +
    walBytes(connection.path);
}

function bytesInUse(connection: Connection): number {
  return (pragma(connection, "page_count") - pragma(connection, "freelist_count")) *
    pragma(connection, "page_size");
}

function pragma(connection: Connection, name: string): number {
  return Number(connection.sql(`pragma ${name}`).get()![name]);
}

function walBytes(path: string): number {
  try {
    return Deno.statSync(`${path}-wal`).size;
  } catch {
    return 0; // none: in memory, or nothing written yet
  }
}
