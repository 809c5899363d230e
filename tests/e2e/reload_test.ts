// Other settings under real supervisord while events come: a rule, a token, a broken file. No
// event is lost or told twice by it, and supervisord's pool keeps its one listener.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { startHttpServer } from "../support/http_server.ts";
import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";

/** Programs that end at once, or so many of them in each second. */
const programs = (count: number, aSecond = count) => `
[program:job]
command=/bin/sh -c "sleep $(expr %(process_num)s / ${aSecond}); exit 3"
process_name=%(process_num)s
numprocs=${count}
autostart=false
autorestart=false
startsecs=0
`;

/** Puts another configuration in the place of the one in use, as a person's editor does. */
function write({ dir }: Supervisord, text: string): void {
  Deno.writeTextFileSync(`${dir}/superbell.yaml.new`, text.replaceAll("{dir}", dir));
  Deno.renameSync(`${dir}/superbell.yaml.new`, `${dir}/superbell.yaml`);
}

const hangUp = (supervisord: Supervisord) => supervisord.ctl("signal", "HUP", "superbell");

/** How often the log has it. */
const timesIn = (supervisord: Supervisord, pattern: RegExp) =>
  [...supervisord.listenerLog().matchAll(new RegExp(pattern, "gm"))].length;

/** `rule of the message: process`, and the word where there is no process. */
const told = ({ dir }: Supervisord): string[] =>
  recordedCalls(dir).map(({ document: { rule, on, process } }) => `${rule}: ${process?.name ?? on}`)
    .sort();

Deno.test("SIGHUP takes another rule, refuses a broken file, and takes the mended one", async () => {
  const config = (rule: string) => `
language: en
host: { name: web-1, address: lo }
state_dir: "{dir}/state"
channels:
  script: { type: exec, command: ["{dir}/alert"] }
rules:
  - { name: ${rule}, on: [crash], to: [script] }
`;
  await using supervisord = await startSupervisord({
    config: config("first"),
    files: { alert: RECORDER },
    programs: programs(4),
  });
  const crash = async (name: string, rule: string) => {
    await supervisord.ctl("start", `job:${name}`);
    await supervisord.until(
      `the crash of ${name} by rule ${rule}`,
      () => told(supervisord).includes(`${rule}: ${name}`),
    );
  };
  await crash("0", "first");

  write(supervisord, config("second"));
  await hangUp(supervisord);
  await supervisord.until(
    "the new rule",
    () => timesIn(supervisord, /again: rule second added, rule first removed$/) === 1,
  );
  await crash("1", "second");

  write(supervisord, config("third").replace("to: [script]", "to: [scirpt], remind: 1h"));
  await hangUp(supervisord);
  await supervisord.until(
    "the refusal in a message",
    () => told(supervisord).includes("reload_failed: reload_failed"),
  );
  const refusal = recordedCalls(supervisord.dir).map(({ document }) => document)
    .find(({ on }) => on === "reload_failed")!;
  assertEquals(refusal.title, "superbell's new configuration was refused on web-1");
  assertMatch(refusal.data!, /^rules\[0\] \(third\)\.to\[0\]: no channel is named "scirpt"/m);
  assertMatch(refusal.data!, /^rules\[0\] \(third\)\.remind: unknown key/m);
  for (const line of refusal.data!.split("\n")) {
    assertStringIncludes(supervisord.listenerLog(), `superbell.yaml: ${line}`);
  }
  await hangUp(supervisord);
  await supervisord.until(
    "the second refusal",
    () => timesIn(supervisord, /was not loaded again/) === 2,
  );
  await crash("2", "second");

  write(supervisord, config("third"));
  await hangUp(supervisord);
  await supervisord.until(
    "the end of that in a message",
    () => told(supervisord).includes("reload_recovered: reload_recovered"),
  );
  await crash("3", "third");

  assertEquals(told(supervisord), [
    "first: 0",
    "reload_failed: reload_failed",
    "reload_recovered: reload_recovered",
    "second: 1",
    "second: 2",
    "third: 3",
  ]);
  assertEquals(supervisord.pidsOf("superbell").length, 1);
  assertEquals(await supervisord.stateOf("superbell"), "RUNNING");
});

Deno.test("a token that is rotated in its file is used, without a signal", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  const config = `
language: en
state_dir: "{dir}/state"
reload: { watch: true }
channels:
  hook:
    type: webhook
    url: "${hook.origin}/alerts"
    headers: { Authorization: { file: "{dir}/token" } }
rules:
  - { name: crash, on: [crash], to: [hook] }
`;
  await using supervisord = await startSupervisord({
    config,
    files: { token: "old-token-5f1d\n" },
    programs: programs(2),
  });
  const tokenOf = async (name: string) => {
    await supervisord.ctl("start", `job:${name}`);
    const request = await supervisord.until(
      `the crash of ${name}`,
      () => hook.requests.find(({ body }) => JSON.parse(body).process?.name === name),
    );
    return request.headers.get("authorization");
  };
  assertEquals(await tokenOf("0"), "old-token-5f1d");
  const { dir } = supervisord;
  Deno.writeTextFileSync(`${dir}/token.new`, "new-token-a07c\n", { mode: 0o600 });
  Deno.renameSync(`${dir}/token.new`, `${dir}/token`);
  await supervisord.until(
    "the new token",
    () => timesIn(supervisord, /again: channel hook changed$/) === 1,
  );
  assertEquals(await tokenOf("1"), "new-token-a07c");
  assert(!/(old|new)-token/.test(supervisord.listenerLog()));
});

