// Intake with real outboxes: what a frame stores, and that nothing inside ever gets out.

import { DatabaseSync } from "node:sqlite";
import type { Event } from "../src/events/event.ts";
import type { Frame } from "../src/events/frame.ts";
import { Intake } from "../src/intake.ts";
import { MEMORY_LIMIT } from "../src/storage.ts";
import { Redactor } from "../src/config/secret.ts";
import { Log } from "../src/log.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import { DEFAULT_PACING } from "../src/rules/pacing.ts";
import type { NamePatterns, Rule } from "../src/rules/rule.ts";
import type { Tally } from "../src/rules/rule_memory.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";
import { captures, frameOf, framesOf } from "./support/frames.ts";
import { ALERT } from "./support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const RULES: readonly Rule[] = [
  { name: "crash", on: ["crash", "fatal"], where: {}, to: ["oncall", "mail"] },
  { name: "all exits", on: ["exit"], where: {}, to: ["mail"] },
];

class Bench implements Disposable {
  readonly #folder = new Folder();
  readonly disk = Outbox.open(this.#folder.file("superbell.db"), { nowMs: NOW });
  readonly memory = Outbox.open(":memory:", { nowMs: NOW });
  readonly log: string[] = [];
  readonly stored: (readonly string[])[] = [];
  readonly intake: Intake;
  readonly options: ConstructorParameters<typeof Intake>[0];

  constructor(changes: Partial<ConstructorParameters<typeof Intake>[0]> = {}) {
    this.options = {
      rules: RULES,
      outbox: this.disk,
      memory: this.memory,
      host: () => ({ name: "node-7", address: "" }),
      supervisorRun: "node-7 1 2",
      now: () => NOW,
      digestMs: () => 0,
      log: new Log({
        level: "debug",
        redactor: new Redactor([]),
        now: () => NOW,
        write: (line) => void this.log.push(line.trimEnd().replace(/^.*? (?=[A-Z]+ )/, "")),
      }),
      onStored: (channels) => void this.stored.push(channels),
      ...changes,
    };
    this.intake = new Intake(this.options);
  }

  [Symbol.dispose](): void {
    this.disk.close();
    this.memory.close();
    this.#folder[Symbol.dispose]();
  }
}

function exited(serial: number, expected: 0 | 1 = 0): Frame {
  return frameOf({
    serial,
    eventname: "PROCESS_STATE_EXITED",
    payload: `processname:api groupname:web from_state:RUNNING expected:${expected} pid:42`,
  });
}

function exitedOf(group: string, serial: number): Frame {
  return frameOf({
    serial,
    eventname: "PROCESS_STATE_EXITED",
    payload: `processname:main groupname:${group} from_state:RUNNING expected:0 pid:43`,
  });
}

/** Rules whose words are told each time, for what is about storing and not about incidents. */
const EACH_TIME: readonly Rule[] = [
  { name: "started", on: ["started"], where: {}, to: ["oncall", "mail"] },
  { name: "all starts", on: ["started"], where: {}, to: ["mail"] },
];

function running(serial: number): Frame {
  return frameOf({
    serial,
    eventname: "PROCESS_STATE_RUNNING",
    payload: `processname:api groupname:web from_state:STARTING pid:42`,
  });
}

Deno.test("Intake.take() stores an entry for each channel of each rule that alerts", () => {
  using bench = new Bench();
  bench.intake.take(exited(1));
  const entries = bench.disk.entries.list();
  assertEquals(entries.map(({ channel, alert }) => [channel, alert.rule, alert.word]), [
    ["oncall", "crash", "crash"],
    ["mail", "crash", "crash"],
    ["mail", "all exits", "exit"],
  ]);
  assertEquals(entries[0]?.alert, {
    id: entries[1]!.alert.id,
    rule: "crash",
    word: "crash",
    eventname: "PROCESS_STATE_EXITED",
    atMs: NOW,
    host: { name: "node-7", address: "" },
    supervisor: "supervisor",
    process: { name: "api", group: "web" },
    pid: 42,
    fromState: "RUNNING",
    expected: false,
    severity: "warning",
    incident: {
      id: entries[0]!.alert.incident!.id,
      kind: "firing",
      number: 1,
      sinceMs: NOW,
      ends: 1,
      by: "process",
      key: "web:api",
      processes: [{ group: "web", name: "api" }],
      count: 1,
    },
  });
  assert(entries[2]!.alert.id !== entries[0]!.alert.id);
  assertEquals(bench.stored, [["oncall", "mail", "mail"]]);
});

Deno.test("Intake.take() stores the same frame once, however often it comes", () => {
  using bench = new Bench({ rules: EACH_TIME });
  for (let count = 0; count < 3; count++) bench.intake.take(running(1));
  assertEquals(bench.disk.entries.counts().waiting, 3);
  assertEquals(bench.stored.length, 1);
  assertMatch(bench.log.at(-1)!, /came again, its alerts are stored already$/);
  bench.intake.take(running(2));
  assertEquals(bench.disk.entries.counts().waiting, 6);
});

Deno.test("Intake.take() tells the same serial of another supervisord apart", () => {
  using bench = new Bench({ rules: EACH_TIME });
  bench.intake.take(running(1));
  const again = new Intake({
    rules: EACH_TIME,
    outbox: bench.disk,
    memory: bench.memory,
    host: () => ({ name: "node-7", address: "" }),
    supervisorRun: "node-7 1 3",
    now: () => NOW,
    digestMs: () => 0,
    log: new Log({ level: "error", redactor: new Redactor([]), now: () => NOW }),
    onStored() {},
  });
  again.take(running(1));
  assertEquals(bench.disk.entries.counts().waiting, 6);
});

Deno.test("Intake.take() stores nothing for an event that no rule wants", () => {
  using bench = new Bench({ rules: [RULES[0]!] });
  bench.intake.take(exited(1, 1));
  bench.intake.take(frameOf({ eventname: "TICK_60", payload: "when:60" }));
  bench.intake.take(frameOf({ eventname: "FUTURE_EVENT", payload: "\u{1f525}" }));
  bench.intake.take(frameOf({ eventname: "PROCESS_STATE_EXITED", payload: "garbage" }));
  assertEquals(bench.disk.entries.list(), []);
  assertEquals(bench.stored, []);
});

Deno.test("Intake.take() takes every recorded frame", () => {
  using bench = new Bench();
  for (const capture of captures()) {
    for (const frame of framesOf(capture)) bench.intake.take(frame);
  }
  assert(bench.disk.entries.counts().waiting > 10);
  assertEquals(bench.log.filter((line) => line.startsWith("ERROR")), []);
});

Deno.test("Intake.take() keeps entries in memory when the disk takes none", () => {
  using bench = new Bench();
  bench.disk.close();
  bench.intake.take(exited(1));
  assertEquals(bench.memory.entries.counts().waiting, 3);
  assertEquals(bench.stored.length, 1);
  assertMatch(
    bench.log.find((line) => line.startsWith("ERROR"))!,
    /^ERROR cannot store 3 entries in ".*\/superbell\.db" \(database is not open\); they are kept in memory/,
  );
  bench.intake.take(exited(1));
  assertEquals(bench.memory.entries.counts().waiting, 3, "and knows there what came again");
});

Deno.test("Intake.take() bounds what it keeps in memory, and says what is lost", () => {
  const rules: Rule[] = [{
    name: "r",
    on: ["started"],
    where: {},
    to: Array.from({ length: 1000 }, (_, index) => `c${index}`),
  }];
  using bench = new Bench({ rules });
  bench.disk.close();
  for (let serial = 0; serial < 15; serial++) bench.intake.take(running(serial));
  assertEquals(bench.memory.entries.counts().waiting, MEMORY_LIMIT.entries);
  assertEquals(
    bench.log.at(-1),
    "ERROR memory is full of waiting entries: 1000 are lost, 5000 since the start",
  );
  bench.memory.entries.drop(bench.memory.entries.list().map(({ id }) => id), NOW);
  bench.intake.take(running(99));
  assertEquals(
    bench.memory.entries.counts().waiting,
    1000,
    "and takes more when there is room again",
  );
});

Deno.test("Intake.take() makes room in memory by what is settled, the dead last and told", () => {
  const rules: Rule[] = [{
    name: "r",
    on: ["started"],
    where: {},
    to: Array.from({ length: 1000 }, (_, index) => `c${index}`),
  }];
  using bench = new Bench({ rules });
  bench.disk.close();
  for (let serial = 0; serial < 10; serial++) bench.intake.take(running(serial));
  const attempt = { atMs: NOW, tookMs: 1, outcome: "rejected", reason: "no" } as const;
  bench.memory.settle(bench.memory.claim("c0", { nowMs: NOW, leaseMs: 1, most: 10 })!, { attempt });
  bench.memory.entries.drop(Array.from({ length: 995 }, (_, index) => index + 2), NOW);
  assertEquals(bench.memory.entries.counts().dead, 10);
  bench.intake.take(running(99));
  assertEquals(bench.memory.entries.counts().waiting, 10_000 - 1005 + 1000);
  assertEquals(bench.memory.entries.counts().dead, 5);
  assertEquals(
    bench.log.filter((line) => line.includes("forgotten")),
    ["ERROR memory is full: 5 dead entries in it are forgotten"],
  );
});

Deno.test("Intake.take() bounds the bytes that it keeps in memory", () => {
  using bench = new Bench();
  const alert = (id: number) => ({ ...ALERT, id: `big${id}`, text: "x".repeat(1024 ** 2) });
  for (let id = 0; bench.memory.makeRoom(1, MEMORY_LIMIT).fits; id++) {
    bench.memory.enqueue([{ alert: alert(id), channel: "c" }], NOW);
  }
  const { waiting } = bench.memory.entries.counts();
  assert(waiting > 50 && waiting < 70, `${waiting} MB`);
});

const FAILURES: Record<string, ConstructorParameters<typeof Bench>[0]> = {
  "the host": {
    host() {
      throw new TypeError("no host");
    },
  },
  "the clock": {
    now() {
      throw new TypeError("no time");
    },
  },
  "who is told": {
    onStored() {
      throw new TypeError("nobody");
    },
  },
  "a rule": {
    rules: [{ name: "broken", on: ["crash"], where: { process: {} as NamePatterns }, to: ["c"] }],
  },
};
for (const [what, changes] of Object.entries(FAILURES)) {
  Deno.test(`Intake.take() does not throw when ${what} fails, and logs it`, () => {
    using bench = new Bench(changes!);
    bench.intake.take(exited(5));
    assertMatch(
      bench.log.at(-1)!,
      /^ERROR a mistake in superbell itself: event 5 PROCESS_STATE_EXITED brought no alert: TypeError/,
    );
  });
}

Deno.test("Intake.take() does not throw when both disk and memory fail", () => {
  using bench = new Bench();
  bench.disk.close();
  bench.memory.close();
  bench.intake.take(exited(1));
  assertMatch(bench.log.at(-1)!, /^ERROR a mistake in superbell itself: event 1/);
});

Deno.test("Intake.take() logs at debug what was decided, one line an event", () => {
  using bench = new Bench();
  bench.intake.take(
    frameOf({
      serial: 3,
      eventname: "PROCESS_LOG_STDOUT",
      payload: "processname:a groupname:a pid:1 channel:stdout\nline\nINJECTED \x1b[31m",
    }),
  );
  assertEquals(bench.log, [
    "DEBUG event 3 PROCESS_LOG_STDOUT (server supervisor, pool superbell 3) of a " +
    "processname:a groupname:a pid:1 channel:stdout\\nline\\nINJECTED \\u001b[31m" +
    "; crash: skip (event-not-in-on); all exits: skip (event-not-in-on)",
  ]);
});

Deno.test("Intake.take() keeps to the memory that it may use, and counts what is lost", () => {
  const text = "x".repeat(1000);
  const rule: Rule = { name: "log", on: ["process_log"], where: {}, to: ["mail"] };
  using logs = new Bench({ rules: [rule], memoryLimit: { entries: 10_000, bytes: 300 * 1024 } });
  logs.disk.close();
  for (let serial = 1; serial <= 1000; serial++) {
    const payload = `processname:a groupname:a pid:1 channel:stdout\n${text}`;
    logs.intake.take(frameOf({ serial, eventname: "PROCESS_LOG_STDOUT", payload }));
  }
  const { waiting } = logs.memory.entries.counts();
  assert(waiting > 50 && waiting < 300, `${waiting} entries of 1 KB in 300 KB`);
  assertMatch(
    logs.log.at(-1)!,
    new RegExp(
      `^ERROR memory is full of waiting entries: 1 are lost, ${1000 - waiting} since the start$`,
    ),
  );
});

/** An event that no frame brought. */
const GAP: Event = {
  kind: "gap",
  origin: { server: "supervisor", eventname: "SUPERBELL_GAP", identity: "pool 7 300" },
  dropped: 293,
  recovered: 290,
};
const GAP_RULE: Rule = { name: "gaps", on: ["gap"], where: {}, to: ["mail"] };
const MISSED: Event = {
  kind: "process_exited",
  origin: {
    server: "supervisor",
    eventname: "PROCESS_STATE_EXITED",
    identity: "web:api 42",
    reconciled: true,
  },
  process: { name: "api", group: "web" },
  fromState: "RUNNING",
  pid: 42,
  expected: false,
};

Deno.test("Intake.tell() stores what we found out, once, by the same rules", () => {
  using bench = new Bench({ rules: [...RULES, GAP_RULE] });
  assertEquals(bench.intake.tell([MISSED, GAP]), 4);
  assertEquals(bench.intake.tell([MISSED, GAP]), 0);
  assertEquals(bench.disk.entries.list().map(({ channel, alert }) => [channel, alert.word]), [
    ["oncall", "crash"],
    ["mail", "crash"],
    ["mail", "exit"],
    ["mail", "gap"],
  ]);
  assertEquals(bench.stored, [["oncall", "mail", "mail", "mail"]]);
  const [missed] = bench.disk.entries.list();
  assertEquals(missed?.alert.reconciled, true);
  assertMatch(
    bench.log.findLast((line) => line.includes("to oncall, mail"))!,
    /^INFO reconciled event PROCESS_STATE_EXITED of web:api: rule crash: alert \w{12} \(firing, incident \w{12}\) to oncall, mail$/,
  );
});

Deno.test("Intake.tell() goes by other rules where the caller has them", () => {
  using bench = new Bench();
  assertEquals(bench.intake.tell([GAP]), 0);
  assertEquals(bench.intake.tell([GAP], [GAP_RULE]), 1);
});

Deno.test("Intake.tell() keeps in memory what the disk does not take", () => {
  using bench = new Bench();
  bench.disk.close();
  assertEquals(bench.intake.tell([MISSED]), 3);
  assertEquals(bench.memory.entries.list().length, 3);
});

Deno.test("Intake.tell() does not throw when both disk and memory fail", () => {
  using bench = new Bench();
  bench.disk.close();
  bench.memory.close();
  assertEquals(bench.intake.tell([MISSED]), undefined);
  assertMatch(bench.log.at(-1)!, /^ERROR a mistake in superbell itself: PROCESS_STATE_EXITED/);
});

function stateChange(serial: number, state: string, rest: string): Frame {
  return frameOf({
    serial,
    eventname: `PROCESS_STATE_${state}`,
    payload: `processname:api groupname:web from_state:STARTING ${rest}`,
  });
}

Deno.test("Intake.take() writes the roster with an entry, and nothing for other events", () => {
  using bench = new Bench();
  bench.intake.take(stateChange(1, "RUNNING", "pid:42"));
  assertEquals(bench.disk.roster.processes(), []);
  assertEquals(bench.intake.roster.known.size, 1);
  bench.intake.take(exited(2));
  const [known] = bench.disk.roster.processes();
  assertEquals([known?.state, known?.endedPids, known?.restarts], ["EXITED", [42], 1]);
  bench.intake.take(stateChange(3, "RUNNING", "pid:43"));
  bench.intake.roster.write();
  assertEquals(bench.disk.roster.processes()[0]?.alivePid, 43);
});

Deno.test("Intake.take() keeps the roster for a disk that takes nothing, and writes it then", () => {
  using folder = new Folder();
  let isFree = false;
  const outbox = Outbox.keep(folder.file("superbell.db"), {
    nowMs: NOW,
    beforeOpen() {
      if (!isFree) throw new Error("no room");
    },
  });
  using bench = new Bench({ outbox });
  bench.intake.take(exited(1));
  assertEquals(bench.memory.waiting(), 3);
  bench.intake.roster.write();
  isFree = true;
  bench.intake.roster.write();
  assertEquals(outbox.roster.processes().map(({ endedPids }) => endedPids), [[42]]);
  outbox.close();
});

Deno.test("Intake.take() writes the whole roster into a file that took the place of another", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = Outbox.open(path, { nowMs: NOW });
  using bench = new Bench({ outbox });
  bench.intake.take(exited(1));
  bench.intake.take(stateChange(2, "RUNNING", "pid:43"));
  bench.intake.roster.write();
  Deno.removeSync(path);
  outbox.follow();
  assertEquals(outbox.roster.processes(), []);
  bench.intake.roster.write();
  assertEquals(outbox.roster.processes().map(({ alivePid }) => alivePid), [43]);
  assertEquals(outbox.roster.notes().supervisor_run, "node-7 1 2");
  outbox.close();
});

