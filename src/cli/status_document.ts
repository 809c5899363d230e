// The report of `superbell status` for programs. Every key is always there, null where nothing
// is known. Times are ISO 8601 in UTC, durations milliseconds. Keys may be added.

import { exitDocument, incidentDocument } from "./incident_document.ts";
import { lastExitOf } from "./incident_text.ts";
import { silenceDocument } from "./silence_report.ts";
import { advise } from "./status_text.ts";
import type { ChannelReport, Report, SeenProcess, StoredReport } from "./status_report.ts";

/** The document that --json prints. */
export function statusDocument(report: Report) {
  const { listener, stored, nowMs, settings, problem } = report;
  return {
    at: iso(nowMs),
    config: settings.path,
    state_dir: settings.stateDir,
    listener: {
      running: listener?.runs ?? null,
      pid: listener?.holder?.pid ?? null,
      since: iso(listener?.holder?.sinceMs),
      version: listener?.holder?.version ?? null,
    },
    supervisord: {
      running: stored?.supervisord.runs ?? null,
      pid: stored?.supervisord.pid ?? null,
    },
    problem: problem ?? null,
    processes: stored === undefined ? null : processesDocument(stored),
    incidents:
      stored?.incidents.map((one) =>
        incidentDocument(one, { nowMs, exit: lastExitOf(one, stored.processes) })
      ) ?? null,
    silences: stored?.silences.map((silence) => silenceDocument(silence, nowMs)) ?? null,
    maintenance: stored?.windows.map(({ patterns, untilMs }) => ({
      patterns,
      until: iso(untilMs),
      remaining_ms: Math.max(0, untilMs - nowMs),
    })) ?? null,
    outbox: stored === undefined ? null : outboxDocument(stored, nowMs),
    channels: stored?.channels.map((channel) => channelDocument(channel, nowMs)) ?? null,
    gaps: stored === undefined ? null : {
      count: stored.gaps.count,
      dropped: stored.gaps.dropped,
      recovered: stored.gaps.recovered,
      last_at: iso(stored.gaps.lastAtMs),
    },
    advice: advise(report),
  };
}

function processesDocument({ processes }: StoredReport) {
  const last = Math.max(...processes.map(({ lastEventAtMs = -Infinity }) => lastEventAtMs));
  const states = Map.groupBy(processes, ({ state }) => state);
  return {
    count: processes.length,
    troubled_count: processes.filter(({ isTroubled }) => isTroubled).length,
    count_by_state: Object.fromEntries([...states].map(([state, own]) => [state, own.length])),
    last_event_at: Number.isFinite(last) ? iso(last) : null,
    list: processes.map(processDocument),
  };
}

function processDocument(known: SeenProcess) {
  const { exit } = known;
  return {
    group: known.process.group,
    name: known.process.name,
    state: known.state,
    since: iso(known.sinceMs),
    troubled: known.isTroubled,
    pid: known.alivePid ?? null,
    restarts: known.restarts,
    exit: exitDocument(exit),
    last_event: known.lastEvent ?? null,
    last_event_at: iso(known.lastEventAtMs),
  };
}

function outboxDocument({ counts, oldest, delivered }: StoredReport, nowMs: number) {
  return {
    ...counts,
    delivered_in_24h: delivered,
    oldest_waiting: oldest === undefined ? null : {
      id: oldest.id,
      channel: oldest.channel,
      since: iso(oldest.sinceMs),
      waiting_ms: Math.max(0, nowMs - oldest.sinceMs),
      reason: oldest.reason ?? null,
    },
  };
}

function channelDocument(channel: ChannelReport, nowMs: number) {
  const { state, held } = channel;
  const failingSinceMs = state?.failingSinceMs;
  return {
    name: channel.name,
    type: channel.type ?? null,
    configured: channel.type !== undefined,
    last_at: iso(state?.lastAtMs),
    last_outcome: state?.lastOutcome ?? null,
    last_reason: state?.lastReason ?? null,
    failures: state?.failures ?? null,
    failing_since: iso(failingSinceMs),
    failing_ms: failingSinceMs === undefined ? null : Math.max(0, nowMs - failingSinceMs),
    closed_until: iso(held?.untilMs),
    closed_reason: held?.reason ?? null,
    waiting: channel.waiting,
    dead: channel.dead,
    fallback: channel.fallback ?? null,
  };
}

function iso(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
