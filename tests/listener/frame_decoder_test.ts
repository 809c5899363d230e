// The decoder on real captures, at every split, and on streams that are damaged.

import { type Damage, FrameDecoder } from "../../src/listener/frame_decoder.ts";
import { type Frame, MAX_PAYLOAD_BYTES } from "../../src/events/frame.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import {
  bytesOf,
  type Capture,
  captures,
  concat,
  frameBytes,
  frameOf,
  slicesOf,
} from "../support/frames.ts";

const SMALL = 3000;
const texts = new TextDecoder();

/** All frames that one push of each part brings; `flow` is what follows the last part. */
function decode(
  parts: readonly Uint8Array[],
  flow: "quiet" | "ended" = "ended",
): { frames: Frame[]; damage: Damage[]; pending: number } {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  const take = (state: "flowing" | "quiet" | "ended") => {
    for (let frame; (frame = decoder.take(state)) !== undefined;) frames.push(frame);
  };
  for (const part of parts) {
    decoder.push(part);
    take("flowing");
  }
  take(flow);
  return { frames, damage: decoder.takeDamage(), pending: decoder.pendingBytes };
}

/** What describe.py says, of what we found. */
function essence(frame: Frame) {
  const { serial, poolserial, server, pool, eventname, len } = frame.header;
  return { serial, poolserial, server, pool, eventname, len, bytes: frame.payload.length };
}

function expectedOf({ events }: Capture) {
  return events.map(({ serial, poolserial, server, pool, eventname, len, bytes }) => ({
    serial,
    poolserial,
    server,
    pool,
    eventname,
    len,
    bytes,
  }));
}

for (const capture of captures()) {
  Deno.test(`FrameDecoder decodes ${capture.name} pushed whole`, () => {
    const { frames, damage, pending } = decode([capture.bytes]);
    assertEquals(frames.map(essence), expectedOf(capture) as ReturnType<typeof essence>[]);
    assertEquals(damage, []);
    assertEquals(pending, 0);
    const payloads = concat(...frames.map(({ payload }) => payload));
    const slices = slicesOf(capture);
    const wanted = concat(...slices.map((slice) => slice.subarray(slice.indexOf(10) + 1)));
    assert(texts.decode(payloads) === texts.decode(wanted), "the payloads' bytes differ");
  });

  Deno.test(`FrameDecoder decodes ${capture.name} frame by frame as supervisord sends it`, () => {
    const decoder = new FrameDecoder();
    const found: Frame[] = [];
    for (const slice of slicesOf(capture)) {
      decoder.push(slice);
      const frame = decoder.take("flowing") ?? decoder.take("quiet");
      assert(frame !== undefined, `no frame after ${found.length}`);
      assertEquals(decoder.take("quiet"), undefined);
      assertEquals(decoder.pendingBytes, 0);
      found.push(frame);
    }
    assertEquals(decoder.takeDamage(), []);
    assertEquals(found.map(essence), expectedOf(capture) as ReturnType<typeof essence>[]);
  });

  if (capture.bytes.length > SMALL) continue;
  // Where len counts bytes, only silence tells the end of a text that is not ASCII.
  const needsSilence = capture.name.includes("chinese") && capture.name.includes("3.4.0");
  if (!needsSilence) {
    Deno.test(`FrameDecoder decodes ${capture.name} at every split into two reads`, () => {
      const { bytes } = capture;
      const wanted = JSON.stringify(decode([bytes]).frames);
      for (let split = 0; split <= bytes.length; split++) {
        const { frames, damage } = decode([bytes.subarray(0, split), bytes.subarray(split)]);
        assert(JSON.stringify(frames) === wanted, `split at ${split}`);
        assertEquals(damage, [], `split at ${split}`);
      }
    });
  }

  Deno.test(`FrameDecoder decodes each frame of ${capture.name} at every split`, () => {
    for (const [number, slice] of slicesOf(capture).entries()) {
      const wanted = texts.decode(slice.subarray(slice.indexOf(10) + 1));
      for (let split = 0; split <= slice.length; split++) {
        const { frames, damage } = decode(
          [slice.subarray(0, split), slice.subarray(split)],
          "quiet",
        );
        assertEquals(frames.length, 1, `frame ${number} split at ${split}`);
        assert(texts.decode(frames[0]!.payload) === wanted, `frame ${number} split at ${split}`);
        assertEquals(damage, []);
      }
    }
  });
}

const TEXTS = {
  "ASCII": "processname:a groupname:a pid:1 channel:stdout\nhello\n",
  "Chinese": "processname:订单 groupname:交易 pid:1 channel:stdout\n你好，世界\n",
  "emoji at the end": "processname:a groupname:a pid:1 channel:stdout\nfire 🔥",
  "combining characters": "processname:a groupname:a pid:1 channel:stdout\ne\u0301\u0301 👩‍👩‍👧",
  "CRLF, NUL, ESC and U+2028":
    "processname:a groupname:a pid:1 channel:stdout\n\0\x1b[1m\r\n\u2028",
  "nothing": "",
  "one line feed": "\n",
};

