// `superbell status` under a real supervisord: one program that gave up, one that flaps, some that
// are fine, and a channel that is down.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { makePlace } from "../support/places.ts";
import { startSupervisord } from "../support/supervisord.ts";
import { until } from "../support/until.ts";

/** No address of this host: nothing is ever delivered there. */
const CONFIG = `
language: en
time_zone: UTC
state_dir: "{dir}/state"
channels:
  hook: { type: webhook, url: "{origin}/hook" }
  值班: { type: webhook, url: "http://127.0.0.1:1/hook", fallback: hook }
  spare: { type: webhook, url: "{origin}/spare" }
rules:
  # Each start ends the incident, so that the cause of each crash is looked for.
  - { name: down, on: [crash, fatal], resolve_after: 0s, resolved: false, to: [hook, 值班] }
  - { name: up, on: [started], where: { process: [flap] }, to: [hook] }
  - { name: never, on: [remote_communication], to: [spare] }
`;

const PROGRAMS = `
[program:broken]
command=/bin/sh -c "exit 3"
startretries=1
startsecs=5

[program:flap]
command=/bin/sleep 1000
startsecs=0
autorestart=true

[program:worker]
command=/bin/sleep 1000
process_name=%(program_name)s_%(process_num)02d
numprocs=3
startsecs=0
`;

/** What is different each time is put into words, so that the rest can be compared. */
function withoutNumbers(screen: string): string {
  return screen
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00/g, "TIME")
    .replaceAll(/\((\d+[dhms])+\)/g, "(AGE)")
    .replaceAll(/\b(\d+[dhms])+ ago/g, "AGE ago")
    .replaceAll(/\bin (\d+[dhms])+/g, "in AGE")
    .replaceAll(/\b[0-9a-f]{12}\b/g, "ID")
    .replaceAll(/\d+ messages?/g, "N messages")
    .replaceAll(/pid \d+/g, "pid N")
    .replaceAll(/superbell \d+\.\d+\.\d+/g, "superbell VERSION")
    .replaceAll(/\d+ attempts?/g, "N attempts")
    .replaceAll(/\d+ (waiting|delivered)/g, "N $1")
    .replaceAll(/entry \d+/g, "entry N")
    .replaceAll(/ {2,}/g, "  ").trimEnd();
}

const SCREEN = `\
listener  runs since TIME (AGE), pid N, superbell VERSION
supervisord  runs, pid N
processes  6 known, 2 in trouble; the last event AGE ago
  FATAL  broken  since TIME (AGE)  ended 2 times in all, last: exit status 3, PROCESS_STATE_FATAL AGE ago
  RUNNING  flap  since TIME (AGE)  pid N, ended 2 times in all, last: SIGKILL, PROCESS_STATE_RUNNING AGE ago
  4 RUNNING: superbell, worker:worker_[00-02]
incidents  1 open, 1 not acknowledged
  ID  down: fatal  broken  since TIME (AGE)  told: N messages; reminder in AGE
silences  none
outbox  N waiting, the oldest since TIME (AGE): entry N to 值班: 127.0.0.1:1: connection refused; check the address, the port and the firewall; 0 dead; N delivered in the last 24h
gaps  none: supervisord dropped no event
channels
  hook  webhook  delivered AGE ago: HTTP 200
  值班  webhook  FAILS since TIME (AGE), N attempts, the last AGE ago: 127.0.0.1:1: connection refused; check the address, the port and the firewall; N waiting; fallback hook
  spare  webhook  never used

processes: supervisorctl tail broken:broken stderr; supervisorctl maintail
incidents: superbell ack ID ends reminders and escalation; superbell history
channel 值班 fails: superbell test --channel 值班`;

/** What the test reads of --json. */
interface StatusDocument {
  readonly listener: { readonly running: boolean | null; readonly pid: number | null };
  readonly supervisord: { readonly running: boolean | null; readonly pid: number | null };
  readonly processes: {
    readonly list: readonly {
      readonly name: string;
      readonly state: string;
      readonly restarts: number;
      readonly pid: number | null;
    }[];
  };
}

