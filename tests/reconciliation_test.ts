// What becomes of dropped events, with real outboxes and supervisord's answers over HTTP: by the
// clock of the test, so that each wait is exact.

import { DatabaseSync } from "node:sqlite";
import { Redactor } from "../src/config/secret.ts";
import type { Frame } from "../src/events/frame.ts";
import { Intake } from "../src/intake.ts";
import { Log } from "../src/log.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import { Reconciliation } from "../src/reconciliation.ts";
import type { Rule } from "../src/rules/rule.ts";
import { SupervisorClient } from "../src/supervisor/client.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { Folder } from "./support/folder.ts";
import { frameOf } from "./support/frames.ts";
import { startModelServer } from "./support/model_server.ts";
import { SupervisordModel } from "./support/supervisord_model.ts";
import { until } from "./support/until.ts";

const NOW = 1_800_000_000_000;
const RULES: readonly Rule[] = [{
  name: "all",
  on: ["crash", "exit", "fatal", "stopped", "start_failed", "gap", "supervisor_stopping"],
  where: {},
  to: ["mail"],
}];
const NAMES = [["web", "api"], ["web", "db"], ["cron", "cron"]] as const;

/** One life of a listener at a supervisord. */
class Life implements AsyncDisposable {
  readonly outbox: Outbox;
  readonly memory = Outbox.open(":memory:", { nowMs: NOW });
  readonly log: string[] = [];
  readonly clock = new FakeClock(NOW);
  readonly intake: Intake;
  readonly #reconciliation: Reconciliation;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    path: string,
    {
      url,
      run = "boot 1",
      self = { group: "superbell", name: "superbell" },
      everyMs = 300_000,
      outbox = Outbox.open(path, { nowMs: NOW }),
    }: {
      readonly url: string | undefined;
      readonly run?: string;
      readonly self?: { readonly group: string; readonly name: string };
      readonly everyMs?: number;
      readonly outbox?: Outbox;
    },
  ) {
    this.outbox = outbox;
    const log = new Log({
      level: "debug",
      redactor: new Redactor([]),
      now: () => NOW,
      write: (line) => void this.log.push(line.trimEnd().replace(/^.*? (?=[A-Z]+ )/, "")),
    });
    this.intake = new Intake({
      rules: RULES,
      outbox: this.outbox,
      memory: this.memory,
      host: () => ({ name: "node-7", address: "" }),
      supervisorRun: run,
      now: () => this.clock.now(),
      digestMs: () => 0,
      log,
      onStored() {},
      onGap: () => this.#reconciliation.gapCame(),
      onEvent: (event, atMs) => this.#reconciliation.heard(event, atMs),
    });
    this.#reconciliation = new Reconciliation({
      intake: this.intake,
      client: url === undefined ? undefined : new SupervisorClient({ url }),
      supervisorRun: run,
      self,
      everyMs,
      clock: this.clock,
      log,
    });
  }

  start(): this {
    this.#running = this.#reconciliation.run(this.#stop.signal);
    return this;
  }

  take(frames: readonly Frame[]): void {
    for (const frame of frames) this.intake.take(frame);
  }

  /** What was told, in order: `crash web:api 101`. */
  told(): string[] {
    return this.outbox.entries.list().map(({ alert }) => {
      const who = alert.process === undefined
        ? ""
        : ` ${alert.process.group}:${alert.process.name}`;
      const gap = alert.gap === undefined ? "" : ` ${alert.gap.dropped} ${alert.gap.recovered}`;
      const mark = alert.reconciled === true ? " reconciled" : "";
      return `${alert.word}${who}${gap}${alert.pid === undefined ? "" : ` ${alert.pid}`}${mark}`;
    });
  }

  /** Lets time pass until so many comparisons are made; the server answers in real time. */
  async compared(times = 1): Promise<void> {
    const count = () => this.log.filter((line) => line.includes("compared with")).length;
    const wanted = count() + times;
    await until(`comparison ${wanted}`, async () => {
      await this.clock.advance(200);
      return count() >= wanted;
    });
  }

  /** Ends without a last word. */
  die(): void {
    this.#stop.abort();
    this.outbox.close();
    this.memory.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#reconciliation.end();
    this.outbox.close();
    this.memory.close();
  }
}

/** A supervisord whose programs run, and the lives of a listener beside it. */
class Scene implements AsyncDisposable {
  readonly #folder = new Folder();
  readonly path = this.#folder.file("db");
  readonly model = running();
  readonly server = startModelServer(this.model);

