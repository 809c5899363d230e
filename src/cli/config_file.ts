// Which configuration file: -c, else $SUPERBELL_CONFIG, else ./superbell.yaml, else /etc.

import type { Problem } from "../config/problem.ts";
import { loadSettings, type Settings } from "../settings.ts";
import { count, type Options, printError, UsageError } from "./command.ts";

const CANDIDATES = ["superbell.yaml", "/etc/superbell.yaml"] as const;

/** The path that was named, or the first usual one that exists; else undefined. */
export function findConfig(options: Options): string | undefined {
  const named = options.string("config") ?? Deno.env.get("SUPERBELL_CONFIG");
  if (named !== undefined && named !== "") return named;
  for (const path of CANDIDATES) {
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // not this one
    }
  }
  return undefined;
}

/** The path as findConfig(); throws a UsageError where there is none. */
export function configPath(options: Options): string {
  const found = findConfig(options);
  if (found !== undefined) return found;
  throw new UsageError(
    `no configuration file: give one with -c FILE or $SUPERBELL_CONFIG, or create ` +
      `${CANDIDATES.join(" or ")}; superbell init prints one to start from`,
  );
}

/**
 * The settings of the file that the options name. Throws a ConfigError with every problem; a
 * command that sends nothing does not need the secrets, which only the listener may see.
 */
export function settingsFrom(
  options: Options,
  { needsSecrets }: { readonly needsSecrets: boolean },
): Settings {
  return loadSettings(configPath(options), { env: (name) => Deno.env.get(name), needsSecrets });
}

/**
 * The settings for a command that looks into state_dir, also while the file has problems: then the
 * listener may run on with an older one, and people want to know.
 */
export function settingsToLook(options: Options): Settings {
  const path = configPath(options);
  const found: Problem[] = [];
  const settings = loadSettings(path, {
    env: (name) => Deno.env.get(name),
    needsSecrets: false,
    onProblems: (problems) => found.push(...problems),
  });
  if (found.length > 0) {
    printError(
      `"${path}" has ${count(found, "problem")} (superbell check tells them); this is about its ` +
        `state_dir, "${settings.stateDir}"`,
    );
  }
  return settings;
}
