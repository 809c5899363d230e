// Reads the configuration while superbell runs, in the background: no event waits for a file.

import { createHash } from "node:crypto";
import { ConfigError } from "./config/problem.ts";
import { type FileRead, readInBackground } from "./file_read.ts";
import { loadSettings, type Settings } from "./settings.ts";

/** What files hold, as far as it can be compared. */
export interface FileContent {
  /** A hash: the same for the same bytes. */
  readonly content: string;
  /** Whether every file could be read. */
  readonly isWhole: boolean;
}

/** A configuration as it was read. */
export interface ConfigReading extends FileContent {
  /** The file itself and all that it names: secrets and CAs. */
  readonly files: readonly string[];
  readonly outcome: Settings | ConfigError;
}

/** Where a configuration lies, and the environment that it may name. */
export interface ConfigSource {
  readonly path: string;
  readonly env: (name: string) => string | undefined;
}

/** Reads the configuration and every file that it names. Never rejects. */
export async function readConfiguration({ path, env }: ConfigSource): Promise<ConfigReading> {
  const reads = new Map([[path, await readInBackground(path)]]);
  while (true) {
    // Which files it names is known when it has been read: those are read then, and it once more.
    const missing = new Set<string>();
    const known = (named: string): FileRead => {
      const read = reads.get(named);
      if (read === undefined) missing.add(named);
      return read ?? { why: "it has not been read yet" };
    };
    const outcome = load(path, { env, readFile: known });
    if (missing.size === 0) return { ...contentOf(reads), files: [...reads.keys()], outcome };
    const found = await readAll([...missing]);
    for (const [named, read] of found) reads.set(named, read);
  }
}

/** What the files hold now. */
export async function lookAt(files: readonly string[]): Promise<FileContent> {
  return contentOf(await readAll(files));
}

function load(path: string, options: Parameters<typeof loadSettings>[1]): Settings | ConfigError {
  try {
    return loadSettings(path, options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    // A mistake of ours must not end the listener, nor be tried again every few seconds.
    const message = error instanceof Error ? error.message : String(error);
    return new ConfigError(path, [{ path: "", message: `superbell cannot read it: ${message}` }]);
  }
}

async function readAll(files: readonly string[]): Promise<Map<string, FileRead>> {
  const reads = files.map(async (file) => [file, await readInBackground(file)] as const);
  return new Map(await Promise.all(reads));
}

function contentOf(reads: ReadonlyMap<string, FileRead>): FileContent {
  const hash = createHash("sha256");
  for (const [path, read] of reads) {
    hash.update(`${path}\0`).update("why" in read ? `cannot be read: ${read.why}` : read.bytes);
  }
  const isWhole = [...reads.values()].every((read) => "bytes" in read);
  return { content: hash.digest("hex"), isWhole };
}
