// A secret is a value that must not be seen: a token, a password, a webhook's address.
// It prints as a placeholder everywhere; only reveal() gives it out, and a test watches
// who calls that. Redactor is the second wall: it removes secrets from any text that leaves
// us (log lines, reasons in the outbox), whoever wrote the text.

const PLACEHOLDER = "[secret]";

/** Shorter texts are not searched for: removing "a" everywhere would destroy every message. */
const SHORTEST_REDACTED = 4;

/** Where a secret came from: in the file itself, an environment variable, or another file. */
export type SecretSource = "literal" | "env" | "file";

/** A value with no readable property; `reveal()` is the only way to it. */
export class Secret {
  readonly #value: string;
  readonly source: SecretSource;

  constructor(value: string, source: SecretSource) {
    this.#value = value;
    this.source = source;
  }

  /** The value itself, to be used and not kept. */
  reveal(): string {
    return this.#value;
  }

  /** Whether both are the same value. */
  equals(other: Secret): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return PLACEHOLDER;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return PLACEHOLDER;
  }
}

/** How many lines a secret has; empty ones before and behind it do not count. */
export function linesIn(secret: Secret): number {
  return secret.reveal().trim().split(/\r\n|[\r\n]/).length;
}

/** A variable with whatever a shell understands behind its $. */
const SHELL_VARIABLE = /^\$(?:\{([A-Z_][A-Z0-9_]*)(?::?[-=?+][^}]*)?\}|([A-Z_][A-Z0-9_]*))$/;

/** The same within a text: at its beginning, or behind what a variable is put behind. */
const SHELL_VARIABLE_WITHIN = /\$\{[A-Z_][A-Z0-9_]*\}|(?:^|[\s/=:])\$[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/;

/** So end the names of variables that hold secrets. */
const USUAL_NAME = /^(?:.*_)?(?:TOKEN|SECRET|PASSWORD|PASSWD|PASS|KEY|URL|WEBHOOK|HOOK)$/;

/**
 * A shell's variable that stands where its value should: nobody fills it in. In the configuration
 * itself it is surely one; a file can hold what only looks so.
 */
export function shellSlip(
  secret: Secret,
): { readonly message: string; readonly isSure: boolean } | undefined {
  const text = secret.reveal().trim();
  const match = SHELL_VARIABLE.exec(text);
  if (match !== null && secret.source === "literal") {
    const name = match[1] ?? match[2] ?? "";
    // Without braces, and of any other name, it may be a password that begins with a $.
    const shown = match[1] !== undefined || USUAL_NAME.test(name) ? name : "NAME";
    return {
      message: `is a shell's variable, which is not filled in here; write { env: ${shown} }`,
      isSure: true,
    };
  }
  if (match === null && !SHELL_VARIABLE_WITHIN.test(text)) return undefined;
  return {
    message: "holds what looks like a shell's variable ($…), which is not filled in here; " +
      "put the value itself there",
    isSure: false,
  };
}

/** Replaces every appearance of the given secrets, raw or as they stand in a URL, JSON or base64. */
export class Redactor {
  readonly #forms: readonly string[];

  /** Of all these secrets, and of those that the others know. */
  constructor(secrets: Iterable<Secret>, others: Iterable<Redactor> = []) {
    const forms = new Set<string>();
    for (const secret of secrets) {
      for (const form of formsOf(secret.reveal())) {
        if (form.length >= SHORTEST_REDACTED) forms.add(form);
      }
    }
    for (const other of others) {
      for (const form of other.#forms) forms.add(form);
    }
    // The longest first, so that a part never leaves the rest of the whole behind.
    this.#forms = [...forms].sort((left, right) => right.length - left.length);
  }

  /** `text` with each secret replaced by "[secret]". */
  redact(text: string): string {
    let clean = text;
    for (const form of this.#forms) clean = clean.replaceAll(form, PLACEHOLDER);
    return clean;
  }
}

/** The shapes in which a value may turn up in somebody's text. */
function formsOf(value: string): string[] {
  const encodable = value.toWellFormed(); // encodeURI throws at half of a surrogate pair
  const forms = [value, encodeURIComponent(encodable), encodeURI(encodable)];
  forms.push(JSON.stringify(value).slice(1, -1), base64(value));
  if (URL.canParse(value)) {
    // Of an address its scheme and host may be seen; what lets one in stands behind them.
    const url = new URL(value);
    const tail = url.pathname + url.search;
    if (tail.length > 1) forms.push(tail);
    // An ordinary word such as "crash" is no secret, and would vanish from every line.
    if (url.pathname.length > 8) forms.push(url.pathname.slice(1));
    forms.push(url.search, url.password, percentDecoded(url.password), url.username);
    // Nor is "true".
    const parts = [...url.searchParams.values(), ...url.pathname.split("/")];
    forms.push(...parts.filter((part) => part.length >= 8));
    forms.push(url.href);
  }
  return forms;
}

/** The text as it is where it only looks percent-encoded: a password may be "100%safe". */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function base64(value: string): string {
  const bytes = new TextEncoder().encode(value);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
