// Everything that a real supervisord has ever written to a listener of ours, played back to
// the compiled executable in lock step: one event, RESULT and READY, the next. The captures
// are split here a second time and in another way than the executable does it.

import type { Alert } from "../../src/alerts/alert.ts";
import { CONDITION_WORDS, conditionOf } from "../../src/rules/rule.ts";
import { assertEquals } from "../support/assert.ts";
import { type HttpServer, startHttpServer } from "../support/http_server.ts";
import { PipedListener } from "../support/piped_listener.ts";
import { makePlace, type Place, storedEntries } from "../support/places.ts";

const FRAMES = decodeURIComponent(new URL("../fixtures/frames", import.meta.url).pathname);
const CAPTURES = [...Deno.readDirSync(FRAMES)].map(({ name }) => name)
  .filter((name) => name.endsWith(".bin")).sort();

/** Captures up to this size are also sent in small pieces. */
const SMALL_BYTES = 3000;

/** One event of a capture. */
interface Recorded {
  readonly bytes: Uint8Array;
  /** Offset of the payload. */
  readonly payloadAt: number;
  readonly len: number;
  readonly server: string;
  readonly serial: number;
  readonly pool: string;
  readonly poolserial: number;
  readonly eventname: string;
}

for (const name of CAPTURES) {
  Deno.test(`${name} is answered event by event`, async () => {
    const events = split(await Deno.readFile(`${FRAMES}/${name}`));
    await replay(events, (bytes) => [bytes]);
  });
}

for (const name of CAPTURES) {
  const { size } = Deno.statSync(`${FRAMES}/${name}`);
  if (size > SMALL_BYTES) continue;
  Deno.test(`${name} is the same in pieces of one byte and more`, async () => {
    const events = split(await Deno.readFile(`${FRAMES}/${name}`));
    for (const pieceBytes of [1, 7, 50]) await replay(events, pieces(pieceBytes));
  });
}

/** Sends the events and compares what the listener understood with what was recorded. */
async function replay(
  events: readonly Recorded[],
  cut: (bytes: Uint8Array, event: Recorded) => Uint8Array[],
): Promise<void> {
  await using hook = startHttpServer(() => Response.json({ ok: true }));
  using place = makePlace();
  await using listener = new PipedListener(configOf(place, hook));
  await listener.ready(1);
  for (const event of events) {
    const parts = cut(event.bytes, event);
    for (const part of parts.slice(0, -1)) await listener.write(part);
    await listener.take(parts.at(-1)!);
  }
  listener.kill("SIGTERM");
  assertEquals((await listener.end()).code, 0);
  assertEquals(listener.stdout, "READY\n" + "RESULT 2\nOKREADY\n".repeat(events.length));
  // Some captures are of a supervisord that dropped events, which must be said.
  assertEquals(/ (WARN|ERROR) (?!supervisord dropped).*/.exec(listener.log)?.[0], undefined);

  const lines = listener.log.matchAll(
    / DEBUG event (\d+) (\S+) \(server (.*?), pool (.*?) (\d+)\)/g,
  );
  assertEquals(
    [...lines].map(([, serial, eventname, server, pool, poolserial]) =>
      `${serial} ${eventname} ${server} ${pool} ${poolserial}`
    ),
    events.map(({ serial, eventname, server, pool, poolserial }) =>
      `${serial} ${eventname} ${logged(server)} ${logged(pool)} ${poolserial}`
    ),
  );
  // An event that came twice, to a listener that was killed over it, is stored once.
  const once = new Map(events.map((event) => [`${event.serial} ${event.eventname}`, event]));
  assertEquals(
    storedEntries(place.dir).map(({ alert }) => factsOf(alert)),
    onlyTold([...once.values()].map(factsOfRecorded)),
  );
}

/**
 * Of a failure that lasts the first event is told and a worse one, of all else each; and at its
 * shutdown supervisord stops everything.
 */
