// superbell outbox: what waits, what was delivered, what is dead and why; sends it again.

import { compose } from "../alerts/compose.ts";
import { formatTime } from "../alerts/compose.ts";
import { formatDuration } from "../config/duration.ts";
import { suggest } from "../config/nearest.ts";
import { isDamage } from "../outbox/open.ts";
import { type Entry, type EntryState, Outbox, OUTBOX_FILE } from "../outbox/outbox.ts";
import type { Settings } from "../settings.ts";
import { type Command, type Options, parseOptions, print, UsageError } from "./command.ts";
import { settingsFrom } from "./config_file.ts";

const STATES: readonly EntryState[] = ["waiting", "delivered", "dead", "dropped"];

export const outbox: Command = {
  name: "outbox",
  summary: "lists, shows, retries and drops stored messages",
  help:
    `Usage: superbell outbox list  [-c FILE] [--state STATE] [--channel NAME] [--limit N] [--json]
       superbell outbox show  [-c FILE] ID [--json]
       superbell outbox retry [-c FILE] ID… | --all [--channel NAME]
       superbell outbox drop  [-c FILE] ID… | --all [--channel NAME]

list    the newest entries (50, or --limit), the newest last; STATE is waiting, delivered,
        dead (given up, with the reason) or dropped
show    one entry with every attempt and what the service answered
retry   sends dead or dropped entries again, and waiting ones now; --all: every dead one
drop    takes entries out of the queue for good; --all: every waiting and dead one

The running listener notices within three seconds, also while the channel rests after failures.
What the service itself has closed stays closed until its time.
Exit codes: 0; 1 no such entry, or the outbox is damaged or cannot be opened; 2 usage or
configuration.
`,
  run(args) {
    const options = parseOptions(args, {
      strings: ["state", "channel", "limit"],
      flags: ["json", "all"],
      words: ["action", "ID…"],
    });
    const [action = "list", ...ids] = options.words;
    const actions: Record<string, (outbox: Outbox, job: Job) => number> = {
      list,
      show,
      retry,
      drop,
    };
    const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (act === undefined) {
      throw new UsageError(`unknown action "${action}"; ${suggest(action, Object.keys(actions))}`);
    }
    const job = {
      options,
      settings: settingsFrom(options, { needsSecrets: false }),
      ids: ids.map(parseId),
      action,
    };
    const path = `${job.settings.stateDir}/${OUTBOX_FILE}`;
    try {
      const open = visit(path);
      try {
        return act(open, job);
      } finally {
        open.close();
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (act === list || act === show) printReadable(path, job);
      throw new Error(
        `the outbox "${path}" is damaged; restart the listener, which sets it aside and keeps the ` +
          `waiting entries that can still be read`,
      );
    }
  },
};

interface Job {
  readonly options: Options;
  readonly settings: Settings;
  readonly ids: readonly number[];
  readonly action: string;
}

/** Opens the outbox beside the listener, who alone may create or repair it. */
function visit(path: string): Outbox {
  try {
    return Outbox.visit(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(`there is no outbox yet: no file "${path}" (the listener creates it)`);
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new Error(`cannot open "${path}": permission denied; run this as the listener's user`);
    }
    throw error;
  }
}

/** Of a damaged outbox, the entries that were asked for and can still be read. */
function printReadable(path: string, { options, settings, ids }: Job): void {
  const [channel, state] = [options.string("channel"), options.string("state")];
  const entries = readDamaged(path).filter((entry) =>
    (ids.length === 0 || ids.includes(entry.id)) &&
    (channel === undefined || entry.channel === channel) &&
    (state === undefined || entry.state === state)
  ).slice(-parseLimit(options.string("limit")));
  if (options.flag("json")) print(JSON.stringify(entries, undefined, 2));
  else for (const entry of entries) print(describeEntry(entry, settings));
}

function readDamaged(path: string): readonly Entry[] {
  try {
    return Outbox.readDamaged(path);
  } catch {
    return []; // nothing of it can be read
  }
}

function list(outbox: Outbox, { options, settings, ids }: Job): number {
  if (ids.length > 0) throw new UsageError("list takes no ID; show does");
  const state = options.string("state");
  if (state !== undefined && !STATES.includes(state as EntryState)) {
    throw new UsageError(`unknown state "${state}"; ${suggest(state, STATES)}`);
  }
  const entries = outbox.list({
    channel: options.string("channel"),
    limit: parseLimit(options.string("limit")),
    ...(state !== undefined && { states: [state as EntryState] }),
  });
  if (options.flag("json")) {
    print(JSON.stringify(entries, undefined, 2));
    return 0;
  }
  for (const entry of entries) print(describeEntry(entry, settings));
  const counts = outbox.counts();
  print(STATES.map((word) => `${counts[word]} ${word}`).join(", "));
  return 0;
}

function show(outbox: Outbox, { options, settings, ids }: Job): number {
  if (ids.length !== 1) throw new UsageError("show takes one ID; list prints them");
  const found = outbox.show(ids[0]!);
  if (found === undefined) throw new Error(`there is no entry ${ids[0]}`);
  if (options.flag("json")) {
    print(JSON.stringify(found, undefined, 2));
    return 0;
  }
  print(describeEntry(found.entry, settings));
  print("\n" + messageOf(found.entry, settings).text.replace(/^/gm, "  ") + "\n");
  for (const attempt of found.attempts) {
    const took = formatDuration(attempt.tookMs);
    print(
      `${
        formatTime(attempt.atMs, settings.timeZone)
      }  ${attempt.outcome} after ${took}: ${attempt.reason}`,
    );
  }
  if (found.entry.state === "waiting") {
    print(`next try not before ${formatTime(found.entry.dueAtMs, settings.timeZone)}`);
  }
  return 0;
}

function retry(outbox: Outbox, job: Job): number {
  const ids = chosen(outbox, job, ["dead"]);
  return report(outbox.retry(ids, Date.now()), ids.length, "will be sent again");
}

function drop(outbox: Outbox, job: Job): number {
  const ids = chosen(outbox, job, ["waiting", "dead"]);
  return report(outbox.drop(ids, Date.now()), ids.length, "dropped");
}

/** The entries that the command line means: the listed ones, or all of the states. */
function chosen(
  outbox: Outbox,
  { options, ids, action }: Job,
  states: EntryState[],
): readonly number[] {
  const channel = options.string("channel");
  if (options.flag("all") === ids.length > 0) {
    throw new UsageError(`${action} takes either IDs or --all`);
  }
  if (ids.length > 0) return ids;
  return outbox.list({ states, channel }).map(({ id }) => id);
}

function report(done: number, wanted: number, what: string): number {
  print(`${done} of ${wanted} ${wanted === 1 ? "entry" : "entries"} ${what}`);
  return done === wanted ? 0 : 1;
}

function describeEntry(entry: Entry, settings: Settings): string {
  const time = formatTime(entry.createdAtMs, settings.timeZone);
  const tries = `${entry.attempts} attempt${entry.attempts === 1 ? "" : "s"}`;
  const reason = entry.reason === undefined ? "" : `: ${entry.reason}`;
  const { title } = messageOf(entry, settings);
  return `${entry.id}  ${time}  ${entry.state}  ${entry.channel}  ${title}  (${tries}${reason})`;
}

function messageOf(entry: Entry, { language, timeZone }: Settings) {
  return compose(entry.alert, { language, timeZone });
}

function parseId(word: string): number {
  if (/^[1-9]\d{0,14}$/.test(word)) return Number(word);
  throw new UsageError(
    `"${word}" is not the number of an entry; superbell outbox list prints them`,
  );
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return 50;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--limit takes a whole number, found "${text}"`);
}
