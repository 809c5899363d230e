// The commands from the sources, as a user types them: words, exit codes, no stack traces.

import type { ChannelState } from "../../src/outbox/channel_states.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { StateLock } from "../../src/outbox/state_dir.ts";
import { parseSettings } from "../../src/settings.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { startTcpServer } from "../support/http_server.ts";
import { ALERT } from "../support/message.ts";
import { entryFor } from "../support/outbox_bench.ts";

const ROOT = new URL("../../", import.meta.url);
const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const COMMANDS = [
  ...["listen", "check", "test", "simulate", "status", "history", "ack", "silence", "outbox"],
  ...["init", "version"],
];

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs main.ts; what goes wrong must be told in sentences. */
async function superbell(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", new URL("main.ts", ROOT).pathname, ...args],
    cwd: "/",
    env: { LANG: "C", TZ: "UTC", SUPERVISOR_SERVER_URL: "", SUPERBELL_CONFIG: "", ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const ran = { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  assert(!/^\s+at /m.test(ran.stderr + ran.stdout), `a stack trace:\n${ran.stderr}`);
  return ran;
}

const GOOD = `
state_dir: STATE
time_zone: UTC
channels:
  hook: { type: webhook, url: { env: HOOK } }
  spare: { type: webhook, url: "https://example.com/literal-t0ken" }
rules:
  - { name: crash, on: [crash, fatal], to: hook }
`;
const env = { HOOK: "https://example.com/t0ken-from-env" };

function configIn(folder: Folder, mode = 0o600): string {
  return folder.write("superbell.yaml", GOOD.replace("STATE", folder.path), mode);
}

for (const args of [["--help"], ["-h"], ["help"], ["help", "--help"]]) {
  Deno.test(`superbell ${args.join(" ")} lists the commands and exits 0`, async () => {
    const { code, stdout, stderr } = await superbell(args);
    if (args[1] === "--help") return; // a word after help is a command's name
    assertEquals([code, stderr], [0, ""]);
    for (const name of COMMANDS) assertMatch(stdout, new RegExp(`^  ${name} `, "m"));
  });
}

Deno.test("superbell without arguments lists the commands and exits 2", async () => {
  const { code, stdout } = await superbell([]);
  assertEquals(code, 2);
  assertMatch(stdout, /^Usage: superbell COMMAND/m);
});

for (const name of COMMANDS) {
  Deno.test(`superbell ${name} --help tells its options, the same as help ${name}`, async () => {
    const [asked, helped] = await Promise.all([
      superbell([name, "--help"]),
      superbell(["help", name]),
    ]);
    assertEquals([asked.code, asked.stderr], [0, ""]);
    assertMatch(asked.stdout, new RegExp(`^Usage: superbell ${name}`));
    assertEquals(asked.stdout, helped.stdout);
    for (const line of asked.stdout.split("\n")) assert(line.length <= 100, line);
  });
}

/** Arguments, exit code, stderr. */
const MISTAKES: readonly [readonly string[], string][] = [
  [["chekc"], 'superbell: unknown command "chekc"; did you mean "check"?\nSee: superbell --help\n'],
  [["zzzzzzz"], 'superbell: unknown command "zzzzzzz"\nSee: superbell --help\n'],
  [
    ["help", "outbxo"],
    'superbell: unknown command "outbxo"; did you mean "outbox"?\nSee: superbell --help\n',
  ],
  [
    ["check", "--confg", "x"],
    'superbell check: unknown option --confg; did you mean "--config"?\nSee: superbell check --help\n',
  ],
  [["check", "-c"], "superbell check: --config needs a value\nSee: superbell check --help\n"],
  [
    ["check", "-c", "a", "-c", "b"],
    "superbell check: --config was given more than once\nSee: superbell check --help\n",
  ],
  [["check", "words"], 'superbell check: unexpected "words"\nSee: superbell check --help\n'],
  [["version", "1"], 'superbell version: unexpected "1"\nSee: superbell version --help\n'],
  [
    ["init", "everything"],
    'superbell init: unknown part "everything"; expected section or config\nSee: superbell init --help\n',
  ],
  [
    ["outbox", "lst"],
    'superbell outbox: unknown action "lst"; did you mean "list"?\nSee: superbell outbox --help\n',
  ],
  [
    ["outbox", "drop", "--all", "--state", "dead"],
    "superbell outbox: drop takes no --state; it takes --all, --channel\nSee: superbell outbox --help\n",
  ],
  [
    ["check", "-c", "/nonexistent.yaml"],
    "/nonexistent.yaml: cannot be read: there is no such file\n",
  ],
  [
    ["check"],
    "superbell check: no configuration file: give one with -c FILE or $SUPERBELL_CONFIG, or create superbell.yaml or /etc/superbell.yaml; superbell init prints one to start from\nSee: superbell check --help\n",
  ],
  [
    ["listen", "-c", "/nonexistent.yaml"],
    "superbell listen must be started by supervisord, not by hand: name it in command= of an [eventlistener:superbell] section (superbell init prints one); to try the channels use superbell test\n",
  ],
  [
    ["-c", "/nonexistent.yaml"],
    "superbell listen must be started by supervisord, not by hand: name it in command= of an [eventlistener:superbell] section (superbell init prints one); to try the channels use superbell test\n",
  ],
];
for (const [args, stderr] of MISTAKES) {
  Deno.test(`superbell ${args.join(" ")} explains the mistake and exits 2`, async () => {
    assertEquals(await superbell(args), { code: 2, stdout: "", stderr });
  });
}

Deno.test("superbell version prints the version and the platform", async () => {
  for (const word of ["version", "--version", "-V"]) {
    const { code, stdout, stderr } = await superbell([word]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /^superbell \S+ \(commit \w+(, with local changes)?\) linux-\w+, Deno [\d.]+\n$/,
    );
  }
});

Deno.test("superbell check is content with a good configuration and says what it found", async () => {
  using folder = new Folder();
  const path = configIn(folder);
  const ran = await superbell(["check", "-c", path], env);
  assertEquals(ran, {
    code: 0,
    stderr: `warning: ${path}: channels.spare: no rule sends to this channel\n`,
    stdout: `${path}: no problems; 2 channels, 1 rule
  rule crash: on crash, fatal to hook
  the [eventlistener:…] section must have events=PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,TICK_60
`,
  });
  const byVariable = await superbell(["check"], { ...env, SUPERBELL_CONFIG: path });
  assertEquals(byVariable, ran);
});

Deno.test("superbell test says of a service that does not answer what the listener says of it", async () => {
  using folder = new Folder();
  await using silent = startTcpServer(() => {});
  const config = folder.write(
    "superbell.yaml",
    `channels:\n  hook: { type: webhook, url: "${silent.origin}/x1y2z3", timeout: 1s }\n` +
      "rules: [{ name: crash, on: [crash], to: [hook] }]\n",
  );
  const { code, stdout } = await superbell(["test", "-c", config]);
  assertEquals(code, 1);
  assertStringIncludes(
    stdout,
    "no answer within the time allowed (timeout 1s) (superbell would try again)\n",
  );
});

Deno.test("superbell check warns of a secret that everybody can read, without showing it", async () => {
  using folder = new Folder();
  Deno.chmodSync(folder.path, 0o755);
  const { code, stderr, stdout } = await superbell(["check", "-c", configIn(folder, 0o644)], env);
  assertEquals(code, 0);
  assertStringIncludes(
    stderr,
    "holds a secret (channels.spare.url) and can be read by every user of this host",
  );
  assert(!(stderr + stdout).includes("t0ken"));
});

Deno.test("superbell check prints every problem and exits 2", async () => {
  const path = new URL("tests/fixtures/config/bad_rules.yaml", ROOT).pathname;
  const golden = Deno.readTextFileSync(path.replace(/yaml$/, "txt"));
  const { code, stdout, stderr } = await superbell(["check", "-c", path]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr.replaceAll(path, "bad_rules.yaml"), golden);
});

Deno.test("superbell listen exits 2 and writes nothing to stdout with a bad configuration", async () => {
  const path = new URL("tests/fixtures/config/bad_rules.yaml", ROOT).pathname;
  const { code, stdout } = await superbell(["listen", "-c", path], {
    SUPERVISOR_SERVER_URL: "unix:///none",
  });
  assertEquals([code, stdout], [2, ""]);
});

Deno.test("superbell init prints a configuration that our own parser accepts", async () => {
  const { code, stdout } = await superbell(["init", "config"]);
  assertEquals(code, 0);
  const settings = parseSettings(stdout, {
    path: "superbell.yaml",
    env: () => undefined,
    readFile: () => ({ text: "0123456789abcdef\n" }),
  });
  const [rule, ...others] = settings.rules;
  assertEquals(rule?.on.slice(0, 4), ["crash", "fatal", "flapping", "gap"]);
  assertEquals([rule?.to, others], [["oncall"], []]);
  assertEquals(settings.warnings, []);
});

Deno.test("superbell init prints a section that Python's configparser accepts", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  const { code, stdout } = await superbell(["init", "section", "-c", config], env);
  assertEquals(code, 0);
  // As supervisor/options.py reads it: ";" begins a comment, also behind a blank.
  const script = `
import configparser, json, sys
parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
parser.read_string(sys.stdin.read())
print(json.dumps({name: dict(parser.items(name)) for name in parser.sections()}))`;
  const child = new Deno.Command("python3", {
    args: ["-c", script],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdout));
  await writer.close();
  const sections = JSON.parse(new TextDecoder().decode((await child.output()).stdout));
  assertEquals(Object.keys(sections), ["eventlistener:superbell"]);
  const section = sections["eventlistener:superbell"];
  assert(section.command.endsWith(` listen -c ${config}`), section.command);
  delete section.command;
  assertEquals(section, {
    events: "PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,TICK_60",
    buffer_size: "1000",
    priority: "-100",
    stdout_logfile: "NONE",
    stderr_logfile: "/var/log/superbell.log",
    stderr_logfile_maxbytes: "10MB",
    stderr_logfile_backups: "3",
    autostart: "true",
    autorestart: "true",
    stopwaitsecs: "12",
  });
});

Deno.test("superbell init names a file that supervisord could not be told of", async () => {
  using folder = new Folder();
  const config = folder.write("a ;b.yaml", Deno.readTextFileSync(configIn(folder)));
  const { code, stderr } = await superbell(["init", "section", "-c", config], env);
  assertEquals(code, 2);
  assertMatch(stderr, /^superbell init: supervisord cannot be told of ".*a ;b\.yaml": .* comment/);
});

/** An outbox with 1 waiting, 2 delivered, 3 dead. */
function fillOutbox(folder: Folder): void {
  const outbox = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
  const entry = (id: string, channel: string) => ({ alert: { ...ALERT, id }, channel });
  outbox.enqueue([entry("aaaaaaaaaaaa", "hook")], NOW);
  for (const [index, outcome] of (["delivered", "rejected"] as const).entries()) {
    outbox.enqueue([entry(`${index}`.repeat(12), "spare")], NOW);
    const claim = outbox.claim("spare", { nowMs: NOW, leaseMs: 1000 })!;
    const attempt = { atMs: NOW, tookMs: 250, outcome, reason: `HTTP ${200 + index * 201}` };
    outbox.settle(claim, { attempt });
  }
  outbox.close();
}

const TITLE = "web:api exited unexpectedly on node-7";
const LIST = `1  2026-11-21 02:00:00 +00:00  waiting    hook   ${TITLE}  (0 attempts)
2  2026-11-21 02:00:00 +00:00  delivered  spare  ${TITLE}  (1 attempt: HTTP 200)
3  2026-11-21 02:00:00 +00:00  dead       spare  ${TITLE}  (1 attempt: HTTP 401)
1 waiting, 1 delivered, 1 dead, 0 dropped, 0 rerouted
`;

/** What stderr says of the folder, in which no listener runs. */
const idle = (folder: Folder) =>
  `no listener uses "${folder.path}" now: nothing in it is sent until one does\n`;

Deno.test("superbell outbox lists, shows, retries and drops entries of a real outbox", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  const outbox = (...args: string[]) => superbell(["outbox", ...args, "-c", config], env);
  assertEquals(await outbox("list"), {
    code: 1,
    stdout: "",
    stderr: `superbell outbox: there is no outbox yet: no file "${folder.path}/superbell.db" ` +
      `(the listener creates it)\n`,
  });
  fillOutbox(folder);
  assertEquals(await outbox("list"), { code: 0, stdout: LIST, stderr: idle(folder) });
  assertEquals((await outbox()).stdout, LIST);
  const [waiting, , dead, counts] = LIST.split("\n");
  const alone = (line: string) => `${line.replace(/(waiting|dead) +/, "$1  ")}\n${counts}\n`;
  assertEquals((await outbox("list", "--state", "dead")).stdout, alone(dead!));
  assertEquals(
    (await outbox("list", "--channel", "hook")).stdout,
    alone(waiting!.replace("hook ", "hook")),
  );
  assertEquals((await outbox("list", "--limit", "1")).stdout, alone(dead!));

  const shown = await outbox("show", "3");
  assertEquals(shown.code, 0);
  assertMatch(shown.stdout, /^3 {2}2026-11-21 .* dead {2}spare/);
  assertStringIncludes(shown.stdout, "\n  Host: node-7 (10.0.0.7)\n");
  assertStringIncludes(
    shown.stdout,
    "  Alert: 111111111111\n\n2026-11-21 02:00:00 +00:00  refused (took 250ms), not to be tried again: HTTP 401\n",
  );

  assertEquals(await outbox("retry", "3", "2", "3", "99"), {
    code: 1,
    stdout: "1 of 3 entries will be sent again\n",
    stderr: `entry 2 is delivered already\nthere is no entry 99\n${idle(folder)}`,
  });
  assertEquals((await outbox("retry", "--all")).stdout, "0 of 0 entries will be sent again\n");
  assertEquals(
    (await outbox("drop", "--all", "--channel", "spare")).stdout,
    "1 of 1 entry dropped\n",
  );
  assertEquals(await outbox("drop", "1", "2", "3"), {
    code: 1,
    stdout: "1 of 3 entries dropped\n",
    stderr: `entry 2 is delivered already\nentry 3 is dropped already\n${idle(folder)}`,
  });
  assertEquals(
    (await outbox("list")).stdout.split("\n").at(-2),
    "0 waiting, 1 delivered, 0 dead, 2 dropped, 0 rerouted",
  );
});

