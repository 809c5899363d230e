// Asks supervisord what its processes do and how they ended, for a comparison with the roster:
// its list, its name, and the end of its log. The list alone is enough; without the log two
// crashes of one program look like one.

import type { Exit } from "../events/event.ts";
import type { LoggedEnd, Look, NameLog, ProcessInfo } from "../rules/differences.ts";
import type { CallOptions, SupervisorClient } from "./client.ts";
import { type ExitLog, exitOfInfo, type ExitReason, readExitLog } from "./exit_reason.ts";
import { readSupervisorLog } from "./log_tail.ts";
import { readingsOf } from "./log_time.ts";
import type { RpcValue } from "./xmlrpc.ts";

/** What supervisord answered, and what it could not. */
export interface Answer {
  readonly look: Look;
  /** supervisord's `identifier=`. */
  readonly server: string;
  /** Why there is nothing of the log; undefined: there is. */
  readonly logTrouble: string | undefined;
}

/** How to ask. */
export interface AskOptions extends CallOptions {
  /** How many of the processes need an explanation by the log; 0: it is not read. */
  readonly countNews: (infos: readonly ProcessInfo[]) => number;
}

/**
 * The end of supervisord's log that is looked at: a crash and a new start are some 300 bytes. Not
 * more, for supervisord waits while we read them.
 */
const MIN_LOG_BYTES = 64 * 1024;
const LOG_BYTES_FOR_EACH = 1024;
const MAX_LOG_BYTES = 512 * 1024;

/** Asks. Throws an RpcFault or a SupervisorError where there is no list. */
export async function askSupervisor(
  client: SupervisorClient,
  options: AskOptions,
): Promise<Answer> {
  const [list, identification] = await Promise.all([
    client.call("supervisor.getAllProcessInfo", [], options),
    client.call("supervisor.getIdentification", [], options),
  ]);
  const server = String(identification);
  const infos = (list as readonly Readonly<Record<string, RpcValue>>[]).map(infoOf);
  const news = options.countNews(infos);
  if (news === 0) return { look: { infos, log: new Map() }, server, logTrouble: undefined };
  // Behind the list, so that the log has the end of every process that the list says has ended.
  const bytes = Math.min(MAX_LOG_BYTES, MIN_LOG_BYTES + LOG_BYTES_FOR_EACH * news);
  try {
    const text = await readSupervisorLog(client, bytes, options);
    await turn();
    return { look: { infos, log: logOf(readExitLog(text)) }, server, logTrouble: undefined };
  } catch (error) {
    const logTrouble = error instanceof Error ? error.message : String(error);
    return { look: { infos, log: new Map() }, server, logTrouble };
  }
}

/** Lets events be answered in between. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** A process as getAllProcessInfo describes it. */
export function infoOf(info: Readonly<Record<string, RpcValue>>): ProcessInfo {
  const { certainty, expected, reason, spawnError } = exitOfInfo(info, Number(info.start));
  const exit = certainty === "unknown" ? undefined : exitOf(reason, { certainty, spawnError });
  return {
    process: { name: String(info.name), group: String(info.group) },
    state: info.statename as ProcessInfo["state"],
    pid: Number(info.pid),
    startedAtS: Number(info.start),
    stoppedAtS: Number(info.stop),
    ...(expected !== undefined && { expected }),
    ...(exit !== undefined && { exit }),
  };
}

/** What the log says about each name since supervisord's last start. */
export function logOf({ historiesByName }: ExitLog): Look["log"] {
  return new Map(
    [...historiesByName].map(([name, history]): [string, NameLog] => [name, {
      ends: history.exits.slice(history.exitsOfOthers).map((end): LoggedEnd => {
        const exit = exitOf(end.reason, { certainty: "sure" });
        return {
          ended: end.ended,
          ran: end.ran,
          readingsMs: readingsOf(end.time),
          ...(end.pid !== undefined && { pid: end.pid }),
          ...(end.expected !== undefined && { expected: end.expected }),
          ...(exit !== undefined && { exit }),
        };
      }),
      ranMs: readingsOf(history.lastRan),
      endsBefore: new Map(
        [...history.spawnedAfterExits].map(([pid, count]) => [pid, count - history.exitsOfOthers]),
      ),
    }]),
  );
}

/** The cause as an alert tells it; undefined: nothing that could be told. */
export function exitOf(
  reason: ExitReason | undefined,
  { certainty, spawnError }: Pick<Exit, "certainty"> & { readonly spawnError?: string | undefined },
): Exit | undefined {
  const exit: Exit = {
    certainty,
    ...(reason?.kind === "status" && { status: reason.status }),
    ...(reason?.kind === "signal" && reason.signal !== undefined && { signal: reason.signal }),
    ...(reason?.kind === "signal" && reason.coreDumped === true && { coreDumped: true }),
    ...(spawnError !== undefined && { spawnError }),
  };
  return Object.keys(exit).length > 1 ? exit : undefined;
}
