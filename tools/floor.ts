/**
 * Prints what an executable asks of a host, or lowers it:
 * `deno run -A tools/floor.ts FILE…` and `deno run -A tools/floor.ts --lower FILE RESULT`.
 * Exits with 1 when a file would not start on a host at the floor.
 */
import { BuildError } from "./build_error.ts";
import { type Change, type Floor, floorOf, lowerFloor } from "./glibc_floor.ts";

const USAGE = "Usage: make floor FILE=…, or tools/floor.ts FILE…, or --lower FILE RESULT";

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    write(Deno.stderr, [error.message]);
    Deno.exitCode = 2;
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === "--lower") {
    const [, from, to] = args;
    if (from === undefined || to === undefined || args.length > 3) throw new BuildError(USAGE);
    const { bytes, changes } = lowerFloor(await read(from), from);
    const mode = (await Deno.stat(from)).mode ?? 0o755;
    await Deno.writeFile(to, bytes, { mode: mode & 0o777 });
    write(Deno.stdout, changes.length === 0 ? ["Nothing to lower"] : describeChanges(changes));
    return 0;
  }
  if (args.length === 0 || args.some((arg) => arg.startsWith("-"))) throw new BuildError(USAGE);
  let code = 0;
  for (const path of args) {
    const floor = floorOf(await read(path), path);
    write(Deno.stdout, describeFloor(path, floor));
    if (floor.problems.length > 0) code = 1;
  }
  return code;
}

/** What the file asks of a host, for people. */
export function describeFloor(path: string, floor: Floor): string[] {
  const highest = Object.entries(floor.highest).map(([word, version]) =>
    `${word === "GLIBC" ? "glibc" : word} ${version}`
  );
  return [
    `${path}: ${floor.arch ?? "another processor"}, needs ${highest.join(", ") || "no glibc"}`,
    ...floor.needs.map(({ library, versions }) =>
      `  ${library}: ${versions.map(({ name }) => name).join(" ")}`
    ),
    ...listed("defined in the file", floor.defined),
    ...listed("used where the host has them", floor.optional),
    ...floor.problems.map((problem) => `  does not start on CentOS 7: ${problem}`),
  ];
}

/** Every symbol that was treated and why, those with the same treatment on one line. */
export function describeChanges(changes: readonly Change[]): string[] {
  const lines = new Map<string, string[]>();
  for (const { symbol, library, from, treatment, why } of changes) {
    const line = `of ${library} → ${treatment} (${why})`;
    lines.set(line, [...lines.get(line) ?? [], `${symbol}@${from}`]);
  }
  return [...lines].map(([line, symbols]) => `  ${symbols.join(" ")} ${line}`);
}

function listed(title: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`  ${title}: ${names.join(" ")}`];
}

async function read(path: string) {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new BuildError(`Cannot read "${path}": no such file`);
  }
}

function write(to: typeof Deno.stdout | typeof Deno.stderr, lines: readonly string[]): void {
  to.writeSync(new TextEncoder().encode(lines.join("\n") + "\n"));
}
