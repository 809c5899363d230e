// The roster in the outbox's file: written with the entries, read back as far as it can be read.

import { DatabaseSync } from "node:sqlite";
import { Outbox } from "../../src/outbox/outbox.ts";
import type { KnownProcess } from "../../src/rules/roster.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { Folder } from "../support/folder.ts";
import { ALERT } from "../support/message.ts";

const NOW = 1_800_000_000_000;

const known = (name: string, more: Partial<KnownProcess> = {}): KnownProcess => ({
  process: { group: "订单", name },
  state: "RUNNING",
  sinceMs: NOW,
  alivePid: 5,
  endedPids: [3, 4],
  found: [{ pid: 4, atMs: NOW }],
  restarts: 2,
  exit: { signal: "SIGSEGV", coreDumped: true, certainty: "sure" },
  lastEvent: "PROCESS_STATE_RUNNING",
  lastEventAtMs: NOW,
  ...more,
});

const some = (...changed: readonly KnownProcess[]) => () => ({
  changed,
  removed: [],
  isAll: false,
});

Deno.test("RosterStore reads back what was written, and the next start does", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const first = Outbox.open(path, { nowMs: NOW });
  first.roster.write(some(known("b"), known("a")));
  first.roster.write(some(known("a", { state: "EXITED" })));
  first.roster.write(() => ({ changed: [], removed: [known("b").process], isAll: false }));
  first.roster.note({ supervisor_run: "boot 1", poolserial: "57" });
  first.roster.note({ poolserial: undefined, pool: "superbell" });
  first.roster.addGap({ atMs: NOW, dropped: 288, recovered: 287 });
  first.close();
  const second = Outbox.open(path, { nowMs: NOW });
  assertEquals(second.roster.processes(), [known("a", { state: "EXITED" })]);
  assertEquals(second.roster.notes(), { supervisor_run: "boot 1", pool: "superbell" });
  assertEquals(second.roster.gaps(), [{ atMs: NOW, dropped: 288, recovered: 287 }]);
  second.roster.write(() => ({ changed: [known("c")], removed: [], isAll: true }));
  assertEquals(second.roster.processes(), [known("c")]);
  second.close();
});

Deno.test("RosterStore passes over rows that cannot be read", () => {
  using folder = new Folder();
  const path = folder.file("superbell.db");
  const outbox = Outbox.open(path, { nowMs: NOW });
  outbox.roster.write(some(known("good")));
  const other = new DatabaseSync(path);
  const insert = other.prepare("insert into process (group_name, name, known) values ('g', ?, ?)");
  for (const [index, json] of ["", "{", "null", "[]", '{"state":"ASLEEP"}'].entries()) {
    insert.run(`bad${index}`, json);
  }
  other.close();
  assertEquals(outbox.roster.processes(), [known("good")]);
  outbox.close();
});

Deno.test("RosterStore keeps the newest thousand gaps", () => {
  const outbox = Outbox.open(":memory:", { nowMs: NOW });
  for (let count = 0; count < 1005; count++) {
    outbox.roster.addGap({ atMs: NOW + count, dropped: 1, recovered: 0 });
  }
  const gaps = outbox.roster.gaps();
  assertEquals([gaps.length, gaps[0]!.atMs, gaps.at(-1)!.atMs], [1000, NOW + 5, NOW + 1004]);
  outbox.close();
});

Deno.test("Outbox.enqueue() writes entries and roster together or neither", () => {
  const outbox = Outbox.open(":memory:", { nowMs: NOW });
  const entries = [{ channel: "mail", alert: ALERT }];
  assertThrows(() =>
    outbox.enqueue(entries, NOW, {
      roster() {
        throw new Error("no roster");
      },
    })
  );
  assertEquals([outbox.waiting(), outbox.roster.processes()], [0, []]);
  assertEquals(outbox.enqueue(entries, NOW, { roster: some(known("a")) }), 1);
  assertEquals([outbox.waiting(), outbox.roster.processes()], [1, [known("a")]]);
  // The event came again: nothing new, and the roster is written all the same.
  assertEquals(outbox.enqueue(entries, NOW, { roster: some(known("b")) }), 0);
  assertEquals(outbox.roster.processes().length, 2);
  outbox.close();
});
