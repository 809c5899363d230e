// Dead channels: who is told, what goes to the fallback and comes back, and that nothing is lost
// on any way. With real outboxes, channels written for the case, and a clock that we move.

import { closed, delivered, type Outcome, rejected, retry } from "../../src/alerts/outcome.ts";
import type { Rule } from "../../src/rules/rule.ts";
import { Connection } from "../../src/outbox/connection.ts";
import { StoredEntries } from "../../src/outbox/stored_entries.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import {
  type BenchOptions,
  DeliveryBench,
  MINUTE,
  NOW,
  SECOND,
  type Send,
} from "../support/delivery_bench.ts";
import { ALERT } from "../support/message.ts";
import { Random } from "../support/random.ts";

const CRASHES: Rule = { name: "crash", on: ["crash"], where: {}, to: ["robot", "mail"] };
const NO_RULES = { rules: [CRASHES] };

/** A channel that does as it is told at the moment. */
function switchable(outcome: Outcome): { now: Outcome; readonly send: Send } {
  const channel = { now: outcome, send: () => channel.now };
  return channel;
}

const DOWN = retry("connection refused");
const UP = delivered("ok");

/** A robot that is down, and mail that stands in for it. */
function robotAndMail(options: Partial<BenchOptions> = {}, robot = switchable(DOWN)) {
  const mail = switchable(UP);
  const bench = new DeliveryBench({
    channels: { robot: robot.send, mail: mail.send },
    fallbacks: { robot: "mail" },
    ...options,
  });
  return { bench, robot, mail };
}

/** What became of each alert on each channel. */
function states({ disk }: DeliveryBench, ...ids: string[]): string[] {
  return disk.entries.list()
    .filter(({ alert }) => ids.length === 0 || ids.includes(alert.id))
    .map(({ alert, channel, state }) => `${alert.word} ${alert.id} ${channel} ${state}`)
    .map((line) => line.replace(/^crash |^(channel_\w+) \w+/, "$1"));
}

const to = ({ sent }: DeliveryBench, channel: string): string[] =>
  sent.filter((one) => one.channel === channel).map(({ id }) => id);

const toldTo = ({ sent, messages }: DeliveryBench, channel: string): string[] =>
  messages.filter((_, index) => sent[index]!.channel === channel).map(({ title }) => title);

const FAILING = "Channel robot does not deliver on node-7";
const RECOVERED = "Channel robot delivers again on node-7";

Deno.test("Watch hands over what waits to the fallback, once the channel has failed for so long", async () => {
  const { bench } = robotAndMail();
  await using _bench = bench;
  for (const id of ["a", "b"]) bench.store(id, "robot");
  await bench.clock.advance(5 * MINUTE - SECOND);
  assertEquals(to(bench, "mail"), []);
  await bench.clock.advance(4 * SECOND);
  assertEquals(states(bench, "a", "b").sort(), [
    "a mail delivered",
    "a robot waiting", // it is tried until the robot works
    "b mail delivered",
    "b robot rerouted",
  ]);
  const [, b] = bench.disk.entries.list();
  assertEquals(b?.reason, "sent to mail instead: connection refused");
  const message = bench.messages.find(({ text }) => text.includes("in place of"));
  assertMatch(message?.text ?? "", /^Note: in place of channel robot: connection refused$/m);
  assertEquals(message?.title, "web:api exited unexpectedly on node-7");
});

Deno.test("Watch hands over many in batches, all of them and each once", async () => {
  const { bench } = robotAndMail({ digestMs: 1000 });
  await using _bench = bench;
  const ids = Array.from({ length: 1050 }, (_, n) => `id${n}`);
  bench.disk.enqueue(ids.map((id) => ({ alert: { ...ALERT, id }, channel: "robot" })), NOW);
  bench.delivery.wake(["robot"]);
  await bench.clock.advance(6 * MINUTE);
  const counts = bench.disk.entries.counts();
  assertEquals([counts.rerouted, counts.waiting], [1049, 1]);
  assertEquals(counts.delivered, 1051, "with the notice");
  const line = bench.log.findLast((text) => text.includes("handed over to mail"));
  assertMatch(line!, /channel robot fails: 1050 entries were handed over to mail/);
});

