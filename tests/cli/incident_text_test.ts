import { lastExitOf, lastExitText, withMaskedExit } from "../../src/cli/incident_text.ts";
import type { Exit } from "../../src/events/event.ts";
import type { StoredIncident } from "../../src/outbox/stored_incidents.ts";
import type { KnownProcess } from "../../src/rules/roster.ts";
import { assertEquals } from "../support/assert.ts";
import { incidentOf, memberOf } from "../support/incidents.ts";
import { NOW } from "../support/outbox_bench.ts";

const STATUS_3: Exit = { status: 3, certainty: "sure" };

function knownAs(name: string, sinceMs: number, exit?: Exit): KnownProcess {
  const process = { group: "web", name };
  const found = { endedPids: [], found: [], restarts: 1 };
  return { process, state: "RUNNING", sinceMs, ...found, ...(exit && { exit }) };
}

const open: StoredIncident = { incident: incidentOf(), members: [memberOf("web", "api")] };
const closed: StoredIncident = { ...open, closed: { atMs: NOW - 1000, closing: "running" } };
const both: StoredIncident = { ...open, members: [...open.members, memberOf("web", "db")] };

const CASES: readonly (readonly [string, StoredIncident, readonly KnownProcess[], boolean])[] = [
  ["of one that is open", open, [knownAs("api", NOW, STATUS_3)], true],
  ["of one that is over, as long as nothing happens", closed, [
    knownAs("api", NOW - 2000, STATUS_3),
  ], true],
  ["not of one that is over, when the process has changed since", closed, [
    knownAs("api", NOW, STATUS_3),
  ], false],
  ["not where nobody knows it", open, [knownAs("api", NOW), knownAs("db", NOW, STATUS_3)], false],
  ["not where no process ended", { ...open, incident: incidentOf({ ends: 0 }) }, [
    knownAs("api", NOW, STATUS_3),
  ], false],
  ["of several where it is the same", both, [
    knownAs("api", NOW, STATUS_3),
    knownAs("db", NOW, { ...STATUS_3 }),
  ], true],
  ["not of several where it differs", both, [
    knownAs("api", NOW, STATUS_3),
    knownAs("db", NOW, { signal: "SIGKILL", certainty: "sure" }),
  ], false],
  ["not of several where it is not known of all", both, [
    knownAs("api", NOW, STATUS_3),
    knownAs("db", NOW),
  ], false],
];
for (const [what, incident, roster, isKnown] of CASES) {
  Deno.test(`lastExitOf() tells how it ended ${what}`, () => {
    assertEquals(lastExitOf(incident, roster), isKnown ? STATUS_3 : undefined);
  });
}

const TEXTS: readonly (readonly [Exit | undefined, string | undefined])[] = [
  [STATUS_3, "last: exit status 3"],
  [{ status: 1, certainty: "likely" }, "last: exit status 1 (likely)"],
  [{ signal: "SIGSEGV", coreDumped: true, certainty: "sure" }, "last: SIGSEGV with core dump"],
  [{ spawnError: "can't find command", certainty: "sure" }, "last: can't find command"],
  [{ certainty: "likely" }, undefined],
  [undefined, undefined],
];
for (const [exit, text] of TEXTS) {
  Deno.test(`lastExitText() says ${text}`, () => assertEquals(lastExitText(exit), text));
}

Deno.test("withMaskedExit() takes secrets out of what supervisord said, and changes nothing else", () => {
  const mask = (text: string) => text.replaceAll("abc", "***");
  const known = knownAs("abc", NOW, { spawnError: "no abc", certainty: "sure" });
  assertEquals(withMaskedExit(known, { mask }), {
    ...known,
    exit: { spawnError: "no ***", certainty: "sure" },
  });
  assertEquals(withMaskedExit(knownAs("api", NOW, STATUS_3), { mask }).exit, STATUS_3);
});
