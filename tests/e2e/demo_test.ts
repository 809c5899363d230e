// `make demo` as a visitor runs it, and as one who presses Ctrl-C.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { executable, plainEnv, superbell } from "../support/executable.ts";
import { makePlace } from "../support/places.ts";
import { readIfThere } from "../support/supervisord.ts";
import { tail, within } from "../support/until.ts";

const DEMO = new URL("../../tools/demo.ts", import.meta.url).pathname;

Deno.test("the demo shows three alerts, keeps a good configuration and leaves nothing running", async () => {
  using place = makePlace();
  const demo = startDemo(place.dir, "zh_CN.UTF-8");
  const code = await demo.code;
  assertEquals(code, 0, demo.output());
  for (const part of ["钉钉机器人接受了", "邮件服务器收到了", "argv[1]: -m", "3 delivered"]) {
    assertStringIncludes(demo.output(), part);
  }
  assertStringIncludes(demo.output(), "shop:api 意外退出");
  assertStringIncludes(demo.output(), "shop:api exited with status 3 on");
  const kept = /\S+\/superbell\.yaml/.exec(demo.output())![0];
  assert(kept.startsWith(place.dir), kept);
  const check = await superbell(["check", "-c", kept]);
  assertEquals(check.code, 0, check.stderr);
  assertEquals(processesNaming(place.dir), []);
});

Deno.test("Ctrl-C ends the demo with 130 and leaves neither processes nor files", async () => {
  using place = makePlace();
  const demo = startDemo(place.dir, "C.UTF-8");
  await demo.said("Now a program crashes");
  Deno.kill(-demo.pid, "SIGINT"); // as a terminal does: to supervisord as well
  assertEquals(await demo.code, 130, demo.output());
  assertEquals(processesNaming(place.dir), []);
  assertEquals([...Deno.readDirSync(place.dir)], []);
});

/** Starts the demo with temporary files below `dir`, in a process group of its own. */
function startDemo(dir: string, lang: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", DEMO],
    clearEnv: true,
    env: {
      ...plainEnv({ LANG: lang, TMPDIR: dir, SUPERBELL_BIN: executable() }),
      DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
      DENO_NO_UPDATE_CHECK: "1",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    detached: true,
  }).spawn();
  let output = "";
  let news = Promise.withResolvers<void>();
  const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write(text) {
        output += text;
        news.resolve();
        news = Promise.withResolvers();
      },
    }),
  );
  const tails = () => tail("the demo", output);
  const ended = Promise.all([child.status, reading]).then(([{ code }]) => code);
  const waitFor = async (words: string) => {
    while (!output.includes(words)) await news.promise;
  };
  return {
    pid: child.pid,
    output: () => output,
    code: within("the end of the demo", ended, { withinMs: 30_000, tails }),
    said: (words: string) => within(`"${words}"`, waitFor(words), { tails }),
  };
}

function processesNaming(text: string): string[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name))
    .map(({ name }) => readIfThere(`/proc/${name}/cmdline`).replaceAll("\0", " "))
    .filter((line) => line.includes(text));
}
