// The way to stdin: both ways of reading bring the same, and nobody else is kept from running.

import { StdinSource } from "../../src/listener/stdin_source.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf } from "../support/frames.ts";
import { within } from "../support/until.ts";

const ECHO = decodeURIComponent(new URL("../support/stdin_echo.ts", import.meta.url).pathname);

/** A stdin that always has one byte, and counts how it was asked. */
function stdinOf() {
  const asked = { read: 0, readSync: 0 };
  return {
    asked,
    read: () => Promise.resolve(1).finally(() => asked.read++),
    readSync: () => {
      asked.readSync++;
      return 1;
    },
  };
}

async function readUntil(source: StdinSource, isEnough: () => boolean): Promise<void> {
  while (!isEnough()) assertEquals(await source.read(new Uint8Array(8)), 1);
}

Deno.test("StdinSource reads at once what comes soon after the last bytes", async () => {
  const stdin = stdinOf();
  const source = new StdinSource(stdin, () => true);
  await source.read(new Uint8Array(8));
  assertEquals(stdin.asked, { read: 1, readSync: 0 });
  await readUntil(source, () => stdin.asked.readSync > 0);
});

Deno.test("StdinSource gives others their turn while bytes come without end", async () => {
  const stdin = stdinOf();
  await readUntil(new StdinSource(stdin, () => true), () => stdin.asked.read > 3);
});

Deno.test("StdinSource reads on another thread when nothing comes soon", async () => {
  const stdin = stdinOf();
  await readUntil(new StdinSource(stdin, () => false), () => stdin.asked.read === 10);
  assertEquals(stdin.asked.readSync, 0);
});

Deno.test("StdinSource reads a real pipe in lock step, pieces of any size, to its end", async () => {
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--unstable-raw-imports", ECHO],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const stdout = child.stdout.getReader();
  const texts = new TextDecoder();
  let left = "";
  const answerOf = async (length: number) => {
    let answer = left;
    while (answer.length < length) {
      const { value } = await within("an answer", stdout.read());
      assert(value !== undefined, "the program ended");
      answer += texts.decode(value, { stream: true });
    }
    left = answer.slice(length);
    return answer.slice(0, length);
  };
  for (let number = 0; number < 3000; number++) {
    const sent = `${number} `.repeat(1 + number % 40);
    await stdin.write(bytesOf(sent));
    assertEquals(await answerOf(sent.length), sent);
  }
  const large = "0123456789abcdef".repeat(20_000); // several times what a pipe holds
  const written = stdin.write(bytesOf(large));
  assert(await answerOf(large.length) === large, "the large piece came back changed");
  await written;
  await stdin.close();
  assertEquals((await within("its end", stdout.read())).done, true);
  const turns = Number(await within("its count", new Response(child.stderr).text()));
  assert(turns >= 10, `the timer had ${turns} turns`);
  assertEquals((await child.status).code, 0);
});
