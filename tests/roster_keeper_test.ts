// The roster with real outbox files, also with one that cannot be opened at first: a directory
// stands in its place, or another process holds it.

import { DatabaseSync } from "node:sqlite";
import { Redactor } from "../src/config/secret.ts";
import { parseEvent } from "../src/events/parse.ts";
import { Log } from "../src/log.ts";
import { Outbox } from "../src/outbox/outbox.ts";
import { RosterKeeper } from "../src/roster_keeper.ts";
import { assertEquals, assertMatch } from "./support/assert.ts";
import { Folder } from "./support/folder.ts";
import { frameOf } from "./support/frames.ts";

const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);

/** A state directory, and the lives of a listener in it. */
class Bench implements Disposable {
  readonly #folder = new Folder();
  readonly path = this.#folder.file("superbell.db");
  readonly log: string[] = [];
  readonly #outboxes: Outbox[] = [];

  /** The next life; its outbox opens its file when it can. */
  begin(supervisorRun = "boot 1"): { readonly roster: RosterKeeper; readonly outbox: Outbox } {
    const outbox = Outbox.keep(this.path, { nowMs: NOW, busyMs: 1 });
    this.#outboxes.push(outbox);
    const log = new Log({
      level: "debug",
      redactor: new Redactor([]),
      now: () => NOW,
      write: (line) => void this.log.push(line.trimEnd().replace(/^.*? (?=[A-Z]+ )/, "")),
    });
    return { roster: new RosterKeeper({ store: outbox.roster, supervisorRun, log }), outbox };
  }

  /** Makes it impossible to open the file, until what it answers is called. */
  hide(): () => void {
    const hidden = `${this.path}.hidden`;
    Deno.renameSync(this.path, hidden);
    Deno.mkdirSync(this.path);
    return () => {
      Deno.removeSync(this.path);
      Deno.renameSync(hidden, this.path);
    };
  }

  /** A life that has seen web:api as 42 and cron:main as 50, and the end of 41; its last is 4. */
  liveOnce(): void {
    const { roster, outbox } = this.begin();
    take(roster, 1, "EXITED", "web:api", "expected:0 pid:41");
    take(roster, 2, "RUNNING", "web:api", "pid:42");
    take(roster, 3, "RUNNING", "cron:main", "pid:50");
    take(roster, 4, "RUNNING", "db:main", "pid:60");
    roster.settle();
    roster.end();
    outbox.close();
  }

