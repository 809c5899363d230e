// What `superbell status` says of a real state directory, with and without its listener.

import { DatabaseSync } from "node:sqlite";
import { statusDocument } from "../../src/cli/status_document.ts";
import { type ChannelReport, readReport, type Report } from "../../src/cli/status_report.ts";
import { advise, describeReport, type Extent } from "../../src/cli/status_text.ts";
import type { ChannelState } from "../../src/outbox/channel_states.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { StateLock } from "../../src/outbox/state_dir.ts";
import type { KnownProcess } from "../../src/rules/roster.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { incidentOf, memberOf, writeIncidents } from "../support/incidents.ts";
import { entryFor, NOW } from "../support/outbox_bench.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const HOLDER = { pid: 4711, sinceMs: NOW - 26 * HOUR, version: "0.1.0" };

function withDatabase(folder: Folder, sql: string): void {
  const database = new DatabaseSync(folder.file("superbell.db"));
  database.exec(sql);
  database.close();
}

function settingsFor(folder: Folder): Settings {
  const text = `
state_dir: ${folder.path}
time_zone: Asia/Shanghai
channels:
  值班: { type: webhook, url: "https://example.com/a", fallback: mail }
  mail: { type: webhook, url: "https://example.com/b" }
  script: { type: webhook, url: "https://example.com/c" }
rules:
  - { name: crash, on: [crash], to: [值班, mail, script] }
maintenance:
  - { days: [sat], from: "09:00", to: "11:30", where: { process: ["batch:*", "!batch:x"] } }
  - { days: [sun], from: "09:00", to: "11:30" }
`;
  return parseSettings(text, {
    path: "/etc/superbell.yaml",
    env: () => undefined,
    readFile: () => ({ why: "there is no such file" }),
  });
}

function processOf(group: string, name: string, changes: Partial<KnownProcess>): KnownProcess {
  return {
    process: { group, name },
    state: "RUNNING",
    sinceMs: NOW - 30 * HOUR,
    endedPids: [],
    found: [],
    restarts: 0,
    lastEvent: "PROCESS_STATE_RUNNING",
    lastEventAtMs: NOW - 30 * HOUR,
    ...changes,
  };
}

const at = (sinceMs: number, event: string) => ({
  sinceMs,
  lastEvent: `PROCESS_STATE_${event}`,
  lastEventAtMs: sinceMs,
});

const PROCESSES: readonly KnownProcess[] = [
  processOf("flap", "flap", {
    ...at(NOW - 20 * SECOND, "RUNNING"),
    alivePid: 812,
    restarts: 12,
    expected: false,
    exit: { signal: "SIGSEGV", coreDumped: true, certainty: "likely" },
  }),
  processOf("订单", "订单服务", {
    ...at(NOW - 2 * SECOND, "BACKOFF"),
    state: "BACKOFF",
    restarts: 7,
    exit: { spawnError: "can't find command '/x'", certainty: "sure" },
  }),
  processOf("web", "api", {
    ...at(NOW - 3 * MINUTE, "FATAL"),
    state: "FATAL",
    restarts: 4,
    exit: { status: 1, certainty: "sure" },
  }),
  processOf("once", "once", {
    ...at(NOW - 5 * HOUR, "EXITED"),
    state: "EXITED",
    restarts: 1,
    expected: true,
  }),
  processOf("died", "died", {
    ...at(NOW - 5 * HOUR, "EXITED"),
    state: "EXITED",
    restarts: 1,
    expected: false,
  }),
  processOf("long-ago", "long-ago", { restarts: 3, expected: false }),
  ...Array.from(
    { length: 42 },
    (_, index) => processOf("jobs", `worker_${String(index).padStart(2, "0")}`, {}),
  ),
  processOf("cron", "cron", { state: "STOPPED" }),
];

