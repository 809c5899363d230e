// superbell silence: nothing is told about some processes for a while.

import { formatTime } from "../alerts/compose.ts";
import { formatDuration, formatRoughly, parseDuration } from "../config/duration.ts";
import { nearest, suggest } from "../config/nearest.ts";
import { displayName, type ProcessName } from "../events/event.ts";
import { RosterStore } from "../outbox/roster_store.ts";
import { matchProcess } from "../rules/match.ts";
import { namePattern } from "../rules/parse.ts";
import { MAX_REQUEST_CHARS, MOST_PATTERNS, type Request, wrongUntil } from "../rules/request.ts";
import { LONGEST_SILENCE_MS, type Silence, wrongSilencePattern } from "../rules/silence.ts";
import type { Settings } from "../settings.ts";
import { ask, askerOf, looking } from "./ask.ts";
import {
  type Command,
  type Options,
  parseOptions,
  print,
  printError,
  refuseOptions,
  UsageError,
} from "./command.ts";
import { settingsToLook } from "./config_file.ts";
import { readSilences, type SeenSilence, silenceCells, silenceDocument } from "./silence_report.ts";
import { columns, oneLine } from "./table.ts";
import { type Here, parseUntil } from "./when.ts";

export const silence: Command = {
  name: "silence",
  summary: "keeps it quiet about some processes for a while",
  help: `Usage: superbell silence add    [-c FILE] PATTERN… 30m      [--reason TEXT] [--by NAME]
       superbell silence add    [-c FILE] PATTERN… --until TIME [--reason TEXT] [--by NAME]
       superbell silence list   [-c FILE] [--json]
       superbell silence remove [-c FILE] ID… | PATTERNS… | all

add     begins a silence about the processes that the patterns fit, as in where.process of a
        rule: 'web:*', api, '*'. For a time (90s, 30m, 2h, 1d), or until 18:00, 2026-11-22,
        '2026-11-22 06:00' or an ISO time; without a zone they are in time_zone of the
        configuration. At most ${formatDuration(LONGEST_SILENCE_MS)}. --by: your login name
list    the silences in force, how long still, and what each holds now
remove  ends it; what it holds and is still broken is told at once. ID: its first 4 characters do;
        PATTERNS: all of its patterns, with commas

The running listener takes it within a second, and the command waits for that; while none runs
it is taken at the next start, and stderr says so.
Exit codes: 0; 1 no such silence, the listener does not answer, or the outbox cannot be opened;
2 usage or configuration.
`,
  async run(args) {
    const options = parseOptions(args, {
      strings: ["until", "reason", "by"],
      flags: ["json"],
      words: ["action", "PATTERN…"],
    });
    const [action = "list", ...words] = options.words;
    const known = ACTIONS.get(action);
    if (known === undefined) {
      throw new UsageError(`unknown action "${action}"; ${suggest(action, ACTIONS.keys())}`);
    }
    refuseOptions(options, action, known.takes);
    const settings = settingsToLook(options);
    const here = { nowMs: Date.now(), timeZone: settings.timeZone };
    return await known.act({ options, settings, words, here });
  },
};

interface Job {
  readonly options: Options;
  readonly settings: Settings;
  readonly words: readonly string[];
  readonly here: Here;
}

const ACTIONS: ReadonlyMap<string, {
  readonly act: (job: Job) => Promise<number> | number;
  /** The options that mean something for it. */
  readonly takes: readonly string[];
}> = new Map([
  ["add", { act: add, takes: ["until", "reason", "by"] }],
  ["list", { act: list, takes: ["json"] }],
  ["remove", { act: remove, takes: [] }],
]);

async function add(job: Job): Promise<number> {
  const { settings, here } = job;
  const asked = silenceOf(job);
  const known = looking(settings, (outbox) => new RosterStore(outbox).processes())
    .map(({ process }) => process);
  const code = await ask(settings, "silence", [{ kind: "silence", silence: asked }]);
  const { untilMs, id } = asked;
  const end = `${formatTime(untilMs, here.timeZone)} (${formatRoughly(untilMs - here.nowMs)})`;
  if (code === 0) print(`quiet until ${end}; to end it: superbell silence remove ${id}`);
  for (const note of unknownPatterns(asked.patterns, known)) printError(note);
  return code;
}

