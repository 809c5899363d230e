// A reloader with real files and a clock that we move.

import { Redactor } from "../src/config/secret.ts";
import { readConfiguration } from "../src/config_reading.ts";
import { Log } from "../src/log.ts";
import { Reloader, type ReloadEvent } from "../src/reloader.ts";
import { ConfigError } from "../src/config/problem.ts";
import type { Settings } from "../src/settings.ts";
import { assert, assertEquals, assertMatch } from "./support/assert.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { Folder } from "./support/folder.ts";
import { until } from "./support/until.ts";

const SECOND = 1000;

const config = (rule: string, more = "") => `
channels:
  hook: { type: webhook, url: { file: "{dir}/url" } }
rules:
  - { name: ${rule}, on: crash, to: hook }
${more}`;

const WATCH = "reload: { watch: true }\n";

/** A running reloader, with all that it did. */
class Bench implements AsyncDisposable {
  readonly folder = new Folder();
  readonly clock = new FakeClock(Date.UTC(2026, 10, 21, 2));
  readonly used: Settings[] = [];
  readonly told: ReloadEvent[] = [];
  readonly log: string[] = [];
  readonly stop = new AbortController();
  /** Thrown by whoever is given settings. */
  failure: Error | undefined;
  #reloader!: Reloader;
  #running!: Promise<void>;

  static async start(text: string): Promise<Bench> {
    const bench = new Bench();
    bench.folder.write("url", "https://example.com/hook-4711\n");
    bench.write(text);
    const source = { path: bench.folder.file("superbell.yaml"), env: () => undefined };
    const reading = await readConfiguration(source);
    if (reading.outcome instanceof ConfigError) throw reading.outcome;
    bench.#reloader = new Reloader({
      source,
      inUse: { ...reading, outcome: reading.outcome },
      use(settings) {
        if (bench.failure !== undefined) throw bench.failure;
        bench.used.push(settings);
      },
      tell: (event) => void bench.told.push(event),
      clock: bench.clock,
      log: new Log({
        level: "info",
        redactor: new Redactor([]),
        now: () => bench.clock.now(),
        write: (line) => void bench.log.push(line.trimEnd().replace(/^\S+ \S+ \S+ /, "")),
      }),
    });
    bench.#running = bench.#reloader.run(bench.stop.signal);
    await bench.rest();
    return bench;
  }

  write(text: string): void {
    const path = this.folder.file("superbell.yaml.new");
    Deno.writeTextFileSync(path, text.replaceAll("{dir}", this.folder.path), { mode: 0o600 });
    Deno.renameSync(path, this.folder.file("superbell.yaml"));
  }

  /** Until it waits for a time to pass. */
  async rest(): Promise<void> {
    await until("the reloader to rest", () => this.clock.sleepers === 1);
  }

  async reload(): Promise<void> {
    this.#reloader.reload();
    await until("the reloader to read", () => this.clock.sleepers === 0);
    await this.rest();
  }

  /** Asks often, and waits for none of it. */
  ask(): void {
    this.#reloader.reload();
  }

  /** Lets so many seconds pass, two at a time, as often as it looks. */
  async pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 2) {
      await this.clock.advance(2 * SECOND);
      await this.rest();
    }
  }

  /** The names of the rules of all settings that were taken. */
  get rules(): string[] {
    return this.used.map(({ rules }) => rules.map(({ name }) => name).join());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.#running;
    this.folder[Symbol.dispose]();
  }
}

Deno.test("Reloader takes a new configuration and says what changes", async () => {
  await using bench = await Bench.start(config("one"));
  bench.write(config("two", "language: zh\n"));
  await bench.pass(10);
  assertEquals(bench.rules, [], "nobody asked for it");
  await bench.reload();
  assertEquals(bench.rules, ["two"]);
  assertEquals(bench.log, [
    `INFO loaded ${bench.folder.file("superbell.yaml")} again: ` +
    "language added, rule two added, rule one removed",
  ]);
  await bench.reload();
  assertEquals(bench.rules, ["two"], "nothing has changed");
  assertMatch(bench.log.at(-1)!, /again: nothing in it has changed$/);
  assertEquals(bench.told, []);
});

