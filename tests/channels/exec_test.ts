// exec: what its section may hold, what a command is given, and every way a command ends. What
// all channels share stands in conformance/.

import { type Channel, opener } from "../../src/channels/channel.ts";
import { alertDocument } from "../../src/alerts/document.ts";
import { MAX_VALUE_BYTES } from "../../src/channels/exec/message.ts";
import { exec } from "../../src/channels/exec/mod.ts";
import { parseExec } from "../../src/channels/exec/options.ts";
import { assert, assertEquals, assertLess, assertStringIncludes } from "../support/assert.ts";
import { messageOf } from "../support/message.ts";
import { openChannel, parseSection } from "../support/section.ts";

const SH = "/bin/sh";

const PROBLEMS: readonly (readonly [Record<string, unknown>, string])[] = [
  [{}, "c.command: is required and missing"],
  [
    { command: "alert.py -m {summary}" },
    'c.command: expected a list of arguments, found a string; write ["alert.py", "…", "…"]',
  ],
  [{ command: [] }, "c.command: expected at least one item, found an empty list"],
  [{ command: [SH, 8080] }, "c.command[1]: expected a string, found a number"],
  [{ command: [SH, "{proces}"] }, "c.command[1]: unknown placeholder {proces}"],
  [{ command: [SH, "\0"] }, "c.command[1]: an argument cannot hold a NUL"],
  [{ command: ["/no/such"] }, 'c.command[0]: cannot run "/no/such": no such file'],
  [{ command: ["/etc"] }, 'c.command[0]: cannot run "/etc": it is not a file'],
  [{ command: ["/etc/passwd"] }, "c.command[0]: cannot run", "it is not executable; chmod +x"],
  [{ command: ["/etc/hostname/x"] }, 'c.command[0]: cannot run "/etc/hostname/x": ENOTDIR'],
  [{ command: ["bin/alert"] }, "c.command[0]: expected an absolute path or a name to find on PATH"],
  [{ command: ["no-such-alert"] }, 'c.command[0]: "no-such-alert" is not on PATH (/usr/bin:/bin)'],
  [{ command: [SH], directory: "/no/such" }, 'c.directory: "/no/such" is not a directory'],
  [{ command: [SH], directory: "tmp" }, "c.directory: expected an absolute path"],
  [{ command: [SH], environment: { "A-B": "x" } }, "c.environment.A-B: expected a variable's name"],
  [
    { command: [SH], environment: { SUPERBELL_PID: "1" } },
    "c.environment.SUPERBELL_PID: names that begin with SUPERBELL_ are ours",
  ],
  [{ command: [SH], environment: { A: 1 } }, "c.environment.A: expected a secret"],
  [{ command: [SH], shell: true }, "c.shell: unknown key"],
].map(([config, ...parts]) => [config as Record<string, unknown>, parts.join("|")]);
for (const [config, expected] of PROBLEMS) {
  Deno.test(`parseExec() finds: ${expected}`, () => {
    const { problems } = parseSection(parseExec, config, { PATH: "/usr/bin:/bin" });
    for (const part of expected.split("|")) assertStringIncludes(problems.join("\n"), part);
    assertEquals(problems.length, 1);
  });
}

Deno.test("parseExec() finds a program on PATH and takes no other variable than those listed", () => {
  const env = { PATH: "relative:/no/such:/bin", LANG: "C.UTF-8", DINGTALK_TOKEN: "x", A: "y" };
  const { value, problems } = parseSection(parseExec, { command: ["sh"] }, env);
  assertEquals(problems, []);
  assertEquals(value, {
    program: "/bin/sh",
    args: [],
    inherited: { PATH: "relative:/no/such:/bin", LANG: "C.UTF-8" },
    environment: {},
    directory: "/",
  });
});

function open(command: readonly string[], more: Record<string, unknown> = {}): Channel {
  return openChannel(opener(exec), { command, ...more });
}

function send(channel: Channel, message = messageOf(), signal = new AbortController().signal) {
  return channel.send(message, { signal, nowMs: 0 });
}

/** Sends by a command that writes what it was given to $OUT, and answers what stands there. */
async function given(
  script: string,
  { args = [], message = messageOf(), ...more }: {
    readonly args?: readonly string[];
    readonly message?: ReturnType<typeof messageOf>;
    readonly directory?: string;
  } = {},
): Promise<string> {
  const out = await Deno.makeTempFile({ prefix: "superbell-exec-" });
  try {
    const channel = open([SH, "-c", script, "sh", ...args], {
      ...more,
      environment: { OUT: out },
    });
    assertEquals(await send(channel, message), { kind: "delivered", detail: "exit code 0" });
    return await Deno.readTextFile(out);
  } finally {
    await Deno.remove(out);
  }
}