Deno.test("Intake tells a gap to whoever wants to know, before the event that shows it", () => {
  const gaps: number[] = [];
  using bench = new Bench({ onGap: () => void gaps.push(bench.intake.roster.missing) });
  bench.intake.take(stateChange(1, "RUNNING", "pid:42"));
  bench.intake.roster.settle(); // supervisord has been asked
  bench.intake.take(exited(5));
  assertEquals(gaps, [3]);
  const before = [...bench.intake.roster.before!.values()];
  assertEquals(before.map(({ state, alivePid }) => [state, alivePid]), [["RUNNING", 42]]);
  bench.intake.take(exited(6));
  assertEquals(gaps, [3]);
});

Deno.test("Intake knows the next serial after an orderly end only", () => {
  using bench = new Bench();
  const again = () => new Intake(bench.options).roster;
  bench.intake.take(exited(7));
  bench.intake.roster.end();
  assertEquals(bench.disk.roster.notes().poolserial, "7");
  const next = again();
  assertEquals(next.heritage, "same-run");
  assertEquals([next.hear(exited(10).header), next.missing], [true, 2]);
  const afterDeath = again();
  assertEquals([afterDeath.hear(exited(15).header), afterDeath.missing], [false, 0]);
});

/** What each entry of the channel says: the word and, of an incident, which message of it. */
function told({ disk }: Bench, channel = "oncall"): string[] {
  return disk.entries.list().filter((entry) => entry.channel === channel).map(({ alert }) =>
    alert.incident === undefined ? alert.word : `${alert.incident.kind} ${alert.word}`
  );
}