function channelState(changes: Partial<ChannelState> & { readonly name: string }): ChannelState {
  return {
    lastAtMs: NOW - 5 * MINUTE,
    lastOutcome: "delivered",
    lastReason: "HTTP 200",
    failures: 0,
    failingSinceMs: undefined,
    toldAtMs: undefined,
    toldSinceMs: undefined,
    givenUp: 0,
    held: undefined,
    ...changes,
  };
}

/** What lies in the state directory after a bad night. */
function fill(folder: Folder): void {
  const outbox = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
  outbox.roster.write(() => ({ changed: PROCESSES, removed: [], isAll: true }));
  outbox.roster.note({ supervisor_run: "another-boot 17 99", pool: "bell" });
  outbox.roster.addGap({ atMs: NOW - 2 * HOUR, dropped: 12, recovered: 11 });
  outbox.roster.addGap({ atMs: NOW - HOUR, dropped: 3, recovered: 3 });
  const attempt = (channel: string, outcome: "delivered" | "retry" | "rejected") => {
    const [atMs, reason] = [NOW - 5 * MINUTE, outcome === "delivered" ? "HTTP 200" : "HTTP 500"];
    const claim = outbox.claim(channel, { nowMs: atMs, leaseMs: MINUTE })!;
    outbox.settle(claim, {
      attempt: { atMs, tookMs: 120, outcome, reason },
      ...(outcome === "retry" && { nextTry: () => NOW + 9 * SECOND }),
      channelState: () =>
        channelState(
          outcome === "retry"
            ? {
              name: channel,
              lastOutcome: outcome,
              lastReason: reason,
              failures: 3,
              failingSinceMs: NOW - HOUR,
              held: { untilMs: NOW + 5 * MINUTE, reason: "sent too fast" },
            }
            : { name: channel },
        ),
    });
  };
  outbox.enqueue([entryFor("a", "old")], NOW - 2 * HOUR);
  attempt("old", "rejected");
  outbox.enqueue([entryFor("a", "值班"), entryFor("b", "值班")], NOW - HOUR);
  attempt("值班", "retry");
  outbox.enqueue([entryFor("a", "mail")], NOW - HOUR);
  attempt("mail", "delivered");
  writeIncidents(outbox, {
    open: [
      {
        incident: incidentOf({
          id: "0a1b2c3d4e5f",
          startedAtMs: NOW - 3 * MINUTE,
          rank: 3,
          word: "fatal",
          told: {
            atMs: NOW - 3 * MINUTE,
            rank: 3,
            messages: 2,
            reminders: 0,
            remindAtMs: NOW + 4 * HOUR,
            escalateAtMs: NOW + 12 * MINUTE,
          },
        }),
        members: [memberOf("web", "api")],
      },
      {
        incident: incidentOf({
          id: "1a1b2c3d4e5f",
          key: "订单:订单服务",
          startedAtMs: NOW - 2 * MINUTE,
          held: "silenced",
          told: undefined as never,
        }),
        members: [memberOf("订单", "订单服务")],
      },
      {
        incident: incidentOf({
          id: "2a1b2c3d4e5f",
          key: "died:died",
          startedAtMs: NOW - MINUTE,
          acknowledged: { by: "kim", atMs: NOW, reason: "on it" },
          unsettled: 0,
          wellUntilMs: NOW + 20 * SECOND,
        }),
        members: [memberOf("died", "died")],
      },
    ],
    silences: [{
      id: "abcdef012345",
      patterns: ["订单:*", "db"],
      createdAtMs: NOW - HOUR,
      untilMs: NOW + 30 * MINUTE,
      reason: "deploy v2",
      by: "kim",
    }, {
      id: "over",
      patterns: ["*"],
      createdAtMs: NOW - HOUR,
      untilMs: NOW - MINUTE,
      reason: "",
      by: "kim",
    }],
  });
  outbox.close();
}

function screen(report: Report, extent: Extent = "screen"): string {
  return [...describeReport(report, extent), "", ...advise(report)].join("\n") + "\n";
}

