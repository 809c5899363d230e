// What a message about an incident says beyond what one about an event does: whom it is about,
// how it stands, since when, how often.

import { displayName } from "../events/event.ts";
import type { IncidentReport } from "../rules/incident.ts";
import type { Alert } from "./alert.ts";
import { foldNames } from "./fold.ts";
import type { IncidentWords } from "./incident_words.ts";
import type { Words } from "./messages.ts";
import { truncateChars } from "./truncate.ts";

const MAX_NAMES_IN_TITLE_CHARS = 60;
const MAX_NAMES_CHARS = 2000;

/** Whom an incident of several processes is about; undefined of one process. */
export function subjectOfSeveral(
  report: IncidentReport | undefined,
  { incident: words }: Words,
): string | undefined {
  if (report === undefined || report.count < 2) return undefined;
  const names = namesOf(report);
  return words.processes(report.count, truncateChars(names, MAX_NAMES_IN_TITLE_CHARS));
}

/** That it is over, in place of what happened; undefined while it is not. */
export function overOf(
  report: IncidentReport | undefined,
  { incident: words }: Words,
): string | undefined {
  if (report?.kind !== "resolved") return undefined;
  const settling = report.settling ?? "running";
  return report.flapping === true && settling === "running" ? words.stable : words.over[settling];
}

/** The title around what happened: which message it is, and for how long it lasts or lasted. */
export function titleAround(what: string, alert: Alert, words: Words): string {
  const { incident } = alert;
  if (incident === undefined) return what;
  const { reminder, escalated, goesOn } = words.incident;
  const lasts = `${words.comma}${goesOn(words.duration(alert.atMs - incident.sinceMs))}`;
  switch (incident.kind) {
    case "firing":
      return incident.flapping === true ? what + endsOf(incident, words) : what;
    case "reminder":
      return `${reminder(incident.reminder ?? 1)}${what}${lasts}${endsOf(incident, words)}`;
    case "escalated":
      return `${escalated}${what}${lasts}${endsOf(incident, words)}`;
    case "resolved": {
      const down = words.incident.wasDown(words.duration(incident.downMs ?? 0));
      return `${what}${words.comma}${down}${endsOf(incident, words)}`;
    }
  }
}

function endsOf({ ends }: IncidentReport, { comma, incident }: Words): string {
  return ends > 1 ? `${comma}${incident.ended(ends)}` : "";
}

/** The lines about the incident: label and value, an empty value where there is nothing to say. */
export function incidentFacts(
  { severity, incident }: Alert,
  words: Words,
  timeOf: (atMs: number) => string,
): readonly (readonly [label: string, value: string])[] {
  const own: IncidentWords = words.incident;
  const shown = severity === undefined || severity === "warning" ? "" : own.severities[severity];
  if (incident === undefined) return [[own.severity, shown]];
  const { kind, sinceMs, downMs, ends, count, heldBy } = incident;
  const isNew = kind === "firing" && heldBy === undefined && ends < 2 && count < 2;
  return [
    [own.severity, shown],
    [own.affected, count < 2 ? "" : truncateChars(namesOf(incident), MAX_NAMES_CHARS)],
    [own.since, isNew ? "" : timeOf(sinceMs)],
    [own.down, downMs === undefined ? "" : words.duration(downMs)],
    [own.ends, ends < 2 ? "" : String(ends)],
    [own.late, heldBy === undefined ? "" : own.heldBy[heldBy] ?? ""],
  ];
}

/** All names with numbered processes folded, and how many more there are. */
function namesOf({ processes, count }: IncidentReport): string {
  const more = count - processes.length;
  return foldNames(processes.map(displayName)).join(", ") + (more > 0 ? ` +${more}` : "");
}
