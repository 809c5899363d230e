// Every channel fails, and the other side repeats what it was told: no secret may come out.

import { assertEquals } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { echo, startHttpServer } from "../support/http_server.ts";
import { storedEntries } from "../support/places.ts";
import { failingProgram } from "../support/programs.ts";
import { assertNoSecrets, assertNoSecretsIn } from "../support/secrets.ts";
import { startSmtpServer } from "../support/smtp_server.ts";
import { startSupervisord } from "../support/supervisord.ts";

const TOKEN = "e2e-leak-token-a1b2c3d4e5";
const SECRET = "SECe2eleak0123456789abcdef";
const PASSWORD = `e2e "leak" päss/word+1`;
const HOOK_PATH = "/hooks/e2e-leak-path-0f0f";
const HOOK_KEY = "e2e-leak-query/key+9";
const HEADER = "e2e-leak-header-7777";
const SCRIPT_KEY = "e2e-leak-script-key-3333";
/** What the client sends to log in. */
const AUTH_PLAIN = encodeBase64(`\0ops@example.com\0${PASSWORD}`);
const SECRETS = [TOKEN, SECRET, PASSWORD, AUTH_PLAIN, HOOK_PATH, HOOK_KEY, HEADER, SCRIPT_KEY];

Deno.test("no secret in logs, outbox, argv or what the commands print, when everything fails", async () => {
  await using http = startHttpServer((request) =>
    request.url.pathname === "/robot/send"
      ? Response.json({ errcode: 310000, errmsg: `sign not match ${echo(request)}` })
      : new Response(`oh no ${echo(request)}`, { status: 500 })
  );
  await using smtp = await startSmtpServer({
    login: { username: "ops@example.com", password: "another" },
    login_reply: `535 5.7.8 no: ${AUTH_PLAIN} ${PASSWORD}`,
  });
  const environment = { TOKEN, SCRIPT_KEY };
  await using supervisord = await startSupervisord({
    config: `
language: en
state_dir: "{dir}/state"
log_level: debug
channels:
  oncall:
    type: dingtalk
    token: { env: TOKEN }
    secret: { file: "{dir}/dingtalk.secret" }
    endpoint: ${http.origin}
  mail:
    type: email
    host: 127.0.0.1
    port: ${smtp.port}
    security: none
    username: ops@example.com
    password: { file: "{dir}/smtp.secret" }
    to: [admin@example.com]
  script:
    type: exec
    command: ["{dir}/leak", -m, "{summary}"]
    environment: { API_KEY: { env: SCRIPT_KEY } }
  inventory:
    type: webhook
    url: { file: "{dir}/hook.secret" }
    headers: { Authorization: { file: "{dir}/header.secret" } }
rules:
  - { name: crash, on: [crash], to: [oncall, mail, script, inventory] }
`,
    files: {
      "dingtalk.secret": `${SECRET}\n`,
      "smtp.secret": `${PASSWORD}\n`,
      "hook.secret": `${http.origin}${HOOK_PATH}?key=${encodeURIComponent(HOOK_KEY)}\n`,
      "header.secret": `Bearer ${HEADER}\n`,
      leak: `#!/bin/sh\necho "cannot log in with $API_KEY" >&2\nexit 1\n`,
    },
    environment,
    programs: failingProgram("api"),
  });
  await supervisord.ctl("start", "api");
  const stateDir = `${supervisord.dir}/state`;
  await supervisord.until("a failure of each channel", () => {
    const entries = storedEntries(stateDir);
    return entries.length === 4 && entries.every(({ attempts }) => attempts > 0);
  });
  assertEquals(storedEntries(stateDir).filter(({ state }) => state === "delivered"), []);
  assertNoSecrets(supervisord, SECRETS);

  const config = `${supervisord.dir}/superbell.yaml`;
  const said = new Map<string, string>();
  for (
    const args of [["test"], ["check"], ["status"], ["status", "--json"], [
      "outbox",
      "list",
      "--json",
    ], ["outbox", "show", "1"]]
  ) {
    const { stdout, stderr } = await superbell([...args, "-c", config], environment);
    said.set(args.join(" "), stdout + stderr);
  }
  assertNoSecretsIn(said, SECRETS);
  await supervisord.stop();
  assertNoSecrets(supervisord, SECRETS);
});

function encodeBase64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
