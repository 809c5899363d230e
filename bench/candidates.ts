// The listeners that are compared: their command lines, and how ours is configured.

import { executable } from "../tests/support/executable.ts";

/** Debian's Python, which has Debian's supervisor package; what PATH names may be another. */
export const PYTHON = "/usr/bin/python3";

/** A listener, by the name that the tables give it. */
export interface Candidate {
  readonly name: string;
  readonly command: readonly string[];
}

/** Python with `supervisor.childutils` that does nothing. */
export const pythonNoop: Candidate = {
  name: "Python, does nothing",
  command: [PYTHON, fileOf("listeners/python_noop.py")],
};

/** The path of a file of the bench. */
export function fileOf(name: string): string {
  return decodeURIComponent(new URL(name, import.meta.url).pathname);
}

/** The tutorials' listener: acts in the loop by `http URL`, `mail HOST:PORT` or `command PROGRAM`. */
export function tutorial(act: "http" | "mail" | "command", target: string): readonly string[] {
  return [PYTHON, fileOf("listeners/python_tutorial.py"), act, target];
}

/** The listener in C, compiled into the folder; undefined where there is no compiler. */
export async function buildC(folder: string): Promise<Candidate | undefined> {
  const program = `${folder}/noop`;
  try {
    const { success, stderr } = await new Deno.Command("gcc", {
      args: ["-O2", "-o", program, fileOf("listeners/noop.c")],
    }).output();
    if (!success) throw new Error(`Cannot compile noop.c: ${new TextDecoder().decode(stderr)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return { name: "C, does nothing", command: [program] };
}

/** superlance's crashmail with a command that sends nothing; undefined where it is not installed. */
export async function crashmail(): Promise<Candidate | undefined> {
  const { success } = await new Deno.Command(PYTHON, {
    args: ["-c", "import superlance.crashmail"],
  })
    .output();
  if (!success) return undefined;
  const command = [
    PYTHON,
    "-m",
    "superlance.crashmail",
    "-a",
    "-s",
    "/bin/true",
    "-m",
    "a@b.example",
  ];
  return { name: "superlance crashmail", command };
}

/** Writes superbell's configuration into the folder; the state lies there too. Answers its path. */
export function writeConfig(folder: string, name: string, text: string): string {
  const path = `${folder}/${name}.yaml`;
  Deno.writeTextFileSync(path, `state_dir: ${stateDir(folder, name)}\nlog_level: warn\n${text}`);
  return path;
}

/** Where superbell of that name keeps its state. */
export function stateDir(folder: string, name: string): string {
  return `${folder}/${name}-state`;
}

/** The command line of ours. */
export function superbell(configPath: string): readonly string[] {
  return [executable(), "listen", "-c", configPath];
}