const CRASH: readonly Rule[] = [{
  name: "crash",
  on: ["crash", "fatal"],
  where: {},
  to: ["oncall", "mail"],
}];

Deno.test("Intake tells an incident once, and by time alone that it is over", () => {
  let nowMs = NOW;
  using bench = new Bench({ rules: CRASH, now: () => nowMs });
  for (let serial = 1; serial <= 3; serial++) bench.intake.take(exited(serial));
  bench.intake.take(running(4));
  assertEquals(told(bench), ["firing crash"]);
  assertEquals(bench.intake.nextDueMs, NOW + 30_000);
  nowMs = NOW + 29_000;
  bench.intake.passTime();
  assertEquals(told(bench), ["firing crash"]);
  nowMs = NOW + 30_000;
  bench.intake.passTime();
  assertEquals(told(bench), ["firing crash", "resolved crash"]);
  assertEquals(bench.intake.nextDueMs, undefined);
  assertMatch(
    bench.log.at(-1)!,
    /^INFO by time: rule crash: alert \w{12} \(resolved, incident \w{12}\) to/,
  );
});

Deno.test("Intake says in the log why a rule that fits tells nothing", () => {
  using bench = new Bench({ rules: CRASH });
  bench.intake.take(exited(1));
  bench.intake.take(exited(2));
  assertEquals(
    bench.log.at(-1),
    "INFO event 2 PROCESS_STATE_EXITED of web:api: rule crash: held (already-told)",
  );
});

