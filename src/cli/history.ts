// superbell history: what was broken, for how long, and what was told about it.

import { formatTime } from "../alerts/compose.ts";
import { formatRoughly } from "../config/duration.ts";
import { suggest } from "../config/nearest.ts";
import type { Exit } from "../events/event.ts";
import { RosterStore } from "../outbox/roster_store.ts";
import { lockMadeMs } from "../outbox/state_dir.ts";
import { processesOf, type StoredIncident, StoredIncidents } from "../outbox/stored_incidents.ts";
import { HOST_RULE } from "../rules/host_incident.ts";
import { matchProcess } from "../rules/match.ts";
import { namePattern } from "../rules/parse.ts";
import type { Settings } from "../settings.ts";
import { looking } from "./ask.ts";
import { type Command, type Options, parseOptions, print, UsageError } from "./command.ts";
import { settingsToLook } from "./config_file.ts";
import { drawTimeline, glyphsFor } from "./history_timeline.ts";
import { incidentDocument } from "./incident_document.ts";
import {
  acknowledgedText,
  CLOSING_WORDS,
  lastExitOf,
  lastExitText,
  subjectOf,
  toldText,
  withMaskedExit,
} from "./incident_text.ts";
import { columns, oneLine } from "./table.ts";
import { type Here, parseSince } from "./when.ts";

const NARROWEST = 40;
const WIDEST = 500;
const USUAL_WIDTH = 80;

export const history: Command = {
  name: "history",
  summary: "what was broken, for how long, and what was told",
  help: `Usage: superbell history [-c FILE] [--process PATTERN] [--rule NAME] [--since 1d]
                         [--width COLUMNS] [--json]

The incidents that were open at some time since then (1d), the oldest first, those that are still
open at the end; and a picture of it: a line for each process, from then until now. The picture
is drawn in ASCII where LANG has no UTF-8, and blank where nothing is known: before superbell began
to use state_dir, and longer ago than outbox.keep. "ended N times" counts failed starts as well.

--process  a name or a pattern as in where.process of a rule: 'web:*'
--rule     only of this rule
--since    90m, 12h, 7d, or a time: 18:00, 2026-11-21, '2026-11-21 18:00', an ISO time; without a
           zone it is in time_zone of the configuration
--width    columns of the picture; the terminal's, or ${USUAL_WIDTH}
--json     the same for programs; the keys stand in docs/commands.md

Incidents that are over are kept as long as messages (outbox.keep). It only reads, and works
while no listener runs.
Exit codes: 0; 1 the outbox cannot be read; 2 usage or configuration.
`,
  run(args) {
    const options = parseOptions(args, {
      strings: ["process", "rule", "since", "width"],
      flags: ["json"],
    });
    const settings = settingsToLook(options);
    const here = { nowMs: Date.now(), timeZone: settings.timeZone };
    const sinceMs = parseSince("since", options.string("since") ?? "1d", here);
    if (sinceMs >= here.nowMs) throw new UsageError("--since lies ahead");
    const width = parseWidth(options.string("width"));
    const { all, roster } = looking(settings, (outbox) => ({
      all: new StoredIncidents(outbox).since(sinceMs),
      roster: new RosterStore(outbox).processes().map((known) => withMaskedExit(known, settings)),
    }));
    const incidents = narrow(all, options, settings);
    if (options.flag("json")) {
      const documents = incidents.map((one) =>
        incidentDocument(one, { nowMs: here.nowMs, exit: lastExitOf(one, roster) })
      );
      print(JSON.stringify(documents, undefined, 2));
      return 0;
    }
    if (incidents.length === 0) {
      print(`no incident since ${formatTime(sinceMs, here.timeZone)}`);
      return 0;
    }
    const glyphs = glyphsFor((name) => Deno.env.get(name));
    const rows = incidents.map((one) =>
      incidentCells(one, { ...here, exit: lastExitOf(one, roster) })
    );
    print(columns(rows).join("\n") + "\n\n");
    const knownSinceMs = knownSince(settings, here.nowMs);
    print(drawTimeline(incidents, { ...here, sinceMs, width, glyphs, knownSinceMs }).join("\n"));
    return 0;
  },
};

/** The incident as the cells of a row; `exit`: how its processes ended the last time. */
export function incidentCells(
  one: StoredIncident,
  { nowMs, timeZone, exit }: Here & { readonly exit?: Exit | undefined },
): string[] {
  const { incident, closed } = one;
  const lastedMs = Math.max(0, (closed?.atMs ?? nowMs) - incident.startedAtMs);
  const facts = [
    incident.ends === 0 ? undefined : `ended ${timesText(incident.ends)}`,
    exit && lastExitText(exit),
    toldText(one),
    acknowledgedText(one),
  ].filter((fact) => fact !== undefined);
  return [
    incident.id,
    formatTime(incident.startedAtMs, timeZone),
    closed === undefined
      ? `OPEN ${formatRoughly(lastedMs)}`
      : `${formatRoughly(lastedMs)}, ${CLOSING_WORDS[closed.closing] ?? "over"}`,
    oneLine(`${incident.rule}: ${incident.word}`),
    subjectOf(one),
    oneLine(facts.join("; ")),
  ];
}

/** Since when incidents are known: the listener makes its lock once, and forgets what is old. */
export function knownSince(
  { stateDir, retention }: Pick<Settings, "stateDir" | "retention">,
  nowMs: number,
): number {
  return Math.max(lockMadeMs(stateDir) ?? -Infinity, nowMs - retention.keepMs);
}

function timesText(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

function narrow(
  all: readonly StoredIncident[],
  options: Options,
  { rules }: Settings,
): readonly StoredIncident[] {
  const [rule, process] = [options.string("rule"), options.string("process")];
  const known = new Set([
    ...rules.map(({ name }) => name),
    HOST_RULE,
    ...all.map(({ incident }) => incident.rule),
  ]);
  if (rule !== undefined && !known.has(rule)) {
    throw new UsageError(`no rule "${rule}"; ${suggest(rule, known)}`);
  }
  const patterns = process === undefined
    ? undefined
    : { wanted: [namePattern(process)], excluded: [] };
  return all.filter((one) =>
    (rule === undefined || one.incident.rule === rule) &&
    (patterns === undefined ||
      processesOf(one).some((name) => matchProcess(patterns, name) === "fits"))
  );
}

function parseWidth(text: string | undefined): number {
  if (text === undefined) return terminalWidth();
  const width = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
  if (width >= NARROWEST && width <= WIDEST) return width;
  throw new UsageError(`--width takes ${NARROWEST} to ${WIDEST} columns, found "${text}"`);
}

function terminalWidth(): number {
  try {
    const { columns } = Deno.consoleSize();
    return Deno.stdout.isTerminal() && columns >= NARROWEST
      ? Math.min(columns, WIDEST)
      : USUAL_WIDTH;
  } catch {
    return USUAL_WIDTH; // no terminal
  }
}
