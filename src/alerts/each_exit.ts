// How each of several processes ended: one cause where it is the same of all, else each by name. A
// title that gives the cause of one to all of them sends people the wrong way.

import { displayName, type Exit, type ProcessState } from "../events/event.ts";
import type { Alert } from "./alert.ts";
import { foldNames } from "./fold.ts";
import { isMixed, severalOf } from "./incident_text.ts";
import type { Words } from "./messages.ts";
import { truncateChars } from "./truncate.ts";

const MOST_CAUSES = 10;
const MAX_NAMES_CHARS = 100;

/** How the process ended; of several only where that is known of all that are named, and the same. */
export function commonExit(alert: Alert): Exit | undefined {
  const { incident, each = [] } = alert;
  const told = severalOf(incident);
  if (told === undefined) return alert.exit;
  if (incident !== undefined && isMixed(incident)) return undefined;
  const [first, ...others] = each.map(({ exit }) => exit);
  if (each.length < told.processes.length || first === undefined) return undefined;
  return others.every((exit) => exit !== undefined && isSameEnd(exit, first)) ? first : undefined;
}

function isSameEnd(one: Exit, other: Exit): boolean {
  return one.status === other.status && one.signal === other.signal &&
    one.coreDumped === other.coreDumped && one.spawnError === other.spawnError;
}

/** Whether each of several processes is known to be in the state; also those that are not named. */
export function areAll({ incident, each = [] }: Alert, state: ProcessState): boolean {
  const told = severalOf(incident);
  return told !== undefined && each.length >= told.count &&
    each.every((one) => one.state === state);
}

/** `worker_[00-02]: SIGKILL; worker_03: status 1`; undefined where nothing is known of several. */
export function describeEach(
  { incident, each = [] }: Alert,
  words: Words,
  describe: (exit: Exit) => string | undefined,
): string | undefined {
  if (severalOf(incident) === undefined) return undefined;
  const known = each.flatMap(({ process, exit }) => {
    const cause = exit && (describe(exit) ?? exit.spawnError);
    return cause === undefined ? [] : { name: displayName(process), cause };
  });
  if (known.length === 0) return undefined;
  const causes = [...Map.groupBy(known, ({ cause }) => cause)];
  const told = causes.slice(0, MOST_CAUSES).map(([cause, members]) => {
    const names = foldNames(members.map(({ name }) => name)).join(words.nameComma);
    return `${truncateChars(names, MAX_NAMES_CHARS)}${words.colon}${cause}`;
  });
  const more = causes.length - told.length;
  return [...told, ...(more > 0 ? [`… (${more})`] : [])].join(words.semicolon);
}
