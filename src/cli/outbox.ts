// superbell outbox: what waits, what was delivered, what is dead and why; sends it again.

import { compose, formatTime, type Message } from "../alerts/compose.ts";
import { alertDocument } from "../alerts/document.ts";
import { formatDuration, formatRoughly } from "../config/duration.ts";
import { suggest } from "../config/nearest.ts";
import { type ChannelState, ChannelStates, heldAt } from "../outbox/channel_states.ts";
import { type Entry, ENTRY_STATES, type EntryState } from "../outbox/entry.ts";
import type { ListenerSeen } from "../outbox/state_dir.ts";
import {
  readableEntries,
  type StoredAttempt,
  StoredEntries,
  type StoredEntry,
} from "../outbox/stored_entries.ts";
import type { Settings } from "../settings.ts";
import {
  type Command,
  type Options,
  parseOptions,
  print,
  printError,
  refuseOptions,
  UsageError,
} from "./command.ts";
import { settingsToLook } from "./config_file.ts";
import { columns, oneLine, withoutControls } from "./table.ts";
import { damageSentence, listenerOf, outboxPath, visiting } from "./visit.ts";

export const outbox: Command = {
  name: "outbox",
  summary: "lists, shows, retries and drops stored messages",
  help:
    `Usage: superbell outbox list  [-c FILE] [--state STATE] [--channel NAME] [--limit N] [--json]
       superbell outbox show  [-c FILE] ID [--json]
       superbell outbox retry [-c FILE] ID… | --all [--channel NAME]
       superbell outbox drop  [-c FILE] ID… | --all [--channel NAME]

list    the newest entries (50, or --limit), the newest last; STATE is one of
        ${ENTRY_STATES.join(", ")} (dead: given up, with the reason;
        rerouted: another channel stands in)
show    one entry with every attempt and what the service answered
retry   sends dead, dropped or rerouted entries again, waiting ones now; --all: every dead one
drop    takes entries out of the queue for good; --all: every waiting and dead one

The running listener notices within three seconds, also while the channel rests after failures.
What the service itself has closed stays closed until its time. While no listener runs nothing
is sent, and stderr says so.
Exit codes: 0; 1 an entry that does not exist or cannot be changed (the others were), or the
outbox is damaged or cannot be opened; 2 usage or configuration.
`,
  run(args) {
    const options = parseOptions(args, {
      strings: ["state", "channel", "limit"],
      flags: ["json", "all"],
      words: ["action", "ID…"],
    });
    const [action = "list", ...ids] = options.words;
    const actions: Record<string, (entries: StoredEntries, job: Job) => number> = {
      list,
      show,
      retry,
      drop,
    };
    const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (act === undefined) {
      throw new UsageError(`unknown action "${action}"; ${suggest(action, Object.keys(actions))}`);
    }
    refuseOptions(options, action, OPTIONS_OF[action] ?? []);
    const settings = settingsToLook(options);
    const job = {
      options,
      settings,
      ids: ids.map(parseId),
      action,
      nowMs: Date.now(),
      listener: listenerOf(settings),
      states: [],
    };
    try {
      const access = act === list || act === show ? "read" : "write";
      const code = visiting(
        settings,
        access,
        (connection) =>
          act(new StoredEntries(connection), {
            ...job,
            states: new ChannelStates(connection).list(),
          }),
      );
      if (job.listener?.runs === false) {
        printError(
          `no listener uses "${settings.stateDir}" now: nothing in it is sent until one does`,
        );
      }
      return code;
    } catch (error) {
      const damage = damageSentence(error, settings);
      if (damage === undefined) throw error;
      if (act === list || act === show) printReadable(job);
      throw new Error(damage);
    }
  },
};

/** What goes with each action; the configuration does with all. */
const OPTIONS_OF: Readonly<Record<string, readonly string[]>> = {
  list: ["state", "channel", "limit", "json"],
  show: ["json"],
  retry: ["all", "channel"],
  drop: ["all", "channel"],
};

interface Job {
  readonly options: Options;
  readonly settings: Settings;
  readonly ids: readonly number[];
  readonly action: string;
  readonly nowMs: number;
  readonly listener: ListenerSeen | undefined;
  /** How the channels fare, as far as that can be read. */
  readonly states: readonly ChannelState[];
}

/** Of a damaged outbox, the entries that were asked for and can still be read. */
function printReadable(job: Job): void {
  const { options, settings, ids } = job;
  const [channel, state] = [options.string("channel"), options.string("state")];
  const entries = readable(outboxPath(settings)).filter((entry) =>
    (ids.length === 0 || ids.includes(entry.id)) &&
    (channel === undefined || entry.channel === channel) &&
    (state === undefined || entry.state === state)
  ).slice(-parseLimit(options.string("limit")));
  printEntries(entries, job);
}

function readable(path: string): readonly Entry[] {
  try {
    return readableEntries(path);
  } catch {
    return []; // nothing of it can be read
  }
}

