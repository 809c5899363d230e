// A rule says which events are worth an alert and who gets it. CONDITIONS is the only list
// of the words that may stand in `on:`; the docs, `init` and `check` are all made from it.

import type { Event } from "../events/event.ts";

/** What a word of `on:` means. */
export interface Condition {
  /** What our section must subscribe to for the word to come true; the least that does. */
  readonly subscription: string;
  /** What the event is about, and so what `where` can ask for. */
  readonly about: "process" | "group" | "supervisord";
  /** Whether the event carries a text that `where: { text }` can search. */
  readonly hasText?: true;
  holds(event: Event): boolean;
}

const process = (eventname: string, kind: Event["kind"]): Condition => ({
  subscription: eventname,
  about: "process",
  holds: (event) => event.kind === kind,
});

/** Every word of `on:`. */
export const CONDITIONS = {
  crash: {
    subscription: "PROCESS_STATE_EXITED",
    about: "process",
    holds: (event) => event.kind === "process_exited" && !event.expected,
  },
  exit: process("PROCESS_STATE_EXITED", "process_exited"),
  fatal: process("PROCESS_STATE_FATAL", "process_fatal"),
  start_failed: process("PROCESS_STATE_BACKOFF", "process_backoff"),
  starting: process("PROCESS_STATE_STARTING", "process_starting"),
  started: process("PROCESS_STATE_RUNNING", "process_running"),
  stopping: process("PROCESS_STATE_STOPPING", "process_stopping"),
  stopped: process("PROCESS_STATE_STOPPED", "process_stopped"),
  state_unknown: process("PROCESS_STATE_UNKNOWN", "process_unknown"),
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
} as const satisfies Record<string, Condition>;

/** A word of `on:`. */
export type ConditionWord = keyof typeof CONDITIONS;

export const CONDITION_WORDS = Object.keys(CONDITIONS) as ConditionWord[];

/** The condition that a word stands for. */
export function conditionOf(word: ConditionWord): Condition {
  return CONDITIONS[word];
}

/** Names with wildcards: one of `wanted` (all, when empty) and none of `excluded`. */
export interface NamePatterns {
  readonly wanted: readonly NamePattern[];
  readonly excluded: readonly NamePattern[];
}

/** One pattern, as written: `*` stands for any characters, `?` for one. */
export interface NamePattern {
  readonly text: string;
  /** Whether the pattern holds a colon and so is about `group:name`, not the bare name. */
  readonly qualified: boolean;
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
}
