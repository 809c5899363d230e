// Which configuration file: -c, else $SUPERBELL_CONFIG, else ./superbell.yaml, else /etc.

import { loadSettings, type Settings } from "../settings.ts";
import { type Options, UsageError } from "./command.ts";

const CANDIDATES = ["superbell.yaml", "/etc/superbell.yaml"] as const;

/** The path to read; throws a UsageError when none was named and none exists. */
export function configPath(options: Options): string {
  const named = options.string("config") ?? Deno.env.get("SUPERBELL_CONFIG");
  if (named !== undefined && named !== "") return named;
  for (const path of CANDIDATES) {
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // not this one
    }
  }
  throw new UsageError(
    `no configuration file: give one with -c FILE or $SUPERBELL_CONFIG, or create ` +
      `${CANDIDATES.join(" or ")}; superbell init prints one to start from`,
  );
}

/** The settings of the file that the options name. Throws a ConfigError with every problem. */
export function settingsFrom(options: Options): Settings {
  return loadSettings(configPath(options), (name) => Deno.env.get(name));
}
