// Reads scenarios: a configuration, and a table of what happens against what is told. How to read
// them stands in README.md beside this file. Time is a number here; nothing sleeps.

import { parse as parseYaml } from "@std/yaml";
import { parseDuration } from "../../../src/config/duration.ts";
import { ConfigNode, Reading } from "../../../src/config/node.ts";
import { describeProblem } from "../../../src/config/problem.ts";
import {
  displayName,
  type Event,
  type ProcessName,
  type ProcessState,
} from "../../../src/events/event.ts";
import { parseEvent } from "../../../src/events/parse.ts";
import { type Decision, type Input, RuleEngine, type Step } from "../../../src/rules/engine.ts";
import { parseHostIncident } from "../../../src/rules/host_incident.ts";
import { processKey } from "../../../src/rules/incident.ts";
import { parseMaintenance } from "../../../src/rules/maintenance.ts";
import { parsePatterns, parseRules } from "../../../src/rules/parse.ts";
import { RuleMemory } from "../../../src/rules/rule_memory.ts";
import type { Telling } from "../../../src/rules/telling.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { StoredRows } from "./stored_rows.ts";

/** Every scenario begins at 10:00 on a Saturday, by UTC. */
export const BEGIN_MS = Date.UTC(2026, 10, 21, 10, 0, 0);

const CHANNELS = ["oncall", "mail", "boss"];
const TIME_ZONE = "UTC";

/** One line of a table. */
interface Line {
  readonly time: string;
  readonly atMs: number;
  readonly what: string;
}

/** A scenario of a text. */
interface Scenario {
  readonly name: string;
  readonly config: string;
  readonly table: string;
  /** What the line "another configuration" brings. */
  readonly next: string | undefined;
}

/**
 * A test for each scenario of the text, played twice: as it is, and with all memory written down
 * and read again each time.
 */
export function scenarios(text: string): void {
  for (const one of scenariosIn(text)) {
    const { name, table } = one;
    Deno.test(`Scenario: ${name}`, () => {
      assertEquals(play(one, { forgets: false }), normalized(table));
    });
    Deno.test(`Scenario: ${name}, with a memory read anew at each step`, () => {
      assertEquals(play(one, { forgets: true }), normalized(table));
    });
  }
}

/** Blocks with a blank line between them: a name, a configuration, and a table. */
function scenariosIn(text: string): Scenario[] {
  let shared = "";
  return text.trim().split(/\n\s*\n/).flatMap((block) => {
    const [name = "", ...lines] = block.split("\n");
    assert(name === name.trim(), `"${name}" is no name: it is indented`);
    const isMoment = (line: string) => /^ +\d+\w+( |$)/.test(line);
    const [begin, last] = [lines.findIndex(isMoment), lines.findLastIndex(isMoment)];
    if (begin < 0) {
      assert(name.startsWith("the configuration"), `"${name}" has no table`);
      shared = dedented(lines);
      return [];
    }
    const [marker, ...next] = lines.slice(last + 1);
    assert(marker === undefined || marker.trim() === "another configuration:", `"${marker}"?`);
    const config = begin > 0 ? dedented(lines.slice(0, begin)) : shared;
    assert(config !== "", `"${name}" has no configuration`);
    return [{
      name,
      config,
      table: lines.slice(begin, last + 1).join("\n"),
      next: marker === undefined ? undefined : dedented(next),
    }];
  });
}

function dedented(lines: readonly string[]): string {
  const indent = /^ */.exec(lines[0] ?? "")![0].length;
  return lines.map((line) => line.slice(indent)).join("\n");
}

/** The engine of a configuration: rules, maintenance and host_incident, with short forms. */
export function engineOptions(config: string): ConstructorParameters<typeof RuleEngine>[0] {
  const root = parseYaml(config, { schema: "core" }) as Record<string, unknown>;
  const { maintenance, host_incident, rules, ...single } = root;
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const node = (value: unknown, path: string) => new ConfigNode(value, path, reading);
  const withDefaults = (rules ?? [single]) as Record<string, unknown>[];
  const options = {
    rules: parseRules(
      node(
        withDefaults.map((rule, index) => ({
          name: `r${index + 1}`,
          to: "oncall",
          ...rule,
        })),
        "rules",
      ),
      CHANNELS,
    ),
    hostIncident: parseHostIncident(
      host_incident === undefined ? undefined : node(host_incident, "host_incident"),
      (item) => item.string(),
    ),
    maintenance: parseMaintenance(
      maintenance === undefined ? undefined : node(maintenance, "maintenance"),
      { timeZone: TIME_ZONE, parseTimeZone: (item) => item.string(), patterns: parsePatterns },
    ),
    timeZone: TIME_ZONE,
    idOf: shortId,
  };
  assertEquals(reading.problems.map((problem) => describeProblem("", problem)), []);
  return options;
}

