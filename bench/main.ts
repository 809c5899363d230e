// `make bench`: everything in order against real parts, as tables with ratios, into
// docs/benchmarks.md (between its marks) and docs/benchmarks/.
//
// Usage: deno run -A bench/main.ts [--short] [NAME...]; NAMEs are those of MEASUREMENTS. With
// --short (just enough to see that it works) or with a NAME it only prints.

import { executable } from "../tests/support/executable.ts";
import { readIfThere } from "../tests/support/supervisord.ts";
import { answer } from "./answer.ts";
import { crashmail, PYTHON } from "./candidates.ts";
import { cost } from "./cost.ts";
import { growth } from "./growth.ts";
import { latency } from "./latency.ts";
import { loss } from "./loss.ts";
import { drawPicture, type Picture } from "./picture.ts";
import { goalsOf, type Measure, type Measured, tableOf } from "./row.ts";
import { supervisord } from "./supervisord.ts";

const MEASUREMENTS: Readonly<Record<string, Measure>> = {
  answer,
  supervisord,
  loss,
  cost,
  growth,
  latency,
};

const DOCS = new URL("../docs/", import.meta.url);
const PAGE = new URL("benchmarks.md", DOCS);

async function main(args: readonly string[]): Promise<number> {
  const short = args.includes("--short");
  const names = args.filter((arg) => arg !== "--short");
  const unknown = names.filter((name) => !(name in MEASUREMENTS));
  if (unknown.length > 0) {
    const known = Object.keys(MEASUREMENTS).join(", ");
    say(`Cannot measure ${unknown.join(", ")}: expected some of ${known}`);
    return 2;
  }
  const wanted = Object.entries(MEASUREMENTS)
    .filter(([name]) => names.length === 0 || names.includes(name));
  const sections = new Map<string, string>();
  const pictures: Picture[] = [];
  for (const [name, measured] of short ? await allAtOnce(wanted) : inOrder(wanted)) {
    const startedAtMs = performance.now();
    const result = await measured();
    sections.set(name, textOf(result));
    say(`\n## ${name}\n\n${textOf(result)}`);
    if (short) continue;
    say(`\n(took ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s)`);
    pictures.push(...result.pictures ?? []);
  }
  if (short || names.length > 0) return 0;
  // Together with the page, or not at all.
  writePictures(pictures);
  sections.set("host", await describeHost());
  Deno.writeTextFileSync(PAGE, fillIn(Deno.readTextFileSync(PAGE), sections));
  await run(Deno.execPath(), [
    "fmt",
    "--quiet",
    PAGE.pathname,
    new URL("benchmarks/", DOCS).pathname,
  ]);
  say(`\nWritten to ${PAGE.pathname}`);
  return 0;
}

type Named<Value> = readonly (readonly [name: string, value: Value])[];

function inOrder(wanted: Named<Measure>): Named<() => Promise<Measured>> {
  return wanted.map(([name, measure]) => [name, () => measure({ short: false })]);
}

/** For the short form, whose figures mean nothing. All of them end before one's failure is told. */
async function allAtOnce(wanted: Named<Measure>): Promise<Named<() => Promise<Measured>>> {
  const ends = await Promise.allSettled(wanted.map(([, measure]) => measure({ short: true })));
  return wanted.map(([name], index) => [name, () => {
    const end = ends[index]!;
    return end.status === "fulfilled" ? Promise.resolve(end.value) : Promise.reject(end.reason);
  }]);
}

function textOf({ rows, pictures = [] }: Measured): string {
  const images = pictures.map(({ name, alt }) => `![${alt}](benchmarks/${name}.svg)`);
  return [tableOf(rows), goalsOf(rows), ...images].filter((part) => part !== "").join("\n\n");
}

function writePictures(pictures: readonly Picture[]): void {
  Deno.mkdirSync(new URL("benchmarks/", DOCS), { recursive: true });
  for (const picture of pictures) {
    Deno.writeTextFileSync(new URL(`benchmarks/${picture.name}.svg`, DOCS), drawPicture(picture));
  }
}

/** The page with new text between the marks of each section. Throws where a mark is missing. */
function fillIn(page: string, sections: ReadonlyMap<string, string>): string {
  return [...sections].reduce((text, [name, content]) => {
    const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`Cannot find "${begin}" and "${end}" in the page`);
    return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
  }, page);
}

/** On what, with what and when it was measured. */
async function describeHost(): Promise<string> {
  const cpu = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "?";
  const cores = navigator.hardwareConcurrency;
  const kernel = Deno.osRelease();
  const daemon = await run("supervisord", ["--version"]);
  const python = await run(PYTHON, ["--version"]);
  const version = (await run(executable(), ["version"])).split("\n")[0];
  const date = new Date().toISOString().slice(0, 10);
  const others = await crashmail() === undefined
    ? "superlance is not installed"
    : "with superlance";
  return `${date}, ${cpu}, ${cores} cores, Linux ${kernel}, supervisord ${daemon} under ${python}, ` +
    `${version}; ${others}.`;
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${text(stderr)}`);
  return text(stdout);
}

function say(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  let written = 0;
  while (written < bytes.length) written += Deno.stdout.writeSync(bytes.subarray(written));
}

/** Every process that comes from this one. */
function descendants(pid: number): number[] {
  const children = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((child) =>
    Number.isInteger(child) &&
    new RegExp(`^PPid:\\s*${pid}$`, "m").test(readIfThere(`/proc/${child}/status`))
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** What works in the folder; whose parent has died is nobody's descendant any more. */
function inside(folder: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return Number.isInteger(pid) && Deno.readLinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch {
      return false; // it has ended
    }
  });
}

/** Nothing may run on and no file may stay: at the end, on an error, on Ctrl-C or SIGTERM. */
async function cleanUp(folder: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const left = new Set([...descendants(Deno.pid), ...inside(folder)]);
    for (const pid of left) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    try {
      // A process that is about to die may still write into it.
      if (left.size === 0) return Deno.removeSync(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  say(`Cannot clean up ${folder}: something still runs there`);
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "superbell-bench-" });
  Deno.env.set("TMPDIR", folder); // where the measurements make their own
  let isInterrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      isInterrupted = true;
      void cleanUp(folder).finally(() => Deno.exit(130));
    });
  }
  let code = 1;
  try {
    code = await main(Deno.args);
  } catch (error) {
    // What was killed under a measurement's hands is no news after Ctrl-C.
    if (!isInterrupted) say(error instanceof Error ? error.message : String(error));
  } finally {
    await cleanUp(folder);
  }
  Deno.exit(isInterrupted ? 130 : code);
}
