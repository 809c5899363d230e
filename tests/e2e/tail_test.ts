// The last lines that a program wrote before it ended, from a real supervisord that starts it
// again at once: the lines of the end and not of the new start, readable, and without secrets.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { executable } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { makePlace } from "../support/places.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { startRobot } from "../support/robot.ts";
import { assertNoSecretsIn } from "../support/secrets.ts";
import { startSupervisord, type Supervisord } from "../support/supervisord.ts";

const PASSWORD = "e2e-tail-password-31415";
const CARD = "6222020200112233445";

const CONFIG = `
language: en
host: { name: web-1 }
state_dir: "{dir}/state"
log_level: debug
tail: { lines: 4 }
mask: ["card [0-9]+"]
channels:
  command: { type: exec, command: ["{dir}/record", "{tail|default none}"], concurrency: 4 }
rules:
  - { name: all, on: [crash, fatal], where: { process: ["!quiet", "!both"] }, to: [command] }
  - { name: off, on: crash, where: { process: quiet }, to: [command], tail: { lines: 0 } }
  - { name: both, on: crash, where: { process: both }, to: [command], tail: { stream: both } }
`;

/** Writes GBK (未找到), colours and secrets, and dies; the second time it says so and lives on. */
const DIES = `#!/bin/sh
if [ -e "{dir}/$1.died" ]; then
  sleep 0.2
  echo "started again" >&2
  exec sleep 1000
fi
touch "{dir}/$1.died"
sleep 2
printf 'old\\n\\316\\264\\325\\322\\265\\275\\n' >&2
printf '\\033[1;31mcard ${CARD}\\033[0m\\007\\n' >&2
echo "cannot log in with password=${PASSWORD} at https://root:${PASSWORD}@db/" >&2
echo "OSError: no route to host" >&2
echo "said to stdout"
# An end within the clock's tick of the last line could not be told from the next run's beginning.
sleep 0.2
exit 3
`;

const program = (name: string, more = "") => `
[program:${name}]
command={dir}/dies.sh ${name}
autostart=false
autorestart=true
startsecs=1
${more}
`;

const LINES = [
  "未找到",
  "***",
  "cannot log in with password=*** at https://root:***@db/",
  "OSError: no route to host",
];

Deno.test("the last lines of a program are those of its end, readable and without secrets", async () => {
  await using supervisord = await startSupervisord({
    config: CONFIG,
    files: { record: RECORDER, "dies.sh": DIES },
    programs: program("file") +
      program("redirected", "redirect_stderr=true") +
      program("none", "stderr_logfile=NONE\nstdout_logfile=NONE") +
      program("quiet") +
      program("both"),
  });
  const names = ["file", "redirected", "none", "quiet", "both"];
  for (const name of names) await supervisord.ctl("start", name);
  const document = await told(supervisord, names);

  const file = document("file");
  assertEquals(file.tails, [{ stream: "stderr", lines: LINES, late: false }]);
  assertEquals(file.title, "file exited with status 3 on web-1: OSError: no route to host");
  assertStringIncludes(file.text, "Last lines of stderr:\n  未找到\n  ***\n");
  assert((file.uptime_ms ?? 0) > 1000, "it had run for two seconds");
  assertEquals(await supervisord.stateOf("file"), "RUNNING");

  const [redirected] = document("redirected").tails;
  assertEquals([redirected?.stream, redirected?.late], ["stdout", false]);
  assertEquals(redirected?.lines.slice(-2), [LINES[3], "said to stdout"]);
  assertStringIncludes(
    document("redirected").text,
    "supervisorctl tail redirected:redirected stdout",
  );

  for (const name of ["none", "quiet"]) {
    assertEquals(document(name).tails, []);
    assertEquals(callOf(supervisord, name)?.args, ["none"]);
  }
  const streams = document("both").tails.map(({ stream, lines }) => [stream, lines.at(-1)]);
  assertEquals(streams, [["stderr", LINES[3]], ["stdout", "said to stdout"]]);

  const state = ["superbell.db", "superbell.db-wal"].map((name) =>
    `${supervisord.dir}/state/${name}`
  );
  assertNoSecretsIn(
    new Map([
      ["superbell's log", supervisord.listenerLog()],
      ...state.map((path): [string, string] => [path, latin1(path)]),
    ]),
    [PASSWORD, CARD],
  );
  assert(!supervisord.listenerLog().includes("no route to host"), "a program's words in our log");
});

