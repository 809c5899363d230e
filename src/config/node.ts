// A value of the configuration together with its path. A reader that finds the wrong thing
// notes a problem and gives back an empty value of the right type, so that reading goes on
// and every problem is found in one pass; whoever owns the Reading refuses to use the result
// when there are problems.

import { formatDuration, parseDuration, parseSize } from "./duration.ts";
import { suggest } from "./nearest.ts";
import type { Problem } from "./problem.ts";
import { linesIn, Secret, shellSlip } from "./secret.ts";

/** The outside world that secrets come from. Both answer undefined for "there is none". */
export interface SecretSources {
  env(name: string): string | undefined;
  /** The file's text, and whether every user can read it; or why it cannot be read. */
  readFile(
    path: string,
  ): { readonly text: string; readonly exposed?: boolean } | { readonly why: string };
}

/** What one pass over a configuration has found so far. */
export class Reading {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly secrets: Secret[] = [];
  /** The paths of secrets that stand in the file itself. */
  readonly literalSecrets: string[] = [];
  readonly sources: SecretSources;
  /** Whether a secret that cannot be had is a problem; to print the outbox none is needed. */
  readonly needsSecrets: boolean;

  constructor(sources: SecretSources, options: { readonly needsSecrets?: boolean } = {}) {
    this.sources = sources;
    this.needsSecrets = options.needsSecrets ?? true;
  }
}

/** The flag "l" exists where V8 was started with its linear engine, as our executable does. */
const HAS_LINEAR_ENGINE = (() => {
  try {
    new RegExp("", "l");
    return true;
  } catch {
    return false;
  }
})();

/**
 * A pattern like `ERROR|CRITICAL` or `^(FATAL|PANIC)`: nothing in it repeats and one group at most
 * chooses, so V8's usual engine tries little more at each place than it has letters. That is a
 * hundred times faster than the linear one, which takes 0.1 microseconds a letter.
 */
