// The roster against what supervisord answers, as rows, and as random stories in which every end
// must be told exactly once.

import { parseEvent } from "../../src/events/parse.ts";
import type { Event } from "../../src/events/event.ts";
import {
  type Comparison,
  countNews,
  differences,
  type Look,
  type ProcessInfo,
} from "../../src/rules/differences.ts";
import {
  afterEvent,
  afterNewRun,
  isFoundBefore,
  isStateEvent,
  type KnownProcess,
  processKey,
} from "../../src/rules/roster.ts";
import { readExitLog } from "../../src/supervisor/exit_reason.ts";
import { infoOf, logOf } from "../../src/supervisor/reconcile.ts";
import { assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { localTime, SupervisordModel } from "../support/supervisord_model.ts";

const PROCESS = { name: "api", group: "web" };
const NOW_MS = 1_800_000_000_000;

const knownAs = (state: KnownProcess["state"], more: Partial<KnownProcess> = {}): KnownProcess => ({
  process: PROCESS,
  state,
  sinceMs: NOW_MS - 60_000,
  endedPids: [],
  found: [],
  restarts: 0,
  ...more,
});

const infoAs = (state: ProcessInfo["state"], more: Partial<ProcessInfo> = {}): ProcessInfo => ({
  process: PROCESS,
  state,
  pid: 0,
  startedAtS: NOW_MS / 1000 - 120,
  stoppedAtS: 0,
  ...more,
});

/** `spawned 5`, `ran`, `exited 1`, `killed`, `clean`, `stopped` as lines of supervisord's log. */
function logAs(text: string, name = "api"): string[] {
  if (text === "") return [];
  return text.split(", ").map((word) => {
    const [, what, number] = /^(\S+)(?: (\d+))?$/.exec(word)!;
    const line = {
      started: "supervisord started with pid 1",
      spawned: `spawned: '${name}' with pid ${number}`,
      ran: `success: ${name} entered RUNNING state, process has stayed up (startsecs)`,
      exited: `exited: ${name} (exit status ${number}; not expected)`,
      clean: `exited: ${name} (exit status 0; expected)`,
      killed: `exited: ${name} (terminated by SIGKILL; not expected)`,
      stopped: `stopped: ${name} (terminated by SIGTERM)`,
    }[what!];
    return `2026-11-21 10:00:00,000 INFO ${line}`;
  });
}

function lookOf(infos: readonly ProcessInfo[], log: readonly string[]): Look {
  return { infos, log: logOf(readExitLog(log.join("\n"))) };
}

const rosterOf = (known: KnownProcess | undefined) =>
  new Map(known === undefined ? [] : [[processKey(known.process), known]]);

/** `EXITED 5 SIGKILL`, `FATAL`; "likely" for what is assumed. */
function short(event: Event): string {
  const pid = "pid" in event && event.pid > 0 ? ` ${event.pid}` : "";
  const exit = "exit" in event && event.exit !== undefined
    ? ` ${event.exit.signal ?? event.exit.status ?? event.exit.spawnError}`
    : "";
  const verdict = "expected" in event && event.expected ? " expected" : "";
  const assumed = "isAssumed" in event ? " likely" : "";
  return `${event.origin.eventname.slice(14)}${pid}${exit}${verdict}${assumed}`;
}

interface Row {
  readonly what: string;
  readonly before?: KnownProcess;
  /** What is known when the answer is there; what was known before, if it is not here. */
  readonly now?: KnownProcess;
  readonly info: ProcessInfo;
  readonly log?: string;
  readonly flags?: Partial<Comparison>;
  readonly told: string;
}

const RUNNING_5 = knownAs("RUNNING", { alivePid: 5 });
const GAP = { isGap: true };
const NEW_RUN = { isNewRun: true };
const ROWS: readonly Row[] = [
  { what: "nothing has changed", before: RUNNING_5, info: infoAs("RUNNING", { pid: 5 }), told: "" },
  {
    what: "killed and back, the log knows",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 6 }),
    log: "spawned 5, ran, killed, spawned 6, ran",
    told: "EXITED 5 SIGKILL",
  },
  {
    what: "it was spawned before the piece of the log",
    before: RUNNING_5,
    info: infoAs("STARTING", { pid: 6 }),
    log: "exited 3, spawned 6",
    told: "EXITED 5 3",
  },
  {
    what: "two crashes are two",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 7 }),
    log: "spawned 5, ran, exited 1, spawned 6, ran, exited 2, spawned 7, ran",
    told: "EXITED 5 1, EXITED 6 2",
  },
  {
    what: "an expected end is one",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 6 }),
    log: "spawned 5, ran, clean, spawned 6",
    told: "EXITED 5 0 expected",
  },
  {
    what: "an operator's restart is no crash",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 6 }),
    log: "spawned 5, ran, stopped, spawned 6, ran",
    flags: GAP,
    told: "STOPPED 5",
  },
  {
    what: "failed starts in between are not told one by one",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 8 }),
    log: "spawned 5, ran, killed, spawned 6, exited 1, spawned 7, exited 1, spawned 8, ran",
    told: "EXITED 5 SIGKILL",
  },
  {
    what: "what was told before is not told again",
    before: knownAs("EXITED", { endedPids: [5] }),
    info: infoAs("RUNNING", { pid: 7 }),
    log: "spawned 5, ran, exited 1, spawned 6, ran, exited 2, spawned 7",
    told: "EXITED 6 2",
  },
  {
    what: "an end that came by an event meanwhile is not told again",
    before: RUNNING_5,
    now: knownAs("RUNNING", { alivePid: 7, endedPids: [6] }),
    info: infoAs("RUNNING", { pid: 7 }),
    log: "spawned 5, ran, exited 1, spawned 6, ran, exited 2, spawned 7, ran",
    told: "EXITED 5 1",
  },
  {
    what: "another id without evidence, behind a gap: likely",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 6 }),
    flags: GAP,
    told: "EXITED 5 likely",
  },
  {
    what: "another id of what was only starting: no end is assumed",
    before: knownAs("STARTING", { alivePid: 5 }),
    info: infoAs("RUNNING", { pid: 6 }),
    flags: GAP,
    told: "",
  },
  {
    what: "another id without evidence and without a gap is believed silently",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 6 }),
    told: "",
  },
  {
    what: "with loglevel=warn there is no id in the log: the last end it is",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 9 }),
    log: "exited 1, exited 2, exited 3",
    told: "EXITED 5 3",
  },
  {
    what: "old ends in such a log are nobody's while it runs",
    before: RUNNING_5,
    info: infoAs("RUNNING", { pid: 5 }),
    log: "exited 1, exited 2, exited 3",
    flags: GAP,
    told: "",
  },
  {
    what: "it has ended and stays so",
    before: RUNNING_5,
    info: infoAs("EXITED", { expected: false, exit: { status: 3, certainty: "sure" } }),
    told: "EXITED 5 3",
  },
  {
    what: "it has ended as expected",
    before: RUNNING_5,
    info: infoAs("EXITED", { expected: true, exit: { status: 0, certainty: "sure" } }),
    told: "EXITED 5 0 expected",
  },
  {
    what: "it is known to have ended",
    before: knownAs("EXITED", { endedPids: [5] }),
    info: infoAs("EXITED", { stoppedAtS: NOW_MS / 1000 - 61, expected: false }),
    told: "",
  },
  {
    what: "it has ended once more since then",
    before: knownAs("EXITED", { endedPids: [5] }),
    info: infoAs("EXITED", { stoppedAtS: NOW_MS / 1000 - 50, expected: false }),
    told: "EXITED",
  },
  {
    what: "it is FATAL",
    before: knownAs("BACKOFF"),
    info: infoAs("FATAL", { exit: { spawnError: "no such file", certainty: "sure" } }),
    told: "FATAL no such file",
  },
  { what: "it is known to be FATAL", before: knownAs("FATAL"), info: infoAs("FATAL"), told: "" },
  {
    what: "it is FATAL once more",
    before: knownAs("FATAL"),
    info: infoAs("FATAL", { startedAtS: NOW_MS / 1000 - 30 }),
    told: "FATAL",
  },
  {
    what: "it ran, crashed, and could not be started again",
    before: RUNNING_5,
    info: infoAs("FATAL"),
    log: "spawned 5, ran, killed, spawned 6, exited 1, spawned 7, exited 1",
    told: "EXITED 5 SIGKILL, FATAL",
  },
  {
    what: "a start has failed",
    before: knownAs("STARTING"),
    info: infoAs("BACKOFF"),
    told: "BACKOFF",
  },
  { what: "that is known", before: knownAs("BACKOFF"), info: infoAs("BACKOFF"), told: "" },
  {
    what: "it was stopped",
    before: RUNNING_5,
    info: infoAs("STOPPED"),
    flags: GAP,
    told: "STOPPED 5",
  },
  {
    what: "it starts now",
    before: knownAs("STOPPED"),
    info: infoAs("STARTING", { pid: 6 }),
    told: "",
  },
  { what: "it is stopping", before: RUNNING_5, info: infoAs("STOPPING", { pid: 5 }), told: "" },
  {
    what: "the first start: it is FATAL",
    info: infoAs("FATAL"),
    flags: { isFirst: true },
    told: "FATAL",
  },
  {
    what: "the first start: it has crashed some time ago",
    info: infoAs("EXITED", { expected: false }),
    flags: { isFirst: true },
    told: "",
  },
  {
    what: "the first start: it runs",
    info: infoAs("RUNNING", { pid: 9 }),
    log: "spawned 8, ran, killed, spawned 9, ran",
    flags: { isFirst: true },
    told: "",
  },
  {
    what: "the first start, and events were dropped: what has crashed is told",
    info: infoAs("EXITED", { expected: false }),
    flags: { isFirst: true, isGap: true },
    told: "EXITED",
  },
  {
    what: "a new supervisord: ids mean nothing",
    before: afterNewRun(RUNNING_5),
    info: infoAs("RUNNING", { pid: 6 }),
    log: "spawned 5, ran, started, spawned 6, ran",
    flags: NEW_RUN,
    told: "",
  },
  {
    what: "a new supervisord: crashed and back since then",
    before: afterNewRun(RUNNING_5),
    info: infoAs("RUNNING", { pid: 7 }),
    log: "spawned 5, ran, killed, started, spawned 6, ran, killed, spawned 7, ran",
    flags: NEW_RUN,
    told: "EXITED 6 SIGKILL",
  },
  {
    what: "a new supervisord: it has exited unexpectedly",
    before: afterNewRun(knownAs("EXITED", { endedPids: [5] })),
    info: infoAs("EXITED", { expected: false }),
    flags: NEW_RUN,
    told: "EXITED",
  },
  {
    what: "a new supervisord: it has ended as expected, or was not started",
    before: afterNewRun(RUNNING_5),
    info: infoAs("EXITED", { expected: true }),
    flags: NEW_RUN,
    told: "",
  },
  {
    what: "a new supervisord: stopped",
    before: afterNewRun(RUNNING_5),
    info: infoAs("STOPPED"),
    flags: NEW_RUN,
    told: "",
  },
];