Deno.test("Watch sends new alerts to the fallback at once while the channel still fails", async () => {
  const { bench } = robotAndMail();
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(6 * MINUTE);
  const tries = to(bench, "robot").length;
  bench.store("b", "robot");
  bench.store("c", "robot");
  await bench.clock.advance(SECOND);
  assertEquals(to(bench, "mail").slice(-2).sort(), ["b", "c"]);
  // The rest was over, so that the first of them was the attempt that shows how the channel is.
  assert(to(bench, "robot").length <= tries + 1);
});

Deno.test("Watch leaves the channel a message to show that it works again", async () => {
  const { bench, robot } = robotAndMail();
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(6 * MINUTE);
  robot.now = UP;
  await bench.clock.advance(2 * MINUTE);
  for (const id of ["b", "c"]) bench.store(id, "robot");
  await bench.clock.advance(SECOND);
  assertEquals(states(bench, "b", "c"), ["b robot delivered", "c robot delivered"]);
  assertEquals(to(bench, "robot").slice(-2), ["b", "c"]);
});

Deno.test("Watch tells once that a channel fails, and once that it works again", async () => {
  const { bench, robot } = robotAndMail();
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(10 * MINUTE);
  assertEquals(toldTo(bench, "mail").filter((title) => title === FAILING), [FAILING]);
  const { text } = bench.messages.find(({ title }) => title === FAILING)!;
  assertMatch(text, /^Since: 2026-11-21 02:00:00 \+00:00$/m);
  assertMatch(text, /^Reason: connection refused$/m);
  assertMatch(text, /^Waiting: 1$/m);
  assertMatch(text, /^Fallback: mail$/m);
  robot.now = UP;
  bench.store("b", "robot");
  await bench.clock.advance(MINUTE);
  assertEquals(toldTo(bench, "mail").at(-1), RECOVERED);
  assertMatch(bench.messages.at(-1)!.text, /^Failed for: 10m\d+s$/m);
  await bench.clock.advance(5 * MINUTE);
  assertEquals(toldTo(bench, "mail").filter((title) => title === RECOVERED), [RECOVERED]);
  robot.now = DOWN;
  bench.store("c", "robot");
  await bench.clock.advance(6 * MINUTE);
  assertEquals(toldTo(bench, "mail").filter((title) => title === FAILING).length, 2, "anew");
});

Deno.test("Watch notices without any new alert that the channel works again, and says so", async () => {
  const { bench, robot } = robotAndMail();
  await using _bench = bench;
  for (const id of ["a", "b"]) bench.store(id, "robot");
  await bench.clock.advance(20 * MINUTE);
  assertEquals(to(bench, "mail").filter((id) => id === "a" || id === "b").sort(), ["a", "b"]);
  assert(to(bench, "robot").length < 60, "it is tried, and rests in between");
  robot.now = UP;
  await bench.clock.advance(2 * MINUTE); // the bench's retry.most is one
  assertEquals(toldTo(bench, "mail").at(-1), RECOVERED);
  assertEquals(bench.disk.entries.counts().waiting, 0);
});

Deno.test("Watch does not call a channel failing that works when it is tried after a start", async () => {
  const { bench, robot } = robotAndMail();
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(4 * MINUTE);
  robot.now = UP;
  await bench.restart("stop");
  bench.clock.jumpTo(bench.clock.now() + 60 * MINUTE);
  await bench.restart("stop");
  await bench.clock.advance(MINUTE);
  assertEquals(states(bench), ["a robot delivered"]);
  assertEquals(toldTo(bench, "mail"), []);
});

Deno.test("Watch gives a channel that works again what its stand-in, down since, had from it", async () => {
  const [robot, mail] = [switchable(DOWN), switchable(DOWN)];
  await using bench = new DeliveryBench({
    channels: { robot: robot.send, mail: mail.send },
    fallbacks: { robot: "mail", mail: "robot" },
    rules: [],
  });
  for (const id of ["a", "b", "c"]) bench.store(id, "robot");
  await bench.clock.advance(15 * MINUTE);
  assertEquals(bench.disk.entries.counts().delivered, 0);
  robot.now = UP;
  await bench.clock.advance(10 * MINUTE);
  for (const id of ["a", "b", "c"]) {
    assert(states(bench, id).includes(`${id} robot delivered`), states(bench, id).join());
  }
  const notices = toldTo(bench, "robot").filter((title) => title.startsWith("Channel robot"));
  assertEquals(notices, [], "no channel tells how it fares itself");
});

