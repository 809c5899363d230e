// A state directory that cannot be used as it is: the alerts go out all the same, and the log
// says what is wrong.

import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertLess, assertMatch } from "../support/assert.ts";
import { executable } from "../support/executable.ts";
import { type HttpServer, startHttpServer } from "../support/http_server.ts";
import { crashFrame, PipedListener, type PipedListenerOptions } from "../support/piped_listener.ts";
import { makePlace, storedEntries } from "../support/places.ts";
import { until } from "../support/until.ts";

Deno.test("a damaged outbox is set aside, and the listener runs on a fresh one", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "{dir}"));
  place.write("superbell.db", "this is no database\n".repeat(1000));
  await deliversOne(config, hook, {}, /the outbox was damaged: it was set aside as "(.*)" and a/);
  assertEquals(storedEntries(place.dir).map(({ state }) => state), ["delivered"]);
  const names = [...Deno.readDirSync(place.dir)].map(({ name }) => name);
  assert(names.some((name) => name.startsWith("superbell.db.damaged-")), names.join());
});

Deno.test("an outbox with pages overwritten by rubbish is set aside too", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "{dir}"));
  await deliversOne(config, hook, {}, /superbell .* with /);
  const path = `${place.dir}/superbell.db`;
  const bytes = await Deno.readFile(path);
  bytes.fill(0xa5, 4096); // the first page, with SQLite's own header, stays
  await Deno.writeFile(path, bytes);
  await deliversOne(config, hook, {}, /the outbox was damaged: it was set aside/);
});

Deno.test("a state_dir that cannot be made: said in the log, and delivered from memory", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "/proc/superbell-state"));
  await deliversOne(config, hook, {}, /cannot use "\/proc\/superbell-state\/superbell\.db": /);
});

Deno.test("a state_dir that may not be written: said in the log, and delivered from memory", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const stateDir = `${place.dir}/state`;
  await Deno.mkdir(stateDir, { mode: 0o555 });
  const config = place.write("superbell.yaml", configText(hook, stateDir), 0o644);
  // root may write everywhere: the listener runs as somebody else then, who must be able to
  // reach the executable.
  const options: PipedListenerOptions = Deno.uid() === 0
    ? { uid: 65534, program: `${place.dir}/superbell` }
    : {};
  if (options.program !== undefined) await Deno.copyFile(executable(), options.program);
  await Deno.chmod(place.dir, 0o755);
  await deliversOne(config, hook, options, /cannot use ".*\/state\/superbell\.db": /);
  assertEquals([...Deno.readDirSync(stateDir)].length, 0);
});

Deno.test("a database locked at the start: from memory, and onto the disk when it is free", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "{dir}"));
  const holder = new DatabaseSync(`${place.dir}/superbell.db`);
  holder.exec("pragma locking_mode = exclusive; create table held (x); begin exclusive");
  await using listener = new PipedListener(config);
  await listener.ready(1);
  await listener.logs(/cannot use ".*superbell\.db": database is locked; until it can be used/);
  await listener.take(crashFrame(0));
  await until("the delivery from memory", () => hook.requests.length === 1);
  holder.exec("rollback");
  holder.close();
  await listener.logs(/stored 1 entries that were kept in memory/);
  assertEquals(storedEntries(place.dir).map(({ state }) => state), ["delivered"]);
  await listener.take(crashFrame(1, "other"));
  await until("the next delivery", () => hook.requests.length === 2);
  listener.kill("SIGTERM");
  assertEquals((await listener.end()).code, 0);
});

Deno.test("another process holds the lock to write: supervisord gets its answers at once", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "{dir}"));
  await using listener = new PipedListener(config);
  await listener.ready(1);
  const holder = new DatabaseSync(`${place.dir}/superbell.db`);
  holder.exec("pragma busy_timeout = 2000; begin immediate");
  const startedAtMs = performance.now();
  for (let serial = 0; serial < 20; serial++) {
    await listener.take(crashFrame(serial, `api-${serial}`));
  }
  assertLess(performance.now() - startedAtMs, 2000);
  await until("the deliveries from memory", () => hook.requests.length === 20);
  holder.exec("commit");
  holder.close();
  listener.kill("SIGTERM");
  assertEquals((await listener.end()).code, 0);
  assertEquals(storedEntries(place.dir).length, 20, "written down at the end");
});

Deno.test("a state_dir removed while it is in use: made anew, nothing is lost", async () => {
  let status = 503;
  await using hook = startHttpServer(() => new Response("", { status }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "{dir}/state"));
  await using listener = new PipedListener(config);
  await listener.ready(1);
  await listener.take(crashFrame(0));
  await listener.logs(/not delivered/);
  await Deno.remove(`${place.dir}/state`, { recursive: true });
  await listener.take(crashFrame(1, "other"));
  await listener.logs(/was removed or replaced while it was in use: 2 entries were carried over/);
  status = 200;
  await until(
    "both deliveries, written into the new file",
    () => storedEntries(`${place.dir}/state`).filter(isDelivered).length === 2,
  );
});

Deno.test("the end with messages in memory and no disk says how many are lost", async () => {
  await using hook = startHttpServer(() => new Response("", { status: 503 }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "/proc/superbell-state"));
  await using listener = new PipedListener(config);
  await listener.ready(1);
  await listener.take(crashFrame(0));
  await listener.take(crashFrame(1, "other"));
  await listener.logs(/not delivered an entry in memory/);
  listener.kill("SIGTERM");
  assertEquals((await listener.end()).code, 0);
  assertMatch(listener.log, /ERROR ended: 2 entries in memory are lost: the disk did not take/);
});

Deno.test("entries of a channel that was renamed are dead with the reason at the next start", async () => {
  await using hook = startHttpServer(() => new Response("", { status: 503 }));
  using place = makePlace();
  const config = place.write("superbell.yaml", configText(hook, "{dir}"));
  {
    await using listener = new PipedListener(config);
    await listener.ready(1);
    await listener.take(crashFrame(0));
    await listener.take(crashFrame(1, "other"));
    listener.kill("SIGTERM");
    await listener.end();
  }
  const renamed = configText(hook, "{dir}").replaceAll("hook:", "net:").replace("[hook]", "[net]");
  await using listener = new PipedListener(place.write("renamed.yaml", renamed));
  await listener.logs(/gave up 2 entries for "hook": the configuration has no channel of this/);
  assertEquals(storedEntries(place.dir).map(({ state }) => state), ["dead", "dead"]);
});

function isDelivered({ state }: { readonly state: string }): boolean {
  return state === "delivered";
}

/** One event, one delivery, and the line in the log. */
async function deliversOne(
  config: string,
  hook: HttpServer,
  options: PipedListenerOptions,
  expected: RegExp,
): Promise<void> {
  const before = hook.requests.length;
  await using listener = new PipedListener(config, options);
  await listener.ready(1);
  assertMatch(listener.log, expected);
  await listener.take(crashFrame(before, `api-${before}`));
  await until("the delivery", () => hook.requests.length === before + 1);
  await listener.logs(/delivered (entry|an entry in memory)/);
  listener.kill("SIGTERM");
  assertEquals((await listener.end()).code, 0);
  listener.assertOnlyProtocol();
  assert(!/\n\s+at /.test(listener.log), listener.log);
}

function configText(hook: HttpServer, stateDir: string): string {
  return `
language: en
state_dir: "${stateDir}"
channels:
  hook: { type: webhook, url: "${hook.origin}/hook" }
rules:
  - { name: crash, on: [crash], to: [hook] }
`;
}
