// superbell version: what a bug report needs.

import { type Command, parseOptions, print } from "./command.ts";

/** What the build put into the executable. */
export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
  readonly dirty?: boolean;
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

export const version: Command = {
  name: "version",
  summary: "prints the version and the commit it was built from",
  help: "Usage: superbell version\n\nPrints the version, the commit and the platform.\n",
  run(args) {
    parseOptions(args, {});
    const { arch, os } = Deno.build;
    print(`superbell ${versionText()} ${os}-${arch}, Deno ${Deno.version.deno}`);
    return 0;
  },
};
