// What supervisord's log says about the runs of a process. The lines are those of 3.x and 4.x.

import { readRunLog, type RunHistory, runHistory } from "../../src/supervisor/run_history.ts";
import { assertEquals } from "../support/assert.ts";

const DAY = "2026-11-21";
const at = (clock: string) => new Date(`${DAY}T${clock}`).getTime();

const spawned = (clock: string, pid: number, name = "api") =>
  `${DAY} ${clock} INFO spawned: '${name}' with pid ${pid}`;
const ran = (clock: string, name = "api") =>
  `${DAY} ${clock} INFO success: ${name} entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)`;
const exited = (clock: string, name = "api") =>
  `${DAY} ${clock} WARN exited: ${name} (exit status 3; not expected)`;
const stopped = (clock: string, name = "api") =>
  `${DAY} ${clock} INFO stopped: ${name} (terminated by SIGTERM)`;
const gaveUp = (clock: string, name = "api") =>
  `${DAY} ${clock} WARN gave up: ${name} entered FATAL state, too many start retries too quickly`;
const begun = (clock: string) => `${DAY} ${clock} INFO supervisord started with pid 1`;

function historyOf(
  lines: readonly string[],
  query: { readonly pid?: number; readonly gaveUp?: boolean; readonly isWhole?: boolean } = {},
): RunHistory {
  const { pid, gaveUp = false, isWhole = true } = query;
  const log = readRunLog(`${lines.join("\n")}\n`, { isWhole });
  return runHistory(log, { name: "api", pid, atMs: at("12:00:01"), gaveUp });
}

Deno.test("runHistory() tells how long the run of a process id was", () => {
  const lines = [
    spawned("08:00:00,500", 7),
    ran("08:00:01,600"),
    spawned("09:00:00,000", 9, "web"),
    exited("12:00:00,750"),
    spawned("12:00:00,900", 8),
  ];
  const uptimeMs = 4 * 3_600_000 + 250;
  const nextStartAtMs = at("12:00:00.900");
  const restarts = { count: 1, isAll: true };
  assertEquals(historyOf(lines.slice(0, 4), { pid: 7 }), { uptimeMs });
  assertEquals(historyOf(lines, { pid: 7 }), { uptimeMs, nextStartAtMs });
  assertEquals(historyOf(lines, { pid: 8 }), { restarts });
  assertEquals(historyOf(lines), { restarts });
});

Deno.test("runHistory() says nothing where the end may be another's", () => {
  const twice = [spawned("11:00:00,000", 7), spawned("11:00:01,000", 8), exited("12:00:00,000")];
  assertEquals(historyOf(twice, { pid: 7 }), {});
  const again = [spawned("11:00:00,000", 7), begun("11:30:00,000"), exited("12:00:00,000")];
  assertEquals(historyOf(again, { pid: 7 }), {});
  const backwards = [spawned("12:00:00,000", 7), exited("11:00:00,000")];
  assertEquals(historyOf(backwards, { pid: 7 }), {});
  assertEquals(historyOf([exited("12:00:00,000")], { pid: 7 }), {});
});

const CRASHES = [
  spawned("10:30:00,000", 1),
  exited("10:40:00,000"),
  spawned("10:40:01,000", 2),
  exited("11:10:00,000"),
  spawned("11:10:01,000", 3),
  exited("11:20:00,000"),
  spawned("11:20:01,000", 4),
  stopped("11:30:00,000"),
  spawned("11:40:00,000", 5),
  exited("12:00:00,000"),
];

Deno.test("runHistory() counts the starts after an exit within the hour before", () => {
  // Not the one of 10:40, and not the one after a stop by hand.
  const { restarts } = historyOf(CRASHES, { pid: 5 });
  assertEquals(restarts, { count: 2, isAll: true });
});

Deno.test("runHistory() says whether it has seen the whole hour", () => {
  const cut = { pid: 5, isWhole: false };
  assertEquals(historyOf(CRASHES, cut).restarts, { count: 2, isAll: true });
  assertEquals(historyOf(CRASHES.slice(3), cut).restarts, { count: 2, isAll: false });
  assertEquals(historyOf(CRASHES.slice(3), { pid: 5 }).restarts, { count: 2, isAll: true });
});

Deno.test("runHistory() counts the failed starts in a row", () => {
  const lines = [
    ...[spawned("11:59:00,000", 1), ran("11:59:02,000"), exited("11:59:03,000")],
    ...[spawned("11:59:04,000", 2), exited("11:59:04,100")],
    ...[spawned("11:59:06,000", 3), exited("11:59:06,100")],
    ...[spawned("11:59:09,000", 4), exited("11:59:09,100")],
    gaveUp("11:59:10,000"),
  ];
  assertEquals(historyOf(lines, { gaveUp: true }).failedStarts, 3);
  assertEquals(historyOf(lines).failedStarts, undefined);
  // What stands before the piece may be more of them.
  assertEquals(historyOf(lines.slice(3), { gaveUp: true, isWhole: false }).failedStarts, undefined);
  assertEquals(historyOf(lines.slice(3), { gaveUp: true }).failedStarts, 3);
});

Deno.test("runHistory() counts nothing in a log that has no line of starts", () => {
  const lines = [exited("11:10:00,000"), exited("11:20:00,000"), gaveUp("11:21:00,000")];
  assertEquals(historyOf(lines, { gaveUp: true, pid: 1 }), {});
});

Deno.test("runHistory() reads names with anything in them, and only the wanted one", () => {
  const name = "a b' with pid 3 (exit status 1; ";
  const log = readRunLog(
    [spawned("11:00:00,000", 7, name), exited("12:00:00,000", name)].join("\n"),
    { isWhole: true },
  );
  const query = { pid: 7, atMs: at("12:00:01"), gaveUp: false };
  assertEquals(runHistory(log, { ...query, name }), { uptimeMs: 3_600_000 });
  assertEquals(runHistory(log, { ...query, name: "a" }), {});
});
