// What a subcommand is, and how its arguments are read.

// @ts-types="./std_cli.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { suggest } from "../config/nearest.ts";

/** A subcommand. `run` answers the exit code: 0; 1 runtime failure; 2 usage or configuration. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `superbell NAME --help` prints. */
  readonly help: string;
  run(args: readonly string[]): Promise<number> | number;
}

/** A mistake on the command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The options of a subcommand: each takes a value (string) or none (flag). */
export interface OptionSpec {
  readonly strings?: readonly string[];
  readonly flags?: readonly string[];
  /** Names of the words that may follow; "…" at the end of the last one allows several. */
  readonly words?: readonly string[];
}

/** Parsed arguments. */
export interface Options {
  string(name: string): string | undefined;
  flag(name: string): boolean;
  readonly words: readonly string[];
  /** The names of the options that were given, but `config`. */
  readonly given: readonly string[];
}

/** Reads the arguments, `-c` standing for `--config`; throws a UsageError that names the mistake. */
export function parseOptions(args: readonly string[], spec: OptionSpec): Options {
  const strings = ["config", ...spec.strings ?? []];
  const flags = spec.flags ?? [];
  const known = [...strings, ...flags].map((name) => `--${name}`);
  const parsed = parseArgs(args, {
    string: ["_", ...strings], // "_": words stay as written, "0x10" is no number of ours
    collect: strings,
    boolean: flags,
    alias: { config: "c" },
    unknown(arg, key) {
      if (key !== undefined) {
        throw new UsageError(`unknown option ${arg}; ${suggest(arg, ["-c", ...known])}`);
      }
    },
  });
  const valuesByName = new Map(
    strings.map((name) => [name, parsed[name] as readonly string[]]),
  );
  for (const [name, values] of valuesByName) {
    if (values.length > 1) throw new UsageError(`--${name} was given more than once`);
    if (values[0] === "") throw new UsageError(`--${name} needs a value`);
  }
  const words = parsed._.map(String);
  const wanted = spec.words ?? [];
  const many = wanted.at(-1)?.endsWith("…") ?? false;
  if (words.length > wanted.length && !many) {
    throw new UsageError(`unexpected "${words[wanted.length]}"`);
  }
  return {
    string: (name) => valuesByName.get(name)?.[0],
    flag: (name) => parsed[name] === true,
    words,
    given: [...valuesByName].filter(([name, { length }]) => name !== "config" && length > 0)
      .map(([name]) => name).concat(flags.filter((name) => parsed[name] === true)),
  };
}

/**
 * Throws a UsageError where an option was given that this action does not take: who asks for less
 * than everything must not get everything.
 */
export function refuseOptions(
  { given }: Options,
  action: string,
  taken: readonly string[],
): void {
  const other = given.find((name) => !taken.includes(name));
  if (other === undefined) return;
  const known = taken.map((name) => `--${name}`).join(", ");
  throw new UsageError(`${action} takes no --${other}${known && `; it takes ${known}`}`);
}

/** Writes to stdout, whole, also into a pipe that is slow to take it. */
export function print(text: string): void {
  const bytes = new TextEncoder().encode(text.endsWith("\n") ? text : text + "\n");
  let written = 0;
  try {
    while (written < bytes.length) written += Deno.stdout.writeSync(bytes.subarray(written));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // `superbell … | head`
  }
}

/** Writes to stderr. */
export function printError(text: string): void {
  const bytes = new TextEncoder().encode(text + "\n");
  let written = 0;
  while (written < bytes.length) written += Deno.stderr.writeSync(bytes.subarray(written));
}

/** `1 rule`, `2 rules`. */
export function count(items: readonly unknown[], noun: string): string {
  return `${items.length} ${noun}${items.length === 1 ? "" : "s"}`;
}