const SCREEN = `\
listener     runs since 2026-11-20 08:00:00 +08:00 (1d2h), pid 4711, superbell 0.1.0
supervisord  runs, pid 17
processes    49 known, 4 in trouble; the last event 2s ago
  FATAL    web:api        since 2026-11-21 09:57:00 +08:00 (3m)   ended 4 times in all, last: exit status 1, PROCESS_STATE_FATAL 3m ago
  BACKOFF  订单:订单服务  since 2026-11-21 09:59:58 +08:00 (2s)   ended 7 times in all, last: can't find command '/x', PROCESS_STATE_BACKOFF 2s ago
  EXITED   died           since 2026-11-21 05:00:00 +08:00 (5h)   ended unexpectedly, PROCESS_STATE_EXITED 5h ago
  RUNNING  flap           since 2026-11-21 09:59:40 +08:00 (20s)  pid 812, ended 12 times in all, last: SIGSEGV with core dump (likely), PROCESS_STATE_RUNNING 20s ago
  43 RUNNING: jobs:worker_[00-41], long-ago
  1 STOPPED: cron
  1 EXITED: once
incidents    3 open, 2 not acknowledged
  0a1b2c3d4e5f  crash: fatal  web:api        since 2026-11-21 09:57:00 +08:00 (3m)  told: 2 messages; escalates in 12m; reminder in 4h
  1a1b2c3d4e5f  crash: crash  订单:订单服务  since 2026-11-21 09:58:00 +08:00 (2m)  not told: silenced
  2a1b2c3d4e5f  crash: crash  died           since 2026-11-21 09:59:00 +08:00 (1m)  told: 1 message; acknowledged by kim: on it; well again, over in 20s
silences     1, 1 maintenance window
  abcdef012345  订单:* db         until 2026-11-21 10:30:00 +08:00 (30m left)    by kim: deploy v2  holds 订单:订单服务 (crash)
  maintenance   batch:* !batch:x  until 2026-11-21 11:30:00 +08:00 (1h30m left)
outbox       2 waiting, the oldest since 2026-11-21 09:00:00 +08:00 (1h): entry 2 to 值班: sent too fast; 1 dead; 1 delivered in the last 24h
gaps         15 events dropped by supervisord in 2 gaps, 14 ends of processes found out all the same; the last 2026-11-21 09:00:00 +08:00 (1h)
channels
  值班    webhook                     FAILS since 2026-11-21 09:00:00 +08:00 (1h), 3 attempts, the last 5m ago: HTTP 500; may not send for 5m: sent too fast; 2 waiting; fallback mail
  mail    webhook                     delivered 5m ago: HTTP 200
  script  webhook                     never used
  old     (not in the configuration)  delivered 5m ago: HTTP 200; 1 dead

processes: supervisorctl tail web:api stderr; supervisorctl maintail
incidents: superbell ack 0a1b2c3d4e5f ends reminders and escalation; superbell history
channel 值班 fails: superbell test --channel 值班
dead messages: superbell outbox list --state dead; when the cause is mended: superbell outbox retry --all
gaps: set buffer_size of the section to 1000 or more, see superbell init section -c /etc/superbell.yaml
`;

Deno.test("status puts what is wrong on one screen, with columns that line up", () => {
  using folder = new Folder();
  fill(folder);
  using lock = new StateLock(folder.path, HOLDER);
  lock.take();
  assertEquals(screen(readReport(settingsFor(folder), NOW)), SCREEN);
});

Deno.test("status says that no listener runs, and since when the last one did", () => {
  using folder = new Folder();
  fill(folder);
  {
    using lock = new StateLock(folder.path, HOLDER);
    lock.take();
  }
  const report = readReport(settingsFor(folder), NOW);
  const [listener, supervisord, ...rest] = screen(report).split("\n");
  assertEquals(
    listener,
    "listener     DOES NOT RUN; the last one started 2026-11-20 08:00:00 +08:00 (1d2h), " +
      "pid 4711, superbell 0.1.0",
  );
  assertEquals(supervisord, "supervisord  DOES NOT RUN, pid 17");
  assertEquals(rest.slice(0, 22), SCREEN.split("\n").slice(2, 24));
  assertEquals(
    advise(report)[0],
    `no listener uses state_dir "${folder.path}" and nothing of it is sent: ` +
      "supervisorctl status bell; its log says why",
  );
});

