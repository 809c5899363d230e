// superbell check: every problem of the configuration at once, before supervisord sees it.

import { describeProblem, type Problem } from "../config/problem.ts";
import { subscriptionsFor } from "../rules/subscriptions.ts";
import { type Command, count, parseOptions, print, printError } from "./command.ts";
import { settingsFrom } from "./config_file.ts";

export const check: Command = {
  name: "check",
  summary: "finds every problem of the configuration",
  help: `Usage: superbell check [-c FILE]

Reads the configuration and prints every problem with its key, and what would be right.
Warnings name what works but should not stay so. Sends nothing, changes nothing.
Secrets by { env: NAME } must be set in the shell too, as in environment= of the section.

Exit codes: 0 no problem (there may be warnings); 2 problems.
`,
  run(args) {
    const settings = settingsFrom(parseOptions(args, {}), { needsSecrets: true });
    printWarnings(settings.path, settings.warnings);
    const { channels, rules, path } = settings;
    print(`${path}: no problems; ${count(channels, "channel")}, ${count(rules, "rule")}`);
    for (const rule of rules) {
      print(`  rule ${rule.name}: on ${rule.on.join(", ")} to ${rule.to.join(", ")}`);
    }
    print(`  the [eventlistener:…] section must have events=${subscriptionsFor(rules).join(",")}`);
    return 0;
  },
};

/** Prints warnings on stderr, a line each. */
export function printWarnings(file: string, warnings: readonly Problem[]): void {
  for (const warning of warnings) printError(`warning: ${describeProblem(file, warning)}`);
}
