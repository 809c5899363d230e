// Frames as supervisord writes them, for tests of what reads them.

import { type Frame, parseHeader } from "../../src/events/frame.ts";

const encoder = new TextEncoder();
const FIXTURES = new URL("../fixtures/frames/", import.meta.url);

/** What supervisord counts in `len`: 3.x bytes, 4.x code points. */
export type LenOf = "bytes" | "code points";

/** What may be said of a frame; the rest is usual. */
export interface FrameWords {
  readonly eventname?: string;
  readonly payload?: string | Uint8Array;
  readonly serial?: number;
  readonly server?: string;
  readonly pool?: string;
  readonly lenOf?: LenOf;
  /** Instead of the right one. */
  readonly len?: number;
}

/** Header and payload, as they stand in the pipe. */
export function frameBytes(words: FrameWords = {}): Uint8Array<ArrayBuffer> {
  const { serial = 7, server = "supervisor", pool = "superbell" } = words;
  const eventname = words.eventname ?? "PROCESS_LOG_STDOUT";
  const payload = bytesOf(words.payload ?? "");
  const len = words.len ?? (words.lenOf === "bytes" ? payload.length : codePointsIn(payload));
  const header = `ver:3.0 server:${server} serial:${serial} pool:${pool} poolserial:${serial} ` +
    `eventname:${eventname} len:${len}\n`;
  return concat(encoder.encode(header), payload);
}

/** The frame as a decoder hands it out. */
export function frameOf(words: FrameWords = {}): Frame {
  const { serial = 7, server = "supervisor", pool = "superbell" } = words;
  const payload = bytesOf(words.payload ?? "");
  const eventname = words.eventname ?? "PROCESS_LOG_STDOUT";
  const len = words.len ?? (words.lenOf === "bytes" ? payload.length : codePointsIn(payload));
  return {
    header: { ver: "3.0", server, serial, pool, poolserial: serial, eventname, len },
    payload,
    droppedBytes: 0,
  };
}

/** As Python counts: every byte that does not continue a character. */
export function codePointsIn(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => count + Number((byte & 0xc0) !== 0x80), 0);
}

export function bytesOf(text: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof text === "string" ? encoder.encode(text) : new Uint8Array(text);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A recorded stream of tests/fixtures/frames, and what describe.py says of it. */
export interface Capture {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly events: readonly Record<string, unknown>[];
}

/** Every recorded stream. */
export function captures(): Capture[] {
  return [...Deno.readDirSync(FIXTURES)]
    .filter(({ name }) => name.endsWith(".bin"))
    .map(({ name }) => name.slice(0, -".bin".length))
    .sort()
    .map((name) => ({
      name,
      bytes: Deno.readFileSync(new URL(`${name}.bin`, FIXTURES)),
      events: JSON.parse(Deno.readTextFileSync(new URL(`${name}.events.json`, FIXTURES))),
    }));
}

/** One slice of the stream for each frame, cut by what describe.py found (not by our decoder). */
export function slicesOf({ bytes, events }: Capture): Uint8Array[] {
  let at = 0;
  return events.map((event) => {
    const headerEnd = bytes.indexOf(10, at) + 1;
    const slice = bytes.subarray(at, headerEnd + Number(event.bytes));
    at += slice.length;
    return slice;
  });
}

/** The frames of a capture, cut without our decoder. */
export function framesOf(capture: Capture): Frame[] {
  return slicesOf(capture).map((slice) => {
    const headerEnd = slice.indexOf(10);
    const header = parseHeader(new TextDecoder().decode(slice.subarray(0, headerEnd)));
    if (header === undefined) throw new Error(`${capture.name}: no header`);
    return { header, payload: slice.slice(headerEnd + 1), droppedBytes: 0 };
  });
}
