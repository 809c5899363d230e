// The last lines that a process wrote, for an alert: from its log file where we may read that,
// else by XML-RPC. Nothing here throws or takes longer than its deadline; an alert without a
// tail is better than a late one. supervisord 4.x answers HTTP 500 where the piece begins inside
// a character or holds bytes that are not UTF-8 (Supervisor issue 1485) and writes a traceback
// into its own log each time, so the file comes first and there are few attempts.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { ProcessName } from "../events/event.ts";
import { decodeText } from "../events/text.ts";
import { type CallOptions, type SupervisorClient, SupervisorError } from "./client.ts";
import type { LogChannel, LogMark, Marks } from "./log_marks.ts";
import type { ProcessInfo } from "./process_infos.ts";
import { RpcFault, type RpcValue } from "./xmlrpc.ts";

/** The end of a log, or why there is none. */
export interface LogTail {
  /** Without control characters; the oldest first. */
  readonly lines: readonly string[];
  readonly channel: LogChannel;
  readonly source: "file" | "rpc" | "none";
  /** Whether it ends where the log did when the process ended: nothing in it is newer. */
  readonly isExact: boolean;
  /** Why there are no lines; "" where there are. */
  readonly reason: string;
}

const METHODS: Readonly<Record<LogChannel, string>> = {
  stderr: "supervisor.readProcessStderrLog",
  stdout: "supervisor.readProcessStdoutLog",
};

