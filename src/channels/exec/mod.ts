// A command of the user's own. Its exit status is the answer: 0 is delivered, five codes of
// sysexits.h say that trying again cannot help, everything else is tried again, for a broken
// command is usually mended by somebody soon after.

import { delivered, type Outcome, rejected, retry } from "../../alerts/outcome.ts";
import { truncateChars } from "../../alerts/truncate.ts";
import { Redactor } from "../../config/secret.ts";
import type { Channel, ChannelKind } from "../channel.ts";
import { type Invocation, invocationOf } from "./message.ts";
import { type ExecOptions, parseExec } from "./options.ts";
import { type Ending, run } from "./process.ts";

/** A command of the user's own. */
export const exec: ChannelKind<ExecOptions> = {
  type: "exec",
  parse: parseExec,
  open: openExec,
};

/** Exit codes after which trying again cannot help, by the names of sysexits.h. */
const FINAL_CODES: Readonly<Record<number, string>> = {
  64: "EX_USAGE",
  65: "EX_DATAERR",
  67: "EX_NOUSER",
  77: "EX_NOPERM",
  78: "EX_CONFIG",
};

const SHOWN_CHARS = 200;

function openExec(options: ExecOptions): Channel {
  const redactor = new Redactor(Object.values(options.environment));
  return {
    send: async (message, { signal }) => {
      const invocation = invocationOf(message, options);
      if (signal.aborted) return retry(`"${options.program}" was not started: stopped before`);
      try {
        const ending = await run(invocation, signal);
        const said = shorten(redactor.redact(ending.stderr.trim() || ending.stdout));
        const output = said === "" ? "" : `: ${said}`;
        if (ending.stopped) {
          return retry(`"${options.program}" ${describeAbort(signal)}${output}`);
        }
        return outcomeOf(ending, options.program, output);
      } catch (error) {
        return retry(`cannot start "${options.program}": ${describeStart(error, invocation)}`);
      }
    },
  };
}

function outcomeOf({ code, signal }: Ending, program: string, output: string): Outcome {
  if (signal !== null) return retry(`"${program}" was killed by ${signal}${output}`);
  if (code === 0) return delivered(`exit code 0${output}`);
  const name = FINAL_CODES[code];
  if (name === undefined) return retry(`"${program}" ended with exit code ${code}${output}`);
  return rejected(
    `"${program}" ended with exit code ${code} (${name}, not to be tried again)${output}`,
  );
}

function describeAbort({ reason }: AbortSignal): string {
  return reason instanceof DOMException && reason.name === "TimeoutError"
    ? "did not end within the channel's timeout and was stopped"
    : "was stopped before its end";
}

/** One line, and of a long one the beginning and the end: that is where programs say why. */
function shorten(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, " ").trim();
  const characters = Array.from(line);
  if (characters.length <= SHOWN_CHARS) return line;
  const half = SHOWN_CHARS / 2;
  return `${truncateChars(line, half)} ${characters.slice(1 - half).join("")}`;
}

function describeStart(error: unknown, { directory }: Invocation): string {
  // Deno's own words name the program or the folder, never an argument or a variable.
  const words = error instanceof Error ? error.message : "";
  if (words.includes("No such cwd")) return `its directory "${directory}" is gone`;
  if (error instanceof Deno.errors.NotFound) {
    return "no such file (or the interpreter that its first line names is missing)";
  }
  if (error instanceof Deno.errors.PermissionDenied) return "it is not executable for us";
  if (words.includes("os error 7")) return "its arguments are too long; use its stdin instead";
  return words.replace(/^.*?: /s, "");
}
