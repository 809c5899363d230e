// `superbell simulate` over recordings and over lines, compared whole with what a person has read.

import { parseInput } from "../../src/cli/simulate_input.ts";
import { describeHappening, type happeningDocument } from "../../src/cli/simulate_text.ts";
import { recordedStart, Simulation } from "../../src/cli/simulation.ts";
import { UsageError } from "../../src/cli/command.ts";
import { parseEvent } from "../../src/events/parse.ts";
import { loadSettings } from "../../src/settings.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { bytesOf, captures } from "../support/frames.ts";

const FOLDER = new URL("../fixtures/simulate/", import.meta.url).pathname;
const CONFIG = `${FOLDER}config.yaml`;
const ROOT = new URL("../../", import.meta.url);
const AT = "2026-11-21T10:00";

async function simulate(
  args: readonly string[],
  stdin?: Uint8Array<ArrayBuffer>,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const main = new URL("main.ts", ROOT).pathname;
  const flags = ["--no-check", "--quiet", "--v8-flags=--enable-experimental-regexp-engine"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...flags, main, "simulate", ...args],
    cwd: "/",
    env: { LANG: "C", TZ: "UTC", SUPERBELL_CONFIG: CONFIG },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // It may have ended before, for a mistake in its arguments.
  await writer.write(stdin ?? new Uint8Array()).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Golden output, and the arguments that give it. */
const GOLDEN: Readonly<Record<string, readonly string[]>> = {
  "night": [`${FOLDER}night.events`, "--at", AT],
  "chinese": [
    new URL("tests/fixtures/frames/chinese-names-and-payload-supervisor-4.2.5-deb.bin", ROOT)
      .pathname,
    "--at",
    AT,
    "--then",
    "20m",
  ],
  "state_machine": [
    new URL(
      "tests/fixtures/frames/state-machine-flapping-backoff-fatal-supervisor-4.2.5-deb.bin",
      ROOT,
    ).pathname,
    "--at",
    AT,
    "--every",
    "500ms",
  ],
};
for (const [name, args] of Object.entries(GOLDEN)) {
  Deno.test(`superbell simulate prints ${name}.txt`, async () => {
    const { code, stdout, stderr } = await simulate(args);
    assertEquals([code, stderr], [0, ""]);
    const path = `${FOLDER}${name}.txt`;
    if (Deno.env.get("SUPERBELL_APPROVE") === "1") Deno.writeTextFileSync(path, stdout);
    assertEquals(stdout, Deno.readTextFileSync(path));
    // deno-lint-ignore no-control-regex -- they are what must not get to a terminal
    assert(!/[\x00-\x09\x0b-\x1f\x7f]/.test(stdout));
  });
}

Deno.test("superbell simulate takes a file and stdin alike, and touches no state", async () => {
  const events = Deno.readFileSync(`${FOLDER}night.events`);
  const golden = Deno.readTextFileSync(`${FOLDER}night.txt`);
  for (const args of [[], ["-"]]) {
    assertEquals((await simulate([...args, "--at", AT], events)).stdout, golden);
  }
  assertThrows(() => Deno.statSync("/nonexistent/superbell"), Deno.errors.NotFound);
});

Deno.test("superbell simulate --json holds what the text says", async () => {
  const lines = bytesOf("web:api EXITED\n+4h\nweb:api RUNNING\n");
  const { stdout } = await simulate(["--json", "--at", AT, "--then", "0s"], lines);
  const happenings = JSON.parse(stdout) as ReturnType<typeof happeningDocument>[];
  assertEquals(
    happenings.map(({ at, event, decisions }) => [
      at,
      event?.eventname ?? null,
      decisions.map(({ rule, verdict, reason }) => `${rule} ${verdict} ${reason}`),
    ]),
    [
      ["2026-11-21T02:00:00.000Z", "PROCESS_STATE_EXITED", [
        "crash alert opened",
        "app skip process-not-in-where",
        "oom skip event-not-in-on",
      ]],
      ["2026-11-21T02:15:00.000Z", null, ["crash alert escalation-due"]],
      ["2026-11-21T06:00:00.000Z", null, ["crash alert reminder-due"]],
      ["2026-11-21T06:00:01.000Z", "PROCESS_STATE_RUNNING", [
        "crash skip event-not-in-on",
        "app skip event-not-in-on",
        "oom skip event-not-in-on",
      ]],
    ],
  );
  const { incident } = happenings[0]!.messages[0]!;
  assertEquals(happenings[1]!.messages, [{
    channel: "boss",
    rule: "crash",
    kind: "escalated",
    incident,
    severity: "warning",
    title: "Escalated: web:api exited unexpectedly on web-01, for 15m now",
  }]);
});

/** Lines, and what is said of the mistake in them. */
const MISTAKES: readonly (readonly [string, string])[] = [
  ["", "there is no event in it"],
  ["# only this\n\n", "there is no event in it"],
  ["web:api EXITD", 'line 1 "web:api EXITD": expected a process and what happens to it'],
  [
    "12:00 web:api EXITED",
    'line 1 "12:00 web:api EXITED": a line begins with the process, or with how long to wait before ' +
    'it, as "+5m web:api EXITED"; found the time "12:00"',
  ],
  ["web:api RUNNING\nEXITED", 'line 2 "EXITED": expected a process'],
  ["+soon web:api EXITED", 'line 1 "+soon web:api EXITED": "+soon" is no time to wait'],
  ["web:api EXITED expcted=1", 'expected expected=, from=, pid=, tries=, found "expcted=1"'],
  ["web:api EXITED expected=yes", 'expected= cannot be "yes"'],
];
for (const [lines, expected] of MISTAKES) {
  Deno.test(`superbell simulate explains the mistake in ${JSON.stringify(lines)}`, async () => {
    const { code, stdout, stderr } = await simulate([], bytesOf(lines));
    assertEquals([code, stdout], [2, ""]);
    assert(stderr.includes(expected), stderr);
    assert(!stderr.includes("    at "), stderr);
  });
}

Deno.test("superbell simulate says what file it cannot read", async () => {
  const wrong = { "/nonexistent.bin": "there is no such file", "/tmp": "it is a directory" };
  for (const [path, why] of Object.entries(wrong)) {
    const { code, stderr } = await simulate([path]);
    assertEquals([code, stderr], [1, `superbell simulate: cannot read "${path}": ${why}\n`]);
  }
});

Deno.test("parseInput() finds every frame of every recording", () => {
  for (const { name, bytes, events } of captures()) {
    const { occurrences } = parseInput(bytes);
    assertEquals(occurrences.length, events.length, name);
    const serials = occurrences.map(({ frameAt }) => frameAt!(0).header.serial);
    assertEquals(serials, events.map(({ serial }) => serial), name);
  }
});

Deno.test("parseInput() makes of lines the events that they name", () => {
  const text = `
web:api EXITED
api PROCESS_STATE_STARTING tries=2
a b:c d BACKOFF
+1m30s web:api EXITED expected=1 pid=7 from=STOPPING
web:api PROCESS_COMMUNICATION_STDOUT hello  RUNNING
web PROCESS_GROUP_ADDED
REMOTE_COMMUNICATION deploy
TICK_3600
`;
  const { occurrences } = parseInput(bytesOf(text));
  assertEquals(occurrences[3]!.waitMs, 90_000);
  const events = occurrences.map(({ frameAt }) => parseEvent(frameAt!(3_600_000)));
  assertEquals(events.map(({ origin: _, ...event }) => event), [
    {
      kind: "process_exited",
      process: { group: "web", name: "api" },
      fromState: "RUNNING",
      pid: 1001,
      expected: false,
    },
    {
      kind: "process_starting",
      process: { group: "api", name: "api" },
      fromState: "STOPPED",
      tries: 2,
    },
    {
      kind: "process_backoff",
      process: { group: "a b", name: "c d" },
      fromState: "STARTING",
      tries: 1,
    },
    {
      kind: "process_exited",
      process: { group: "web", name: "api" },
      fromState: "STOPPING",
      pid: 7,
      expected: true,
    },
    {
      kind: "process_communication",
      process: { group: "web", name: "api" },
      pid: 7,
      channel: "stdout",
      text: "hello  RUNNING\n",
    },
    { kind: "process_group_added", group: "web" },
    { kind: "remote_communication", type: "deploy", text: "" },
    { kind: "tick", periodS: 3600, whenMs: 3_600_000 },
  ]);
  assertThrows(() => parseInput(bytesOf("web:api")), UsageError);
});

Deno.test("a recording begins so that its first tick comes at its own second", () => {
  const ticks = captures().find(({ name }) => name.startsWith("ticks-"))!;
  const { occurrences } = parseInput(ticks.bytes);
  const startMs = recordedStart(occurrences, 1000)!;
  const settings = loadSettings(CONFIG, { env: () => undefined, needsSecrets: false });
  using simulation = new Simulation({ settings, startMs, everyMs: 1000, thenMs: 0 });
  const happenings = [...simulation.run(occurrences)];
  const seen = happenings.flatMap(({ atMs, event }) =>
    event?.kind === "tick" ? [[atMs, event.whenMs]] : []
  );
  assert(seen.length > 3);
  for (const [atMs, whenMs] of seen) assert(atMs! >= whenMs! && atMs! - whenMs! < 4000);
  assertEquals(seen[0]![0], seen[0]![1]);
  assert(describeHappening(happenings[0]!, "UTC").length > 0);
});
