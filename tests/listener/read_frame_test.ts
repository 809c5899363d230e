// The reader above the decoder, fed by a pipe that the test controls.

import type { Damage } from "../../src/listener/frame_decoder.ts";
import { type ByteSource, FrameError, FrameReader } from "../../src/listener/read_frame.ts";
import { assert, assertEquals, assertLess, assertRejects } from "../support/assert.ts";
import { bytesOf, captures, concat, frameBytes, frameOf, slicesOf } from "../support/frames.ts";

const WAITS = { smallMs: 4, largeMs: 8, stalledMs: 30 };
const PIPE_BYTES = 64 * 1024;
const texts = new TextDecoder();

/** A pipe: a read takes what is there, and waits while nothing is. */
class Pipe implements ByteSource {
  readonly #parts: Uint8Array[] = [];
  #ended = false;
  #wake = () => {};
  #answered = 0;
  /** How many bytes each read brought. */
  readonly reads: number[] = [];
  /** Reads that were begun. */
  begun = 0;

  /** One read takes each part, as if the other end wrote it in between. */
  push(...parts: readonly Uint8Array[]): void {
    this.#parts.push(...parts.filter((part) => part.length > 0));
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  get unread(): number {
    return this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.begun++ > this.#answered) throw new Error("a second read while one is waiting");
    try {
      return await this.#read(into);
    } finally {
      this.#answered++;
    }
  }

  async #read(into: Uint8Array): Promise<number | null> {
    while (this.#parts.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const part = this.#parts.shift()!;
    const taken = part.subarray(0, into.length);
    into.set(taken);
    if (taken.length < part.length) this.#parts.unshift(part.subarray(taken.length));
    this.reads.push(taken.length);
    return taken.length;
  }
}

function readerOf(pipe: Pipe, waits: Partial<typeof WAITS> = {}) {
  const damage: Damage[] = [];
  const onDamage = (one: Damage) => void damage.push(one);
  return { damage, reader: new FrameReader(pipe, { onDamage, waits: { ...WAITS, ...waits } }) };
}

for (const capture of captures().filter(({ bytes }) => bytes.length < 3000)) {
  Deno.test(`FrameReader reads ${capture.name} in lock-step, each frame at every split`, async () => {
    const waits = { smallMs: 1, largeMs: 1000, stalledMs: 5000 };
    for (const slice of slicesOf(capture)) {
      const wanted = texts.decode(slice.subarray(slice.indexOf(10) + 1));
      for (let split = 0; split < slice.length; split++) {
        const pipe = new Pipe();
        const { reader, damage } = readerOf(pipe, waits);
        pipe.push(slice.subarray(0, split), slice.subarray(split));
        const frame = await reader.next();
        assert(texts.decode(frame?.payload) === wanted, `split at ${split}`);
        assertEquals(pipe.unread, 0);
        assertEquals(damage, []);
        pipe.end();
        assertEquals(await reader.next(), undefined);
      }
    }
  });
}

for (const capture of captures()) {
  Deno.test(`FrameReader reads the recording ${capture.name} in pieces of 64 KiB`, async () => {
    const pipe = new Pipe();
    const { reader, damage } = readerOf(pipe);
    for (const slice of slicesOf(capture)) {
      pipe.push(slice);
      const frame = await reader.next();
      assertEquals(frame?.payload.length, slice.length - slice.indexOf(10) - 1);
    }
    pipe.end();
    assertEquals(await reader.next(), undefined);
    assertEquals(damage, []);
  });
}

for (const lenOf of ["bytes", "code points"] as const) {
  Deno.test(`FrameReader reads a payload of 262 KB whose len counts ${lenOf}`, async () => {
    const payload = "订".repeat(87_404);
    const pipe = new Pipe();
    const { reader } = readerOf(pipe);
    pipe.push(frameBytes({ payload, lenOf }));
    assertEquals(await reader.next(), frameOf({ payload, lenOf }));
    assert(pipe.reads.every((count) => count <= PIPE_BYTES));
    pipe.end();
  });
}

for (const extra of [0, 1, 2, PIPE_BYTES - 1, PIPE_BYTES]) {
  Deno.test(`FrameReader has read the pipe empty before it hands out 64 KiB + ${extra}`, async () => {
    const header = frameBytes({ len: PIPE_BYTES + extra }).length;
    const payload = "x".repeat(PIPE_BYTES + extra - header);
    const bytes = frameBytes({ payload });
    const pipe = new Pipe();
    const { reader } = readerOf(pipe);
    pipe.push(bytes);
    assertEquals((await reader.next())?.payload.length, payload.length);
    assertEquals(pipe.unread, 0);
    const last = pipe.reads.at(-1)!;
    assert(last < PIPE_BYTES || pipe.begun > pipe.reads.length, "one more read must be waiting");
    pipe.push(frameBytes({ serial: 8, payload: "next" }));
    assertEquals(await reader.next(), frameOf({ serial: 8, payload: "next" }));
    pipe.end();
  });
}

Deno.test("FrameReader reads what stands behind a frame before it hands the frame out", async () => {
  const header = frameBytes({ len: PIPE_BYTES }).length;
  const pipe = new Pipe();
  const { reader } = readerOf(pipe);
  const bytes = frameBytes({ payload: "x".repeat(PIPE_BYTES - header) });
  assertEquals(bytes.length, PIPE_BYTES);
  pipe.push(concat(bytes, bytesOf("stray line\n")));
  assertEquals((await reader.next())?.payload.length, PIPE_BYTES - header);
  assertEquals(pipe.unread, 0);
  pipe.end();
});

Deno.test("FrameReader hands a frame out at once when nothing is in doubt", async () => {
  const pipe = new Pipe();
  const { reader } = readerOf(pipe, { smallMs: 60_000, largeMs: 60_000, stalledMs: 60_000 });
  pipe.push(frameBytes({ payload: "when:5", eventname: "TICK_5" }));
  assertEquals(await reader.next(), frameOf({ payload: "when:5", eventname: "TICK_5" }));
  pipe.push(frameBytes({ payload: "你好", lenOf: "code points" }));
  assertEquals((await reader.next())?.payload, bytesOf("你好"));
  pipe.end();
});

Deno.test("FrameReader decides by silence when len counts bytes", async () => {
  const pipe = new Pipe();
  const { reader } = readerOf(pipe);
  pipe.push(frameBytes({ payload: "你好", lenOf: "bytes" }));
  assertEquals((await reader.next())?.payload, bytesOf("你好"));
  pipe.end();
});

Deno.test("FrameReader waits for the rest of code points beyond len bytes", async () => {
  const payload = "你好，世界";
  const bytes = frameBytes({ payload, lenOf: "code points" });
  const header = bytes.indexOf(10) + 1;
  const pipe = new Pipe();
  const { reader } = readerOf(pipe, { smallMs: 5000, largeMs: 5000, stalledMs: 9000 });
  const next = reader.next();
  pipe.push(bytes.subarray(0, header + 5)); // five bytes: what len would be in bytes
  await Promise.resolve();
  pipe.push(bytes.subarray(header + 5));
  assertEquals((await next)?.payload, bytesOf(payload));
  pipe.end();
});

Deno.test("FrameReader passes stray bytes on and goes on to the next frame", async () => {
  for (const stray of ["x", "x\n", "ver:", "ver:3.0 server:s\n", "\n\n"]) {
    const pipe = new Pipe();
    const { reader, damage } = readerOf(pipe);
    pipe.push(bytesOf(stray), frameBytes({ payload: "a" }));
    assertEquals(await reader.next(), frameOf({ payload: "a" }));
    assertEquals(damage.reduce((sum, { bytes }) => sum + bytes, 0), stray.length);
    pipe.end();
  }
});

Deno.test("FrameReader answers nothing to a stray line", async () => {
  const pipe = new Pipe();
  const { reader, damage } = readerOf(pipe);
  const next = reader.next();
  pipe.push(bytesOf("supervisorctl fg says hello\n"));
  const early = await Promise.race([
    next.then(() => "a frame"),
    new Promise((resolve) => setTimeout(resolve, 3 * WAITS.stalledMs)).then(() => "nothing"),
  ]);
  assertEquals(early, "nothing");
  assertEquals(damage, [
    { what: "stray bytes", bytes: 28, sample: "supervisorctl fg says hello\\n" },
  ]);
  pipe.end();
  assertEquals(await next, undefined);
});

Deno.test("FrameReader gives a broken frame up when a sound one follows", async () => {
  const pipe = new Pipe();
  const { reader, damage } = readerOf(pipe);
  const broken = frameBytes({ payload: "x".repeat(300) }).subarray(0, 200);
  pipe.push(broken, frameBytes({ serial: 8, payload: "sound" }));
  assertEquals(await reader.next(), frameOf({ serial: 8, payload: "sound" }));
  assertEquals(damage, [
    { what: "broken frame", bytes: 200, sample: "PROCESS_LOG_STDOUT serial:7" },
  ]);
  pipe.end();
});

const STALLS = {
  "no byte of its payload": 0,
  "a part of its payload": 10,
  "all bytes but one": 99,
};
for (const [what, count] of Object.entries(STALLS)) {
  Deno.test(`FrameReader throws a FrameError when a frame stalls after ${what}`, async () => {
    const pipe = new Pipe();
    const { reader } = readerOf(pipe);
    const bytes = frameBytes({ payload: "x".repeat(100) });
    pipe.push(bytes.subarray(0, bytes.length - 100 + count));
    const startedAtMs = performance.now();
    const error = await assertRejects(() => reader.next(), FrameError);
    assertEquals(
      error.message,
      `Cannot read the event that supervisord began: ${count} bytes of it came and then nothing more`,
    );
    assertLess(performance.now() - startedAtMs, 2000);
    pipe.end();
  });
}

Deno.test("FrameReader does not stall while a large payload trickles in", async () => {
  const payload = "x".repeat(2000);
  const bytes = frameBytes({ payload });
  const pipe = new Pipe();
  const { reader } = readerOf(pipe, { smallMs: 2, largeMs: 4, stalledMs: 200 });
  const next = reader.next();
  for (let at = 0; at < bytes.length; at += 200) {
    pipe.push(bytes.subarray(at, at + 200));
    await new Promise((resolve) => setTimeout(resolve, 6)); // longer than largeMs, every time
  }
  assertEquals((await next)?.payload.length, 2000);
  pipe.end();
});

for (let cut = 0; cut <= 120; cut += 6) {
  Deno.test(`FrameReader ends when the source ends after ${cut} bytes`, async () => {
    const pipe = new Pipe();
    const { reader, damage } = readerOf(pipe);
    const bytes = frameBytes({ payload: "when:5", eventname: "TICK_5" });
    pipe.push(bytes.subarray(0, cut));
    pipe.end();
    const frame = await reader.next();
    const lost = damage.reduce((sum, one) => sum + one.bytes, 0);
    assertEquals(frame === undefined ? lost : bytes.length, Math.min(cut, bytes.length));
    if (frame !== undefined) assertEquals(await reader.next(), undefined);
  });
}

Deno.test("FrameReader hands the error of its source on", async () => {
  const source = { read: () => Promise.reject(new Deno.errors.BadResource("closed")) };
  const reader = new FrameReader(source, { onDamage() {} });
  await assertRejects(() => reader.next(), Deno.errors.BadResource, "closed");
});
