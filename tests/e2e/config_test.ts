// A configuration with problems: told in words, before READY, and visible in supervisord.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { PipedListener } from "../support/piped_listener.ts";
import { makePlace } from "../support/places.ts";
import { startSupervisord } from "../support/supervisord.ts";

const BAD = `
state_dir: "{dir}/state"
channels:
  oncall:
    type: dingtalk
    token: { env: NOT_SET_ANYWHERE }
    tokne: literal-secret-in-a-typo
rules:
  - name: crash
    on: [crash, fatale]
    to: [oncal]
`;

const EXPECTED = [
  /channels\.oncall\.token/,
  /channels\.oncall\.tokne/,
  /rules\[0\] \(crash\)\.on/,
  /rules\[0\] \(crash\)\.to/,
];

Deno.test("a bad configuration ends with 2 before READY, with every problem and no stack trace", async () => {
  using place = makePlace();
  const path = place.write("superbell.yaml", BAD);
  await using listener = new PipedListener(path);
  assertEquals((await listener.end()).code, 2);
  assertEquals(listener.stdout, "");
  for (const pattern of EXPECTED) assertMatch(listener.log, pattern);
  assertPlain(listener.log);
});

Deno.test("supervisord shows FATAL, and the reason stands in the listener's log", async () => {
  await using supervisord = await startSupervisord({
    config: BAD,
    keys: { startretries: "0", startsecs: "10", stdout_logfile: "{dir}/listener.stdout" },
    running: false,
  });
  await supervisord.until(
    "FATAL",
    () => supervisord.log().includes("gave up: superbell entered FATAL state"),
  );
  assertEquals(await supervisord.stateOf("superbell"), "FATAL");
  assertStringIncludes(supervisord.log(), "exited: superbell (exit status 2");
  for (const pattern of EXPECTED) assertMatch(supervisord.listenerLog(), pattern);
  assertPlain(supervisord.listenerLog());
  assertEquals(await Deno.readTextFile(`${supervisord.dir}/listener.stdout`), "");
});

for (
  const [what, text, expected] of [
    [
      "a file that is no YAML",
      "channels: [unclosed",
      /superbell\.yaml: line \d+, column \d+: not valid YAML/,
    ],
    ["an empty file", "", /superbell\.yaml: channels/],
    ["a file that is not there", undefined, /cannot be read: there is no such file/],
  ] as const
) {
  Deno.test(`${what}: exit code 2 and one sentence`, async () => {
    using place = makePlace();
    const path = text === undefined
      ? `${place.dir}/superbell.yaml`
      : place.write("superbell.yaml", text);
    await using listener = new PipedListener(path);
    assertEquals((await listener.end()).code, 2);
    assertEquals(listener.stdout, "");
    assertMatch(listener.log, expected);
    assertPlain(listener.log);
  });
}

Deno.test("started by hand it says in one sentence that supervisord must start it", async () => {
  const { code, stdout, stderr } = await superbell(["listen", "-c", "/nowhere.yaml"]);
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /^superbell listen must be started by supervisord, not by hand: .*\n$/);
});

function assertPlain(log: string): void {
  assert(!/\n\s+at |\bError:|literal-secret/.test(log), log);
}