Deno.test("status --all tells of every process in full", () => {
  using folder = new Folder();
  fill(folder);
  const lines = describeReport(readReport(settingsFor(folder), NOW), "all");
  for (const { process } of PROCESSES) {
    const name = process.group === process.name ? process.name : `${process.group}:${process.name}`;
    assertEquals(
      lines.filter((line) => /^ {2}[A-Z]+ /.test(line) && line.includes(` ${name} `)).length,
      1,
      name,
    );
  }
});

Deno.test("status keeps to one screen when a thousand processes are in trouble", () => {
  using folder = new Folder();
  const outbox = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
  const changed = Array.from(
    { length: 1000 },
    (_, index) => processOf(`g${index}`, `name-${"x".repeat(index % 7)}`, { state: "FATAL" }),
  );
  outbox.roster.write(() => ({ changed, removed: [], isAll: true }));
  outbox.close();
  const lines = describeReport(readReport(settingsFor(folder), NOW), "screen");
  assert(lines.length < 34, `${lines.length} lines`);
  assert(Math.max(...lines.map(({ length }) => length)) < 240);
  const folded = lines.find((line) => line.startsWith("  980 FATAL: "));
  assert(folded?.endsWith("(--all names them)"), folded);
});

Deno.test("status takes a process that we know nothing of yet for no trouble", () => {
  using folder = new Folder();
  const outbox = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
  const changed = [
    processOf("new", "new", { state: "UNKNOWN" }),
    processOf("lost", "lost", { state: "UNKNOWN", ...at(NOW, "UNKNOWN") }),
  ];
  outbox.roster.write(() => ({ changed, removed: [], isAll: true }));
  outbox.close();
  const { stored } = readReport(settingsFor(folder), NOW);
  assertEquals(stored?.processes.map(({ process, isTroubled }) => [process.name, isTroubled]), [
    ["lost", true],
    ["new", false],
  ]);
});

Deno.test("status of an outbox in which nothing has happened gives no advice", () => {
  using folder = new Folder();
  Outbox.open(folder.file("superbell.db"), { nowMs: NOW }).close();
  using lock = new StateLock(folder.path, HOLDER);
  lock.take();
  assertEquals(
    screen(readReport(settingsFor(folder), NOW)),
    `\
listener     runs since 2026-11-20 08:00:00 +08:00 (1d2h), pid 4711, superbell 0.1.0
supervisord  runs
processes    0 known, 0 in trouble
incidents    none open
silences     1 maintenance window
  maintenance  batch:* !batch:x  until 2026-11-21 11:30:00 +08:00 (1h30m left)
outbox       0 waiting; 0 dead; 0 delivered in the last 24h
gaps         none: supervisord dropped no event
channels
  值班    webhook  never used; fallback mail
  mail    webhook  never used
  script  webhook  never used

`,
  );
});

Deno.test("status says why the oldest message waits that nobody has tried to send", () => {
  using folder = new Folder();
  const outbox = Outbox.open(folder.file("superbell.db"), { nowMs: NOW });
  const line = () =>
    screen(readReport(settingsFor(folder), NOW)).split("\n").find((text) => /^outbox/.test(text))!;
  outbox.enqueue([{ ...entryFor("a", "mail"), digestMs: MINUTE }], NOW);
  assertStringIncludes(line(), "entry 1 to mail: others may be told with it;");
  outbox.entries.retry([1], NOW);
  assertStringIncludes(line(), "entry 1 to mail: no attempt yet;");
  outbox.claim("mail", { nowMs: NOW, leaseMs: MINUTE });
  assertStringIncludes(line(), "entry 1 to mail: an attempt is under way;");
  outbox.close();
});