Deno.test("200 crashes with ten configurations in between are told once each", async () => {
  const COUNT = 200;
  await using hook = startHttpServer(async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    return Response.json({ ok: true });
  });
  const config = (round: number) => `
language: en
state_dir: "{dir}/state"
channels:
  hook:
    type: webhook
    url: "${hook.origin}/alerts"
    timeout: ${10 + round}s
    concurrency: ${1 + round % 4}
rules:
  - { name: crash, on: [crash], to: [hook] }
`;
  await using supervisord = await startSupervisord({
    config: config(0),
    programs: programs(COUNT, 40),
  });
  const starting = supervisord.ctl("start", "job:*");
  for (let round = 1; round <= 10; round++) {
    await supervisord.until("more crashes", () => hook.requests.length >= 15 * round);
    write(supervisord, config(round));
    await hangUp(supervisord);
    await supervisord.until(
      `configuration ${round}`,
      () => timesIn(supervisord, /again: channel hook changed$/) === round,
    );
  }
  await starting;
  await supervisord.until("all crashes", () => hook.requests.length >= COUNT);
  const names = hook.requests.map(({ body }) => Number(JSON.parse(body).process.name));
  assertEquals(names.toSorted((a, b) => a - b), Array.from({ length: COUNT }, (_, n) => n));
  assertEquals(supervisord.pidsOf("superbell").length, 1);
  assertEquals(timesIn(supervisord, / ERROR /), 0);
});

Deno.test("deliveries that hang at a reload end as they would; the new address is used at once", async () => {
  const HANGING = 8;
  let held = Promise.withResolvers<void>();
  await using slow = startHttpServer(async () => {
    await held.promise;
    return Response.json({ ok: true });
  });
  await using quick = startHttpServer(() => Response.json({ ok: true }));
  const config = (origin: string) => `
language: en
state_dir: "{dir}/state"
channels:
  hook: { type: webhook, url: "${origin}/alerts", timeout: 5m, concurrency: ${HANGING} }
rules:
  - { name: crash, on: [crash], to: [hook] }
`;
  try {
    await using supervisord = await startSupervisord({
      config: config(slow.origin),
      programs: programs(HANGING + 2),
    });
    for (let name = 0; name <= HANGING; name++) await supervisord.ctl("start", `job:${name}`);
    await supervisord.until("all to hang", () => slow.requests.length === HANGING);
    write(supervisord, config(quick.origin));
    await hangUp(supervisord);
    await hangUp(supervisord);
    await supervisord.until("what waited at the new address", () => quick.requests.length === 1);
    await supervisord.ctl("start", `job:${HANGING + 1}`);
    await supervisord.until("a new crash there", () => quick.requests.length === 2);
    held.resolve();
    await supervisord.until(
      "all to be delivered",
      () => timesIn(supervisord, / delivered entry /) === HANGING + 2,
    );
    assertEquals([slow.requests.length, quick.requests.length], [HANGING, 2]);
    assertEquals((await supervisord.stop()).code, 0);
  } finally {
    held.resolve();
    held = Promise.withResolvers();
  }
});

Deno.test("SIGHUP between events, while old deliveries hang and at the end costs no answer", async () => {
  const held = Promise.withResolvers<void>();
  await using hook = startHttpServer(async () => {
    await held.promise;
    return Response.json({ ok: true });
  });
  using folder = new Folder();
  // Renamed, for a signal may meet a file that is half written.
  const save = (timeout: number) => {
    const path = `${folder.path}/superbell.yaml`;
    const half = folder.write(
      "superbell.yaml.new",
      `
state_dir: ${folder.path}/state
shutdown_window: 500ms
channels:
  hook: { type: webhook, url: "${hook.origin}/", timeout: ${timeout}s, concurrency: 2 }
rules:
  - { name: crash, on: [crash], to: [hook] }
`,
    );
    Deno.renameSync(half, path);
    return path;
  };
  try {
    await using listener = new PipedListener(save(100));
    await listener.ready(1);
    for (let serial = 1; serial <= 20; serial++) {
      save(100 + serial);
      listener.kill("SIGHUP");
      await listener.take(crashFrame(serial, `api-${serial}`));
    }
    await listener.logs(/again: channel hook changed/);
    listener.kill("SIGTERM");
    listener.kill("SIGHUP");
    listener.kill("SIGHUP");
    assertEquals((await listener.end()).code, 0);
    listener.assertOnlyProtocol();
    assertEquals(listener.answers, 20);
    assertMatch(listener.log, / ended: 20 entries wait for the next start/);
    assert(!/mistake/.test(listener.log), listener.log);
  } finally {
    held.resolve();
  }
});