function list(entries: StoredEntries, job: Job): number {
  const { options, ids } = job;
  if (ids.length > 0) throw new UsageError("list takes no ID; show does");
  const state = options.string("state");
  if (state !== undefined && !ENTRY_STATES.includes(state as EntryState)) {
    throw new UsageError(`unknown state "${state}"; ${suggest(state, ENTRY_STATES)}`);
  }
  const found = entries.list({
    channel: knownChannel(entries, job),
    limit: parseLimit(options.string("limit")),
    ...(state !== undefined && { states: [state as EntryState] }),
  });
  printEntries(found, job);
  if (options.flag("json")) return 0;
  const counts = entries.counts();
  print(ENTRY_STATES.map((word) => `${counts[word]} ${word}`).join(", "));
  return 0;
}

function show(entries: StoredEntries, job: Job): number {
  const { options, settings, ids } = job;
  if (ids.length !== 1) throw new UsageError("show takes one ID; list prints them");
  const found = entries.show(ids[0]!);
  if (found === undefined) throw new Error(`there is no entry ${ids[0]}`);
  const { entry, attempts } = found;
  if (options.flag("json")) {
    print(JSON.stringify(
      { ...entryDocument(entry, settings), attempts: attempts.map(attemptDocument) },
      undefined,
      2,
    ));
    return 0;
  }
  printEntries([entry], job);
  const { text } = messageOf(entry, settings);
  print("\n" + withoutControls(text).trimEnd().replace(/^(?=.)/gm, "  "));
  const fate = [
    ...attempts.map((attempt) => describeAttempt(attempt, settings)),
    ...whatFollows(entry, job),
  ];
  if (fate.length > 0) print("\n" + fate.join("\n"));
  return 0;
}

function retry(entries: StoredEntries, job: Job): number {
  const ids = chosen(entries, job, ["dead"]);
  const done = entries.retry(ids, job.nowMs);
  return report({ ids, done, what: "will be sent again" }, (id) => whyNotRetried(entries, id, job));
}

function drop(entries: StoredEntries, job: Job): number {
  const ids = chosen(entries, job, ["waiting", "dead"]);
  const done = entries.drop(ids, job.nowMs);
  return report({ ids, done, what: "dropped" }, (id) => {
    const state = entries.show(id)?.entry.state;
    return state === undefined ? `there is no entry ${id}` : `entry ${id} is ${state} already`;
  });
}

function whyNotRetried(entries: StoredEntries, id: number, job: Job): string {
  const found = entries.show(id);
  if (found === undefined) return `there is no entry ${id}`;
  if (found.entry.state === "delivered") return `entry ${id} is delivered already`;
  return isBeingSent(found.entry, job)
    ? `entry ${id} is being sent now; superbell outbox show ${id} will tell how that ends`
    : `entry ${id} was being sent when the listener ended; it is sent again by itself`;
}

/** The entries that the command line means, each once: the listed ones, or all of the states. */
function chosen(entries: StoredEntries, job: Job, states: EntryState[]): readonly number[] {
  const { options, ids, action } = job;
  if (options.flag("all") === ids.length > 0) {
    throw new UsageError(`${action} takes either IDs or --all`);
  }
  if (ids.length > 0) return [...new Set(ids)];
  return entries.list({ states, channel: knownChannel(entries, job) }).map(({ id }) => id);
}

/** The channel that is asked for; it is configured, or was when its entries were stored. */
function knownChannel(entries: StoredEntries, { options, settings }: Job): string | undefined {
  const name = options.string("channel");
  const configured = settings.channels.map((channel) => channel.name);
  if (name === undefined || configured.includes(name)) return name;
  const known = new Set([...configured, ...entries.channels()]);
  if (known.has(name)) return name;
  throw new UsageError(`no channel "${name}"; ${suggest(name, known)}`);
}

function report(
  { ids, done, what }: {
    readonly ids: readonly number[];
    readonly done: readonly number[];
    readonly what: string;
  },
  whyNot: (id: number) => string,
): number {
  print(`${done.length} of ${ids.length} ${ids.length === 1 ? "entry" : "entries"} ${what}`);
  const changed = new Set(done);
  for (const id of ids) if (!changed.has(id)) printError(whyNot(id));
  return done.length === ids.length ? 0 : 1;
}

function printEntries(entries: readonly StoredEntry[], job: Job): void {
  const { options, settings } = job;
  if (options.flag("json")) {
    const documents = entries.map((entry) => entryDocument(entry, settings));
    print(JSON.stringify(documents, undefined, 2));
    return;
  }
  const lines = columns(entries.map((entry) => [
    String(entry.id),
    formatTime(entry.createdAtMs, settings.timeZone),
    entry.state,
    entry.channel,
    `${oneLine(messageOf(entry, settings).title)}  (${standing(entry, job)})`,
  ]));
  if (lines.length > 0) print(lines.join("\n"));
}

