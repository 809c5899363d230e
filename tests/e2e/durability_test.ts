// At least once: what was answered OK is delivered afterwards, however the listener ended.
// Driven over pipes where the moment of the kill matters, by supervisord where it does not.

import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { makePlace, type Place, storedEntries } from "../support/places.ts";
import { failingProgram } from "../support/programs.ts";
import { startRobot } from "../support/robot.ts";
import { startSupervisord } from "../support/supervisord.ts";
import { until } from "../support/until.ts";

const TOKEN = "e2e-durable-token-41cd";

/** Attempts at the same time. */
const WORKERS = 4;

Deno.test("killed -9 in mid-delivery, the listener delivers after its restart, same alert", async () => {
  await using robot = startRobot({ token: TOKEN });
  robot.mood = "hangs";
  await using supervisord = await startSupervisord({
    config: `
language: en
state_dir: "{dir}/state"
channels:
  oncall: { type: dingtalk, token: { env: DINGTALK_TOKEN }, endpoint: "${robot.endpoint}" }
rules:
  - { name: crash, on: [crash], to: [oncall] }
`,
    environment: { DINGTALK_TOKEN: TOKEN },
    programs: failingProgram("api"),
  });
  await supervisord.ctl("start", "api");
  await supervisord.until("the first attempt", () => robot.requests.length === 1);
  const [before] = storedEntries(`${supervisord.dir}/state`);
  assertEquals([before!.state, before!.attempts], ["waiting", 0]);
  Deno.kill(supervisord.pidOf("superbell"), "SIGKILL");
  robot.mood = "accepts";
  // The held request belongs to a dead listener; its answer goes nowhere.
  await supervisord.until(
    "the delivery",
    () => storedEntries(`${supervisord.dir}/state`)[0]?.state === "delivered",
  );
  robot.release();
  assertEquals(supervisord.pidsOf("superbell").length, 2);
  assertEquals(robot.requests.length, 2);
  const texts = robot.requests.map(({ body }) => JSON.parse(body).text.content);
  assertEquals(texts[0], texts[1]);
  assert(texts[1].includes(before!.alertId), texts[1]);
  const entries = storedEntries(`${supervisord.dir}/state`);
  assertEquals(entries.map(({ alertId, state, attempts }) => ({ alertId, state, attempts })), [
    { alertId: before!.alertId, state: "delivered", attempts: 1 },
  ]);
});

Deno.test("killed between the commit and OK, the same event again is stored and told once", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  // Each log line is long and nobody reads the log: after the commit, in front of the OK, the
  // listener waits for the pipe. That makes the moment certain. (Without `full` it is stored
  // behind the OK.)
  const config = place.write(
    "superbell.yaml",
    `${configText(hook.origin, "r".repeat(3000))}outbox: { sync: full }\n`,
  );
  let serial = 0;
  {
    await using listener = new PipedListener(config, { readsLog: false });
    await listener.ready(1);
    while (true) {
      await listener.write(crashOf(serial));
      await until(
        "the answer, or the wait behind the commit",
        () =>
          listener.answers === serial + 1 ||
          (listener.isStuckInLog && stored(place).includes(serial)),
      );
      if (listener.answers === serial) break;
      serial++;
    }
    listener.kill("SIGKILL");
    await listener.end();
    assertEquals(listener.answers, serial);
    assert(stored(place).includes(serial));
  }
  {
    await using listener = new PipedListener(config);
    await listener.ready(1);
    await listener.take(crashOf(serial)); // supervisord has no OK: it sends it again
    await until(
      "all to be delivered",
      () => storedEntries(place.dir).every(({ state }) => state === "delivered"),
    );
    assert(/came again, its alerts are stored already/.test(listener.log), listener.log);
    listener.assertOnlyProtocol();
  }
  assertEquals(stored(place), Array.from({ length: serial + 1 }, (_, index) => index));
  assertEquals(toldSerials(hook).filter((told) => told === serial).length, 1);
});

Deno.test("killed between OK and the commit, the event is delivered by the next start, once", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook.origin, "crash"));
  {
    await using listener = new PipedListener(config);
    await listener.ready(1);
    // Somebody else writes: what was answered cannot be stored yet. That makes the moment certain.
    using database = new DatabaseSync(place.file("superbell.db"));
    database.exec("begin immediate");
    await listener.take(crashOf(7));
    listener.kill("SIGKILL");
    await listener.end();
    database.exec("rollback");
  }
  assertEquals(stored(place), []);
  await using listener = new PipedListener(config);
  await listener.ready(1);
  await until("the delivery", () => storedEntries(place.dir)[0]?.state === "delivered");
  assertEquals(toldSerials(hook), [7]);
  assert(/event 7 PROCESS_STATE_EXITED was taken, and not stored/.test(listener.log), listener.log);
  await listener.take(crashOf(7)); // as if supervisord had not read the OK
  await listener.take(crashOf(8));
  await until("both", () => stored(place).length === 2);
  assertEquals(stored(place), [7, 8]);
});

