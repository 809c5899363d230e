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

/** The journal beside one database. Nothing here throws: without it events are stored at once. */
export class Journal {
  readonly #connection: Connection;
  #file: Deno.FsFile | undefined;
  /** Beside which file of the connection's it was opened; 0: beside none yet. */
  #generation = 0;
  #bytes = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Opens the file beside the database that is in use, for whoever holds the state directory, and
   * answers what it holds; nothing where it was opened already.
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
      const content = contentOf(bytes);
      this.#bytes = bytes.length - content.brokenBytes;
      if (content.brokenBytes > 0) this.#file.truncateSync(this.#bytes); // nothing stands behind it
      return content;
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
    const bytes = bytesOf(event);
    if (this.#bytes + bytes.length > MOST_BYTES) return false;
    try {
      const written = file.writeSync(bytes);
      this.#bytes += written;
      return written === bytes.length;
    } catch {
      return false;
    }
  }

  /** All that was appended is in the database. */
  cut(): void {
    if (this.#bytes === 0) return;
    try {
      this.#file?.truncateSync(0);
      this.#bytes = 0;
    } catch {
      this.close(); // what is stored already must not be followed by what is not
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
function bytesOf({ frame, taking }: TakenEvent): Uint8Array {
  const { header, payload, droppedBytes } = frame;
  const record: Record = {
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

function contentOf(bytes: Uint8Array): JournalContent {
  const events: TakenEvent[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const first = firstOf(rest);
    if (first === undefined) break;
    events.push(first.event);
    rest = rest.subarray(first.bytes);
  }
  return { events, brokenBytes: rest.length };
}

/** The first event of the bytes, and how many of them it takes. */
function firstOf(bytes: Uint8Array): { event: TakenEvent; bytes: number } | undefined {
  const lineEnd = bytes.indexOf(LINE_FEED);
  const record = lineEnd < 0 ? undefined : parseRecord(bytes.subarray(0, lineEnd));
  if (record === undefined) return undefined;
  const { header, taking, payloadBytes, droppedBytes, crc } = record;
  const payload = bytes.subarray(lineEnd + 1, lineEnd + 1 + payloadBytes);
  if (payload.length !== payloadBytes || crc32(payload) !== crc) return undefined;
  const end = lineEnd + 1 + payloadBytes;
  if (bytes[end] !== LINE_FEED) return undefined;
  return { event: { frame: { header, payload, droppedBytes }, taking }, bytes: end + 1 };
}

function parseRecord(line: Uint8Array): Record | undefined {
  try {
    const record = JSON.parse(new TextDecoder().decode(line)) as Partial<Record>;
    const { header, taking, payloadBytes, droppedBytes, crc } = record;
    if (header === undefined || taking === undefined) return undefined;
    if (payloadBytes === undefined || droppedBytes === undefined || crc === undefined) {
      return undefined;
    }
    return { header, taking, payloadBytes, droppedBytes, crc };
  } catch {
    return undefined;
  }
}

const NOTHING: JournalContent = { events: [], brokenBytes: 0 };
