// A rule says which events are worth an alert and who gets it. CONDITIONS is the only list
// of the words that may stand in `on:`; the docs, `init` and `check` are all made from it.

import type { Event } from "../events/event.ts";
import type { NamePatterns } from "./match.ts";
import type { Pacing } from "./pacing.ts";

export type { NamePattern, NamePatterns } from "./match.ts";

/** What a word of `on:` means. */
export interface Condition {
  /**
   * What our section must subscribe to for the word to come true; the least that does. Absent
   * where we find it out ourselves.
   */
  readonly subscription?: string;
  /** It is something broken, which lasts until it is mended; all others are over at once. */
  readonly isFailure?: true;
  /** What the event is about, and so what `where` can ask for. */
  readonly about: "process" | "group" | "supervisord" | "superbell";
  /** Whether the event carries a text that `where: { text }` can search. */
  readonly hasText?: true;
  /** By its kind, and whether an end was expected, and by nothing else: rule_index.ts keeps it. */
  holds(event: Event): boolean;
}

const process = (eventname: string, kind: Event["kind"]): Condition => ({
  subscription: eventname,
  about: "process",
  holds: (event) => event.kind === kind,
});

const failure = (eventname: string, kind: Event["kind"]): Condition => ({
  ...process(eventname, kind),
  isFailure: true,
});

/** Every word of `on:`. */
export const CONDITIONS = {
  crash: {
    ...failure("PROCESS_STATE_EXITED", "process_exited"),
    holds: (event) => event.kind === "process_exited" && !event.expected,
  },
  exit: failure("PROCESS_STATE_EXITED", "process_exited"),
  fatal: failure("PROCESS_STATE_FATAL", "process_fatal"),
  start_failed: failure("PROCESS_STATE_BACKOFF", "process_backoff"),
  flapping: {
    ...failure("PROCESS_STATE_EXITED", "process_exited"),
    // Each end may be the one too many; only the memory of those before tells.
    holds: (event) => event.kind === "process_exited" || event.kind === "process_backoff",
  },
  starting: process("PROCESS_STATE_STARTING", "process_starting"),
  started: process("PROCESS_STATE_RUNNING", "process_running"),
  stopping: process("PROCESS_STATE_STOPPING", "process_stopping"),
  stopped: process("PROCESS_STATE_STOPPED", "process_stopped"),
  state_unknown: failure("PROCESS_STATE_UNKNOWN", "process_unknown"),
  process_log: { ...process("PROCESS_LOG", "process_log"), hasText: true },
  process_communication: {
    ...process("PROCESS_COMMUNICATION", "process_communication"),
    hasText: true,
  },
  remote_communication: {
    subscription: "REMOTE_COMMUNICATION",
    about: "supervisord",
    hasText: true,
    holds: (event) => event.kind === "remote_communication",
  },
  group_added: {
    subscription: "PROCESS_GROUP_ADDED",
    about: "group",
    holds: (event) => event.kind === "process_group_added",
  },
  group_removed: {
    subscription: "PROCESS_GROUP_REMOVED",
    about: "group",
    holds: (event) => event.kind === "process_group_removed",
  },
  supervisor_starting: {
    subscription: "SUPERVISOR_STATE_CHANGE_RUNNING",
    about: "supervisord",
    holds: (event) => event.kind === "supervisor_running",
  },
  supervisor_stopping: {
    subscription: "SUPERVISOR_STATE_CHANGE_STOPPING",
    about: "supervisord",
    holds: (event) => event.kind === "supervisor_stopping",
  },
  tick: {
    subscription: "TICK_60",
    about: "supervisord",
    holds: (event) => event.kind === "tick",
  },
  gap: { about: "supervisord", holds: (event) => event.kind === "gap" },
  channel_failing: { about: "superbell", holds: (event) => event.kind === "channel_failing" },
  channel_recovered: { about: "superbell", holds: (event) => event.kind === "channel_recovered" },
  reload_failed: { about: "superbell", holds: (event) => event.kind === "reload_failed" },
  reload_recovered: { about: "superbell", holds: (event) => event.kind === "reload_recovered" },
} as const satisfies Record<string, Condition>;

/** A word of `on:`. */
export type ConditionWord = keyof typeof CONDITIONS;

export const CONDITION_WORDS = Object.keys(CONDITIONS) as ConditionWord[];

/** The condition that a word stands for. */
export function conditionOf(word: ConditionWord): Condition {
  return CONDITIONS[word];
}

/** Whether the word is something broken, so that it makes an incident. */
export function isFailure(word: ConditionWord): boolean {
  return conditionOf(word).isFailure === true;
}

/** The streams that a process writes to; `auto`: stderr, or stdout where it wrote nothing there. */
export const TAIL_STREAMS = ["auto", "stderr", "stdout", "both"] as const;

/** What to tell of the last lines that a process wrote. */
export interface TailSettings {
  /** At most so many of each stream; 0: none. */
  readonly lines: number;
  readonly stream: typeof TAIL_STREAMS[number];
  /** Of each stream, in UTF-8. */
  readonly maxBytes: number;
}

/** One rule of the configuration. */
export interface Rule {
  readonly name: string;
  readonly on: readonly ConditionWord[];
  readonly where: {
    readonly process?: NamePatterns;
    readonly group?: NamePatterns;
    readonly text?: RegExp;
  };
  /** Names of channels, in the order of the file. */
  readonly to: readonly string[];
  /** When and how often it tells. @default DEFAULT_PACING */
  readonly pacing?: Pacing;
  /** Where it differs from the top level's. */
  readonly tail?: Partial<TailSettings>;
}