Deno.test("exec gives each argument as one, whatever is in it", async () => {
  const nasty = `a "b" 'c' $(touch /tmp/x) ; rm * \n \0 {summary} 中`;
  const args = ["-m", "[{data}]", "", "{{host}}"];
  const message = messageOf({ text: nasty });
  assertEquals(
    await given('for a in "$@"; do printf "<%s>" "$a"; done >"$OUT"', { args, message }),
    `<-m><[${nasty.replace("\0", "\ufffd")}]><><{host}>`,
  );
});

Deno.test("exec writes the line that the tutorial's script wants", async () => {
  const args = [
    "-m",
    "[Host:{address}][Process:{process}][pid:{pid}][exited unexpectedly fromstate:{from_state}]",
  ];
  assertEquals(
    await given('printf "%s" "$2" >"$OUT"', { args }),
    "[Host:10.0.0.7][Process:web:api][pid:4242][exited unexpectedly fromstate:RUNNING]",
  );
});

Deno.test("exec gives the document on stdin", async () => {
  assertEquals(JSON.parse(await given('cat >"$OUT"')), alertDocument(messageOf()));
});

Deno.test("exec gives the message in the environment and nothing else of ours", async () => {
  const text = await given('/usr/bin/env -0 >"$OUT"', { message: messageOf({ text: "a\0\nb" }) });
  const variables = Object.fromEntries(
    text.split("\0").slice(0, -1).map((line) => line.split(/=(.*)/s, 2)),
  );
  // Set by the shell itself.
  for (const name of ["OUT", "PWD", "OLDPWD", "SHLVL", "_"]) delete variables[name];
  assertEquals(variables, {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    SUPERBELL_ADDRESS: "10.0.0.7",
    SUPERBELL_ALERT_ID: "0123456789ab",
    SUPERBELL_AT: "2026-11-21T02:11:30.000Z",
    SUPERBELL_DATA: "a\ufffd\nb",
    SUPERBELL_EVENT: "PROCESS_STATE_EXITED",
    SUPERBELL_EXIT: "",
    SUPERBELL_FROM_STATE: "RUNNING",
    SUPERBELL_GROUP: "web",
    SUPERBELL_HAPPENED: "exited unexpectedly",
    SUPERBELL_HOST: "node-7",
    SUPERBELL_INCIDENT: "",
    SUPERBELL_KIND: "",
    SUPERBELL_LANGUAGE: "en",
    SUPERBELL_LOOK: "supervisorctl tail web:api stderr",
    SUPERBELL_NAME: "api",
    SUPERBELL_ON: "crash",
    SUPERBELL_PID: "4242",
    SUPERBELL_PROCESS: "web:api",
    SUPERBELL_RESTARTS: "",
    SUPERBELL_RULE: "crash",
    SUPERBELL_SEVERITY: "",
    SUPERBELL_SUMMARY: "web:api exited unexpectedly on node-7",
    SUPERBELL_SUPERVISOR: "supervisor",
    SUPERBELL_TAIL: "",
    SUPERBELL_TEXT: messageOf({ text: "a\ufffd\nb" }).text,
    SUPERBELL_TIME: "2026-11-21 02:11:30 +00:00",
    SUPERBELL_TRIES: "",
    SUPERBELL_UPTIME: "",
  });
});

Deno.test("exec cuts an argument that the kernel would refuse", async () => {
  const args = ["{data}".repeat(100)];
  const message = messageOf({ text: "x".repeat(8000) });
  const size = await given('printf "%s" "$1" | wc -c >"$OUT"', { args, message });
  assertEquals(Number(size), MAX_VALUE_BYTES);
});

Deno.test("exec starts the command in its directory", async () => {
  assertEquals(await given('pwd >"$OUT"'), "/\n");
  assertEquals(await given('pwd >"$OUT"', { directory: "/usr" }), "/usr\n");
});

const ENDINGS: readonly (readonly [string, string, string])[] = [
  ["echo '  sent to 3 people.\n'", "delivered", "exit code 0: sent to 3 people."],
  ["exit 1", "retry", '"/bin/sh" ended with exit code 1'],
  ["echo out; echo why >&2; exit 2", "retry", '"/bin/sh" ended with exit code 2: why'],
  ["exit 64", "rejected", '"/bin/sh" ended with exit code 64 (EX_USAGE, not to be tried again)'],
  ["exit 65", "rejected", "EX_DATAERR"],
  ["exit 67", "rejected", "EX_NOUSER"],
  ["exit 69", "retry", "exit code 69"],
  ["exit 75", "retry", "exit code 75"],
  ["exit 77", "rejected", "EX_NOPERM"],
  ["exit 78", "rejected", "EX_CONFIG"],
  ["exec /no/such", "retry", "exit code 127"],
  ["kill -SEGV $$", "retry", '"/bin/sh" was killed by SIGSEGV'],
  // Its output is more than any buffer; what it does not read is more than a pipe takes.
  [
    "exec 0<&-; head -c 5000000 /dev/zero | tr '\\0' x; exit 1",
    "retry",
    `: ${"x".repeat(99)}… ${"x".repeat(99)}`,
  ],
  // A child that goes on keeps the output open.
  ["sleep 600 & echo $! >&2", "delivered", "exit code 0: "],
];
for (const [script, kind, expected] of ENDINGS) {
  Deno.test(`exec answers ${kind} after: ${script}`, async () => {
    const outcome = await send(open([SH, "-c", script]), messageOf({ text: "y".repeat(200_000) }));
    assertEquals(outcome.kind, kind, JSON.stringify(outcome));
    const said = outcome.kind === "delivered" ? outcome.detail : outcome.reason;
    assertStringIncludes(said, expected);
    if (script.startsWith("sleep")) Deno.kill(Number(said.split(": ")[1]), "SIGKILL");
  });
}