function compare(changes: Partial<Comparison>): ReturnType<typeof differences> {
  const none = new Map<string, KnownProcess>();
  return differences({
    before: none,
    asked: none,
    now: none,
    look: { infos: [], log: new Map() },
    isGap: false,
    isFirst: false,
    isNewRun: false,
    supervisorRun: "boot 1 2",
    server: "supervisor",
    atMs: NOW_MS,
    ...changes,
  });
}

for (const { what, before, now = before, info, log = "", flags, told } of ROWS) {
  Deno.test(`differences(): ${what}`, () => {
    const known = rosterOf(now);
    const comparison = {
      before: rosterOf(before),
      asked: known,
      now: known,
      look: lookOf([info], logAs(log)),
      ...flags,
    };
    const found = compare(comparison);
    assertEquals(found.events.map(short).join(", "), told);
    const after = new Map(found.changed.map((one) => [processKey(one.process), one]));
    const then = after.get(processKey(PROCESS)) ?? now!;
    assertEquals(then.state, info.state, "the answer is believed");
    assertEquals(then.alivePid ?? 0, info.pid);
    const later = new Map([[processKey(PROCESS), then]]);
    const again = compare({ ...comparison, asked: later, now: later });
    assertEquals(again.events.map(short), [], "found once");
    assertEquals(again.changed, []);
  });
}

