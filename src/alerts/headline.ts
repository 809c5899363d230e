// The one line that tells most: why a process could not be started, the error that it wrote last,
// or the line that a rule watches for. It goes into the title, for at night the title is all that
// is read. Only a short line does, and of what a process wrote last only one that looks like an
// error: half a stack trace in a title helps nobody.

import type { Alert } from "./alert.ts";
import { commonExit } from "./each_exit.ts";
import { severalOf } from "./incident_text.ts";

const MAX_CHARS = 100;

/** `ValueError: …`, `panic: …`, `[2026-11-21] ERROR …`, `错误：…`; not `at main.js:3` or `done`. */
const ERROR =
  /\b(?:[A-Za-z_.]*(?:Error|Exception)|ERROR|FATAL|CRITICAL|PANIC|(?:[Ee]rror|[Ff]atal|[Pp]anic|[Ff]ailed|[Cc]annot|[Cc]an't)\b)|错误|异常|失败|无法/;

/** What supervisord's child writes to stderr of the program last, behind the reason. */
const NOT_SPAWNED = "supervisor: child process was not spawned";

/** The line for the title; undefined where none fits. */
export function headline(alert: Alert): string | undefined {
  // What one of several wrote is no word about the others.
  if (severalOf(alert.incident) !== undefined && commonExit(alert) === undefined) return undefined;
  const line = alert.exit?.spawnError ?? lastError(alert) ?? onlyLine(alert);
  if (line === undefined) return undefined;
  const oneLine = line.replace(/\s+/g, " ").trim();
  return oneLine === "" || Array.from(oneLine).length > MAX_CHARS ? undefined : oneLine;
}

/** What was written, where that is what the alert is about and one line. */
function onlyLine({ text }: Alert): string | undefined {
  return text === undefined || text.includes("\n") ? undefined : text;
}

/** The last line of the first log that has any, where it tells an error of this very run. */
function lastError({ tails }: Alert): string | undefined {
  const tail = tails?.[0];
  if (tail === undefined || tail.isLate === true) return undefined;
  const written = tail.lines.filter((one) => one.trim() !== "");
  const line = written.at(-1);
  // supervisord's own words, from the child that could not become the program.
  if (line === NOT_SPAWNED) return written.at(-2)?.replace(/^supervisor: /, "");
  return line !== undefined && /^\S/.test(line) && ERROR.test(line) ? line : undefined;
}
