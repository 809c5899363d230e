// What an event brings is stored after the answer. A listener that dies at any point in between
// must leave what makes the next one tell exactly what it would have told itself.

import { DatabaseSync } from "node:sqlite";
import type { Event } from "../src/events/event.ts";
import type { Frame } from "../src/events/frame.ts";
import { Intake } from "../src/intake.ts";
import { Redactor } from "../src/config/secret.ts";
import { Log } from "../src/log.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import { DEFAULT_PACING } from "../src/rules/pacing.ts";
import type { Rule } from "../src/rules/rule.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";
import { frameOf } from "./support/frames.ts";
import { Random } from "./support/random.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const HOST = { name: "node-7", address: "" };

const RULES: readonly Rule[] = [
  { name: "crash", on: ["crash", "fatal"], where: {}, to: ["oncall"] },
  {
    name: "often",
    on: ["crash"],
    where: {},
    to: ["mail"],
    pacing: { ...DEFAULT_PACING, after: { count: 3, withinMs: 60_000 } },
  },
  { name: "starts", on: ["started"], where: {}, to: ["mail"] },
];

/** A host on which listeners come and go. */
class Site implements Disposable {
  readonly #folder = new Folder();
  readonly #memory = Outbox.open(":memory:", { nowMs: NOW });
  readonly path = this.#folder.file("superbell.db");
  readonly journalPath = this.#folder.file("superbell.journal");
  readonly log: string[] = [];
  nowMs = NOW;
  /** What was put off until supervisord has its answer. */
  soon: (() => void)[] = [];
  outbox!: Outbox;
  intake!: Intake;

  constructor() {
    this.start();
  }

  /** A listener starts, whatever became of the one before. */
  start({ run = "boot 1 2", sync = "normal", keeps = false }: {
    readonly run?: string;
    readonly sync?: "normal" | "full";
    /** Whether it goes on where the database cannot be opened. */
    readonly keeps?: boolean;
  } = {}): void {
    this.soon = [];
    const options = { nowMs: this.nowMs, sync, busyMs: 1 };
    this.outbox = keeps ? Outbox.keep(this.path, options) : Outbox.open(this.path, options);
    this.intake = new Intake({
      rules: RULES,
      outbox: this.outbox,
      memory: this.#memory,
      host: () => HOST,
      supervisorRun: run,
      now: () => this.nowMs,
      digestMs: () => 0,
      log: new Log({
        level: "info",
        redactor: new Redactor([]),
        now: () => this.nowMs,
        write: (line) => void this.log.push(line.trimEnd().replace(/^.*? (?=[A-Z]+ )/, "")),
      }),
      onStored() {},
      soon: (work) => void this.soon.push(work),
    });
  }

  /** The others have their turn. */
  turn(): void {
    for (const work of this.soon.splice(0)) work();
  }

  /** kill -9: nothing more is done. */
  die(): void {
    this.soon = [];
    this.outbox.close();
  }

  /** Told so far: channel, rule, what kind of message, number and time. */
  told(): string[] {
    return this.outbox.entries.list().map(({ channel, alert }) =>
      [
        alert.id,
        channel,
        alert.rule,
        alert.incident?.kind,
        alert.incident?.ends,
        alert.atMs - NOW,
      ].join(" ")
    );
  }

  [Symbol.dispose](): void {
    this.outbox.close();
    this.#memory.close();
    this.#folder[Symbol.dispose]();
  }
}

function exited(serial: number, { name = "api", expected = 0 } = {}): Frame {
  return frameOf({
    serial,
    eventname: "PROCESS_STATE_EXITED",
    payload: `processname:${name} groupname:web from_state:RUNNING expected:${expected} pid:${
      100 + serial
    }`,
  });
}

function running(serial: number, { name = "api" } = {}): Frame {
  return frameOf({
    serial,
    eventname: "PROCESS_STATE_RUNNING",
    payload: `processname:${name} groupname:web from_state:STARTING pid:${101 + serial}`,
  });
}

Deno.test("Intake stores what an event brings when the others have their turn", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.intake.take(running(2));
  assertEquals(site.told(), []);
  assert(Deno.statSync(site.journalPath).size > 0);
  assertEquals(site.soon.length, 1, "one transaction for both");
  site.turn();
  assertEquals(site.told().map((line) => line.split(" ").slice(1, 3).join(" ")), [
    "oncall crash",
    "mail starts",
  ]);
  assertEquals(Deno.statSync(site.journalPath).size, 0);
});

