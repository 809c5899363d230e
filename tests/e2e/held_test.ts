// Crashes that are held, beside a real supervisord: nobody is told of them, and whoever asks how it
// stands sees all the same why the programs die.

import { assertEquals, assertMatch } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";
import { startHttpServer } from "../support/http_server.ts";
import { startSupervisord } from "../support/supervisord.ts";

const CONFIG = `
language: en
time_zone: UTC
state_dir: "{dir}/state"
channels:
  oncall: { type: webhook, url: "{origin}/oncall" }
rules:
  - { name: down, on: [crash, start_failed], after: { count: 500, within: 1h }, to: [oncall] }
`;

/** One that runs for a while again and again, one that stays down, one that never really starts. */
const PROGRAMS = `
[program:flaps]
command=/bin/sh -c "sleep 0.5; exit 3"
startsecs=0
autorestart=true

[program:killed]
command=/bin/sh -c "kill -SEGV $$"
startsecs=0
autorestart=false

[program:fails]
command=/bin/sh -c "exit 7"
startsecs=5
startretries=1000
`;

/** What the test reads of the documents. */
interface Exited {
  readonly name: string;
  readonly exit: { readonly status: number | null; readonly signal: string | null } | null;
}
interface Seen {
  readonly processes: readonly { readonly name: string }[];
  readonly told: unknown;
  readonly held: string | null;
  readonly last_exit: Exited["exit"];
}

const CAUSES: Readonly<Record<string, Partial<NonNullable<Exited["exit"]>>>> = {
  flaps: { status: 3 },
  killed: { signal: "SIGSEGV" },
  fails: { status: 7 },
};

function isCause(name: string, exit: Exited["exit"]): boolean {
  return exit !== null &&
    Object.entries(CAUSES[name]!).every(([key, value]) => exit[key as keyof typeof exit] === value);
}

Deno.test("status and history tell the cause of crashes that are held", async () => {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  await using supervisord = await startSupervisord({
    config: CONFIG.replaceAll("{origin}", hook.origin),
    programs: PROGRAMS,
  });
  const config = `${supervisord.dir}/superbell.yaml`;
  const json = async (command: string) =>
    JSON.parse((await superbell([command, "--json", "-c", config])).stdout);
  for (const name of Object.keys(CAUSES)) {
    await supervisord.until(`the cause of ${name} in status`, async () => {
      const { processes } = await json("status") as { processes: { list: readonly Exited[] } };
      return processes.list.some((one) => one.name === name && isCause(name, one.exit));
    });
    await supervisord.until(`the cause of ${name} in history`, async () => {
      const seen = (await json("history") as readonly Seen[]).find(({ processes }) =>
        processes.some((process) => process.name === name)
      );
      if (seen === undefined) return false;
      assertEquals([seen.told, seen.held], [null, "below-after"]);
      return isCause(name, seen.last_exit);
    });
  }
  const { stdout } = await superbell(["status", "-c", config]);
  assertMatch(stdout, /\n {2}EXITED +killed +since [^\n]*, last: SIGSEGV, PROCESS_STATE_EXITED /);
  const history = await superbell(["history", "-c", config]);
  assertMatch(
    history.stdout,
    /down: crash +killed +ended once; last: SIGSEGV; not told: below-after\n/,
  );
  assertEquals(hook.requests.length, 0);
});
