// A dead channel under real supervisord: its fallback tells what it should have told, and that it
// fails; when the receiver is back, new crashes go there again and people are told that too.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { failingProgram } from "../support/programs.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { startRobot } from "../support/robot.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";

const TOKEN = "e2e-fallback-token-77ab";

const PROGRAM = failingProgram("api");

/** What the recorder was told, as titles. */
const titles = ({ dir }: Supervisord): string[] =>
  recordedCalls(dir).map(({ document }) => String(document.title));

const CRASH = "api exited with status 3 on web-1";
const FAILING = "Channel hook does not deliver on web-1";
const RECOVERED = "Channel hook delivers again on web-1";

const count = (lines: readonly string[], line: string) =>
  lines.filter((one) => one === line).length;

Deno.test("a dead channel's crashes are told by its fallback, and its end and return once", async () => {
  let isUp = false;
  await using hook = startHttpServer(() =>
    isUp ? Response.json({ ok: true }) : new Response("no upstream", { status: 503 })
  );
  const told = () =>
    hook.requests.map(({ body }) => JSON.parse(body)).filter(({ on }) => on === "crash");
  await using supervisord = await startSupervisord({
    config: `
language: en
host: { name: web-1, address: lo }
state_dir: "{dir}/state"
retry: { first: 100ms, most: 1s }
channels:
  hook: { type: webhook, url: "${hook.origin}/alerts", fallback: script, fallback_after: 2s }
  script: { type: exec, command: ["{dir}/alert"] }
rules:
  # Each start ends the incident, so that each crash is told.
  - { name: crash, on: [crash], resolve_after: 0s, resolved: false, to: [hook] }
`,
    files: { alert: RECORDER },
    programs: PROGRAM,
  });

  await supervisord.ctl("start", "api");
  await supervisord.until("the crash and the notice by the fallback", () => {
    const lines = titles(supervisord);
    return count(lines, CRASH) === 1 && count(lines, FAILING) === 1;
  });
  const documents = recordedCalls(supervisord.dir).map(({ document }) => document);
  const crash = documents.find(({ on }) => on === "crash")!;
  const notice = documents.find(({ on }) => on === "channel_failing")!;
  assertEquals(crash.instead_of?.channel, "hook");
  assertMatch(crash.instead_of?.reason ?? "", /^HTTP 503: no upstream$/);
  assertStringIncludes(String(crash.text), "in place of channel hook: HTTP 503: no upstream");
  assertEquals([notice.channel?.name, notice.channel?.fallback], ["hook", "script"]);
  assertEquals(crash.id, told()[0].id, "the same alert");

  // A restart neither forgets that the channel fails nor tells it again.
  Deno.kill(supervisord.pidOf("superbell"), "SIGKILL");
  await supervisord.until("the restart", () => supervisord.pidsOf("superbell").length === 2);
  await supervisord.ctl("start", "api");
  await supervisord.until("the second crash", () => count(titles(supervisord), CRASH) === 2);

  isUp = true;
  const before = told().length;
  await supervisord.until("a crash at the receiver that is back", async () => {
    if (count(titles(supervisord), RECOVERED) > 0) return true;
    await supervisord.ctl("start", "api");
    return told().length > before;
  });
  await supervisord.until("the recovery", () => count(titles(supervisord), RECOVERED) === 1);

  // From now on nothing needs the fallback any more.
  const calls = recordedCalls(supervisord.dir).length;
  const reached = told().length;
  await supervisord.ctl("start", "api");
  await supervisord.until("one more crash at the receiver", () => told().length > reached);
  assertEquals(recordedCalls(supervisord.dir).length, calls);
  assertEquals(count(titles(supervisord), FAILING), 1);
  assertEquals(count(titles(supervisord), RECOVERED), 1);
});

Deno.test("a robot whose token is wrong: the fallback tells each crash at once", async () => {
  await using robot = startRobot({ token: "another-token" });
  await using supervisord = await startSupervisord({
    config: `
language: en
host: { name: web-1, address: lo }
state_dir: "{dir}/state"
channels:
  oncall:
    type: dingtalk
    token: { env: DINGTALK_TOKEN }
    endpoint: ${robot.endpoint}
    fallback: script
  script: { type: exec, command: ["{dir}/alert"] }
rules:
  - { name: crash, on: [crash], to: [oncall] }
`,
    files: { alert: RECORDER },
    environment: { DINGTALK_TOKEN: TOKEN },
    programs: PROGRAM,
  });
  await supervisord.ctl("start", "api");
  const [call] = await supervisord.until("the crash by the fallback", () => {
    const calls = recordedCalls(supervisord.dir);
    return calls.length > 0 && calls;
  });
  assertEquals(call!.document.title, CRASH);
  assertEquals(call!.document.instead_of?.channel, "oncall");
  assertMatch(String(call!.document.instead_of?.reason), /300001/);
  assert(robot.errcodes.length > 0 && robot.errcodes.every((code) => code === 300001));
});
