// Finds out what an event does not say: how the process ended. supervisord's own log has it at
// the moment the event comes; XML-RPC has forgotten it when the process is started again. It
// belongs to delivery, for intake waits for nobody, and it may take no longer than a second: a
// message without the cause now is better than one with it later.

import type { Alert, Exit } from "./alerts/alert.ts";
import type { Log } from "./log.ts";
import type { SupervisorClient } from "./supervisor/client.ts";
import {
  type ExitFinding,
  exitOfInfo,
  findExit,
  readExitLog,
  surerExit,
} from "./supervisor/exit_reason.ts";
import { readSupervisorLog } from "./supervisor/log_tail.ts";
import type { RpcValue } from "./supervisor/xmlrpc.ts";

/** What delivery asks for. Never rejects; alerts of which nothing is found stay as they are. */
export interface Enrichment {
  enrich(alerts: readonly Alert[], signal: AbortSignal): Promise<readonly Alert[]>;
}

/** For the whole of it. */
const TIMEOUT_MS = 1000;

/** The end of supervisord's log that is looked at: some 200 bytes for each process that ends. */
const MIN_LOG_BYTES = 64 * 1024;
const LOG_BYTES_FOR_EACH = 1024;
const MAX_LOG_BYTES = 1024 * 1024;

/** Reads the causes from supervisord. */
export class SupervisorEnrichment implements Enrichment {
  readonly #client: SupervisorClient;
  readonly #log: Log;

  constructor(client: SupervisorClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  async enrich(alerts: readonly Alert[], signal: AbortSignal): Promise<readonly Alert[]> {
    const wanted = alerts.filter(isWanted).length;
    if (wanted === 0) return alerts;
    const options = { timeoutMs: TIMEOUT_MS, signal };
    const bytes = Math.min(MAX_LOG_BYTES, MIN_LOG_BYTES + wanted * LOG_BYTES_FOR_EACH);
    try {
      const [text, list] = await Promise.all([
        readSupervisorLog(this.#client, bytes, options),
        this.#client.call("supervisor.getAllProcessInfo", [], options),
      ]);
      const infos = list as readonly Readonly<Record<string, RpcValue>>[];
      const exits = readExitLog(text);
      const runningPids = new Set(infos.map(({ pid }) => Number(pid)));
      return alerts.map((alert) => {
        if (!isWanted(alert)) return alert;
        const { name, group } = alert.process!;
        const namesakes = infos.filter((info) => info.name === name && info.group !== group).length;
        const byLog = findExit(exits, {
          name,
          pid: alert.pid,
          ended: "exited",
          namesakes,
          runningPids,
        });
        const info = infos.find((other) => other.name === name && other.group === group);
        return withExit(alert, surerExit(byLog, exitOfInfo(info ?? null)));
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.info(
        `cannot find out how ${wanted === 1 ? "a process" : "processes"} ended: ${why}`,
      );
      return alerts;
    }
  }
}

/** Whether the alert is about a process that ended by itself, and nobody has looked yet. */
function isWanted({ process, word, exit }: Alert): boolean {
  if (process === undefined || exit !== undefined) return false;
  return word === "crash" || word === "exit" || word === "fatal" || word === "start_failed";
}

function withExit(alert: Alert, finding: ExitFinding): Alert {
  const { certainty, reason, spawnError } = finding;
  if (certainty === "unknown") return alert;
  // supervisord said that it was not expected; a cause that says otherwise is another's.
  if (alert.expected !== undefined && finding.expected !== undefined) {
    if (alert.expected !== finding.expected) return alert;
  }
  const exit: Exit = {
    certainty,
    ...(reason?.kind === "status" && { status: reason.status }),
    ...(reason?.kind === "signal" && reason.signal !== undefined && { signal: reason.signal }),
    ...(reason?.kind === "signal" && reason.coreDumped === true && { coreDumped: true }),
    ...(spawnError !== undefined && { spawnError }),
  };
  return Object.keys(exit).length > 1 ? { ...alert, exit } : alert;
}
