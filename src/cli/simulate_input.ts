// What `superbell simulate` is given: frames as supervisord wrote them, or lines as a person types
// them, which become frames here, so that everything behind is the same for both.

import { parseDuration } from "../config/duration.ts";
import { suggest } from "../config/nearest.ts";
import type { ProcessName } from "../events/event.ts";
import { findHeaderWithin, type Frame } from "../events/frame.ts";
import { parseEvent } from "../events/parse.ts";
import { type Damage, FrameDecoder } from "../listener/frame_decoder.ts";
import { UsageError } from "./command.ts";

/** One thing to happen. */
export interface Occurrence {
  /** How long after the one before; undefined: as usual. */
  readonly waitMs?: number;
  /** The second that a recorded tick stands for. */
  readonly tickMs?: number;
  /** The event, as of the time that it comes; undefined: only time passes. */
  readonly frameAt?: (atMs: number) => Frame;
}

/** What was read. */
export interface SimulationInput {
  readonly occurrences: readonly Occurrence[];
  /** Bytes that belong to no frame. */
  readonly damage: readonly Damage[];
}

/** As much as a pipe gives at once. */
const CHUNK_BYTES = 64 * 1024;

/** Looked through for a header, to tell a recording from lines. */
const LOOK_BYTES = 1024 * 1024;

const encoder = new TextEncoder();

/** The occurrences in the bytes. Throws a UsageError that names the line of a mistake. */
export function parseInput(bytes: Uint8Array): SimulationInput {
  // One character a byte: names may be in any encoding.
  const beginning = new TextDecoder("latin1").decode(bytes.subarray(0, LOOK_BYTES));
  return findHeaderWithin(beginning) === undefined
    ? { occurrences: parseLines(new TextDecoder().decode(bytes)), damage: [] }
    : parseRecording(bytes);
}

function parseRecording(bytes: Uint8Array): SimulationInput {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  const takeAll = (flow: "flowing" | "ended") => {
    for (let frame; (frame = decoder.take(flow)) !== undefined;) frames.push(frame);
  };
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    decoder.push(bytes.subarray(at, at + CHUNK_BYTES));
    takeAll("flowing");
  }
  takeAll("ended");
  const occurrences = frames.map((frame): Occurrence => {
    const event = parseEvent(frame);
    return { frameAt: () => frame, ...(event.kind === "tick" && { tickMs: event.whenMs }) };
  });
  return { occurrences, damage: decoder.takeDamage() };
}

/** The states, and the one that a process usually comes from. */
const STATES: Readonly<Record<string, string>> = {
  STARTING: "STOPPED",
  RUNNING: "STARTING",
  BACKOFF: "STARTING",
  STOPPING: "RUNNING",
  STOPPED: "STOPPING",
  EXITED: "RUNNING",
  FATAL: "BACKOFF",
  UNKNOWN: "RUNNING",
};

/** A time of day, or a day, which no line takes. */
const CLOCK = /^(?:\d{1,2}:\d\d(?::\d\d)?|\d{4}-\d\d-\d\d.*)$/;

/** What may be said of each state; the rest is usual. */
const KEYS = ["expected", "from", "pid", "tries"] as const;

const TEXTS = [
  "PROCESS_LOG_STDOUT",
  "PROCESS_LOG_STDERR",
  "PROCESS_COMMUNICATION_STDOUT",
  "PROCESS_COMMUNICATION_STDERR",
];
const GROUPS = ["PROCESS_GROUP_ADDED", "PROCESS_GROUP_REMOVED"];
const ALONE = ["SUPERVISOR_STATE_CHANGE_RUNNING", "SUPERVISOR_STATE_CHANGE_STOPPING"];
const WORDS = [...Object.keys(STATES), ...TEXTS, ...GROUPS];

/** What the lines so far have made of a process. */
interface Simulated {
  readonly state: string | undefined;
  readonly pid: number;
  /** Failed starts in a row. */
  readonly tries: number;
}

/** Reads lines: `web:api EXITED expected=0`, `+30s web:api RUNNING`, `+4h`. */
function parseLines(text: string): Occurrence[] {
  const processes = new Map<string, Simulated>();
  let serial = 0;
  return text.split(/\r?\n/).flatMap((whole, index): Occurrence[] => {
    const line = whole.replace(/^\uFEFF/, "").trim();
    if (line === "" || line.startsWith("#")) return [];
    try {
      const [wait, rest] = splitWait(line);
      const waiting = wait === undefined ? {} : { waitMs: wait };
      if (rest === "") return [waiting];
      const [eventname, payload] = parseLine(rest, processes);
      const own = serial++;
      return [{
        ...waiting,
        frameAt: (atMs) => frameOf(own, eventname, payload ?? `when:${Math.floor(atMs / 1000)}`),
      }];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`line ${index + 1} "${line.slice(0, 200)}": ${error.message}`);
    }
  });
}

function splitWait(line: string): readonly [number | undefined, string] {
  const [, duration, rest = ""] = /^\+(\S*)\s*(.*)$/s.exec(line) ?? [];
  if (duration === undefined) return [undefined, line];
  const waitMs = parseDuration(duration);
  if (waitMs === undefined) {
    throw new UsageError(`"+${duration}" is no time to wait, as +30s, +5m or +4h`);
  }
  return [waitMs, rest];
}