function play(
  { config, table, next }: Scenario,
  { forgets }: { readonly forgets: boolean },
): string {
  let options = engineOptions(config);
  const several = options.rules.length > 1;
  let engine = new RuleEngine(options);
  const rows = new StoredRows();
  const running = new Map<string, number>();
  const said: string[] = [];
  let nowMs = BEGIN_MS;
  /** What the clocks of the scenario and of the host differ by. */
  let skewMs = 0;
  let away = false;
  let events = 0;
  const remember = () => {
    rows.apply(engine.memory.changes());
    engine.memory.wasWritten();
    if (forgets) engine = rememberAnew(engine, rows, options);
  };
  const step = (input: Input): Step => {
    const result = engine.step(input, nowMs + skewMs);
    remember();
    return result;
  };
  const passUntil = (atMs: number) => {
    if (away) {
      nowMs = atMs;
      return;
    }
    for (
      let dueMs = engine.memory.nextDueMs();
      dueMs !== undefined && dueMs - skewMs <= atMs;
      dueMs = engine.memory.nextDueMs()
    ) {
      nowMs = Math.max(nowMs, dueMs - skewMs); // a clock set forth makes it late
      const { tellings } = step({ kind: "time" });
      const results = describeResults({ tellings, decisions: [] }, nowMs + skewMs, several);
      if (results !== "") said.push(`${shown(nowMs - BEGIN_MS)} ${results}`);
    }
    nowMs = atMs;
  };
  for (const { time, atMs, what } of linesOf(table)) {
    passUntil(BEGIN_MS + atMs);
    if (what === "") continue; // what is told by time alone is said above
    if (what === "nothing" || what === "superbell is killed") {
      away ||= what !== "nothing";
      said.push(`${time} ${what}`);
      continue;
    }
    const clock = /^the clock is set (forth|back) by (\w+)(, unnoticed)?$/.exec(what);
    if (clock !== null) {
      const byMs = (clock[1] === "forth" ? 1 : -1) * parseDuration(clock[2]!)!;
      skewMs += byMs;
      if (clock[3] === undefined) step({ kind: "clock_set", byMs });
      said.push(`${time} ${what}`);
      continue;
    }
    if (what.startsWith("superbell restarts")) {
      away = false;
      if (what.endsWith(" with another configuration")) {
        assert(next !== undefined, "which one?");
        options = engineOptions(next);
      }
      engine = new RuleEngine(
        options,
        new RuleMemory(JSON.parse(JSON.stringify(rows.remembered()))),
      );
    }
    if (what === "another configuration") {
      assert(next !== undefined, "which one?");
      options = engineOptions(next);
      engine = new RuleEngine(options, engine.memory);
    }
    const tellings: Telling[] = [];
    const decisions: Decision[] = [];
    const notes: string[] = [];
    for (const input of inputsOf(what, () => `event ${++events}`, engine, nowMs + skewMs)) {
      const result = step(
        input.kind === "event" ? { ...input, ...ranMs(input.event, running, nowMs) } : input,
      );
      tellings.push(...result.tellings);
      decisions.push(...result.decisions);
      notes.push(...result.notes.map(({ text }) => `${time} (log) ${text}`));
    }
    const results = describeResults({ tellings, decisions }, nowMs + skewMs, several);
    said.push(`${time} ${what} ${results}`.trim(), ...notes);
  }
  assertEquals(sorted(rows.remembered()), sorted(engine.memory.snapshot()));
  return said.map((line) => line.replace(/\s+/g, " ")).join("\n");
}

/** As the roster knows it: how long the process had been running when it ended. */
function ranMs(event: Event, running: Map<string, number>, nowMs: number): { ranMs?: number } {
  if (!("process" in event)) return {};
  const key = processKey(event.process);
  const since = running.get(key);
  if (event.kind === "process_running") running.set(key, nowMs);
  else running.delete(key);
  return event.kind === "process_exited" && since !== undefined ? { ranMs: nowMs - since } : {};
}

