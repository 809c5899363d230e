// Bytes in, frames out: the state machine below the reader, without any input or clock.
//
// `len` counts bytes on supervisord 3.x, code points on 4.x under Python 3, and either of
// them, event by event, on 4.x under Python 2 (process.py measures the text and encodes it
// afterwards). So each payload has two possible ends, and what follows tells which: nothing
// more comes before we have answered. Bytes that fit nowhere are damage: they are skipped
// and reported, and the next header is looked for.

import {
  findHeader,
  findHeaderWithin,
  type Frame,
  type FrameHeader,
  MAX_PAYLOAD_BYTES,
  parseHeader,
} from "../events/frame.ts";
import { HeaderMemory } from "../events/header_memory.ts";
import { hasStrictForm } from "../events/parse.ts";
import { isContinuation, sequenceLength } from "../events/text.ts";

/** What the sender does: still sending; nothing more for a while; closed its end. */
export type Flow = "flowing" | "quiet" | "ended";

/** Bytes on our stdin that belong to no frame. */
export interface Damage {
  readonly what: "stray bytes" | "broken frame";
  readonly bytes: number;
  /** The beginning of it, to recognise who wrote it. */
  readonly sample: string;
}

/** A line without end that is longer than this is no header. */
const MAX_HEADER_BYTES = 64 * 1024;
const SAMPLE_BYTES = 80;
const LINE_FEED = 10;
/** How every header of 3.x and 4.x begins; "ver:" alone would also be found in "server:". */
const HEADER_START = new TextEncoder().encode("ver:3.0 server:");
/** Most events are small and come alone: their bytes share buffers, for each buffer costs time. */
const SMALL_BYTES = 1024;
const SHARED_BYTES = 16 * 1024;

const latin1 = new TextDecoder("latin1"); // one character a byte, so that indexes agree
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The payload that is being read: which of its bytes were counted, and what was found. */
interface Progress {
  readonly header: FrameHeader;
  /** Length of the header's line. */
  readonly headerBytes: number;
  /** Bytes of the buffer that are counted. */
  scanned: number;
  codePoints: number;
  /** Offset and length of the last character begun. */
  lead: number;
  leadLength: number;
  /** Where the payload ends if `len` counts code points, once that is known. */
  codePointEnd: number | undefined;
  /** Bytes beyond MAX_PAYLOAD_BYTES that were counted and thrown away. */
  dropped: number;
}

/** Push what was read, then take frames until there is none. */
export class FrameDecoder {
  #bytes: Uint8Array = new Uint8Array();
  #progress: Progress | undefined;
  #damage: Damage[] = [];
  readonly #headers = new HeaderMemory();
  /** Not used yet by any event. */
  #shared: Uint8Array = new Uint8Array();