/** What to read, and how much of it. */
export interface LogTailOptions {
  /** The first that has lines is taken. @default ["stderr", "stdout"] */
  readonly channels?: readonly LogChannel[];
  /** @default 20 */
  readonly maxLines?: number;
  /** Of all lines together, in UTF-8. @default 4096 */
  readonly maxBytes?: number;
  /** What getProcessInfo says; it is asked for where this is absent. */
  readonly info?: ProcessInfo;
  /** Where the logs ended with the process. */
  readonly marks?: Marks;
  /** When the process was started, in milliseconds since 1970 UTC: a log that is older is not its. */
  readonly startedAtMs?: number | undefined;
  /** Takes secrets out of the whole piece, before it is cut. */
  readonly mask?: (text: string) => string;
  /** For everything together. @default 1000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

type Limits =
  & Required<Omit<LogTailOptions, "signal" | "info" | "startedAtMs">>
  & Pick<LogTailOptions, "info" | "startedAtMs">
  & { readonly signal: AbortSignal };

/** Colours and control characters take place that the lines then do not need. */
const READ_PER_BYTE = 4;
const MAX_READ_BYTES = 256 * 1024;

/** A log's time of change is up to a tick of the kernel late. */
const CLOCK_LAG_MS = 1000;

/** A piece of a log; `isCut`: something stands before it. */
interface Piece {
  readonly text: string;
  readonly isCut: boolean;
  readonly isExact: boolean;
}

type Found = Piece & { readonly source: "file" | "rpc" } | { readonly reason: string };

/** The last lines of a process's log. */
export async function readLogTail(
  client: SupervisorClient,
  process: ProcessName,
  options: LogTailOptions = {},
): Promise<LogTail> {
  const { channels = ["stderr", "stdout"], maxLines = 20, maxBytes = 4096, timeoutMs = 1000 } =
    options;
  const channel = channels[0] ?? "stderr";
  const over = new AbortController();
  const stop = (reason: string) => () => over.abort(reason);
  const giveUp = stop("it was given up");
  const timer = setTimeout(stop(`no answer within ${timeoutMs} ms`), timeoutMs);
  if (options.signal?.aborted) giveUp();
  options.signal?.addEventListener("abort", giveUp);
  const { info, marks = {}, startedAtMs, mask = (text: string) => text } = options;
  const limits = {
    ...{ channels, maxLines, maxBytes, timeoutMs, marks, startedAtMs, mask, signal: over.signal },
    ...(info && { info }),
  };
  try {
    // A file on a server that is gone is waited for by nobody, but cannot be stopped either.
    return await Promise.race([readChannels(client, process, limits), rejection(over.signal)]);
  } catch (error) {
    const reason = over.signal.aborted ? String(over.signal.reason) : describe(error);
    return { lines: [], channel, source: "none", isExact: false, reason };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", giveUp);
  }
}

/** The end of supervisord's own log, as text; its beginning may be cut inside a line. */
export async function readSupervisorLog(
  client: SupervisorClient,
  maxBytes: number,
  options: CallOptions = {},
): Promise<string> {
  return await readByRpc(client, ["supervisor.readLog"], { ...options, maxBytes });
}

async function readChannels(
  client: SupervisorClient,
  process: ProcessName,
  limits: Limits,
): Promise<LogTail> {
  const info = limits.info ?? await readInfo(client, process, limits);
  const reasons: string[] = [];
  for (const channel of limits.channels) {
    const found = await readChannel(client, process, channel, info, limits);
    const lines = "text" in found ? lastLines(found, limits) : [];
    if ("text" in found && lines.length > 0) {
      return { lines, channel, source: found.source, isExact: found.isExact, reason: "" };
    }
    reasons.push(`${channel}: ${"text" in found ? "the log is empty" : found.reason}`);
  }
  const channel = limits.channels[0] ?? "stderr";
  return { lines: [], channel, source: "none", isExact: false, reason: reasons.join("; ") };
}

/** supervisord on Python 2 does not find names that are not ASCII, but lists them. */
async function readInfo(
  client: SupervisorClient,
  { group, name }: ProcessName,
  { timeoutMs, signal }: Limits,
): Promise<Readonly<Record<string, RpcValue>>> {
  try {
    const info = await client.call("supervisor.getProcessInfo", [`${group}:${name}`], {
      timeoutMs,
      signal,
    });
    return info as Record<string, RpcValue>;
  } catch (error) {
    if (!(error instanceof RpcFault) || error.code !== FAULT_BAD_NAME) throw error;
    const list = await client.call("supervisor.getAllProcessInfo", [], { timeoutMs, signal });
    const isMeant = (info: Record<string, RpcValue>) => info.name === name && info.group === group;
    const info = (list as readonly Record<string, RpcValue>[]).find(isMeant);
    if (info === undefined) throw error;
    return info;
  }
}

async function readChannel(
  client: SupervisorClient,
  { group, name }: ProcessName,
  channel: LogChannel,
  info: Readonly<Record<string, RpcValue>>,
  { maxBytes, timeoutMs, marks, startedAtMs = 0, signal }: Limits,
): Promise<Found> {
  const path = info[`${channel}_logfile`];
  if (typeof path !== "string" || path === "") return { reason: "it has no log file" };
  const readBytes = Math.min(READ_PER_BYTE * maxBytes, MAX_READ_BYTES);
  // One that is not absolute stands in supervisord's folder, which need not be ours (3.x).
  const mark = marks[channel]?.path === path ? marks[channel] : undefined;
  const isOlder = (modifiedMs: number) => modifiedMs < startedAtMs - CLOCK_LAG_MS;
  if (mark !== undefined && isOlder(mark.modifiedMs)) return { reason: NOTHING_NEW };
  const piece = path.startsWith("/") ? await readFileEnd(path, readBytes, mark) : "not readable";
  // supervisord itself would wait for ever where it opens a FIFO that nobody writes to.
  if (piece === "not a file") return { reason: `"${path}" is not a regular file` };
  if (piece !== "not readable") {
    return isOlder(piece.modifiedMs) ? { reason: NOTHING_NEW } : { ...piece, source: "file" };
  }
  try {
    const text = await readByRpc(client, [METHODS[channel], `${group}:${name}`], {
      ...{ maxBytes: readBytes, timeoutMs, signal },
      ...(mark && { upTo: mark.size }),
    });
    // What is shorter than asked for is all there is; a cut character may be gone from it.
    const isCut = new TextEncoder().encode(text).length > readBytes - MAX_UTF8_BYTES;
    return { text, isCut, isExact: mark !== undefined, source: "rpc" };
  } catch (error) {
    signal.throwIfAborted();
    return { reason: describe(error) };
  }
}

type ReadFile = Piece & { readonly modifiedMs: number };

/** The end of a file that may be rotated, truncated or removed at any time. */
async function readFileEnd(
  path: string,
  maxBytes: number,
  mark: LogMark | undefined,
): Promise<ReadFile | "not readable" | "not a file"> {
  const current = await readEnd(path, maxBytes, mark);
  if (typeof current === "string") return current;
  const { modifiedMs, isCut } = current;
  const found = (bytes: Uint8Array, more: Pick<Piece, "isCut" | "isExact">) => ({
    text: decodeLines(bytes),
    modifiedMs,
    ...more,
  });
  // supervisord renames a full log to .1 (loggers.py:doRollover), so its end may stand there.
  if (mark !== undefined && !current.isMarked) {
    const renamed = await readEnd(`${path}.1`, maxBytes, mark);
    if (typeof renamed !== "string" && renamed.isMarked) {
      return found(renamed.bytes, { isCut: renamed.isCut, isExact: true });
    }
  }
  const isExact = current.isMarked;
  if (isCut) return found(current.bytes, { isCut, isExact });
  const older = await readEnd(`${path}.1`, maxBytes - current.bytes.length);
  if (typeof older === "string") return found(current.bytes, { isCut: false, isExact });
  const bytes = new Uint8Array(older.bytes.length + current.bytes.length);
  bytes.set(older.bytes);
  bytes.set(current.bytes, older.bytes.length);
  return found(bytes, { isCut: older.isCut, isExact });
}

/** The end of one file; `isMarked`: up to the mark, for it is the file that the mark is of. */
interface ReadEnd {
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
  readonly isMarked: boolean;
  readonly modifiedMs: number;
}

async function readEnd(
  path: string,
  maxBytes: number,
  mark?: LogMark,
): Promise<ReadEnd | "not readable" | "not a file"> {
  let file: FileHandle | undefined;
  try {
    // Opening a FIFO takes something from its other readers, so it is looked at before. The
    // /dev/stderr of a container is a link to supervisord's stderr only for supervisord.
    const target = await Deno.readLink(path).catch(() => path);
    const isOurs = [path, target].some((one) => /^\/(?:dev\/(?:std|fd\/)|proc\/)/.test(one));
    if (isOurs || !(await Deno.stat(path)).isFile) {
      return "not a file";
    }
    // It may have become one since; then O_NONBLOCK keeps the opening from waiting for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    const isMarked = mark !== undefined && stat.ino === mark.inode && stat.size >= mark.size;
    const size = isMarked ? mark.size : stat.size;
    const start = Math.max(0, size - maxBytes);
    const bytes = new Uint8Array(Math.min(size, maxBytes));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, start + length);
      if (bytesRead === 0) break; // truncated meanwhile
      length += bytesRead;
    }
    const modifiedMs = isMarked ? mark.modifiedMs : stat.mtimeMs;
    return { bytes: bytes.subarray(0, length), isCut: start > 0, isMarked, modifiedMs };
  } catch {
    return "not readable";
  } finally {
    await file?.close();
  }
}