  /** The next life, which knows what the one before has left. */
  begin(options: Partial<ConstructorParameters<typeof Life>[1]> = {}): Life {
    return new Life(this.path, { url: this.server.origin, ...options }).start();
  }

  /** A life that has seen the programs start. */
  async beginFirst(options: { readonly everyMs?: number } = {}): Promise<Life> {
    const life = this.begin(options);
    life.take(this.model.frames);
    await life.compared();
    return life;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

function running(): SupervisordModel {
  const model = new SupervisordModel(NAMES);
  for (let index = 0; index < model.size; index++) {
    model.start(index);
    model.run(index);
  }
  return model;
}

Deno.test("Reconciliation finds what was dropped, and tells the gap once", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await using life = await scene.beginFirst();
  assertEquals(life.told(), []);
  const before = model.frames.length;
  for (const index of [0, 1, 2]) model.exit(index, index === 1 ? 3 : "SIGKILL");
  for (const index of [0, 1, 2]) model.start(index);
  life.take(model.frames.slice(-1)); // all but the last are dropped
  assertEquals(life.told(), [], "supervisord has its answer; nothing was asked so far");
  await life.compared();
  assertEquals(life.told().sort(), [
    "crash cron:cron 102 reconciled",
    "crash web:api 100 reconciled",
    "crash web:db 101 reconciled",
  ]);
  const alerts = life.outbox.entries.list().map(({ alert }) => alert);
  assertEquals(alerts.find(({ pid }) => pid === 101)!.exit, { status: 3, certainty: "sure" });
  model.run(0);
  model.run(1);
  life.take(model.frames.slice(-1)); // and one more
  await life.compared();
  await until("the gap", async () => {
    await life.clock.advance(200);
    return life.told().some((line) => line.startsWith("gap"));
  });
  assertEquals(life.told().slice(3), ["gap 6 3"]);
  assertEquals(life.outbox.roster.gaps().map(({ dropped, recovered }) => [dropped, recovered]), [
    [6, 3],
  ]);
  assert(life.log.some((line) => /^ERROR supervisord dropped 6 events for us; 3 ends/.test(line)));
  // The events come after all: nobody is told twice.
  life.take(model.frames.slice(before, -1));
  assertEquals(life.told().length, 4);
  assert(life.log.some((line) => line.includes("all: skip (found-before)")));
});

Deno.test("Reconciliation gives events that come out of turn the time to come", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await using life = await scene.beginFirst();
  const before = model.frames.length;
  model.exit(0, 1);
  model.start(0);
  model.run(0);
  life.take([model.frames[before + 2]!]);
  await life.clock.advance(300);
  life.take([model.frames[before]!, model.frames[before + 1]!]);
  await life.compared();
  await life.clock.advance(60_000);
  assertEquals(life.told(), ["crash web:api 100"]);
});

Deno.test("Reconciliation finds what happened while superbell was away", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await (await scene.beginFirst())[Symbol.asyncDispose]();
  model.exit(0, "SIGKILL");
  model.start(0);
  model.run(0);
  model.exit(1, 1);
  await using life = scene.begin();
  await life.compared();
  assertEquals(life.told().sort(), ["crash web:api 100 reconciled", "crash web:db 101 reconciled"]);
  // The next event shows that four were dropped while it was away.
  model.exit(2, 1);
  life.take(model.frames.slice(-1));
  await life.compared();
  await until("the gap", async () => {
    await life.clock.advance(200);
    return life.told().some((line) => line.startsWith("gap 4 0"));
  });
  assertEquals(life.told().filter((line) => line.includes("cron")), ["crash cron:cron 102"]);
});

Deno.test("Reconciliation finds what happened while superbell was away when its file can be read again", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await (await scene.beginFirst())[Symbol.asyncDispose]();
  model.exit(0, "SIGKILL");
  model.start(0);
  model.run(0);
  model.exit(1, 1);
  const other = new DatabaseSync(scene.path);
  other.exec("pragma locking_mode = exclusive; begin exclusive");
  const outbox = Outbox.keep(scene.path, { nowMs: NOW, busyMs: 1 });
  await using life = scene.begin({ everyMs: 0, outbox });
  await life.compared();
  assertEquals(life.intake.roster.isLoaded, false);
  other.exec("rollback");
  other.close();
  await life.clock.advance(30_000);
  await life.compared();
  assertEquals(life.told().sort(), ["crash web:api 100 reconciled", "crash web:db 101 reconciled"]);
  await life.clock.advance(600_000);
  assertEquals(life.told().length, 2, "once");
});

