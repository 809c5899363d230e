// What programs write, in any encoding, and names in Chinese.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { startHttpServer } from "../support/http_server.ts";
import { startRobot } from "../support/robot.ts";
import { frame, PipedListener } from "../support/piped_listener.ts";
import { makePlace } from "../support/places.ts";
import { startSupervisord } from "../support/supervisord.ts";

const TOKEN = "e2e-text-token-77aa";

/** "数据库连接失败 💥" in UTF-8, and "内存不足" in GBK; a \\ooo for each byte. */
const UTF8 = octal(new TextEncoder().encode("ERROR 数据库连接失败 💥\n"));
const GBK = octal([
  ...new TextEncoder().encode("ERROR "),
  0xc4,
  0xda,
  0xb4,
  0xe6,
  0xb2,
  0xbb,
  0xd7,
  0xe3,
  10,
]);

Deno.test("program output in UTF-8 and GBK reaches people as it was meant", async () => {
  await using robot = startRobot({ token: TOKEN });
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: `
language: zh
state_dir: "{dir}/state"
channels:
  oncall: { type: dingtalk, token: { env: DINGTALK_TOKEN }, endpoint: "${robot.endpoint}" }
  crash: { type: webhook, url: "${hook.origin}/crash" }
  all: { type: webhook, url: "${hook.origin}/log" }
rules:
  - name: errors
    on: [process_log]
    where: { text: "数据库|内存" }
    to: [oncall]
  - name: everything
    on: [process_log]
    to: [all]
  - name: crash
    on: [crash]
    to: [crash]
`,
    environment: { DINGTALK_TOKEN: TOKEN },
    files: {
      "say.sh": `#!/bin/sh
printf '${UTF8}' >&2
printf 'all is well\\n' >&2
`,
      "gbk.sh": `#!/bin/sh
printf '${GBK}' >&2
exit 7
`,
    },
    programs: `
[program:say]
command={dir}/say.sh
autostart=false
autorestart=false
startsecs=0
stderr_events_enabled=true

[program:订单-服务]
command={dir}/gbk.sh
autostart=false
autorestart=false
startsecs=0
stderr_events_enabled=true

[group:交易组]
programs=订单-服务
`,
  });
  await supervisord.ctl("start", "say");
  await supervisord.until("the first", () => robot.messages.length === 1);
  await supervisord.ctl("start", "交易组:*");
  await supervisord.until("the second", () => robot.messages.length === 2);
  const [utf8, gbk] = robot.messages;
  assertStringIncludes(utf8!.text, "say 日志命中规则");
  assertStringIncludes(utf8!.text, "ERROR 数据库连接失败 💥\n");
  assertStringIncludes(gbk!.text, "交易组:订单-服务 日志命中规则");
  assertStringIncludes(gbk!.text, "ERROR 内存不足\n");

  const crash = await supervisord.until(
    "the crash",
    () => hook.requests.find(({ url }) => url.pathname === "/crash"),
  );
  const document = JSON.parse(crash.body);
  assertEquals(document.process.name, "订单-服务");
  assertEquals(document.process.group, "交易组");
  assertStringIncludes(document.title, "交易组:订单-服务 意外退出");

  // supervisord may cut what one program wrote into several events, and join what came in two;
  // line ends at the end of an event are not kept.
  const all = hook.requests.filter(({ url }) => url.pathname === "/log")
    .map(({ body }) => JSON.parse(body).data).join("").replaceAll("\n", "");
  assertEquals(all, "ERROR 数据库连接失败 💥all is wellERROR 内存不足");
  assertEquals(await supervisord.stateOf("superbell"), "RUNNING");
});

function octal(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

Deno.test("a pattern that backtracks without end holds up nothing", async () => {
  using place = makePlace();
  const config = place.write(
    "superbell.yaml",
    `
state_dir: "{dir}/state"
shutdown_window: 0s
channels:
  nobody: { type: webhook, url: "http://127.0.0.1:1/" }
rules:
  - { name: slow, on: [process_log], where: { text: "^(a+)+$" }, to: [nobody] }
`,
  );
  await using listener = new PipedListener(config);
  await listener.ready(1);
  // Backtracking would take 2 to the power of 60 steps.
  const line = `processname:a groupname:a pid:1 channel:stdout\n${"a".repeat(60)}!`;
  await listener.take(frame(1, "PROCESS_LOG_STDOUT", line));
  assertEquals(listener.answers, 1);
});