function onlyTold(all: readonly Facts[]): Facts[] {
  const broken = new Map<string, number>();
  let stopping = false;
  return all.filter(({ eventname, group, name, expected }) => {
    const word = /^PROCESS_STATE_(.*)$/.exec(String(eventname))?.[1];
    if (word === undefined) {
      if (/^SUPERVISOR_STATE/.test(String(eventname))) {
        stopping = /STOPPING$/.test(String(eventname));
      }
      return true;
    }
    if (stopping) return false;
    const rank = { EXITED: expected === true ? 0 : 1, BACKOFF: 1, FATAL: 3, UNKNOWN: 3 }[word] ?? 0;
    const process = JSON.stringify([group, name]);
    if (rank === 0) {
      if (word !== "STARTING") broken.delete(process);
      return true;
    }
    if ((broken.get(process) ?? 0) >= rank) return false;
    broken.set(process, rank);
    return true;
  });
}

/** Words that an event of supervisord makes true by itself. */
const WORDS = CONDITION_WORDS.filter((word) =>
  conditionOf(word).subscription !== undefined && word !== "flapping"
);

/** Every word of `on:` to a channel of its own, so that every event is stored that is told. */
function configOf(place: Place, hook: HttpServer): string {
  return place.write(
    "superbell.yaml",
    `
state_dir: "{dir}"
log_level: debug
channels:
  hook: { type: webhook, url: "${hook.origin}/hook" }
rules:
  - name: all
    on: [${WORDS.join(", ")}]
    to: [hook]
    resolve_after: 0s
    resolved: false
`,
  );
}

type Facts = Record<string, string | number | boolean | undefined>;

function factsOf(alert: Alert): Facts {
  return {
    eventname: alert.eventname,
    supervisor: alert.supervisor,
    name: alert.process?.name,
    group: alert.process?.group ?? alert.group,
    pid: alert.pid,
    from_state: alert.fromState,
    expected: alert.expected,
    tries: alert.tries,
    type: alert.type,
    when: alert.eventname.startsWith("TICK") ? alert.atMs / 1000 : undefined,
    text: alert.text && beginning(alert.text),
  };
}

/** The same from the bytes: the first line key by key, the rest as it is. */
function factsOfRecorded(event: Recorded): Facts {
  const payload = event.bytes.subarray(event.payloadAt);
  const hasData = /LOG|COMMUNICATION/.test(event.eventname);
  const lineEnd = hasData ? payload.indexOf(10) : payload.length;
  const head = new TextDecoder().decode(payload.subarray(0, lineEnd)).replace(/\n$/, "");
  const values: Record<string, string> = {};
  // What comes behind the names is one word each; a name may hold anything, other keys as well.
  const behind = head.lastIndexOf(hasData ? " pid:" : " from_state:");
  if (head.startsWith("processname:")) {
    const groupAt = head.lastIndexOf(" groupname:", behind);
    values.processname = head.slice("processname:".length, groupAt);
    values.groupname = head.slice(groupAt + " groupname:".length, behind);
    for (const word of head.slice(behind + 1).split(" ")) {
      values[word.slice(0, word.indexOf(":"))] = word.slice(word.indexOf(":") + 1);
    }
  } else {
    values[head.slice(0, head.indexOf(":"))] = head.slice(head.indexOf(":") + 1);
  }
  const number = (key: string) => key in values ? Number(values[key]) : undefined;
  return {
    eventname: event.eventname,
    supervisor: event.server,
    name: values.processname,
    group: values.groupname,
    pid: number("pid") || undefined, // STOPPED out of BACKOFF says pid:0
    from_state: values.from_state,
    expected: "expected" in values ? values.expected === "1" : undefined,
    tries: number("tries"),
    type: values.type,
    when: number("when"),
    text: hasData ? textOf(payload.subarray(lineEnd + 1)) : undefined,
  };
}

