// What must be true of every history: made up at random, with restarts and clocks that jump.

import { displayName, type ProcessName } from "../../src/events/event.ts";
import type { Incident } from "../../src/rules/incident.ts";
import { type Input, RuleEngine, type Step } from "../../src/rules/engine.ts";
import { REASONS } from "../../src/rules/reason.ts";
import { RuleMemory } from "../../src/rules/rule_memory.ts";
import { assert } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { BEGIN_MS, engineOptions, eventOf } from "./scenarios/scenario.ts";

const CONFIGS = [
  "on: [crash, fatal]",
  "{ on: [crash, fatal, flapping], flapping: { exits: 3, within: 1m }, quiet: 5m, remind_every: 1m }",
  "{ on: [exit, start_failed], group_by: group, group_wait: 10s, after: { count: 2, within: 1m } }",
  "{ on: [crash, fatal], escalate: { after: 2m, to: boss }, resolve_after: 0s }",
  `
host_incident: { processes: 4, within: 20s, to: boss }
maintenance: [{ from: "10:05", to: "10:10", where: { process: "a:*" } }]
rules:
  - { name: a, on: [crash, fatal], where: { process: "a:*" }, remind_every: 2m }
  - { name: b, on: [crash, fatal, flapping], suppressed_by: "a:*", stop: true }
  - { name: c, on: [started, stopped], quiet: 1m }
  - { name: d, on: [fatal], group_by: host, resolved: false }
`,
  `
maintenance: [{ from: "10:05", to: "10:10", where: { process: "a:1" } }]
rules:
  - { name: a, on: [crash, fatal, flapping], group_by: group, group_wait: 10s, remind_every: 1m }
`,
];

const PROCESSES = ["a:1", "a:2", "a:3", "b:1", "b:2", "b:3"];

const CYCLES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  STARTING: [["RUNNING", " pid:1"], ["BACKOFF", " tries:1"]],
  RUNNING: [["EXITED", " expected:0 pid:1"], ["EXITED", " expected:1 pid:1"], [
    "STOPPING",
    " pid:1",
  ]],
  BACKOFF: [["STARTING", " tries:1"], ["FATAL", ""]],
  EXITED: [["STARTING", " tries:0"]],
  STOPPING: [["STOPPED", " pid:1"], ["UNKNOWN", ""]],
  STOPPED: [["STARTING", " tries:0"]],
  FATAL: [["STARTING", " tries:0"]],
  UNKNOWN: [["STARTING", " tries:0"]],
};

/** What has been told of each incident, and whether it was ever told as firing. */
class Witness {
  readonly #fired = new Set<string>();
  readonly #resolved = new Set<string>();
  readonly #joined = new Set<string>();
  readonly #reminders = new Map<string, number>();

