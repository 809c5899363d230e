// Reads what the rules remember from its rows. They may be of another version, or damaged: a row
// that is not whole is none, for one that is only half understood would fail at every event.

import type { ProcessName, ProcessState } from "../events/event.ts";
import type { Incident, Member, Settling } from "./incident.ts";
import { GROUPINGS } from "./pacing.ts";
import { CONDITIONS } from "./rule.ts";
import type { Tally } from "./rule_memory.ts";
import { LONGEST_SILENCE_MS, type Silence } from "./silence.ts";

/** The incident that the JSON is; undefined where it is none. */
export function readIncident(json: string): Incident | undefined {
  return read(
    json,
    (row): row is Fields<Incident> =>
      [row.id, row.rule, row.key].every(isText) && isOneOf(GROUPINGS, row.by) &&
      [row.startedAtMs, row.ends, row.members, row.unsettled, row.joined]
        .every(isNumber) &&
      [row.gatherUntilMs, row.wellUntilMs, row.returns].every(isNumber) &&
      [row.watchedFromMs, row.dueAtMs].every(isMaybeNumber) &&
      isOneOf([1, 2, 3], row.rank) && typeof row.ready === "boolean" &&
      isCause(row) && (row.newest === undefined || isCause(row.newest)) &&
      (row.held === undefined || isText(row.held)) &&
      (row.told === undefined || isTold(row.told)) &&
      (row.acknowledged === undefined || isAcknowledgement(row.acknowledged)),
  );
}

/** The process of an incident that the JSON is; undefined where it is none. */
export function readMember(json: string): Member | undefined {
  return read(
    json,
    (row): row is Fields<Member> =>
      isProcess(row.process) && isOneOf(STATES, row.state) &&
      [row.flapping, row.joined].every((flag) => flag === undefined || flag === true) &&
      isOneOf([undefined, 0, 1, 2, 3], row.rank) && isOneOf([undefined, 1, 2, 3], row.toldRank) &&
      (row.settled === undefined ||
        isRecord(row.settled) && isOneOf(SETTLINGS, row.settled.how) &&
          isNumber(row.settled.atMs)),
  );
}

/** What a rule has counted, as the JSON has it; undefined where it has not. */
export function readTally(json: string): Tally | undefined {
  return read(
    json,
    (row): row is Fields<Tally> =>
      isText(row.rule) && isText(row.key) && isNumbers(row.recentMs) &&
      isRecord(row.ends) && isNumbers(row.ends.atMs) && isNumber(row.ends.shortRuns) &&
      [row.untold, row.untoldAtMs, row.returns].every(isNumber) &&
      [row.toldAtMs, row.resolvedAtMs].every(isMaybeNumber),
  );
}

/** The silence that the JSON is; undefined where it is none. */
export function readSilence(json: string): Silence | undefined {
  return read(json, (row): row is Fields<Silence> =>
    [row.id, row.reason, row.by].every(isText) &&
    Array.isArray(row.patterns) && row.patterns.length > 0 && row.patterns.every(isText) &&
    isNumber(row.createdAtMs) && isNumber(row.untilMs) &&
    row.untilMs - row.createdAtMs <= LONGEST_SILENCE_MS);
}

type Row = Readonly<Record<string, unknown>>;
/** The row as what it has been found to be. */
type Fields<Value> = Row & { readonly [Key in keyof Value]: Value[Key] };

function read<Value>(
  json: string,
  isWhole: (row: Row) => row is Fields<Value>,
): Value | undefined {
  let row: unknown;
  try {
    row = JSON.parse(json);
  } catch {
    return undefined;
  }
  return isRecord(row) && isWhole(row) ? row : undefined;
}

const STATES: readonly ProcessState[] = [
  "STOPPED",
  "STARTING",
  "RUNNING",
  "BACKOFF",
  "STOPPING",
  "EXITED",
  "FATAL",
  "UNKNOWN",
];

const SETTLINGS: readonly Settling[] = ["running", "exited", "stopped", "removed"];

/** An incident is about a process, whichever way it failed. */
function isEvent(value: unknown): boolean {
  return isRecord(value) && isText(value.kind) && isProcess(value.process) &&
    isRecord(value.origin) && isText(value.origin.server) && isText(value.origin.eventname);
}

function isCause(value: unknown): boolean {
  return isRecord(value) && isText(value.word) && Object.hasOwn(CONDITIONS, value.word) &&
    isEvent(value.event) && isNumber(value.eventAtMs);
}

function isTold(value: unknown): boolean {
  return isRecord(value) && isOneOf([1, 2, 3], value.rank) &&
    [value.atMs, value.messages, value.reminders].every(isNumber) &&
    [value.joins, value.remindAtMs, value.escalateAtMs].every(isMaybeNumber);
}

function isAcknowledgement(value: unknown): boolean {
  return isRecord(value) && isText(value.by) && isText(value.reason) && isNumber(value.atMs);
}

function isProcess(value: unknown): value is ProcessName {
  return isRecord(value) && isText(value.group) && isText(value.name);
}

function isRecord(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOneOf(values: readonly unknown[], value: unknown): boolean {
  return values.includes(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isMaybeNumber(value: unknown): boolean {
  return value === undefined || isNumber(value);
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every(isNumber);
}
