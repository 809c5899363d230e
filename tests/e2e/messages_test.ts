// The messages of a real supervisord about real ends, whole, in both languages, as a person has
// approved them. What differs from run to run (times, process ids, folders) stands for itself.

import { approvedNames, assertApproved } from "../support/approved.ts";
import { assertEquals } from "../support/assert.ts";
import { type RecordedCall, recordedCalls, RECORDER } from "../support/recorder.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
time_zone: Asia/Shanghai
host: { name: web-01, address: 10.0.0.11 }
state_dir: "{dir}/state"
channels:
  zh: { type: exec, command: ["{dir}/record", zh], language: zh, concurrency: 4 }
  en: { type: exec, command: ["{dir}/record", en], concurrency: 4 }
rules:
  - { name: ends, on: [crash, fatal], to: [zh, en] }
  - { name: clean, on: exit, where: { process: clean }, to: [zh, en] }
  - { name: failing, on: start_failed, where: { process: misspelt }, to: [zh, en] }
`;

const program = (name: string, command: string, more = "") => `
[program:${name}]
command=${command}
autostart=false
autorestart=false
startsecs=0
${more}
`;

const STARTS_BADLY = "autorestart=true\nstartsecs=1\nstartretries=1";

const PROGRAMS = program("status", "{dir}/says.sh 3") +
  program("clean", "/bin/true") +
  program("segfault", `/bin/sh -c "ulimit -c 0; sleep 1; kill -SEGV $$"`) +
  program("killed", "/bin/sleep 1000") +
  program("订单", `/bin/sh -c "echo 余额不足 >&2; exit 5"`) +
  program(
    "broken",
    `/bin/sh -c "sleep 0.2; echo cannot open /etc/broken.conf >&2; exit 78"`,
    STARTS_BADLY,
  ) +
  program("misspelt", "/nonexistent/program", `${STARTS_BADLY}\nautostart=true`);

const SAYS = `#!/bin/sh
echo "starting" >&2
sleep 2
printf 'Traceback (most recent call last):\\n  File "main.py", line 31\\nValueError: no order 4711\\n' >&2
exit $1
`;

/** Those that are started by hand; supervisorctl refuses to start one that is not there. */
const NAMES = ["status", "clean", "segfault", "killed", "订单", "broken"];
/** And how often the one that is not there is told: its first start, and the end of it. */
const MISSPELT = 2;

Deno.test("the messages about real ends are the approved ones", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    programs: PROGRAMS,
    files: { record: RECORDER, "says.sh": SAYS },
    identifier: "web-01 main",
  });
  for (const name of NAMES) await supervisord.ctl("start", name);
  Deno.kill(supervisord.pidOf("killed"), "SIGKILL");
  const texts = await supervisord.until("every message", () => {
    const found = textsOf(recordedCalls(supervisord.dir), supervisord.dir);
    return found.size === 2 * (NAMES.length + MISSPELT) ? found : undefined;
  });
  for (const [name, text] of texts) assertApproved(`real/${name}`, text);
  assertEquals(approvedNames("real"), [...texts.keys()].sort());
});

/** The incidents of this test end within seconds. */
const INCIDENTS = CONFIG.replace(
  /rules:[^]*/,
  `rules:
  - { name: ends, on: [crash, fatal], where: { process: "!flaky" }, resolve_after: 1s, to: [zh, en] }
  - name: flaky
    on: [flapping]
    where: { process: flaky }
    flapping: { exits: 3, within: 1m, stable_after: 2s }
    to: [zh, en]
`,
);

/** Both go on running once the file is there; nothing is ever wrong with the others. */
const UNTIL_MENDED = `test -e {dir}/mended && exec sleep 1000; sleep 0.5; exit 7`;
const GONE = program("gone", "/bin/sleep 1000");
const LATER = program("flaky", `/bin/sh -c "${UNTIL_MENDED}"`, "autorestart=true") +
  program("back", `/bin/sh -c "${UNTIL_MENDED}"`) +
  program("restarted", "/bin/sleep 1000") +
  GONE;

Deno.test("the messages of real incidents are the approved ones, and an operator's hand makes none", async () => {
  await using supervisord = await startSupervisord({
    config: INCIDENTS,
    programs: LATER,
    files: { record: RECORDER },
    identifier: "web-01 main",
  });
  const until = (what: string, count: number) =>
    supervisord.until(what, () => {
      const found = incidentTextsOf(recordedCalls(supervisord.dir), supervisord.dir);
      return found.size === count ? found : undefined;
    });
  for (const name of ["restarted", "gone", "back", "flaky"]) await supervisord.ctl("start", name);
  await until("a crash, and a process that keeps ending", 4);
  await supervisord.ctl("restart", "restarted");
  await supervisord.ctl("stop", "restarted");
  const path = `${supervisord.dir}/programs.conf`;
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(GONE, ""));
  await supervisord.ctl("update");
  assertEquals((await supervisord.ctl("status", "gone")).stdout.includes("no such process"), true);
  Deno.writeTextFileSync(`${supervisord.dir}/mended`, "");
  await supervisord.ctl("start", "back");
  const texts = await until("that both run again", 8);
  for (const [name, text] of texts) assertApproved(`incidents/${name}`, text);
  assertEquals(approvedNames("incidents"), [...texts.keys()].sort());
});

/** The texts by process, what of the incident they are, and language. */
function incidentTextsOf(calls: readonly RecordedCall[], dir: string): Map<string, string> {
  return new Map(calls.map(({ args, document }) => {
    const text = withoutChance(document.text, dir);
    const kind = document.incident?.kind;
    return [
      [document.process?.name, kind, args[0]].join("."),
      kind === "resolved" ? withoutCounts(text) : text,
    ];
  }));
}

/** The text with names in place of how long it took and how often it ended until it was mended. */
function withoutCounts(text: string): string {
  return text.replace(/^(Down for: |故障时长：).*$/gm, "$1DURATION")
    .replace(/(was down for |故障持续 )\d+(?:\w+| 秒)/g, "$1DURATION")
    .replace(/^(Ended \(with failed starts\): |退出次数（含启动失败）：)\d+$/gm, "$1COUNT")
    .replace(/(ended |退出 )\d+( times| 次)/g, "$1COUNT$2");
}

/** The texts by process, word and language. */
function textsOf(calls: readonly RecordedCall[], dir: string): Map<string, string> {
  const named = calls.map(({ args, document }): [string, string] => [
    [document.process?.name, document.on, args[0]].join("."),
    withoutChance(document.text, dir),
  ]);
  return new Map(named.sort(([left], [right]) => left < right ? -1 : 1));
}

/** The text with a name in place of what no two runs have in common. */
function withoutChance(text: string, dir: string): string {
  return text.replaceAll(dir, "DIR")
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d/g, "TIME")
    .replace(/^(PID: |PID：)\d+$/gm, "$1PID")
    .replace(/^(Alert: |Incident: |告警编号：|故障编号：)[0-9a-f]{12}$/gm, "$1ID")
    .replace(/^(Uptime: |运行时长：).*$/gm, "$1DURATION");
}
