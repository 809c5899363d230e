// What commands ask of the listener, over the outbox's file, with a real intake on the other side.

import { DatabaseSync } from "node:sqlite";
import { Redactor } from "../src/config/secret.ts";
import { Intake } from "../src/intake.ts";
import { Log } from "../src/log.ts";
import { Connection } from "../src/outbox/connection.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import { MOST_WAITING_REQUESTS, RequestStore } from "../src/outbox/request_store.ts";
import { StoredIncidents } from "../src/outbox/stored_incidents.ts";
import { Requests } from "../src/requests.ts";
import type { Request } from "../src/rules/request.ts";
import type { Rule } from "../src/rules/rule.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { Folder } from "./support/folder.ts";
import { frameOf } from "./support/frames.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const MINUTE = 60_000;
const RULES: readonly Rule[] = [{ name: "crash", on: ["crash"], where: {}, to: ["oncall"] }];

/** A listener's half, and a visitor's. */
class Bench implements Disposable {
  readonly folder = new Folder();
  readonly clock = new FakeClock(NOW);
  readonly path = this.folder.file("superbell.db");
  readonly log: string[] = [];
  outbox = Outbox.open(this.path, { nowMs: NOW });
  readonly visitor = Connection.visit(this.path, "write");
  readonly asked = new RequestStore(this.visitor);
  intake!: Intake;
  requests!: Requests;

  constructor() {
    this.start();
  }

  /** A listener starts. */
  start(): void {
    const log = new Log({
      level: "debug",
      redactor: new Redactor([]),
      now: () => this.clock.now(),
      write: (line) => void this.log.push(line.trimEnd().replace(/^.*? (?=[A-Z]+ )/, "")),
    });
    this.intake = new Intake({
      rules: RULES,
      outbox: this.outbox,
      memory: this.outbox,
      host: () => ({ name: "node-7", address: "" }),
      supervisorRun: "node-7 1 2",
      now: () => this.clock.now(),
      digestMs: () => 0,
      log,
      onStored: () => {},
    });
    const { intake, clock, outbox } = this;
    this.requests = new Requests({ store: outbox.requests, intake, clock, log });
  }

  restart(): void {
    this.outbox.close();
    this.outbox = Outbox.open(this.path, { nowMs: NOW });
    this.start();
  }

  /** Writes whatever it is, as another program might. */
  write(text: string): number {
    const database = new DatabaseSync(this.path);
    const row = database.prepare("insert into request (at_ms, request) values (0, ?) returning id")
      .get(text);
    database.close();
    return Number(row!.id);
  }

  crash(serial: number): void {
    this.intake.take(frameOf({
      serial,
      eventname: "PROCESS_STATE_EXITED",
      payload: `processname:api groupname:web from_state:RUNNING expected:0 pid:${serial}`,
    }));
  }

  /** Asks, lets the listener look, and answers what came of it. */
  ask(request: Request) {
    const [id] = this.asked.add([request], this.clock.now());
    this.requests.look();
    return this.asked.answerTo(id!);
  }

  incidents() {
    return new StoredIncidents(this.visitor).open().map(({ incident }) => incident);
  }

  told(): string[] {
    return this.outbox.entries.list().map(({ alert }) => alert.incident?.kind ?? "notice");
  }

  [Symbol.dispose](): void {
    this.visitor.close();
    this.outbox.close();
    this.folder[Symbol.dispose]();
  }
}

const silenceOf = (id: string, minutes = 30): Request => ({
  kind: "silence",
  silence: {
    id,
    patterns: ["web:*"],
    createdAtMs: NOW,
    untilMs: NOW + minutes * MINUTE,
    reason: "deploy",
    by: "kim",
  },
});

Deno.test("a silence that is asked for holds, and what it held is told when it is taken away", () => {
  using bench = new Bench();
  assertEquals(bench.ask(silenceOf("abc")), {
    done: true,
    text: "silence abc of web:* until 2026-11-21T02:30:00.000Z: deploy, by kim",
  });
  bench.crash(1);
  assertEquals(bench.told(), []);
  assertEquals(bench.incidents().map(({ held }) => held), ["silenced"]);
  assertEquals(new StoredIncidents(bench.visitor).silences(NOW).map(({ id }) => id), ["abc"]);
  assertEquals(bench.ask({ kind: "unsilence", id: "abc" }), {
    done: true,
    text: "silence abc of web:* ended",
  });
  assertEquals(bench.told(), ["firing"]);
  const { id } = bench.incidents()[0]!;
  for (
    const line of [
      "INFO asked for: silence abc of web:* until 2026-11-21T02:30:00.000Z: deploy, by kim",
      "INFO event 1 PROCESS_STATE_EXITED of web:api: rule crash: held (silenced)",
      `DEBUG by time: rule crash, incident ${id}: alert (opened)`,
      "INFO asked for: silence abc of web:* ended",
    ]
  ) assert(bench.log.includes(line), `${line}\nis not in\n${bench.log.join("\n")}`);
  assertEquals(new StoredIncidents(bench.visitor).silences(NOW), []);
  assertEquals(bench.ask({ kind: "unsilence", id: "abc" }), {
    done: false,
    text: "there is no silence abc any more",
  });
});