Deno.test("Intake goes on with its incidents after a restart", () => {
  let nowMs = NOW;
  using bench = new Bench({ rules: CRASH, now: () => nowMs });
  bench.intake.take(exited(1));
  const again = new Intake(bench.options);
  again.take(exited(2));
  again.take(running(3));
  nowMs += 30_000;
  again.passTime();
  assertEquals(told(bench), ["firing crash", "resolved crash"]);
  const resolved = bench.disk.entries.list().at(-1)!.alert.incident!;
  assertEquals([resolved.ends, resolved.downMs], [2, 0]);
});

Deno.test("Intake counts an event once that comes again after a restart", () => {
  using bench = new Bench({
    rules: [{
      ...CRASH[0]!,
      pacing: { ...DEFAULT_PACING, after: { count: 2, withinMs: 60_000 } },
    }],
  });
  bench.intake.take(exited(1));
  const again = new Intake(bench.options);
  again.take(exited(1));
  assertEquals(told(bench), []);
  again.take(exited(2));
  assertEquals(told(bench), ["firing crash"]);
});

Deno.test("Intake does not tell a channel that it is over if it does not want to know", () => {
  let nowMs = NOW;
  using bench = new Bench({
    rules: CRASH,
    now: () => nowMs,
    tellsResolved: (channel) => channel !== "mail",
  });
  bench.intake.take(exited(1));
  bench.intake.take(running(2));
  nowMs += 30_000;
  bench.intake.passTime();
  assertEquals([told(bench), told(bench, "mail")], [
    ["firing crash", "resolved crash"],
    ["firing crash"],
  ]);
});

