// The listener's own log: lines on stderr, which supervisord writes to our stderr_logfile.
// Every line passes the Redactor, so that no secret gets out whoever wrote the text.

import type { Redactor } from "./config/secret.ts";
import { formatTime } from "./alerts/compose.ts";

/** From the most to the least that is told. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** Longest line; what is longer is cut, for a log must not grow by one event's payload. */
const MAX_LINE_CHARS = 4000;

/** What a log goes by. */
export interface LogSettings {
  readonly level: LogLevel;
  readonly redactor: Redactor;
  /** An IANA name; absent: the host's own. */
  readonly timeZone?: string | undefined;
}

/** Writes lines of its level and above. */
export class Log {
  #level: LogLevel;
  #redactor: Redactor;
  #timeZone: string | undefined;
  readonly #write: (line: string) => void;
  readonly #now: () => number;

  constructor(
    options: LogSettings & {
      readonly now: () => number;
      readonly write?: (line: string) => void;
    },
  ) {
    this.#level = options.level;
    this.#redactor = options.redactor;
    this.#timeZone = options.timeZone;
    this.#write = options.write ?? writeStderr;
    this.#now = options.now;
  }

  /** Goes by another level, other secrets and another zone from now on. */
  use({ level, redactor, timeZone }: LogSettings): void {
    this.#level = level;
    this.#redactor = redactor;
    this.#timeZone = timeZone;
  }

  /** Every event with its decisions. */
  debug(text: string): void {
    this.#line("debug", text);
  }

  /** What was decided, sent and delivered. */
  info(text: string): void {
    this.#line("info", text);
  }

  /** Something failed and will be tried again, or was mended. */
  warn(text: string): void {
    this.#line("warn", text);
  }

  /** A person must act. */
  error(text: string): void {
    this.#line("error", text);
  }

  /** Whether lines of this level are written, for those that cost something to make. */
  writes(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.#level);
  }

  #line(level: LogLevel, text: string): void {
    if (!this.writes(level)) return;
    const oneLine = this.#redactor.redact(text).replace(
      // deno-lint-ignore no-control-regex -- control characters are what must not get out
      /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
      (character) => JSON.stringify(character).slice(1, -1),
    );
    const cut = oneLine.length > MAX_LINE_CHARS ? oneLine.slice(0, MAX_LINE_CHARS) + "…" : oneLine;
    this.#write(`${formatTime(this.#now(), this.#timeZone)} ${level.toUpperCase()} ${cut}\n`);
  }
}

/** Runs what must not fail: a mistake of ours is logged, and answers undefined. */
export function guarded<Value>(log: Log, what: string, work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    log.error(
      `a mistake in superbell itself: ${what} brought no alert: ${
        error instanceof Error ? error.stack : error
      }`,
    );
    return undefined;
  }
}

function writeStderr(line: string): void {
  const bytes = new TextEncoder().encode(line);
  let written = 0;
  try {
    while (written < bytes.length) written += Deno.stderr.writeSync(bytes.subarray(written));
  } catch {
    // Nobody reads our log any more (supervisord is gone); the deliveries matter more.
  }
}
