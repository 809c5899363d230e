// Rows of incidents: what the engine remembers is read again, and what is not whole is nothing.

import { RuleEngine } from "../../src/rules/engine.ts";
import { readIncident, readMember } from "../../src/rules/stored_memory.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { BEGIN_MS, engineOptions, eventOf } from "./scenarios/scenario.ts";

/** An incident that was told, and into which another process has come since. */
function remembered() {
  const engine = new RuleEngine(engineOptions("{ on: crash, group_by: group, group_wait: 0s }"));
  const crash = (name: string, nowMs: number) =>
    engine.step({
      kind: "event",
      event: eventOf(
        "PROCESS_STATE_EXITED",
        `processname:${name} groupname:web from_state:RUNNING expected:0 pid:7`,
      ),
      seed: name,
    }, nowMs);
  crash("a", BEGIN_MS);
  crash("b", BEGIN_MS + 1000);
  // Whoever comes in while supervisord shuts down is not told, and remembered.
  const stopping = eventOf("SUPERVISOR_STATE_CHANGE_STOPPING", "");
  engine.step({ kind: "event", event: stopping, seed: "stopping" }, BEGIN_MS + 2000);
  crash("c", BEGIN_MS + 3000);
  const [incident] = engine.memory.incidents();
  return { incident: incident!, members: [...engine.memory.membersOf(incident!).values()] };
}

Deno.test("readIncident() and readMember() read what is remembered of a newcomer", () => {
  const { incident, members } = remembered();
  assertEquals([incident.told?.joins, incident.joined], [1, 1]);
  assert(incident.newest !== undefined);
  assertEquals(members.map(({ joined }) => joined), [undefined, undefined, true]);
  const json = JSON.stringify(incident);
  assertEquals(readIncident(json), JSON.parse(json));
  for (const member of members) {
    assertEquals(readMember(JSON.stringify(member)), member);
    const { rank, ...older } = member;
    assertEquals([rank, readMember(JSON.stringify(older))], [1, older]);
  }
});

Deno.test("readIncident() and readMember() take no row of which half is damaged", () => {
  const { incident, members } = remembered();
  const { newest, told } = incident;
  for (
    const damaged of [
      { ...incident, newest: { ...newest, event: {} } },
      { ...incident, newest: { ...newest, word: "nothing" } },
      { ...incident, told: { ...told, joins: "1" } },
      { ...incident, eventAtMs: "now" },
      { ...incident, word: "nothing" },
    ]
  ) assertEquals(readIncident(JSON.stringify(damaged)), undefined);
  for (
    const damaged of [
      { ...members[2], joined: "yes" },
      { ...members[2], flapping: 1 },
      { ...members[2], rank: 4 },
      { ...members[2], toldRank: 0 },
    ]
  ) {
    assertEquals(readMember(JSON.stringify(damaged)), undefined);
  }
});
