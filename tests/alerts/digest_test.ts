import type { Alert } from "../../src/alerts/alert.ts";
import { compose } from "../../src/alerts/compose.ts";
import { composeDigest } from "../../src/alerts/digest.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ALERT } from "../support/message.ts";

const EN = { language: "en", timeZone: "UTC" } as const;

function worker(number: number, changes: Partial<Alert> = {}): Alert {
  const name = `worker_${String(number).padStart(2, "0")}`;
  const id = String(number).padStart(12, "0");
  return { ...ALERT, id, process: { name, group: "jobs" }, pid: 100 + number, ...changes };
}

function digest(alerts: readonly Alert[], language: "en" | "zh" = "en") {
  return composeDigest(alerts as [Alert, ...Alert[]], { language, timeZone: "UTC" });
}

Deno.test("composeDigest() tells a single alert as it is", () => {
  assertEquals(digest([ALERT]), compose(ALERT, EN));
});

Deno.test("composeDigest() folds numbered processes in the title, in both languages", () => {
  const alerts = Array.from({ length: 42 }, (_, number) => worker(number));
  assertEquals(
    digest(alerts).title,
    "42 alerts on node-7: jobs:worker_[00-41] exited unexpectedly",
  );
  assertEquals(digest(alerts, "zh").title, "42 条告警，主机 node-7：jobs:worker_[00-41] 意外退出");
});

Deno.test("composeDigest() tells what happened to whom, the first three in full, and every id", () => {
  const alerts = [
    worker(1),
    worker(2, { atMs: ALERT.atMs + 1000 }),
    worker(3, { word: "fatal", eventname: "PROCESS_STATE_FATAL" }),
    worker(4),
    worker(5),
  ];
  const message = digest(alerts);
  assertEquals(
    message.title,
    "5 alerts on node-7: jobs:worker_[01-02,04-05] exited unexpectedly; " +
      "jobs:worker_03 could not be started, supervisord gave up (FATAL)",
  );
  assertEquals(message.facts.slice(0, 4), [
    { label: "Host", value: "node-7 (10.0.0.7)" },
    { label: "Time", value: "2026-11-21 02:11:30 +00:00 – 2026-11-21 02:11:31 +00:00" },
    { label: "exited unexpectedly (4)", value: "jobs:worker_[01-02,04-05]" },
    {
      label: "could not be started, supervisord gave up (FATAL)",
      value: "jobs:worker_03",
    },
  ]);
  assertEquals(message.facts.slice(4, 7).map(({ label }) => label), ["1/5", "2/5", "3/5"]);
  assertEquals(message.facts[4]!.value, compose(alerts[0]!, EN).text);
  assertEquals(message.facts.at(-1)!.value, alerts.map(({ id }) => id).join(" "));
  assertEquals(message.id, "000000000001+4");
});

Deno.test("composeDigest() counts what happened more than once, and speaks of several as several", () => {
  const exit = { signal: "SIGKILL", certainty: "sure" } as const;
  const message = digest([worker(1, { exit }), worker(2, { exit })]);
  assertEquals(
    message.title,
    "2 alerts on node-7: jobs:worker_01, jobs:worker_02 were killed by SIGKILL",
  );
  assertEquals(message.facts[2]?.label, "were killed by SIGKILL (2)");
});

Deno.test("composeDigest() gives placeholders every value that occurs, once", () => {
  const { values } = digest([worker(1), worker(2)]);
  assertEquals(values.process, "jobs:worker_01, jobs:worker_02");
  assertEquals(values.pid, "101, 102");
  assertEquals(values.host, "node-7");
});

Deno.test("composeDigest() keeps the title short whatever the names are", () => {
  const alerts = Array.from({ length: 500 }, (_, number) => {
    const name = `订单-${String.fromCodePoint(0x4e00 + number).repeat(20)}`;
    return worker(number, { process: { name, group: name } });
  });
  assert(Array.from(digest(alerts).title).length <= 200);
});

Deno.test("composeDigest() says once for which channels it stands in", () => {
  const insteadOf = { channel: "oncall", reason: "HTTP 502" };
  const { facts } = digest([worker(1, { insteadOf }), worker(2, { insteadOf }), worker(3)]);
  const notes = facts.filter(({ label }) => label === "Note").map(({ value }) => value);
  assertEquals(notes, ["in place of channel oncall: HTTP 502"]);
});
