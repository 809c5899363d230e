// The assembled listener goes by other settings, with real outboxes and a command of ours as the
// channel; no supervisord is asked.

import { Assembly } from "../src/assembly.ts";
import { systemClock } from "../src/clock.ts";
import { Redactor } from "../src/config/secret.ts";
import { Log } from "../src/log.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import { parseSettings, type Settings } from "../src/settings.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";
import { frameOf } from "./support/frames.ts";
import { startHttpServer } from "./support/http_server.ts";
import { until } from "./support/until.ts";

const settingsOf = (text: string): Settings =>
  parseSettings(text, {
    path: "superbell.yaml",
    env: () => undefined,
    readFile: () => ({ why: "there are no files here" }),
  });

class Bench implements AsyncDisposable {
  readonly #folder = new Folder();
  readonly #stop = new AbortController();
  readonly disk = Outbox.open(this.#folder.file("superbell.db"), { nowMs: Date.now() });
  readonly #memory = Outbox.open(":memory:", { nowMs: Date.now() });
  readonly log: string[] = [];
  readonly assembly: Assembly;
  #serial = 0;

  constructor(settings: Settings) {
    this.assembly = new Assembly(settings, {
      outbox: this.disk,
      memory: this.#memory,
      supervisorRun: "1 2 3",
      self: { group: undefined, name: undefined },
      clock: systemClock,
      log: new Log({
        level: settings.logLevel,
        redactor: settings.redactor,
        now: () => Date.now(),
        write: (line) => void this.log.push(line.trimEnd().replace(/^\S+ \S+ \S+ /, "")),
      }),
    });
    this.assembly.start(this.#stop.signal);
  }

  /** An event about a process comes. */
  event(name: string, word: string): void {
    const rest = word === "EXITED" ? "expected:0 pid:42" : "pid:42";
    this.assembly.intake.take(frameOf({
      serial: ++this.#serial,
      eventname: `PROCESS_STATE_${word}`,
      payload: `processname:${name} groupname:web from_state:RUNNING ${rest}`,
    }));
  }

  /** `rule process kind channel state` of every entry, the oldest first. */
  get entries(): string[] {
    return this.disk.entries.list().map(({ alert, channel, state }) =>
      `${alert.rule} ${alert.process?.name} ${alert.incident?.kind} ${channel} ${state}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.assembly.end();
    this.disk.close();
    this.#memory.close();
    this.#folder[Symbol.dispose]();
  }
}

Deno.test("Assembly.use() tells by the new rules, and goes on with what is open", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  const config = (rules: string, more = "") =>
    settingsOf(`
channels: { hook: { type: webhook, url: "${hook.origin}/" } }
rules: ${rules}
${more}`);
  await using bench = new Bench(config(
    "[{ name: kept, on: crash, to: hook, resolve_after: 0s }, { name: gone, on: crash, to: hook }]",
  ));
  bench.event("api", "EXITED");
  bench.assembly.use(config(
    "[{ name: kept, on: crash, to: hook, resolve_after: 0s }, { name: new, on: crash, to: hook }]",
    "host: { name: other-name }",
  ));
  bench.event("api", "RUNNING");
  bench.event("db", "EXITED");
  await until("all to be delivered", () => hook.requests.length === 5);
  await until("that to be written down", () => bench.disk.waiting() === 0);
  assertEquals(bench.entries, [
    "kept api firing hook delivered",
    "gone api firing hook delivered",
    "kept api resolved hook delivered",
    "kept db firing hook delivered",
    "new db firing hook delivered",
  ]);
  const hosts = bench.disk.entries.list().map(({ alert }) => alert.host.name);
  assertEquals(hosts.slice(2), ["other-name", "other-name", "other-name"]);
});

Deno.test("Assembly.use() makes dead what waits for a channel that is gone", async () => {
  const held = Promise.withResolvers<void>();
  await using hook = startHttpServer(async () => {
    await held.promise;
    return Response.json({ ok: true });
  });
  const config = (name: string) =>
    settingsOf(`
channels: { ${name}: { type: webhook, url: "${hook.origin}/" } }
rules: [{ name: crash, on: crash, to: ${name} }]
`);
  await using bench = new Bench(config("old"));
  bench.event("api", "EXITED");
  await until("the attempt", () => hook.requests.length === 1);
  bench.event("db", "EXITED");
  bench.assembly.use(config("new"));
  await until(
    "the one that waited to be dead",
    () => bench.entries[1] === "crash db firing old dead",
  );
  held.resolve();
  await until(
    "the one under way to be delivered",
    () => bench.entries[0] === "crash api firing old delivered",
  );
  bench.event("worker", "EXITED");
  await until("the new channel", () => bench.entries[2] === "crash worker firing new delivered");
});

Deno.test("Assembly.use() says what only a restart changes, and takes the rest", async () => {
  const config = (more: string) =>
    settingsOf(`
channels: { hook: { type: webhook, url: "http://127.0.0.1:1/" } }
rules: [{ name: crash, on: crash, to: hook }]
${more}`);
  await using bench = new Bench(config(""));
  const more =
    "state_dir: /srv/other\noutbox: { sync: full }\nshutdown_window: 1s\nlog_level: warn\n";
  bench.assembly.use(config(more));
  assertEquals(bench.assembly.shutdownWindowMs, 1000);
  assertEquals(bench.log.filter((line) => line.startsWith("WARN")), [
    "WARN state_dir has changed: that needs a restart of superbell",
    "WARN outbox.sync has changed: that needs a restart of superbell",
  ]);
  const before = bench.log.length;
  bench.event("api", "EXITED");
  assertEquals(bench.log.length, before, "log_level: warn is in force");
  bench.assembly.use(settingsOf(`
channels: { hook: { type: webhook, url: "http://127.0.0.1:1/" } }
rules: [{ name: log, on: [process_log, tick], to: hook }]
shutdown_window: 0s
`));
  assertMatch(
    bench.log.find((line) => line.includes("the rules need"))!,
    /need PROCESS_LOG in events=/,
  );
});

Deno.test("Assembly.use() keeps secrets of before out of the log while they are in use", async () => {
  const held = Promise.withResolvers<void>();
  await using hook = startHttpServer(async ({ url }) => {
    await held.promise;
    return new Response(`no ${url.pathname.slice(1)}`, { status: 503 });
  });
  const config = (secret: string) =>
    settingsOf(`
channels: { hook: { type: webhook, url: "${hook.origin}/${secret}" } }
rules: [{ name: crash, on: crash, to: hook }]
shutdown_window: 0s
`);
  await using bench = new Bench(config("old-secret-0815"));
  bench.event("api", "EXITED");
  await until("the attempt", () => hook.requests.length === 1);
  bench.assembly.use(config("new-secret-4711"));
  held.resolve();
  await until(
    "both addresses to be tried",
    () => new Set(hook.requests.map(({ url }) => url.href)).size === 2,
  );
  await until(
    "that to be in the log",
    () => bench.log.filter((line) => line.includes("503")).length >= 2,
  );
  const told = bench.log.join("\n") + JSON.stringify(bench.disk.entries.list());
  assert(!/-secret-/.test(told), told);
});

Deno.test("Redactor takes out what others know", () => {
  const redactor = new Redactor([], [
    new Redactor([]),
    settingsOf(`
channels: { hook: { type: webhook, url: "https://example.com/secret-4711" } }
rules: [{ name: crash, on: crash, to: hook }]
`).redactor,
  ]);
  assertEquals(redactor.redact("POST /secret-4711"), "POST [secret]");
});