function rememberAnew(
  engine: RuleEngine,
  rows: StoredRows,
  options: ConstructorParameters<typeof RuleEngine>[0],
): RuleEngine {
  const { failures, stopping } = engine.memory.snapshot();
  const stored = JSON.parse(JSON.stringify({ ...rows.remembered(), failures, stopping }));
  const memory = new RuleMemory(stored);
  memory.lastMs = engine.memory.lastMs;
  return new RuleEngine(options, memory);
}

function sorted(remembered: ReturnType<StoredRows["remembered"]>): unknown {
  const { incidents, tallies, silences } = JSON.parse(JSON.stringify(remembered));
  const byText = (left: unknown, right: unknown) =>
    JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
  for (const { members } of incidents) members.sort(byText);
  return { incidents: incidents.sort(byText), tallies: tallies.sort(byText), silences };
}

// Lines

function normalized(table: string): string {
  return table.split("\n").map((line) => line.replace(/#.*$/, "").trim().replace(/\s+/g, " "))
    .filter((line) => line !== "").map((line) => {
      const [time = "", ...rest] = line.split(" ");
      const atMs = parseDuration(time);
      assert(atMs !== undefined, `no time at the beginning of "${line}"`);
      return [shown(atMs), ...rest].join(" ");
    }).join("\n");
}

/** `0s web:api EXITED => firing …`: the time, what happens, and what is told. */
function linesOf(table: string): Line[] {
  return normalized(table).split("\n").map((line) => {
    const [before = ""] = line.split("=>");
    const [time = "", ...words] = before.trim().split(" ");
    return { time, atMs: parseDuration(time)!, what: words[0] === "(log)" ? "" : words.join(" ") };
  });
}

function shown(ms: number): string {
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, ms / 1000 % 60];
  return [h > 0 ? `${h}h` : "", m > 0 ? `${m}m` : "", s > 0 || ms < 1000 ? `${s}s` : ""].join("");
}

// What happens

const STATES: Readonly<Record<string, string>> = {
  STARTING: " tries:0",
  RUNNING: " pid:7",
  BACKOFF: " tries:1",
  STOPPING: " pid:7",
  STOPPED: " pid:7",
  EXITED: " expected:0 pid:7",
  "EXITED as expected": " expected:1 pid:7",
  FATAL: "",
  UNKNOWN: "",
};

function inputsOf(
  what: string,
  nextSeed: () => string,
  engine: RuleEngine,
  nowMs: number,
): Input[] {
  if (what.startsWith("superbell restarts")) return [{ kind: "start" }];
  if (what === "another configuration") return [{ kind: "reload" }];
  const event = (eventname: string, payload: string): Input => ({
    kind: "event",
    event: eventOf(eventname, payload),
    seed: nextSeed(),
  });
  const only = /^only (.+) is there$/.exec(what);
  if (only !== null) {
    const processes = only[1]!.split(" ").map((word) => word.split("=")).flatMap((
      [name = "", state = "RUNNING"],
    ) => processesOf(name).map((process) => ({ process, state: state as ProcessState })));
    return [{ kind: "processes", processes }];
  }
  const acknowledged = /^(\S+) acknowledged by (\S+)$/.exec(what);
  if (acknowledged !== null) {
    const [, key = "", by = ""] = acknowledged;
    const incident = engine.memory.incidents().find((open) => open.key === key)?.id ?? key;
    return [{ kind: "acknowledge", incident, by, reason: "" }];
  }
  const silence = /^silence (\S+) for (\S+)$/.exec(what);
  if (silence !== null) {
    const [, pattern = "", duration = ""] = silence;
    return [{
      kind: "silence",
      silence: {
        id: pattern,
        patterns: pattern.split(","),
        createdAtMs: nowMs,
        untilMs: nowMs + parseDuration(duration)!,
        reason: "",
        by: "root",
      },
    }];
  }
  const unsilence = /^silence (\S+) ends$/.exec(what);
  if (unsilence !== null) return [{ kind: "unsilence", id: unsilence[1]! }];
  const group = /^group (\S+) (added|removed)$/.exec(what);
  if (group !== null) {
    return [event(`PROCESS_GROUP_${group[2]!.toUpperCase()}`, `groupname:${group[1]}\n`)];
  }
  const supervisord = /^supervisord (RUNNING|STOPPING)$/.exec(what);
  if (supervisord !== null) return [event(`SUPERVISOR_STATE_CHANGE_${supervisord[1]}`, "")];
  const remote = /^remote (\S+): (.*)$/.exec(what);
  if (remote !== null) return [event("REMOTE_COMMUNICATION", `type:${remote[1]}\n${remote[2]}`)];
  if (what === "tick") return [event("TICK_60", `when:${Math.floor(nowMs / 1000)}`)];
  const [name = "", ...words] = what.split(" ");
  return processesOf(name).map(({ group, name }) => {
    const subject = `processname:${name} groupname:${group}`;
    const log = /^logs (.*)$/.exec(words.join(" "));
    if (log !== null) {
      return event("PROCESS_LOG_STDERR", `${subject} pid:7 channel:stderr\n${log[1]}`);
    }
    const rest = STATES[words.join(" ")];
    assert(rest !== undefined, `what is "${what}"?`);
    return event(`PROCESS_STATE_${words[0]}`, `${subject} from_state:RUNNING${rest}`);
  });
}

/** `web:api`, or `web:w[0-2]` for three of them. */
function processesOf(text: string): ProcessName[] {
  const [group = "", name = group] = text.split(":");
  const range = /^(.*)\[(\d+)-(\d+)\]$/.exec(name);
  if (range === null) return [{ group, name }];
  const [, stem, from, to] = range;
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => ({
    group,
    name: `${stem}${Number(from) + index}`,
  }));
}

