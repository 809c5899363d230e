// Exactly the protocol's bytes, and nobody else's on stdout.

import { Handshake } from "../../src/listener/handshake.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

const texts = new TextDecoder();

/** Takes at most `most` bytes a write. */
function sinkOf(most: number) {
  const writes: string[] = [];
  const sink = {
    writeSync(bytes: Uint8Array): number {
      writes.push(texts.decode(bytes.subarray(0, most)));
      return Math.min(most, bytes.length);
    },
  };
  return { sink, writes };
}

const ANSWERS = {
  ready: "READY\n",
  okAndReady: "RESULT 2\nOKREADY\n",
  ok: "RESULT 2\nOK",
} as const;

for (const [method, bytes] of Object.entries(ANSWERS)) {
  Deno.test(`Handshake.${method}() writes ${JSON.stringify(bytes)} in one write`, () => {
    const { sink, writes } = sinkOf(1000);
    new Handshake(sink)[method as keyof typeof ANSWERS]();
    assertEquals(writes, [bytes]);
  });

  Deno.test(`Handshake.${method}() goes on where a short write ended`, () => {
    const { sink, writes } = sinkOf(1);
    new Handshake(sink)[method as keyof typeof ANSWERS]();
    assertEquals(writes, [...bytes]);
  });
}

Deno.test("Handshake throws when supervisord is gone", () => {
  const handshake = new Handshake({
    writeSync() {
      throw new Deno.errors.BrokenPipe("gone");
    },
  });
  assertThrows(() => handshake.ready(), Deno.errors.BrokenPipe);
});

/** Runs a script that has taken stdout; answers what came out of each. */
async function runWithTakenStdout(script: string): Promise<{ stdout: string; stderr: string }> {
  const folder = Deno.makeTempDirSync();
  try {
    const source = new URL("../../src/listener/handshake.ts", import.meta.url);
    const path = `${folder}/script.ts`;
    Deno.writeTextFileSync(
      path,
      `import { Handshake, takeStdout } from ${JSON.stringify(source.href)};
       const handshake = new Handshake(await takeStdout());
       handshake.ready();
       const bytes = new TextEncoder().encode("stray\\n");
       ${script};
       handshake.okAndReady();`,
    );
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", path],
      stdin: "null",
    }).output();
    const found = { stdout: texts.decode(stdout), stderr: texts.decode(stderr) };
    assertEquals(success, true, found.stderr);
    return found;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const STRAYS: Record<string, string> = {
  ...Object.fromEntries(
    ["log", "info", "debug", "dir", "dirxml", "table", "group", "groupCollapsed", "warn", "error"]
      .map((method) => [`console.${method}`, `console.${method}("stray")`]),
  ),
  "console.count": `console.count("stray")`,
  "console.countReset": `console.countReset("stray")`,
  "console.assert": `console.assert(false, "stray")`,
  "console.trace": `console.trace("stray")`,
  "console.timeLog": `console.time("stray"); console.timeLog("stray")`,
  "console.timeEnd": `console.time("stray"); console.timeEnd("stray")`,
  "console.clear": `console.clear("stray")`,
  "Deno.stdout.write": `await Deno.stdout.write(bytes)`,
  "Deno.stdout.writeSync": `Deno.stdout.writeSync(bytes)`,
  "Deno.stdout.writable": `await Deno.stdout.writable.getWriter().write(bytes)`,
  "process.stdout.write": `await new Promise((done) => process.stdout.write("stray\\n", done))`,
  "the stdout of node:process": `const { stdout } = await import("node:process");` +
    `await new Promise((done) => stdout.write("stray\\n", done))`,
  "the console of node:console": `(await import("node:console")).default.log("stray")`,
};

for (const [what, script] of Object.entries(STRAYS)) {
  Deno.test(`takeStdout() sends what ${what} prints to stderr`, async () => {
    const withProcess = script.includes("process.stdout.write(")
      ? `const { default: process } = await import("node:process"); ${script}`
      : script;
    const { stdout, stderr } = await runWithTakenStdout(withProcess);
    assertEquals(stdout, "READY\nRESULT 2\nOKREADY\n");
    assertStringIncludes(stderr, "stray");
  });
}
