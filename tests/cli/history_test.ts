// What `superbell history` says of incidents, and how it draws them.

import { incidentCells, knownSince } from "../../src/cli/history.ts";
import { ASCII, BLOCKS, drawTimeline, glyphsFor } from "../../src/cli/history_timeline.ts";
import { columns, widthOf } from "../../src/cli/table.ts";
import { processesOf, StoredIncidents } from "../../src/outbox/stored_incidents.ts";
import { Connection } from "../../src/outbox/connection.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { StateLock } from "../../src/outbox/state_dir.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { exitOf, incidentOf, memberOf, writeIncidents } from "../support/incidents.ts";
import { NOW } from "../support/outbox_bench.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const HERE = { nowMs: NOW, timeZone: "Asia/Shanghai" };

/** A bad day: one that is over, one that nobody was told of, two that are open. */
function fill(folder: Folder): string {
  const path = folder.file("superbell.db");
  const outbox = Outbox.open(path, { nowMs: NOW });
  const started = (hoursAgo: number) => {
    const startedAtMs = NOW - hoursAgo * HOUR;
    return { startedAtMs, eventAtMs: startedAtMs, gatherUntilMs: startedAtMs };
  };
  writeIncidents(outbox, {
    open: [
      {
        incident: incidentOf({
          ...started(2),
          id: "open-fatal",
          ends: 4,
          rank: 3,
          word: "fatal",
          eventAtMs: NOW - HOUR,
          told: { atMs: NOW - 2 * HOUR, rank: 3, messages: 3, reminders: 1, escalated: true },
          acknowledged: { by: "kim\u001b[31m", atMs: NOW - MINUTE, reason: "looking" },
        }),
        members: [memberOf("web", "api")],
      },
      {
        incident: incidentOf({
          ...started(0.1),
          id: "open-group",
          key: "jobs:*",
          by: "group",
          event: exitOf("jobs", "worker_00"),
          members: 4,
          held: "group-wait",
          told: undefined as never,
        }),
        members: [0, 1, 2, 3].map((number) => memberOf("jobs", `worker_0${number}`)),
      },
    ],
    closed: [
      {
        incident: incidentOf({ ...started(20), id: "closed-told", ends: 1 }),
        members: [memberOf("web", "api")],
        atMs: NOW - 19 * HOUR,
        closing: "running",
      },
      {
        incident: incidentOf({
          ...started(10),
          id: "closed-untold",
          key: "订单:服务",
          event: exitOf("订单", "服务"),
          held: "silenced",
          told: undefined as never,
        }),
        // As after a failure to write: the event still says which it was.
        members: [],
        atMs: NOW - 9 * HOUR,
        closing: "untold",
      },
      {
        incident: incidentOf({ ...started(50), id: "long-ago" }),
        members: [memberOf("old", "old")],
        atMs: NOW - 49 * HOUR,
        closing: "stopped",
      },
    ],
  });
  outbox.close();
  return path;
}

function incidentsOf(folder: Folder, sinceMs = NOW - 24 * HOUR) {
  const connection = Connection.visit(fill(folder), "read");
  try {
    return new StoredIncidents(connection).since(sinceMs);
  } finally {
    connection.close();
  }
}

Deno.test("history lists what is over by its beginning, and what is open at the end", () => {
  using folder = new Folder();
  const lines = columns(incidentsOf(folder).map((one) => incidentCells(one, HERE)));
  assertEquals(
    lines.join("\n"),
    `\
closed-told    2026-11-20 14:00:00 +08:00  1h, runs again               crash: crash  web:api                  ended once; told: 1 message
closed-untold  2026-11-21 00:00:00 +08:00  1h, over before it was told  crash: crash  订单:服务                ended 3 times; not told: silenced
open-fatal     2026-11-21 08:00:00 +08:00  OPEN 2h                      crash: fatal  web:api                  ended 4 times; told: 3 messages, 1 reminder, escalated; acknowledged by kim [31m: looking
open-group     2026-11-21 09:54:00 +08:00  OPEN 6m                      crash: crash  jobs:worker_[00-03] (4)  ended 3 times; not told: group-wait`,
  );
});

Deno.test("history tells how a process ended, on one line whatever it is", () => {
  using folder = new Folder();
  const incident = incidentsOf(folder).find(({ incident }) => incident.id === "closed-told")!;
  const exit = { spawnError: "no\nsuch\x1b[2J file", certainty: "sure" } as const;
  assertEquals(
    incidentCells(incident, { ...HERE, exit }).at(-1),
    "ended once; last: no such [2J file; told: 1 message",
  );
});