Deno.test("A sender that is closed fails on every channel that uses it", async () => {
  const pace = { key: "robot", count: 18, perMs: MINUTE };
  const muted = closed("sent too fast", 10 * MINUTE);
  const [day, night] = [switchable(muted), switchable(UP)];
  await using bench = new DeliveryBench({
    channels: { day: day.send, night: night.send, mail: () => UP },
    paces: { day: pace, night: pace },
    fallbacks: { day: "night", night: "mail" },
    fallbackAfterMs: 2 * MINUTE,
  });
  bench.store("a", "day");
  await bench.clock.advance(3 * MINUTE);
  assertEquals(states(bench, "a"), ["a day waiting", "a mail delivered"]);
  for (const id of ["b", "c"]) bench.store(id, "night");
  await bench.clock.advance(3 * MINUTE);
  assertEquals(to(bench, "night"), [], "it is mute as well");
  const told = to(bench, "mail");
  for (const id of ["a", "b", "c"]) assert(told.includes(id), `${id} was not told: ${told}`);
  assertEquals(bench.disk.channels.read("night")?.held?.reason, "sent too fast");
  day.now = UP;
  await bench.clock.advance(10 * MINUTE);
  assertEquals(bench.disk.entries.counts().waiting, 0);
});

Deno.test("Channels with one sender count the attempts that are still under way", async () => {
  const pace = { key: "robot", count: 3, perMs: MINUTE };
  const names = ["a", "b", "c", "d", "e"];
  await using bench = new DeliveryBench({
    channels: Object.fromEntries(names.map((name) => [name, async (_message, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      return DOWN;
    }])),
    paces: Object.fromEntries(names.map((name) => [name, pace])),
    timeoutMs: 60 * MINUTE,
  });
  for (const name of names) bench.store("x", name);
  await bench.clock.advance(30 * SECOND);
  assertEquals(bench.sent.length, 3);
});

Deno.test("Watch says nothing of a channel that fails for less than that", async () => {
  const { bench, robot } = robotAndMail();
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(4 * MINUTE);
  robot.now = UP;
  await bench.clock.advance(6 * MINUTE);
  assertEquals(states(bench), ["a robot delivered"]);
  assertEquals(to(bench, "mail"), []);
});

for (const how of ["stop", "kill"] as const) {
  Deno.test(`Watch neither forgets nor repeats what it told over restarts by ${how}`, async () => {
    const { bench, robot } = robotAndMail(NO_RULES);
    await using _bench = bench;
    bench.store("a", "robot");
    await bench.clock.advance(4 * MINUTE);
    await bench.restart(how);
    await bench.clock.advance(2 * MINUTE);
    assertEquals(toldTo(bench, "mail").filter((title) => title === FAILING), [FAILING]);
    for (let time = 0; time < 3; time++) {
      await bench.restart(how);
      await bench.clock.advance(MINUTE);
    }
    robot.now = UP;
    bench.store("b", "robot");
    await bench.clock.advance(20 * SECOND);
    await bench.restart(how);
    await bench.clock.advance(MINUTE);
    const notices = toldTo(bench, "mail").filter((title) => title.startsWith("Channel"));
    assertEquals(notices, [FAILING, RECOVERED]);
    assertEquals(states(bench, "a").includes("a robot delivered"), true);
  });
}

Deno.test("Watch tells it to the channels beside it, where there is no fallback", async () => {
  const { bench } = robotAndMail({ ...NO_RULES, fallbacks: {} });
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(6 * MINUTE);
  assertEquals(toldTo(bench, "mail"), [FAILING]);
  assertEquals(states(bench, "a"), ["a robot waiting"]);
});

Deno.test("Watch tells it by the rules that ask for it", async () => {
  const rule: Rule = {
    name: "channels",
    on: ["channel_failing", "channel_recovered"],
    where: {},
    to: ["robot", "boss"],
  };
  const { bench, robot, mail } = robotAndMail();
  await bench[Symbol.asyncDispose]();
  await using other = new DeliveryBench({
    channels: { robot: robot.send, mail: mail.send, boss: () => UP },
    fallbacks: { robot: "mail" },
    rules: [rule],
  });
  other.store("a", "robot");
  await other.clock.advance(6 * MINUTE);
  assertEquals(toldTo(other, "boss"), [FAILING]);
  assertEquals(to(other, "mail"), ["a"], "what it stands in for, and no notice");
});

