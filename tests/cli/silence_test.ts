// `superbell silence`, `ack` and `history` as a person types them, with a listener's other half
// in this process: the lock, the outbox and the reader of requests are the real ones.

import { Redactor } from "../../src/config/secret.ts";
import { systemClock } from "../../src/clock.ts";
import { Intake } from "../../src/intake.ts";
import { Log } from "../../src/log.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { StateLock } from "../../src/outbox/state_dir.ts";
import { Requests } from "../../src/requests.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { frameOf } from "../support/frames.ts";

const ROOT = new URL("../../", import.meta.url);
const CONFIG = `
language: en
time_zone: UTC
state_dir: STATE
channels:
  hook: { type: webhook, url: { env: NOT_SET } }
rules:
  - { name: crash, on: [crash, fatal], to: hook }
`;

async function superbell(config: string, args: readonly string[], env = {}) {
  const flags = ["--no-check", "--quiet", "--v8-flags=--enable-experimental-regexp-engine"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...flags, new URL("main.ts", ROOT).pathname, ...args, "-c", config],
    env: { LANG: "C", TZ: "UTC", SUDO_USER: "", USER: "kim", ...env },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const ran = { code, stdout: text(stdout), stderr: text(stderr) };
  assert(!/^\s+at /m.test(ran.stderr + ran.stdout), `a stack trace:\n${ran.stderr}`);
  return ran;
}

/** A state directory, and a listener that may run there. */
class Bench implements AsyncDisposable {
  readonly folder = new Folder();
  readonly config = this.folder.write(
    "superbell.yaml",
    CONFIG.replace("STATE", this.folder.path),
  );
  readonly #stop = new AbortController();
  outbox = Outbox.open(this.folder.file("superbell.db"), { nowMs: Date.now() });
  intake: Intake | undefined;
  #lock: StateLock | undefined;
  #running: Promise<void> | undefined;

  /** From now on a listener runs; one that is deaf takes no requests. */
  listen(kind: "hearing" | "deaf" = "hearing"): Intake {
    const { outbox } = this;
    this.#lock = new StateLock(this.folder.path, {
      pid: Deno.pid,
      sinceMs: Date.now(),
      version: "0.1.0",
    });
    this.#lock.take();
    const now = () => Date.now();
    const log = new Log({ level: "error", redactor: new Redactor([]), now });
    const intake = new Intake({
      rules: [{ name: "crash", on: ["crash", "fatal"], where: {}, to: ["hook"] }],
      outbox,
      memory: outbox,
      host: () => ({ name: "node-7", address: "" }),
      supervisorRun: "run",
      now,
      digestMs: () => 0,
      log,
      onStored: () => {},
    });
    const requests = new Requests({ store: outbox.requests, intake, clock: systemClock, log });
    if (kind === "hearing") this.#running = requests.run(this.#stop.signal);
    return this.intake = intake;
  }

  crash(group: string, name: string): void {
    this.intake!.take(frameOf({
      serial: ++this.#serial,
      eventname: "PROCESS_STATE_EXITED",
      payload: `processname:${name} groupname:${group} from_state:RUNNING expected:0 pid:42`,
    }));
    this.intake!.roster.write();
  }

  #serial = 0;

  run(args: readonly string[], env = {}) {
    return superbell(this.config, args, env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.outbox.close();
    this.#lock?.[Symbol.dispose]();
    this.folder[Symbol.dispose]();
  }
}

Deno.test("silence add is taken by the running listener, listed with what it holds, removed", async () => {
  await using bench = new Bench();
  bench.listen();
  const added = await bench.run(["silence", "add", "web:*", "db", "30m", "--reason", "deploy v2"]);
  assertEquals(added.code, 0);
  assertMatch(
    added.stdout,
    /^silence (\w{12}) of web:\*,db until [\d-]+ [\d:]+ \+00:00: deploy v2, by kim\nquiet until [\d-]+ [\d:]+ \+00:00 \((30m|29m59s)\); to end it: superbell silence remove \1\n$/,
  );
  const [, id] = /silence (\w{12}) of/.exec(added.stdout)!;
  bench.crash("web", "api");
  assertEquals(bench.outbox.entries.list(), []);
  const list = await bench.run(["silence", "list"]);
  assertMatch(
    list.stdout,
    new RegExp(
      `^${id}  web:\\* db  until .* left\\)  by kim: deploy v2  holds web:api \\(crash\\)\n$`,
    ),
  );
  const [document] = JSON.parse((await bench.run(["silence", "list", "--json"])).stdout);
  const { remaining_ms, since, until, holds, ...rest } = document;
  assertEquals(rest, {
    id,
    patterns: ["web:*", "db"],
    by: "kim",
    reason: "deploy v2",
    in_force: true,
  });
  assert(remaining_ms > 0 && remaining_ms <= 30 * 60_000);
  assert(Date.parse(until) - Date.parse(since) <= 30 * 60_000);
  assertEquals(holds[0].processes, [{ name: "api", group: "web" }]);
  const unknown = await bench.run(["silence", "remove", "nothing", id!.slice(0, 4)]);
  assertEquals(unknown.code, 1);
  assertEquals(unknown.stdout, `silence ${id} of web:*,db ended\n`);
  assertMatch(unknown.stderr, /^superbell silence: there is no silence "nothing"; known are: /);
  assertEquals(bench.outbox.entries.list().map(({ alert }) => alert.incident?.kind), ["firing"]);
  assertEquals((await bench.run(["silence"])).stdout, "no silence is in force\n");
  assertEquals((await bench.run(["silence", "remove", "all"])).stdout, "no silence is in force\n");
});

