// The commands, and what is common to all: help, exit codes, and errors as sentences.

import { nearest } from "../config/nearest.ts";
import { ConfigError } from "../config/problem.ts";
import { ack } from "./ack.ts";
import { check } from "./check.ts";
import { type Command, print, printError, UsageError } from "./command.ts";
import { history } from "./history.ts";
import { init } from "./init.ts";
import { listen } from "./listen.ts";
import { outbox } from "./outbox.ts";
import { silence } from "./silence.ts";
import { simulate } from "./simulate.ts";
import { status } from "./status.ts";
import { test } from "./test.ts";
import { version } from "./version.ts";

const COMMANDS: readonly Command[] = [
  listen,
  check,
  test,
  simulate,
  status,
  history,
  ack,
  silence,
  outbox,
  init,
  version,
];

const HELP = `superbell: tells people when a process under Supervisor crashes or cannot be started

Usage: superbell COMMAND [OPTIONS]

Commands
${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n")}

superbell COMMAND --help tells more of each. Without a command, options alone mean listen.
The configuration is -c FILE, else $SUPERBELL_CONFIG, ./superbell.yaml or /etc/superbell.yaml.
Exit codes: 0 done; 1 it failed at run time; 2 a mistake in the command line or configuration.
`;

/** Runs the command that the arguments name; answers the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const [first = "", ...rest] = args;
  if (first === "" || first === "--help" || first === "-h") {
    print(HELP);
    return first === "" ? 2 : 0;
  }
  if (first === "help") return printHelp(rest[0]);
  if (first === "--version" || first === "-V") return await version.run([]);
  const command = first.startsWith("-") ? listen : COMMANDS.find(({ name }) => name === first);
  if (command === undefined) return unknownCommand(first);
  const own = command === listen && first.startsWith("-") ? args : rest;
  if (own.some((arg) => arg === "--help" || arg === "-h")) return printHelp(command.name);
  try {
    return await command.run(own);
  } catch (error) {
    return explain(error, command);
  }
}

/** The sentence for a mistake of the user; a bug keeps its stack, for the report. */
function explain(error: unknown, command: Command): number {
  if (error instanceof UsageError) {
    printError(`superbell ${command.name}: ${error.message}`);
    printError(`See: superbell ${command.name} --help`);
    return 2;
  }
  if (error instanceof ConfigError) {
    printError(error.message);
    return 2;
  }
  if (
    error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  ) {
    printError(`superbell ${command.name}: a mistake in superbell itself: ${error.stack}`);
    return 1;
  }
  printError(`superbell ${command.name}: ${error instanceof Error ? error.message : error}`);
  return 1;
}

function printHelp(name: string | undefined): number {
  if (name === undefined) {
    print(HELP);
    return 0;
  }
  const command = COMMANDS.find((known) => known.name === name);
  if (command === undefined) return unknownCommand(name);
  print(command.help);
  return 0;
}

function unknownCommand(name: string): number {
  const near = nearest(name, COMMANDS.map((command) => command.name));
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  printError(`superbell: unknown command "${name}"${hint}\nSee: superbell --help`);
  return 2;
}