Deno.test("Reconciliation finds at the next start what a listener that was killed did not ask", async () => {
  await using scene = new Scene();
  const { model } = scene;
  const first = await scene.beginFirst();
  const before = model.frames.length;
  model.exit(0, "SIGKILL"); // dropped, as the next two
  model.start(0);
  model.exit(1, 1);
  model.run(0);
  first.take(model.frames.slice(before + 3));
  model.exit(2, 1);
  first.take(model.frames.slice(-1)); // told, and written with the roster
  assertEquals(first.told(), ["crash cron:cron 102"]);
  first.die();
  await using life = scene.begin();
  await life.compared();
  assertEquals(life.told().sort(), [
    "crash cron:cron 102",
    "crash web:api 100 reconciled",
    "crash web:db 101 reconciled",
  ]);
});

Deno.test("Reconciliation tells at the first start what is FATAL, and nothing else", async () => {
  await using scene = new Scene();
  const { model } = scene;
  model.exit(0, 1);
  model.exit(1, 1);
  model.start(1);
  model.fail(1);
  model.giveUp(1);
  await using life = scene.begin();
  await life.compared();
  assertEquals(life.told(), ["fatal web:db reconciled"]);
  await life.clock.advance(300_000);
  await life.compared();
  assertEquals(life.told().length, 1, "once");
});

Deno.test("Reconciliation believes nothing of an older supervisord", async () => {
  await using scene = new Scene();
  await (await scene.beginFirst())[Symbol.asyncDispose]();
  const next = running();
  next.exit(0, 1);
  next.start(0);
  next.exit(2, 3);
  await using other = startModelServer(next);
  await using life = scene.begin({ url: other.origin, run: "boot 2" });
  await life.compared();
  assertEquals(life.told().sort(), [
    "crash cron:cron 102 reconciled",
    "crash web:api 100 reconciled",
  ]);
});

Deno.test("Reconciliation does not believe at once what no gap explains", async () => {
  await using scene = new Scene();
  const { model, server } = scene;
  await using life = await scene.beginFirst({ everyMs: 10_000 });
  model.exit(0, 1); // its event is on the way
  const requests = server.requests.length;
  await until("the question", async () => {
    await life.clock.advance(200);
    return server.requests.length >= requests + 2;
  });
  life.take(model.frames.slice(-1));
  await life.compared();
  assertEquals(life.told(), ["crash web:api 100"]);
});

/** A life whose section has TICK_60 and no state of a process. */
class WrongSection {
  readonly life: Life;
  readonly #model: SupervisordModel;
  #serial = 0;

  constructor({ life, model }: { readonly life: Life; readonly model: SupervisordModel }) {
    this.life = life;
    this.#model = model;
  }

  /** An event that supervisord sends, whose serial is the next one but so many. */
  hear(eventname = "TICK_60", { dropped = 0, payload = "when:60" } = {}): void {
    const serial = this.#serial + dropped;
    this.#serial = serial + 1;
    this.life.take([frameOf({ eventname, serial, payload, server: "model" })]);
  }

  /** api is killed now, by the clock of the life, and runs again. */
  crash(): void {
    this.#model.nowS = Math.floor(this.life.clock.now() / 1000);
    this.#model.exit(0, "SIGKILL");
    this.#model.start(0);
    this.#model.run(0);
  }

  /** What the log, `superbell status` and the messages say about events=. */
  said(): { readonly log: number; readonly note: string | undefined; readonly told: number } {
    const alerts = this.life.outbox.entries.list().map(({ alert }) => alert);
    return {
      log: this.life.log.filter((line) => line.includes("events= of the section lacks")).length,
      note: this.life.outbox.roster.notes().unsubscribed,
      told: alerts.filter(({ unsubscribed }) => unsubscribed === true).length,
    };
  }
}

/** So that a test of it takes moments. */
const OFTEN = { everyMs: 16_000 };

const NOTHING_SAID = { log: 0, note: undefined, told: 0 };