Deno.test("silence add notes a pattern that no known process fits, with the nearest", async () => {
  await using bench = new Bench();
  bench.listen();
  bench.crash("web", "api");
  const { code, stderr } = await bench.run([
    ...["silence", "add", "wbe:*", "api", "订单", "1h"],
    ...["--by", "lee"],
  ]);
  assertEquals(code, 0);
  assertEquals(
    stderr,
    'note: no process that is known fits "wbe:*"; did you mean "web:*"?\n' +
      'note: no process that is known fits "订单"\n',
  );
  assertEquals(bench.intake!.silences.map(({ by, patterns }) => [by, patterns.length]), [[
    "lee",
    3,
  ]]);
});

Deno.test("without a listener a silence waits for its start, and can be taken back", async () => {
  await using bench = new Bench();
  const env = { SUDO_USER: "mei" };
  const first = await bench.run(["silence", "add", "*", "1h"], env);
  assertEquals(first.code, 0);
  assertMatch(
    first.stderr,
    /^no listener uses ".*" now: it takes this when it starts; until then nothing in it is sent\n$/,
  );
  await bench.run(["silence", "add", "web:*", "--until", "2h"]).then(({ code, stderr }) => {
    assertEquals(code, 2);
    assertMatch(stderr, /--until takes a time like 18:00, /);
  });
  await bench.run(["silence", "add", "web:*", "2h"]);
  const list = (await bench.run(["silence", "list"])).stdout;
  assertEquals(list.match(/waits for a listener to start/g)?.length, 2);
  const [id] = list.split(" ");
  await bench.run(["silence", "remove", id!]);
  assertEquals((await bench.run(["silence", "list"])).stdout.trim().split("\n").length, 1);
  bench.listen();
  await bench.run(["silence", "add", "later", "1h"]); // what waited has been taken before
  assertEquals(bench.intake!.silences.map(({ patterns }) => patterns), [["web:*"], ["later"]]);
});

Deno.test("a listener that does not answer makes silence add fail after some seconds", async () => {
  await using bench = new Bench();
  bench.listen("deaf");
  const { code, stdout, stderr } = await bench.run(["silence", "add", "*", "1h"]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^superbell silence: the listener has not taken this within 3 seconds; /);
});

Deno.test("ack names the incident, knows numbers and processes, and suggests the nearest", async () => {
  await using bench = new Bench();
  bench.listen();
  assertEquals(await bench.run(["ack"]), { code: 0, stdout: "no incident is open\n", stderr: "" });
  bench.crash("web", "api");
  const [first] = bench.outbox.incidents.remembered().incidents;
  const { id } = first!.incident;
  const only = await bench.run(["ack", "--reason", "on it"]);
  assertEquals(only, {
    code: 0,
    stdout: `${id}  crash  web:api  crash\nincident ${id}: acknowledged by kim: on it\n`,
    stderr: "",
  });
  bench.crash("db", "main");
  const which = await bench.run(["ack"]);
  assertEquals(which.code, 1);
  assertEquals(which.stdout.trim().split("\n").length, 2);
  assertMatch(which.stderr, /which of these\? Give an INCIDENT or PROCESS, or all/);
  const wrong = await bench.run(["ack", "db:mian", id.slice(0, 5)]);
  assertEquals(wrong.code, 1);
  assertEquals(
    wrong.stderr,
    'superbell ack: there is no open incident "db:mian"; did you mean "db:main"?\n',
  );
  // Whoever looks after it already is not replaced in passing.
  assertMatch(wrong.stdout, new RegExp(`^${id} .*\nincident ${id}: acknowledged by kim: on it\n$`));
  const other = await bench.run(["ack", id, "--by", "mei", "--reason", "mine now"]);
  assertMatch(other.stdout, /acknowledged by mei: mine now \(before: kim: on it\)\n$/);
  assertEquals((await bench.run(["ack", "db:*", "main"])).code, 0);
  const held = bench.outbox.incidents.remembered().incidents.map(({ incident }) =>
    incident.acknowledged?.by
  );
  assertEquals(held, ["kim", "mei"]);
  const again = await bench.run(["ack", id, "--by", "mei", "--reason", "still"]);
  assertMatch(again.stdout, /acknowledged by mei: still \(before: kim: on it\)\n$/);
  const all = await bench.run(["ack", "all", "--by", "kim"]);
  assertMatch(
    all.stdout,
    /acknowledged by kim: \(before: mei: still \(before: kim: on it\)\)\n/,
  );
  assertEquals(all.stdout.match(/acknowledged by kim/g)?.length, 2);
});