Deno.test("Intake starts with incidents that cannot be understood, and says so", () => {
  using bench = new Bench({ rules: CRASH });
  bench.intake.take(exited(1));
  bench.disk.enqueue([], NOW, {
    rules: () => ({
      isAll: true,
      incidents: [],
      members: [],
      closed: [],
      tallies: [{ rule: "crash", key: "web:api" } as Tally],
      forgottenTallies: [],
      silences: [],
      endedSilences: [],
      lastEvent: undefined,
    }),
  });
  const again = new Intake(bench.options);
  assertMatch(bench.log.at(-1)!, /^WARN 1 rows of incidents and silences cannot be read, /);
  again.take(exited(2));
  assertEquals(told(bench), ["firing crash", "firing crash"]);
});

Deno.test("Intake tells what falls due at the very moment at which it sees that the clock was set", () => {
  let nowMs = NOW;
  let monotonicMs = 0;
  using bench = new Bench({ rules: CRASH, now: () => nowMs, monotonic: () => monotonicMs });
  bench.intake.take(exited(1));
  bench.intake.take(running(2));
  monotonicMs += 30_000;
  nowMs += 30_000 - 3 * 3_600_000;
  bench.intake.passTime();
  assertEquals(told(bench), ["firing crash", "resolved crash"]);
});