Deno.test("history shows what was open at some time since then, and nothing older", () => {
  using folder = new Folder();
  const ids = (sinceMs: number) => {
    using own = new Folder();
    return incidentsOf(own, sinceMs).map(({ incident }) => incident.id);
  };
  assertEquals(ids(NOW - 100 * HOUR)[0], "long-ago");
  assertEquals(ids(NOW - 19.5 * HOUR), [
    "closed-told",
    "closed-untold",
    "open-fatal",
    "open-group",
  ]);
  assertEquals(ids(NOW - MINUTE), ["open-fatal", "open-group"]);
  const untold = incidentsOf(folder).find(({ incident }) => incident.id === "closed-untold")!;
  assertEquals(processesOf(untold), [{ group: "订单", name: "服务" }]);
});

Deno.test("the picture has a line for each process, and all lines are of one width", () => {
  using folder = new Folder();
  const incidents = incidentsOf(folder);
  const options = { ...HERE, sinceMs: NOW - 24 * HOUR, width: 64 };
  const blocks = drawTimeline(incidents, { ...options, glyphs: BLOCKS });
  assertEquals(
    blocks.join("\n"),
    `\
                2026-11-20 10:00:00 +08:00                   now
jobs:worker_00  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▒
jobs:worker_01  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▒
jobs:worker_02  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▒
jobs:worker_03  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▒
web:api         ░░░░░░░░▓▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▓▓██
订单:服务       ░░░░░░░░░░░░░░░░░░░░░░░░░░░░▒▒░░░░░░░░░░░░░░░░░░
░ nothing  ▒ broken, not told  ▓ broken, told  █ told that it gave up or flaps  (one character is 30m)`,
  );
  for (const line of blocks.slice(0, -1)) assertEquals(widthOf(line), 64, line);
  const ascii = drawTimeline(incidents, { ...options, glyphs: ASCII });
  assertEquals(ascii[5], "web:api         ........==..................................==##");
  assert(ascii.slice(0, 5).every((line) => /^[ -~]*$/.test(line)));
});

Deno.test("the picture shows what lasted less than a character, and keeps to forty lines", () => {
  const incident = incidentOf({ startedAtMs: NOW - HOUR, eventAtMs: NOW - HOUR });
  const closed = { atMs: NOW - HOUR + SECOND, closing: "running" } as const;
  const short = { incident, members: [memberOf("web", "api")], closed };
  const options = { ...HERE, sinceMs: NOW - 24 * HOUR, width: 60, glyphs: ASCII };
  assertEquals(drawTimeline([short], options)[1]!.replaceAll(".", "").trim(), "web:api  =");
  const many = Array.from({ length: 200 }, (_, index) => memberOf("g", `name ${index}`));
  const lines = drawTimeline([{ incident, members: many }], options);
  assertEquals(lines.length, 43);
  assertEquals(lines.at(-2), "… and 160 more processes; --process shows fewer");
  assertEquals(drawTimeline([], options), []);
});

Deno.test("the picture is blank where nothing is known, and says from when it is", () => {
  using folder = new Folder();
  const options = { ...HERE, sinceMs: NOW - 24 * HOUR, width: 64, glyphs: ASCII };
  const lines = drawTimeline(incidentsOf(folder), { ...options, knownSinceMs: NOW - 12 * HOUR });
  // What is known of the time before is drawn all the same.
  assertEquals(
    lines[5],
    `web:api         ${" ".repeat(8)}==${" ".repeat(14)}....................==##`,
  );
  assertEquals(lines.at(-2), "blank: not known, before 2026-11-20 22:00:00 +08:00");
  const whole = drawTimeline(incidentsOf(folder), { ...options, knownSinceMs: NOW - 25 * HOUR });
  assertEquals(whole, drawTimeline(incidentsOf(folder), options));
});

Deno.test("history knows nothing of the time before the first listener, nor of what is not kept", () => {
  using folder = new Folder();
  const settings = { stateDir: folder.path, retention: { keepMs: 7 * 24 * HOUR, maxBytes: 1 } };
  const nowMs = Date.now();
  const of = (at: number) => knownSince(settings, at);
  assertEquals(of(nowMs), nowMs - settings.retention.keepMs);
  using lock = new StateLock(folder.path);
  lock.take();
  const madeMs = of(nowMs + SECOND);
  assert(madeMs >= nowMs - MINUTE && madeMs <= Date.now(), String(madeMs - nowMs));
  assertEquals(of(nowMs + 8 * 24 * HOUR), nowMs + 24 * HOUR);
});

Deno.test("the picture is of blocks only where the locale has them", () => {
  const glyphs = (env: Record<string, string>) => glyphsFor((name) => env[name]);
  assertEquals(glyphs({ LANG: "zh_CN.UTF-8" }), BLOCKS);
  assertEquals(glyphs({ LANG: "C.utf8" }), BLOCKS);
  assertEquals(glyphs({ LANG: "zh_CN.GBK" }), ASCII);
  assertEquals(glyphs({ LANG: "en_US.UTF-8", LC_ALL: "C" }), ASCII);
  assertEquals(glyphs({}), ASCII);
});
