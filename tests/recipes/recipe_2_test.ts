// docs/recipes/2-exec.md: an in-house command with the tutorial's own message, the address of a
// named interface, and no shell in between.

import { assertEquals, assertMatch } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { assertSectionAsPrinted, readRecipe, startRecipe } from "./recipe.ts";

const PROGRAMS = `
[program:api]
command={dir}/api
autostart=false
autorestart=false
startsecs=0

[program:batch]
command={dir}/batch
autostart=false
autorestart=false
startsecs=0
`;

Deno.test("recipe 2: the command gets the tutorial's message; an expected exit brings none", async () => {
  const recipe = await readRecipe("2-exec.md");
  await assertSectionAsPrinted(recipe);
  await using supervisord = await startRecipe(recipe, {
    programs: PROGRAMS,
    changes: { eth0: "lo", "/usr/local/bin/alert.py": '"{dir}/alert.py"' },
    files: {
      "alert.py": RECORDER,
      api: "#!/bin/sh\nexit 3\n",
      batch: "#!/bin/sh\nexit 0\n",
    },
  });
  await supervisord.ctl("start", "batch");
  await supervisord.ctl("start", "api");
  await supervisord.until("the call", () => recordedCalls(supervisord.dir).length > 0);
  const calls = recordedCalls(supervisord.dir);
  const pid = supervisord.pidOf("api");
  assertEquals(calls.map(({ args }) => args), [
    ["-m", `[Host:127.0.0.1][Process:api][pid:${pid}][exited unexpectedly fromstate:RUNNING]`],
  ]);
});

Deno.test("recipe 2: -h prints help, and started by hand it says why it cannot run", async () => {
  const help = await superbell(["-h"]);
  assertEquals([help.code, help.stderr], [0, ""]);
  assertMatch(help.stdout, /^superbell: .*\n\nUsage: superbell COMMAND/);
  const listenHelp = await superbell(["listen", "-h"]);
  assertEquals(listenHelp.code, 0);
  const byHand = await superbell(["-c", "/etc/superbell.yaml"]);
  assertEquals([byHand.code, byHand.stdout], [2, ""]);
  assertMatch(byHand.stderr, /^[^\n]*must be started by supervisord[^\n]*\n$/);
});