  [Symbol.dispose](): void {
    for (const outbox of this.#outboxes) outbox.close();
    this.#folder[Symbol.dispose]();
  }
}

/** Hears and takes the event; answers whether events are missing before it. */
function take(
  roster: RosterKeeper,
  serial: number,
  ...[state, of, rest]: [state: string, of: string, rest: string]
): boolean {
  const [group, name] = of.split(":");
  const frame = frameOf({
    serial,
    eventname: `PROCESS_STATE_${state}`,
    payload: `processname:${name} groupname:${group} from_state:RUNNING ${rest}`,
  });
  const isGap = roster.hear(frame.header);
  roster.take(parseEvent(frame), NOW);
  return isGap;
}

/** `web:api RUNNING 42`, with the process ids that have ended. */
function known(roster: Pick<RosterKeeper, "known">): string[] {
  return [...roster.known.values()].map(({ process, state, alivePid, endedPids }) =>
    `${process.group}:${process.name} ${state} ${alivePid ?? "-"} after ${endedPids.join() || "-"}`
  ).sort();
}

Deno.test("RosterKeeper knows at once what the last life has left", () => {
  using bench = new Bench();
  bench.liveOnce();
  const { roster } = bench.begin();
  assertEquals([roster.heritage, roster.isLoaded, roster.isChanged], ["same-run", true, false]);
  assertEquals(known(roster), [
    "cron:main RUNNING 50 after -",
    "db:main RUNNING 60 after -",
    "web:api RUNNING 42 after 41",
  ]);
});

Deno.test("RosterKeeper reads late what it could not read at its start, and what it saw since wins", () => {
  using bench = new Bench();
  bench.liveOnce();
  const show = bench.hide();
  const { roster, outbox } = bench.begin();
  assertMatch(bench.log.at(-1)!, /^WARN what is known of the processes cannot be read yet, .*open/);
  assertEquals([roster.heritage, roster.isLoaded], ["none", false]);
  assertEquals(take(roster, 5, "EXITED", "web:api", "expected:0 pid:43"), false);
  show();
  take(roster, 6, "RUNNING", "web:api", "pid:44");
  assertEquals(bench.log.at(-1), "INFO what is known of the processes has been read now");
  assertEquals([roster.heritage, roster.isLoaded], ["same-run", true]);
  const all = [
    "cron:main RUNNING 50 after -",
    "db:main RUNNING 60 after -",
    "web:api RUNNING 44 after 41,43",
  ];
  assertEquals(known(roster), all);
  assertEquals(
    [...roster.before!.values()].map(({ alivePid }) => alivePid).sort(),
    [42, 50, 60],
    "a comparison sees that 42 must have ended",
  );
  const api = [...roster.known.values()].find(({ process }) => process.name === "api")!;
  assertEquals(api.restarts, 2, "those of before, and since");
  roster.settle();
  roster.write();
  assertEquals(outbox.roster.processes().length, 3);
  roster.end();
  assertEquals(known(bench.begin().roster), all);
});

Deno.test("RosterKeeper writes nothing over a roster that it has not read", () => {
  using bench = new Bench();
  bench.liveOnce();
  const show = bench.hide();
  const { roster, outbox } = bench.begin();
  take(roster, 5, "RUNNING", "web:api", "pid:43");
  roster.settle();
  roster.write();
  show();
  roster.write(); // before any event or comparison
  assertEquals(bench.log.at(-1), "INFO what is known of the processes has been read now");
  assertEquals(
    outbox.roster.processes().map(({ process, alivePid }) => [process.group, alivePid]),
    // 42 is gone, and no end of it has been seen: should we end now, the next start must find that.
    [["cron", 50], ["db", 60], ["web", 42]],
  );
});

Deno.test("RosterKeeper takes what it reads late for an older life when supervisord began since", () => {
  for (
    const [run, event] of [["boot 2", undefined], ["boot 1", "SUPERVISOR_STATE_CHANGE_RUNNING"]]
  ) {
    using bench = new Bench();
    bench.liveOnce();
    const show = bench.hide();
    const { roster } = bench.begin(run);
    if (event !== undefined) {
      const frame = frameOf({ serial: 0, eventname: event });
      roster.hear(frame.header);
      roster.take(parseEvent(frame), NOW);
    }
    take(roster, 1, "RUNNING", "web:api", "pid:42");
    show();
    take(roster, 2, "RUNNING", "cron:main", "pid:43");
    assertEquals(roster.heritage, "other-run");
    assertEquals(known(roster), [
      "cron:main RUNNING 43 after -",
      "db:main UNKNOWN - after -",
      "web:api RUNNING 42 after -",
    ]);
  }
});

Deno.test("RosterKeeper sees the gap before its first event when it reads late", () => {
  using bench = new Bench();
  bench.liveOnce();
  const show = bench.hide();
  const { roster } = bench.begin();
  assertEquals(take(roster, 8, "RUNNING", "web:api", "pid:42"), false, "nothing is known yet");
  assertEquals(roster.missing, 0);
  show();
  assertEquals(take(roster, 9, "RUNNING", "db:main", "pid:60"), true);
  assertEquals(roster.giveUpMissing(), 3, "5, 6 and 7");
  assertEquals(take(roster, 10, "RUNNING", "cron:main", "pid:50"), false);
});

Deno.test("RosterKeeper reads at its end what another process kept from it until then", () => {
  using bench = new Bench();
  bench.liveOnce();
  const other = new DatabaseSync(bench.path);
  // As a copy of the file that is being made: nobody else may as much as read.
  other.exec("pragma locking_mode = exclusive; begin exclusive");
  const { roster } = bench.begin();
  take(roster, 5, "RUNNING", "web:api", "pid:42");
  other.exec("rollback");
  other.close();
  assertEquals(roster.isLoaded, false);
  roster.end();
  const next = bench.begin().roster;
  assertEquals([next.heritage, take(next, 6, "RUNNING", "web:api", "pid:42")], ["same-run", false]);
});

Deno.test("RosterKeeper says in a file that takes the place of another which run it is about", () => {
  using bench = new Bench();
  bench.liveOnce();
  const { roster, outbox } = bench.begin();
  outbox.follow();
  Deno.removeSync(bench.path);
  outbox.follow();
  assertEquals(outbox.roster.notes().supervisor_run, undefined);
  take(roster, 5, "RUNNING", "web:api", "pid:42");
  outbox.enqueue([], NOW, { roster: roster.changes }); // as an event that brings a message
  roster.wasWritten();
  assertEquals(outbox.roster.processes().length, 3);
  assertEquals(bench.begin().roster.heritage, "same-run");
});

Deno.test("RosterKeeper says once that the store lacks something, and again when it was written", () => {
  using bench = new Bench();
  const { roster } = bench.begin();
  let said = 0;
  roster.onChange(() => said++);
  take(roster, 1, "EXITED", "web:api", "expected:0 pid:41");
  take(roster, 2, "RUNNING", "web:api", "pid:42");
  take(roster, 3, "RUNNING", "cron:main", "pid:50");
  assertEquals(said, 1);
  roster.wasWritten();
  take(roster, 4, "EXITED", "web:api", "expected:0 pid:42");
  assertEquals(said, 2);
});
