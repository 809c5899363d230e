/**
 * `make demo`: a supervisord of its own, a program that crashes, and three ways to be told: a
 * DingTalk robot that checks signatures, a mail server and a command, all on this host. Prints
 * each alert as it arrives, keeps the configuration to play with, and leaves nothing running.
 * Exit codes: 0; 1 an alert did not arrive; 130 Ctrl-C.
 */
import { executable, run } from "../tests/support/executable.ts";
import { recordedCalls, RECORDER } from "../tests/support/recorder.ts";
import { startRobot } from "../tests/support/robot.ts";
import { startSmtpReceiver } from "../tests/support/smtp_receiver.ts";
import { startSupervisord } from "../tests/support/supervisord.ts";

const ARRIVE_WITHIN_MS = 12_000;
const TOKEN = "demo-token";
const SECRET = "SECdemo";
const NEED_PACKAGES = new URL("need_packages.sh", import.meta.url).pathname;
const PROGRAMS = `
[program:api]
command=/bin/sh -c "echo cannot reach the database >&2; exit 3"
autostart=false
autorestart=false
startsecs=0

[group:shop]
programs=api
`;

const en = {
  begin: "superbell demo: a supervisord of its own, a program that crashes, three ways to be told",
  starting: "Starting supervisord with superbell as its event listener (about 3 s)",
  crash: 'Now a program crashes: shop:api writes "cannot reach the database" and exits with 3. ' +
    "(supervisord itself passes that on a second or two later.)",
  robot: "The DingTalk robot accepted this (token and signature checked, errcode 0)",
  mail: "The mail server took this (the channel has language: zh)",
  command: "The command was called with these arguments, without a shell",
  from: "From",
  to: "To",
  subject: "Subject",
  missing: "did not arrive; the logs say:",
  took: (ms: number) => `  ${(ms / 1000).toFixed(1)} s after the crash`,
  listed: "superbell outbox list",
  over: "Over: supervisord and the servers have ended. The files are still there:",
  next: "To use a real robot, in that superbell.yaml:",
  steps: (dir: string, program: string) => [
    `put the robot's access_token into ${dir}/dingtalk.token`,
    `put its secret (SEC…) into ${dir}/dingtalk.secret, or delete the line "secret:"`,
    `delete the line "endpoint:"`,
    `then: ${program} test -c ${dir}/superbell.yaml --channel oncall`,
    `and for supervisord: ${program} init section -c ${dir}/superbell.yaml`,
  ],
};

const zh: typeof en = {
  begin: "superbell 演示：独立的 supervisord、一个会崩溃的程序、三种通知方式",
  starting: "正在启动 supervisord，superbell 是它的事件监听器（约 3 秒）",
  crash: "现在让一个程序崩溃：shop:api 输出 “cannot reach the database”，以退出码 3 结束。" +
    "（supervisord 自己要一两秒后才转达这个事件。）",
  robot: "钉钉机器人接受了这条消息（已校验 token 和签名，errcode 0）",
  mail: "邮件服务器收到了这封邮件（该通道设置了 language: en）",
  command: "命令以这些参数被调用，不经过 shell",
  from: "发件人",
  to: "收件人",
  subject: "主题",
  missing: "没有到达，日志如下：",
  took: (ms) => `  崩溃后 ${(ms / 1000).toFixed(1)} 秒`,
  listed: "superbell outbox list",
  over: "演示结束：supervisord 和各服务器均已退出，文件还在：",
  next: "要接到真正的机器人，修改这个 superbell.yaml：",
  steps: (dir, program) => [
    `把机器人的 access_token 写入 ${dir}/dingtalk.token`,
    `把加签密钥 (SEC…) 写入 ${dir}/dingtalk.secret，未加签则删除 “secret:” 这一行`,
    `删除 “endpoint:” 这一行`,
    `然后：${program} test -c ${dir}/superbell.yaml --channel oncall`,
    `supervisord 的配置：${program} init section -c ${dir}/superbell.yaml`,
  ],
};

const locale = ["LC_ALL", "LC_MESSAGES", "LANG"].map((name) => Deno.env.get(name)).find(Boolean);
const isChinese = locale?.toLowerCase().startsWith("zh") ?? false;
const words = isChinese ? zh : en;

if (import.meta.main) {
  const interrupted = new AbortController();
  const onSignal = () => interrupted.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  const dir = await Deno.makeTempDir({ prefix: "superbell-demo-" });
  const code = await demo(dir, interrupted.signal).catch((error) => {
    if (!interrupted.signal.aborted) say(error instanceof Error ? error.message : String(error));
    return 1;
  });
  if (interrupted.signal.aborted) await Deno.remove(dir, { recursive: true });
  Deno.exit(interrupted.signal.aborted ? 130 : code);
}