/** What spoils the outbox, and the sentence that helps. */
const UNREADABLE: Record<string, readonly [(folder: Folder) => void, RegExp]> = {
  "is missing": [
    () => {},
    /^there is no outbox yet: no file ".*\/superbell\.db" \(the listener creates it\)$/,
  ],
  "is damaged": [
    (folder) => void folder.write("superbell.db", "no database".repeat(500)),
    /^the outbox ".*" is damaged; restart the listener, which sets it aside and keeps/,
  ],
  "is of a newer superbell": [
    (folder) => withDatabase(folder, "create table entry (id); pragma user_version = 99"),
    /it was written by a newer superbell \(version 99, this one knows \d+\); install that version/,
  ],
  "is not made yet": [
    (folder) => withDatabase(folder, "create table other (id)"),
    /^the outbox ".*" is not up to date: start the listener, which does it$/,
  ],
};
for (const [what, [spoil, problem]] of Object.entries(UNREADABLE)) {
  Deno.test(`status tells of the listener all the same when the outbox ${what}`, () => {
    using folder = new Folder();
    spoil(folder);
    using lock = new StateLock(folder.path, HOLDER);
    lock.take();
    const report = readReport(settingsFor(folder), NOW);
    assertMatch(report.problem ?? "", problem);
    assertEquals(screen(report), SCREEN.split("\n")[0] + "\n\n");
    const document = statusDocument(report);
    assertEquals([document.listener.running, document.problem], [true, report.problem]);
    const { processes, incidents, silences, maintenance, outbox, channels, gaps } = document;
    for (const part of [processes, incidents, silences, maintenance, outbox, channels, gaps]) {
      assertEquals(part, null);
    }
  });
}

/** The keys of a document, those inside others too; states of processes are no keys. */
function keysOf(value: unknown): string[] {
  if (value === null || typeof value !== "object") return [];
  if (Array.isArray(value)) return value.flatMap(keysOf);
  return Object.entries(value).flatMap(([key, inner]) =>
    /^[A-Z]+$/.test(key) ? [] : [key, ...keysOf(inner)]
  );
}

Deno.test("docs/commands.md names every key of status --json", () => {
  using folder = new Folder();
  fill(folder);
  const page = Deno.readTextFileSync(new URL("../../docs/commands.md", import.meta.url));
  const section = page.slice(
    page.indexOf("### `status --json`"),
    page.indexOf("## `superbell outbox`"),
  );
  const keys = keysOf(statusDocument(readReport(settingsFor(folder), NOW)));
  assert(keys.includes("spawn_error") && keys.includes("closed_until"), keys.join());
  const named = (key: string) => new RegExp(`[\`.]${key}(\\[\\])?\``).test(section);
  assertEquals([...new Set(keys)].filter((key) => !named(key)), []);
});

