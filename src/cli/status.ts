// superbell status: for whoever has been woken. What runs, what does not, what waits and why, and
// what to do about it, on one screen.

import { type Command, parseOptions, print, printError } from "./command.ts";
import { settingsToLook } from "./config_file.ts";
import { statusDocument } from "./status_document.ts";
import { readReport } from "./status_report.ts";
import { advise, describeReport } from "./status_text.ts";
import { oneLine } from "./table.ts";

export const status: Command = {
  name: "status",
  summary: "what runs, what fails, what waits, and what to do",
  help: `Usage: superbell status [-c FILE] [--all] [--json]

The listener, supervisord, the processes in trouble, open incidents, silences, what waits in the
outbox, how each channel fares, the events that supervisord dropped, and at the end what to do. It
only reads, asks nobody, and works while no listener runs: what it knows is as old as the last
event.

  --all   every process and every incident in full, not only those in trouble
  --json  the same for programs; the keys stand in docs/commands.md

In trouble are processes that are FATAL, BACKOFF, UNKNOWN, or EXITED unexpectedly, and those that
ended by themselves and run again since less than ten minutes.
Exit codes: 0 also when something is in trouble; 1 the outbox cannot be read; 2 usage or
configuration.
`,
  run(args) {
    const options = parseOptions(args, { flags: ["all", "json"] });
    const report = readReport(settingsToLook(options), Date.now());
    if (options.flag("json")) print(JSON.stringify(statusDocument(report), undefined, 2));
    else {
      print(describeReport(report, options.flag("all") ? "all" : "screen").join("\n"));
      const advice = advise(report);
      if (advice.length > 0) print("\n" + advice.map(oneLine).join("\n"));
    }
    if (report.problem === undefined) return 0;
    printError(`superbell status: ${report.problem}`);
    return 1;
  },
};