Deno.test("an acknowledgement is stored with who and why, and one of no incident is refused", () => {
  using bench = new Bench();
  bench.crash(1);
  const { id } = bench.incidents()[0]!;
  const acknowledge = { kind: "acknowledge", by: "kim", reason: "on it" } as const;
  assertEquals(bench.ask({ ...acknowledge, incident: id }), {
    done: true,
    text: `incident ${id}: acknowledged by kim: on it`,
  });
  assertEquals(bench.incidents().map(({ acknowledged }) => acknowledged), [
    { by: "kim", reason: "on it", atMs: NOW },
  ]);
  assertEquals(bench.ask({ ...acknowledge, incident: "nope" }), {
    done: false,
    text: "no open incident nope to acknowledge",
  });
});

Deno.test("what was asked while no listener ran is taken at the next start, in its order", () => {
  using bench = new Bench();
  const ids = bench.asked.add([
    silenceOf("one"),
    silenceOf("two"),
    { kind: "unsilence", id: "one" },
    silenceOf("late", 5),
  ], NOW);
  bench.clock.jumpTo(NOW + 10 * MINUTE);
  assertEquals(ids.map((id) => bench.asked.answerTo(id)), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  bench.restart();
  bench.requests.look();
  assertEquals(ids.map((id) => bench.asked.answerTo(id)?.done), [true, true, true, false]);
  assertEquals(bench.asked.answerTo(ids[3]!)?.text, "its end has passed already");
  assertEquals(bench.intake.silences.map(({ id }) => id), ["two"]);
  bench.crash(1);
  assertEquals(bench.told(), []);
});

Deno.test("a request that makes no sense is refused in the log, and the next one is taken", () => {
  using bench = new Bench();
  const bad = ["no JSON", "{}", `{"kind":"silence","silence":{"patterns":{"length":1e9}}}`]
    .map((text) => bench.write(text));
  assert(bench.ask(silenceOf("abc"))!.done);
  assertEquals(bad.map((id) => bench.asked.answerTo(id)?.done), [false, false, false]);
  assertEquals(bench.log.filter((line) => line.startsWith("WARN")), [
    "WARN a request was refused: it is no JSON",
    "WARN a request was refused: this superbell does not know what it asks for",
    "WARN a request was refused: it is not whole",
  ]);
  assertEquals(bench.intake.silences.map(({ id }) => id), ["abc"]);
});

Deno.test("more than are taken at one look are taken at the next ones", () => {
  using bench = new Bench();
  const all = Array.from({ length: 250 }, (_, index) => silenceOf(`s${index}`));
  const ids = bench.asked.add(all, NOW);
  const answered = () => ids.filter((id) => bench.asked.answerTo(id) !== undefined).length;
  bench.requests.look();
  assertEquals(answered(), 100);
  bench.requests.look();
  bench.requests.look();
  assertEquals(answered(), 250);
});

Deno.test("so many requests may wait, and no more; answers are forgotten after an hour", () => {
  using bench = new Bench();
  const many = Array.from({ length: MOST_WAITING_REQUESTS }, () => silenceOf("same"));
  const [first] = bench.asked.add(many, NOW);
  assertThrows(
    () => bench.asked.add([silenceOf("more")], NOW),
    Error,
    "1000 requests wait for the listener already, and 1000 may",
  );
  for (let look = 0; look < 10; look++) bench.requests.look();
  assert(bench.asked.answerTo(first!)?.done);
  bench.clock.jumpTo(NOW + 20 * MINUTE);
  bench.ask(silenceOf("next"));
  assert(bench.asked.answerTo(first!)?.done);
  bench.clock.jumpTo(NOW + 81 * MINUTE);
  bench.ask({ kind: "unsilence", id: "none" });
  assertEquals(bench.asked.answerTo(first!), undefined);
});

Deno.test("the listener looks at requests only after somebody has written", () => {
  using bench = new Bench();
  bench.requests.look();
  const before = bench.outbox.requests.version();
  bench.crash(1); // what it writes itself is no news
  assertEquals(bench.outbox.requests.version(), before);
  bench.asked.add([silenceOf("abc")], NOW);
  assert(bench.outbox.requests.version() !== before);
});

Deno.test("a request that is done and cannot be answered is not done again", () => {
  using bench = new Bench();
  const [id] = bench.asked.add([silenceOf("abc")], NOW);
  const blocker = new DatabaseSync(bench.path);
  blocker.exec("begin immediate"); // as another command that writes for long
  bench.outbox.close();
  bench.outbox = Outbox.keep(bench.path, { nowMs: NOW, busyMs: 1 });
  bench.start();
  bench.requests.look();
  bench.requests.look();
  blocker.exec("rollback");
  assertEquals(bench.asked.answerTo(id!), undefined);
  bench.requests.look();
  assert(bench.asked.answerTo(id!)?.done);
  assertEquals(bench.log.filter((line) => line.startsWith("INFO asked for")).length, 1);
  assertMatch(bench.log.join("\n"), /DEBUG requests have to wait: database is locked/);
  blocker.close();
});

Deno.test("Requests.run() looks once a second until it is stopped", async () => {
  using bench = new Bench();
  const stop = new AbortController();
  const running = bench.requests.run(stop.signal);
  await bench.clock.settle();
  const [id] = bench.asked.add([silenceOf("abc")], NOW);
  await bench.clock.advance(1000);
  assert(bench.asked.answerTo(id!)?.done);
  stop.abort();
  await running;
});