/** What a program wrote, with a Python repr undone and without the line ends behind it. */
function textOf(data: Uint8Array): string {
  let bytes = data;
  const text = new TextDecoder().decode(data);
  const repr = /^Undecodable: b?(['"])([^]*)\1$/.exec(text)?.[2];
  if (repr !== undefined) {
    const named: Record<string, number> = { n: 10, r: 13, t: 9 };
    const codes = [...repr.matchAll(/\\x([0-9a-f]{2})|\\(.)|([^\\])/g)].map(
      ([, hex, escaped, plain]) =>
        hex !== undefined
          ? parseInt(hex, 16)
          : named[escaped ?? ""] ?? (escaped ?? plain)!.charCodeAt(0),
    );
    bytes = new Uint8Array(codes);
  }
  return beginning(decoded(bytes).replace(/[\r\n]+$/, ""));
}

function decoded(bytes: Uint8Array): string {
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  // A read of supervisord may begin or end inside a character.
  const [begun] = /^[\x80-\xbf]{0,3}/.exec(latin1)!;
  const [left] = /([\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})?$/
    .exec(latin1)!;
  const whole = bytes.subarray(begun.length, bytes.length - left.length);
  for (const [label, part] of [["utf-8", bytes], ["utf-8", whole], ["gb18030", bytes]] as const) {
    try {
      return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(part);
    } catch {
      // not this one
    }
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Of a long text its beginning: where exactly it is cut is another test's matter. */
function beginning(text: string): string {
  return text.length > 2000 ? text.slice(0, 2000) : text;
}

/** Events of a capture: of the two ends that `len` can mean, the one where the next begins. */
function split(capture: Uint8Array): Recorded[] {
  const events: Recorded[] = [];
  let at = 0;
  while (at < capture.length) {
    const lineEnd = capture.indexOf(10, at);
    const line = new TextDecoder().decode(capture.subarray(at, lineEnd));
    const words = line.split(" ");
    const word = (key: string) => words.findLast((one) => one.startsWith(`${key}:`));
    const value = (key: string) => word(key)!.slice(key.length + 1);
    const between = (key: string, next: string) =>
      line.slice(line.indexOf(` ${key}:`) + key.length + 2, line.lastIndexOf(` ${next}:`));
    const payloadAt = lineEnd + 1;
    const len = Number(value("len"));
    const ends = [payloadAt + len, endOfCodePoints(capture, payloadAt, len)].filter((end) =>
      end === capture.length ||
      new TextDecoder().decode(capture.subarray(end, end + 4)) === "ver:"
    );
    if (new Set(ends).size !== 1) throw new Error(`cannot split at ${at}: ${line}`);
    events.push({
      bytes: capture.slice(at, ends[0]),
      payloadAt: payloadAt - at,
      len,
      server: between("server", "serial"),
      serial: Number(value("serial")),
      pool: between("pool", "poolserial"),
      poolserial: Number(value("poolserial")),
      eventname: value("eventname"),
    });
    at = ends[0]!;
  }
  return events;
}

function endOfCodePoints(bytes: Uint8Array, from: number, count: number): number {
  let at = from;
  for (let seen = 0; at < bytes.length; at++) {
    if ((bytes[at]! & 0xc0) !== 0x80 && ++seen > count) return at;
  }
  return at;
}

/**
 * Cuts an event into pieces. What lies behind `len` bytes of payload comes at once, as it does
 * from supervisord: silence in there means that `len` counted bytes.
 */
function pieces(pieceBytes: number) {
  return (bytes: Uint8Array, { payloadAt, len }: Recorded): Uint8Array[] => {
    const parts: Uint8Array[] = [];
    const lastAt = Math.max(0, Math.min(bytes.length, payloadAt + len) - 1);
    for (let at = 0; at < lastAt; at += pieceBytes) {
      parts.push(bytes.subarray(at, Math.min(lastAt, at + pieceBytes)));
    }
    return [...parts, bytes.subarray(lastAt)];
  };
}

/** A name as the log shows it: control characters are escaped. */
function logged(text: string): string {
  return text.replaceAll("\t", "\\t");
}
