// deno-lint-ignore-file no-console -- a command for people
// All proofs in full: what is promised about losing nothing, measured on this machine. Prints
// what it counts as it goes and a table at the end; exit code 1 when a promise was broken.
//
// Usage: deno run -A tests/chaos/main.ts [NAME…]; without names all of them.

import { backlog, backlogRows } from "./backlog.ts";
import { faultRows, faults } from "./faults.ts";
import { duration, type Row, type Say } from "./figures.ts";
import { killNine, killNineRows } from "./kill_nine.ts";
import { massKill, massKillRows } from "./mass_kill.ts";
import { slowChannel, slowChannelRows } from "./slow_channel.ts";

/** A proof in full. */
interface Proof {
  readonly title: string;
  readonly about: string;
  run(say: Say): Promise<readonly Row[]>;
}

const MASS_KILL = { programs: 300, bufferSize: 10 };

const PROOFS: Readonly<Record<string, Proof>> = {
  mass_kill: {
    title: "Mass kill",
    about: "300 programs die in one instant, buffer_size=10, twice (about a minute)",
    async run(say) {
      const rows: Row[] = [];
      for (const autorestart of [true, false]) {
        rows.push(...massKillRows(await massKill({ ...MASS_KILL, autorestart, say })));
      }
      return rows;
    },
  },
  slow_channel: {
    title: "Slow channel",
    about: "100 crashes, 2 s for each message (about a minute)",
    run: async (say) =>
      slowChannelRows(
        await slowChannel({
          crashes: 100,
          answerAfterMs: 2000,
          spreadMs: 10_000,
          concurrency: 4,
          bufferSize: 10,
          say,
        }),
      ),
  },
  kill_nine: {
    title: "kill -9",
    about: "300 kills of the listener, 2,000 incidents, services that fail (7 minutes)",
    run: async (say) =>
      killNineRows(
        await killNine({
          incidents: 2000,
          kills: 300,
          campaignMs: 400_000,
          seed: crypto.getRandomValues(new Uint32Array(1))[0]!,
          say,
        }),
      ),
  },
  faults: {
    title: "Faults",
    about: "each way to fail, and back (about a minute)",
    run: async (say) => faultRows(await faults({ alerts: 10, downMs: 10_000, atOnce: 5, say })),
  },
  backlog: {
    title: "Backlog",
    about: "100,000 entries wait (about 2 minutes)",
    run: async (say) =>
      backlogRows(await backlog({ single: 20_000, gathered: 80_000, starts: 7, say })),
  },
};

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !(name in PROOFS));
  if (unknown.length > 0) {
    console.error(
      `No proof is called ${unknown.join(", ")}; there are ${Object.keys(PROOFS).join(", ")}`,
    );
    return 2;
  }
  const chosen = names.length === 0 ? Object.keys(PROOFS) : names;
  const summary: { readonly title: string; readonly rows: readonly Row[] }[] = [];
  for (const name of chosen) {
    const { title, about, run } = PROOFS[name]!;
    console.log(`${title}: ${about}`);
    const startedAtMs = performance.now();
    const rows = await run((line) => console.log(`  ${line}`)).catch(brokenOff);
    console.log(`  done in ${duration(performance.now() - startedAtMs)}`);
    summary.push({ title, rows });
  }
  const broken = summary.flatMap(({ rows }) => rows).filter(({ kept }) => kept === false);
  console.log(`\n${summary.map(({ title, rows }) => table(title, rows)).join("\n")}`);
  console.log(
    broken.length === 0 ? "Every promise was kept" : `MISSED: ${broken.length} of the promises`,
  );
  return broken.length === 0 ? 0 : 1;
}

/** A proof that cannot be finished proves nothing; the others are made all the same. */
function brokenOff(error: unknown): Row[] {
  const figure = error instanceof Error ? error.message : String(error);
  return [{ what: "broken off", figure, goal: "a result", kept: false }];
}

function table(title: string, rows: readonly Row[]): string {
  const widest = Math.max(...rows.map(({ what }) => what.length));
  const lines = rows.map(({ what, figure, goal, kept }) => {
    const verdict = kept === undefined ? "" : `  [${goal}: ${kept ? "kept" : "MISSED"}]`;
    return `  ${what.padEnd(widest)}  ${figure}${verdict}\n`;
  });
  return `${title}\n${lines.join("")}`;
}

Deno.exitCode = await main(Deno.args);
