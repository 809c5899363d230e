// superbell ack: somebody looks after it. Ends reminders and escalation of open incidents.

import { truncateChars } from "../alerts/truncate.ts";
import { suggest } from "../config/nearest.ts";
import { displayName } from "../events/event.ts";
import { processesOf, type StoredIncident, StoredIncidents } from "../outbox/stored_incidents.ts";
import type { Acknowledgement } from "../rules/incident.ts";
import { matchProcess } from "../rules/match.ts";
import { namePattern } from "../rules/parse.ts";
import { MAX_REQUEST_CHARS } from "../rules/request.ts";
import { ask, askerOf, looking } from "./ask.ts";
import { type Command, parseOptions, print, printError, UsageError } from "./command.ts";
import { settingsToLook } from "./config_file.ts";
import { acknowledgedText, subjectOf } from "./incident_text.ts";
import { columns, oneLine } from "./table.ts";

export const ack: Command = {
  name: "ack",
  summary: "says that somebody looks after an open incident",
  help: `Usage: superbell ack [-c FILE] [INCIDENT|PROCESS… | all] [--reason TEXT] [--by NAME]

Acknowledges open incidents: no more reminders, and nobody else is told (escalate). That it is
over is told all the same, and so is a crash that becomes FATAL afterwards.

INCIDENT  the number that messages and superbell history show; its first 4 characters do
PROCESS   a name or a pattern as in where.process of a rule: every open incident of it
all       every open incident. Without a word: the open one, if there is only one
--by      your login name, unless given
--reason  why. Who has acknowledged it before stays unless --reason or --by is given, and is named
          behind the new reason then

The running listener takes it within a second, and the command waits for that; while none runs
it is taken at the next start, and stderr says so.
Exit codes: 0; 1 no such open incident, the listener does not answer, or the outbox cannot be
opened; 2 usage or configuration.
`,
  async run(args) {
    const options = parseOptions(args, { strings: ["reason", "by"], words: ["INCIDENT…"] });
    const by = askerOf(options.string("by"));
    const reason = options.string("reason");
    if (by.length > MAX_REQUEST_CHARS || (reason ?? "").length > MAX_REQUEST_CHARS) {
      throw new UsageError(`--by and --reason take at most ${MAX_REQUEST_CHARS} characters`);
    }
    const settings = settingsToLook(options);
    const open = looking(settings, (outbox) => new StoredIncidents(outbox).open());
    if (open.length === 0) {
      const words = options.words.filter((word) => word !== "all");
      if (words.length === 0) {
        print("no incident is open");
        return 0;
      }
    }
    const { chosen, unknown } = choose(open, options.words);
    for (const word of unknown) {
      const known = open.flatMap((one) => [one.incident.id, ...processesOf(one).map(displayName)]);
      printError(
        oneLine(`superbell ack: there is no open incident "${word}"; ${suggest(word, known)}`),
      );
    }
    if (options.words.length === 0 && chosen.length === 0) {
      printError("superbell ack: which of these? Give an INCIDENT or PROCESS, or all");
      print(columns(open.map(cells)).join("\n"));
      return 1;
    }
    if (chosen.length === 0) return 1;
    print(columns(chosen.map(cells)).join("\n"));
    // Whoever looks after it already is not replaced in passing.
    const takesOver = reason !== undefined || options.string("by") !== undefined;
    const stay = chosen.filter(({ incident }) => incident.acknowledged !== undefined && !takesOver);
    for (const one of stay) print(`incident ${one.incident.id}: ${acknowledgedText(one)}`);
    const requests = chosen.filter((one) => !stay.includes(one)).map(({ incident }) => ({
      kind: "acknowledge" as const,
      incident: incident.id,
      by,
      reason: truncateChars(reasonAfter(incident.acknowledged, { by, reason }), MAX_REQUEST_CHARS),
    }));
    const code = requests.length === 0 ? 0 : await ask(settings, "ack", requests);
    return unknown.length > 0 ? 1 : code;
  },
};

/** The reason of who takes over, and who looked after it before and why. */
function reasonAfter(
  before: Acknowledgement | undefined,
  { by, reason = "" }: { readonly by: string; readonly reason: string | undefined },
): string {
  if (before === undefined) return reason;
  if (before.by === by) {
    const earlier = / ?\(before: .*\)$/s.exec(before.reason)?.[0] ?? "";
    return reason === "" ? before.reason : reason + earlier;
  }
  const why = before.reason === "" ? "" : `: ${before.reason}`;
  return `${reason} (before: ${before.by}${why})`.trimStart();
}

function cells(one: StoredIncident): string[] {
  const { id, rule, word } = one.incident;
  return [id, oneLine(rule), subjectOf(one), word];
}

/** The incidents that the words mean, each once, and the words that mean none. */
function choose(
  open: readonly StoredIncident[],
  words: readonly string[],
): { readonly chosen: readonly StoredIncident[]; readonly unknown: readonly string[] } {
  if (words.length === 0) return { chosen: open.length === 1 ? open : [], unknown: [] };
  if (words.length === 1 && words[0] === "all") return { chosen: open, unknown: [] };
  const byWord = words.map((word) => ({ word, found: meant(open, word) }));
  const chosen = new Set(byWord.flatMap(({ found }) => found));
  return {
    chosen: open.filter((one) => chosen.has(one)),
    unknown: byWord.filter(({ found }) => found.length === 0).map(({ word }) => word),
  };
}

function meant(open: readonly StoredIncident[], word: string): readonly StoredIncident[] {
  const byId = open.filter(({ incident }) => word.length >= 4 && incident.id.startsWith(word));
  if (byId.length > 1) throw new UsageError(`"${word}" begins more than one incident's number`);
  if (byId.length > 0) return byId;
  const patterns = { wanted: [namePattern(word)], excluded: [] };
  return open.filter((one) =>
    processesOf(one).some((process) => matchProcess(patterns, process) === "fits")
  );
}