const NOTHING_REPEATS = /^[^*+?{(]*(?:\([^*+?{()]*\)[^*+?{(]*)?$/;

/** A value, the path of keys that leads to it, and readers for what it may be. */
export class ConfigNode {
  readonly value: unknown;
  readonly path: string;
  readonly reading: Reading;

  constructor(value: unknown, path: string, reading: Reading) {
    this.value = value;
    this.path = path;
    this.reading = reading;
  }

  /** Notes that this value is wrong. */
  problem(message: string): void {
    this.reading.problems.push({ path: this.path, message });
  }

  /** Notes something that works but should not stay so. */
  warning(message: string): void {
    this.reading.warnings.push({ path: this.path, message });
  }

  /** A text that is not empty. */
  string(): string {
    if (typeof this.value === "string" && this.value.trim() !== "") return this.value;
    if (typeof this.value === "string") this.problem(`expected a text, found an empty one`);
    else this.#expected("a string", typeof this.value === "object" ? "" : "; put it in quotes");
    return "";
  }

  /** A string that `check` accepts; it answers what is wrong, or undefined. */
  stringThat(check: (text: string) => string | undefined): string {
    const text = this.string();
    const wrong = text === "" ? undefined : check(text);
    if (wrong !== undefined) this.problem(wrong);
    return text;
  }

  /** A whole number within the limits, both included. */
  integer(limits: { readonly min: number; readonly max: number }): number {
    const { min, max } = limits;
    if (typeof this.value !== "number" || !Number.isInteger(this.value)) {
      this.#expected("a whole number");
    } else if (this.value < min || this.value > max) {
      this.problem(`expected a number from ${min} to ${max}, found ${this.value}`);
    } else return this.value;
    return min;
  }

  boolean(): boolean {
    if (typeof this.value === "boolean") return this.value;
    this.#expected("true or false");
    return false;
  }

  /** One of the given words. */
  oneOf<Word extends string>(words: readonly Word[]): Word {
    const found = words.find((word) => word === this.value);
    if (found !== undefined) return found;
    if (typeof this.value === "string") {
      this.problem(
        words.length <= 4
          ? `expected ${either(words)}, found ${quote(this.value)}`
          : `${quote(this.value)} is not known here; ${suggest(this.value, words)}`,
      );
    } else this.#expected(either(words));
    return words[0]!;
  }

  /** Milliseconds, written with a unit: 500ms, 8s, 10m, 1h30m, 7d. */
  duration(limits: { readonly min: number; readonly max: number }): number {
    const durationMs = typeof this.value === "string" ? parseDuration(this.value) : undefined;
    if (durationMs === undefined) {
      this.#expected(`a duration like "8s", "10m" or "1h30m"`);
    } else if (durationMs < limits.min || durationMs > limits.max) {
      const [min, max] = [formatDuration(limits.min), formatDuration(limits.max)];
      this.problem(`expected a duration from ${min} to ${max}, found ${String(this.value)}`);
    } else return durationMs;
    return limits.min;
  }

  /** Bytes, written with a unit: 512KB, 256MB, 2GB. */
  size(limits: { readonly min: number; readonly max: number }): number {
    const bytes = typeof this.value === "string" ? parseSize(this.value) : undefined;
    if (bytes === undefined) this.#expected(`a size like "64MB" (units: B, KB, MB, GB)`);
    else if (bytes < limits.min || bytes > limits.max) {
      this.problem(
        `expected a size from ${limits.min} to ${limits.max} bytes, found ${String(this.value)}`,
      );
    } else return bytes;
    return limits.min;
  }

  /** An absolute path. supervisord starts us in a folder that nobody thinks of. */
  absolutePath(): string {
    return this.stringThat((text) =>
      text.startsWith("/") ? undefined : `expected an absolute path, found ${quote(text)}`
    );
  }

  /** An address of one of `schemes` ("http", "https"), without a query when it is a base. */
  url(schemes: readonly string[]): string {
    return this.stringThat((text) => wrongUrl(text, schemes));
  }

  /**
   * A list with at least one item, or a single item standing for a list of one. The example shows
   * its right form to who has written something else.
   */
  list<Item>(read: (item: ConfigNode) => Item, example?: string): Item[] {
    if (!Array.isArray(this.value)) {
      if (this.value !== null && typeof this.value !== "object") return [read(this)];
      this.#expected(example === undefined ? "a list" : `a list like ${example}`);
      return [];
    }
    if (this.value.length === 0) this.problem("expected at least one item, found an empty list");
    return this.value.map((item, index) =>
      read(new ConfigNode(item, `${this.path}[${index}]`, this.reading))
    );
  }

  /** A list of sections. A single one stands behind a dash as well; the example is one of them. */
  listOfSections<Item>(read: (item: ConfigNode) => Item, example: string): Item[] {
    if (Array.isArray(this.value)) return this.list(read);
    // As in section(), the value is not shown.
    const found = kindOf(this.value);
    this.problem(`expected a list like - ${example} (a dash before each), found ${found}`);
    return [];
  }

  /**
   * A regular expression in JavaScript's syntax that V8's linear engine can run: one that
   * backtracks could take minutes, and hold up every event for that long.
   */
  pattern(): RegExp {
    const text = this.string();
    try {
      const linear = new RegExp(text, HAS_LINEAR_ENGINE ? "l" : "");
      return NOTHING_REPEATS.test(text) ? new RegExp(text) : linear;
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      const why = message.includes("linear time")
        ? "it might take for ever; lookaround, back references and repetitions of hundreds are " +
          "not possible"
        : message.replace(/^.*?: (?=[^:]*$)/s, "");
      const hint = /\(\?[a-z]*i/.test(text) ? "; to ignore case write [Ee]rror" : "";
      this.problem(`cannot read the regular expression ${quote(text)}: ${why}${hint}`);
      return /$^/;
    }
  }

  /** A literal, `{ env: NAME }` or `{ file: PATH }`. The value is never part of a problem. */
  secret(): Secret {
    const secret = this.#readSecret();
    this.reading.secrets.push(secret);
    if (secret.source === "literal") this.reading.literalSecrets.push(this.path);
    const slip = shellSlip(secret);
    if (slip?.isSure === true) this.problem(slip.message);
    else if (slip !== undefined) this.warning(slip.message);
    return secret;
  }

  /** A secret of one line, as a token, a password and an address are. */
  secretLine(): Secret {
    const secret = this.secret();
    const lines = linesIn(secret);
    if (lines > 1) {
      this.problem(
        `expected a secret of one line, found ${lines} lines; leave only the secret there`,
      );
    }
    return secret;
  }

  #readSecret(): Secret {
    if (this.value === undefined) return new Secret("", "literal"); // required() has spoken
    if (typeof this.value === "string" && this.value.trim() !== "") {
      return new Secret(this.value, "literal");
    }
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
      const found = typeof this.value === "string" ? "an empty one" : kindOf(this.value);
      const hint = typeof this.value === "number" ? " (put it in quotes)" : "";
      this.problem(
        `expected a secret: a string, { env: NAME } or { file: PATH }; found ${found}${hint}`,
      );
      return new Secret("", "literal");
    }
    const section = this.section();
    const [env, file] = [section.optional("env"), section.optional("file")];
    section.end();
    if ((env === undefined) === (file === undefined)) {
      this.problem("expected exactly one of { env: NAME } and { file: PATH }");
      return new Secret("", "env");
    }
    return env === undefined ? secretFromFile(file!) : secretFromEnv(env);
  }

  /**
   * A mapping of keys to values; an empty one when nothing follows the key. The example shows its
   * right form to who has written something else.
   */
  section(example?: string): Section {
    const { value } = this;
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      return new Section(this, value as Record<string, unknown>);
    }
    // Not shown: a token or an address often stands where a section should.
    if (value !== null && value !== undefined) {
      const like = example === undefined ? "" : ` like ${example}`;
      this.problem(`expected keys with values${like}, found ${kindOf(value)}`);
    }
    return new Section(this, {});
  }

  #expected(what: string, hint = ""): void {
    if (this.value === undefined) return; // required() has said that it is missing
    const shown = typeof this.value === "string" || typeof this.value === "number" ||
        typeof this.value === "boolean"
      ? ` (${quote(String(this.value))})`
      : "";
    this.problem(`expected ${what}, found ${kindOf(this.value)}${shown}${hint}`);
  }
}

/** The keys of a mapping, taken one by one; end() finds those that nobody took. */
export class Section {
  readonly node: ConfigNode;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  constructor(node: ConfigNode, values: Readonly<Record<string, unknown>>) {
    this.node = node;
    this.#values = values;
  }

  /** The names that stand in the file, in its order. */
  keys(): string[] {
    return Object.keys(this.#values);
  }

  /** The value of `key`, or undefined when the key is not there. */
  optional(key: string): ConfigNode | undefined {
    this.#known.add(key);
    return Object.hasOwn(this.#values, key) ? this.#child(key) : undefined;
  }

  /** The value of `key`; that it is missing is a problem, unless there are no keys at all. */
  required(key: string): ConfigNode {
    const node = this.optional(key);
    const { value } = this.node;
    const isMapping = typeof value === "object" && !Array.isArray(value);
    // Something else than keys with values is one mistake, and section() has told it.
    if (node === undefined && (isMapping || value === undefined)) {
      this.#child(key).problem("is required and missing");
    }
    return node ?? this.#child(key);
  }

  /** Every key that was not asked for is a problem. Call it last. */
  end(): void {
    for (const key of this.keys()) {
      if (this.#known.has(key)) continue;
      this.#child(key).problem(`unknown key; ${suggest(key, this.#known)}`);
    }
  }

  #child(key: string): ConfigNode {
    const path = this.node.path === "" ? key : `${this.node.path}.${key}`;
    return new ConfigNode(this.#values[key], path, this.node.reading);
  }
}

function secretFromEnv(node: ConfigNode): Secret {
  const name = node.string();
  const value = name === "" ? undefined : node.reading.sources.env(name);
  if (name !== "" && node.reading.needsSecrets && (value === undefined || value === "")) {
    const state = value === undefined ? "is not set" : "is empty";
    node.problem(
      `environment variable ${name} ${state}; export it in this shell, and for the listener set it ` +
        `in environment= of the [eventlistener:…] section`,
    );
  }
  return new Secret(value ?? "", "env");
}

function secretFromFile(node: ConfigNode): Secret {
  const path = node.absolutePath();
  if (!path.startsWith("/")) return new Secret("", "file");
  const file = node.reading.sources.readFile(path);
  if ("why" in file) {
    if (node.reading.needsSecrets) node.problem(`cannot read ${quote(path)}: ${file.why}`);
    return new Secret("", "file");
  }
  const value = withoutLineEnd(file.text);
  if (value.trim() === "") node.problem(`${quote(path)} is empty`);
  if (file.exposed === true) {
    node.warning(`${quote(path)} can be read by every user of this host; chmod 600 it`);
  }
  return new Secret(value, "file");
}

/** The text without line feeds at its end. No expression: `/\n+$/` takes quadratic time. */
export function withoutLineEnd(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === "\n" || text[end - 1] === "\r")) end--;
  return text.slice(0, end);
}

/** Whatever else stands before a colon may be the beginning of a secret ("user:password"). */
const NAMED_SCHEMES = ["http", "https", "ws", "wss", "ftp", "file"];

/** What is wrong with an address, or undefined. The address itself is not repeated: it may hold a secret. */
export function wrongUrl(text: string, schemes: readonly string[]): string | undefined {
  const wanted = schemes.map((scheme) => `${scheme}://`).join(" or ");
  if (!URL.canParse(text)) {
    return schemes.some((scheme) => text.startsWith(`${scheme}://`))
      ? "is no address that can be used; look at the host and the port"
      : `expected an address that begins with ${wanted}`;
  }
  const scheme = new URL(text).protocol.slice(0, -1);
  if (schemes.includes(scheme)) return undefined;
  return NAMED_SCHEMES.includes(scheme)
    ? `expected ${wanted}, found ${scheme}:`
    : `expected an address that begins with ${wanted}`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "keys with values";
  return { string: "a string", number: "a number", boolean: "a boolean" }[typeof value as string] ??
    `a ${typeof value}`;
}

function quote(text: string): string {
  return `"${text.length > 60 ? text.slice(0, 57) + "…" : text}"`;
}

function either(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
