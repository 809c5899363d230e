// What is recognised must be what would have been parsed, whatever the bytes are.

import { findHeader, type FrameHeader, parseHeader } from "../../src/events/frame.ts";
import { HeaderMemory } from "../../src/events/header_memory.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf } from "../support/frames.ts";
import { Random } from "../support/random.ts";

const SEED = Number(Deno.env.get("SUPERBELL_FUZZ_SEED") ?? Date.now() % 2 ** 31);
const LINES = 30_000;

const SERVERS = [
  "supervisor",
  "my box: prod 1",
  "",
  "订单 🔥",
  "a serial:1 pool:b",
  "ver:3.0 server:x",
];
const POOLS = [
  "superbell",
  " cap ",
  "",
  "a poolserial:5",
  "eventname:x len:3",
  "x serial:1 pool:y",
];
const EVENTNAMES = ["PROCESS_STATE_EXITED", "TICK_5", "None", "", "X-é", "a:b", " len:4"];
const NUMBERS = ["0", "7", "42", "100000", "999999999999999", "007"];
const NO_NUMBERS = ["", "-1", "1000000000000000", "x"];

function line(random: Random, server: string, pool: string): string {
  const number = () => random.pick(random.chance(0.05) ? NO_NUMBERS : NUMBERS);
  return `ver:3.0 server:${server} serial:${number()} pool:${pool} poolserial:${number()} ` +
    `eventname:${random.pick(EVENTNAMES)} len:${number()}`;
}

/** As the decoder parses a line that it does not recognise. */
function parsed(bytes: Uint8Array): { header: FrameHeader; at: number } | undefined {
  const found = findHeader(new TextDecoder("latin1").decode(bytes));
  if (found === undefined) return undefined;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(found.at));
  return { at: found.at, header: parseHeader(text) ?? found.header };
}

Deno.test("HeaderMemory recognises the next header of the same supervisord", () => {
  const memory = new HeaderMemory();
  const first = "ver:3.0 server:订 单 serial:1 pool:p poolserial:1 eventname:TICK_5 len:15";
  assertEquals(memory.recognise(bytesOf(first), 0, bytesOf(first).length), undefined);
  memory.learn(parseHeader(first)!);
  const next = "ver:3.0 server:订 单 serial:21 pool:p poolserial:10 eventname:TICK_60 len:15";
  const bytes = bytesOf(`stray${next}\nwhen:1`);
  assertEquals(memory.recognise(bytes, 5, bytes.indexOf(10)), parseHeader(next));
});

Deno.test(`HeaderMemory says what parseHeader() says of ${LINES} lines, or nothing`, () => {
  let recognised = 0;
  for (let number = 0; number < LINES; number++) {
    const random = new Random(SEED + number);
    const [server, pool] = [random.pick(SERVERS), random.pick(POOLS)];
    const memory = new HeaderMemory();
    const learnt = parsed(bytesOf(line(random, server, pool)));
    if (learnt !== undefined) memory.learn(learnt.header);
    const bytes = bytesOf(
      random.chance(0.2)
        ? line(random, random.pick(SERVERS), random.pick(POOLS))
        : line(random, server, pool),
    );
    if (random.chance(0.3)) bytes[random.below(bytes.length)] = random.below(256);
    if (bytes.includes(10)) continue; // two lines
    const header = memory.recognise(bytes, 0, bytes.length);
    if (header === undefined) continue;
    recognised++;
    assertEquals({ header, at: 0 }, parsed(bytes), `SUPERBELL_FUZZ_SEED=${SEED + number}`);
  }
  assert(recognised > LINES / 20, `only ${recognised} were recognised`);
});
