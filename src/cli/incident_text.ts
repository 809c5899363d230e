// What the commands say of an incident, the same in each.

import { foldNames } from "../alerts/fold.ts";
import { truncateChars } from "../alerts/truncate.ts";
import { displayName } from "../events/event.ts";
import { processesOf, type StoredIncident } from "../outbox/stored_incidents.ts";
import type { Closing } from "../rules/incident.ts";
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

/** How it ended, as people say it. */
export const CLOSING_WORDS: Readonly<Record<Closing, string>> = {
  running: "runs again",
  exited: "ended as expected",
  stopped: "stopped",
  removed: "was removed",
  untold: "over before it was told",
  forgotten: "no rule tells of it any more",
};