Deno.test("exec keeps the environment's secrets out of the reason, also where it is cut", async () => {
  const token = "0123456789-exec-token";
  const script = 'i=0; while [ $i -lt 30 ]; do printf "%s " "$TOKEN" >&2; i=$((i+1)); done; exit 1';
  const outcome = await send(open([SH, "-c", script], { environment: { TOKEN: token } }));
  assert(outcome.kind === "retry");
  assertEquals(outcome.reason.includes("0123"), false, outcome.reason);
  assertStringIncludes(outcome.reason, "[secret]");
});

/** A program that is there when the section is read, and what is done to it before the send. */
const STARTS: readonly (readonly [string, (path: string) => Promise<void>, string])[] = [
  ["has vanished", (path) => Deno.remove(path), "no such file"],
  ["has lost its x", (path) => Deno.chmod(path, 0o644), "it is not executable for us"],
  ["has no interpreter", (path) => Deno.writeTextFile(path, "#!/no/such\n"), "the interpreter"],
];
for (const [what, change, expected] of STARTS) {
  Deno.test(`exec answers retry when its program ${what}`, async () => {
    const path = await Deno.makeTempFile({ prefix: "superbell-exec-" });
    await Deno.writeTextFile(path, "#!/bin/sh\n");
    await Deno.chmod(path, 0o755);
    const channel = open([path]);
    await change(path);
    const outcome = await send(channel);
    assert(outcome.kind === "retry", JSON.stringify(outcome));
    assertStringIncludes(outcome.reason, `cannot start "${path}": `);
    assertStringIncludes(outcome.reason, expected);
    if (what !== "has vanished") await Deno.remove(path);
  });
}

/**
 * A script that becomes two processes, which both hold a pipe open until they die. The channel
 * is stopped as soon as both are there; answers the outcome when both are dead.
 */
async function stopped(script: string) {
  const folder = await Deno.makeTempDir({ prefix: "superbell-exec-" });
  const pipe = `${folder}/alive`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const controller = new AbortController();
  const sending = send(open([SH, "-c", script, "sh", pipe]), messageOf(), controller.signal);
  const alive = (await Deno.open(pipe)).readable.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; said.length < 2;) said += (await alive.read()).value ?? "";
  const startedAtMs = performance.now();
  controller.abort(new DOMException("time is over", "TimeoutError"));
  const outcome = await sending;
  const tookMs = performance.now() - startedAtMs;
  assertEquals((await alive.read()).done, true);
  await Deno.remove(folder, { recursive: true });
  return { outcome, tookMs };
}

const LATE = '"/bin/sh" did not end within the channel\'s timeout and was stopped';

Deno.test("exec stops a command with its children, at once", async () => {
  const child = "trap '' TERM; printf c; exec sleep 600";
  const { outcome, tookMs } = await stopped(
    `exec 3>"$1"; ${SH} -c "${child}" >&3 & echo at work >&2; printf p >&3; wait`,
  );
  assertEquals(outcome, { kind: "retry", reason: `${LATE}: at work` });
  assertLess(tookMs, 1900); // the time that a command has to end by itself is 2 s
});

Deno.test("exec kills a command that does not want to end", async () => {
  const { outcome, tookMs } = await stopped(
    `exec 3>"$1"; trap '' TERM; sleep 600 & printf pc >&3; while :; do wait; done`,
  );
  assertEquals(outcome, { kind: "retry", reason: LATE });
  assertLess(tookMs, 10_000);
});

Deno.test("exec does not take the exit code of a command that it stopped", async () => {
  const { outcome } = await stopped(
    `exec 3>"$1"; trap 'exit 0' TERM; sleep 600 & printf pc >&3; wait`,
  );
  assertEquals(outcome, { kind: "retry", reason: LATE });
});

Deno.test("exec does not wait for a child that keeps the command's input open and unread", async () => {
  // 40,000 control characters are far more than a pipe holds once they are JSON.
  const message = messageOf({ text: "\u0001".repeat(40_000) });
  const outcome = await send(open([SH, "-c", "sleep 5 <&0 >/dev/null 2>&1 & exit 0"]), message);
  assertEquals(outcome, { kind: "delivered", detail: "exit code 0" });
});
