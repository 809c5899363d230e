// Our half of the listener protocol: READY, and RESULT 2 / OK after each event. Stdout
// carries these bytes and nothing else; one stray byte makes supervisord deaf to us for the
// life of the process (UNKNOWN state), so everybody else's way to it is closed here.

/** Where the answers go: the real stdout, or a test's own. */
export interface ByteSink {
  /** Writes some of the bytes and says how many. */
  writeSync(bytes: Uint8Array): number;
}

const READY = new TextEncoder().encode("READY\n");
// One write for both: accepted by every version, 3.0 to 4.3. FAIL is never said: supervisord
// would send the same event again at once, thousands of times a second.
const OK_READY = new TextEncoder().encode("RESULT 2\nOKREADY\n");
const OK = new TextEncoder().encode("RESULT 2\nOK");

/** What Deno's console writes to stdout: all but warn, error, assert, trace. */
const CONSOLE_TO_STDOUT = [
  "log",
  "info",
  "debug",
  "table",
  "dir",
  "dirxml",
  "group",
  "groupCollapsed",
  "count",
  "timeLog",
  "timeEnd",
  "clear",
] as const;

/** Answers supervisord. Throws Deno.errors.BrokenPipe when it is gone. */
export class Handshake {
  readonly #sink: ByteSink;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Asks for the first event. */
  ready(): void {
    this.#write(READY);
  }

  /** The event in hand is taken; asks for the next. */
  okAndReady(): void {
    this.#write(OK_READY);
  }

  /** The event in hand is taken, and it is the last one. */
  ok(): void {
    this.#write(OK);
  }

  #write(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.length) written += this.#sink.writeSync(bytes.subarray(written));
  }
}

/**
 * Takes stdout for the protocol. From now on whatever a library prints, by console,
 * Deno.stdout or process.stdout, goes to stderr.
 */
export async function takeStdout(): Promise<ByteSink> {
  const writeSync = Deno.stdout.writeSync.bind(Deno.stdout);
  const { stderr } = Deno;
  Object.defineProperties(Deno.stdout, {
    write: { value: (bytes: Uint8Array) => stderr.write(bytes) },
    writeSync: { value: (bytes: Uint8Array) => stderr.writeSync(bytes) },
    writable: { get: () => stderr.writable },
  });
  for (const method of CONSOLE_TO_STDOUT) {
    // deno-lint-ignore no-console -- this is where console loses its way to stdout
    console[method] = console.error;
  }
  const { default: process } = await import("node:process");
  Object.defineProperty(process, "stdout", { get: () => process.stderr });
  return { writeSync };
}