Deno.test("superbell outbox says what keeps a channel from sending", async () => {
  using folder = new Folder();
  fillOutbox(folder);
  const config = configIn(folder);
  const shown = async (changes: Partial<ChannelState>) => {
    const outbox = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
    outbox.channels.write({
      name: "hook",
      lastAtMs: NOW,
      lastOutcome: "retry",
      lastReason: "HTTP 503",
      failures: 0,
      failingSinceMs: undefined,
      toldAtMs: undefined,
      toldSinceMs: undefined,
      givenUp: 0,
      held: undefined,
      ...changes,
    });
    outbox.close();
    const { stdout } = await superbell(["outbox", "show", "1", "-c", config], env);
    return stdout;
  };
  assertMatch(await shown({}), /\nnext try as soon as its channel can be used\n$/);
  assertMatch(
    await shown({ failingSinceMs: NOW }),
    /\nits channel fails since 2026-11-21 02:00:00 .*: HTTP 503\n$/,
  );
  const held = { untilMs: Date.now() + 60 * 60_000, reason: "no more than 18 messages in 1m" };
  const text = await shown({ held });
  assertMatch(text, /\nits channel may not send before 20.*: no more than 18 messages in 1m\n$/);
  assertMatch(text, /\(0 attempts; waits (1h|59m\d*s?): no more than 18 messages in 1m\)/);
});

