// The commands from the sources, as a user types them: words, exit codes, no stack traces.

import { Outbox } from "../../src/outbox/outbox.ts";
import { parseSettings } from "../../src/settings.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const ROOT = new URL("../../", import.meta.url);
const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const COMMANDS = ["listen", "check", "test", "outbox", "init", "version"];

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
  the [eventlistener:…] section must have events=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL,TICK_60
`,
  });
  const byVariable = await superbell(["check"], { ...env, SUPERBELL_CONFIG: path });
  assertEquals(byVariable, ran);
});

Deno.test("superbell check warns of a secret that everybody can read, without showing it", async () => {
  using folder = new Folder();
  const { code, stderr, stdout } = await superbell(["check", "-c", configIn(folder, 0o644)], env);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "holds a secret and can be read by every user of this host");
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
  assertEquals(settings.rules.map(({ on, to }) => [on, to]), [[["crash", "fatal"], ["oncall"]]]);
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
    events: "PROCESS_STATE_EXITED,PROCESS_STATE_FATAL,TICK_60",
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
const LIST = `1  2026-11-21 02:00:00 +00:00  waiting  hook  ${TITLE}  (0 attempts)
2  2026-11-21 02:00:00 +00:00  delivered  spare  ${TITLE}  (1 attempt: HTTP 200)
3  2026-11-21 02:00:00 +00:00  dead  spare  ${TITLE}  (1 attempt: HTTP 401)
1 waiting, 1 delivered, 1 dead, 0 dropped
`;

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
  assertEquals(await outbox("list"), { code: 0, stdout: LIST, stderr: "" });
  assertEquals((await outbox()).stdout, LIST);
  const lines = LIST.split("\n");
  const counts = lines[3]!;
  assertEquals((await outbox("list", "--state", "dead")).stdout, `${lines[2]}\n${counts}\n`);
  assertEquals((await outbox("list", "--channel", "hook")).stdout, `${lines[0]}\n${counts}\n`);
  assertEquals((await outbox("list", "--limit", "1")).stdout, `${lines[2]}\n${counts}\n`);
  const json = JSON.parse((await outbox("list", "--json")).stdout) as { id: number }[];
  assertEquals(json.map(({ id }) => id), [1, 2, 3]);

  const shown = await outbox("show", "3");
  assertEquals(shown.code, 0);
  assertMatch(shown.stdout, /^3 {2}2026-11-21 .* dead {2}spare/);
  assertStringIncludes(shown.stdout, "\n  Host: node-7 (10.0.0.7)\n");
  assertStringIncludes(
    shown.stdout,
    "2026-11-21 02:00:00 +00:00  rejected after 250ms: HTTP 401\n",
  );

  assertEquals(await outbox("retry", "3", "2"), {
    code: 1,
    stdout: "1 of 2 entries will be sent again\n",
    stderr: "",
  });
  assertEquals((await outbox("retry", "--all")).stdout, "0 of 0 entries will be sent again\n");
  assertEquals(
    (await outbox("drop", "--all", "--channel", "spare")).stdout,
    "1 of 1 entry dropped\n",
  );
  assertEquals(
    (await outbox("list")).stdout.split("\n").at(-2),
    "1 waiting, 1 delivered, 0 dead, 1 dropped",
  );
});

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
  [["list", "--limit", "many"], 2, '--limit takes a whole number, found "many"'],
  [["list", "--limit", "0"], 2, '--limit takes a whole number, found "0"'],
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