/** The event's name and payload; without a payload it is a tick, whose payload is the time. */
function parseLine(
  line: string,
  processes: Map<string, Simulated>,
): readonly [string, string | undefined] {
  if (/^TICK_(5|60|3600)$/.test(line)) return [line, undefined];
  if (ALONE.includes(line)) return [line, ""];
  const [, type, said = ""] = /^REMOTE_COMMUNICATION\s+(\S+)\s*(.*)$/s.exec(line) ?? [];
  if (type !== undefined) return ["REMOTE_COMMUNICATION", `type:${type}\n${said}`];
  const words = line.split(/\s+/);
  const at = words.findIndex((word, index) => index > 0 && WORDS.includes(bare(word)));
  if (at < 0) {
    const word = words[1] ?? words[0]!;
    const known = words.length === 1 ? [...ALONE, "TICK_60"] : WORDS;
    throw new UsageError(
      `expected a process and what happens to it, as "web:api EXITED", found "${word}"; ` +
        suggest(word, known),
    );
  }
  const name = words.slice(0, at).join(" ");
  if (at > 1 && CLOCK.test(words[0]!)) {
    throw new UsageError(
      `a line begins with the process, or with how long to wait before it, as ` +
        `"+5m web:api EXITED"; found the time "${words[0]}"`,
    );
  }
  const word = bare(words[at]!);
  if (GROUPS.includes(word)) return [word, `groupname:${name}\n`];
  const process = nameOf(name);
  if (TEXTS.includes(word)) {
    const text = line.slice(line.indexOf(words[at]!, name.length) + words[at]!.length).trimStart();
    const channel = word.endsWith("STDERR") ? "stderr" : "stdout";
    const pid = processes.get(name)?.pid ?? 1000;
    const about = `processname:${process.name} groupname:${process.group} pid:${pid}`;
    const where = word.startsWith("PROCESS_LOG") ? ` channel:${channel}` : "";
    return [word, `${about}${where}\n${text}\n`];
  }
  return parseState({ name, process, word }, words.slice(at + 1), processes);
}

function parseState(
  { name, process, word }: {
    readonly name: string;
    readonly process: ProcessName;
    readonly word: string;
  },
  pairs: readonly string[],
  processes: Map<string, Simulated>,
): readonly [string, string] {
  const given = parsePairs(pairs);
  const before = processes.get(name) ?? { state: undefined, pid: 1000, tries: 0 };
  const usualPid = word === "STARTING" || before.state === undefined ? before.pid + 1 : before.pid;
  const pid = given.pid === undefined ? usualPid : Number(given.pid);
  const tries = given.tries === undefined
    ? word === "BACKOFF" ? before.tries + 1 : before.tries
    : Number(given.tries);
  const from = given.from ?? before.state ?? STATES[word]!;
  processes.set(name, { state: word, pid, tries: word === "RUNNING" ? 0 : tries });
  const rest = word === "STARTING" || word === "BACKOFF"
    ? ` tries:${tries}`
    : word === "EXITED"
    ? ` expected:${given.expected ?? "0"} pid:${pid}`
    : word === "FATAL" || word === "UNKNOWN"
    ? ""
    : ` pid:${pid}`;
  return [
    `PROCESS_STATE_${word}`,
    `processname:${process.name} groupname:${process.group} from_state:${from}${rest}`,
  ];
}

function parsePairs(pairs: readonly string[]): Partial<Record<typeof KEYS[number], string>> {
  const given: Partial<Record<typeof KEYS[number], string>> = {};
  for (const pair of pairs) {
    const [, key = pair, value] = /^([a-z]+)=(.*)$/.exec(pair) ?? [];
    const known = KEYS.find((one) => one === key);
    if (known === undefined || value === undefined) {
      throw new UsageError(`expected ${KEYS.map((one) => `${one}=`).join(", ")}, found "${pair}"`);
    }
    const form = known === "expected" ? /^[01]$/ : known === "from" ? /^[A-Z]+$/ : /^\d{1,10}$/;
    if (!form.test(value)) throw new UsageError(`${known}= cannot be "${value}"`);
    given[known] = value;
  }
  return given;
}

/** As supervisord names the event, or without what all begin with. */
function bare(word: string): string {
  return word.replace(/^PROCESS_STATE_/, "");
}

/** `web:api`, or a name alone, whose group has the same. */
function nameOf(text: string): ProcessName {
  const at = text.indexOf(":");
  return at < 0 ? { group: text, name: text } : {
    group: text.slice(0, at),
    name: text.slice(at + 1),
  };
}

function frameOf(serial: number, eventname: string, text: string): Frame {
  const payload = encoder.encode(text);
  return {
    header: {
      ver: "3.0",
      server: "supervisor",
      serial,
      pool: "superbell",
      poolserial: serial,
      eventname,
      len: payload.length,
    },
    payload,
    droppedBytes: 0,
  };
}