Deno.test("Watch only logs it where nobody else can be told", async () => {
  await using bench = new DeliveryBench({ channels: { robot: () => DOWN } });
  bench.store("a", "robot");
  await bench.clock.advance(12 * MINUTE);
  const lines = bench.log.filter((line) => line.includes("has failed for"));
  assertEquals(lines.length, 1);
  assertMatch(
    lines[0]!,
    / ERROR channel robot has failed for 5m: connection refused; 1 entries wait$/,
  );
});

Deno.test("Delivery gives what a service refuses to the fallback at once: it must be told", async () => {
  const { bench } = robotAndMail({}, switchable(rejected("310000 sign not match")));
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(SECOND);
  assertEquals(states(bench), ["a robot rerouted", "a mail delivered"]);
  assertMatch(
    bench.messages.at(-1)!.text,
    /^Note: in place of channel robot: 310000 sign not match$/m,
  );
  assertMatch(bench.log.find((line) => line.includes("to robot"))!, /another channel stands in$/);
  await bench.clock.advance(6 * MINUTE);
  assertEquals(toldTo(bench, "mail").at(-1), FAILING);
});

Deno.test("Watch tells of a refused message without a fallback too, however few there are", async () => {
  const { bench } = robotAndMail(
    { ...NO_RULES, fallbacks: {} },
    switchable(rejected("310000 sign not match")),
  );
  await using _bench = bench;
  bench.store("a", "robot");
  await bench.clock.advance(6 * MINUTE);
  assertEquals(states(bench, "a"), ["a robot dead"]);
  assertEquals(toldTo(bench, "mail"), [FAILING]);
  assertMatch(bench.messages.at(-1)!.text, /^Reason: 310000 sign not match$/m);
});

Deno.test("Delivery burns no more than it must on a channel that refuses everything", async () => {
  const robot = switchable(rejected("wrong token"));
  await using bench = new DeliveryBench({ channels: { robot: robot.send }, rules: [] });
  for (let n = 0; n < 100; n++) bench.store(`id${n}`, "robot");
  await bench.clock.advance(MINUTE);
  assertEquals(bench.disk.entries.counts().dead, 7, "three, and one after each rest");
  robot.now = UP;
  await bench.clock.advance(2 * MINUTE);
  assertEquals(bench.disk.entries.counts(), {
    waiting: 0,
    delivered: 93,
    dead: 7,
    dropped: 0,
    rerouted: 0,
  });
});

Deno.test("Watch takes what the fallback has already out of the queue", async () => {
  const { bench } = robotAndMail();
  await using _bench = bench;
  bench.store("a", "robot", "mail");
  bench.store("b", "robot", "mail");
  await bench.clock.advance(6 * MINUTE);
  assertEquals(bench.disk.entries.counts().rerouted, 1);
  const [reason] = bench.disk.entries.list({ states: ["rerouted"] }).map((entry) => entry.reason);
  assertEquals(reason, "mail has it as well: connection refused");
});

Deno.test("Watch leaves everything where it is while the fallback is down as well", async () => {
  const [robot, mail] = [switchable(DOWN), switchable(DOWN)];
  await using bench = new DeliveryBench({
    channels: { robot: robot.send, mail: mail.send },
    fallbacks: { robot: "mail", mail: "robot" }, // the natural configuration
    rules: [CRASHES],
  });
  for (const id of ["a", "b", "c", "d", "e", "f", "g", "h"]) bench.store(id, "robot", "mail");
  await bench.clock.advance(12 * MINUTE);
  const waiting = bench.disk.entries.list({ states: ["waiting"] });
  for (const id of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
    assert(waiting.some(({ alert }) => alert.id === id), `${id} waits nowhere`);
  }
  assert(bench.sent.length < 200, `${bench.sent.length} attempts: they knock without end`);
  robot.now = mail.now = UP;
  await bench.clock.advance(10 * MINUTE);
  const counts = bench.disk.entries.counts();
  assertEquals([counts.waiting, counts.dead], [0, 0]);
  for (const id of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
    assert(states(bench, id).some((line) => line.endsWith("delivered")), id);
  }
});

