// The commands for people: check, test and outbox, by the compiled executable.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { makePlace, storedEntries } from "../support/places.ts";
import { startRobot } from "../support/robot.ts";
import { until } from "../support/until.ts";

const TOKEN = "e2e-commands-token-5c";
const SECRET = "SECe2ecommands8d2";
const env = { TOKEN, SECRET };

Deno.test("superbell test sends through each channel and prints what the service answered", async () => {
  await using robot = startRobot({ token: TOKEN, secret: SECRET });
  await using fussy = startRobot({ token: TOKEN, keyword: "superkeyword" });
  using place = makePlace();
  const config = place.write(
    "superbell.yaml",
    `
language: en
host: { name: web-1, address: 10.0.0.7 }
state_dir: "{dir}"
channels:
  oncall:
    type: dingtalk
    token: { env: TOKEN }
    secret: { env: SECRET }
    endpoint: ${robot.endpoint}
  fussy:
    type: dingtalk
    token: { env: TOKEN }
    endpoint: ${fussy.endpoint}
rules:
  - { name: crash, on: [crash], to: [oncall, fussy] }
`,
  );
  const all = await superbell(["test", "-c", config], env);
  assertEquals(all.code, 1);
  const lines = all.stdout.trimEnd().split("\n");
  assertEquals(lines[0], "oncall (dingtalk): delivered: errcode 0");
  assertMatch(
    lines[1]!,
    /^fussy \(dingtalk\): NOT delivered: errcode 310000: keywords not in content.*\(set keyword to/,
  );
  assertEquals(lines.length, 2);
  const one = await superbell(["test", "--channel", "oncall", "-c", config], env);
  assertEquals([one.code, one.stdout], [0, "oncall (dingtalk): delivered: errcode 0\n"]);
  assertEquals(robot.messages.length, 2);
  assertStringIncludes(robot.messages[0]!.text, "Test message of superbell on web-1");
  assertStringIncludes(robot.messages[0]!.text, "web-1 (10.0.0.7)");
  const unknown = await superbell(["test", "--channel", "oncal", "-c", config], env);
  assertEquals(unknown.code, 2);
  assertMatch(unknown.stderr, /no channel "oncal"; did you mean "oncall"/);

  const wrong = await superbell(["test", "--channel", "oncall", "-c", config], {
    ...env,
    SECRET: "SECwrong-one",
  });
  assertEquals(wrong.code, 1);
  assertMatch(
    wrong.stdout,
    /errcode 310000: sign not match \(check secret, and this host's clock\)/,
  );
  assertEquals(storedEntries(place.dir), []);
});

Deno.test("superbell check: a good configuration, warnings, and every problem at once", async () => {
  using place = makePlace();
  const good = place.write("good.yaml", configText("http://127.0.0.1:1"));
  const found = await superbell(["check", "-c", good]);
  assertEquals([found.code, found.stderr], [0, ""]);
  assertStringIncludes(found.stdout, `${good}: no problems; 1 channel, 1 rule\n`);
  assertStringIncludes(
    found.stdout,
    "events=PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,TICK_60\n",
  );

  const bad = place.write(
    "bad.yaml",
    `${configText("ftp://x")}  - { name: crash, on: [krash], to: [hok] }\nstat_dir: /tmp\n`,
  );
  const problems = await superbell(["check", "-c", bad]);
  assertEquals([problems.code, problems.stdout], [2, ""]);
  for (
    const part of [
      "channels.hook.url",
      "rules[1] (crash).on",
      "rules[1] (crash).to",
      "stat_dir: unknown key",
    ]
  ) {
    assertStringIncludes(problems.stderr, part);
  }
  const nothing = await superbell(["check", "-c", `${place.dir}/none.yaml`]);
  assertEquals(nothing.code, 2);
  assertMatch(nothing.stderr, /none\.yaml: cannot be read: there is no such file/);
});

Deno.test("superbell outbox: list, show, retry and drop beside a running listener", async () => {
  let status = 400;
  await using hook = startHttpServer(() => new Response("no such hook", { status }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook.origin));
  const outbox = (...words: string[]) => superbell(["outbox", ...words, "-c", config]);

  const none = await outbox("list");
  assertEquals(none.code, 1);
  assertMatch(none.stderr, /there is no outbox yet: no file ".*superbell\.db"/);

  await using listener = new PipedListener(config);
  await listener.ready(1);
  await listener.take(crashFrame(1));
  await listener.take(crashFrame(2, "worker"));
  const dead = () => storedEntries(place.dir).filter(({ state }) => state === "dead").length;
  await until("both to be refused", () => dead() === 2);

  const list = await outbox("list");
  assertEquals([list.code, list.stderr], [0, ""]);
  const lines = list.stdout.trimEnd().split("\n");
  assertMatch(
    lines[0]!,
    /^1 {2}.* dead {2}hook {2}api exited unexpectedly on web-1 {2}\(1 attempt: HTTP 400.*no such hook.*\)$/,
  );
  assertMatch(lines[1]!, /^2 {2}.* dead {2}hook {2}worker exited unexpectedly on web-1/);
  assertEquals(lines[2], "0 waiting, 0 delivered, 2 dead, 0 dropped, 0 rerouted");
  const json = JSON.parse((await outbox("list", "--json", "--state", "dead")).stdout);
  assertEquals(json.map(({ id }: { id: number }) => id), [1, 2]);

  const show = await outbox("show", "1");
  assertEquals(show.code, 0);
  assertStringIncludes(show.stdout, "  Process: api\n  PID: 1001\n");
  assertMatch(show.stdout, /refused \(took \d+ms\), not to be tried again: HTTP 400/);
  assertEquals((await outbox("show", "9")).stderr, "superbell outbox: there is no entry 9\n");

  status = 200;
  const retry = await outbox("retry", "1");
  assertEquals([retry.code, retry.stdout], [0, "1 of 1 entry will be sent again\n"]);
  await until("the listener to notice", () => storedEntries(place.dir)[0]?.state === "delivered");
  const drop = await outbox("drop", "--all");
  assertEquals([drop.code, drop.stdout], [0, "1 of 1 entry dropped\n"]);
  const after = await outbox("list");
  assertStringIncludes(after.stdout, "0 waiting, 1 delivered, 0 dead, 1 dropped, 0 rerouted\n");
  assertEquals(storedEntries(place.dir).map(({ state, attempts }) => [state, attempts]), [
    ["delivered", 2],
    ["dropped", 1],
  ]);
  assertEquals(hook.requests.length, 3);
  const alertIds = hook.requests.map(({ body }) => JSON.parse(body).id);
  assertEquals(alertIds[2], alertIds[0]);
});

Deno.test("superbell outbox leaves a damaged outbox alone under its listener", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook.origin));
  await using listener = new PipedListener(config);
  await listener.ready(1);
  for (let serial = 0; serial < 60; serial++) {
    await listener.take(crashFrame(serial, `api-${serial}`));
  }
  const delivered = () => storedEntries(place.dir).filter(({ state }) => state === "delivered");
  await until("the deliveries", () => delivered().length === 60);
  const path = `${place.dir}/superbell.db`;
  const file = await Deno.open(path, { write: true });
  await file.write(new Uint8Array(4096).fill(0xa5));
  file.close();
  await Deno.truncate(`${path}-wal`, 0);
  const { ino } = await Deno.stat(path);
  for (const words of [["list"], ["show", "1"], ["retry", "--all"], ["drop", "1"]]) {
    const { code, stderr } = await superbell(["outbox", ...words, "-c", config]);
    assertEquals(code, 1, words.join(" "));
    assertMatch(stderr, /the outbox ".*superbell\.db" is damaged; restart the listener, which/);
  }
  assertEquals((await Deno.stat(path)).ino, ino);
  const names = [...Deno.readDirSync(place.dir)].map(({ name }) => name);
  assertEquals(names.filter((name) => name.includes("damaged")), []);
});

function configText(origin: string): string {
  return `
language: en
host: { name: web-1, address: 10.0.0.7 }
state_dir: "{dir}"
channels:
  hook: { type: webhook, url: "${origin}/hook" }
rules:
  - { name: crash, on: [crash], to: [hook] }
`;
}
