// The roster as rows: what came, and what is known then.

import type { Event } from "../../src/events/event.ts";
import { parseEvent } from "../../src/events/parse.ts";
import {
  afterEvent,
  afterNewRun,
  isFoundBefore,
  isStateEvent,
  type KnownProcess,
  readKnownProcess,
  type StateEvent,
  withKnownExit,
} from "../../src/rules/roster.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { frameOf } from "../support/frames.ts";

const PROCESS = { name: "api", group: "web" };
const KILLED = { signal: "SIGKILL", certainty: "sure" } as const;

/** `RUNNING 5`: the event as supervisord sends it; `found EXITED 5`: as we make it. */
function eventOf(text: string): StateEvent {
  const [, found, state, pid] = /^(found )?([A-Z]+)(?: (\d+))?$/.exec(text)!;
  const rest = {
    STARTING: "from_state:STOPPED tries:0",
    BACKOFF: "from_state:STARTING tries:1",
    RUNNING: `from_state:STARTING pid:${pid}`,
    STOPPING: `from_state:RUNNING pid:${pid}`,
    STOPPED: `from_state:STOPPING pid:${pid}`,
    EXITED: `from_state:RUNNING expected:0 pid:${pid}`,
    FATAL: "from_state:BACKOFF",
    UNKNOWN: "from_state:STOPPING",
  }[state!];
  const event = parseEvent(frameOf({
    eventname: `PROCESS_STATE_${state}`,
    payload: `processname:api groupname:web ${rest}`,
  }));
  assert(isStateEvent(event), text);
  if (found === undefined) return event;
  return { ...event, origin: { ...event.origin, identity: text, reconciled: true } };
}

const after = (...texts: readonly string[]): KnownProcess =>
  texts.map(eventOf).reduce<KnownProcess | undefined>(
    (known, event, index) => afterEvent(known, event, 1000 * (index + 1)),
    undefined,
  )!;

const ROWS: readonly [string[], Partial<KnownProcess>][] = [
  [["STARTING"], { state: "STARTING", sinceMs: 1000, restarts: 0, endedPids: [] }],
  [["STARTING", "RUNNING 5"], { state: "RUNNING", sinceMs: 2000, alivePid: 5 }],
  [["RUNNING 5", "STOPPING 5"], { state: "STOPPING", alivePid: 5, endedPids: [] }],
  [["RUNNING 5", "STOPPING 5", "STOPPED 5"], { state: "STOPPED", endedPids: [5], restarts: 0 }],
  [["RUNNING 5", "EXITED 5"], { state: "EXITED", endedPids: [5], restarts: 1 }],
  [["RUNNING 5", "EXITED 5", "STARTING", "RUNNING 6", "EXITED 6"], {
    state: "EXITED",
    endedPids: [5, 6],
    restarts: 2,
    sinceMs: 5000,
  }],
  [["RUNNING 5", "EXITED 5", "EXITED 5"], { endedPids: [5], restarts: 1, sinceMs: 2000 }],
  [["BACKOFF", "STARTING", "BACKOFF", "FATAL"], { state: "FATAL", restarts: 2 }],
  [["BACKOFF", "STOPPED 0"], { state: "STOPPED", endedPids: [] }],
  [["RUNNING 5", "UNKNOWN"], { state: "UNKNOWN" }],
  [["RUNNING 5", "found EXITED 5"], {
    state: "EXITED",
    endedPids: [5],
    found: [{ pid: 5, atMs: 2000 }],
  }],
  [["found FATAL"], { state: "FATAL", foundState: "FATAL" }],
  // The event comes after all: it is no second end.
  [["RUNNING 5", "found EXITED 5", "EXITED 5"], { endedPids: [5], found: [], restarts: 1 }],
  // And it is older than what runs now.
  [["RUNNING 5", "found EXITED 5", "RUNNING 6", "EXITED 5"], { state: "RUNNING", alivePid: 6 }],
  [["found EXITED 5", "RUNNING 6", "RUNNING 5", "EXITED 5"], { state: "RUNNING", alivePid: 6 }],
];
for (const [texts, expected] of ROWS) {
  Deno.test(`afterEvent(): ${texts.join(", ")}`, () => {
    const known = after(...texts);
    const seen = Object.fromEntries(
      Object.keys(expected).map((key) => [key, known[key as keyof KnownProcess]]),
    );
    assertEquals(seen, expected);
    const runs = known.state === "RUNNING" || known.state === "STOPPING";
    assertEquals(known.alivePid !== undefined, runs, "a process id only while one runs");
  });
}