Deno.test("Watch goes on along the fallbacks to one that works", async () => {
  await using bench = new DeliveryBench({
    channels: { robot: () => DOWN, mail: () => DOWN, script: () => UP },
    fallbacks: { robot: "mail", mail: "script", script: "robot" },
  });
  for (let n = 0; n < 10; n++) bench.store(`id${n}`, "robot");
  await bench.clock.advance(15 * MINUTE);
  assertEquals(new Set(to(bench, "script").filter((id) => id.startsWith("id"))).size, 10);
  const waiting = bench.disk.entries.list({ states: ["waiting"] });
  assertEquals(waiting.map(({ channel }) => channel).sort(), ["mail", "robot"], "one to try each");
});

Deno.test("Watch tells and hands over what lies in memory while the disk takes nothing", async () => {
  const { bench } = robotAndMail();
  await using _bench = bench;
  const alerts = ["a", "b"].map((id) => ({ ...ALERT, id }));
  bench.memory.enqueue(alerts.map((alert) => ({ alert, channel: "robot" })), NOW);
  bench.disk.close();
  bench.delivery.wake(["robot"]);
  await bench.clock.advance(6 * MINUTE);
  const crash = "web:api exited unexpectedly on node-7";
  assertEquals(toldTo(bench, "mail").sort(), [FAILING, crash, crash]);
  assertEquals(bench.memory.entries.counts().rerouted, 1);
});

Deno.test("Watch lets superbell outbox retry bring back what was rerouted", async () => {
  const { bench, robot } = robotAndMail();
  await using _bench = bench;
  for (const id of ["a", "b"]) bench.store(id, "robot");
  await bench.clock.advance(6 * MINUTE);
  assertEquals(states(bench, "b"), ["b robot rerouted", "b mail delivered"]);
  robot.now = UP;
  const hand = Connection.visit(bench.disk.path, "write");
  new StoredEntries(hand).retry([2], bench.clock.now());
  hand.close();
  await bench.clock.advance(10 * SECOND);
  assertEquals(states(bench, "b"), ["b robot delivered", "b mail delivered"]);
});

Deno.test("Watch gives up the oldest when too many wait, counts them, and tells it", async () => {
  const { bench } = robotAndMail({ ...NO_RULES, fallbacks: {}, maxWaiting: 100 });
  await using _bench = bench;
  const ids = Array.from({ length: 350 }, (_, n) => `id${n}`);
  bench.disk.enqueue(ids.map((id) => ({ alert: { ...ALERT, id }, channel: "robot" })), NOW);
  bench.delivery.wake(["robot"]);
  await bench.clock.advance(MINUTE);
  assertEquals(bench.disk.entries.counts().dead, 250);
  assertEquals(
    bench.disk.entries.list({ states: ["dead"] }).at(-1)?.reason?.split(";")[0],
    "more than 100 messages waited for robot",
  );
  const lines = bench.log.filter((line) => line.includes("gave up"));
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, / ERROR gave up 250 entries for "robot": more than 100 messages waited/);
  await bench.clock.advance(5 * MINUTE);
  assertEquals(toldTo(bench, "mail"), [FAILING]);
  assertMatch(bench.messages.find(({ title }) => title === FAILING)!.text, /^Given up: 250$/m);
  bench.disk.entries.retry(bench.disk.entries.list({ states: ["dead"] }).map(({ id }) => id), NOW);
  await bench.clock.advance(MINUTE);
  assertEquals(toldTo(bench, "mail"), [FAILING, FAILING], "news, since it was told before");
  assertMatch(bench.messages.at(-1)!.text, /^Given up: 500$/m);
});

Deno.test("Watch tells of a channel that works and has too much to do", async () => {
  const pace = { key: "robot", count: 5, perMs: MINUTE };
  const { bench } = robotAndMail(
    { ...NO_RULES, fallbacks: {}, maxWaiting: 100, pace },
    switchable(UP),
  );
  await using _bench = bench;
  const ids = Array.from({ length: 300 }, (_, n) => `id${n}`);
  bench.disk.enqueue(ids.map((id) => ({ alert: { ...ALERT, id }, channel: "robot" })), NOW);
  bench.delivery.wake(["robot"]);
  await bench.clock.advance(3 * MINUTE);
  assertEquals(toldTo(bench, "mail"), [FAILING]);
  assertMatch(
    bench.messages.find(({ title }) => title === FAILING)!.text,
    /^Reason: more than 100 messages waited for robot$/m,
  );
});