Deno.test("Reloader refuses a wrong one with every problem, and tells each content once", async () => {
  await using bench = await Bench.start(config("one"));
  const path = bench.folder.file("superbell.yaml");
  bench.write(config("two", "langauge: zh\nretry: { first: never }\n"));
  await bench.reload();
  await bench.reload();
  assertEquals(bench.rules, []);
  assertEquals(bench.log.length, 6, "everything again, for whoever asked again");
  assertMatch(bench.log[0]!, /^ERROR .*superbell\.yaml: langauge: unknown key; did you mean "lang/);
  assertMatch(bench.log[1]!, /^ERROR .*superbell\.yaml: retry\.first: expected a duration/);
  assertEquals(
    bench.log[2],
    `ERROR ${path} was not loaded again: the configuration from before goes on ` +
      `(superbell check -c ${path})`,
  );
  assertEquals(bench.told.map(({ kind }) => kind), ["reload_failed"]);
  const [first] = bench.told;
  assert(first?.kind === "reload_failed");
  assertEquals(first.file, path);
  assertMatch(first.text, /^langauge: unknown key.*\nretry\.first: expected a duration.*$/);

  bench.write(config("two", "langauge: zh\n"));
  await bench.reload();
  assertEquals(bench.told.map(({ kind }) => kind), ["reload_failed", "reload_failed"]);
  bench.write(config("two"));
  await bench.reload();
  assertEquals(bench.rules, ["two"]);
  assertEquals(bench.told.at(-1)?.kind, "reload_recovered");
  await bench.clock.advance(SECOND);
  bench.write(config("two", "langauge: zh\n"));
  await bench.reload();
  assertEquals(bench.told.length, 4, "the same mistake after that is news");
  assertEquals(new Set(bench.told.map(({ origin }) => origin.identity)).size, 4);
});

Deno.test("Reloader says that it is over when the one in use is put back", async () => {
  await using bench = await Bench.start(config("one"));
  bench.write("channels: [");
  await bench.reload();
  bench.write(config("one"));
  await bench.reload();
  assertEquals(bench.told.map(({ kind }) => kind), ["reload_failed", "reload_recovered"]);
  assertEquals(bench.rules, []);
});

Deno.test("Reloader tells five problems, and how many more there are", async () => {
  await using bench = await Bench.start(config("one"));
  bench.write(
    config("one", ["a1", "b2", "c3", "d4", "e5", "f6", "g7"].map((key) => `${key}: 1\n`).join("")),
  );
  await bench.reload();
  const [event] = bench.told;
  assert(event?.kind === "reload_failed");
  assertEquals(event.text.split("\n").length, 6);
  assertEquals(event.text.split("\n").at(-1), "… (2)");
  assertEquals(bench.log.length, 8);
});

Deno.test("Reloader refuses settings that cannot be used, and keeps the others", async () => {
  await using bench = await Bench.start(config("one"));
  bench.failure = new Error("channel hook cannot be opened");
  bench.write(config("two"));
  await bench.reload();
  assertMatch(bench.log[0]!, /^ERROR .*: channel hook cannot be opened$/);
  assertEquals(bench.told.map(({ kind }) => kind), ["reload_failed"]);
  bench.failure = undefined;
  await bench.reload();
  assertEquals(bench.rules, ["two"], "it is still new");
});

Deno.test("Reloader asked often takes the last one, and each once", async () => {
  await using bench = await Bench.start(config("one"));
  for (const rule of ["two", "three", "four", "five"]) {
    bench.write(config(rule));
    bench.ask();
    bench.ask();
  }
  await until("the last one", () => bench.rules.at(-1) === "five");
  await bench.rest();
  assertEquals(new Set(bench.rules).size, bench.rules.length);
});

Deno.test("Reloader takes nothing once it is told to stop", async () => {
  await using bench = await Bench.start(config("one"));
  bench.write(config("two"));
  bench.ask();
  bench.stop.abort();
  bench.ask();
  await until("its end", () => bench.clock.sleepers === 0);
  await bench.clock.settle();
  assertEquals(bench.rules, []);
});

Deno.test("Reloader that watches takes what has stayed the same for two looks", async () => {
  await using bench = await Bench.start(config("one", WATCH));
  await bench.pass(6);
  assertEquals([bench.rules, bench.log], [[], []]);
  bench.write(config("two", WATCH).slice(0, 60)); // half of it is written
  await bench.pass(2);
  bench.write(config("two", WATCH));
  await bench.pass(2);
  assertEquals([bench.rules, bench.log], [[], []]);
  await bench.pass(2);
  assertEquals(bench.rules, ["two"]);
  await bench.pass(20);
  assertEquals(bench.rules, ["two"], "once");
});

Deno.test("Reloader that watches sees a link that points elsewhere, and back", async () => {
  await using bench = await Bench.start(config("one", WATCH));
  const path = bench.folder.file("superbell.yaml");
  const point = (name: string) => {
    Deno.symlinkSync(bench.folder.file(name), `${path}.link`);
    Deno.renameSync(`${path}.link`, path);
  };
  bench.folder.write("a", Deno.readTextFileSync(path));
  bench.folder.write("b", Deno.readTextFileSync(path).replace("name: one", "name: two"));
  point("a");
  await bench.pass(6);
  assertEquals(bench.rules, [], "the same text");
  point("b");
  await bench.pass(6);
  point("a");
  await bench.pass(6);
  assertEquals(bench.rules, ["two", "one"]);
});

Deno.test("Reloader that watches waits for a file that is gone for a moment", async () => {
  await using bench = await Bench.start(config("one", WATCH));
  const path = bench.folder.file("superbell.yaml");
  Deno.renameSync(path, `${path}.away`);
  await bench.pass(26);
  assertEquals([bench.log, bench.told], [[], []]);
  Deno.renameSync(`${path}.away`, path);
  await bench.pass(6);
  assertEquals([bench.log, bench.told], [[], []]);
  Deno.renameSync(path, `${path}.away`);
  await bench.pass(32);
  assertMatch(bench.log[0]!, /superbell\.yaml: cannot be read: there is no such file$/);
  await bench.pass(60);
  assertEquals(bench.log.length, 2, "once");
  Deno.renameSync(`${path}.away`, path);
  await bench.pass(6);
  assertEquals(bench.told.map(({ kind }) => kind), ["reload_failed", "reload_recovered"]);
});

Deno.test("Reloader that watches sees the files that hold secrets, also while it refuses", async () => {
  await using bench = await Bench.start(config("one", WATCH));
  bench.folder.write("url", "https://example.com/hook-0815\n");
  await bench.pass(4);
  assertMatch(bench.log[0]!, /again: channel hook changed$/);
  assertEquals(bench.used.length, 1);
  // A new file that is not there yet.
  bench.write(config("one", WATCH).replace("{dir}/url", "{dir}/url-2"));
  await bench.pass(40);
  assertEquals(bench.used.length, 1);
  assertMatch(bench.log[1]!, /channels\.hook\.url\.file: cannot read ".*url-2": there is no such/);
  bench.folder.write("url-2", "https://example.com/hook-1234\n");
  await bench.pass(4);
  assertEquals(bench.used.length, 2);
  assert(!/hook-\d/.test(bench.log.join("\n") + Deno.inspect(bench.told)));
});

Deno.test("Reloader begins and ends to watch with the key", async () => {
  await using bench = await Bench.start(config("one"));
  bench.write(config("two", WATCH));
  await bench.reload();
  bench.write(config("three", WATCH));
  await bench.pass(4);
  bench.write(config("four"));
  await bench.pass(4);
  bench.write(config("five"));
  await bench.pass(10);
  assertEquals(bench.rules, ["two", "three", "four"]);
});
