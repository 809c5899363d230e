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
  words: Words,
): string | undefined {
  const told = severalOf(report);
  if (told === undefined) return undefined;
  const names = truncateChars(namesOf(told, words), MAX_NAMES_IN_TITLE_CHARS);
  return words.incident.processes(told.count, names);
}

/** The processes that the message is about; undefined where it is one, or none. */
export function severalOf(
  report: IncidentReport | undefined,
): Pick<IncidentReport, "processes" | "count"> | undefined {
  const told = report?.joined ?? report;
  return told !== undefined && told.count > 1 ? told : undefined;
}

/** How it is, where the event does not say that; undefined where it does. */
export function standingOf(
  report: IncidentReport | undefined,
  { incident: words }: Words,
): string | undefined {
  if (report === undefined) return undefined;
  if (report.kind !== "resolved") return isMixed(report) ? words.failed : undefined;
  const settling = report.settling ?? "running";
  return report.flapping === true && settling === "running" ? words.stable : words.over[settling];
}

/** Whether it is about several programs, so that what one of them did is no word about all. */
export function isMixed({ by, count, joined }: IncidentReport): boolean {
  return joined === undefined ? by === "host" && count > 1 : joined.count > 1;
}

/** The title around what happened: which message it is, and for how long it lasts or lasted. */
export function titleAround(what: string, alert: Alert, words: Words): string {
  const { incident } = alert;
  if (incident === undefined) return what;
  const { reminder, escalated, goesOn, also, downNow } = words.incident;
  const lasts = `${words.comma}${goesOn(words.duration(alert.atMs - incident.sinceMs))}`;
  switch (incident.kind) {
    case "firing":
      if (incident.joined !== undefined) {
        const { unsettled } = incident.joined;
        return `${also}${what}${unsettled > 1 ? `${words.comma}${downNow(unsettled)}` : ""}`;
      }
      return incident.flapping === true ? what + endsOf(incident, words) : what;
    case "reminder":
      return `${reminder(incident.reminder ?? 1)}${what}${lasts}${endsOf(incident, words)}`;
    case "escalated":
      return `${escalated}${what}${lasts}${endsOf(incident, words)}`;
    case "resolved": {
      const { wasDown, tookAll } = words.incident;
      const said = severalOf(incident) === undefined ? wasDown : tookAll;
      const lasted = wasMostlyUp(incident)
        ? ""
        : `${words.comma}${said(words.duration(incident.downMs ?? 0))}`;
      return `${what}${lasted}${endsOf(incident, words)}`;
    }
  }
}

/** One that flapped ran most of the time: how long its incident was open is not how long it was down. */
function wasMostlyUp({ flapping }: IncidentReport): boolean {
  return flapping === true;
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
  const isPlain = severity === undefined || severity === "warning";
  // How bad it was is no word about its end.
  const shown = isPlain || incident?.kind === "resolved" ? "" : own.severities[severity];
  if (incident === undefined) return [[own.severity, shown]];
  const { kind, sinceMs, downMs, ends, count, heldBy } = incident;
  const isNew = kind === "firing" && heldBy === undefined && ends < 2 && count < 2;
  return [
    [own.severity, shown],
    [own.affected, count < 2 ? "" : truncateChars(namesOf(incident, words), MAX_NAMES_CHARS)],
    [own.since, isNew ? "" : timeOf(sinceMs)],
    [own.down, downMs === undefined || wasMostlyUp(incident) ? "" : words.duration(downMs)],
    [own.ends, ends < 2 ? "" : String(ends)],
    [own.late, heldBy === undefined ? "" : own.heldBy[heldBy] ?? ""],
  ];
}

/** All names with numbered processes folded, and how many more there are. */
function namesOf(
  { processes, count }: Pick<IncidentReport, "processes" | "count">,
  { nameComma }: Words,
): string {
  const more = count - processes.length;
  return foldNames(processes.map(displayName)).join(nameComma) + (more > 0 ? ` +${more}` : "");
}
