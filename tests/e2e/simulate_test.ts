// What tee records beside a running listener is what `superbell simulate` takes, as the docs say.

import type { happeningDocument } from "../../src/cli/simulate_text.ts";
import { parseInput } from "../../src/cli/simulate_input.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { executable, superbell } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { failingProgram } from "../support/programs.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
log_level: debug
time_zone: UTC
state_dir: "{dir}/state"
channels:
  hook: { type: webhook, url: "{origin}/hook" }
rules:
  - { name: crash, on: [crash], to: [hook] }
  - { name: up, on: [started, tick], to: [hook] }
`;

Deno.test("superbell simulate decides of a recording what the listener decided", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: CONFIG.replaceAll("{origin}", hook.origin),
    programs: failingProgram("订单"),
    keys: {
      command:
        `/bin/sh -c "tee -a {dir}/frames.bin | ${executable()} listen -c {dir}/superbell.yaml"`,
    },
  });
  await supervisord.ctl("start", "订单");
  await supervisord.until(
    "the message of the crash",
    () => hook.requests.some(({ body }) => body.includes('"crash"')),
  );
  // The shell between the two is not taken for a supervisord that has just been started.
  const status = await superbell(["status", "--json", "-c", `${supervisord.dir}/superbell.yaml`]);
  assertEquals(JSON.parse(status.stdout).supervisord.pid, supervisord.pid);
  await supervisord.stop();
  const recording = `${supervisord.dir}/frames.bin`;
  const { occurrences, damage } = parseInput(Deno.readFileSync(recording));
  assertEquals(damage, []);
  const config = `${supervisord.dir}/superbell.yaml`;
  const { code, stdout, stderr } = await superbell(["simulate", recording, "-c", config]);
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.includes(`\n${occurrences.length} events, `), stdout);
  assert(stdout.includes("  alert  crash: opened (incident "), stdout);
  assert(stdout.includes("to hook: 订单 exited unexpectedly on "), stdout);
  const json = await superbell(["simulate", recording, "--json", "-c", config]);
  const simulated = (JSON.parse(json.stdout) as ReturnType<typeof happeningDocument>[])
    .flatMap(({ event, decisions }) =>
      event === null ? [] : [[
        String(event.serial),
        decisions.map(({ rule, verdict, reason }) => `; ${rule}: ${verdict} (${reason})`).join(""),
      ]]
    );
  const logged = [
    ...supervisord.listenerLog().matchAll(/ DEBUG event (\d+) .*?((?:; \w+: \w+ \([\w-]+\))+)$/gm),
  ].map(([, serial, decisions]) => [serial, decisions]);
  assert(logged.length > 5, supervisord.listenerLog());
  // What came while it ended is recorded and not taken.
  assertEquals(simulated.slice(0, logged.length), logged);
});
