// Every recorded event against describe.py's own reading of it, every type by hand, and what
// is not of its type's form.

import { createHash } from "node:crypto";
import { displayName, type Event, groupOf, processOf, textOf } from "../../src/events/event.ts";
import { hasStrictForm, parseEvent } from "../../src/events/parse.ts";
import { assertEquals } from "../support/assert.ts";
import { type Capture, captures, frameOf, framesOf } from "../support/frames.ts";

/** The event in describe.py's words. */
function described(event: Event): Record<string, unknown> {
  const { origin, ...fields } = event;
  const { serial, poolserial, server, pool, eventname } = origin;
  const text = textOf(event);
  return {
    serial,
    poolserial,
    server,
    pool,
    eventname,
    kind: fields.kind,
    process: processOf(event)?.name,
    group: groupOf(event),
    from_state: "fromState" in fields ? fields.fromState : undefined,
    pid: "pid" in fields ? fields.pid : undefined,
    tries: "tries" in fields ? fields.tries : undefined,
    expected: "expected" in fields ? fields.expected : undefined,
    channel: "channel" in fields ? fields.channel : undefined,
    type: "type" in fields ? fields.type : undefined,
    period_s: "periodS" in fields ? fields.periodS : undefined,
    when_s: "whenMs" in fields ? fields.whenMs / 1000 : undefined,
    chars: text === undefined ? undefined : [...text].length,
    digest: text === undefined
      ? undefined
      : createHash("sha256").update(text).digest("hex").slice(0, 16),
  };
}

function goldenOf({ events }: Capture): Record<string, unknown>[] {
  return events.map(({ len: _len, bytes: _bytes, ...event }) => event);
}

for (const capture of captures()) {
  Deno.test(`parseEvent() reads every event of ${capture.name} as describe.py does`, () => {
    const found = framesOf(capture).map((frame) => described(parseEvent(frame)));
    for (const event of found) {
      for (const key of Object.keys(event)) if (event[key] === undefined) delete event[key];
    }
    assertEquals(found, goldenOf(capture));
  });
}

const P = "processname:api groupname:web";
const process = { name: "api", group: "web" };

/** Event name, payload, the event without its origin. */
const TYPES: readonly [string, string, Record<string, unknown>][] = [
  ["PROCESS_STATE_STARTING", `${P} from_state:STOPPED tries:0`, {
    kind: "process_starting",
    process,
    fromState: "STOPPED",
    tries: 0,
  }],
  ["PROCESS_STATE_BACKOFF", `${P} from_state:STARTING tries:3`, {
    kind: "process_backoff",
    process,
    fromState: "STARTING",
    tries: 3,
  }],
  ["PROCESS_STATE_RUNNING", `${P} from_state:STARTING pid:42`, {
    kind: "process_running",
    process,
    fromState: "STARTING",
    pid: 42,
  }],
  ["PROCESS_STATE_STOPPING", `${P} from_state:RUNNING pid:42`, {
    kind: "process_stopping",
    process,
    fromState: "RUNNING",
    pid: 42,
  }],
  ["PROCESS_STATE_STOPPED", `${P} from_state:BACKOFF pid:0`, {
    kind: "process_stopped",
    process,
    fromState: "BACKOFF",
    pid: 0,
  }],
  ["PROCESS_STATE_EXITED", `${P} from_state:RUNNING expected:0 pid:42`, {
    kind: "process_exited",
    process,
    fromState: "RUNNING",
    pid: 42,
    expected: false,
  }],
  ["PROCESS_STATE_EXITED", `${P} from_state:RUNNING expected:1 pid:42`, {
    kind: "process_exited",
    process,
    fromState: "RUNNING",
    pid: 42,
    expected: true,
  }],
  ["PROCESS_STATE_FATAL", `${P} from_state:BACKOFF`, {
    kind: "process_fatal",
    process,
    fromState: "BACKOFF",
  }],
  ["PROCESS_STATE_UNKNOWN", `${P} from_state:STOPPING`, {
    kind: "process_unknown",
    process,
    fromState: "STOPPING",
  }],
  ["PROCESS_LOG_STDOUT", `${P} pid:42 channel:stdout\na\nb\n`, {
    kind: "process_log",
    process,
    pid: 42,
    channel: "stdout",
    text: "a\nb\n",
  }],
  ["PROCESS_LOG_STDERR", `${P} pid:42 channel:stderr\n`, {
    kind: "process_log",
    process,
    pid: 42,
    channel: "stderr",
    text: "",
  }],
  ["PROCESS_COMMUNICATION_STDOUT", `${P} pid:42\n{"a": 1}`, {
    kind: "process_communication",
    process,
    pid: 42,
    channel: "stdout",
    text: '{"a": 1}',
  }],
  ["PROCESS_COMMUNICATION_STDERR", `${P} pid:42\n\n`, {
    kind: "process_communication",
    process,
    pid: 42,
    channel: "stderr",
    text: "\n",
  }],
  ["REMOTE_COMMUNICATION", "type:发布\n第一行\n第二行", {
    kind: "remote_communication",
    type: "发布",
    text: "第一行\n第二行",
  }],
  ["REMOTE_COMMUNICATION", "type:\n", { kind: "remote_communication", type: "", text: "" }],
  ["REMOTE_COMMUNICATION", "type:x", { kind: "remote_communication", type: "x", text: "" }],
  ["PROCESS_GROUP_ADDED", "groupname: cap \n", { kind: "process_group_added", group: " cap " }],
  ["PROCESS_GROUP_REMOVED", "groupname:交易组\n", {
    kind: "process_group_removed",
    group: "交易组",
  }],
  ["SUPERVISOR_STATE_CHANGE_RUNNING", "", { kind: "supervisor_running" }],
  ["SUPERVISOR_STATE_CHANGE_STOPPING", "", { kind: "supervisor_stopping" }],
  ["TICK_5", "when:1700000005", { kind: "tick", periodS: 5, whenMs: 1_700_000_005_000 }],
  ["TICK_60", "when:0", { kind: "tick", periodS: 60, whenMs: 0 }],
  ["TICK_3600", "when:1700002800", { kind: "tick", periodS: 3600, whenMs: 1_700_002_800_000 }],
];
for (const [eventname, payload, wanted] of TYPES) {
  Deno.test(`parseEvent() reads ${eventname} ${JSON.stringify(payload)}`, () => {
    const { origin, ...event } = parseEvent(frameOf({ eventname, payload, serial: 9 }));
    assertEquals<unknown>(event, wanted);
    assertEquals(origin, {
      server: "supervisor",
      serial: 9,
      pool: "superbell",
      poolserial: 9,
      eventname,
    });
  });
}

