// A message as a command gets it: arguments, environment variables, and a JSON document on
// stdin. Values come from programs and from names that anybody may choose, so each is cut to
// what the kernel takes, and a NUL, which no argument can hold, becomes U+FFFD.

import type { Message } from "../../alerts/compose.ts";
import { alertDocument } from "../../alerts/document.ts";
import { render } from "../../alerts/template.ts";
import { truncateBytes } from "../../alerts/truncate.ts";
import type { ExecOptions } from "./options.ts";

/** A longer argument or variable is cut. Linux takes 128 KiB each. */
export const MAX_VALUE_BYTES = 64 * 1024;

/** What one run of the command is given. */
export interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly stdin: string;
}

/** The run about one message. */
export function invocationOf(message: Message, options: ExecOptions): Invocation {
  const env: Record<string, string> = { ...options.inherited, ...variablesOf(message) };
  for (const [name, secret] of Object.entries(options.environment)) env[name] = secret.reveal();
  return {
    program: options.program,
    args: options.args.map((template) => passable(render(template, message))),
    env: Object.fromEntries(Object.entries(env).map(([name, text]) => [name, passable(text)])),
    directory: options.directory,
    stdin: `${JSON.stringify(alertDocument(message))}\n`,
  };
}

/** SUPERBELL_PROCESS and so on: every placeholder under its own name, plus AT and LANGUAGE. */
function variablesOf(message: Message): Record<string, string> {
  const variables: Record<string, string> = {
    SUPERBELL_AT: new Date(message.alert.atMs).toISOString(),
    SUPERBELL_LANGUAGE: message.language,
  };
  for (const [name, value] of Object.entries(message.values)) {
    variables[`SUPERBELL_${name.toUpperCase()}`] = value;
  }
  return variables;
}

function passable(text: string): string {
  return truncateBytes(text.replaceAll("\0", "\ufffd"), MAX_VALUE_BYTES);
}