Deno.test("differences() does not believe an answer that is older than an event", () => {
  const touched = knownAs("STARTING");
  const found = compare({
    before: rosterOf(RUNNING_5),
    asked: rosterOf(RUNNING_5),
    now: rosterOf(touched),
    look: lookOf([infoAs("EXITED", { expected: false })], logAs("spawned 5, ran, killed")),
    isGap: true,
  });
  assertEquals(found.events.map(short), ["EXITED 5 SIGKILL"], "the log is no older");
  assertEquals([found.skipped, found.changed[0]!.state], [1, "EXITED"]);
  const unclear = compare({
    before: rosterOf(RUNNING_5),
    asked: rosterOf(RUNNING_5),
    now: rosterOf(touched),
    look: lookOf([infoAs("FATAL")], []),
    isGap: true,
  });
  assertEquals([unclear.events, unclear.skipped, unclear.changed], [[], 1, []]);
});

Deno.test("differences() removes what supervisord does not have any more", () => {
  const known = rosterOf(RUNNING_5);
  assertEquals(compare({ asked: known, now: known }).removed, [PROCESS]);
  const touched = rosterOf(knownAs("STARTING"));
  assertEquals(compare({ asked: known, now: touched }).removed, []);
});

Deno.test("differences() tells ends of namesakes only by ids that were known", () => {
  const other = { name: "api", group: "shop" };
  const before = new Map([
    [processKey(PROCESS), RUNNING_5],
    [processKey(other), { ...knownAs("RUNNING", { alivePid: 6 }), process: other }],
  ]);
  const infos = [
    infoAs("RUNNING", { pid: 7 }),
    infoAs("RUNNING", { pid: 6, process: other }),
  ];
  // One of the two has ended; the log does not say which, but the list does.
  const eventsBy = (log: string) => {
    const look = lookOf(infos, logAs(log));
    return compare({ before, asked: before, now: before, look, isGap: true }).events;
  };
  const spawned = "spawned 5, spawned 6, ran, ran";
  assertEquals(eventsBy("").map(short), ["EXITED 5 likely"]);
  const [killed] = eventsBy(`${spawned}, killed, spawned 7, ran`);
  assertEquals(short(killed!), "EXITED 5 SIGKILL");
  assertEquals("exit" in killed! && killed.exit?.certainty, "likely");
  assertEquals(eventsBy(`${spawned}, stopped, spawned 7, ran`).map(short), ["STOPPED 5"]);
  // Two ends, and each may be its own.
  assertEquals(eventsBy(`${spawned}, killed, stopped, spawned 7`).map(short), ["EXITED 5 likely"]);
});