/** `2 attempts: connection refused; next try in 9s` */
function standing(entry: StoredEntry, job: Job): string {
  const tries = `${entry.attempts} attempt${entry.attempts === 1 ? "" : "s"}`;
  const reason = entry.reason === undefined ? "" : `: ${oneLine(entry.reason)}`;
  const waitMs = entry.dueAtMs - job.nowMs;
  const next = isBeingSent(entry, job)
    ? "; being sent"
    : entry.state !== "waiting"
    ? ""
    : waitMs > 0
    ? `; next try in ${formatRoughly(waitMs)}`
    : whyHeld(entry, job);
  return tries + reason + next;
}

/** `; waits 40s: no more than 18 messages in 1m, or its service closes it` */
function whyHeld({ channel }: StoredEntry, { states, nowMs }: Job): string {
  const held = heldAt(states.find(({ name }) => name === channel), nowMs);
  if (held === undefined) return "";
  return `; waits ${formatRoughly(held.untilMs - nowMs)}: ${oneLine(held.reason)}`;
}

/** How an attempt ended, and what it means for the message. */
const ATTEMPTS: Readonly<
  Record<StoredAttempt["outcome"], { readonly outcome: string; readonly becomes: string }>
> = {
  delivered: { outcome: "delivered", becomes: "" },
  retry: { outcome: "failed", becomes: ", to be tried again" },
  rejected: { outcome: "refused", becomes: ", not to be tried again" },
};

function describeAttempt(attempt: StoredAttempt, { timeZone }: Settings): string {
  const { others } = attempt;
  const together = others === undefined
    ? ""
    : `, in one message with ${others} other ${others === 1 ? "entry" : "entries"}`;
  const { outcome, becomes } = ATTEMPTS[attempt.outcome];
  return `${formatTime(attempt.atMs, timeZone)}  ${outcome} (took ` +
    `${formatDuration(attempt.tookMs)})${becomes}${together}: ${oneLine(attempt.reason)}`;
}

/** What comes after the attempts so far. */
function whatFollows(entry: StoredEntry, job: Job): string[] {
  if (entry.state !== "waiting") return [];
  const time = (atMs: number) => formatTime(atMs, job.settings.timeZone);
  const { underWay } = entry;
  if (underWay !== undefined) {
    if (isBeingSent(entry, job)) return [`${time(underWay.sinceMs)}  being sent since then`];
    const again = job.listener?.runs === true
      ? `not before ${time(underWay.untilMs)}`
      : "as soon as it runs again";
    return [
      `${time(underWay.sinceMs)}  cut off: the listener ended in mid-attempt; sent again ${again}`,
    ];
  }
  const waitMs = entry.dueAtMs - job.nowMs;
  const next = waitMs > 0
    ? `next try in ${formatRoughly(waitMs)}, not before ${time(entry.dueAtMs)}`
    : "next try as soon as its channel can be used";
  return [next, ...whatHinders(entry, job)];
}

/** What keeps its channel from sending, as far as the listener has written it down. */
function whatHinders({ channel }: StoredEntry, { states, nowMs, settings }: Job): string[] {
  const time = (atMs: number) => formatTime(atMs, settings.timeZone);
  const state = states.find(({ name }) => name === channel);
  const held = heldAt(state, nowMs);
  if (held !== undefined) {
    return [`its channel may not send before ${time(held.untilMs)}: ${oneLine(held.reason)}`];
  }
  if (state?.failingSinceMs === undefined) return [];
  return [`its channel fails since ${time(state.failingSinceMs)}: ${oneLine(state.lastReason)}`];
}

/** Whether the listener that runs now is at it. */
function isBeingSent({ underWay }: StoredEntry, { listener, nowMs }: Job): boolean {
  if (underWay === undefined || underWay.untilMs <= nowMs) return false;
  // Where we cannot see the listener, the claim is all there is to go by.
  if (listener === undefined) return true;
  return listener.runs && !(underWay.sinceMs < (listener.holder?.sinceMs ?? 0));
}

/** The alert in the words of its channel, if that is still configured. */
function messageOf({ alert, channel }: Entry, { channels, language, timeZone }: Settings): Message {
  const configured = channels.find(({ name }) => name === channel);
  return compose(alert, { language: configured?.language ?? language, timeZone });
}

/** An entry for programs; keys may be added. */
function entryDocument(entry: StoredEntry, settings: Settings) {
  const { underWay } = entry;
  return {
    id: entry.id,
    channel: entry.channel,
    state: entry.state,
    created_at: isoTime(entry.createdAtMs),
    waiting_since: entry.state === "waiting" ? isoTime(entry.sinceMs) : null,
    next_try_at: entry.state === "waiting" ? isoTime(entry.dueAtMs) : null,
    attempt_began_at: underWay === undefined ? null : isoTime(underWay.sinceMs),
    attempt_count: entry.attempts,
    settled_at: entry.settledAtMs === undefined ? null : isoTime(entry.settledAtMs),
    reason: entry.reason ?? null,
    alert: alertDocument(messageOf(entry, settings)),
  };
}

function attemptDocument({ atMs, tookMs, outcome, reason, others = 0 }: StoredAttempt) {
  return { at: isoTime(atMs), took_ms: tookMs, outcome, reason, other_entries: others };
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
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
  throw new UsageError(`--limit takes a whole number from 1 on, found "${text}"`);
}