const NAMES = [
  "订单服务",
  "fire 🔥",
  "a\tb",
  " blanks ",
  "a:b:c",
  "x from_state:FAKE",
  "x from_state:RUNNING expected:1 pid:1",
  "x pid:7",
  "new\nline",
  "",
  "e\u0301",
  "U+3000\u3000blank\u00a0",
];
for (const name of NAMES) {
  Deno.test(`parseEvent() reads a process and a group named ${JSON.stringify(name)}`, () => {
    const state = parseEvent(frameOf({
      eventname: "PROCESS_STATE_EXITED",
      payload: `processname:${name} groupname:${name} from_state:RUNNING expected:0 pid:42`,
    }));
    assertEquals(processOf(state), { name, group: name });
    assertEquals(state.kind === "process_exited" && state.pid, 42);
    if (name.includes("\n")) return; // a log's first line ends where the name does
    const log = parseEvent(frameOf({
      eventname: "PROCESS_LOG_STDOUT",
      payload: `processname:${name} groupname:${name} pid:42 channel:stdout\ntext`,
    }));
    assertEquals([processOf(log), textOf(log)], [{ name, group: name }, "text"]);
  });
}

/** Event name and a payload that is not of its form. */
const MALFORMED: readonly [string, string][] = [
  ["PROCESS_STATE_EXITED", ""],
  ["PROCESS_STATE_EXITED", `${P} from_state:RUNNING`],
  ["PROCESS_STATE_EXITED", `${P} from_state:RUNNING expected:2 pid:42`],
  ["PROCESS_STATE_EXITED", `${P} from_state:RUNNING expected:0 pid:`],
  ["PROCESS_STATE_EXITED", `${P} from_state:running expected:0 pid:1`],
  ["PROCESS_STATE_RUNNING", `${P} from_state:STARTING tries:1`],
  ["PROCESS_STATE_STARTING", `${P} from_state:STOPPED pid:1`],
  ["PROCESS_STATE_FATAL", "groupname:web from_state:BACKOFF"],
  ["PROCESS_STATE_FATAL", `x${P} from_state:BACKOFF`],
  ["PROCESS_LOG_STDOUT", `${P} pid:42\nno channel`],
  ["PROCESS_LOG_STDOUT", `${P} pid:x channel:stdout\n`],
  ["PROCESS_COMMUNICATION_STDOUT", "free text"],
  ["REMOTE_COMMUNICATION", "no type\n"],
  ["PROCESS_GROUP_ADDED", "group:x\n"],
  ["TICK_5", "when:"],
  ["TICK_5", "when:soon"],
  ["TICK_5", "when:5 and more"],
  ["TICK_5", `when:${"9".repeat(40)}`],
  ["TICK_X", "when:5"],
  ["None", "anything at all"],
  ["", ""],
  ["FUTURE_EVENT", "新的 🔥"],
  ["toString", "constructor"],
  ["__proto__", "x"],
  ["PROCESS_STATE", `${P} from_state:RUNNING`],
];
for (const [eventname, payload] of MALFORMED) {
  Deno.test(`parseEvent() carries ${eventname || "no name"} ${JSON.stringify(payload)} as unknown`, () => {
    const event = parseEvent(frameOf({ eventname, payload }));
    assertEquals<unknown>([event.kind, textOf(event)], ["unknown", payload]);
    assertEquals(event.origin.eventname, eventname);
    assertEquals([processOf(event), groupOf(event)], [undefined, undefined]);
  });
}

Deno.test("parseEvent() throws for no bytes whatever", () => {
  for (const [eventname] of TYPES) {
    for (let byte = 0; byte < 256; byte++) {
      const payload = new Uint8Array([112, byte, 10, byte, 0, byte]);
      assertEquals(parseEvent(frameOf({ eventname, payload })).origin.eventname, eventname);
    }
  }
});

Deno.test("hasStrictForm() holds for types without free text", () => {
  const strict = new Set(TYPES.map(([name]) => name).filter(hasStrictForm));
  assertEquals(
    strict,
    new Set(
      TYPES.map(([name]) => name).filter((name) => /STATE|GROUP|TICK/.test(name)),
    ),
  );
  assertEquals(hasStrictForm("None"), false);
});

Deno.test("displayName() leaves a group of the same name out", () => {
  assertEquals(displayName({ name: "api", group: "web" }), "web:api");
  assertEquals(displayName({ name: "api", group: "api" }), "api");
});