for (const lenOf of ["bytes", "code points"] as const) {
  for (const [what, payload] of Object.entries(TEXTS)) {
    Deno.test(`FrameDecoder reads ${what} when len counts ${lenOf}, at every split`, () => {
      const bytes = frameBytes({ payload, lenOf });
      const next = frameBytes({ payload: "when:5", eventname: "TICK_5", serial: 8 });
      const wanted = [frameOf({ payload, lenOf })];
      for (let split = 0; split <= bytes.length; split++) {
        const alone = decode([bytes.subarray(0, split), bytes.subarray(split)], "quiet");
        assertEquals(alone.frames, wanted, `split at ${split}`);
        const followed = decode([bytes.subarray(0, split), concat(bytes.subarray(split), next)]);
        assertEquals(
          followed.frames,
          [...wanted, frameOf({ payload: "when:5", eventname: "TICK_5", serial: 8 })],
          `split at ${split}, followed by another frame`,
        );
        assertEquals(followed.damage, []);
      }
    });
  }
}

Deno.test("FrameDecoder never counts UTF-16 units", () => {
  const payload = "🔥🔥🔥";
  assertEquals(decode([frameBytes({ payload, lenOf: "code points" })]).frames[0]?.header.len, 3);
  assertEquals(decode([frameBytes({ payload, lenOf: "bytes" })]).frames[0]?.header.len, 12);
});

Deno.test("FrameDecoder waits for silence before it believes that len counts bytes", () => {
  const decoder = new FrameDecoder();
  decoder.push(frameBytes({ payload: "你好", lenOf: "bytes" }));
  assertEquals(decoder.take("flowing"), undefined);
  assertEquals(decoder.lacks, "verdict");
  assertEquals(decoder.take("quiet")?.payload, bytesOf("你好"));
});

const BAD_UTF8 = {
  "lone continuation bytes": [0x80, 0x80, 0x41, 0xbf],
  "bytes that no UTF-8 has": [0xff, 0xfe, 0xc0],
  "GBK": [0xb2, 0xe2, 0xca, 0xd4],
  "a cut character at the end": [0x41, 0xe4, 0xbd],
  "only a lead byte": [0xf0],
};
for (const [what, values] of Object.entries(BAD_UTF8)) {
  Deno.test(`FrameDecoder reads ${what} of a supervisord that counts bytes, at every split`, () => {
    const payload = new Uint8Array(values);
    const bytes = frameBytes({ payload, lenOf: "bytes" });
    for (let split = 0; split <= bytes.length; split++) {
      const { frames, damage } = decode([bytes.subarray(0, split), bytes.subarray(split)], "quiet");
      assertEquals(frames, [frameOf({ payload, lenOf: "bytes" })], `split at ${split}`);
      assertEquals(damage, []);
    }
  });
}

Deno.test("FrameDecoder keeps a frame that a program logs as that program's text", () => {
  const inner = texts.decode(frameBytes({ payload: "when:5", eventname: "TICK_5" }));
  const payload = `processname:a groupname:a pid:1 channel:stdout\n${inner}`;
  const { frames, damage } = decode([frameBytes({ payload }), frameBytes({ serial: 8 })]);
  assertEquals(frames, [frameOf({ payload }), frameOf({ serial: 8 })]);
  assertEquals(damage, []);
});

const STRAYS = {
  "bytes without a line feed": "hello",
  "a whole line": "hello\n",
  "several lines and a piece": "a\nb\n\n\nver",
  "the beginning of a header": "ver:3.0 server:supervisor ser",
  "a header that lacks its len":
    "ver:3.0 server:s serial:1 pool:p poolserial:1 eventname:TICK_5 len:\n",
  "a header with a negative len":
    "ver:3.0 server:s serial:1 pool:p poolserial:1 eventname:X len:-1\n",
  "a carriage return": "x\r\n",
  "a NUL and an escape": "\0\x1b[0m",
};
for (const [what, stray] of Object.entries(STRAYS)) {
  Deno.test(`FrameDecoder skips ${what} before a frame and reports it`, () => {
    const frame = frameBytes({ payload: "when:5", eventname: "TICK_5" });
    for (const parts of [[bytesOf(stray), frame], [concat(bytesOf(stray), frame)]]) {
      const { frames, damage, pending } = decode(parts, "quiet");
      assertEquals(frames, [frameOf({ payload: "when:5", eventname: "TICK_5" })]);
      assertEquals(damage.reduce((sum, { bytes }) => sum + bytes, 0), stray.length);
      assertEquals(new Set(damage.map((one) => one.what)), new Set(["stray bytes" as const]));
      assertEquals(pending, 0);
    }
  });
}

