// Handing entries over, and what is kept about channels, on a real file.

import type { Alert } from "../../src/alerts/alert.ts";
import type { ChannelState, Entry } from "../../src/outbox/outbox.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { FROM_THE_START } from "../../src/outbox/reroute.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const TO_MAIL = { to: { channel: "mail", digestMs: 500 }, why: "HTTP 502", nowMs: NOW + 7 };

class Bench implements Disposable {
  readonly #folder = new Folder();
  readonly outbox = Outbox.open(this.#folder.file("superbell.db"), { nowMs: NOW });

  store(channel: string, ...ids: string[]): void {
    const alerts = ids.map((id): Alert => ({ ...ALERT, id }));
    this.outbox.enqueue(alerts.map((alert) => ({ alert, channel })), NOW);
  }

  states(): string[] {
    return this.outbox.entries.list()
      .map(({ alert, channel, state }) => `${alert.id} ${channel} ${state}`);
  }

  reroute() {
    return this.outbox.reroute("robot", { ...TO_MAIL, after: FROM_THE_START });
  }

  [Symbol.dispose](): void {
    this.outbox.close();
    this.#folder[Symbol.dispose]();
  }
}

Deno.test("Outbox.reroute() makes each waiting entry one of the other channel", () => {
  using bench = new Bench();
  bench.store("robot", "a", "b");
  bench.store("other", "c");
  const { moved, isAll } = bench.reroute();
  assertEquals([moved, isAll], [2, true]);
  assertEquals(bench.states(), [
    "a robot rerouted",
    "b robot waiting", // the last one is tried until the channel works
    "c other waiting",
    "a mail waiting",
    "b mail waiting",
  ]);
  const [from, , , to] = bench.outbox.entries.list() as [Entry, Entry, Entry, Entry];
  assertEquals([from.settledAtMs, from.reason], [NOW + 7, "sent to mail instead: HTTP 502"]);
  assertEquals([to.createdAtMs, to.sinceMs, to.dueAtMs], [NOW, NOW + 7, NOW + 507]);
  assertEquals(to.alert, {
    ...ALERT,
    id: "a",
    insteadOf: { channel: "robot", reason: "HTTP 502" },
  });
});

Deno.test("Outbox.reroute() leaves alone what somebody holds", () => {
  using bench = new Bench();
  bench.store("robot", "a");
  bench.outbox.claim("robot", { nowMs: NOW, leaseMs: 1000 });
  assertEquals(bench.reroute().moved, 0);
  assertEquals(bench.states(), ["a robot waiting"]);
});

Deno.test("Outbox.reroute() goes on behind the entries that it has looked at", () => {
  using bench = new Bench();
  bench.store("robot", ...Array.from({ length: 250 }, (_, n) => `id${n}`));
  const moved: number[] = [];
  let after = FROM_THE_START;
  while (true) {
    const step = bench.outbox.reroute("robot", { ...TO_MAIL, after });
    moved.push(step.moved);
    after = step.last;
    if (step.isAll) break;
  }
  assertEquals(moved, [50, 50, 50, 50, 50]);
  assertEquals(bench.outbox.waiting("robot"), 1, "the last one, which is tried");
  assertEquals(bench.outbox.waiting("mail"), 250);
});

for (const [fate, stays] of [["waiting", false], ["delivered", false], ["dead", true]] as const) {
  const what = stays ? "stays" : "leaves the queue";
  Deno.test(`Outbox.reroute(): an entry ${what} whose alert is ${fate} at the fallback`, () => {
    using bench = new Bench();
    bench.store("robot", "a");
    bench.store("mail", "a");
    if (fate !== "waiting") {
      const claim = bench.outbox.claim("mail", { nowMs: NOW, leaseMs: 1000 })!;
      const outcome = fate === "dead" ? "rejected" as const : fate;
      bench.outbox.settle(claim, { attempt: { atMs: NOW, tookMs: 0, outcome, reason: "said so" } });
    }
    bench.store("robot", "b");
    assertEquals(bench.reroute().moved, stays ? 1 : 2);
    assertEquals(bench.states().slice(0, 2), [
      `a robot ${stays ? "waiting" : "rerouted"}`,
      `a mail ${fate}`,
    ]);
  });
}

Deno.test("Outbox.reroute() leaves the last entry, to be tried, and hands it over once", () => {
  using bench = new Bench();
  bench.store("robot", "a");
  assertEquals(bench.reroute().moved, 1);
  assertEquals(bench.reroute().moved, 0);
  assertEquals(bench.states(), ["a robot waiting", "a mail waiting"]);
  bench.store("robot", "b");
  assertEquals(bench.reroute().moved, 2, "a leaves the queue, b has come");
  assertEquals(bench.states().filter((line) => line.includes("robot")), [
    "a robot rerouted",
    "b robot waiting",
  ]);
});

Deno.test("Outbox.reroute() gives an alert back only to a channel that works and did not refuse it", () => {
  using bench = new Bench();
  bench.store("robot", "a", "b", "last");
  const refused = { atMs: NOW, tookMs: 0, outcome: "rejected", reason: "too long" } as const;
  const claim = bench.outbox.claim("robot", { nowMs: NOW, leaseMs: 1000 })!;
  bench.outbox.settle(claim, { attempt: refused, standIn: TO_MAIL.to });
  bench.reroute();
  const back = (takesBack: boolean) =>
    bench.outbox.reroute("mail", {
      to: { channel: "robot", digestMs: 0, takesBack },
      why: "HTTP 503",
      nowMs: NOW + 9,
      after: FROM_THE_START,
    }).moved;
  bench.store("mail", "more"); // it stays there, to be tried
  back(false);
  assertEquals(bench.states().filter((line) => line.startsWith("b")), [
    "b robot rerouted",
    "b mail waiting",
  ]);
  back(true);
  assertEquals(bench.states().filter((line) => /^[ab] /.test(line)), [
    "a robot rerouted",
    "b robot waiting",
    "a mail waiting",
    "b mail rerouted",
  ]);
});

Deno.test("Outbox.reroute() lets no channel tell how it fares itself", () => {
  using bench = new Bench();
  const trouble = { name: "mail", sinceMs: NOW, reason: "HTTP 503", waiting: 1 };
  const alert: Alert = { ...ALERT, id: "n", word: "channel_failing", trouble };
  bench.outbox.enqueue([{ alert, channel: "robot" }], NOW);
  assertEquals(bench.reroute().moved, 0);
  assertEquals(bench.states(), ["n robot waiting"]);
});

Deno.test("Outbox.settle() hands over what would be dead, in the same transaction", () => {
  using bench = new Bench();
  bench.store("robot", "a");
  const claim = bench.outbox.claim("robot", { nowMs: NOW, leaseMs: 1000 })!;
  const attempt = { atMs: NOW, tookMs: 5, outcome: "rejected", reason: "wrong token" } as const;
  const settled = bench.outbox.settle(claim, { attempt, standIn: TO_MAIL.to });
  assertEquals(settled.map(({ state }) => state), ["rerouted"]);
  assertEquals(bench.states(), ["a robot rerouted", "a mail waiting"]);
  assertEquals(bench.outbox.entries.list()[0]?.reason, "sent to mail instead: wrong token");
});

Deno.test("Outbox.settle() hands nothing over that was dropped meanwhile", () => {
  using bench = new Bench();
  bench.store("robot", "a");
  const claim = bench.outbox.claim("robot", { nowMs: NOW, leaseMs: 1000 })!;
  bench.outbox.entries.drop([1], NOW);
  const attempt = { atMs: NOW, tookMs: 5, outcome: "rejected", reason: "wrong token" } as const;
  assertEquals(bench.outbox.settle(claim, { attempt, standIn: TO_MAIL.to }), []);
  assertEquals(bench.states(), ["a robot dropped"]);
});

Deno.test("Outbox.giveUpOldest() makes so many dead, with the reason they had before", () => {
  using bench = new Bench();
  bench.store("robot", "a", "b", "c");
  assertEquals(bench.outbox.giveUpOldest("robot", { count: 2, reason: "too many" }, NOW), 2);
  assertEquals(bench.states(), ["a robot dead", "b robot dead", "c robot waiting"]);
  assertEquals(bench.outbox.entries.list()[0]?.reason, "too many");
  assertEquals(bench.outbox.giveUpOldest("robot", { count: 500, reason: "too many" }, NOW), 1);
});

Deno.test("Outbox.channels keeps how a channel fares, with the attempt that changed it", () => {
  using bench = new Bench();
  const state: ChannelState = {
    name: "robot",
    lastAtMs: NOW + 5,
    lastOutcome: "retry",
    lastReason: "HTTP 502",
    failures: 4,
    failingSinceMs: NOW - 1000,
    toldAtMs: undefined,
    toldSinceMs: undefined,
    givenUp: 0,
    held: { untilMs: NOW + 600, reason: "sent too fast" },
  };
  bench.store("robot", "a");
  const claim = bench.outbox.claim("robot", { nowMs: NOW, leaseMs: 1000 })!;
  const attempt = { atMs: NOW, tookMs: 5, outcome: "retry", reason: "HTTP 502" } as const;
  bench.outbox.settle(claim, { attempt, nextTry: () => NOW + 9, channelState: () => state });
  assertEquals(bench.outbox.channels.read("robot"), state);
  const told = { ...state, toldAtMs: NOW + 6, toldSinceMs: NOW - 1000, givenUp: 3 };
  bench.outbox.channels.write(told);
  assertEquals(bench.outbox.channels.list(), [told]);
  assert(bench.outbox.channels.read("mail") === undefined);
  bench.outbox.channels.keepOnly(["robot"]);
  assertEquals(bench.outbox.channels.list(), [told]);
  bench.outbox.channels.keepOnly(["mail"]);
  assertEquals(bench.outbox.channels.list(), []);
});