Deno.test("Delivery keeps a service's pause over a restart, of a channel without a pace too", async () => {
  let first = true;
  const send: Send = () => {
    if (!first) return UP;
    first = false;
    return { kind: "retry", reason: "429", afterMs: 20 * MINUTE, closesChannel: true };
  };
  await using bench = new DeliveryBench({ channels: { hook: send } });
  bench.store("a", "hook");
  await bench.clock.advance(MINUTE);
  await bench.restart();
  bench.store("b", "hook");
  await bench.clock.advance(18 * MINUTE);
  assertEquals(bench.sent.length, 1);
  await bench.clock.advance(2 * MINUTE);
  assertEquals(bench.disk.entries.counts().delivered, 2);
});

Deno.test("Delivery counts attempts on disk and in memory against one budget", async () => {
  const pace = { key: "robot", count: 4, perMs: MINUTE };
  await using bench = new DeliveryBench({ channels: { robot: () => UP }, pace });
  for (const id of ["a", "b", "c"]) bench.store(id, "robot");
  await bench.clock.advance(SECOND);
  for (const id of ["d", "e", "f"]) {
    bench.memory.enqueue([{ alert: { ...ALERT, id }, channel: "robot" }], bench.clock.now());
  }
  bench.delivery.wake(["robot"]);
  await bench.clock.advance(50 * SECOND);
  assertEquals(bench.sent.length, 4);
  assertMatch(
    bench.log.find((line) => line.includes("no more than"))!,
    / INFO +channel robot: no more than 4 messages in 1m, or its service closes it; the next one in \d+s$/,
  );
  await bench.clock.advance(MINUTE);
  assertEquals(bench.sent.length, 6);
});

/** Each alert that was stored for a channel, and nothing of it must be lost. */
function assertNothingLost(
  { disk }: DeliveryBench,
  stored: readonly (readonly [string, string])[],
) {
  const entries = disk.entries.list();
  const find = (id: string, channel: string) =>
    entries.find((entry) => entry.alert.id === id && entry.channel === channel);
  for (const [id, channel] of stored) {
    const entry = find(id, channel);
    assert(entry !== undefined, `${id} for ${channel} is gone`);
    if (entry.state === "dead") assert(entry.reason !== undefined, `${id} died without a reason`);
    if (entry.state !== "rerouted") continue;
    const elsewhere = entries.filter((other) => other.alert.id === id && other !== entry);
    assert(
      elsewhere.some(({ state }) =>
        state === "waiting" || state === "delivered" || state === "dead"
      ),
      `${id} was rerouted by ${channel} to nowhere: ${states({ disk } as DeliveryBench, id)}`,
    );
  }
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`No alert is lost by failures, reroutes and restarts in any order (${seed})`, async () => {
    const random = new Random(seed);
    const names = ["robot", "mail", "script"];
    const channels = Object.fromEntries(names.map((name) => [name, switchable(UP)]));
    await using bench = new DeliveryBench({
      channels: Object.fromEntries(names.map((name) => [name, channels[name]!.send])),
      fallbacks: { robot: "mail", mail: "robot", script: "mail" },
      rules: [{ ...CRASHES, to: names }],
      fallbackAfterMs: 30 * SECOND,
      digestMs: seed % 2 === 0 ? 1000 : 0,
      concurrency: 1 + seed % 3,
      maxWaiting: 60,
    });
    const stored: [string, string][] = [];
    const outcomes = [UP, DOWN, DOWN, rejected("wrong token"), retry("busy", 5 * SECOND)];
    for (let step = 0; step < 60; step++) {
      const what = random.below(10);
      if (what < 4) {
        const [id, to] = [`id${step}`, names.filter(() => random.below(2) === 0)];
        stored.push(...to.map((name): [string, string] => [id, name]));
        bench.store(id, ...to);
      } else if (what < 7) {
        channels[names[random.below(3)]!]!.now = outcomes[random.below(outcomes.length)]!;
      } else if (what === 7) await bench.restart(random.below(2) === 0 ? "stop" : "kill");
      await bench.clock.advance(random.below(20) * SECOND);
      assertNothingLost(bench, stored);
    }
    for (const name of names) channels[name]!.now = UP;
    await bench.clock.advance(3 * MINUTE);
    assertNothingLost(bench, stored);
    assertEquals(bench.disk.entries.counts().waiting, 0);
    assertEquals(bench.log.filter((line) => /mistake in superbell/.test(line)), []);
  });
}
