// Frame to event. Payload forms are those of supervisor/events.py, 3.0 to 4.3. Names are
// free text (blanks, colons, even " from_state:"), so each form is anchored at its end.

import type { Event, EventOrigin } from "./event.ts";
import type { Frame } from "./frame.ts";
import { decodeData, decodeText } from "./text.ts";

const STATE_KINDS = {
  PROCESS_STATE_STARTING: "process_starting",
  PROCESS_STATE_BACKOFF: "process_backoff",
  PROCESS_STATE_RUNNING: "process_running",
  PROCESS_STATE_STOPPING: "process_stopping",
  PROCESS_STATE_STOPPED: "process_stopped",
  PROCESS_STATE_EXITED: "process_exited",
  PROCESS_STATE_FATAL: "process_fatal",
  PROCESS_STATE_UNKNOWN: "process_unknown",
} as const;

const STATE =
  /^processname:(.*) groupname:(.*) from_state:([A-Z]+)(?: tries:(\d+)| pid:(\d+)| expected:([01]) pid:(\d+))?$/s;
const LOG = /^processname:(.*) groupname:(.*) pid:(\d+) channel:(stdout|stderr)$/s;
const COMMUNICATION = /^processname:(.*) groupname:(.*) pid:(\d+)$/s;

/** The event that a frame is. Never throws: what has not the form of its type is "unknown". */
export function parseEvent(frame: Frame): Event {
  const { server, serial, pool, poolserial, eventname } = frame.header;
  const origin = { server, serial, pool, poolserial, eventname };
  return parsePayload(origin, frame.payload) ??
    { kind: "unknown", origin, text: decodeText(frame.payload) };
}

/** Whether payloads of this type have a fixed form on one line, so that other text is damage. */
export function hasStrictForm(eventname: string): boolean {
  return Object.hasOwn(STATE_KINDS, eventname) ||
    /^(TICK_|SUPERVISOR_STATE_|PROCESS_GROUP_)/.test(eventname);
}

function parsePayload(origin: EventOrigin, payload: Uint8Array): Event | undefined {
  const { eventname } = origin;
  if (Object.hasOwn(STATE_KINDS, eventname)) return parseState(origin, decodeText(payload));
  switch (eventname) {
    case "PROCESS_LOG_STDOUT":
    case "PROCESS_LOG_STDERR":
    case "PROCESS_COMMUNICATION_STDOUT":
    case "PROCESS_COMMUNICATION_STDERR":
      return parseText(origin, payload);
    case "REMOTE_COMMUNICATION": {
      const [first, data] = splitFirstLine(payload);
      const type = /^type:(.*)$/s.exec(decodeText(first))?.[1];
      return type === undefined
        ? undefined
        : { kind: "remote_communication", origin, type, text: decodeData(data) };
    }
    case "PROCESS_GROUP_ADDED":
    case "PROCESS_GROUP_REMOVED": {
      const group = /^groupname:(.*?)\n?$/s.exec(decodeText(payload))?.[1];
      if (group === undefined) return undefined;
      const added = eventname === "PROCESS_GROUP_ADDED";
      return { kind: added ? "process_group_added" : "process_group_removed", origin, group };
    }
    case "SUPERVISOR_STATE_CHANGE_RUNNING":
      return { kind: "supervisor_running", origin };
    case "SUPERVISOR_STATE_CHANGE_STOPPING":
      return { kind: "supervisor_stopping", origin };
  }
  const period = /^TICK_(\d+)$/.exec(eventname)?.[1];
  const when = /^when:(\d{1,12})$/.exec(decodeText(payload.subarray(0, 64)))?.[1];
  if (period === undefined || when === undefined) return undefined;
  return { kind: "tick", origin, periodS: Number(period), whenMs: Number(when) * 1000 };
}

function parseState(origin: EventOrigin, text: string): Event | undefined {
  const match = STATE.exec(text);
  if (match === null) return undefined;
  const [, name, group, fromState, tries, pid, expected, exitPid] = match;
  const base = { origin, process: { name: name!, group: group! }, fromState: fromState! };
  const kind = STATE_KINDS[origin.eventname as keyof typeof STATE_KINDS];
  switch (kind) {
    case "process_starting":
    case "process_backoff":
      return tries === undefined ? undefined : { kind, ...base, tries: Number(tries) };
    case "process_running":
    case "process_stopping":
    case "process_stopped":
      return pid === undefined ? undefined : { kind, ...base, pid: Number(pid) };
    case "process_exited":
      return expected === undefined
        ? undefined
        : { kind, ...base, pid: Number(exitPid), expected: expected === "1" };
    case "process_fatal":
    case "process_unknown":
      return { kind, ...base };
  }
}

function parseText(origin: EventOrigin, payload: Uint8Array): Event | undefined {
  const [first, data] = splitFirstLine(payload);
  const channel = origin.eventname.endsWith("STDERR") ? "stderr" : "stdout";
  const isLog = origin.eventname.startsWith("PROCESS_LOG");
  const match = (isLog ? LOG : COMMUNICATION).exec(decodeText(first));
  if (match === null) return undefined;
  return {
    kind: isLog ? "process_log" : "process_communication",
    origin,
    process: { name: match[1]!, group: match[2]! },
    pid: Number(match[3]),
    channel,
    text: decodeData(data),
  };
}

function splitFirstLine(payload: Uint8Array): [Uint8Array, Uint8Array] {
  const end = payload.indexOf(10);
  return end < 0
    ? [payload, new Uint8Array()]
    : [payload.subarray(0, end), payload.subarray(end + 1)];
}