function silenceOf({ options, words, here }: Job): Silence {
  const until = options.string("until");
  if (until !== undefined && parseDuration(words.at(-1) ?? "") !== undefined) {
    throw new UsageError(`give either "${words.at(-1)}" or --until, not both`);
  }
  const [patterns, untilMs] = until === undefined
    ? forTime(words, here.nowMs)
    : [words, parseUntil("until", until, here)] as const;
  if (patterns.length === 0) {
    throw new UsageError(`add takes PATTERN… and a time, as in: superbell silence add 'web:*' 30m`);
  }
  if (patterns.length > MOST_PATTERNS) {
    throw new UsageError(`a silence has at most ${MOST_PATTERNS} patterns`);
  }
  if (patterns.some((pattern) => pattern.trim() === "")) {
    throw new UsageError("a pattern is empty, which is no process; '*' is all of them");
  }
  const wrong = patterns.map(wrongSilencePattern).find((why) => why !== undefined) ??
    wrongUntil(untilMs, here.nowMs);
  if (wrong !== undefined) throw new UsageError(wrong);
  const [by, reason] = [askerOf(options.string("by")), options.string("reason") ?? ""];
  const long = [by, reason, ...patterns].find((text) => text.length > MAX_REQUEST_CHARS);
  if (long !== undefined) {
    throw new UsageError(`"${long.slice(0, 40)}…" is longer than ${MAX_REQUEST_CHARS} characters`);
  }
  const id = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
  return { id, patterns, createdAtMs: here.nowMs, untilMs, reason, by };
}

function forTime(
  words: readonly string[],
  nowMs: number,
): readonly [readonly string[], number] {
  const last = words.at(-1);
  const durationMs = last === undefined ? undefined : parseDuration(last);
  if (durationMs === undefined) {
    throw new UsageError(
      `for how long? The last word is a time like 30m, 2h or 1d, or give --until 18:00` +
        (last === undefined ? "" : `; found "${last}"`),
    );
  }
  return [words.slice(0, -1), nowMs + durationMs];
}

/** A pattern may be about what will be added only tomorrow, so this is no error. */
function unknownPatterns(
  patterns: readonly string[],
  known: readonly ProcessName[],
): string[] {
  if (known.length === 0) return []; // the listener has never run
  const names = new Set([
    ...known.map(displayName),
    ...known.map(({ name }) => name),
    ...known.map(({ group }) => `${group}:*`),
  ]);
  return patterns.filter((pattern) =>
    !known.some((process) =>
      matchProcess({ wanted: [namePattern(pattern)], excluded: [] }, process) === "fits"
    )
  ).map((pattern) => {
    const near = nearest(pattern, names);
    const hint = near === undefined ? "" : `; did you mean "${near}"?`;
    return oneLine(`note: no process that is known fits "${pattern}"${hint}`);
  });
}

function list({ options, settings, words, here }: Job): number {
  if (words.length > 0) throw new UsageError(`list takes no words, found "${words[0]}"`);
  const seen = looking(settings, (outbox) => readSilences(outbox, here.nowMs));
  if (options.flag("json")) {
    const documents = seen.map((one) => silenceDocument(one, here.nowMs));
    print(JSON.stringify(documents, undefined, 2));
  } else if (seen.length === 0) print("no silence is in force");
  else print(columns(seen.map((one) => silenceCells(one, here))).join("\n"));
  return 0;
}

async function remove({ settings, words, here }: Job): Promise<number> {
  if (words.length === 0) {
    throw new UsageError("remove takes an ID, patterns or all; superbell silence list prints them");
  }
  const seen = looking(settings, (outbox) => readSilences(outbox, here.nowMs));
  if (words.length === 1 && words[0] === "all") {
    if (seen.length > 0) return await ask(settings, "silence", seen.map(requestToEnd));
    print("no silence is in force");
    return 0;
  }
  const chosen = new Map<string, SeenSilence>();
  let unknown = 0;
  for (const word of words) {
    const found = meant(seen, word);
    for (const one of found) chosen.set(one.id, one);
    if (found.length > 0) continue;
    unknown++;
    const known = seen.flatMap(({ id, patterns }) => [id, patterns.join(",")]);
    printError(
      oneLine(`superbell silence: there is no silence "${word}"; ${suggest(word, known)}`),
    );
  }
  const code = chosen.size === 0
    ? 0
    : await ask(settings, "silence", [...chosen.values()].map(requestToEnd));
  return unknown > 0 ? 1 : code;
}

/** By its id or the beginning of it, or by its patterns. */
function meant(seen: readonly SeenSilence[], word: string): readonly SeenSilence[] {
  const byId = seen.filter(({ id }) => word.length >= 4 && id.startsWith(word));
  if (byId.length > 1) throw new UsageError(`"${word}" begins more than one silence's ID`);
  return byId.length > 0 ? byId : seen.filter(({ patterns }) => patterns.join(",") === word);
}

function requestToEnd({ id }: Silence): Request {
  return { kind: "unsilence", id };
}