Deno.test("superbell outbox says nothing of the listener while one runs", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  fillOutbox(folder);
  using lock = new StateLock(folder.path);
  lock.take();
  assertEquals(await superbell(["outbox", "-c", config], env), {
    code: 0,
    stdout: LIST,
    stderr: "",
  });
});

Deno.test("superbell outbox list and show --json hold every key, and times as ISO 8601", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  fillOutbox(folder);
  const read = async (...args: string[]) =>
    JSON.parse((await superbell(["outbox", ...args, "--json", "-c", config], env)).stdout);
  const [waiting, , dead] = await read("list");
  const { alert, ...rest } = waiting;
  assertEquals(rest, {
    id: 1,
    channel: "hook",
    state: "waiting",
    created_at: "2026-11-21T02:00:00.000Z",
    waiting_since: "2026-11-21T02:00:00.000Z",
    next_try_at: "2026-11-21T02:00:00.000Z",
    attempt_began_at: null,
    attempt_count: 0,
    settled_at: null,
    reason: null,
  });
  assertEquals([alert.id, alert.title, alert.at], [
    "aaaaaaaaaaaa",
    TITLE,
    "2026-11-21T02:11:30.000Z",
  ]);
  const page = Deno.readTextFileSync(new URL("docs/commands.md", ROOT));
  const keys = Object.keys({ ...rest, alert, attempts: [] });
  assertEquals(keys.filter((key) => !new RegExp(`\`${key}(\\[\\])?\``).test(page)), []);
  assertEquals(await read("show", "3"), {
    ...dead,
    state: "dead",
    waiting_since: null,
    next_try_at: null,
    attempt_count: 1,
    settled_at: "2026-11-21T02:00:00.250Z",
    reason: "HTTP 401",
    attempts: [{
      at: "2026-11-21T02:00:00.000Z",
      took_ms: 250,
      outcome: "rejected",
      reason: "HTTP 401",
      other_entries: 0,
    }],
  });
});

