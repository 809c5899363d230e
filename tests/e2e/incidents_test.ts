// Incidents with a real supervisord: what is told of a process that breaks and is mended, over a
// restart of the listener, by hand, in a group and in a silence.

import type { AlertDocument } from "../../src/alerts/document.ts";
import { SupervisorClient } from "../../src/supervisor/client.ts";
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { type HttpServer, startHttpServer } from "../support/http_server.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
state_dir: "{dir}/state"
channels:
  oncall: { type: webhook, url: "{origin}/oncall" }
  quiet: { type: webhook, url: "{origin}/quiet", resolved: false }
  groups: { type: webhook, url: "{origin}/groups" }
rules:
  - name: broken
    on: [crash, fatal]
    where: { process: ["!jobs:*"] }
    resolve_after: 2s
    to: [oncall, quiet]
  - name: groups
    on: [crash]
    where: { group: jobs }
    group_by: group
    group_wait: 3s
    to: [groups]
`;

const PROGRAMS = `
; fails as long as there is no file
[program:web]
command=/bin/sh -c "test -e {dir}/mended || exit 3; exec sleep 1000"
autostart=false
startsecs=0
autorestart=false

; ends before startsecs, until supervisord gives up
[program:quick]
command=/bin/false
autostart=false
startsecs=10
startretries=0

[program:steady]
command=/bin/sleep 1000
startsecs=0
autorestart=true

[program:jobs]
command=/bin/sh -c "exit 4"
process_name=worker_%(process_num)02d
numprocs=4
autostart=false
autorestart=false
startsecs=0
`;

type Told = readonly (readonly [kind: string | undefined, title: string])[];

Deno.test("an incident with a real supervisord, from its first message to its last", async (t) => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: CONFIG.replaceAll("{origin}", hook.origin),
    programs: PROGRAMS,
    keys: { events: "PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,TICK_60" },
  });
  const told = (channel: string, name: string) => toldAbout(hook, channel, name);
  const wait = (count: number, channel: string, name: string) =>
    supervisord.until(
      `${count} messages to ${channel} about ${name}`,
      () => told(channel, name).length >= count,
    );

  await t.step("a crash, a restart of the listener, and the process runs again", async () => {
    await supervisord.ctl("start", "web");
    await wait(1, "oncall", "web");
    await supervisord.ctl("restart", "superbell");
    await supervisord.until("the new listener", () => supervisord.pidsOf("superbell").length === 2);
    Deno.writeTextFileSync(`${supervisord.dir}/mended`, "");
    await supervisord.ctl("start", "web");
    await wait(2, "oncall", "web");
    const [crash, resolved] = documentsAbout(hook, "oncall", "web");
    assertEquals(kindsOf(told("oncall", "web")), ["firing", "resolved"]);
    assertEquals(crash!.incident!.id, resolved!.incident!.id);
    assert(/^web is running again on .*, was down for \d+s/.test(resolved!.title), resolved!.title);
    assertGreater(resolved!.incident!.down_ms!, 0);
  });

  await t.step("a channel that does not want to know is not told that it is over", () => {
    assertEquals(kindsOf(told("quiet", "web")), ["firing"]);
  });

  await t.step("a stop and a restart by supervisorctl are no failures", async () => {
    await supervisord.ctl("restart", "steady");
    await supervisord.ctl("stop", "steady");
    await supervisord.ctl("start", "steady");
  });

  await t.step("FATAL, and then a stop by hand", async () => {
    await supervisord.ctl("start", "quick");
    await wait(1, "oncall", "quick");
    await supervisord.ctl("start", "quick"); // fails again, and is in BACKOFF or FATAL
    await supervisord.ctl("stop", "quick");
    const [fatal] = documentsAbout(hook, "oncall", "quick");
    assertEquals([fatal!.on, fatal!.incident!.kind], ["fatal", "firing"]);
  });

  await t.step("a group is told as one", async () => {
    await supervisord.ctl("start", "jobs:*");
    await supervisord.until("the group", () => documentsAt(hook, "groups").length > 0);
    const [group] = documentsAt(hook, "groups");
    assertEquals([group!.incident!.count, group!.incident!.by], [4, "group"]);
    assert(group!.title.startsWith("4 processes (jobs:worker_[00-03])"), group!.title);
  });

  await t.step(
    "a deploy script's silence holds, and tells at its end what is still down",
    async () => {
      const client = new SupervisorClient({
        url: `unix://${supervisord.dir}/supervisor.sock`,
        username: undefined,
        password: undefined,
      });
      const send = (type: string, text: string) =>
        client.call("supervisor.sendRemoteCommEvent", [type, text], { timeoutMs: 5000 });
      const before = told("oncall", "web").length;
      Deno.removeSync(`${supervisord.dir}/mended`);
      await send("superbell.silence", "web 10m deploy");
      await supervisord.ctl("restart", "web");
      await supervisord.until(
        "the crash to be held",
        () => supervisord.listenerLog().includes("rule broken: held (silenced)"),
      );
      assertEquals(told("oncall", "web").length, before);
      await send("superbell.unsilence", "web");
      await wait(before + 1, "oncall", "web");
      const late = documentsAbout(hook, "oncall", "web").at(-1)!;
      assertEquals([late.incident!.kind, late.incident!.held_by], ["firing", "silenced"]);
    },
  );

  await t.step("nothing else was told", () => {
    assertEquals(told("oncall", "steady"), []);
    assertEquals(kindsOf(told("oncall", "web")), ["firing", "resolved", "firing"]);
    assertEquals(documentsAt(hook, "groups").length, 1);
  });
});

function documentsAt(hook: HttpServer, channel: string): AlertDocument[] {
  return hook.requests.filter(({ url }) => url.pathname === `/${channel}`)
    .map(({ body }) => JSON.parse(body));
}

function documentsAbout(hook: HttpServer, channel: string, name: string): AlertDocument[] {
  return documentsAt(hook, channel).filter(({ process }) => process?.name === name);
}

function toldAbout(hook: HttpServer, channel: string, name: string): Told {
  return documentsAbout(hook, channel, name).map(({ incident, title }) => [incident?.kind, title]);
}

function kindsOf(told: Told): (string | undefined)[] {
  return told.map(([kind]) => kind);
}