Deno.test("the lines of a program that has started again and writes on are not told as its last", async () => {
  const token = "e2e-tail-token-2718";
  await using robot = startRobot({ token });
  await using supervisord = await startSupervisord({
    // What is read two seconds later must end where the log did.
    config: `
language: zh
state_dir: "{dir}/state"
channels:
  oncall: { type: dingtalk, token: { env: TOKEN }, endpoint: "${robot.endpoint}", digest: 2s }
rules:
  - { name: crash, on: crash, to: oncall }
`,
    environment: { TOKEN: token },
    files: { "dies.sh": DIES },
    programs: program("again", "stderr_logfile={dir}/again.err"),
  });
  await supervisord.ctl("start", "again");
  const { text } = await supervisord.until("the message", () => robot.messages[0]);
  assertStringIncludes(text, "again 意外退出，退出码 3");
  assertStringIncludes(text, "：OSError: no route to host\n");
  assertStringIncludes(text, "stderr 最后几行：\n  old\n  未找到\n  card");
  assert(!text.includes("started again"), text);
  assertStringIncludes(latin1(`${supervisord.dir}/again.err`), "started again");
});

const NOBODY = 65534;

Deno.test({
  name: "as a user who may not read the log, superbell asks supervisord for the last lines",
  ignore: Deno.uid() !== 0, // only root can start somebody else
  async fn() {
    // What that user may see: a folder of his own, and the way to supervisord's socket.
    using place = makePlace();
    Deno.chmodSync(place.dir, 0o755);
    Deno.copyFileSync(executable(), `${place.dir}/superbell`);
    Deno.mkdirSync(`${place.dir}/state`);
    Deno.chownSync(`${place.dir}/state`, NOBODY, NOBODY);
    await using hook = startHttpServer(() => Response.json({}));
    place.write(
      "superbell.yaml",
      `
language: en
state_dir: "{dir}/state/superbell"
channels:
  hook: { type: webhook, url: "${hook.origin}/" }
rules:
  - { name: crash, on: crash, to: hook }
`,
      0o644,
    );
    using folder = makePlace();
    Deno.chmodSync(folder.dir, 0o711);
    await using supervisord = await startSupervisord({
      dir: folder.dir,
      config: "",
      keys: {
        command: `${place.dir}/superbell listen -c ${place.dir}/superbell.yaml`,
        user: String(NOBODY),
      },
      files: {
        "secret.log": "", // root's alone; supervisord writes on into it
        "dies.sh": `#!/bin/sh
[ -e {dir}/died ] && { sleep 0.2; echo "started again" >&2; exec sleep 1000; }
touch {dir}/died
sleep 2
printf 'first\\n余额不足\\033[0m\\n' >&2
sleep 0.2
exit 3
`,
      },
      programs: `
[unix_http_server]
chmod=0777

[program:secret]
command={dir}/dies.sh
autostart=false
autorestart=true
stderr_logfile={dir}/secret.log
`,
    });
    await supervisord.ctl("start", "secret");
    const { body } = await supervisord.until("the message", () => hook.requests[0]);
    assertEquals(Deno.statSync(`${folder.dir}/secret.log`).mode! & 0o777, 0o600);
    const lines = ["first", "余额不足"];
    assertEquals(JSON.parse(body).tails, [{ stream: "stderr", lines, late: false }]);
  },
});

function callOf({ dir }: Supervisord, name: string) {
  return recordedCalls(dir).find(({ document }) => document.process?.name === name);
}

/** Waits until all of them are told; answers how to get what was told. */
async function told(supervisord: Supervisord, names: readonly string[]) {
  await supervisord.until(
    "every end to be told",
    () => names.every((name) => callOf(supervisord, name) !== undefined),
  );
  return (name: string) => callOf(supervisord, name)!.document;
}

function latin1(path: string): string {
  return new TextDecoder("latin1").decode(Deno.readFileSync(path));
}