/** What happened to api so many seconds before now, as lines of the log. */
function logAt(rows: readonly (readonly [agoS: number, text: string])[]): string[] {
  return rows.flatMap(([agoS, text]) =>
    logAs(text).map((line) => localTime(NOW_MS - agoS * 1000) + line.slice(23))
  );
}

const agoOf = ({ origin: { atMs } }: Event) => atMs === undefined ? "?" : (NOW_MS - atMs) / 1000;

/** What was known a minute before now, of a process that runs as 7 now. */
interface TimeRow {
  readonly what: string;
  readonly before?: KnownProcess;
  readonly info: ProcessInfo;
  readonly log?: readonly (readonly [agoS: number, text: string])[];
  readonly flags?: Partial<Comparison>;
  /** How many seconds ago each event was; "?": that is not known. */
  readonly told: string;
}

const HOUR_S = 3600;
const nowS = NOW_MS / 1000;
const TWO_ENDS = (shiftS: number) =>
  [
    [shiftS + 200, "spawned 5, ran"],
    [shiftS + 40.25, "killed"],
    [shiftS + 39, "spawned 6, ran"],
    [shiftS + 20.5, "exited 1"],
    [shiftS + 19, "spawned 7, ran"],
  ] as const;
const TIME_ROWS: readonly TimeRow[] = [
  {
    what: "each end has the time of its line",
    info: infoAs("RUNNING", { pid: 7, stoppedAtS: nowS - 21 }),
    log: TWO_ENDS(0),
    told: "EXITED 5 SIGKILL 40.25, EXITED 6 1 20.5",
  },
  {
    what: "of a log in another zone, ahead of ours, no line is believed",
    info: infoAs("RUNNING", { pid: 7, stoppedAtS: nowS - 21 }),
    log: TWO_ENDS(-8 * HOUR_S),
    told: "EXITED 5 SIGKILL ?, EXITED 6 1 21",
  },
  {
    what: "of a log in another zone, behind ours, no line is believed",
    before: { ...RUNNING_5, sinceMs: NOW_MS - 24 * HOUR_S * 1000 },
    info: infoAs("RUNNING", { pid: 7, stoppedAtS: nowS - 21 }),
    log: TWO_ENDS(8 * HOUR_S),
    told: "EXITED 5 SIGKILL ?, EXITED 6 1 21",
  },
  {
    what: "a line from before the last sign of life is not believed",
    before: { ...RUNNING_5, sinceMs: NOW_MS - 30_000 },
    info: infoAs("RUNNING", { pid: 7, stoppedAtS: nowS - 21 }),
    log: TWO_ENDS(0),
    told: "EXITED 5 SIGKILL ?, EXITED 6 1 20.5",
  },
  {
    what: "an end that is newer than the list has the time of its line",
    info: infoAs("RUNNING", { pid: 6, stoppedAtS: nowS - 41 }),
    log: TWO_ENDS(0).slice(0, 4),
    told: "EXITED 5 SIGKILL 40.25",
  },
  {
    what: "without a line supervisord's list has the time of what has ended",
    info: infoAs("EXITED", { stoppedAtS: nowS - 21, expected: false }),
    told: "EXITED 5 21",
  },
  {
    what: "it was stopped",
    info: infoAs("STOPPED", { stoppedAtS: nowS - 21 }),
    flags: GAP,
    told: "STOPPED 5 21",
  },
  {
    what: "of what is only likely the time is not known",
    info: infoAs("RUNNING", { pid: 7, stoppedAtS: nowS - 21 }),
    flags: GAP,
    told: "EXITED 5 likely ?",
  },
  {
    what: "the last start failed when it ended",
    before: knownAs("BACKOFF"),
    info: infoAs("FATAL", { startedAtS: nowS - 20, stoppedAtS: nowS - 18 }),
    told: "FATAL 18",
  },
  {
    what: "or at once",
    before: knownAs("BACKOFF"),
    info: infoAs("FATAL", { startedAtS: nowS - 20 }),
    told: "FATAL 20",
  },
  {
    what: "a time ahead is of a clock that was set back",
    info: infoAs("RUNNING", { pid: 6, stoppedAtS: nowS + 20 }),
    log: [[-19.5, "spawned 5, ran, killed, spawned 6"]],
    told: "EXITED 5 SIGKILL ?",
  },
];

