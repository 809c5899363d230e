// The keys of an exec channel. The command is a list of arguments and never goes through a
// shell. Its program is looked up once, here, so that one that is missing or may not be run
// is a problem of the configuration and not of the first crash.

import { accessSync, constants, statSync } from "node:fs";
import { parseTemplate, type Template } from "../../alerts/template.ts";
import type { ConfigNode, Section } from "../../config/node.ts";
import type { Secret } from "../../config/secret.ts";

/** An exec channel as configured. */
export interface ExecOptions {
  /** Absolute path. */
  readonly program: string;
  readonly args: readonly Template[];
  /** The few variables of our own environment that the command gets, by name. */
  readonly inherited: Readonly<Record<string, string>>;
  /** More variables by name; each value is treated as a secret. */
  readonly environment: Readonly<Record<string, Secret>>;
  /** Where the command starts; absolute path. */
  readonly directory: string;
}

// Nothing else of our environment is passed on: it may hold the tokens of other channels.
const INHERITED = [
  ...["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"],
  "SUPERVISOR_SERVER_URL",
] as const;

/** Where programs are looked for when we have no PATH ourselves. */
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Reads the section of an exec channel. */
export function parseExec(section: Section): ExecOptions {
  const inherited: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = section.node.reading.sources.env(name);
    if (value !== undefined) inherited[name] = value;
  }
  inherited["PATH"] ??= USUAL_PATH;
  const [program, args] = parseCommand(section.required("command"), inherited["PATH"]);
  const environment = parseEnvironment(section.optional("environment"));
  const directory = section.optional("directory");
  return {
    program,
    args,
    inherited,
    environment,
    directory: directory === undefined ? "/" : parseDirectory(directory),
  };
}

function parseCommand(node: ConfigNode, searchPath: string): [string, Template[]] {
  if (typeof node.value === "string") {
    // The arguments are not repeated: one of them may be a secret.
    const [program] = node.value.trim().split(/\s/);
    node.problem(
      `expected a list of arguments, found a string; write [${JSON.stringify(program)}, "…", "…"]`,
    );
    return ["", []];
  }
  const [first, ...rest] = node.list((item) => item);
  if (first === undefined) return ["", []];
  return [parseProgram(first, searchPath), rest.map(parseArgument)];
}

function parseArgument(node: ConfigNode): Template {
  // An empty argument is one too; string() would refuse it.
  if (node.value === "") return { pieces: [] };
  if (typeof node.value === "string" && node.value.includes("\0")) {
    node.problem("an argument cannot hold a NUL");
  }
  return parseTemplate(node);
}

function parseProgram(node: ConfigNode, searchPath: string): string {
  const name = node.string();
  if (name === "") return "";
  if (name.startsWith("/")) {
    const wrong = wrongProgram(name);
    if (wrong !== undefined) node.problem(`cannot run "${name}": ${wrong}`);
    return name;
  }
  if (name.includes("/")) {
    node.problem(`expected an absolute path or a name to find on PATH, found "${name}"`);
    return name;
  }
  const found = searchPath.split(":").filter((folder) => folder.startsWith("/"))
    .map((folder) => `${folder}/${name}`)
    .find((path) => wrongProgram(path) === undefined);
  if (found === undefined) {
    node.problem(`"${name}" is not on PATH (${searchPath}); give its absolute path`);
  }
  return found ?? name;
}

function wrongProgram(path: string): string | undefined {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return "it is not a file";
    accessSync(path, constants.X_OK);
    // For root accessSync says yes to everything.
    if ((stat.mode & 0o111) !== 0) return undefined;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === "ENOENT") return "no such file";
    if (code !== "EACCES") return code ?? "it cannot be looked at";
  }
  return `it is not executable; chmod +x ${path}`;
}

function parseEnvironment(node: ConfigNode | undefined): Record<string, Secret> {
  const environment: Record<string, Secret> = {};
  if (node === undefined) return environment;
  const section = node.section("{ ALERT_TOKEN: { env: ALERT_TOKEN } }");
  for (const name of section.keys()) {
    const value = section.required(name);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      value.problem("expected a variable's name: letters, digits and _");
    } else if (name.startsWith("SUPERBELL_")) {
      value.problem("names that begin with SUPERBELL_ are ours; choose another one");
    }
    environment[name] = value.secret();
  }
  return environment;
}

function parseDirectory(node: ConfigNode): string {
  const path = node.absolutePath();
  if (path.startsWith("/") && !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    node.problem(`"${path}" is not a directory`);
  }
  return path;
}
