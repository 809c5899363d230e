// Waits for a condition of the outside world (a file, a process, a receiver) and says what was
// awaited when it does not come.

/** How long to wait, and what to show when it was in vain. */
export interface Patience {
  readonly withinMs?: number;
  /** What a person would look at next: the ends of logs. */
  readonly tails?: () => string;
}

const WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 20;

/** The first answer of `look` that is not undefined, false or null. */
export async function until<Value>(
  what: string,
  look: () => Value | undefined | false | null | Promise<Value | undefined | false | null>,
  { withinMs = WITHIN_MS, tails }: Patience = {},
): Promise<Value> {
  const startedAtMs = performance.now();
  while (true) {
    const found = await look();
    if (found !== undefined && found !== false && found !== null) return found;
    if (performance.now() - startedAtMs > withinMs) {
      throw new Error(`waited ${withinMs} ms in vain for ${what}\n${tails?.() ?? ""}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** The promise's value, or an error that names what was awaited. */
export async function within<Value>(
  what: string,
  promise: Promise<Value>,
  { withinMs = WITHIN_MS, tails }: Patience = {},
): Promise<Value> {
  let timer: number | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${withinMs} ms in vain for ${what}\n${tails?.() ?? ""}`)),
      withinMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The end of a text, for error messages. */
export function tail(name: string, text: string, lines = 25): string {
  return `--- ${name}\n${text.trimEnd().split("\n").slice(-lines).join("\n")}\n`;
}
