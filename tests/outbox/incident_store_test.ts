// The memory of the rules in a real file: what is written is what is read at the next start.

import { DatabaseSync } from "node:sqlite";
import type { Incident, Member } from "../../src/rules/incident.ts";
import type { Changes, Tally } from "../../src/rules/rule_memory.ts";
import { type Beside, Outbox } from "../../src/outbox/outbox.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);
const DAY = 86_400_000;

function incident(id: string, changes: Partial<Incident> = {}): Incident {
  const process = { group: "web", name: "api" };
  return {
    id,
    rule: "crash",
    key: "web:api",
    by: "process",
    startedAtMs: NOW,
    ends: 1,
    rank: 1,
    word: "crash",
    event: {
      kind: "process_exited",
      origin: { server: "supervisor", eventname: "PROCESS_STATE_EXITED", serial: 1 },
      process,
      fromState: "RUNNING",
      pid: 7,
      expected: false,
    },
    eventAtMs: NOW,
    members: 1,
    unsettled: 1,
    joined: 0,
    ready: true,
    gatherUntilMs: NOW,
    wellUntilMs: 0,
    returns: 0,
    ...changes,
  };
}

const MEMBER: Member = { process: { group: "web", name: "api" }, state: "EXITED" };
const TALLY: Tally = {
  rule: "crash",
  key: "web:api",
  recentMs: [NOW],
  ends: { atMs: [], shortRuns: 0 },
  untold: 1,
  untoldAtMs: NOW,
  returns: 0,
};
const SILENCE = {
  id: "s",
  patterns: ["web:*"],
  createdAtMs: NOW,
  untilMs: NOW + 1000,
  reason: "",
  by: "root",
};

function rules(changes: Partial<Changes>, lastEvent?: string): Beside {
  return {
    rules: () => ({
      isAll: false,
      incidents: [],
      members: [],
      closed: [],
      tallies: [],
      forgottenTallies: [],
      silences: [],
      endedSilences: [],
      ...changes,
      lastEvent,
    }),
  };
}

const EVERYTHING: Partial<Changes> = {
  incidents: [incident("a")],
  members: [{ incident: "a", member: MEMBER }],
  tallies: [TALLY],
  silences: [SILENCE],
};

Deno.test("IncidentStore has at the next start what was written", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = Outbox.open(path, { nowMs: NOW });
  outbox.enqueue([], NOW, rules(EVERYTHING, "event 7"));
  outbox.close();
  const again = Outbox.open(path, { nowMs: NOW });
  assertEquals(again.incidents.remembered(), {
    incidents: [{ incident: incident("a"), members: [MEMBER] }],
    tallies: [TALLY],
    silences: [SILENCE],
  });
  assertEquals(again.incidents.lastEvent(), "event 7");
  again.close();
});

Deno.test("IncidentStore forgets what is over, ended or forgotten", () => {
  const outbox = Outbox.open(":memory:", { nowMs: NOW });
  outbox.enqueue([], NOW, rules(EVERYTHING));
  outbox.enqueue(
    [],
    NOW,
    rules({
      closed: [{ incident: incident("a"), atMs: NOW, closing: "running" }],
      forgottenTallies: [TALLY],
      endedSilences: ["s"],
    }),
  );
  assertEquals(outbox.incidents.remembered(), { incidents: [], tallies: [], silences: [] });
  outbox.close();
});

Deno.test("IncidentStore keeps nothing beside everything", () => {
  const outbox = Outbox.open(":memory:", { nowMs: NOW });
  outbox.enqueue([], NOW, rules(EVERYTHING));
  const members = [{ incident: "b", member: MEMBER }];
  outbox.enqueue([], NOW, rules({ isAll: true, incidents: [incident("b")], members }));
  const { incidents, tallies, silences } = outbox.incidents.remembered();
  assertEquals(incidents.map(({ incident, members }) => [incident.id, members]), [["b", [MEMBER]]]);
  assertEquals([tallies, silences], [[], []]);
  outbox.close();
});

Deno.test("Outbox.enqueue() writes entries and incidents together or neither", () => {
  const outbox = Outbox.open(":memory:", { nowMs: NOW });
  const entries = [{ channel: "mail", alert: ALERT }];
  assertThrows(() =>
    outbox.enqueue(entries, NOW, {
      rules() {
        throw new Error("no incidents");
      },
    })
  );
  assertEquals(outbox.waiting(), 0);
  outbox.enqueue(entries, NOW, rules(EVERYTHING));
  assertEquals([outbox.waiting(), outbox.incidents.remembered().incidents.length], [1, 1]);
  outbox.close();
});

Deno.test("Outbox.sweep() forgets incidents that have been over for long", () => {
  const outbox = Outbox.open(":memory:", { nowMs: NOW });
  const closed = (id: string, atMs: number) =>
    ({ incident: incident(id), atMs, closing: "running" }) as const;
  const many = Array.from({ length: 250 }, (_, index) => closed(`old${index}`, NOW - 8 * DAY));
  outbox.enqueue([], NOW, rules({ ...EVERYTHING, closed: [...many, closed("new", NOW - DAY)] }));
  const retention = { keepMs: 7 * DAY, maxBytes: 1024 ** 3 };
  const steps: number[] = [];
  do steps.push(outbox.sweep(retention, NOW)); while (steps.at(-1)! > 0);
  assertEquals(steps, [100, 100, 50, 0]);
  assertEquals(outbox.incidents.remembered().incidents.map(({ incident }) => incident.id), ["a"]);
  outbox.close();
});

Deno.test("IncidentStore leaves out what is not whole, and counts it", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = Outbox.open(path, { nowMs: NOW });
  const settled = { how: "running", atMs: NOW } as const;
  const other = { process: { group: "web", name: "other" }, state: "RUNNING", settled } as const;
  outbox.enqueue(
    [],
    NOW,
    rules({
      ...EVERYTHING,
      incidents: [incident("a", { members: 7, unsettled: 0 }), incident("of nobody")],
      members: [{ incident: "a", member: MEMBER }, { incident: "a", member: other }],
    }),
  );
  const writer = new DatabaseSync(path);
  const wrong = ["null", "7", "{}", "[]", "garbage", '{"id":"w","rule":"r","key":"k"}'];
  for (const [index, json] of wrong.entries()) {
    const id = `w${index}`;
    writer.prepare(
      "insert into incident (id, rule, key, started_at_ms, incident) values (?, 'r', 'k', 0, ?)",
    )
      .run(id, json);
    writer.prepare("insert into incident_process values ('a', 'w', ?, ?)").run(id, json);
    writer.prepare("insert into tally values ('w', ?, ?)").run(id, json);
    writer.prepare("insert into silence values (?, 0, ?)").run(id, json);
  }
  // A silence that never ends.
  writer.prepare("insert into silence values ('ever', 0, ?)")
    .run(JSON.stringify({ ...SILENCE, untilMs: 1e18 }));
  writer.close();
  const { incidents, tallies, silences, unreadable } = outbox.incidents.remembered();
  assertEquals(incidents, [{
    incident: incident("a", { members: 2, unsettled: 1 }),
    members: [MEMBER, other],
  }]);
  assertEquals([tallies, silences, unreadable], [[TALLY], [SILENCE], 4 * wrong.length + 2]);
  outbox.close();
});