for (const { what, before = RUNNING_5, info, log = [], flags, told } of TIME_ROWS) {
  Deno.test(`differences() finds out when it was: ${what}`, () => {
    const known = rosterOf(before);
    const comparison = {
      before: known,
      asked: known,
      now: known,
      look: lookOf([info], logAt(log)),
      ...flags,
    };
    const found = compare(comparison);
    assertEquals(found.events.map((event) => `${short(event)} ${agoOf(event)}`).join(", "), told);
    const later = rosterOf(found.changed[0]);
    assertEquals(compare({ ...comparison, asked: later, now: later }).events, [], "found once");
  });
}

Deno.test("differences() takes the later of two times that a line may mean, where it fits", () => {
  const early = NOW_MS - 2 * HOUR_S * 1000;
  const late = early + HOUR_S * 1000;
  const look = (stoppedAtS: number): Look => ({
    infos: [infoAs("RUNNING", { pid: 6, stoppedAtS })],
    log: new Map([["api", {
      ends: [{ pid: 5, ended: "exited", ran: true, readingsMs: [late, early] }],
      ranMs: [],
      endsBefore: new Map([[5, 0], [6, 1]]),
    }]]),
  });
  const timeBy = (stoppedAtS: number, sinceMs: number, atMs = NOW_MS) => {
    const known = rosterOf({ ...RUNNING_5, sinceMs });
    const found = compare({
      before: known,
      asked: known,
      now: known,
      look: look(stoppedAtS),
      atMs,
    });
    return found.events.map(({ origin }) => origin.atMs);
  };
  const old = early - HOUR_S * 1000;
  assertEquals(timeBy(0, old), [late]);
  assertEquals(timeBy(0, old, late - 1), [early], "not ahead");
  assertEquals(timeBy(early / 1000, old), [early], "the list knows");
  assertEquals(timeBy(late / 1000, old), [late]);
  assertEquals(timeBy(0, late + 60_000), [undefined], "neither can be");
});

