// Runs one command to its end. It is the leader of its own session, so that stopping it takes
// its children too. Its output is read until the end, so that it cannot block, but only the
// first and the last of it is kept, and none of it can reach our stdout, which carries
// supervisord's protocol.

import type { Invocation } from "./message.ts";

/** How the command ended. */
export interface Ending {
  readonly code: number;
  /** The signal that killed it, or null. */
  readonly signal: Deno.Signal | null;
  /** Whether it ended because we stopped it; then its code says nothing. */
  readonly stopped: boolean;
  /** What it wrote, shortened in the middle. */
  readonly stdout: string;
  readonly stderr: string;
}

/** What a stopped command has to end by itself, before it is killed. */
const GRACE_MS = 2_000;

/** What we still read after the end, where a child of the command keeps its output open. */
const DRAIN_MS = 100;

/** What is kept of the beginning and of the end of an output. */
const KEPT_BYTES = 2 * 1024;

/** Starts the command and waits for its end; throws when it cannot be started. */
export async function run(invocation: Invocation, signal: AbortSignal): Promise<Ending> {
  const { program, args, env, directory, stdin } = invocation;
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    clearEnv: true,
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const writer = child.stdin.getWriter();
  // A command need not read its input: then this fails or waits, and neither matters.
  const writing = writer.write(new TextEncoder().encode(stdin))
    .then(() => writer.close())
    .catch(() => {});
  const outputs = [collect(child.stdout), collect(child.stderr)] as const;
  const stopped = await endOf(child, signal);
  const { code, signal: killedBy } = await child.status;
  // A child of the command may hold its pipes open for ever, unread: nothing waits for it.
  const ended = [writer.abort().catch(() => {}), writing, ...outputs.map((output) => output.ended)];
  await within(DRAIN_MS, Promise.all(ended));
  const [stdout, stderr] = await Promise.all(outputs.map((output) => output.close()));
  return { code, signal: killedBy, stopped, stdout: stdout!, stderr: stderr! };
}

/** Waits for the end; answers whether `signal` had to bring it about: TERM, then KILL. */
async function endOf(child: Deno.ChildProcess, signal: AbortSignal): Promise<boolean> {
  const stop = Promise.withResolvers<true>();
  const onAbort = () => stop.resolve(true);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const stopped = await Promise.race([child.status.then(() => false), stop.promise]);
  signal.removeEventListener("abort", onAbort);
  if (!stopped) return false;
  killGroup(child, "SIGTERM");
  await within(GRACE_MS, child.status);
  // Also when the command has ended: a child of it may have ignored the TERM.
  killGroup(child, "SIGKILL");
  await child.status;
  return true;
}

function killGroup(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    Deno.kill(-child.pid, signal);
  } catch {
    // Nobody of the group is left.
  }
}

async function within(limitMs: number, promise: Promise<unknown>): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = setTimeout(limit.resolve, limitMs);
  await Promise.race([promise, limit.promise]);
  clearTimeout(timer);
}

interface Output {
  /** Settles when the other side has closed it. */
  readonly ended: Promise<void>;
  /** Stops reading and answers what was kept. */
  close(): Promise<string>;
}

/** Reads until the end and keeps the first and the last KEPT_BYTES. */
function collect(stream: ReadableStream<Uint8Array>): Output {
  const reader = stream.getReader();
  let [head, tail, dropped] = [new Uint8Array(), new Uint8Array(), false];
  const read = async () => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      const missing = KEPT_BYTES - head.length;
      if (missing > 0) head = join(head, chunk.value.subarray(0, missing));
      const joined = join(tail, chunk.value.subarray(Math.max(0, missing)));
      dropped ||= joined.length > KEPT_BYTES;
      tail = joined.slice(-KEPT_BYTES);
    }
  };
  const ended = read().catch(() => {});
  return {
    ended,
    async close() {
      await reader.cancel().catch(() => {});
      await ended;
      const decoder = new TextDecoder();
      return dropped
        ? `${decoder.decode(head)} … ${decoder.decode(tail)}`
        : decoder.decode(join(head, tail));
    },
  };
}

function join(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
