// One stray byte on a listener's stdout, and supervisord sends it nothing more for the life of
// the process. superbell notices that the ticks have stopped and has itself started anew.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
state_dir: "{dir}/state"
log_level: debug
channels:
  command: { type: exec, command: ["{dir}/record"] }
rules:
  - { name: exit, on: [exit], to: [command] }
`;

const PROGRAMS = `
[program:job]
command=/bin/sh -c "exit 4"
autostart=false
autorestart=false
startsecs=0
`;

/** Three ticks of five seconds, and the checks between them; with room for a slow machine. */
const NOTICED_WITHIN_MS = 90_000;

Deno.test("a listener that supervisord no longer hears is started anew and misses nothing", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: PROGRAMS,
    files: { record: RECORDER },
    keys: { events: "PROCESS_STATE_EXITED,TICK_5" },
  });
  await supervisord.until("a tick", () => supervisord.listenerLog().includes("TICK_5"));
  const first = supervisord.pidOf("superbell");
  await Deno.writeTextFile(`/proc/${first}/fd/1`, "x", { append: true });
  await supervisord.logs("has entered the UNKNOWN state");
  // supervisorctl would still call it RUNNING; this exit reaches nobody now.
  assertEquals(await supervisord.stateOf("superbell"), "RUNNING");
  await supervisord.ctl("start", "job");
  await supervisord.until(
    "the exit to be told",
    // That superbell itself has exited is told as well.
    () => recordedCalls(supervisord.dir).some(({ document }) => document.process?.name === "job"),
    NOTICED_WITHIN_MS,
  );
  assertEquals(supervisord.pidsOf("superbell").length, 2);
  assertStringIncludes(supervisord.listenerLog(), "it has stopped listening to us");
});