Deno.test("Reconciliation says which event the section lacks, once, and when the end was", async () => {
  await using scene = new Scene();
  await using life = scene.begin(OFTEN);
  const section = new WrongSection({ life, model: scene.model });
  await life.compared();
  section.hear();
  await life.clock.advance(5000);
  const endedAtMs = Math.floor(life.clock.now() / 1000) * 1000 + 250;
  section.crash();
  await life.clock.advance(5000);
  section.hear();
  await life.compared();
  assertEquals(life.told(), ["crash web:api 100 reconciled"]);
  assertEquals(section.said(), { log: 1, note: "PROCESS_STATE_EXITED", told: 1 });
  const { alert } = life.outbox.entries.list()[0]!;
  assertEquals([alert.atMs, alert.incident?.sinceMs], [endedAtMs, endedAtMs]);
  const known = life.intake.roster.known.get("web\0api")!;
  assertEquals([known.state, known.lastEventAtMs], ["RUNNING", endedAtMs]);
  await until("that it is over", async () => {
    await life.clock.advance(1000);
    life.intake.passTime();
    return life.outbox.entries.list().length > 1;
  });
  const over = life.outbox.entries.list().at(-1)!.alert.incident!;
  assertEquals([over.kind, over.downMs], ["resolved", 2000], "from one line of the log to another");
  section.crash();
  section.hear();
  await life.compared();
  assertEquals(section.said(), { log: 1, note: "PROCESS_STATE_EXITED", told: 2 });
  // The next life may have another section.
  await life[Symbol.asyncDispose]();
  await using next = scene.begin(OFTEN);
  assertEquals(new WrongSection({ life: next, model: scene.model }).said().note, undefined);
});

Deno.test("Reconciliation waits for a newer event before it says that the section lacks one", async () => {
  await using scene = new Scene();
  await using life = scene.begin(OFTEN);
  const section = new WrongSection({ life, model: scene.model });
  section.hear();
  await life.compared();
  await life.clock.advance(5000);
  section.crash();
  await life.compared();
  assertEquals(life.told(), ["crash web:api 100 reconciled"]);
  assertEquals(
    section.said(),
    NOTHING_SAID,
    "nothing newer has come: supervisord may be deaf to us",
  );
  section.hear();
  await life.compared();
  assertEquals(section.said(), { log: 1, note: "PROCESS_STATE_EXITED", told: 0 });
});

for (
  const { why, story } of [
    {
      why: "where events were dropped",
      async story({ hear, crash, life }) {
        hear();
        await life.clock.advance(5000);
        crash();
        await life.clock.advance(5000);
        hear("TICK_60", { dropped: 1 });
      },
    },
    {
      why: "where events may have been dropped before the first one that came",
      async story({ hear, crash, life }) {
        await life.clock.advance(5000);
        crash();
        await life.clock.advance(5000);
        hear("TICK_60", { dropped: 3 });
      },
    },
    {
      why: "where such an event has come, if it could not be read",
      async story({ hear, crash, life }) {
        hear("PROCESS_STATE_EXITED", { payload: "what is this" });
        await life.clock.advance(5000);
        crash();
        await life.clock.advance(5000);
        hear();
      },
    },
    {
      why: "where it dropped the event and sent a newer one after it was found",
      async story({ hear, crash, life }) {
        hear();
        await life.clock.advance(5000);
        crash();
        await life.compared();
        hear("TICK_60", { dropped: 1 });
      },
    },
  ] satisfies readonly {
    readonly why: string;
    readonly story: (
      scene: Pick<WrongSection, "hear" | "crash"> & { readonly life: Life },
    ) => Promise<void>;
  }[]
) {
  Deno.test(`Reconciliation does not say that the section lacks an event ${why}`, async () => {
    await using scene = new Scene();
    await using life = scene.begin(OFTEN);
    const section = new WrongSection({ life, model: scene.model });
    await life.compared();
    await story({
      life,
      hear: (...event) => section.hear(...event),
      crash: () => section.crash(),
    });
    await life.compared();
    assertEquals(life.told().filter((line) => line.startsWith("crash web:api 100")), [
      "crash web:api 100 reconciled",
    ]);
    await life.clock.advance(5000);
    section.hear();
    await life.compared();
    assertEquals(section.said(), NOTHING_SAID);
  });
}

