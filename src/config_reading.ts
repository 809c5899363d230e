// Reads the configuration while superbell runs, in the background: no event waits for a file.

import { createHash } from "node:crypto";
import { ConfigError } from "./config/problem.ts";
import { type FileRead, readInBackground, stampInBackground } from "./file_read.ts";
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
    if (missing.size === 0) {
      return { ...contentOf(digestsOf(reads)), files: [...reads.keys()], outcome };
    }
    const found = await Promise.all(
      [...missing].map(async (named) => [named, await readInBackground(named)] as const),
    );
    for (const [named, read] of found) reads.set(named, read);
  }
}

/** A hash of what a file holds, or of why it cannot be read. */
interface Digest {
  readonly digest: string;
  readonly isRead: boolean;
}

/** A file that was touched so lately is read again, however it looks. */
const SETTLED_AFTER_MS = 2000;

/**
 * Looks at files again and again. One that nobody has touched since is not opened: that alone may
 * wait for a server that hangs.
 */
export class FileLooks {
  readonly #settledAfterMs: number;
  readonly #seen = new Map<string, Digest & { readonly stamp: string }>();

  constructor(settledAfterMs = SETTLED_AFTER_MS) {
    this.#settledAfterMs = settledAfterMs;
  }

  /** What the files hold now. */
  async look(files: readonly string[]): Promise<FileContent> {
    return contentOf(
      await Promise.all(files.map(async (path) => [path, await this.#digestOf(path)] as const)),
    );
  }

  async #digestOf(path: string): Promise<Digest> {
    const stamp = await stampInBackground(path, this.#settledAfterMs); // before it is read
    const seen = this.#seen.get(path);
    if (stamp !== undefined && seen?.stamp === stamp) return seen;
    const digest = digestOf(await readInBackground(path));
    if (stamp !== undefined && digest.isRead) this.#seen.set(path, { ...digest, stamp });
    else this.#seen.delete(path);
    return digest;
  }
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

function digestOf(read: FileRead): Digest {
  const hash = createHash("sha256");
  const isRead = "bytes" in read;
  hash.update(isRead ? read.bytes : `cannot be read: ${read.why}`);
  return { digest: hash.digest("hex"), isRead };
}

function digestsOf(reads: ReadonlyMap<string, FileRead>): (readonly [string, Digest])[] {
  return [...reads].map(([path, read]) => [path, digestOf(read)] as const);
}

function contentOf(digests: readonly (readonly [path: string, Digest])[]): FileContent {
  const hash = createHash("sha256");
  for (const [path, { digest }] of digests) hash.update(`${path}\0${digest}\n`);
  return { content: hash.digest("hex"), isWhole: digests.every(([, { isRead }]) => isRead) };
}