Deno.test("superbell outbox speaks each channel's language, in columns that line up", async () => {
  using folder = new Folder();
  const config = folder.write(
    "superbell.yaml",
    `
state_dir: ${folder.path}
time_zone: Asia/Shanghai
channels:
  值班: { type: webhook, url: { env: HOOK }, language: zh }
  mail: { type: webhook, url: { env: HOOK } }
rules:
  - { name: crash, on: [crash], to: [值班, mail] }
`,
  );
  {
    const stored = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
    const digest = [entryFor("a", "值班"), entryFor("b", "值班")];
    stored.enqueue([...digest, entryFor("a", "mail")], NOW);
    stored.settle(stored.claim("值班", { nowMs: NOW, leaseMs: 1000, most: 2 })!, {
      attempt: { atMs: NOW, tookMs: 250, outcome: "retry", reason: "拒绝\x1b[2J\nno" },
      nextTry: () => NOW,
    });
    stored.close();
  }
  const outbox = (...args: string[]) => superbell(["outbox", ...args, "-c", config], env);
  assertEquals(
    (await outbox()).stdout,
    `\
1  2026-11-21 10:00:00 +08:00  waiting  值班  web:api 意外退出，主机 node-7  (1 attempt: 拒绝 [2J no)
2  2026-11-21 10:00:00 +08:00  waiting  值班  web:api 意外退出，主机 node-7  (1 attempt: 拒绝 [2J no)
3  2026-11-21 10:00:00 +08:00  waiting  mail  ${TITLE}  (0 attempts)
3 waiting, 0 delivered, 0 dead, 0 dropped, 0 rerouted
`,
  );
  const { stdout } = await outbox("show", "2");
  assertStringIncludes(stdout, "\n  进程：web:api\n");
  assertStringIncludes(
    stdout,
    "2026-11-21 10:00:00 +08:00  failed (took 250ms), to be tried again, in one message with 1 other entry: 拒绝 [2J no\n",
  );
  assertMatch(stdout, /\nnext try as soon as its channel can be used\n$/);
  const unknown = await outbox("retry", "--all", "--channel", "值斑");
  assertEquals(unknown, {
    code: 2,
    stdout: "",
    stderr: 'superbell outbox: no channel "值斑"; did you mean "值班"?\n' +
      "See: superbell outbox --help\n",
  });
});

