// superbell version: what a bug report needs.

import { type Command, parseOptions, print } from "./command.ts";
import { describeLibc, findLibc } from "./host_libc.ts";

/** What the build put into the executable. */
export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
  readonly dirty?: boolean;
  /** The oldest glibc that the executable starts with; the build proves it. */
  readonly glibc?: string;
}

/** The build's own facts; "development" when run from the sources. */
export function buildInfo(): BuildInfo {
  try {
    return JSON.parse(Deno.readTextFileSync(new URL("../../dist/build.json", import.meta.url)));
  } catch {
    return { version: "development", commit: "unknown" };
  }
}

/** `0.1.0 (commit 1a2b3c4)`. */
export function versionText(): string {
  const { version, commit, dirty } = buildInfo();
  return `${version} (commit ${commit}${dirty === true ? ", with local changes" : ""})`;
}

/** What is known of the host and the executable, a line each. */
export function verboseLines(): string[] {
  const { glibc } = buildInfo();
  const { arch } = Deno.build;
  return [
    glibc === undefined
      ? "built for:  nothing, this runs from the sources"
      : `built for:  glibc ${glibc} or newer, Linux 3.10 or newer, ${arch}`,
    `this host:  ${describeLibc(findLibc())}, Linux ${Deno.osRelease()}, ${arch}`,
    `executable: ${Deno.execPath()}`,
  ];
}

export const version: Command = {
  name: "version",
  summary: "prints the version and the commit; with --verbose what a bug report needs",
  help: `Usage: superbell version [--verbose]

Prints the version, the commit and the platform.

  --verbose  also the oldest glibc and kernel that this executable starts with, and the glibc,
             kernel and processor of this host: add it to a bug report
`,
  run(args) {
    const verbose = parseOptions(args, { flags: ["verbose"] }).flag("verbose");
    const { arch, os } = Deno.build;
    print(`superbell ${versionText()} ${os}-${arch}, Deno ${Deno.version.deno}`);
    if (verbose) print(verboseLines().join("\n"));
    return 0;
  },
};
