// docs/recipes/4-mail.md: mail over TLS with a login to a list of people, with the tutorial's
// subject and body, for named groups only, and a log of every event with the time.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import { assertNoSecrets } from "../support/secrets.ts";
import { startSmtpServer } from "../support/smtp_server.ts";
import { assertSectionAsPrinted, readRecipe, startRecipe } from "./recipe.ts";

const PASSWORD = "recipe-4-password";
const PROGRAMS = `
[program:toy]
command={dir}/api
startsecs=0

[program:ledger]
command={dir}/api
startsecs=0

[group:batch-cn]
programs=ledger
`;

Deno.test("recipe 4: kill brings a mail for the named groups, and each event stands in the log", async () => {
  const recipe = await readRecipe("4-mail.md");
  await assertSectionAsPrinted(recipe);
  await using certificates = await makeCertificates();
  await using smtp = await startSmtpServer({
    security: "tls",
    certificate: certificates.certFile,
    key: certificates.keyFile,
    login: { username: "ops@example.com", password: PASSWORD },
  });
  await using supervisord = await startRecipe(recipe, {
    programs: PROGRAMS,
    changes: {
      "host: smtp.example.com":
        `host: localhost\n    port: ${smtp.port}\n    ca_file: ${certificates.caFile}`,
      eth0: "lo",
      "/srv/api/bin": "{dir}",
    },
    files: {
      api: "#!/bin/sh\nexec sleep 1000\n",
      worker: "#!/bin/sh\nexec sleep 1000\n",
      "smtp.password": PASSWORD,
    },
  });
  await supervisord.until(
    "the programs to be RUNNING",
    () =>
      ["toy", "api", "ledger"].every((name) =>
        supervisord.log().includes(`success: ${name} entered RUNNING state`)
      ),
  );
  const pids: Record<string, number> = {};
  for (const name of ["toy", "api", "ledger"]) {
    pids[name] = supervisord.pidOf(name);
    Deno.kill(pids[name]);
    // One after the other: two that die together would be told in one mail.
    const mails = name === "toy" ? 0 : name === "api" ? 1 : 2;
    await supervisord.until(`${mails} mails`, () => smtp.mails.length >= mails);
  }
  await supervisord.until(
    "all three in the log",
    () => supervisord.listenerLog().split("PROCESS_STATE_EXITED (server").length > 3,
  );
  assertEquals(smtp.mails.length, 2);
  for (const [group, name] of [["web", "api"], ["batch-cn", "ledger"]] as const) {
    const mail = smtp.mails.find(({ subject }) => subject.includes(name))!;
    const subject = /^\[Supervisord\] (.*) crashed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00$/;
    assertEquals(subject.exec(mail.subject)?.[1], name);
    assertEquals(mail.text.replaceAll("\r\n", "\n").trimEnd().split("\n"), [
      `Host name: ${Deno.hostname()}`,
      "Host IP: 127.0.0.1",
      `Process: ${group}:${name}`,
      `PID: ${pids[name]}`,
      "From state: RUNNING",
    ]);
    assertEquals(mail.to, ["dev@example.com", "oncall@example.com"]);
    assertEquals([mail.encrypted, mail.user], [true, "ops@example.com"]);
  }
  const log = supervisord.listenerLog();
  assertMatch(
    log,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ DEBUG event \d+ PROCESS_STATE_EXITED \(server e2e, pool superbell \d+\)/m,
  );
  assertStringIncludes(
    log,
    `processname:toy groupname:toy from_state:RUNNING expected:0 pid:${pids["toy"]}; ` +
      `crash: skip (group-not-in-where)`,
  );
  assertNoSecrets(supervisord, [PASSWORD]);
});
