// A state directory that cannot be used as it is: the alerts go out all the same, and the log
// says what is wrong.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
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
  await listener.take(crashFrame(before));
  await until("the delivery", () => hook.requests.length === before + 1);
  await listener.logs(/delivered entry/);
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