Deno.test("Intake holds an end that was expected for one after a comparison, too", () => {
  let nowMs = NOW;
  using bench = new Bench({ rules: CRASH, now: () => nowMs });
  bench.intake.take(exited(1));
  bench.intake.take(running(2));
  bench.intake.take(exited(3, 1));
  bench.intake.compare();
  nowMs += 30_000;
  bench.intake.passTime();
  assertEquals(told(bench), ["firing crash", "resolved crash"]);
});

Deno.test("Intake tells how long it was down, and not when it was found to run again", () => {
  let nowMs = NOW;
  using bench = new Bench({ rules: CRASH, now: () => nowMs });
  bench.intake.take(exited(1));
  const { roster } = bench.intake;
  const [known] = [...roster.known.values()];
  const back = { ...known!, state: "RUNNING", alivePid: 43, sinceMs: NOW + 2000 } as const;
  roster.replace({ changed: [back], removed: [] });
  nowMs += 3_600_000;
  bench.intake.compare();
  assertEquals(told(bench), ["firing crash", "resolved crash"]);
  assertEquals(bench.disk.entries.list().at(-1)!.alert.incident!.downMs, 2000);
});

Deno.test("Intake does not write over incidents and silences that it could not read at its start", () => {
  using bench = new Bench({ rules: CRASH });
  const silence = {
    id: "s",
    patterns: ["db:*"],
    createdAtMs: NOW,
    untilMs: NOW + 60_000,
    reason: "",
    by: "root",
  };
  bench.intake.take(exited(1));
  bench.intake.request({ kind: "silence", silence });
  bench.disk.close();
  const hidden = `${bench.disk.path}.hidden`;
  Deno.renameSync(bench.disk.path, hidden);
  Deno.mkdirSync(bench.disk.path);
  const late = Outbox.keep(bench.disk.path, { nowMs: NOW });
  const again = new Intake({ ...bench.options, outbox: late });
  again.take(exitedOf("cron", 2));
  assertEquals(bench.memory.entries.counts().waiting, 2);
  Deno.removeSync(bench.disk.path);
  Deno.renameSync(hidden, bench.disk.path);
  again.take(exited(3));
  again.take(exitedOf("db", 4));
  const { incidents, silences } = late.incidents.remembered();
  assertEquals(incidents.map(({ incident }) => incident.key).sort(), [
    "cron:main",
    "db:main",
    "web:api",
  ]);
  assertEquals(silences, [silence]);
  const keys = late.entries.list().filter(({ channel }) => channel === "oncall")
    .map(({ alert }) => alert.incident?.key);
  assertEquals(keys, ["web:api"], "it was told before, and the other is silenced");
  late.close();
});

Deno.test("Intake keeps an incident in mind that the disk did not take, and writes it later", () => {
  using bench = new Bench({ rules: CRASH });
  const impatient = Outbox.open(bench.disk.path, { nowMs: NOW, busyMs: 1 });
  const intake = new Intake({ ...bench.options, outbox: impatient });
  const other = new DatabaseSync(bench.disk.path);
  other.exec("begin immediate");
  intake.take(exited(1));
  assertEquals(bench.memory.entries.counts().waiting, 2);
  assertEquals(intake.nextDueMs, NOW + 10_000, "though nothing may ever happen again");
  intake.passTime();
  assertEquals(intake.nextDueMs, NOW + 10_000);
  other.exec("rollback");
  other.close();
  intake.passTime();
  assertEquals(intake.nextDueMs, NOW + 4 * 3_600_000, "the reminder");
  assertEquals(bench.disk.incidents.remembered().incidents.length, 1);
  assertEquals(told(bench), [], "it was told from memory");
  impatient.close();
});