const FOUND_ROWS: readonly [string[], string, boolean][] = [
  [["RUNNING 5"], "EXITED 5", false],
  [["RUNNING 5", "EXITED 5"], "EXITED 5", false], // the frame came again; its alerts are known
  [["RUNNING 5", "found EXITED 5"], "EXITED 5", true],
  [["RUNNING 5", "found EXITED 5", "RUNNING 6"], "EXITED 5", true],
  [["RUNNING 5", "found EXITED 5"], "EXITED 6", false],
  [["RUNNING 5", "found EXITED 5", "RUNNING 6"], "EXITED 6", false],
  [["RUNNING 5", "found EXITED 5", "EXITED 5"], "EXITED 5", false],
  [["RUNNING 5", "found EXITED 5", "EXITED 5"], "EXITED 7", false],
  [["found EXITED 0"], "EXITED 7", true], // found without its process id
  [["found EXITED 0", "STARTING"], "EXITED 7", false],
  [["RUNNING 5", "found STOPPED 5"], "STOPPED 5", true],
  [["found FATAL"], "FATAL", true],
  [["found FATAL", "STARTING", "BACKOFF"], "FATAL", false],
  [["FATAL"], "FATAL", false],
  [["found BACKOFF"], "BACKOFF", true],
  [["found BACKOFF", "STARTING"], "BACKOFF", false],
];
for (const [texts, event, expected] of FOUND_ROWS) {
  Deno.test(`isFoundBefore(): ${texts.join(", ")}, then ${event}: ${expected}`, () => {
    assertEquals(isFoundBefore(after(...texts), eventOf(event), 9000), expected);
  });
}

Deno.test("isFoundBefore() believes a process id for ten minutes only: it may be another's then", () => {
  const known = after("RUNNING 5", "found EXITED 5", "RUNNING 6");
  assertEquals(isFoundBefore(known, eventOf("EXITED 5"), 2000 + 600_000), true);
  assertEquals(isFoundBefore(known, eventOf("EXITED 5"), 2001 + 600_000), false);
  const later = afterEvent(known, eventOf("RUNNING 5"), 3_000_000);
  assertEquals(later.alivePid, 5);
});

Deno.test("afterEvent() remembers a bounded number of ends", () => {
  let known: KnownProcess | undefined;
  for (let pid = 1; pid <= 100; pid++) {
    known = afterEvent(known, eventOf(`RUNNING ${pid}`), pid);
    known = afterEvent(known, eventOf(`found EXITED ${pid}`), pid);
  }
  assertEquals([known!.endedPids.length, known!.found.length, known!.restarts], [16, 16, 100]);
  assertEquals(known!.endedPids.at(-1), 100);
});

Deno.test("withKnownExit() keeps the cause of the last end, and no other's", () => {
  const known = after("RUNNING 5", "EXITED 5");
  assertEquals(withKnownExit(known, { pid: 5, exit: KILLED }).exit, KILLED);
  assertEquals(withKnownExit(known, { pid: 4, exit: KILLED }).exit, undefined);
  const next = afterEvent(withKnownExit(known, { pid: 5, exit: KILLED }), eventOf("RUNNING 6"), 1);
  assertEquals(next.exit, KILLED, "also while it runs again");
  assertEquals(afterEvent(next, eventOf("EXITED 6"), 2).exit, undefined);
});

Deno.test("afterNewRun() keeps what is not of the run", () => {
  const known = withKnownExit(after("RUNNING 5", "EXITED 5", "RUNNING 6"), {
    pid: undefined,
    exit: KILLED,
  });
  const { alivePid, endedPids, state, restarts, exit } = afterNewRun(known);
  assertEquals({ alivePid, endedPids, state, restarts, exit }, {
    alivePid: undefined,
    endedPids: [],
    state: "UNKNOWN",
    restarts: 1,
    exit: KILLED,
  });
});

Deno.test("readKnownProcess() reads what was written, and nothing else", () => {
  const known = after("RUNNING 5", "found EXITED 5", "RUNNING 6");
  assertEquals(readKnownProcess(JSON.stringify(known), PROCESS), known);
  const wrong: unknown[] = [
    null,
    [],
    "x",
    {},
    { ...known, state: "SLEEPING" },
    { ...known, endedPids: "5" },
    { ...known, endedPids: [null] },
    { ...known, found: [5] },
    { ...known, found: [null] },
    { ...known, alivePid: "5" },
    { ...known, sinceMs: null },
    { ...known, restarts: -1 },
  ];
  for (const value of wrong) {
    assertEquals(readKnownProcess(JSON.stringify(value), PROCESS), undefined, String(value));
  }
  assertEquals(readKnownProcess("{", PROCESS), undefined);
});

Deno.test("isStateEvent() is true for states only", () => {
  const log = parseEvent(frameOf({
    eventname: "PROCESS_LOG_STDOUT",
    payload: "processname:a groupname:a pid:1 channel:stdout\nx",
  }));
  assertEquals(isStateEvent(log as Event), false);
  assertEquals(isStateEvent(eventOf("FATAL")), true);
});