/** When the claim was made, until when, and whether a listener runs; the end of what show says. */
const UNDER_WAY: Record<
  string,
  { readonly sinceMs: number; readonly leaseMs: number; readonly runs: boolean; says: RegExp }
> = {
  "that the listener makes": {
    sinceMs: -2000,
    leaseMs: 60_000,
    runs: true,
    says: /being sent since then\n$/,
  },
  "that the listener before made": {
    sinceMs: -20_000,
    leaseMs: 60_000,
    runs: true,
    says: /cut off: the listener ended in mid-attempt; sent again not before \d{4}-.*\n$/,
  },
  "while no listener runs": {
    sinceMs: -2000,
    leaseMs: 60_000,
    runs: false,
    says: /cut off: the listener ended in mid-attempt; sent again as soon as it runs again\n$/,
  },
  "whose claim is over": {
    sinceMs: -60_000,
    leaseMs: 1000,
    runs: true,
    says: /cut off: .*; sent again not before \d{4}-.*\n$/,
  },
};
for (const [what, { sinceMs, leaseMs, runs, says }] of Object.entries(UNDER_WAY)) {
  Deno.test(`superbell outbox show and retry tell of an attempt ${what}`, async () => {
    using folder = new Folder();
    const config = configIn(folder);
    const nowMs = Date.now();
    const stored = Outbox.open(folder.file("superbell.db"), { nowMs });
    stored.enqueue([entryFor("a", "hook")], nowMs + sinceMs);
    stored.claim("hook", { nowMs: nowMs + sinceMs, leaseMs });
    stored.close();
    using lock = new StateLock(folder.path, { pid: 1, sinceMs: nowMs - 10_000, version: "x" });
    if (runs) lock.take();
    const outbox = (...args: string[]) => superbell(["outbox", ...args, "-c", config], env);
    const shown = await outbox("show", "1");
    assertMatch(shown.stdout, says);
    const isBeingSent = says.source.startsWith("being");
    assertEquals((await outbox()).stdout.includes("(0 attempts; being sent)"), isBeingSent);
    const { code, stdout, stderr } = await outbox("retry", "1");
    assertEquals([code, stdout], [1, "0 of 1 entry will be sent again\n"]);
    assertMatch(
      stderr,
      isBeingSent
        ? /^entry 1 is being sent now; superbell outbox show 1 will tell how that ends\n$/
        : /^entry 1 was being sent when the listener ended; it is sent again by itself\n/,
    );
  });
}

