// What supervisord makes of processes in every state, and what is told about it.

import type { AlertDocument } from "../../src/alerts/document.ts";
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { type HttpServer, startHttpServer } from "../support/http_server.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
state_dir: "{dir}/state"
channels:
  crash: { type: webhook, url: "{origin}/crash" }
  exit: { type: webhook, url: "{origin}/exit" }
  fatal: { type: webhook, url: "{origin}/fatal" }
  flapping: { type: webhook, url: "{origin}/flapping" }
  stopped: { type: webhook, url: "{origin}/stopped" }
  started: { type: webhook, url: "{origin}/started" }
  shutdown: { type: webhook, url: "{origin}/shutdown" }
rules:
  - { name: crash, on: [crash], to: [crash] }
  - { name: exit, on: [exit], to: [exit] }
  - { name: fatal, on: [fatal], to: [fatal] }
  - { name: flapping, on: [flapping], flapping: { exits: 3, within: 1m }, to: [flapping] }
  - { name: stopped, on: [stopped], to: [stopped] }
  - { name: started, on: [started], where: { process: [steady] }, to: [started] }
  - { name: shutdown, on: [supervisor_stopping], to: [shutdown] }
`;

const PROGRAMS = `
; lives just longer than startsecs: supervisord starts it again for ever and never gives up
[program:loop]
command=/bin/sh -c "sleep 1.1; exit 1"
autostart=false
autorestart=true

[program:quick]
command=/bin/false
autostart=false
startsecs=10
startretries=0

; supervisorctl would refuse to start it; at boot it is tried
[program:missing]
command=/nonexistent/program --flag
startretries=0

[program:steady]
command=/bin/sleep 1000
startsecs=0
autorestart=true

[program:clean]
command=/bin/true
autostart=false
autorestart=false
startsecs=0

[program:last]
command=/bin/sh -c "exit 9"
autostart=false
autorestart=false
startsecs=0

; needs a while to end, so that the listener hears of the shutdown
[program:slow]
command=/bin/sh -c "trap 'sleep 1.5; exit 0' TERM; while :; do sleep 0.1; done"
startsecs=0
`;

Deno.test("what is told of loops, FATAL, kill -9, stop, restart, a clean end and the shutdown", async (t) => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: CONFIG.replaceAll("{origin}", hook.origin),
    programs: PROGRAMS,
  });
  const told = (channel: string, name: string) => toldAbout(hook, channel, name);
  const wait = (channel: string, name: string, count = 1) =>
    supervisord.until(
      `${count} of ${channel} about ${name}`,
      () => told(channel, name).length >= count && told(channel, name),
    );

  await t.step("a crash loop: told once, with the process id that died first", async () => {
    // Runs while the steps below do their work.
    await supervisord.ctl("start", "loop");
    await wait("crash", "loop");
  });

  await t.step("FATAL after startretries, and FATAL by a program that is missing", async () => {
    await supervisord.ctl("start", "quick");
    const [quick] = await wait("fatal", "quick");
    const [missing] = await wait("fatal", "missing");
    for (const document of [quick!, missing!]) {
      assertEquals([document.on, document.from_state], ["fatal", "BACKOFF"]);
      assertEquals(document.process?.pid, null);
    }
    assertEquals(await supervisord.stateOf("quick"), "FATAL");
  });

  await t.step("kill -9 of a program is a crash", async () => {
    const pid = supervisord.pidOf("steady");
    Deno.kill(pid, "SIGKILL");
    const [document] = await wait("crash", "steady");
    assertEquals(document!.process, { name: "steady", group: "steady", pid });
    assertEquals(document!.expected, false);
    await wait("started", "steady", 2);
  });

  await t.step("restart and stop by supervisorctl are no crash; stopped says so", async () => {
    await supervisord.ctl("restart", "steady");
    await wait("started", "steady", 3);
    await supervisord.ctl("stop", "steady");
    const documents = await wait("stopped", "steady", 2);
    assertEquals(
      documents.map(({ process }) => process?.pid),
      supervisord.pidsOf("steady").slice(1),
    );
    assertEquals(documents.map(({ on, from_state }) => [on, from_state]), [
      ["stopped", "STOPPING"],
      ["stopped", "STOPPING"],
    ]);
  });

  await t.step("a clean end is an exit and no crash", async () => {
    await supervisord.ctl("start", "clean");
    const [document] = await wait("exit", "clean");
    assertEquals(document!.expected, true);
    assert(document!.title.includes("exited as expected with status 0"), document!.title);
  });

  await t.step("events come in order, so what has not come by now will not come", async () => {
    await supervisord.ctl("start", "last");
    await wait("crash", "last");
    assertEquals(told("crash", "clean"), []);
    assertEquals(told("crash", "steady").length, 1);
    assertEquals(told("fatal", "steady").concat(told("fatal", "loop")), []);
    const loops = told("crash", "loop");
    assertEquals(loops.map(({ process }) => process?.pid), supervisord.pidsOf("loop").slice(0, 1));
  });

  await t.step("a crash loop that never becomes FATAL is told as flapping, once", async () => {
    const [flapping] = await wait("flapping", "loop");
    assertEquals(flapping!.process?.pid, supervisord.pidsOf("loop")[2]);
    assertEquals([flapping!.on, flapping!.incident?.ends], ["flapping", 3]);
    assertGreater(supervisord.pidsOf("loop").length, 3);
    assertEquals(told("flapping", "loop").length, 1);
  });

  await t.step("every crash under crash is an exit under exit too", async () => {
    await wait("exit", "last");
    assertEquals(told("exit", "steady").length, 1);
    assertEquals(told("exit", "loop").length, 1);
  });

  await t.step("the shutdown of supervisord is told before it ends", async () => {
    await supervisord.stop("SIGTERM");
    const documents = documentsAt(hook, "shutdown");
    assertEquals(documents.length, 1, supervisord.tails());
    assert(documents[0]!.title.startsWith("supervisord is shutting down"), documents[0]!.title);
    assertListenerEndedWell(supervisord);
  });
});

function assertListenerEndedWell(supervisord: Supervisord): void {
  const log = supervisord.log();
  assert(log.includes("stopped: superbell (exit status 0)"), supervisord.tails());
  assert(!/superbell entered UNKNOWN|event buffer overflowed/.test(log), supervisord.tails());
  assertEquals(supervisord.pidsOf("superbell").length, 1);
}

function documentsAt(hook: HttpServer, channel: string): AlertDocument[] {
  return hook.requests.filter(({ url }) => url.pathname === `/${channel}`)
    .map(({ body }) => JSON.parse(body));
}

function toldAbout(hook: HttpServer, channel: string, name: string): AlertDocument[] {
  return documentsAt(hook, channel).filter(({ process, incident }) =>
    process?.name === name && incident?.kind !== "resolved"
  );
}
