// What has been taken and is not in the database yet. A transaction takes several times as long as
// the rest of an event, and supervisord waits for our answer: so the event itself is appended to a
// small file, which survives our death as the database does, and the answer is given. A moment
// later one transaction stores what all of them brought, and the file is cut. What a listener
// that died has left in it is taken once more by the next one.

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Frame, FrameHeader } from "../events/frame.ts";
import type { WithholdReason } from "../rules/decide.ts";
import type { Connection } from "./connection.ts";

/** How an event was taken, for it must mean the same the second time. */
export interface Taking {
  readonly atMs: number;
  /** Names the run of supervisord that sent it. */
  readonly supervisorRun: string;
  readonly withhold?: WithholdReason | undefined;
  /** How long its process had been running when it ended. */
  readonly ranMs?: number | undefined;
}

/** An event that was taken. */
export interface TakenEvent {
  readonly frame: Frame;
  readonly taking: Taking;
}

/** What stood in a journal. */
export interface JournalContent {
  readonly events: readonly TakenEvent[];
  /** Bytes at its end that are no whole event: its writer died, or the host did. */
  readonly brokenBytes: number;
  /** Why there can be no journal. */
  readonly trouble?: string;
}

/** The line before a payload. */
interface Record {
  /** Counts the events, from 1, and goes on for as long as the database is there. */
  readonly number: number;
  readonly header: FrameHeader;
  readonly taking: Taking;
  readonly payloadBytes: number;
  readonly droppedBytes: number;
  readonly crc: number;
}

/** It is cut after a millisecond or two; who finds it longer than this stores at once. */
const MOST_BYTES = 1024 * 1024;

const LINE_FEED = 10;
const SUFFIX = ".journal";

/** The key of the note that holds the number of the last event of which the database knows. */
const LAST_STORED = "journal";

/** The journal beside one database. Nothing here throws: without it events are stored at once. */
export class Journal {
  readonly #connection: Connection;
  #file: Deno.FsFile | undefined;
  /** Beside which file of the connection's it was opened; 0: beside none yet. */
  #generation = 0;
  #bytes = 0;
  /** The number of the last event in it, or before it. */
  #last = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Opens the file beside the database that is in use, for whoever holds the state directory, and
   * answers what it holds and the database does not; nothing where it was opened already.
   */
  open(): JournalContent {
    const { path, generation } = this.#connection;
    if (this.#generation === generation || path === ":memory:") return NOTHING;
    this.close();
    this.#generation = generation;
    try {
      const options = { read: true, append: true, create: true, mode: 0o600 };
      this.#file = Deno.openSync(journalOf(path), options);
      const bytes = Deno.readFileSync(journalOf(path));
      const { records, brokenBytes } = recordsIn(bytes);
      this.#bytes = bytes.length - brokenBytes;
      if (brokenBytes > 0) this.#file.truncateSync(this.#bytes); // nothing stands behind it
      const stored = this.#lastStored();
      this.#last = Math.max(stored, records.at(-1)?.number ?? 0);
      const events = records.filter(({ number }) => number > stored).map(({ event }) => event);
      return { events, brokenBytes };
    } catch (error) {
      this.close();
      return { ...NOTHING, trouble: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Whether the event is in the file now; if not, it must be stored at once. */
  append(event: TakenEvent): boolean {
    const file = this.#file;
    const { generation, isSynced } = this.#connection;
    // A power cut may take what is only here.
    if (file === undefined || isSynced || this.#generation !== generation) return false;
    const bytes = bytesOf(event, this.#last + 1);
    if (this.#bytes + bytes.length > MOST_BYTES) return false;
    try {
      if (file.writeSync(bytes) === bytes.length) {
        this.#bytes += bytes.length;
        this.#last++;
        return true;
      }
      file.truncateSync(this.#bytes); // a full disk: behind half an event none can be read
    } catch {
      // It is stored at once.
    }
    return false;
  }

  /** Notes that the database knows of all that was appended; only inside its transaction. */
  noteInside(): void {
    if (this.#bytes === 0) return;
    this.#connection.sql("insert or replace into note (key, value) values (?, ?)")
      .run(LAST_STORED, String(this.#last));
  }

  #lastStored(): number {
    return this.#connection.run(() => {
      const row = this.#connection.sql("select value from note where key = ?").get(LAST_STORED);
      return Number(row?.value ?? 0);
    });
  }

  /** All that was appended is in the database. */
  cut(): void {
    const file = this.#file;
    if (this.#bytes === 0 || file === undefined) return;
    try {
      file.truncateSync(0);
      this.#bytes = 0;
      if (file.statSync().nlink === 0) this.#generation = 0; // removed: it must be made anew
    } catch {
      this.#generation = 0;
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#bytes = 0;
  }
}

/** The journal's place beside the database. */
export function journalOf(path: string): string {
  return path.replace(/\.db$/, "") + SUFFIX;
}

/** A line of JSON, the payload, a line feed. */
function bytesOf({ frame, taking }: TakenEvent, number: number): Uint8Array {
  const { header, payload, droppedBytes } = frame;
  const record: Record = {
    number,
    header,
    taking,
    payloadBytes: payload.length,
    droppedBytes,
    crc: crc32(payload),
  };
  const line = JSON.stringify(record) + "\n";
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(line) + payload.length + 1);
  const at = bytes.write(line);
  bytes.set(payload, at);
  bytes[bytes.length - 1] = LINE_FEED;
  return bytes;
}

/** An event of a journal. */
interface Read {
  readonly number: number;
  readonly event: TakenEvent;
  /** How many bytes it takes. */
  readonly bytes: number;
}

/** Up to the first that is not whole. */
function recordsIn(bytes: Uint8Array): { readonly records: Read[]; readonly brokenBytes: number } {
  const records: Read[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const first = firstOf(rest);
    if (first === undefined) break;
    records.push(first);
    rest = rest.subarray(first.bytes);
  }
  return { records, brokenBytes: rest.length };
}

function firstOf(bytes: Uint8Array): Read | undefined {
  const lineEnd = bytes.indexOf(LINE_FEED);
  const record = lineEnd < 0 ? undefined : parseRecord(bytes.subarray(0, lineEnd));
  if (record === undefined) return undefined;
  const { number, header, taking, payloadBytes, droppedBytes, crc } = record;
  const payload = bytes.subarray(lineEnd + 1, lineEnd + 1 + payloadBytes);
  if (payload.length !== payloadBytes || crc32(payload) !== crc) return undefined;
  const end = lineEnd + 1 + payloadBytes;
  if (bytes[end] !== LINE_FEED) return undefined;
  return { number, event: { frame: { header, payload, droppedBytes }, taking }, bytes: end + 1 };
}

function parseRecord(line: Uint8Array): Record | undefined {
  try {
    const record = JSON.parse(new TextDecoder().decode(line)) as Partial<Record>;
    const { number, header, taking, payloadBytes, droppedBytes, crc } = record;
    if (number === undefined || header === undefined || taking === undefined) return undefined;
    if (payloadBytes === undefined || droppedBytes === undefined || crc === undefined) {
      return undefined;
    }
    return { number, header, taking, payloadBytes, droppedBytes, crc };
  } catch {
    return undefined;
  }
}

const NOTHING: JournalContent = { events: [], brokenBytes: 0 };