/** Arguments, exit code, the line on stderr. */
const OUTBOX_MISTAKES: readonly [readonly string[], number, string][] = [
  [["show"], 2, "show takes one ID; list prints them"],
  [["show", "1", "2"], 2, "show takes one ID; list prints them"],
  [["show", "99"], 1, "there is no entry 99"],
  [["show", "abc"], 2, '"abc" is not the number of an entry; superbell outbox list prints them'],
  [["show", "0x1"], 2, '"0x1" is not the number of an entry; superbell outbox list prints them'],
  [["show", "1e1"], 2, '"1e1" is not the number of an entry; superbell outbox list prints them'],
  [["list", "1"], 2, "list takes no ID; show does"],
  [["list", "--state", "daed"], 2, 'unknown state "daed"; did you mean "dead"?'],
  [["list", "--limit", "many"], 2, '--limit takes a whole number from 1 on, found "many"'],
  [["list", "--limit", "0"], 2, '--limit takes a whole number from 1 on, found "0"'],
  [["list", "--channel", "hok"], 2, 'no channel "hok"; did you mean "hook"?'],
  [["list", "--channel", "x"], 2, 'no channel "x"; known are: hook, spare'],
  [["drop", "--all", "--channel", "sprae"], 2, 'no channel "sprae"; did you mean "spare"?'],
  [["retry"], 2, "retry takes either IDs or --all"],
  [["drop", "1", "--all"], 2, "drop takes either IDs or --all"],
];

Deno.test("superbell outbox explains every mistake", async (t) => {
  using folder = new Folder();
  const config = configIn(folder);
  fillOutbox(folder);
  for (const [args, code, sentence] of OUTBOX_MISTAKES) {
    await t.step(args.join(" "), async () => {
      const ran = await superbell(["outbox", ...args, "-c", config], env);
      const see = code === 2 ? "See: superbell outbox --help\n" : "";
      assertEquals(ran, { code, stdout: "", stderr: `superbell outbox: ${sentence}\n${see}` });
    });
  }
});

