// One crash, told by every type of channel: real supervisord, the compiled executable, a robot
// that checks signatures, SMTP servers with STARTTLS and with TLS, a command and a webhook.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import { startHttpServer } from "../support/http_server.ts";
import { failingProgram } from "../support/programs.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { startRobot } from "../support/robot.ts";
import { assertNoSecrets } from "../support/secrets.ts";
import { startSmtpServer } from "../support/smtp_server.ts";
import { startSupervisord } from "../support/supervisord.ts";

const TOKEN = "e2e-token-3b1f0c7a9d";
const SECRET = "SECe2e5d1c0b7f4a93";
const PASSWORD = "e2e pass/word+7";
const HOOK_PATH = "/hooks/e2e-path-9f31c5";

Deno.test("a crash reaches DingTalk, mail, a command and a webhook", async () => {
  await using certificates = await makeCertificates();
  const tls = { certificate: certificates.certFile, key: certificates.keyFile };
  const login = { username: "ops@example.com", password: PASSWORD };
  await using starttls = await startSmtpServer({ security: "starttls", ...tls, login });
  await using implicit = await startSmtpServer({ security: "tls", ...tls, login });
  await using robot = startRobot({ token: TOKEN, secret: SECRET });
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: `
language: en
host: { name: web-1, address: lo }
state_dir: "{dir}/state"
log_level: debug
channels:
  oncall:
    type: dingtalk
    token: { env: DINGTALK_TOKEN }
    secret: { file: "{dir}/dingtalk.secret" }
    endpoint: ${robot.endpoint}
  mail:
    type: email
    host: localhost
    port: ${starttls.port}
    security: starttls
    ca_file: ${certificates.caFile}
    username: ops@example.com
    password: { env: SMTP_PASSWORD }
    to: [admin@example.com]
  mail-tls:
    type: email
    host: 127.0.0.1
    port: ${implicit.port}
    security: tls
    ca_file: ${certificates.caFile}
    username: ops@example.com
    password: { env: SMTP_PASSWORD }
    to: [admin@example.com, boss@example.com]
  script:
    type: exec
    command: ["{dir}/alert", -m, "{summary}", "{process}", "{pid}", "{host}", "{address}"]
  inventory:
    type: webhook
    url: { file: "{dir}/hook.secret" }
rules:
  - name: crash
    on: [crash]
    to: [oncall, mail, mail-tls, script, inventory]
`,
    files: {
      "dingtalk.secret": `${SECRET}\n`,
      "hook.secret": `${hook.origin}${HOOK_PATH}\n`,
      alert: RECORDER,
    },
    environment: { DINGTALK_TOKEN: TOKEN, SMTP_PASSWORD: PASSWORD },
    keys: { stdout_logfile: "{dir}/listener.stdout" },
    programs: failingProgram("api") + "[group:web]\nprograms=api\n",
  });

  assertEquals((await supervisord.ctl("start", "web:api")).code, 0);
  const told = await supervisord.until("the alert at all five", () => {
    const [message] = robot.messages;
    const [call] = recordedCalls(supervisord.dir);
    const [request] = hook.requests;
    const [mail] = starttls.mails;
    const [mailTls] = implicit.mails;
    return message && call && request && mail && mailTls &&
      { message, call, request, mail, mailTls };
  });

  const pid = supervisord.pidOf("api");
  const title = "web:api exited with status 3 on web-1";
  const texts = { robot: told.message.text, mail: told.mail.text, mailTls: told.mailTls.text };
  for (const [where, text] of Object.entries(texts)) {
    for (const part of [title, "web-1 (127.0.0.1)", "web:api", `PID: ${pid}`]) {
      assertStringIncludes(text, part, where);
    }
  }
  assertEquals(told.mail.subject, title);
  assertEquals(told.mail.to, ["admin@example.com"]);
  assertEquals(told.mailTls.to, ["admin@example.com", "boss@example.com"]);
  assertEquals([told.mail.encrypted, told.mailTls.encrypted], [true, true]);
  assertEquals([told.mail.user, told.mailTls.user], ["ops@example.com", "ops@example.com"]);
  assertEquals(told.call.args, ["-m", title, "web:api", String(pid), "web-1", "127.0.0.1"]);
  assertEquals(told.request.url.pathname, HOOK_PATH);

  const document = JSON.parse(told.request.body);
  assertEquals(document, told.call.document);
  assertEquals(document.process, { name: "api", group: "web", pid });
  assertEquals(document.host, { name: "web-1", address: "127.0.0.1" });
  assertEquals([document.supervisor, document.on, document.rule], ["e2e", "crash", "crash"]);
  assertEquals([document.expected, document.from_state], [false, "RUNNING"]);
  for (const text of [...Object.values(texts)]) assertStringIncludes(text, document.id);
  assert(Math.abs(Date.now() - Date.parse(document.at)) < 60_000, document.at);

  assertEquals(await supervisord.stateOf("superbell"), "RUNNING");
  assertEquals(supervisord.pidsOf("superbell").length, 1);
  const stdout = await Deno.readTextFile(`${supervisord.dir}/listener.stdout`);
  assertMatch(stdout, /^READY\n(RESULT 2\nOKREADY\n)+$/);

  const secrets = [TOKEN, SECRET, PASSWORD, HOOK_PATH];
  assertNoSecrets(supervisord, secrets);
  await supervisord.stop();
  assertStringIncludes(supervisord.log(), "stopped: superbell (exit status 0)");
  assertNoSecrets(supervisord, secrets);
  const counts = [robot.messages, starttls.mails, implicit.mails, hook.requests];
  assertEquals(counts.map(({ length }) => length), [1, 1, 1, 1]);
  assertEquals(recordedCalls(supervisord.dir).length, 1);
});
