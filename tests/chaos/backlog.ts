// Backlog: a great many entries wait when the listener starts. It must be READY as soon as with
// none, take no more memory for them, and send them in the order in which they happened.

import type { NewEntry } from "../../src/outbox/entry.ts";
import { Outbox, OUTBOX_FILE } from "../../src/outbox/outbox.ts";
import { startTcpServer } from "../support/http_server.ts";
import { ALERT } from "../support/message.ts";
import { frame, PipedListener } from "../support/piped_listener.ts";
import { makePlace, type Place } from "../support/places.ts";
import { startSmtpServer } from "../support/smtp_server.ts";
import {
  comes,
  countEntries,
  duration,
  pause,
  percentile,
  type Row,
  rssAnonMb,
  type Say,
} from "./figures.ts";
import { alertIdsIn, startReceiver } from "./receiver.ts";

/** How many wait, and for whom. */
export interface BacklogOptions {
  /** Entries for the webhook, which sends them one by one. */
  readonly single: number;
  /** Entries for the mail, which gathers up to a thousand. */
  readonly gathered: number;
  /** So often the start is timed, with the backlog and with none, in turn. */
  readonly starts: number;
  readonly say: Say;
}

/** What one channel sent. */
export interface DrainCounts {
  readonly taken: number;
  readonly takenAgain: number;
  /** Alerts that came behind one that had happened later. */
  readonly outOfOrder: number;
  readonly messages: number;
  /** From the start of the process to the last one. */
  readonly tookMs: number;
}

/** What came of it. */
export interface BacklogCounts {
  readonly options: Omit<BacklogOptions, "say">;
  /** From the start of the process to READY, in milliseconds. */
  readonly readyMs: { readonly empty: readonly number[]; readonly full: readonly number[] };
  /** Memory of its own, in MB: with no entry, with all of them waiting, at most while they go. */
  readonly memoryMb: { readonly empty: number; readonly full: number; readonly most: number };
  readonly single: DrainCounts;
  readonly gathered: DrainCounts;
  /** How long each event that came meanwhile waited for its answer. */
  readonly waitsMs: readonly number[];
  /** Entries that still wait in the end. */
  readonly waiting: number;
}

const STORED_AT_ONCE = 1000;
const AGE_MS = 3_600_000;
const SAY_EVERY_MS = 20_000;
const ASK_EVERY_MS = 50;
/** What the drain may take at most, for each entry. */
const PATIENCE_MS = { single: 20, gathered: 5 };

/** Lets them wait, then go, and counts. */
export async function backlog(options: BacklogOptions): Promise<BacklogCounts> {
  const { single, gathered, say } = options;
  using full = makePlace();
  using none = makePlace();
  store(full, "hook", single);
  store(full, "mail", gathered);
  say(`${single} entries wait for the webhook, ${gathered} for the mail`);
  const started = await timeStarts({ empty: none, full }, options);
  say(`READY after ${duration(percentile(started.readyMs.full, 0.5))}`);

  await using hook = startReceiver(() => "takes");
  await using smtp = await startSmtpServer();
  const config = configFor(full, { hook: hook.port, smtp: smtp.port });
  const startedAtMs = performance.now();
  await using listener = new PipedListener(config);
  const asking = askWhile(listener);
  const tookMs = { single: 0, gathered: 0 };
  let [mailed, mailsSeen, mostMb, saidAtMs] = [0, 0, 0, startedAtMs];
  await comes(() => {
    const nowMs = performance.now();
    mostMb = Math.max(mostMb, rssAnonMb(listener.pid));
    for (const { text } of smtp.mails.slice(mailsSeen)) mailed += alertIdsIn(text).length;
    mailsSeen = smtp.mails.length;
    if (hook.taken.length < single) tookMs.single = nowMs - startedAtMs;
    if (mailed < gathered) tookMs.gathered = nowMs - startedAtMs;
    if (nowMs - saidAtMs > SAY_EVERY_MS) {
      saidAtMs = nowMs;
      say(`${hook.taken.length} by the webhook, ${mailed} in ${mailsSeen} mails`);
    }
    return hook.taken.length >= single && mailed >= gathered;
  }, 10_000 + PATIENCE_MS.single * single + PATIENCE_MS.gathered * gathered);
  await comes(() => countEntries(full.dir, "waiting") === 0, 10_000);
  const waitsMs = await asking.end();
  return {
    options,
    readyMs: started.readyMs,
    memoryMb: { ...started.memoryMb, most: mostMb },
    single: drainCounts(hook.taken.map(({ ids }) => ids), tookMs.single),
    gathered: drainCounts(smtp.mails.map(({ text }) => alertIdsIn(text)), tookMs.gathered),
    waitsMs,
    waiting: countEntries(full.dir, "waiting"),
  };
}

