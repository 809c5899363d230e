// A person at the command line beside a real supervisord: silences, an acknowledgement that ends
// escalation, the history, and a deploy script that speaks through supervisord.

import type { AlertDocument } from "../../src/alerts/document.ts";
import { SupervisorClient } from "../../src/supervisor/client.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { failingProgram } from "../support/programs.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
time_zone: UTC
state_dir: "{dir}/state"
channels:
  oncall: { type: webhook, url: "{origin}/oncall" }
  boss: { type: webhook, url: "{origin}/boss", resolved: false }
rules:
  - name: crash
    on: [crash]
    resolve_after: 1s
    to: [oncall]
    escalate: { after: 5s, to: [boss] }
`;

const PROGRAMS = [..."abcd"].map((letter) => failingProgram(`job-${letter}`)).join("");

Deno.test("silence, ack and history beside a real supervisord", async (t) => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: CONFIG.replaceAll("{origin}", hook.origin),
    programs: PROGRAMS,
    keys: { events: "PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,TICK_60" },
  });
  const config = `${supervisord.dir}/superbell.yaml`;
  const run = (...args: string[]) => superbell([...args, "-c", config], { USER: "kim" });
  const told = (channel: string, name: string) =>
    hook.requests.filter(({ url }) => url.pathname === `/${channel}`)
      .map(({ body }): AlertDocument => JSON.parse(body))
      .filter(({ process }) => process?.name === name)
      .map(({ incident }) => incident?.kind);
  const crash = async (name: string) => {
    await supervisord.ctl("start", name);
    await supervisord.logs(`exited: ${name} (exit status 3`);
  };
  const isHeld = (name: string) =>
    supervisord.until(`${name} to be held`, () =>
      supervisord.listenerLog().includes(
        `PROCESS_STATE_EXITED of ${name}: rule crash: held (silenced)`,
      ));

  await t.step("what crashes in a silence is told when the silence is removed", async () => {
    const added = await run("silence", "add", "job-a*", "30m", "--reason", "deploy");
    assertEquals(added.code, 0);
    const [, id] = /^silence (\w+) of job-a\* until [\d-]+ [\d:]+ \+00:00: deploy, by kim\n/.exec(
      added.stdout,
    )!;
    await crash("job-a");
    await isHeld("job-a");
    const list = await run("silence", "list");
    assertMatch(
      list.stdout,
      /^\w+ {2}job-a\* {2}until .* by kim: deploy {2}holds job-a \(crash\)\n$/,
    );
    const status = await run("status");
    assertMatch(status.stdout, /\nincidents {4}1 open, 1 not acknowledged\n/);
    assertMatch(status.stdout, / {2}not told: silenced\n/);
    assertMatch(status.stdout, /\nsilences {5}1\n {2}\w+ {2}job-a\* {2}until /);
    assertEquals(told("oncall", "job-a"), []);
    const removed = await run("silence", "remove", id!);
    assertEquals([removed.code, removed.stdout], [0, `silence ${id} of job-a* ended\n`]);
    await supervisord.until("the message", () => told("oncall", "job-a").length > 0);
    assertEquals(told("oncall", "job-a"), ["firing"]);
    // While it is open others hear of it; somebody who looks after the next one ends that.
    await supervisord.until("the escalation", () => told("boss", "job-a").length > 0);
  });

  await t.step("an acknowledgement ends the escalation", async () => {
    await crash("job-b");
    await supervisord.until("the message", () => told("oncall", "job-b").length > 0);
    const wrong = await run("ack", "job-x");
    assertEquals([wrong.code, wrong.stdout], [1, ""]);
    assertMatch(wrong.stderr, /^superbell ack: there is no open incident "job-x"; did you mean /);
    const ack = await run("ack", "job-b", "--reason", "on it");
    assertEquals([ack.code, ack.stderr], [0, ""]);
    assertMatch(
      ack.stdout,
      /^(\w{12}) {2}crash {2}job-b {2}crash\nincident \1: acknowledged by kim: on it\n$/,
    );
    // A crash that nobody acknowledges is escalated meanwhile: its time has come later.
    await crash("job-c");
    await supervisord.until("the escalation of the other", () => told("boss", "job-c").length > 0);
    assertEquals(told("boss", "job-b"), []);
  });

  await t.step(
    "a deploy script silences through supervisord, and its silence can be listed",
    async () => {
      const client = new SupervisorClient({
        url: `unix://${supervisord.dir}/supervisor.sock`,
        username: undefined,
        password: undefined,
      });
      const parameters = ["superbell.silence", "job-d 10m deploy v2"];
      await client.call("supervisor.sendRemoteCommEvent", parameters, { timeoutMs: 5000 });
      await supervisord.until(
        "the silence",
        async () =>
          / {2}job-d {2}until .* by remote: deploy v2 {2}holds nothing now\n/
            .test((await run("silence")).stdout),
      );
      await crash("job-d");
      await isHeld("job-d");
      assertEquals(told("oncall", "job-d"), []);
    },
  );

  await t.step("silences and acknowledgements last over a restart of the listener", async () => {
    await supervisord.ctl("stop", "superbell");
    const waiting = await run("silence", "add", "other", "1h");
    assertEquals(waiting.code, 0);
    assertMatch(waiting.stderr, /^no listener uses /);
    await supervisord.ctl("start", "superbell");
    await supervisord.until("the silence that waited", async () => {
      const silences = JSON.parse((await run("silence", "list", "--json")).stdout);
      return silences.length === 2 && silences.every((one: { in_force: boolean }) => one.in_force);
    });
  });

  await t.step("the history shows all of it", async () => {
    const { code, stdout } = await run("history", "--since", "1h", "--width", "60");
    assertEquals(code, 0);
    const line = (name: string) => stdout.split("\n").find((one) => one.includes(` ${name} `))!;
    assertMatch(line("job-a"), /OPEN .* told: 2 messages, escalated$/);
    assertMatch(line("job-b"), /OPEN .* told: 1 message; acknowledged by kim: on it$/);
    assertMatch(line("job-d"), /OPEN .* not told: silenced$/);
    assertMatch(stdout, /\njob-b {2}[ ░]+▓+\n/);
    assertMatch(stdout, /\njob-d {2}[ ░]+▒+\n/);
    const incidents = JSON.parse((await run("history", "--process", "job-b", "--json")).stdout);
    assertEquals(incidents.length, 1);
    assertEquals(incidents[0].acknowledged.by, "kim");
  });

  await t.step("a request of rubbish hurts nobody", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(`${supervisord.dir}/state/superbell.db`);
    database.exec(
      "pragma busy_timeout = 2000; insert into request (at_ms, request) values (0, '{')",
    );
    database.close();
    await supervisord.until(
      "the refusal",
      () => supervisord.listenerLog().includes("WARN a request was refused: it is no JSON"),
    );
    assertEquals((await run("ack", "all")).code, 0);
    assert(!supervisord.listenerLog().includes("a mistake in superbell itself"));
  });
});