  see(step: Step, seed: number): void {
    for (const { incident } of step.tellings) {
      if (incident === undefined) continue;
      const { id, kind, number, processes } = incident;
      const what = `seed ${seed}, incident ${id}, ${kind} ${number}`;
      assert(!this.#resolved.has(id), `${what}: it was told as over before`);
      assert(processes.length > 0, `${what}: about nobody`);
      if (incident.joined !== undefined) this.#see(id, incident.joined.processes, what);
      if (kind === "firing") this.#fired.add(id);
      assert(this.#fired.has(id), `${what}: it was never told as firing`);
      if (kind === "resolved") this.#resolved.add(id);
      if (kind === "reminder") {
        const last = this.#reminders.get(id) ?? 0;
        assert(incident.reminder === last + 1, `${what}: reminder ${incident.reminder}`);
        this.#reminders.set(id, last + 1);
      }
    }
    for (const { reason } of step.decisions) {
      assert(Object.hasOwn(REASONS, reason), `seed ${seed}: reason ${reason}`);
    }
  }

  readonly #mayWorsen: boolean;

  constructor(config: string) {
    this.#mayWorsen = config === CONFIGS.at(-1);
  }

  /** Nobody comes into an incident twice, unless one can fail worse the second time. */
  #see(id: string, joined: readonly ProcessName[], what: string): void {
    assert(joined.length > 0, `${what}: nobody has come in`);
    for (const process of joined) {
      const newcomer = `${id} ${displayName(process)}`;
      assert(this.#mayWorsen || !this.#joined.has(newcomer), `${what}: ${newcomer} again`);
      this.#joined.add(newcomer);
    }
  }

  get joined(): number {
    return this.#joined.size;
  }

  get count(): number {
    return this.#fired.size;
  }

  get resolved(): number {
    return this.#resolved.size;
  }
}

function hasReason(incident: Incident): boolean {
  const isTold = incident.told !== undefined && incident.joined === 0 &&
    incident.rank <= incident.told.rank;
  return isTold || incident.held !== undefined;
}

function history(seed: number, config: string): Witness {
  const random = new Random(seed);
  const options = engineOptions(config);
  let engine = new RuleEngine(options);
  const witness = new Witness(config);
  const states = new Map(PROCESSES.map((name) => [name, "STARTING"]));
  let nowMs = BEGIN_MS;
  const step = (input: Input) => {
    const result = engine.step(input, nowMs);
    witness.see(result, seed);
    const next = result.nextDueAtMs;
    assert(
      next === undefined || next > nowMs,
      `seed ${seed}: due at once again after ${JSON.stringify({ input, nowMs, result })}`,
    );
    for (const incident of engine.memory.incidents()) {
      assert(hasReason(incident), `seed ${seed}: ${JSON.stringify(incident)} waits for no reason`);
      const members = [...engine.memory.membersOf(incident).values()];
      const unsettled = members.filter(({ settled }) => settled === undefined).length;
      assert(unsettled === incident.unsettled, `seed ${seed}: ${unsettled} unsettled`);
      assert(members.length === incident.members, `seed ${seed}: ${members.length} members`);
      const joined = members.filter((member) => member.joined === true).length;
      const wanted = incident.told === undefined ? 0 : incident.joined;
      assert(joined === wanted, `seed ${seed}: ${joined} newcomers, and not ${wanted}`);
    }
  };
  for (let turn = 0; turn < 300; turn++) {
    nowMs += random.chance(0.2) ? random.below(300_000) : random.below(5000);
    for (let due = engine.memory.nextDueMs(); due !== undefined && due <= nowMs;) {
      step({ kind: "time" });
      due = engine.memory.nextDueMs();
    }
    const what = random.next();
    if (what < 0.02) {
      engine = new RuleEngine(
        options,
        new RuleMemory(JSON.parse(JSON.stringify(engine.memory.snapshot()))),
      );
      step({ kind: "start" });
    } else if (what < 0.03) {
      nowMs += random.chance(0.5) ? 36_000_000 : -36_000_000;
    } else if (what < 0.05) {
      const silence = {
        id: `${turn}`,
        patterns: [random.pick(["a:*", "b:1", "*"])],
        createdAtMs: nowMs,
        untilMs: nowMs + random.below(600_000),
        reason: "",
        by: "root",
      };
      step({ kind: "silence", silence });
    } else if (what < 0.06) {
      const [incident] = engine.memory.incidents();
      step({ kind: "acknowledge", incident: incident?.id ?? "none", by: "ann", reason: "" });
    } else if (what < 0.07) {
      step({
        kind: "event",
        event: eventOf("PROCESS_GROUP_REMOVED", `groupname:${random.pick(["a", "b"])}\n`),
        seed: `${seed} ${turn}`,
      });
    } else if (what < 0.08) {
      const word = random.pick(["RUNNING", "STOPPING", "RUNNING"]);
      const event = eventOf(`SUPERVISOR_STATE_CHANGE_${word}`, "");
      step({ kind: "event", event, seed: `${seed} ${turn}` });
    } else {
      const name = random.pick(PROCESSES);
      const [group, process] = name.split(":");
      const [state, rest] = random.pick(CYCLES[states.get(name)!]!);
      states.set(name, state);
      const payload = `processname:${process} groupname:${group} from_state:RUNNING${rest}`;
      step({
        kind: "event",
        event: eventOf(`PROCESS_STATE_${state}`, payload),
        seed: `${seed} ${turn}`,
        ranMs: random.below(60_000),
      });
    }
  }
  return witness;
}

for (const [index, config] of CONFIGS.entries()) {
  Deno.test(`RuleEngine tells what is true in any history, configuration ${index + 1}`, () => {
    let [fired, resolved, joined] = [0, 0, 0];
    for (let seed = 1; seed <= 30; seed++) {
      const witness = history(seed * 1000 + index, config);
      fired += witness.count;
      resolved += witness.resolved;
      joined += witness.joined;
    }
    // A history in which nothing is told would prove nothing.
    assert(fired > 100 && resolved > 30, `${fired} told, ${resolved} resolved`);
    assert(joined > 0 || !/group_by|host_incident/.test(config), `${joined} newcomers`);
  });
}

Deno.test("RuleEngine says the same of the same history", () => {
  const play = () => {
    const engine = new RuleEngine(engineOptions(CONFIGS[4]!));
    const random = new Random(7);
    return Array.from({ length: 300 }, (_, turn) => {
      const payload = `processname:${random.below(5)} groupname:b from_state:RUNNING` +
        " expected:0 pid:1";
      return engine.step(
        { kind: "event", event: eventOf("PROCESS_STATE_EXITED", payload), seed: `${turn}` },
        BEGIN_MS + turn * 1000,
      );
    });
  };
  assert(JSON.stringify(play()) === JSON.stringify(play()));
});