Deno.test("status for programs holds every key, and times as ISO 8601", () => {
  using folder = new Folder();
  fill(folder);
  using lock = new StateLock(folder.path, HOLDER);
  lock.take();
  const document = statusDocument(readReport(settingsFor(folder), NOW));
  const { processes, incidents, silences, maintenance, ...rest } = JSON.parse(
    JSON.stringify(document),
  );
  assertEquals({ ...rest, channels: rest.channels.slice(0, 1) }, {
    at: "2026-11-21T02:00:00.000Z",
    config: "/etc/superbell.yaml",
    state_dir: folder.path,
    listener: { running: true, pid: 4711, since: "2026-11-20T00:00:00.000Z", version: "0.1.0" },
    supervisord: { running: true, pid: 17 },
    problem: null,
    outbox: {
      waiting: 2,
      delivered: 1,
      dead: 1,
      dropped: 0,
      rerouted: 0,
      delivered_in_24h: 1,
      oldest_waiting: {
        id: 2,
        channel: "值班",
        since: "2026-11-21T01:00:00.000Z",
        waiting_ms: HOUR,
        reason: "HTTP 500",
      },
    },
    channels: [{
      name: "值班",
      type: "webhook",
      configured: true,
      last_at: "2026-11-21T01:55:00.000Z",
      last_outcome: "retry",
      last_reason: "HTTP 500",
      failures: 3,
      failing_since: "2026-11-21T01:00:00.000Z",
      failing_ms: HOUR,
      closed_until: "2026-11-21T02:05:00.000Z",
      closed_reason: "sent too fast",
      waiting: 2,
      dead: 0,
      fallback: "mail",
    }],
    gaps: { count: 2, dropped: 15, recovered: 14, last_at: "2026-11-21T01:00:00.000Z" },
    advice: SCREEN.trimEnd().split("\n").slice(-5),
  });
  assertEquals(incidents[0], {
    id: "0a1b2c3d4e5f",
    rule: "crash",
    word: "fatal",
    group_by: "process",
    key: "web:api",
    processes: [{ group: "web", name: "api" }],
    process_count: 1,
    not_well: 1,
    open: true,
    started_at: "2026-11-21T01:57:00.000Z",
    ended_at: null,
    lasted_ms: 3 * MINUTE,
    closing: null,
    ends: 3,
    last_exit: {
      status: 1,
      signal: null,
      core_dumped: null,
      spawn_error: null,
      certainty: "sure",
    },
    told: {
      first_at: "2026-11-21T01:57:00.000Z",
      messages: 2,
      reminders: 0,
      next_reminder_at: "2026-11-21T06:00:00.000Z",
      escalate_at: "2026-11-21T02:12:00.000Z",
      escalated: false,
    },
    held: null,
    acknowledged: null,
  });
  assertEquals([incidents[1].told, incidents[1].held], [null, "silenced"]);
  assertEquals(incidents[2].acknowledged, {
    by: "kim",
    at: "2026-11-21T02:00:00.000Z",
    reason: "on it",
  });
  assertEquals(silences, [{
    id: "abcdef012345",
    patterns: ["订单:*", "db"],
    since: "2026-11-21T01:00:00.000Z",
    until: "2026-11-21T02:30:00.000Z",
    remaining_ms: 30 * MINUTE,
    by: "kim",
    reason: "deploy v2",
    in_force: true,
    holds: [{
      incident: "1a1b2c3d4e5f",
      rule: "crash",
      processes: [{ group: "订单", name: "订单服务" }],
    }],
  }]);
  assertEquals(maintenance, [{
    patterns: ["batch:*", "!batch:x"],
    until: "2026-11-21T03:30:00.000Z",
    remaining_ms: 90 * MINUTE,
  }]);
  const { list, ...counts } = processes;
  assertEquals(counts, {
    count: 49,
    troubled_count: 4,
    count_by_state: { STOPPED: 1, EXITED: 2, RUNNING: 44, BACKOFF: 1, FATAL: 1 },
    last_event_at: "2026-11-21T01:59:58.000Z",
  });
  assertEquals(list.find(({ name }: { name: string }) => name === "flap"), {
    group: "flap",
    name: "flap",
    state: "RUNNING",
    since: "2026-11-21T01:59:40.000Z",
    troubled: true,
    pid: 812,
    restarts: 12,
    exit: {
      status: null,
      signal: "SIGSEGV",
      core_dumped: true,
      spawn_error: null,
      certainty: "likely",
    },
    last_event: "PROCESS_STATE_RUNNING",
    last_event_at: "2026-11-21T01:59:40.000Z",
  });
});

Deno.test("status advises on every channel that fails, not only the first", () => {
  using folder = new Folder();
  fill(folder);
  const report = readReport(settingsFor(folder), NOW);
  const [first, ...others] = report.stored!.channels;
  const adviceFor = (channels: readonly ChannelReport[]) =>
    advise({ ...report, stored: { ...report.stored!, channels } }).find((line) =>
      line.includes("superbell test")
    );
  const failing = others.map((channel) => ({ ...channel, state: first!.state }));
  assertEquals(
    adviceFor([first!, ...failing]),
    "3 channels fail (值班, mail, script): superbell test",
  );
  assertEquals(adviceFor([first!]), "channel 值班 fails: superbell test --channel 值班");
});
