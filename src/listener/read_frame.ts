// Reads frames from supervisord's pipe. supervisord waits for our answer to each one, and
// it dies of an EAGAIN if it finds the pipe full when it writes the next (protocol of 3.x and
// 4.x alike), so a frame is handed out only when the pipe has been read empty. Nothing here
// waits for ever: where the end of a payload is in doubt, silence decides.

import type { Frame } from "../events/frame.ts";
import { type Damage, FrameDecoder } from "./frame_decoder.ts";

/** Where the bytes come from: `Deno.stdin`, or a test's own. */
export interface ByteSource {
  /** Fills `into` from its start; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/** What the reader needs besides the bytes. */
export interface FrameReaderOptions {
  /** Told of bytes that belong to no frame. */
  readonly onDamage: (damage: Damage) => void;
  /** Overrides of the waits, in milliseconds, for tests. */
  readonly waits?: Partial<typeof WAITS>;
}

/** A frame stopped in its middle: only a restart makes supervisord send it again. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/**
 * How long silence must last, in milliseconds. A frame that fits into the pipe arrives in
 * one piece; a larger one comes as supervisord's loop gets round to it.
 */
const WAITS = { smallMs: 60, largeMs: 1000, stalledMs: 30_000 };

/** One read takes as much as a Linux pipe holds, so a shorter one has emptied it. */
const PIPE_BYTES = 64 * 1024;

/** Frames of a byte source, one by one. */
export class FrameReader {
  readonly #source: ByteSource;
  readonly #onDamage: (damage: Damage) => void;
  readonly #waits: typeof WAITS;
  readonly #decoder = new FrameDecoder();
  readonly #into = new Uint8Array(PIPE_BYTES);
  #pending: Promise<number | null> | undefined;
  #drained = true;
  #ended = false;

  constructor(source: ByteSource, options: FrameReaderOptions) {
    this.#source = source;
    this.#onDamage = options.onDamage;
    this.#waits = { ...WAITS, ...options.waits };
  }

  /** The next frame; undefined when the source has ended. Throws a FrameError when one stalls. */
  async next(): Promise<Frame | undefined> {
    let flow: "flowing" | "quiet" = "flowing";
    let silentMs = 0;
    while (true) {
      const frame = this.#decoder.take(this.#ended ? "ended" : flow);
      for (const damage of this.#decoder.takeDamage()) this.#onDamage(damage);
      if (frame !== undefined) {
        await this.#drain();
        return frame;
      }
      if (this.#ended) return undefined;
      const waitMs = this.#patience(silentMs);
      if (await this.#read(waitMs)) {
        flow = "flowing";
        silentMs = 0;
      } else {
        flow = "quiet";
        silentMs += waitMs ?? 0;
        if (silentMs >= this.#waits.stalledMs) throw stalled(this.#decoder.pendingBytes);
      }
    }
  }

  /** How long to wait for more before silence means something; undefined: for ever. */
  #patience(silentMs: number): number | undefined {
    if (this.#decoder.lacks === "header") return undefined;
    const { smallMs, largeMs, stalledMs } = this.#waits;
    const patienceMs =
      this.#decoder.lacks === "verdict" && this.#decoder.pendingBytes < PIPE_BYTES / 2
        ? smallMs
        : largeMs;
    return silentMs === 0 ? patienceMs : Math.max(1, stalledMs - silentMs);
  }

  /** Reads until the pipe is empty; called with a complete frame in hand. */
  async #drain(): Promise<void> {
    while (!this.#drained && !this.#ended) {
      if (!await this.#read(this.#waits.smallMs)) return;
    }
  }

  /** One read; false when nothing came within the time. The read itself stays pending then. */
  async #read(waitMs: number | undefined): Promise<boolean> {
    this.#pending ??= this.#source.read(this.#into);
    const count = waitMs === undefined ? await this.#pending : await within(this.#pending, waitMs);
    if (count === "silence") return false;
    this.#pending = undefined;
    this.#ended = count === null;
    this.#drained = count === null || count < PIPE_BYTES;
    if (count !== null) this.#decoder.push(this.#into.subarray(0, count));
    return true;
  }
}

function stalled(bytes: number): FrameError {
  return new FrameError(
    `Cannot read the event that supervisord began: ${bytes} bytes of it came and then nothing more`,
  );
}

async function within<Value>(promise: Promise<Value>, waitMs: number): Promise<Value | "silence"> {
  let timer: number | undefined;
  const silence = new Promise<"silence">((resolve) => {
    timer = setTimeout(() => resolve("silence"), waitMs);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