Deno.test("superbell outbox explains an outbox that cannot be opened", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  Deno.mkdirSync(folder.file("superbell.db"));
  const { code, stdout, stderr } = await superbell(["outbox", "list", "-c", config], env);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(stderr, `superbell outbox: "${folder.path}/superbell.db" is not a file\n`);
});

Deno.test("superbell status prints the screen, and --json the same for programs", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  fillOutbox(folder);
  const status = (...args: string[]) => superbell(["status", ...args, "-c", config], env);
  const { code, stdout, stderr } = await status();
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^listener {5}DOES NOT RUN, and none has run with state_dir ".*"\n/);
  assertMatch(stdout, /\noutbox {7}1 waiting, the oldest since 2026-11-21 02:00:00 \+00:00 \(/);
  assertMatch(
    stdout,
    /\n\nno listener uses state_dir ".*" and nothing of it is sent: supervisorctl status superbell;/,
  );
  const json = JSON.parse((await status("--json")).stdout);
  assertEquals([json.config, json.outbox.dead, json.channels.length], [config, 1, 2]);
  assertEquals(
    (await status("--al")).stderr.split("\n")[0],
    'superbell status: unknown option --al; did you mean "--all"?',
  );
});

Deno.test("the commands that look into state_dir do so although the rest has problems", async () => {
  using folder = new Folder();
  const state = folder.file("state");
  Deno.mkdirSync(state);
  Outbox.open(`${state}/superbell.db`, { nowMs: 0 }).close();
  const text = `state_dir: ${state}\nchannels:\n  hook: { type: webhok }\nrules: 7\n`;
  const config = folder.write("superbell.yaml", text);
  for (
    const command of [["status"], ["outbox", "list"], ["history"], ["silence", "list"], ["ack"]]
  ) {
    const { code, stderr } = await superbell([...command, "-c", config]);
    assertEquals([command, code], [command, 0], stderr);
    assertStringIncludes(stderr, `" has 2 problems (superbell check -c ${config} tells them)`);
    assertStringIncludes(stderr, `"${state}"`);
  }
  // No YAML at all, as one forgotten quote makes it: what can be read of it says where to look.
  const broken = folder.write("broken.yaml", `${text}"oops\n  - : [`);
  for (
    const command of [["status"], ["outbox", "list"], ["history"], ["silence", "list"], ["ack"]]
  ) {
    const { code, stdout, stderr } = await superbell([...command, "-c", broken]);
    assertEquals([command, code], [command, 0], stderr);
    assertStringIncludes(
      stderr,
      `"${broken}" is not valid YAML (superbell check -c ${broken} tells where): its channels and ` +
        `rules are not known here; this is about state_dir "${state}"\n`,
    );
    assert(stdout !== "");
  }
  // Where it cannot be seen which directory is meant, none is guessed.
  for (
    const line of [
      'state_dir: "/oops',
      `state_dir : ${state}`,
      `"state_dir": ${state}`,
      `state_dir:\n  ${state}`,
      `  state_dir: ${state}`,
    ]
  ) {
    const worse = folder.write("worse.yaml", `${line}\n"oops\n`);
    assertEquals([line, (await superbell(["status", "-c", worse])).code], [line, 2]);
  }
  const unknown = folder.write("other.yaml", "state_dir: relative\nchannels: {}\nrules: []\n");
  const { code, stderr } = await superbell(["status", "-c", unknown]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "state_dir: ");
});

Deno.test("superbell status exits 1 and says what would help when the outbox cannot be read", async () => {
  using folder = new Folder();
  const config = configIn(folder);
  folder.write("superbell.db", "no database".repeat(500));
  const ran = await superbell(["status", "-c", config], env);
  assertEquals(ran.code, 1);
  assertMatch(ran.stdout, /^listener {5}DOES NOT RUN/);
  assertMatch(ran.stderr, /^superbell status: the outbox ".*" is damaged; restart the listener, /);
  const json = await superbell(["status", "--json", "-c", config], env);
  assertEquals([json.code, JSON.parse(json.stdout).outbox], [1, null]);
});