export function eventOf(eventname: string, payload: string): Event {
  const bytes = new TextEncoder().encode(payload);
  return parseEvent({
    header: {
      ver: "3.0",
      server: "supervisor",
      serial: 1,
      pool: "superbell",
      poolserial: 1,
      eventname,
      len: bytes.length,
    },
    payload: bytes,
    droppedBytes: 0,
  });
}

// What is told

/** Reasons that say nothing to a reader of a table: the rule has nothing to do with the event. */
const SILENT = [
  "event-not-in-on",
  "process-not-in-where",
  "process-excluded",
  "group-not-in-where",
];

function describeResults(
  { tellings, decisions }: Pick<Step, "tellings" | "decisions">,
  nowMs: number,
  several: boolean,
): string {
  const held = new Set(
    decisions.filter(({ verdict, reason }) => verdict !== "alert" && !SILENT.includes(reason))
      .map(({ rule, reason }) => `(${several ? `${rule}: ` : ""}${reason})`),
  );
  const results = [...tellings.map((telling) => describe(telling, nowMs, several)), ...held];
  return results.length === 0 ? "" : `=> ${results.join(" & ")}`;
}

function describe(telling: Telling, nowMs: number, several: boolean): string {
  const { incident, word, rule, to } = telling;
  const by = several ? ` by ${rule}` : "";
  const others = to.join() === "oncall" ? "" : ` to ${to.join(", ")}`;
  const severity = telling.severity === "warning" ? "" : `, ${telling.severity}`;
  if (incident === undefined) {
    const subject = "process" in telling.event ? ` ${displayName(telling.event.process)}` : "";
    return `notice ${word}${subject}${by}${others}${severity}`;
  }
  const { kind, sinceMs, downMs, ends, settling, reminder, heldBy, joined } = incident;
  const { processes } = joined ?? incident;
  const who = processes.length <= 3
    ? processes.map(displayName).join(" ")
    : `${processes.length} processes`;
  const what = kind === "resolved" ? settling : word;
  const number = reminder === undefined ? "" : ` ${reminder}`;
  return `${joined === undefined ? kind : "joined"}${number} ${what} ${who}${by}${others}` +
    (joined === undefined ? "" : `, ${joined.unsettled} down`) +
    (downMs === undefined ? "" : `, down ${shown(downMs)}`) +
    (kind === "resolved" || sinceMs === nowMs ? "" : `, since ${shown(nowMs - sinceMs)}`) +
    (ends > 1 ? `, ended ${ends} times` : "") + (heldBy === undefined ? "" : `, held: ${heldBy}`) +
    severity;
}

function shortId(seed: string): string {
  let hash = 0x811c9dc5;
  for (const char of seed) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