Deno.test("Intake writes nothing down for an event that leaves nothing", () => {
  using site = new Site();
  site.intake.take(exited(1, { expected: 1 }));
  site.intake.take(frameOf({ serial: 2, eventname: "TICK_60", payload: "when:60" }));
  assertEquals(Deno.statSync(site.journalPath).size, 0);
  assertEquals(site.soon.length, 0);
});

Deno.test("Intake tells what a listener had taken that was killed, with the time at which it came", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.die();
  site.nowMs += 60_000;
  site.start();
  site.turn();
  assertEquals(site.told().length, 1);
  assertMatch(site.told()[0]!, / oncall crash firing 1 0$/);
  assert(
    site.log.includes(
      "INFO event 1 PROCESS_STATE_EXITED was taken, and not stored when superbell ended",
    ),
  );
  // supervisord had no answer to an event, and sends it again.
  site.intake.take(exited(1));
  site.turn();
  assertEquals(site.told().length, 1);
  assertMatch(site.log.at(-1)!, /came again, its alerts are stored already$/);
});

Deno.test("Intake tells what was taken of another run of supervisord", () => {
  using site = new Site();
  site.intake.take(running(1));
  site.die();
  site.start({ run: "boot 7 8" });
  site.intake.take(running(1));
  site.turn();
  const ids = site.told().map((line) => line.split(" ")[0]);
  assertEquals([ids.length, new Set(ids).size], [2, 2], "each run has its own serial 1");
});

Deno.test("Intake stores at once what must survive a power cut, and what was left before that", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.die();
  site.start({ sync: "full" });
  site.intake.take(running(2));
  assertEquals(site.told().length, 2);
  assertEquals(Deno.statSync(site.journalPath).size, 0);
});

Deno.test("Intake stores what was taken together with what is told without an event", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.intake.tell([gapOf(NOW)]);
  assertEquals(site.told().length, 1);
  assertEquals(Deno.statSync(site.journalPath).size, 0);
  site.turn();
  assertEquals(site.told().length, 1);
});

Deno.test("Intake stores what was taken before it writes the roster, so that both agree", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.intake.store();
  assertEquals(site.told().length, 1);
  assertEquals(site.outbox.roster.processes().length, 1);
});

Deno.test("Intake stores a hundred at once and goes on", () => {
  using site = new Site();
  for (let serial = 1; serial <= 250; serial++) site.intake.take(running(serial));
  const stored = site.told().length;
  assert(stored > 100 && stored < 250, `${stored}`);
  site.turn();
  assertEquals(site.told().length, 250);
});

Deno.test("Intake goes on without a journal, and says where what it holds cannot be read", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.die();
  Deno.writeTextFileSync(site.journalPath, "no journal at all");
  site.start();
  assertEquals(site.log.at(-1), "WARN the last 17 bytes of the journal are no event");
  site.intake.take(exited(2));
  site.die();
  Deno.removeSync(site.journalPath);
  Deno.mkdirSync(site.journalPath);
  site.start();
  assertMatch(site.log.at(-1)!, /^WARN there is no journal, so supervisord waits .* directory/);
  site.intake.take(exited(3));
  assertEquals(site.told().length, 1, "stored before the answer");
});

Deno.test("Intake keeps a journal beside a database that could be opened only later", () => {
  using site = new Site();
  site.die();
  Deno.renameSync(site.path, `${site.path}.hidden`);
  Deno.mkdirSync(site.path);
  site.start({ keeps: true });
  site.intake.take(running(1));
  Deno.removeSync(site.path);
  Deno.renameSync(`${site.path}.hidden`, site.path);
  site.intake.take(running(2));
  assertEquals(site.told().length, 1, "at once, for the journal was not open");
  site.intake.take(running(3));
  assertEquals(site.told().length, 1);
  site.turn();
  assertEquals(site.told().length, 2);
});

Deno.test("Intake keeps in the journal what the disk refuses, until it takes it", () => {
  using site = new Site();
  using other = new DatabaseSync(site.path);
  other.exec("begin immediate");
  site.intake.take(exited(1));
  site.turn();
  site.intake.take(exited(2, { name: "job" }));
  site.turn();
  assertEquals(site.told(), []);
  site.die();
  other.exec("rollback");
  site.start();
  site.turn();
  assertEquals(site.told().length, 2);
  assertEquals(Deno.statSync(site.journalPath).size, 0);
});