/** The lines of the summary. */
export function backlogRows(counts: BacklogCounts): Row[] {
  const { readyMs, memoryMb, single, gathered, options } = counts;
  const ready = percentile(readyMs.full, 0.5);
  const drained = (name: string, drain: DrainCounts, entries: number): Row => ({
    what: `sent by the ${name}, in order`,
    figure: `${drain.taken} of ${entries} in ${drain.messages} messages, ` +
      `${drain.outOfOrder} out of order, ${drain.takenAgain} again; ` +
      `${Math.round(drain.taken / (drain.tookMs / 1000))} a second`,
    goal: "all, 0, 0",
    kept: drain.taken === entries && drain.outOfOrder === 0 && drain.takenAgain === 0,
  });
  return [
    {
      what: `start to READY, ${options.single + options.gathered} entries waiting`,
      figure: `p50 ${duration(ready)}, most ${duration(Math.max(...readyMs.full))}`,
      goal: "p50 under 300 ms",
      kept: ready < 300,
    },
    {
      what: "start to READY, none waiting",
      figure: `p50 ${duration(percentile(readyMs.empty, 0.5))}, ` +
        `most ${duration(Math.max(...readyMs.empty))}`,
    },
    {
      what: "memory of its own (RssAnon)",
      figure: `${megabytes(memoryMb.empty)} with none waiting, ${megabytes(memoryMb.full)} with ` +
        `all, ${megabytes(memoryMb.most)} at most while they go`,
      goal: "at most 64 MB more",
      kept: memoryMb.most < memoryMb.empty + 64,
    },
    drained("webhook", single, options.single),
    drained("mail", gathered, options.gathered),
    {
      what: `an event's wait for its answer meanwhile (${counts.waitsMs.length} events)`,
      figure: `p50 ${duration(percentile(counts.waitsMs, 0.5))}, ` +
        `p99 ${duration(percentile(counts.waitsMs, 0.99))}, ` +
        `most ${duration(Math.max(0, ...counts.waitsMs))}`,
    },
  ];
}

/** Fills the outbox as the listener itself does, but faster than events come. */
function store(place: Place, channel: string, count: number): void {
  const nowMs = Date.now() - AGE_MS;
  const outbox = Outbox.open(place.file(OUTBOX_FILE), { nowMs });
  try {
    for (let first = 0; first < count; first += STORED_AT_ONCE) {
      const length = Math.min(STORED_AT_ONCE, count - first);
      const entries = Array.from({ length }, (_, index): NewEntry => ({
        channel,
        alert: { ...ALERT, id: idOf(first + index), atMs: nowMs + first, pid: 1 + first + index },
      }));
      outbox.enqueue(entries, nowMs + first);
    }
  } finally {
    outbox.close();
  }
}

/** A number that looks like an alert id. */
function idOf(number: number): string {
  return number.toString(16).padStart(12, "0");
}

async function timeStarts(
  places: { readonly empty: Place; readonly full: Place },
  { starts }: BacklogOptions,
): Promise<Pick<BacklogCounts, "readyMs"> & { memoryMb: { empty: number; full: number } }> {
  // Both services hang: nothing goes, and an attempt that never ends puts nothing out of order.
  let connections = 0;
  await using hanging = startTcpServer(() => void connections++);
  const port = Number(new URL(hanging.origin).port);
  const readyMs = { empty: [] as number[], full: [] as number[] };
  const memoryMb = { empty: 0, full: 0 };
  for (let round = 0; round < starts; round++) {
    for (const kind of ["empty", "full"] as const) {
      const config = configFor(places[kind], { hook: port, smtp: port });
      const wanted = connections + 2;
      const startedAtMs = performance.now();
      await using listener = new PipedListener(config);
      await listener.ready(1);
      readyMs[kind].push(performance.now() - startedAtMs);
      // What it takes up to send is part of what waiting costs.
      if (kind === "full") await comes(() => connections >= wanted, 10_000);
      memoryMb[kind] = Math.max(memoryMb[kind], rssAnonMb(listener.pid));
    }
  }
  return { readyMs, memoryMb };
}

/** Sends an event now and then that no rule is about, and measures its answer. */
function askWhile(listener: PipedListener): { end(): Promise<readonly number[]> } {
  const waitsMs: number[] = [];
  let isOver = false;
  const asking = (async () => {
    await listener.ready(1);
    for (let serial = 0; !isOver; serial++) {
      const payload = "processname:api groupname:web from_state:STARTING pid:4242";
      const sentAtMs = performance.now();
      await listener.take(frame(serial, "PROCESS_STATE_RUNNING", payload));
      waitsMs.push(performance.now() - sentAtMs);
      await pause(ASK_EVERY_MS);
    }
  })();
  return {
    async end() {
      isOver = true;
      await asking;
      return waitsMs;
    },
  };
}

function configFor(place: Place, ports: { readonly hook: number; readonly smtp: number }): string {
  return place.write(
    "superbell.yaml",
    `
language: en
state_dir: "{dir}"
log_level: warn
shutdown_window: 0s
channels:
  hook: { type: webhook, url: "http://127.0.0.1:${ports.hook}/hook" }
  mail:
    type: email
    host: 127.0.0.1
    port: ${ports.smtp}
    security: none
    from: ops@example.com
    to: [ops@example.com]
rules:
  - { name: crash, on: [crash], to: [hook, mail] }
`,
  );
}

function drainCounts(messages: readonly (readonly string[])[], tookMs: number): DrainCounts {
  const numbers = messages.flat().map((id) => parseInt(id, 16));
  let [latest, outOfOrder] = [-1, 0];
  for (const number of numbers) {
    if (number < latest) outOfOrder++;
    latest = Math.max(latest, number);
  }
  const taken = new Set(numbers).size;
  return {
    taken,
    takenAgain: numbers.length - taken,
    outOfOrder,
    messages: messages.length,
    tookMs,
  };
}

function megabytes(mb: number): string {
  return `${mb.toFixed(0)} MB`;
}
