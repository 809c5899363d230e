// A message as a rule makes it, with what a test wants to be different.

import type { Alert } from "../../src/alerts/alert.ts";
import { compose, type Message } from "../../src/alerts/compose.ts";
import type { Language } from "../../src/alerts/messages.ts";
import type { IncidentReport } from "../../src/rules/incident.ts";

/** An alert about a crash of web:api. */
export const ALERT: Alert = {
  id: "0123456789ab",
  rule: "crash",
  word: "crash",
  eventname: "PROCESS_STATE_EXITED",
  atMs: Date.UTC(2026, 10, 21, 2, 11, 30),
  host: { name: "node-7", address: "10.0.0.7" },
  supervisor: "supervisor",
  process: { name: "api", group: "web" },
  pid: 4242,
  fromState: "RUNNING",
  expected: false,
};

/** The incident that it opens. */
export const INCIDENT: IncidentReport = {
  id: "9f1c00aa",
  kind: "firing",
  number: 1,
  sinceMs: ALERT.atMs,
  ends: 1,
  by: "process",
  key: "web:api",
  processes: [{ name: "api", group: "web" }],
  count: 1,
};

/** The message about it. */
export function messageOf(changes: Partial<Alert> = {}, language: Language = "en"): Message {
  return compose({ ...ALERT, ...changes }, { language, timeZone: "UTC" });
}