Deno.test("killed after OK, the event is delivered by the next start, once", async () => {
  await using robot = startRobot({ token: TOKEN });
  robot.mood = "hangs";
  using place = makePlace();
  const config = place.write(
    "superbell.yaml",
    `
state_dir: "{dir}"
channels:
  oncall: { type: dingtalk, token: { env: TOKEN }, endpoint: "${robot.endpoint}" }
rules:
  - { name: crash, on: [crash], to: [oncall] }
`,
  );
  const env = { TOKEN };
  {
    await using listener = new PipedListener(config, { env });
    await listener.ready(1);
    await listener.take(crashFrame(7));
    listener.kill("SIGKILL");
    await listener.end();
  }
  robot.release();
  await using listener = new PipedListener(config, { env });
  await until("the delivery", () => storedEntries(place.dir)[0]?.state === "delivered");
  await listener.take(crashFrame(7)); // as if supervisord had not read the OK
  assertEquals(storedEntries(place.dir).length, 1);
});

Deno.test("killed -9 at random moments, every event answered OK is delivered", async (t) => {
  const [EVENTS, KILLS, BUDGET_MS] = [200, 40, 20_000];
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook.origin, "crash"));
  const random = seeded(20261121);
  const startedAtMs = performance.now();
  let [next, killsLeft, resent] = [0, KILLS, 0];
  while (true) {
    await using listener = new PipedListener(config);
    await listener.ready(1);
    const mayKill = killsLeft > 0 && performance.now() - startedAtMs < BUDGET_MS && next < EVENTS;
    if (!mayKill) {
      while (next < EVENTS) await listener.take(crashOf(next++));
      await until(
        "the last delivery",
        () => storedEntries(place.dir).every(({ state }) => state === "delivered"),
      );
      break;
    }
    const first = next;
    const last = Math.min(EVENTS - 1, next + Math.floor(random() * 9));
    while (next < last) await listener.take(crashOf(next++));
    // The last of this start's events is in flight when the kill comes, 0 to 4 ms later.
    await listener.write(crashOf(next));
    const killAtMs = performance.now() + random() * 4;
    while (performance.now() < killAtMs) await Promise.resolve();
    listener.kill("SIGKILL");
    await listener.end();
    killsLeft--;
    const answered = listener.answers; // what had been written is read, as supervisord would
    assertLessOrEqual(answered, next - first + 1);
    if (first + answered > next) next++;
    else resent++;
  }
  const kills = KILLS - killsLeft;
  const told = toldSerials(hook);
  const missing = Array.from({ length: EVENTS }, (_, index) => index)
    .filter((serial) => !told.includes(serial));
  assertEquals(missing, [], "events that were answered OK and never delivered");
  assertEquals(stored(place).length, EVENTS);
  assertEquals(new Set(alertIds(hook)).size, EVENTS);
  assertGreater(kills, 20);
  // What can be told twice is what was under way at a kill: one attempt of each worker.
  assertLessOrEqual(told.length - EVENTS, kills * WORKERS);
  await t.step(
    `${kills} kills, ${EVENTS} events, ${resent} sent again by supervisord, ` +
      `${told.length - EVENTS} messages more than once`,
    () => {},
  );
});

function configText(origin: string, rule: string): string {
  return `
language: en
state_dir: "{dir}"
channels:
  hook: { type: webhook, url: "${origin}/hook", concurrency: ${WORKERS} }
rules:
  - { name: ${rule}, on: [crash], to: [hook] }
`;
}

/** A crash of a process that has not crashed before, so that each is told. */
function crashOf(serial: number): Uint8Array {
  return crashFrame(serial, `api-${serial}`);
}

/** Serials of the stored events, in order; crashFrame() makes the process id from them. */
function stored(place: Place): number[] {
  return storedEntries(place.dir).map(({ alert }) => alert.pid! - 1000);
}

function toldSerials(hook: { readonly requests: readonly { readonly body: string }[] }): number[] {
  return hook.requests.map(({ body }) => JSON.parse(body).process.pid - 1000);
}

function alertIds(hook: { readonly requests: readonly { readonly body: string }[] }): string[] {
  return hook.requests.map(({ body }) => JSON.parse(body).id);
}

/** The same random numbers in every run (mulberry32), so that a failure can be had again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
