// What the commands say of an incident, the same in each.

import { maskedExit } from "../alerts/alert.ts";
import { foldNames } from "../alerts/fold.ts";
import { truncateChars } from "../alerts/truncate.ts";
import { displayName, type Exit } from "../events/event.ts";
import { processesOf, type StoredIncident } from "../outbox/stored_incidents.ts";
import type { Closing } from "../rules/incident.ts";
import { type KnownProcess, processKey } from "../rules/roster.ts";
import type { Settings } from "../settings.ts";
import { oneLine } from "./table.ts";

const MAX_SUBJECT_CHARS = 60;

/** What it is about: `web:api`, `web:worker_[00-03]`; of one that gathers more, also how many. */
export function subjectOf(one: StoredIncident): string {
  const names = processesOf(one).map((process) => oneLine(displayName(process)));
  if (names.length === 0) return oneLine(one.incident.key);
  const folded = truncateChars(foldNames(names).join(", "), MAX_SUBJECT_CHARS);
  return names.length === 1 ? folded : `${folded} (${names.length})`;
}

/** What was told of it, and by which reason not. */
export function toldText({ incident }: StoredIncident): string {
  const { told, held } = incident;
  if (told === undefined) return held === undefined ? "not told" : `not told: ${held}`;
  const messages = `${told.messages} ${told.messages === 1 ? "message" : "messages"}`;
  const parts = [
    messages,
    told.reminders === 0
      ? undefined
      : `${told.reminders} ${told.reminders === 1 ? "reminder" : "reminders"}`,
    told.escalated ? "escalated" : undefined,
  ].filter((part) => part !== undefined);
  return `told: ${parts.join(", ")}`;
}

/** Who looks after it; undefined: nobody has said so. */
export function acknowledgedText({ incident: { acknowledged } }: StoredIncident) {
  if (acknowledged === undefined) return undefined;
  const { by, reason } = acknowledged;
  return oneLine(`acknowledged by ${by}${reason === "" ? "" : `: ${reason}`}`);
}

/** supervisord's words about a start that failed quote the command, with all that stands in it. */
export function withMaskedExit(
  known: KnownProcess,
  settings: Pick<Settings, "mask">,
): KnownProcess {
  return known.exit === undefined ? known : { ...known, exit: maskedExit(known.exit, settings) };
}

/** How a process ended the last time, as far as that is known. */
export function lastExitText(exit: Exit | undefined): string | undefined {
  if (exit === undefined) return undefined;
  const cause = exit.signal === undefined
    ? exit.status === undefined ? undefined : `exit status ${exit.status}`
    : exit.signal + (exit.coreDumped === true ? " with core dump" : "");
  const likely = cause !== undefined && exit.certainty === "likely" ? " (likely)" : "";
  const why = [cause && cause + likely, exit.spawnError].filter((part) => part !== undefined);
  return why.length === 0 ? undefined : `last: ${why.join(", ")}`;
}

/**
 * How its processes ended the last time, where that is known of all and the same. Of what is over,
 * only as long as nothing has happened to them since.
 */
export function lastExitOf(
  one: StoredIncident,
  roster: readonly KnownProcess[],
): Exit | undefined {
  const { incident, closed } = one;
  if (incident.ends === 0) return undefined;
  const known = new Map(roster.map((process) => [processKey(process.process), process]));
  const [first, ...others] = processesOf(one).map((process) => {
    const { exit, sinceMs = 0 } = known.get(processKey(process)) ?? {};
    return sinceMs <= (closed?.atMs ?? Infinity) ? exit : undefined;
  });
  return others.every((exit) => lastExitText(exit) === lastExitText(first)) ? first : undefined;
}

/** How it ended, as people say it. */
export const CLOSING_WORDS: Readonly<Record<Closing, string>> = {
  running: "runs again",
  exited: "ended as expected",
  stopped: "stopped",
  removed: "was removed",
  untold: "over before it was told",
  forgotten: "no rule tells of it any more",
};