Deno.test("history shows the incidents, narrowed by process and rule, also as JSON", async () => {
  await using bench = new Bench();
  bench.listen();
  bench.crash("web", "api");
  bench.crash("订单", "服务");
  const all = await bench.run(["history", "--width", "60"]);
  assertEquals([all.code, all.stderr], [0, ""]);
  assertMatch(
    all.stdout,
    / {2}OPEN \d+s {2}crash: crash {2}web:api +ended once; told: 1 message\n/,
  );
  assertMatch(
    all.stdout,
    /told: 1 message\n\n +[^\n]*now\nweb:api {4} +=\n订单:服务 {2} +=\nblank: not known, before [^\n]+\n\. nothing {2}- broken/,
  );
  const one = await bench.run(["history", "--process", "web:*", "--json"]);
  const [document, ...none] = JSON.parse(one.stdout);
  assertEquals(none, []);
  assertEquals([document.processes, document.open, document.told.messages, document.closing], [
    [{ group: "web", name: "api" }],
    true,
    1,
    null,
  ]);
  assertEquals(
    (await bench.run(["history", "--process", "x"])).stdout.slice(0, 18),
    "no incident since ",
  );
  const wrong = await bench.run(["history", "--rule", "crush"]);
  assertEquals([wrong.code, wrong.stderr.split("\n")[0]], [
    2,
    'superbell history: no rule "crush"; did you mean "crash"?',
  ]);
});

/** Arguments, and what stderr begins with; each exits 2. */
const MISTAKES: readonly (readonly [readonly string[], string])[] = [
  [["silence", "ad"], 'superbell silence: unknown action "ad"; did you mean "add"?'],
  [["silence", "add"], "superbell silence: for how long? The last word is a time like 30m"],
  [["silence", "add", "web:*"], "superbell silence: for how long? "],
  [["silence", "add", "30m"], "superbell silence: add takes PATTERN… and a time"],
  [["silence", "add", "!web", "30m"], "superbell silence: a silence has no exclusions"],
  [["silence", "add", "", "30m"], "superbell silence: a pattern is empty"],
  [["silence", "add", "web", " ", "30m"], "superbell silence: a pattern is empty"],
  [["silence", "add", "a", "--until", "2026-02-30 18:00"], "superbell silence: --until takes a"],
  [["silence", "add", "a", "1h", "--json"], "superbell silence: add takes no --json; it takes"],
  [["silence", "list", "--by", "kim"], "superbell silence: list takes no --by; it takes --json"],
  [["silence", "remove", "all", "--until", "18:00"], "superbell silence: remove takes no --until"],
  [["silence", "add", "web", "31d"], "superbell silence: a silence lasts at most 30d"],
  [["silence", "add", "web", "--until", "2020-01-01"], "superbell silence: its end has passed"],
  [["silence", "add", "a", "1h", "--until", "18:00"], 'superbell silence: give either "1h" or'],
  [["silence", "remove"], "superbell silence: remove takes an ID, patterns or all"],
  [["silence", "list", "x"], 'superbell silence: list takes no words, found "x"'],
  [["history", "--since", "tea"], "superbell history: --since takes 2h, 1d, or a time"],
  [["history", "--width", "3"], 'superbell history: --width takes 40 to 500 columns, found "3"'],
  [["simulate", "a", "b"], 'superbell simulate: unexpected "b"'],
  [["simulate", "a", "--then", "367d"], 'superbell simulate: --then is at most 366d, found "367d"'],
];
Deno.test("mistakes on the command line are told, and exit 2", async () => {
  await using bench = new Bench();
  const ran = await Promise.all(MISTAKES.map(([args]) => bench.run(args)));
  for (const [index, [args, expected]] of MISTAKES.entries()) {
    const { code, stderr } = ran[index]!;
    assertEquals([code, stderr.slice(0, expected.length)], [2, expected], args.join(" "));
  }
});

Deno.test({
  name: "who may not read the outbox is told who may",
  ignore: Deno.uid() !== 0, // another user's file is needed
  async fn() {
    await using bench = new Bench();
    Deno.chmodSync(bench.folder.path, 0o755);
    Deno.chmodSync(bench.config, 0o644);
    const main = new URL("main.ts", ROOT).pathname;
    const flags = ["--no-check", "--quiet", "--v8-flags=--enable-experimental-regexp-engine"];
    for (const args of [["silence"], ["silence", "add", "a", "1h"], ["ack"], ["history"]]) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", ...flags, main, ...args, "-c", bench.config],
        uid: 65534,
        gid: 65534,
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals(code, 1, text);
      assertMatch(
        text,
        /cannot open ".*"(: permission denied)?; run this as root or as the listener's user\n$/,
      );
    }
  },
});

Deno.test("without an outbox every command says so and exits 1", async () => {
  using folder = new Folder();
  const config = folder.write("superbell.yaml", CONFIG.replace("STATE", folder.path));
  const commands = [["silence", "list"], ["silence", "add", "a", "1h"], ["ack"], ["history"]];
  for (const args of commands) {
    const { code, stderr } = await superbell(config, args);
    assertEquals(code, 1);
    assertMatch(stderr, /there is no outbox yet: no file ".*" \(the listener creates it\)/);
  }
});