Deno.test("FrameDecoder takes a stray fake header for a frame and recovers at the true one", () => {
  const fake = bytesOf("ver:3.0 server:s serial:1 pool:p poolserial:1 eventname:FAKE len:500\n");
  const good = { payload: "when:5", eventname: "TICK_5" };
  const { frames, damage } = decode([fake, frameBytes(good)], "quiet");
  assertEquals(frames, [frameOf(good)]);
  assertEquals(damage, [{ what: "broken frame", bytes: fake.length, sample: "FAKE serial:1" }]);
});

for (const eventname of ["PROCESS_STATE_EXITED", "PROCESS_LOG_STDOUT"]) {
  Deno.test(`FrameDecoder drops a ${eventname} that was cut anywhere and keeps the next frame`, () => {
    const whole = frameBytes({
      eventname,
      payload: "processname:a groupname:a from_state:RUNNING expected:0 pid:1234567",
    });
    const good = { payload: "when:5", eventname: "TICK_5", serial: 8 };
    for (let cut = 1; cut < whole.length; cut++) {
      const decoder = new FrameDecoder();
      decoder.push(whole.subarray(0, cut));
      assertEquals(decoder.take("flowing"), undefined);
      assertEquals(decoder.take("quiet"), undefined, `cut at ${cut}`);
      decoder.push(frameBytes(good));
      const frame = decoder.take("flowing") ?? decoder.take("quiet");
      assertEquals(frame, frameOf(good), `cut at ${cut}`);
      const lost = decoder.takeDamage().reduce((sum, { bytes }) => sum + bytes, 0);
      assertEquals(lost, cut, `cut at ${cut}`);
    }
  });
}

Deno.test("FrameDecoder reports a frame that ends with its header at the end of the stream", () => {
  const bytes = frameBytes({ payload: "when:5", eventname: "TICK_5" });
  const header = bytes.subarray(0, bytes.indexOf(10) + 1);
  assertEquals(decode([header]).damage, [
    { what: "broken frame", bytes: header.length, sample: "TICK_5 serial:7" },
  ]);
});

Deno.test("FrameDecoder makes a sample printable and short", () => {
  const { damage } = decode([bytesOf("\x1b[2J\n".repeat(100))]);
  assertEquals(damage.length, 1);
  assertEquals(damage[0]!.bytes, 500);
  assertEquals(damage[0]!.sample, "\\u001b[2J\\n".repeat(16));
});

Deno.test("FrameDecoder bounds what it keeps of a line without end", () => {
  const decoder = new FrameDecoder();
  for (let count = 0; count < 64; count++) {
    decoder.push(new Uint8Array(64 * 1024).fill(120));
    assertEquals(decoder.take("flowing"), undefined);
    assertLess(decoder.pendingBytes, 64 * 1024 + 1);
  }
  decoder.push(frameBytes({ payload: "x" }));
  assertEquals(decoder.take("flowing"), frameOf({ payload: "x" }));
});

for (const lenOf of ["bytes", "code points"] as const) {
  for (const unit of ["x", "你"]) {
    Deno.test(`FrameDecoder keeps 1 MiB of a 5 MiB payload of ${unit} that counts ${lenOf}`, () => {
      const payload = bytesOf(unit.repeat(5 * 1024 * 1024 / bytesOf(unit).length));
      const stream = frameBytes({ payload, lenOf });
      const decoder = new FrameDecoder();
      let frame: Frame | undefined;
      for (let at = 0; at < stream.length; at += 65_536) {
        decoder.push(stream.subarray(at, at + 65_536));
        frame = decoder.take("flowing");
        if (at + 65_536 < stream.length) assertEquals(frame, undefined, `after ${at} bytes`);
      }
      frame ??= decoder.take("quiet");
      assert(frame !== undefined);
      assertEquals(frame.payload.length, MAX_PAYLOAD_BYTES);
      assertEquals(frame.payload.length + frame.droppedBytes, payload.length);
      assert(frame.payload.every((byte, index) => byte === payload[index]));
      assertEquals(decoder.pendingBytes, 0);
      decoder.push(frameBytes({ serial: 8, payload: "next" }));
      assertEquals(decoder.take("flowing"), frameOf({ serial: 8, payload: "next" }));
      assertEquals(decoder.takeDamage(), []);
    });
  }
}

const SLOW_LINES = {
  "headers without line feeds": "ver:3.0 server: serial:1 pool: poolserial:1 eventname:X len:1 x ",
  "beginnings of headers": "ver:",
  "heads and middles": "ver:3.0 server: serial:1 pool:",
  "tails": " poolserial:1 eventname:X len:1",
};
for (const [what, unit] of Object.entries(SLOW_LINES)) {
  Deno.test(`FrameDecoder is not slowed down by a long line of ${what}`, () => {
    const line = unit.repeat(Math.floor(64_000 / unit.length));
    const tail = " poolserial:1 eventname:X len:1";
    for (const text of [`${line}\n`, `${line}${tail}\n`]) {
      const startedAtMs = performance.now();
      decode([bytesOf(text)], "quiet");
      decode([frameBytes({ payload: text, len: 200_000 })], "quiet");
      assertLess(performance.now() - startedAtMs, 1000);
    }
  });
}