Deno.test("Reconciliation does not say that the section lacks what happened while it was away", async () => {
  await using scene = new Scene();
  {
    await using life = scene.begin(OFTEN);
    new WrongSection({ life, model: scene.model }).hear();
    await life.compared();
  }
  await using life = scene.begin(OFTEN);
  const section = new WrongSection({ life, model: scene.model });
  section.crash();
  await life.clock.advance(1000);
  section.hear();
  await life.compared();
  assertEquals(life.told(), ["crash web:api 100 reconciled"]);
  await life.clock.advance(5000);
  section.hear();
  await life.compared();
  assertEquals(section.said(), NOTHING_SAID);
});

Deno.test("Reconciliation counts gaps where nobody can be asked", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await using life = scene.begin({ url: undefined });
  life.take(model.frames);
  model.exit(0, 1);
  model.start(0);
  model.run(0);
  life.take(model.frames.slice(-1));
  await until("the gap", async () => {
    await life.clock.advance(200);
    return life.told().length > 0;
  });
  assertEquals(life.told(), ["gap 2 0"]);
  assertEquals(
    life.log.filter((line) => /WARN supervisord has no XML-RPC server/.test(line)).length,
    1,
  );
});

Deno.test("Reconciliation tries again when supervisord does not answer", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await using life = await scene.beginFirst();
  model.exit(0, 1);
  model.start(0);
  model.run(0);
  scene.server.isBroken = true;
  life.take(model.frames.slice(-1));
  await until("a failed question", async () => {
    await life.clock.advance(200);
    return life.log.some((line) => line.includes("cannot be found out"));
  });
  scene.server.isBroken = false;
  await life.compared();
  assertMatch(life.told()[0]!, /^crash web:api 100 reconciled$/);
});

Deno.test("Reconciliation makes its first comparison later when supervisord answers nobody for long", async () => {
  await using scene = new Scene();
  const { server } = scene;
  server.isBroken = true;
  await using life = scene.begin({ everyMs: 0 });
  const startMs = life.clock.monotonic();
  await until("many failed questions", async () => {
    await life.clock.advance(2000);
    return life.clock.monotonic() - startMs > 60_000;
  });
  assertMatch(life.log.join("\n"), /cannot be found out/);
  server.isBroken = false;
  await life.compared();
  assertMatch(life.log.join("\n"), /compared with supervisord's list \(start\)/);
});

Deno.test("Reconciliation writes what has changed soon after, all at once and not by the event", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await using life = scene.begin({ url: undefined });
  await life.clock.advance(600_000); // as quiet as it can be
  const stored = () => life.outbox.roster.processes().length;
  life.take(model.frames);
  const known = life.intake.roster.known.size;
  assertEquals([known > 0, stored()], [true, 0]);
  await life.clock.advance(3000);
  assertEquals([life.intake.roster.isChanged, stored()], [false, known]);
  const before = model.frames.length;
  model.stop(0);
  model.start(0);
  life.take(model.frames.slice(before));
  assertEquals(life.intake.roster.isChanged, true);
  await life.clock.advance(3000);
  assertEquals(life.intake.roster.isChanged, false);
});

Deno.test("Reconciliation raises no alarm where listeners share a pool", async () => {
  using folder = new Folder();
  const model = new SupervisordModel([...NAMES, ["bell", "bell_0"], ["bell", "bell_1"]]);
  for (let index = 0; index < model.size; index++) model.start(index);
  await using server = startModelServer(model);
  await using life = new Life(folder.file("db"), {
    url: server.origin,
    self: { group: "bell", name: "bell_0" },
  }).start();
  life.take(model.frames.filter((_, index) => index % 2 === 0));
  await life.compared();
  model.run(0);
  model.exit(0, 1);
  model.start(0);
  life.take(model.frames.slice(-1));
  await life.clock.advance(60_000);
  assertEquals(life.told(), []);
  assertEquals(life.log.filter((line) => /listeners share the pool/.test(line)).length, 1);
});

Deno.test("a shutdown of supervisord is one message", async () => {
  await using scene = new Scene();
  const { model } = scene;
  await using life = scene.begin({ url: undefined });
  life.take(model.frames);
  const special = (eventname: string, serial: number) => frameOf({ eventname, serial });
  life.take([special("SUPERVISOR_STATE_CHANGE_STOPPING", 6)]);
  model.stop(0);
  model.exit(1, 1);
  life.take(
    model.frames.slice(-3).map((frame, index) => ({
      ...frame,
      header: { ...frame.header, poolserial: 7 + index },
    })),
  );
  assertEquals(life.told(), ["supervisor_stopping"]);
  assert(life.log.some((line) => line.endsWith("all: skip (supervisord-stopping)")));
});
