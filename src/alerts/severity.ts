// How much a message matters as a whole: as much as the worst of its alerts.

import { SEVERITIES, type Severity } from "../rules/pacing.ts";
import type { Alert } from "./alert.ts";

/** The highest severity among the alerts; that something is over is worth "info". */
export function severityOf(alerts: readonly Alert[]): Severity {
  const ranks = alerts.map((alert) =>
    isRecovery(alert) ? 0 : SEVERITIES.indexOf(alert.severity ?? "warning")
  );
  return SEVERITIES[Math.max(0, ...ranks)]!;
}

/** Whether it says that something is over: nobody need get up for that. */
export function isRecovery({ word, incident }: Alert): boolean {
  return incident?.kind === "resolved" || word === "channel_recovered" ||
    word === "reload_recovered";
}

/** Whether the one matters at least as much as the other. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
}