const NEWS_ROWS: readonly [KnownProcess | undefined, ProcessInfo, boolean][] = [
  [undefined, infoAs("RUNNING", { pid: 5 }), true],
  [RUNNING_5, infoAs("RUNNING", { pid: 5 }), false],
  [RUNNING_5, infoAs("RUNNING", { pid: 6 }), true],
  [RUNNING_5, infoAs("STOPPED"), true],
  [knownAs("EXITED"), infoAs("EXITED", { stoppedAtS: NOW_MS / 1000 - 61 }), false],
  [knownAs("EXITED"), infoAs("EXITED", { stoppedAtS: NOW_MS / 1000 - 50 }), true],
];
for (const [known, info, isNews] of NEWS_ROWS) {
  Deno.test(`countNews(): ${known?.state}, now ${info.state} ${info.pid}: ${isNews}`, () => {
    assertEquals(countNews([info], rosterOf(known)), isNews ? 1 : 0);
  });
}

Deno.test("differences() gives the same end the same identity, and others others", () => {
  const identityOf = (info: ProcessInfo, run = "boot 1 2") => {
    const known = rosterOf(RUNNING_5);
    const found = compare({
      before: known,
      asked: known,
      now: known,
      look: lookOf([info], []),
      isGap: true,
      supervisorRun: run,
    });
    return found.events.map(({ origin }) => origin.identity);
  };
  const one = identityOf(infoAs("RUNNING", { pid: 6 }));
  assertEquals(one.length, 1);
  assertEquals(identityOf(infoAs("STARTING", { pid: 8, startedAtS: 5 })), one);
  assertEquals(identityOf(infoAs("RUNNING", { pid: 6 }), "boot 1 3")[0] === one[0], false);
});

/** The listener's side of a story: what it was told, by events and by comparing. */
class Listener {
  readonly roster = new Map<string, KnownProcess>();
  before = new Map<string, KnownProcess>();
  readonly told: string[] = [];