Deno.test("superbell status tells what fails, with and without the listener", async (t) => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: CONFIG.replaceAll("{origin}", hook.origin),
    programs: PROGRAMS,
  });
  const config = `${supervisord.dir}/superbell.yaml`;
  const status = (...args: string[]) => superbell(["status", ...args, "-c", config]);
  const document = async (): Promise<StatusDocument> => JSON.parse((await status("--json")).stdout);

  await t.step("while the listener runs", async () => {
    for (const restarts of [0, 1]) {
      const flap = await supervisord.until("flap to be known as running", async () => {
        const known = (await document()).processes.list.find(({ name }) => name === "flap");
        return known?.state === "RUNNING" && known.restarts === restarts && known;
      });
      assertEquals(flap.pid, supervisord.pidOf("flap"));
      Deno.kill(flap.pid!, "SIGKILL");
    }
    let seen = "";
    await until("the screen", async () => {
      const { code, stdout, stderr } = await status();
      assertEquals([code, stderr], [0, ""]);
      seen = withoutNumbers(stdout);
      return seen === SCREEN;
    }).catch(() => assertEquals(seen, SCREEN));
    const { listener, supervisord: found } = await document();
    assertEquals(listener.pid, supervisord.pidOf("superbell"));
    assertEquals(found, { running: true, pid: supervisord.pid });
  });

  await t.step("when the listener was stopped", async () => {
    const pid = supervisord.pidOf("superbell");
    await supervisord.ctl("stop", "superbell");
    const { code, stdout } = await status();
    assertEquals(code, 0);
    assertMatch(stdout, /^listener {5}DOES NOT RUN; the last one started .*, superbell \S+\n/);
    assertMatch(stdout, /\nsupervisord {2}runs, pid \d+\n/);
    assertMatch(stdout, /\n {2}FATAL +broken /);
    assertMatch(
      stdout,
      /\n\nno listener uses state_dir ".*\/state" and nothing of it is sent: supervisorctl status superbell; its log says why\n/,
    );
    const { listener } = await document();
    assertEquals([listener.running, listener.pid], [false, pid]);
    const list = await superbell(["outbox", "-c", config]);
    assertEquals(
      list.stderr,
      `no listener uses "${supervisord.dir}/state" now: nothing in it is sent until one does\n`,
    );
  });

  await t.step("when supervisord has ended", async () => {
    await supervisord.stop();
    assertEquals((await document()).supervisord, { running: false, pid: supervisord.pid });
  });
});

Deno.test("superbell outbox show tells of an attempt under way, and that it was cut off", async () => {
  const mended = Promise.withResolvers<void>();
  await using hook = startHttpServer(async () => {
    await mended.promise;
    return Response.json({ ok: true });
  });
  using place = makePlace();
  const config = place.write(
    "superbell.yaml",
    `
language: en
state_dir: "{dir}"
channels:
  hook: { type: webhook, url: "${hook.origin}/hook", timeout: 1m }
rules:
  - { name: crash, on: [crash], to: [hook] }
`,
  );
  const show = () => superbell(["outbox", "show", "1", "-c", config]);
  {
    await using listener = new PipedListener(config);
    await listener.ready(1);
    await listener.take(crashFrame(1));
    await until("the attempt", () => hook.requests.length === 1);
    const { stdout, stderr } = await show();
    assertMatch(stdout, /\n\d{4}-\d\d-\d\d [\d:]+ \S+ {2}being sent since then\n$/);
    assertEquals(stderr, "");
    assertStringIncludes((await superbell(["outbox", "-c", config])).stdout, "; being sent)");
    const retry = await superbell(["outbox", "retry", "1", "-c", config]);
    assertEquals([retry.code, retry.stdout], [1, "0 of 1 entry will be sent again\n"]);
    assertMatch(retry.stderr, /^entry 1 is being sent now; /);
    listener.kill("SIGKILL");
    await listener.end();
  }
  const { stdout, stderr } = await show();
  assertMatch(
    stdout,
    / {2}cut off: the listener ended in mid-attempt; sent again as soon as it runs again\n$/,
  );
  assertMatch(stderr, /^no listener uses /);
  mended.resolve();
  await using listener = new PipedListener(config);
  await listener.ready(1);
  await until("the delivery", async () => / delivered /.test((await show()).stdout));
  assertEquals(hook.requests.length, 2);
});