/** Runs it all in the folder; answers the exit code. */
async function demo(dir: string, interrupted: AbortSignal): Promise<number> {
  say(`${words.begin}\n`);
  const program = executable();
  const needs = await new Deno.Command("sh", { args: [NEED_PACKAGES, "supervisor"] }).spawn()
    .status;
  if (!needs.success || interrupted.aborted) return 1;
  say(words.starting);
  await using robot = startRobot({ token: TOKEN, secret: SECRET });
  await using mailServer = startSmtpReceiver();
  {
    await using supervisord = await startSupervisord({
      dir,
      config: configText(robot.endpoint, mailServer.port),
      identifier: "demo",
      programs: PROGRAMS,
      files: { alert: RECORDER, "dingtalk.token": TOKEN, "dingtalk.secret": SECRET },
    });
    if (interrupted.aborted) return 130;
    say(`\n${words.crash}`);
    const startedAtMs = performance.now();
    await supervisord.ctl("start", "shop:api");
    const waiting = [
      { title: words.robot, read: () => robot.messages[0]?.text },
      { title: words.mail, read: () => readMail(mailServer.mails[0]) },
      { title: words.command, read: () => readCall(recordedCalls(dir)[0]?.args) },
    ];
    while (waiting.length > 0) {
      const found = await supervisord.until("an alert", () => {
        if (interrupted.aborted) throw new Error("interrupted");
        const index = waiting.findIndex(({ read }) => read() !== undefined);
        return index >= 0 && waiting.splice(index, 1)[0];
      }, ARRIVE_WITHIN_MS).catch(() => undefined);
      if (interrupted.aborted) return 130;
      if (found === undefined) {
        for (const { title } of waiting) say(`\n${title}: ${words.missing}`);
        say(supervisord.tails());
        return 1;
      }
      say(`\n=== ${found.title}${words.took(performance.now() - startedAtMs)}\n`);
      say(found.read()!.replace(/^/gm, "    ").trimEnd());
    }
    // The attempts are written down a moment after the receivers have what was sent.
    const listed = await supervisord.until("three entries delivered", async () => {
      const args = ["outbox", "list", "-c", `${dir}/superbell.yaml`];
      const { stdout } = await run(program, args);
      return stdout.includes("3 delivered") && stdout;
    });
    say(`\n=== ${words.listed}\n\n${listed.replace(/^/gm, "    ").trimEnd()}`);
    await supervisord.stop();
  }
  say(`\n${words.over}\n`);
  for (const name of ["superbell.yaml", "superbell.conf", "superbell.log", "supervisord.log"]) {
    say(`    ${dir}/${name}`);
  }
  say(`\n${words.next}\n`);
  words.steps(dir, program).forEach((step, index) => say(`    ${index + 1}. ${step}`));
  return 0;
}

function configText(endpoint: string, smtpPort: number): string {
  return `language: ${isChinese ? "zh" : "en"}
state_dir: "{dir}/state"
channels:
  oncall:
    type: dingtalk
    token: { file: "{dir}/dingtalk.token" }
    secret: { file: "{dir}/dingtalk.secret" }
    mention: { mobiles: ["13800138000"] }
    endpoint: ${endpoint} # the demo's own robot
  ops-mail:
    type: email
    language: ${isChinese ? "en" : "zh"}
    host: 127.0.0.1
    port: ${smtpPort}
    security: none # the demo's own server; a real one wants tls or starttls
    from: superbell@example.com
    to: [ops@example.com]
  script:
    type: exec
    command: ["{dir}/alert", -m, "[{host}][{process}][pid:{pid}] {summary}"]
rules:
  - name: crash
    on: [crash, fatal]
    to: [oncall, ops-mail, script]
`;
}

function readMail(
  mail: { from: string; to: readonly string[]; subject: string; body: string } | undefined,
): string | undefined {
  return mail && `${words.from}: ${mail.from}\n${words.to}: ${mail.to.join(", ")}\n` +
      `${words.subject}: ${mail.subject}\n\n${mail.body}`;
}

function readCall(args: readonly string[] | undefined): string | undefined {
  return args?.map((arg, index) => `argv[${index + 1}]: ${arg}`).join("\n");
}

function say(text: string): void {
  const bytes = new TextEncoder().encode(text + "\n");
  let written = 0;
  while (written < bytes.length) written += Deno.stdout.writeSync(bytes.subarray(written));
}
