// Reads stdin. Deno reads a pipe on a thread of its own, and to hand the bytes over costs more
// time than all that we do with an event. So, while events follow one another closely, we wait
// for the next one ourselves for a moment, in which nothing else runs; then the others have a
// turn. Where the C library cannot be called, every read takes Deno's way.

import type { ByteSource } from "./read_frame.ts";

/** Whether bytes, or the end, are there to be read; waits for them for a moment. */
export type Poll = () => boolean;

/** supervisord needs about 0.1 ms to send the next event, if it has one. */
const WAIT_NS = 200_000n;

/** So long we look again and again: to wake a processor that went to sleep takes half as long. */
const WATCH_MS = 0.1;

/** Deliveries and timers have a turn at least so often, while events come in one after the other. */
const TURN_EVERY_MS = 1;

const STDIN = 0;
const POLLIN = 1;

/** Our stdin, or what a test has in its place. */
export class StdinSource implements ByteSource {
  readonly #stdin: Pick<typeof Deno.stdin, "read" | "readSync">;
  readonly #poll: Poll;
  #turnMs = -Infinity;

  constructor(
    stdin: Pick<typeof Deno.stdin, "read" | "readSync"> = Deno.stdin,
    poll = pollStdin(),
  ) {
    this.#stdin = stdin;
    this.#poll = poll;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const isTurnOfOthers = performance.now() - this.#turnMs >= TURN_EVERY_MS;
    if (!isTurnOfOthers && this.#poll()) return this.#stdin.readSync(into);
    const count = await this.#stdin.read(into);
    this.#turnMs = performance.now();
    return count;
  }
}

/** Looks at the stdin of this process; never sees anything where the C library cannot be called. */
export function pollStdin(): Poll {
  const ppoll = openPpoll();
  if (ppoll === undefined) return () => false;
  const descriptors = new Uint8Array(8); // struct pollfd: int fd; short events, revents
  const view = new DataView(descriptors.buffer);
  view.setInt32(0, STDIN, true);
  view.setInt16(4, POLLIN, true);
  const look = (timeout: BigInt64Array<ArrayBuffer>) => ppoll(descriptors, 1n, timeout, null) > 0;
  const atOnce = new BigInt64Array([0n, 0n]); // struct timespec: seconds, nanoseconds
  const soon = new BigInt64Array([0n, WAIT_NS]);
  // Who has only one processor would keep supervisord from it.
  const watchMs = navigator.hardwareConcurrency > 1 ? WATCH_MS : 0;
  return () => {
    const untilMs = performance.now() + watchMs;
    while (performance.now() < untilMs) if (look(atOnce)) return true;
    return look(soon);
  };
}

function openPpoll() {
  try {
    return Deno.dlopen("libc.so.6", {
      ppoll: { parameters: ["buffer", "usize", "buffer", "pointer"], result: "i32" },
    }).symbols.ppoll;
  } catch {
    return undefined;
  }
}