  take(event: Event, atMs: number): void {
    if (!isStateEvent(event)) throw new Error("no state");
    const key = processKey(event.process);
    const known = this.roster.get(key);
    if (!isFoundBefore(known, event, atMs)) this.#tell(event);
    this.roster.set(key, afterEvent(known, event, atMs));
  }

  compare(model: SupervisordModel, atMs: number): void {
    const found = differences({
      before: this.before,
      asked: this.roster,
      now: this.roster,
      look: lookOf(model.list().map(infoOf), model.log),
      isGap: true,
      isFirst: false,
      isNewRun: false,
      supervisorRun: "run",
      server: "supervisor",
      atMs,
    });
    for (const event of found.events) this.#tell(event);
    for (const known of found.changed) this.roster.set(processKey(known.process), known);
    this.before = new Map(this.roster);
  }

  #tell(event: Event): void {
    if (event.kind !== "process_exited" && event.kind !== "process_stopped") return;
    const { process: { group, name }, pid } = event;
    this.told.push(`${group}:${name} ${pid} ${event.kind.slice(8)}`);
  }
}

const ROUNDS = 400;

Deno.test("every end is told exactly once, whatever is dropped", () => {
  const random = new Random(41);
  for (let round = 0; round < ROUNDS; round++) {
    const model = new SupervisordModel([["a", "a"], ["web", "api"], ["web", "db"]]);
    const listener = new Listener();
    for (let index = 0; index < model.size; index++) {
      model.start(index);
      model.run(index);
    }
    let taken = 0;
    const take = () => listener.take(parseEvent(model.frames[taken++]!), model.nowS * 1000);
    while (taken < model.frames.length) take();
    listener.before = new Map(listener.roster);
    for (let burst = 0; burst < 5; burst++) {
      const dropShare = random.pick([0, 0.5, 0.9, 1]);
      for (let step = random.below(30); step > 0; step--) act(model, random);
      // The last ones are still on their way when supervisord is asked.
      const late = random.chance(0.3) ? random.below(4) : 0;
      while (taken < model.frames.length - late) {
        if (random.chance(dropShare)) taken++;
        else take();
      }
      listener.compare(model, model.nowS * 1000);
      while (taken < model.frames.length) take();
      if (late > 0) listener.compare(model, model.nowS * 1000);
    }
    const expected = model.ends.map(({ group, name, pid, kind }) =>
      `${group}:${name} ${pid} ${kind}`
    );
    assertEquals(
      listener.told.toSorted(),
      expected.toSorted(),
      `seed ${random.seed}, round ${round}`,
    );
  }
});

/** Something that may happen to one program in its state. */
function act(model: SupervisordModel, random: Random): void {
  const index = random.below(model.size);
  switch (model.stateOf(index)) {
    case "STARTING":
      return random.chance(0.6) ? model.run(index) : model.fail(index);
    case "RUNNING":
      return random.chance(0.2)
        ? model.stop(index)
        : model.exit(index, random.pick([0, 1, "SIGKILL"] as const));
    case "BACKOFF":
      return random.chance(0.7) ? model.start(index) : model.giveUp(index);
    default:
      return model.start(index);
  }
}

Deno.test("differences() takes over whether an end was expected, and believes the event first", () => {
  const takenOver = (known: KnownProcess | undefined, expected: boolean) => {
    const asked = rosterOf(known);
    const look = { infos: [infoAs("EXITED", { expected })], log: new Map() };
    const { changed } = differences({
      before: asked,
      asked,
      now: asked,
      look,
      isGap: false,
      isFirst: true,
      isNewRun: false,
      supervisorRun: "run",
      server: "supervisor",
      atMs: NOW_MS,
    });
    return changed.map((process) => process.expected);
  };
  assertEquals(takenOver(undefined, true), [true]);
  assertEquals(takenOver(knownAs("EXITED"), true), [true]);
  assertEquals(takenOver(knownAs("EXITED", { expected: false, startedAtS: 1 }), true), [false]);
  assertEquals(takenOver(knownAs("EXITED", { expected: true }), false), [true]);
});
