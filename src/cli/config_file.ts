// Which configuration file: -c, else $SUPERBELL_CONFIG, else ./superbell.yaml, else /etc.

import { parse as parseYaml } from "@std/yaml";
import { shellWord } from "../alerts/compose.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import { readNow } from "../file_read.ts";
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
  const look = (readFile = readNow) =>
    loadSettings(path, {
      env: (name) => Deno.env.get(name),
      needsSecrets: false,
      onProblems: (problems) => found.push(...problems),
      readFile,
    });
  let settings: Settings;
  try {
    settings = look();
  } catch (error) {
    const plain = plainLines(path);
    if (!(error instanceof ConfigError) || plain === undefined) throw error;
    settings = look((named) =>
      named === path ? { bytes: plain, isOpenToAll: false } : readNow(named)
    );
    printError(
      `"${path}" is not valid YAML (superbell check -c ${shellWord(path)} tells where): its ` +
        `channels and rules are not known here; this is about state_dir "${settings.stateDir}"`,
    );
    return settings;
  }
  if (found.length > 0) {
    printError(
      `"${path}" has ${count(found, "problem")} (superbell check -c ${shellWord(path)} tells ` +
        `them); this is about its ` +
        `state_dir, "${settings.stateDir}"`,
    );
  }
  return settings;
}

/** Keys of the top level that say where to look and how to write times. */
const PLAIN = /^(state_dir|time_zone|language):[ \t]+\S.*$/gm;

const NAMES_STATE_DIR = /^[^#\n]*state_dir/m;

/**
 * Of a file that is no YAML the lines with such a key, which can be read one by one; undefined where
 * it is YAML, or cannot be read at all, or these lines are what is wrong with it.
 */
function plainLines(path: string): Uint8Array | undefined {
  const file = readNow(path);
  if (!("bytes" in file)) return undefined;
  const text = new TextDecoder().decode(file.bytes);
  if (isYaml(text)) return undefined;
  const lines = (text.match(PLAIN) ?? []).join("\n");
  // Written in another way: no guess may lead to the directory of another listener.
  if (NAMES_STATE_DIR.test(text) && !lines.includes("state_dir:")) return undefined;
  return isYaml(lines) ? new TextEncoder().encode(lines) : undefined;
}

function isYaml(text: string): boolean {
  try {
    parseYaml(text, { schema: "core" });
    return true;
  } catch {
    return false;
  }
}
