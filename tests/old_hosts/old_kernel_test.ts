// The listener where every system call newer than Linux 3.10 answers ENOSYS; see old_kernel.py.
// What is measured is numbers of calls, not a real old kernel; see docs/old-hosts.md.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import { executable, run } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { failingProgram } from "../support/programs.ts";
import { recordedCalls, RECORDER } from "../support/recorder.ts";
import { startRobot } from "../support/robot.ts";
import { startSmtpServer } from "../support/smtp_server.ts";
import { readIfThere, startSupervisord } from "../support/supervisord.ts";
import { lowerFloor } from "../../tools/glibc_floor.ts";

const OLD_KERNEL = decodeURIComponent(new URL("old_kernel.py", import.meta.url).pathname);
const E2E = decodeURIComponent(new URL("../e2e", import.meta.url).pathname);
const TOKEN = "old-kernel-token-5d20";

Deno.test("the filter answers ENOSYS to getrandom and lets older calls through", async () => {
  const script = "import os\n" +
    "try: os.getrandom(4); print('random')\n" +
    "except OSError as error: print(error.errno, os.uname().sysname)\n";
  const { stdout } = await run(OLD_KERNEL, ["/usr/bin/env", "python3", "-c", script]);
  assertEquals(stdout, "38 Linux\n");
});

Deno.test("on the oldest kernel a crash reaches DingTalk, mail by TLS, HTTPS and a command", async () => {
  await using certificates = await makeCertificates();
  const tls = { certificate: certificates.certFile, key: certificates.keyFile };
  await using robot = startRobot({ token: TOKEN });
  await using smtp = await startSmtpServer({ security: "starttls", ...tls });
  await using hook = startHttpServer(() => Response.json({ ok: true }), certificates);
  await using supervisord = await startSupervisord({
    config: `
language: en
state_dir: "{dir}/state"
channels:
  oncall: { type: dingtalk, token: { env: DINGTALK_TOKEN }, endpoint: "${robot.endpoint}" }
  mail:
    type: email
    host: localhost
    port: ${smtp.port}
    security: starttls
    ca_file: ${certificates.caFile}
    from: superbell@example.com
    to: [admin@example.com]
  script: { type: exec, command: ["{dir}/alert", "{process}"] }
  hook: { type: webhook, url: "${hook.origin}/hook", ca_file: "${certificates.caFile}" }
rules:
  - { name: crash, on: [crash], to: [oncall, mail, script, hook] }
`,
    files: { alert: RECORDER },
    environment: { DINGTALK_TOKEN: TOKEN },
    keys: { command: `${OLD_KERNEL} ${executable()} listen -c {dir}/superbell.yaml` },
    programs: failingProgram("api"),
  });
  const pid = supervisord.pidOf("superbell");
  assertStringIncludes(readIfThere(`/proc/${pid}/status`), "Seccomp:\t2"); // 2: filtered
  await supervisord.ctl("start", "api");
  await supervisord.until("DingTalk", () => robot.messages.length === 1);
  await supervisord.until("mail", () => smtp.mails.length === 1);
  await supervisord.until("HTTPS", () => hook.requests.length === 1);
  const calls = await supervisord.until("the command", () => {
    const calls = recordedCalls(supervisord.dir);
    return calls.length === 1 && calls;
  });
  assertEquals(calls[0]!.args, ["api"]);
  assertStringIncludes(robot.messages[0]!.text, "api");
  assertEquals(supervisord.pidsOf("superbell"), [pid]);
});

/**
 * They ask the kernel for nothing that the others do not: they are about what is decided and said,
 * and to run them twice would take minutes.
 */
const NO_OTHER_CALLS = [
  "deaf_test.ts",
  "demo_test.ts",
  "gap_test.ts",
  "incidents_test.ts",
  "messages_test.ts",
  "silence_test.ts",
  "simulate_test.ts",
  "states_test.ts",
  "status_test.ts",
];

Deno.test("the end-to-end suite passes on the oldest kernel", async (t) => {
  // Everything runs under the filter: the tests, supervisord and the listener. So the Deno that
  // runs the tests must itself do without getrandom, and is lowered first.
  const dir = await Deno.makeTempDir({ prefix: "superbell-old-kernel-" });
  try {
    const deno = `${dir}/deno`;
    const { bytes } = lowerFloor(await Deno.readFile(Deno.execPath()), "deno");
    await Deno.writeFile(deno, bytes);
    await Deno.chmod(deno, 0o755);
    for (const name of [...Deno.readDirSync(E2E)].map((entry) => entry.name).sort()) {
      if (!name.endsWith("_test.ts") || NO_OTHER_CALLS.includes(name)) continue;
      // Debian's openssl, which makes the certificates, does not cope without getrandom. What
      // needs certificates is tested above, with only the listener under the filter.
      const source = await Deno.readTextFile(`${E2E}/${name}`);
      const ignore = source.includes("makeCertificates") || source.includes("openssl");
      await t.step({
        name: ignore ? `${name} (skipped: openssl needs getrandom)` : name,
        ignore,
        async fn() {
          const { success, stdout, stderr } = await new Deno.Command(OLD_KERNEL, {
            args: [deno, "test", "-A", "--no-check", `${E2E}/${name}`],
            stdin: "null",
          }).output();
          const decoder = new TextDecoder();
          assert(success, decoder.decode(stdout) + decoder.decode(stderr));
        },
      });
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
