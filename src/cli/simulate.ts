// superbell simulate: what the listener would make of these events, and why. Sends nothing and
// touches no state.

import { formatTime } from "../alerts/compose.ts";
import { formatDuration, parseDuration } from "../config/duration.ts";
import { type Command, count, parseOptions, print, printError, UsageError } from "./command.ts";
import { settingsFrom } from "./config_file.ts";
import { parseInput } from "./simulate_input.ts";
import { describeHappening, describeReasons, happeningDocument } from "./simulate_text.ts";
import { type Happening, recordedStart, Simulation } from "./simulation.ts";
import { oneLine } from "./table.ts";
import { parseUntil } from "./when.ts";

const MAX_INPUT_BYTES = 256 * 1024 ** 2;

/** What is open is reminded of for as long as time goes on. */
const LONGEST_MS = 366 * 24 * 60 * 60 * 1000;

export const simulate: Command = {
  name: "simulate",
  summary: "what the rules would make of events, and why",
  help: `Usage: superbell simulate [-c FILE] [EVENTS] [--every 1s] [--at TIME] [--then 1h] [--json]

Puts events through the rules of the configuration as the listener would, and prints for each
what every rule decided and why, and which message goes to whom. Sends nothing, needs no secrets,
and touches no state.

EVENTS   a file, or stdin: what supervisord has written to a listener (as tee keeps it), or lines:

           web:api EXITED                a process, and its state; unexpected unless expected=1
           +2s web:api STARTING          so much later than the line before
           +1s web:api RUNNING pid=12    also: tries=, from=
           +4h                           time passes
           web:api PROCESS_LOG_STDERR out of memory
           REMOTE_COMMUNICATION superbell.silence web:* 30m deploy

         also web PROCESS_GROUP_REMOVED, SUPERVISOR_STATE_CHANGE_STOPPING, TICK_60; # a comment
--every  between two events that say nothing of the time; a recorded TICK sets it by itself
--at     when the first event comes: 2026-11-21T18:00, 18:00; else by the first TICK, else now
--then   how long time goes on after the last event
--json   the same for programs; the keys stand in docs/commands.md

How a process ended is asked of supervisord only by the listener, so titles lack it here; and
alerts that the listener would tell together (digest) stand alone.
Exit codes: 0; 1 EVENTS cannot be read; 2 usage or configuration, or a line that is no event.
`,
  async run(args) {
    const options = parseOptions(args, {
      strings: ["every", "at", "then"],
      flags: ["json"],
      words: ["EVENTS"],
    });
    const settings = settingsFrom(options, { needsSecrets: false });
    const everyMs = durationOf("every", options.string("every") ?? "1s");
    const thenMs = durationOf("then", options.string("then") ?? "1h");
    const { timeZone } = settings;
    const nowMs = Math.floor(Date.now() / 1000) * 1000;
    const at = options.string("at");
    const atMs = at === undefined ? undefined : parseUntil("at", at, { nowMs, timeZone });
    const { occurrences, damage } = parseInput(await readInput(options.words[0]));
    if (occurrences.length === 0) {
      throw new UsageError("there is no event in it; superbell simulate --help shows lines");
    }
    for (const { what, bytes, sample } of damage) {
      printError(
        oneLine(`note: skipped ${bytes} bytes that belong to no event (${what}): ${sample}`),
      );
    }
    const startMs = atMs ?? recordedStart(occurrences, everyMs) ?? nowMs;
    using simulation = new Simulation({ settings, startMs, everyMs, thenMs });
    const happenings: Happening[] = [];
    for (const happening of simulation.run(occurrences)) {
      happenings.push(happening);
      if (options.flag("json")) continue;
      print(describeHappening(happening, timeZone).join("\n"));
    }
    if (options.flag("json")) {
      print(JSON.stringify(happenings.map(happeningDocument), undefined, 2));
      return 0;
    }
    const messages = happenings.flatMap((happening) => happening.messages);
    const events = happenings.filter(({ event }) => event !== undefined);
    const { nextDueMs } = simulation;
    const next = nextDueMs === undefined
      ? "nothing more is due"
      : `next due ${formatTime(nextDueMs, timeZone)}: see --then`;
    print(`\n${count(events, "event")}, ${count(messages, "message")}; ${next}`);
    const reasons = describeReasons(happenings);
    if (reasons.length > 0) print("\n" + reasons.join("\n"));
    return 0;
  },
};

function durationOf(option: string, text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > LONGEST_MS) {
    throw new UsageError(`--${option} is at most ${formatDuration(LONGEST_MS)}, found "${text}"`);
  }
  if (durationMs !== undefined) return durationMs;
  throw new UsageError(`--${option} takes a time like 1s, 5m or 1h, found "${text}"`);
}

async function readInput(path: string | undefined): Promise<Uint8Array> {
  if (path === undefined || path === "-") {
    if (Deno.stdin.isTerminal()) printError("lines of events from here, then Ctrl-D:");
    return await readAll(Deno.stdin.readable, "stdin");
  }
  try {
    using file = Deno.openSync(path);
    if (file.statSync().isDirectory) throw new Error("it is a directory");
    return await readAll(file.readable, `"${path}"`);
  } catch (error) {
    throw new Error(`cannot read "${path}": ${whyUnreadable(error)}`);
  }
}

function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message : String(error);
}

async function readAll(stream: ReadableStream<Uint8Array>, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_INPUT_BYTES) {
      throw new Error(
        `${name} is longer than ${MAX_INPUT_BYTES / 1024 ** 2} MB; give a part of it`,
      );
    }
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
