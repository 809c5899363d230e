// Intake with real outboxes: what a frame stores, and that nothing inside ever gets out.

import type { Frame } from "../src/events/frame.ts";
import { Intake, MEMORY_LIMIT } from "../src/intake.ts";
import { Redactor } from "../src/config/secret.ts";
import { Log } from "../src/log.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import type { Rule } from "../src/rules/rule.ts";
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

  constructor(changes: Partial<ConstructorParameters<typeof Intake>[0]> = {}) {
    this.intake = new Intake({
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
    });
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

Deno.test("Intake.take() stores an entry for each channel of each rule that alerts", () => {
  using bench = new Bench();
  bench.intake.take(exited(1));
  const entries = bench.disk.list();
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
  });
  assert(entries[2]!.alert.id !== entries[0]!.alert.id);
  assertEquals(bench.stored, [["oncall", "mail", "mail"]]);
});

Deno.test("Intake.take() stores the same frame once, however often it comes", () => {
  using bench = new Bench();
  for (let count = 0; count < 3; count++) bench.intake.take(exited(1));
  assertEquals(bench.disk.counts().waiting, 3);
  assertEquals(bench.stored.length, 1);
  assertMatch(bench.log.at(-1)!, /came again, its alerts are stored already$/);
  bench.intake.take(exited(2));
  assertEquals(bench.disk.counts().waiting, 6);
});

Deno.test("Intake.take() tells the same serial of another supervisord apart", () => {
  using bench = new Bench();
  bench.intake.take(exited(1));
  const again = new Intake({
    rules: RULES,
    outbox: bench.disk,
    memory: bench.memory,
    host: () => ({ name: "node-7", address: "" }),
    supervisorRun: "node-7 1 3",
    now: () => NOW,
    digestMs: () => 0,
    log: new Log({ level: "error", redactor: new Redactor([]), now: () => NOW }),
    onStored() {},
  });
  again.take(exited(1));
  assertEquals(bench.disk.counts().waiting, 6);
});

Deno.test("Intake.take() stores nothing for an event that no rule wants", () => {
  using bench = new Bench({ rules: [RULES[0]!] });
  bench.intake.take(exited(1, 1));
  bench.intake.take(frameOf({ eventname: "TICK_60", payload: "when:60" }));
  bench.intake.take(frameOf({ eventname: "FUTURE_EVENT", payload: "\u{1f525}" }));
  bench.intake.take(frameOf({ eventname: "PROCESS_STATE_EXITED", payload: "garbage" }));
  assertEquals(bench.disk.list(), []);
  assertEquals(bench.stored, []);
});

Deno.test("Intake.take() takes every recorded frame", () => {
  using bench = new Bench();
  for (const capture of captures()) {
    for (const frame of framesOf(capture)) bench.intake.take(frame);
  }
  assert(bench.disk.counts().waiting > 10);
  assertEquals(bench.log.filter((line) => line.startsWith("ERROR")), []);
});

Deno.test("Intake.take() keeps entries in memory when the disk takes none", () => {
  using bench = new Bench();
  bench.disk.close();
  bench.intake.take(exited(1));
  assertEquals(bench.memory.counts().waiting, 3);
  assertEquals(bench.stored.length, 1);
  assertMatch(
    bench.log.find((line) => line.startsWith("ERROR"))!,
    /^ERROR cannot store 3 entries in ".*\/superbell\.db" \(database is not open\); they are kept in memory/,
  );
  bench.intake.take(exited(1));
  assertEquals(bench.memory.counts().waiting, 3, "and knows there what came again");
});

Deno.test("Intake.take() bounds what it keeps in memory, and says what is lost", () => {
  const rules: Rule[] = [{
    name: "r",
    on: ["crash"],
    where: {},
    to: Array.from({ length: 1000 }, (_, index) => `c${index}`),
  }];
  using bench = new Bench({ rules });
  bench.disk.close();
  for (let serial = 0; serial < 15; serial++) bench.intake.take(exited(serial));
  assertEquals(bench.memory.counts().waiting, MEMORY_LIMIT.entries);
  assertEquals(
    bench.log.at(-1),
    "ERROR memory is full of waiting entries: 1000 are lost, 5000 since the start",
  );
  bench.memory.drop(bench.memory.list().map(({ id }) => id), NOW);
  bench.intake.take(exited(99));
  assertEquals(bench.memory.counts().waiting, 1000, "and takes more when there is room again");
});

Deno.test("Intake.take() makes room in memory by what is settled, the dead last and told", () => {
  const rules: Rule[] = [{
    name: "r",
    on: ["crash"],
    where: {},
    to: Array.from({ length: 1000 }, (_, index) => `c${index}`),
  }];
  using bench = new Bench({ rules });
  bench.disk.close();
  for (let serial = 0; serial < 10; serial++) bench.intake.take(exited(serial));
  const attempt = { atMs: NOW, tookMs: 1, outcome: "rejected", reason: "no" } as const;
  bench.memory.settle(bench.memory.claim("c0", { nowMs: NOW, leaseMs: 1, most: 10 })!, { attempt });
  bench.memory.drop(Array.from({ length: 995 }, (_, index) => index + 2), NOW);
  assertEquals(bench.memory.counts().dead, 10);
  bench.intake.take(exited(99));
  assertEquals(bench.memory.counts().waiting, 10_000 - 1005 + 1000);
  assertEquals(bench.memory.counts().dead, 5);
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
  const { waiting } = bench.memory.counts();
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
    rules: [{ name: "broken", on: ["nonsense" as "crash"], where: {}, to: ["c"] }],
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