  /** Adds bytes; they are copied. */
  push(chunk: Uint8Array): void {
    if (this.#bytes.length === 0) {
      this.#bytes = this.#copy(chunk);
      return;
    }
    const joined = new Uint8Array(this.#bytes.length + chunk.length);
    joined.set(this.#bytes);
    joined.set(chunk, this.#bytes.length);
    this.#bytes = joined;
  }

  #copy(chunk: Uint8Array): Uint8Array {
    const { length } = chunk;
    if (length > SMALL_BYTES) return chunk.slice();
    if (this.#shared.length < length) this.#shared = new Uint8Array(SHARED_BYTES);
    const copy = this.#shared.subarray(0, length);
    this.#shared = this.#shared.subarray(length);
    copy.set(chunk);
    return copy;
  }

  /** The next frame, or undefined when more must be read first. */
  take(flow: Flow = "flowing"): Frame | undefined {
    while (this.#progress !== undefined || this.#takeHeader()) {
      const progress = this.#progress!;
      scan(progress, this.#bytes);
      const end = this.#endOf(progress, flow);
      if (end !== undefined) {
        const frame = this.#cut(progress, end);
        if (frame !== undefined) return frame;
      } else if (flow === "flowing" || !this.#resync(this.#bytes.length)) {
        if (flow !== "ended") {
          this.#shed(progress);
          return undefined;
        }
        this.#abandon(this.#bytes.length);
      }
    }
    if (flow === "ended") this.#skip(this.#bytes.length);
    return undefined;
  }

  /** What is missing. "verdict": the payload has reached one of its two possible ends. */
  get lacks(): "header" | "payload" | "verdict" {
    const progress = this.#progress;
    if (progress === undefined) return "header";
    return this.#seen(progress) >= progress.header.len ? "verdict" : "payload";
  }

  /** Bytes that wait for more: of a payload, or of a line that may become a header. */
  get pendingBytes(): number {
    return this.#bytes.length + (this.#progress?.dropped ?? 0);
  }

  /** The damage found since the last call. */
  takeDamage(): Damage[] {
    const damage = this.#damage;
    this.#damage = [];
    return damage;
  }

  /** Consumes lines until one ends in a header; all that stands before it is stray. */
  #takeHeader(): boolean {
    let lineStart = 0;
    let lineEnd: number;
    while ((lineEnd = this.#bytes.indexOf(LINE_FEED, lineStart)) >= 0) {
      const known = this.#headers.recognise(this.#bytes, lineStart, lineEnd);
      if (known !== undefined) {
        this.#begin(known, { at: lineStart, lineEnd });
        return true;
      }
      const line = this.#bytes.subarray(lineStart, lineEnd);
      const found = findHeader(latin1.decode(line));
      if (found !== undefined) {
        const header = parseHeader(utf8.decode(line.subarray(found.at))) ?? found.header;
        this.#headers.learn(header);
        this.#begin(header, { at: lineStart + found.at, lineEnd });
        return true;
      }
      lineStart = lineEnd + 1;
    }
    const unended = this.#bytes.length - lineStart;
    this.#skip(lineStart + Math.max(0, unended - MAX_HEADER_BYTES));
    return false;
  }

  /** Goes on to the payload behind the header; what stands before the header is stray. */
  #begin(
    header: FrameHeader,
    { at, lineEnd }: { readonly at: number; readonly lineEnd: number },
  ): void {
    this.#skip(at);
    const headerBytes = lineEnd + 1 - at;
    this.#bytes = this.#bytes.subarray(headerBytes);
    this.#progress = {
      header,
      headerBytes,
      scanned: 0,
      codePoints: 0,
      lead: 0,
      leadLength: 0,
      codePointEnd: header.len === 0 ? 0 : undefined,
      dropped: 0,
    };
  }

  /** Where the payload ends, counted from its beginning; undefined when that cannot be said yet. */
  #endOf(progress: Progress, flow: Flow): number | undefined {
    const { header: { len }, codePointEnd } = progress;
    if (codePointEnd !== undefined) {
      // Where both ends are the same there is nothing to choose.
      if (codePointEnd === len) return len;
      const beginsHeader = (end: number) => startsLikeHeader(this.#after(progress, end));
      return !beginsHeader(codePointEnd) && beginsHeader(len) ? len : codePointEnd;
    }
    return this.#seen(progress) >= len && flow !== "flowing" ? len : undefined;
  }

  /** The finished frame; undefined when it turned out to be damaged. */
  #cut(progress: Progress, end: number): Frame | undefined {
    const after = this.#after(progress, end);
    // A payload of a fixed form that holds a header has lost its own end. Free text may hold
    // one (a program may log frames); it is doubted only when the stream behind it is off.
    const sound = after.length === 0 ||
      after.length >= HEADER_START.length && startsLikeHeader(after);
    const doubtful = hasStrictForm(progress.header.eventname) || !sound;
    if (doubtful && this.#resync(this.#bytes.length - after.length)) return undefined;
    // Nobody writes to these bytes any more, so they need not be copied.
    const payload = this.#bytes.subarray(0, Math.min(end, MAX_PAYLOAD_BYTES));
    this.#progress = undefined;
    this.#bytes = after;
    return { header: progress.header, payload, droppedBytes: end - payload.length };
  }

  /** Starts again at the first header within the first `within` bytes of the payload, if any. */
  #resync(within: number): boolean {
    if (this.#bytes.indexOf(LINE_FEED) < 0) return false; // a header ends with one
    const at = findHeaderWithin(latin1.decode(this.#bytes));
    if (at === undefined || at >= within) return false;
    this.#abandon(at);
    return true;
  }

  /** Gives the frame in hand up, together with so many bytes of its payload. */
  #abandon(count: number): void {
    const { header: { eventname, serial }, headerBytes, dropped } = this.#progress!;
    this.#damage.push({
      what: "broken frame",
      bytes: headerBytes + dropped + count,
      sample: printable(`${eventname} serial:${serial}`),
    });
    this.#progress = undefined;
    this.#bytes = this.#bytes.subarray(count);
  }

  /** Keeps the memory bounded while a huge payload comes in: it is counted and not kept. */
  #shed(progress: Progress): void {
    if (this.#bytes.length <= MAX_PAYLOAD_BYTES) return;
    progress.dropped += this.#bytes.length - MAX_PAYLOAD_BYTES;
    progress.scanned = MAX_PAYLOAD_BYTES;
    this.#bytes = this.#bytes.slice(0, MAX_PAYLOAD_BYTES);
  }

  #seen(progress: Progress): number {
    return this.#bytes.length + progress.dropped;
  }

  /** The bytes behind the payload if it ends there. */
  #after(progress: Progress, end: number): Uint8Array {
    const index = end <= MAX_PAYLOAD_BYTES
      ? end
      : Math.max(MAX_PAYLOAD_BYTES, end - progress.dropped);
    return this.#bytes.subarray(index);
  }

  #skip(count: number): void {
    if (count === 0) return;
    const sample = utf8.decode(this.#bytes.subarray(0, Math.min(count, SAMPLE_BYTES)));
    this.#damage.push({ what: "stray bytes", bytes: count, sample: printable(sample) });
    this.#bytes = this.#bytes.subarray(count);
  }
}

/** Counts the code points of what has come since the last call. */
function scan(progress: Progress, bytes: Uint8Array): void {
  if (progress.codePointEnd !== undefined) return;
  const { len } = progress.header;
  for (let index = progress.scanned; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (isContinuation(byte)) continue;
    const offset = index + progress.dropped;
    if (progress.codePoints === len) {
      progress.codePointEnd = offset;
      return;
    }
    progress.codePoints++;
    progress.lead = offset;
    progress.leadLength = sequenceLength(byte);
  }
  progress.scanned = bytes.length;
  const lastEnd = progress.lead + progress.leadLength;
  if (progress.codePoints === len && bytes.length + progress.dropped >= lastEnd) {
    progress.codePointEnd = lastEnd;
  }
}

/** Whether the stream goes on as it should: with a header, the beginning of one, or not at all. */
function startsLikeHeader(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, HEADER_START.length);
  for (let index = 0; index < length; index++) {
    if (bytes[index] !== HEADER_START[index]) return false;
  }
  return true;
}

function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
