// A command for exec channels that writes down how it was called.

import type { AlertDocument } from "../../src/alerts/document.ts";
import { readIfThere } from "./supervisord.ts";

/** One call of the command. */
export interface RecordedCall {
  readonly args: readonly string[];
  /** What it was given on stdin. */
  readonly document: AlertDocument;
}

/** The command, for `files:`; it keeps each call in a file of its own below `calls` of `{dir}`. */
export const RECORDER = `#!/bin/sh
# Writes its arguments, each with a NUL behind it, and its input into a new file.
mkdir -p "{dir}/calls"
call="{dir}/calls/$$-$SUPERBELL_ALERT_ID"
for arg in "$@"; do printf '%s\\0' "$arg"; done > "$call.part"
printf '\\0' >> "$call.part"
cat >> "$call.part"
mv "$call.part" "$call"
`;

/** The calls so far, in no certain order. */
export function recordedCalls(dir: string): RecordedCall[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(`${dir}/calls`)].map(({ name }) => name);
  } catch {
    return [];
  }
  return names.filter((name) => !name.endsWith(".part")).map((name) => {
    const text = readIfThere(`${dir}/calls/${name}`);
    const end = text.lastIndexOf("\0\0{");
    return {
      args: end < 0 ? [] : text.slice(0, end).split("\0"),
      document: JSON.parse(text.slice(text.lastIndexOf("\0") + 1)),
    };
  });
}