Deno.test("Intake takes what it could not read at its start for older than what has come since", () => {
  using site = new Site();
  site.intake.take(exited(1));
  site.die();
  Deno.renameSync(site.path, `${site.path}.hidden`);
  Deno.mkdirSync(site.path);
  site.start({ keeps: true });
  site.nowMs += 1000;
  site.intake.take(running(2));
  site.turn();
  Deno.removeSync(site.path);
  Deno.renameSync(`${site.path}.hidden`, site.path);
  site.intake.take(frameOf({ serial: 3, eventname: "TICK_60", payload: "when:60" }));
  site.intake.take(running(4, { name: "job" }));
  site.turn();
  const api = [...site.intake.roster.known.values()].find(({ process }) => process.name === "api");
  assertEquals(api?.state, "RUNNING");
  const [incident] = site.outbox.incidents.remembered().incidents;
  assertEquals([incident?.incident.key, incident?.incident.unsettled], ["web:api", 0]);
});

Deno.test("Intake makes a journal anew that somebody has removed", () => {
  using site = new Site();
  Deno.removeSync(site.journalPath);
  site.intake.take(exited(1));
  site.turn();
  site.intake.take(running(2));
  assert(Deno.statSync(site.journalPath).size > 0);
});

type Act = "turn" | "restart" | "time" | "tell" | Frame;

/** A story of three processes in which listeners end now and then. */
function storyOf(random: Random): Act[] {
  const acts: Act[] = [];
  for (let serial = 1; serial <= 60; serial++) {
    const name = random.pick(["api", "job", "web"]);
    acts.push(
      random.chance(0.5) ? exited(serial, { name, expected: random.below(2) }) : running(serial, {
        name,
      }),
    );
    if (random.chance(0.2)) acts.push("turn");
    if (random.chance(0.15)) acts.push("restart");
    if (random.chance(0.2)) acts.push("time");
    if (random.chance(0.1)) acts.push("tell");
  }
  acts.push("restart", "time", "turn");
  return acts;
}

/** Plays it and answers what was told; `end` ends a listener. */
function play(story: readonly Act[], end: (site: Site) => void): string[] {
  using site = new Site();
  let journal: Uint8Array;
  for (const act of story) {
    site.nowMs += 400;
    if (act === "turn") site.turn();
    else if (act === "restart") {
      end(site);
      site.start();
    } else if (act === "time") {
      site.nowMs += 20_000;
      site.intake.passTime();
    } else if (act === "tell") {
      // Takes what waits along; what is told of it lies in no journal.
      journal = Deno.readFileSync(site.journalPath);
      site.intake.tell([gapOf(site.nowMs)]);
      if (end !== inOrder) {
        site.die();
        Deno.writeFileSync(site.journalPath, journal);
        site.start();
      } else {
        inOrder(site);
        site.start();
      }
    } else site.intake.take(act);
  }
  site.turn();
  return site.told().sort();
}

function inOrder(site: Site): void {
  site.intake.store();
  site.outbox.close();
}

function gapOf(atMs: number): Event {
  const origin = { server: "supervisor", eventname: "GAP", identity: `gap ${atMs}` };
  return { kind: "gap", origin, dropped: 3, recovered: 0 };
}

/** The ways to die. */
const DEATHS: readonly ((site: Site) => void)[] = [
  // Before the transaction.
  (site) => site.die(),
  // Behind it, before the journal is cut.
  (site) => {
    const journal = Deno.readFileSync(site.journalPath);
    site.turn();
    site.die();
    Deno.writeFileSync(site.journalPath, journal);
  },
  // In the middle of the next event, to which supervisord has had no answer.
  (site) => {
    site.die();
    Deno.writeTextFileSync(site.journalPath, '{"header":{"ver":"3.0","ser', { append: true });
  },
];

Deno.test("Intake tells the same whether its listeners end in order or are killed anywhere", () => {
  for (let seed = 1; seed <= 25; seed++) {
    const story = storyOf(new Random(seed));
    const expected = play(story, inOrder);
    assert(expected.length > 0);
    const random = new Random(seed);
    const killed = play(story, (site) => random.pick(DEATHS)(site));
    assertEquals(killed, expected, `seed ${seed}`);
  }
});
