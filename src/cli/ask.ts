// How a command asks something of the running listener: it writes the request into the outbox's
// file, waits a moment for the answer, and says whether the listener has taken it or will.

import { formatTime } from "../alerts/compose.ts";
import type { Connection } from "../outbox/connection.ts";
import { type Answer, RequestStore } from "../outbox/request_store.ts";
import type { Request } from "../rules/request.ts";
import type { Settings } from "../settings.ts";
import { print, printError } from "./command.ts";
import { oneLine } from "./table.ts";
import { damageSentence, listenerOf, visiting } from "./visit.ts";

/** The listener looks once a second. */
const WAIT_MS = 3000;
const LOOK_EVERY_MS = 50;

/** Does the work with the outbox; a damaged one is told with what helps. */
export function looking<Value>(settings: Settings, work: (outbox: Connection) => Value): Value {
  try {
    return visiting(settings, "read", work);
  } catch (error) {
    const damage = damageSentence(error, settings);
    throw damage === undefined ? error : new Error(damage);
  }
}

/** Who asks: the login name, also behind sudo. */
export function askerOf(by: string | undefined): string {
  const env = (name: string) => Deno.env.get(name) || undefined;
  return by ?? env("SUDO_USER") ?? env("USER") ?? env("LOGNAME") ??
    (Deno.uid() === 0 ? "root" : "somebody");
}

/**
 * Asks for all of it and prints what came of it. Answers the exit code: 1 where something could
 * not be done, or a listener runs and does not answer.
 */
export async function ask(
  settings: Settings,
  command: string,
  requests: readonly Request[],
): Promise<number> {
  const ids = change(settings, (store) => store.add(requests, Date.now()));
  // Only after writing: one that starts meanwhile takes it before it takes events.
  const runs = listenerOf(settings)?.runs ?? true;
  const answers = runs ? await answersTo(settings, ids) : new Map<number, Answer>();
  for (const { done, text } of answers.values()) {
    const line = oneLine(inZone(text, settings.timeZone));
    if (done) print(line);
    else printError(`superbell ${command}: ${line}`);
  }
  const left = ids.length - answers.size;
  const them = ids.length === 1 ? "this" : `${left} of these`;
  if (!runs) {
    printError(
      `no listener uses "${settings.stateDir}" now: it takes ${them} when it starts; until then ` +
        `nothing in it is sent`,
    );
    return 0;
  }
  if (left > 0) {
    printError(
      `superbell ${command}: the listener has not taken ${them} within ${
        WAIT_MS / 1000
      } seconds; ` +
        `it stands in the outbox and is taken as soon as the listener can: see superbell status`,
    );
  }
  return left === 0 && [...answers.values()].every(({ done }) => done) ? 0 : 1;
}

/** The listener writes an instant so that any zone can be told: people read their own. */
function inZone(text: string, timeZone: string | undefined): string {
  return text.replace(
    /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g,
    (instant) => formatTime(Date.parse(instant), timeZone),
  );
}

function change<Value>(settings: Settings, work: (store: RequestStore) => Value): Value {
  try {
    return visiting(settings, "write", (outbox) => work(new RequestStore(outbox)));
  } catch (error) {
    const damage = damageSentence(error, settings);
    throw damage === undefined ? error : new Error(damage);
  }
}

/** The answers that came within the time, in the order of the requests. */
async function answersTo(
  settings: Settings,
  ids: readonly number[],
): Promise<ReadonlyMap<number, Answer>> {
  const untilMs = performance.now() + WAIT_MS;
  while (true) {
    const found = looking(settings, (outbox) => {
      const store = new RequestStore(outbox);
      return ids.flatMap((id): [number, Answer][] => {
        const answer = store.answerTo(id);
        return answer === undefined ? [] : [[id, answer]];
      });
    });
    if (found.length === ids.length || performance.now() >= untilMs) return new Map(found);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
