// Drives the executable as supervisord does, over pipes and without supervisord: one event,
// its answer, the next. Whatever it writes to stdout that is not an answer is an error.

import { executable, plainEnv } from "./executable.ts";
import { isAlive, readIfThere } from "./supervisord.ts";
import { tail, within } from "./until.ts";

/** How to start it. */
export interface PipedListenerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** False: its log is not read, so that it blocks when the pipe is full. */
  readonly readsLog?: boolean;
  /** The user to run as; needs root. */
  readonly uid?: number;
  /** The executable; the built one unless said otherwise. */
  readonly program?: string;
}

const OK = "RESULT 2\nOK";
const PROTOCOL = /^(READY\n(RESULT 2\nOKREADY\n)*)?$/;

/** One event's header and payload, as supervisord 4.x under Python 3 writes them. */
export function frame(serial: number, eventname: string, payload: string): Uint8Array {
  const len = [...payload].length;
  return new TextEncoder().encode(
    `ver:3.0 server:supervisor serial:${serial} pool:superbell poolserial:${serial} ` +
      `eventname:${eventname} len:${len}\n${payload}`,
  );
}

/** The event that a process has exited unexpectedly. */
export function crashFrame(serial: number, name = "api", pid = 1000 + serial): Uint8Array {
  const payload = `processname:${name} groupname:${name} from_state:RUNNING expected:0 pid:${pid}`;
  return frame(serial, "PROCESS_STATE_EXITED", payload);
}

/** The running executable. */
export class PipedListener implements AsyncDisposable {
  readonly ended: Promise<Deno.CommandStatus>;
  /** All that it wrote to stdout. */
  stdout = "";
  /** All that it wrote to stderr. */
  log = "";
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<unknown>;
  readonly #readsLog: boolean;
  #news = Promise.withResolvers<void>();
  #closed = false;

  /** Starts `superbell listen -c` with the configuration at `path`. */
  constructor(path: string, options: PipedListenerOptions = {}) {
    this.#child = new Deno.Command(options.program ?? executable(), {
      args: ["listen", "-c", path],
      clearEnv: true,
      env: plainEnv({ SUPERVISOR_ENABLED: "1", ...options.env }),
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    const readings = [this.#read(this.#child.stdout, (text) => this.stdout += text)];
    if (options.readsLog !== false) {
      readings.push(this.#read(this.#child.stderr, (text) => this.log += text));
    }
    this.#readsLog = options.readsLog !== false;
    this.#reading = Promise.all(readings);
    this.ended = this.#child.status.finally(() => this.#tellNews());
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** How many events it has answered. */
  get answers(): number {
    return this.stdout.split(OK).length - 1;
  }

  /** Waits until READY was said that often: once at the start and once after each event. */
  async ready(times = this.answers + 1): Promise<void> {
    await this.until(`READY number ${times}`, () => this.stdout.split("READY\n").length > times);
  }

  /** Sends bytes and does not wait for the answer. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#stdin.write(bytes);
  }

  /** Sends one event and waits for its answer and the READY after it. */
  async take(bytes: Uint8Array): Promise<void> {
    const answered = this.answers;
    await this.write(bytes);
    await this.ready(answered + 2);
  }

  /** Waits for a condition that can change only when it writes something or ends. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const tails = () => tail("stdout", this.stdout) + tail("superbell", this.log);
    const waiting = async () => {
      while (!holds()) {
        if (this.#closed) throw new Error(`it ended before ${what}\n${tails()}`);
        await this.#news.promise;
      }
    };
    await within(what, waiting(), { tails });
  }

  /** Waits for a line of its log. */
  async logs(pattern: RegExp): Promise<void> {
    await this.until(`${pattern} in its log`, () => pattern.test(this.log));
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Whether it waits for somebody to read its log. */
  get isStuckInLog(): boolean {
    // The number of a system call and its arguments; no call but write() has 2, stderr, first.
    return /^\d+ 0x2 /.test(readIfThere(`/proc/${this.pid}/syscall`));
  }

  /** Closes its stdin, as the end of supervisord does. */
  async closeStdin(): Promise<void> {
    await this.#stdin.close();
  }

  /** Waits for its end; all that it wrote has been read then. */
  async end(): Promise<Deno.CommandStatus> {
    const tails = () => tail("superbell", this.log);
    const status = await within("the listener to end", this.ended, { tails });
    await within("the end of its output", this.#reading, { tails });
    if (!this.#readsLog) await this.#child.stderr.cancel();
    return status;
  }

  /** Fails when stdout holds anything but whole answers. */
  assertOnlyProtocol(): void {
    if (!PROTOCOL.test(this.stdout)) {
      throw new Error(`stdout holds more than answers: ${JSON.stringify(this.stdout.slice(-400))}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (isAlive(this.pid)) this.#child.kill("SIGKILL");
    await this.end();
    await this.#stdin.abort().catch(() => {}); // closed by a test, or broken by its end
  }

  async #read(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      keep(text);
      this.#tellNews();
    }
    this.#closed = true;
    this.#tellNews();
  }

  #tellNews(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
