// How the listener ends: by SIGTERM, by the end of stdin, by the death of supervisord.

import { assert, assertEquals, assertGreater, assertLess } from "../support/assert.ts";
import { crashFrame, frame, PipedListener } from "../support/piped_listener.ts";
import { makePlace, type Place, storedEntries } from "../support/places.ts";
import { failingProgram } from "../support/programs.ts";
import { type Robot, startRobot } from "../support/robot.ts";
import { isAlive, startSupervisord } from "../support/supervisord.ts";
import { until } from "../support/until.ts";

const TOKEN = "e2e-shutdown-token-90d1";
const env = { TOKEN };

/** How long the end of a listener may take beyond what it waits for; includes a slow machine. */
const MARGIN_MS = 3000;

Deno.test("SIGTERM: a running delivery may end, and the exit code is 0", async () => {
  await using robot = startRobot({ token: TOKEN });
  robot.mood = "hangs";
  using place = makePlace();
  await using listener = new PipedListener(configOf(place, robot, "10s"), { env });
  await listener.ready(1);
  await listener.take(crashFrame(1));
  await until("the attempt", () => robot.requests.length === 1);
  listener.kill("SIGTERM");
  await listener.logs(/ending \(told to stop\)/);
  // Nothing new is taken: supervisord keeps this event for the next start.
  await listener.write(crashFrame(2));
  robot.release();
  assertEquals((await listener.end()).code, 0);
  assertEquals(states(place), ["delivered"]);
  assertEquals(listener.answers, 1);
  assertEquals(robot.messages.length, 1);
  listener.assertOnlyProtocol();
});

Deno.test("SIGTERM: a delivery that does not end is cut off after shutdown_window and kept", async () => {
  await using robot = startRobot({ token: TOKEN });
  robot.mood = "hangs";
  using place = makePlace();
  const config = configOf(place, robot, "1s");
  {
    await using listener = new PipedListener(config, { env });
    await listener.ready(1);
    await listener.take(crashFrame(1));
    await until("the attempt", () => robot.requests.length === 1);
    const startedAtMs = performance.now();
    listener.kill("SIGTERM");
    assertEquals((await listener.end()).code, 0);
    const tookMs = performance.now() - startedAtMs;
    assertGreater(tookMs, 900);
    assertLess(tookMs, 1000 + MARGIN_MS);
    assertEquals(states(place), ["waiting"]);
    assert(/ended: 1 entries wait for the next start/.test(listener.log), listener.log);
  }
  robot.release();
  await using listener = new PipedListener(config, { env });
  await until("the delivery by the next start", () => states(place)[0] === "delivered");
  await listener.ready(1);
});

Deno.test("SIGTERM with nothing to do: it ends at once with 0", async () => {
  await using robot = startRobot({ token: TOKEN });
  using place = makePlace();
  await using listener = new PipedListener(configOf(place, robot, "10s"), { env });
  await listener.ready(1);
  const startedAtMs = performance.now();
  listener.kill("SIGTERM");
  assertEquals((await listener.end()).code, 0);
  assertLess(performance.now() - startedAtMs, MARGIN_MS);
  assertEquals(listener.stdout, "READY\n");
});

Deno.test("the end of stdin: what was sent before is taken, and the exit code is 0", async () => {
  await using robot = startRobot({ token: TOKEN });
  using place = makePlace();
  await using listener = new PipedListener(configOf(place, robot, "10s"), { env });
  await listener.ready(1);
  await listener.take(frame(1, "TICK_60", "when:1795225200"));
  await listener.write(crashFrame(2));
  await listener.closeStdin();
  assertEquals((await listener.end()).code, 0);
  assert(/stdin has ended/.test(listener.log), listener.log);
  assertEquals(storedEntries(place.dir).length, 1);
  // It may be delivered or kept: the workers take nothing new once stdin has ended.
  assertEquals(listener.answers, 2);
});

Deno.test("supervisord is killed -9: the listener ends by itself and leaves what waits", async () => {
  await using robot = startRobot({ token: TOKEN });
  robot.mood = "sent-too-fast";
  await using supervisord = await startSupervisord({
    config: `
language: en
state_dir: "{dir}/state"
channels:
  oncall: { type: dingtalk, token: { env: TOKEN }, endpoint: "${robot.endpoint}" }
rules:
  - { name: crash, on: [crash], to: [oncall] }
`,
    environment: env,
    programs: failingProgram("api"),
  });
  await supervisord.ctl("start", "api");
  const stateDir = `${supervisord.dir}/state`;
  await supervisord.until("the refused attempt", () => storedEntries(stateDir)[0]?.attempts === 1);
  const listener = supervisord.pidOf("superbell");
  await supervisord.stop("SIGKILL");
  await supervisord.until("the listener to end", () => !isAlive(listener));
  // What it says now goes nowhere: its log was written by supervisord.
  assertEquals(storedEntries(stateDir).map(({ state }) => state), ["waiting"]);
});

function configOf(place: Place, robot: Robot, shutdownWindow: string): string {
  return place.write(
    "superbell.yaml",
    `
language: en
state_dir: "{dir}"
shutdown_window: ${shutdownWindow}
channels:
  oncall:
    type: dingtalk
    token: { env: TOKEN }
    endpoint: "${robot.endpoint}"
    timeout: 1m
rules:
  - { name: crash, on: [crash], to: [oncall] }
`,
  );
}

function states(place: Place): string[] {
  return storedEntries(place.dir).map(({ state }) => state);
}
