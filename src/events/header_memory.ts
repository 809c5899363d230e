// Headers of one supervisord differ only in their numbers and the event's name, so the next one
// is compared with the last one byte by byte: no text is made of it but the event's name. That is
// several times faster than to parse it, and supervisord waits meanwhile.

import type { FrameHeader } from "./frame.ts";

const EVENTNAME = bytesOf(" eventname:");
const LEN = bytesOf(" len:");
const MOST_DIGITS = 15;
const BLANK = 32;
const DELETE = 127;

/** The parts of the last header that the next one repeats. */
interface Known {
  readonly header: FrameHeader;
  /** From "ver:" to " serial:". */
  readonly start: Uint8Array;
  /** From " pool:" to " poolserial:". */
  readonly middle: Uint8Array;
}

/** Remembers what the headers of a stream have in common. */
export class HeaderMemory {
  #known: Known | undefined;
  #eventname = "";
  #eventnameBytes: Uint8Array = new Uint8Array();

  /** Learns from a header that was parsed. */
  learn(header: FrameHeader): void {
    this.#known = {
      header,
      start: bytesOf(`ver:${header.ver} server:${header.server} serial:`),
      middle: bytesOf(` pool:${header.pool} poolserial:`),
    };
  }

  /**
   * The header that the line from `start` to `end` (its line feed) is, exactly as parseHeader
   * would say; undefined when it must be asked, because the line is unlike the last one.
   */
  recognise(bytes: Uint8Array, start: number, end: number): FrameHeader | undefined {
    const known = this.#known;
    if (known === undefined) return undefined;
    let at = skip(bytes, start, known.start);
    const serialAt = at;
    at = skipDigits(bytes, at);
    const serial = numberAt(bytes, serialAt, at);
    at = skip(bytes, at, known.middle);
    const poolserialAt = at;
    at = skipDigits(bytes, at);
    const poolserial = numberAt(bytes, poolserialAt, at);
    at = skip(bytes, at, EVENTNAME);
    const nameAt = at;
    while (at >= 0 && at < end && isPrintable(bytes[at]!)) at++;
    const nameEnd = at;
    at = skip(bytes, at, LEN);
    const lenAt = at;
    at = skipDigits(bytes, at);
    const len = numberAt(bytes, lenAt, at);
    if (at !== end) return undefined;
    const { ver, server, pool } = known.header;
    const eventname = this.#name(bytes, nameAt, nameEnd);
    return { ver, server, serial, pool, poolserial, eventname, len };
  }

  #name(bytes: Uint8Array, start: number, end: number): string {
    const last = this.#eventnameBytes;
    if (end - start === last.length && skip(bytes, start, last) === end) return this.#eventname;
    this.#eventnameBytes = bytes.slice(start, end);
    this.#eventname = String.fromCharCode(...this.#eventnameBytes);
    return this.#eventname;
  }
}

/** The place behind `part` if it stands at `at`; -1 if not, or if `at` is -1. */
function skip(bytes: Uint8Array, at: number, part: Uint8Array): number {
  if (at < 0) return -1;
  for (let index = 0; index < part.length; index++) {
    if (bytes[at + index] !== part[index]) return -1;
  }
  return at + part.length;
}

/** The place behind the digits at `at`; -1 if there are none or too many, or if `at` is -1. */
function skipDigits(bytes: Uint8Array, at: number): number {
  if (at < 0) return -1;
  let end = at;
  while (end < bytes.length && isDigit(bytes[end]!)) end++;
  return end === at || end - at > MOST_DIGITS ? -1 : end;
}

function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - 48;
  return value;
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** ASCII without blanks and controls. */
function isPrintable(byte: number): boolean {
  return byte > BLANK && byte < DELETE;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