/** Each line by itself: a program in GBK and supervisord's or another's UTF-8 share a log. */
function decodeLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start <= bytes.length;) {
    const end = bytes.indexOf(10, start);
    lines.push(decodeText(bytes.subarray(start, end < 0 ? bytes.length : end)));
    start = end < 0 ? bytes.length + 1 : end + 1;
  }
  return lines.join("\n");
}

/**
 * The end of a log, or what stands before `upTo` in it; a cut character is stepped over by asking
 * for a little more.
 */
async function readByRpc(
  client: SupervisorClient,
  [method, ...names]: readonly [method: string, ...names: string[]],
  { maxBytes, upTo, ...options }: CallOptions & {
    readonly maxBytes: number;
    readonly upTo?: number;
  },
): Promise<string> {
  if (upTo === 0) return ""; // a length of 0 means all
  for (let more = 0;; more++) {
    const start = Math.max(0, (upTo ?? 0) - maxBytes - more);
    const piece = upTo === undefined ? [-(maxBytes + more), 0] : [start, upTo - start];
    try {
      return String(await client.call(method, [...names, ...piece], options));
    } catch (error) {
      const isCutCharacter = error instanceof SupervisorError && error.status === 500;
      if (!isCutCharacter || more === MAX_UTF8_BYTES - 1) throw error;
    }
  }
}

const NOTHING_NEW = "nothing was written since it was started";
const MAX_UTF8_BYTES = 4;
const FAULT_BAD_NAME = 10;
const FAULT_NO_FILE = 20;

const ESCAPES = new RegExp(
  [
    String.raw`\x1b\[[0-?]*[ -/]*[@-~]`, // colours, the cursor
    String.raw`\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?`, // titles, links
    String.raw`\x1b[ -/]*[0-~]`, // character sets and the rest
  ].join("|"),
  "g",
);
// deno-lint-ignore no-control-regex -- they are to go
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

function lastLines(piece: Piece, { maxLines, maxBytes, mask }: Limits): string[] {
  const lines = piece.text.split("\n");
  // The rest of a line says little, unless it is all there is.
  if (piece.isCut && lines.filter((line) => line.trim() !== "").length > 1) lines.shift();
  const clean = mask(lines.map(cleanLine).join("\n")).split("\n");
  while (clean.at(-1) === "") clean.pop();
  const taken: string[] = [];
  let left = maxBytes;
  for (const line of clean.slice(-maxLines).reverse()) {
    left -= new TextEncoder().encode(line).length + 1;
    if (left < 0 && taken.length > 0) break;
    taken.unshift(left < 0 ? shortened(line, maxBytes) : line);
  }
  while (taken[0] === "") taken.shift();
  return taken;
}

function cleanLine(line: string): string {
  const plain = line.replace(ESCAPES, "").replace(/\r+$/, "");
  // A carriage return writes over the line, as progress bars do: the last state stays.
  return plain.slice(plain.lastIndexOf("\r") + 1).replace(CONTROLS, "").trimEnd();
}

/** The beginning of a line, at most so many bytes. */
function shortened(line: string, maxBytes: number): string {
  const bytes = new Uint8Array(Math.max(0, maxBytes - 3));
  const { read } = new TextEncoder().encodeInto(line, bytes);
  return `${line.slice(0, read)}…`;
}

async function rejection(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return await new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
}

function describe(error: unknown): string {
  if (error instanceof RpcFault && error.code === FAULT_NO_FILE) return "the log file is missing";
  return error instanceof Error ? error.message : String(error);
}
