// A frame is what supervisord writes for one event: a header line and the payload behind it.
// The header is parsed with anchors from the right, because `server` and `pool` are free
// text: `identifier=my box: prod 1` and `[eventlistener: cap ]` are both legal.

/** The header's fields. `len` counts bytes on supervisord 3.x and code points on 4.x. */
export interface FrameHeader {
  readonly ver: string;
  /** supervisord's `identifier=`, free text. */
  readonly server: string;
  /** Counts the events of one supervisord, from 0; goes on across a reload. */
  readonly serial: number;
  /** Our section's name, exactly as written. */
  readonly pool: string;
  /** Counts the events of our pool; a jump means that supervisord dropped some. */
  readonly poolserial: number;
  readonly eventname: string;
  readonly len: number;
}

/** One event as read. */
export interface Frame {
  readonly header: FrameHeader;
  /** At most MAX_PAYLOAD_BYTES of it. */
  readonly payload: Uint8Array;
  /** Bytes of the payload that were read but not kept. */
  readonly droppedBytes: number;
}

/** What we keep of a payload; the largest that supervisord makes of a child's output is 262 KB. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;

// A line may be 64 KiB of anybody's text, so each part is looked for once, from the right: one
// expression over the whole would try every pair of places where two parts might meet.
const HEAD = /ver:(\S{1,16}) server:/y;
const MIDDLE = / serial:(\d{1,15}) pool:/y;
const TAIL = / poolserial:(\d{1,15}) eventname:(\S*) len:(\d{1,15})$/;

/** The header that `line` (without its line feed) is, or undefined. */
export function parseHeader(line: string): FrameHeader | undefined {
  return headerFrom(line, () => 0)?.header;
}

/**
 * The header at the end of `line`, and how much stands before it. Other programs can write
 * to our stdin (`supervisorctl fg`, sendProcessStdin), and their bytes may carry no line feed.
 */
export function findHeader(line: string): { header: FrameHeader; at: number } | undefined {
  return headerFrom(line, (before) => lastPlace(HEAD, "ver:", before));
}

/** Where a header begins in a text, up to its line feed; undefined when there is none. */
export function findHeaderWithin(text: string): number | undefined {
  let lineStart = 0;
  let lineEnd: number;
  while ((lineEnd = text.indexOf("\n", lineStart)) >= 0) {
    const found = findHeader(text.slice(lineStart, lineEnd));
    if (found !== undefined) return lineStart + found.at;
    lineStart = lineEnd + 1;
  }
  return undefined;
}

/** `headAt` says where the header begins, given all that stands before its middle. */
function headerFrom(
  line: string,
  headAt: (before: string) => number | undefined,
): { header: FrameHeader; at: number } | undefined {
  const tail = TAIL.exec(line);
  if (tail === null) return undefined;
  const beforeTail = line.slice(0, tail.index);
  const middleAt = lastPlace(MIDDLE, " serial:", beforeTail);
  if (middleAt === undefined) return undefined;
  const middle = matchAt(MIDDLE, beforeTail, middleAt)!;
  const beforeMiddle = line.slice(0, middleAt);
  const at = headAt(beforeMiddle);
  const head = at === undefined ? null : matchAt(HEAD, beforeMiddle, at);
  if (at === undefined || head === null) return undefined;
  const header = {
    ver: head[1]!,
    server: beforeMiddle.slice(at + head[0].length),
    serial: Number(middle[1]),
    pool: beforeTail.slice(middleAt + middle[0].length),
    poolserial: Number(tail[1]),
    eventname: tail[2]!,
    len: Number(tail[3]),
  };
  return { header, at };
}

/** The last place in `text` where `expression`, which begins with `start`, matches. */
function lastPlace(expression: RegExp, start: string, text: string): number | undefined {
  for (let end = text.length; end >= 0;) {
    const at = text.lastIndexOf(start, end);
    if (at < 0) return undefined;
    if (matchAt(expression, text, at) !== null) return at;
    end = at - 1;
  }
  return undefined;
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}
