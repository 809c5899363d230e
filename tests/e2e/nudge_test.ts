// supervisor.nudge against a real supervisord, whose log tells of each call at loglevel=trace.

import { assert, assertEquals } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";

const config = (url: string, nudge: string) => `
state_dir: "{dir}/state"
supervisor: { nudge: ${nudge} }
channels:
  receiver: { type: webhook, url: "${url}" }
rules:
  - { name: exit, on: [exit], to: [receiver] }
`;

// The second section of this name adds to the first.
const PROGRAMS = `
[supervisord]
loglevel=trace

[program:job]
command=/bin/sleep 1000
startsecs=0
autorestart=false
`;

const CALL = "XML-RPC method called: supervisor.getPID()";

function calls(supervisord: Supervisord): number {
  return supervisord.log().split(CALL).length - 1;
}

Deno.test("supervisor.nudge asks supervisord again and again, and exits are told", async () => {
  await using receiver = startHttpServer(() => new Response());
  const supervisord = await startSupervisord({
    config: config(receiver.origin, "50ms"),
    programs: PROGRAMS,
  });
  await using _ = supervisord;
  await supervisord.until("ten calls", () => calls(supervisord) >= 10);
  Deno.kill(supervisord.pidOf("job"), "SIGKILL");
  await supervisord.until("the exit to be told", () => receiver.requests.length === 1);
  // At its end it lets go of supervisord before supervisord lets go of it.
  await supervisord.stop();
  assert(!supervisord.listenerLog().includes("cannot be nudged"), supervisord.listenerLog());
  assert(supervisord.listenerLog().includes("ended: 0 entries wait"));
});

Deno.test("supervisor.nudge at 0s asks nothing", async () => {
  await using receiver = startHttpServer(() => new Response());
  const supervisord = await startSupervisord({
    config: config(receiver.origin, "0s"),
    programs: PROGRAMS,
  });
  await using _ = supervisord;
  Deno.kill(supervisord.pidOf("job"), "SIGKILL");
  await supervisord.until("the exit to be told", () => receiver.requests.length === 1);
  assertEquals(calls(supervisord), 0);
});
