// What supervisord says of some processes. Its whole list keeps it, and everybody who waits for
// it, for some 0.1 ms for each process it has: with thousands of them for a second. A few
// processes are asked about by name, in one call.

import type { ProcessName } from "../events/event.ts";
import type { CallOptions, SupervisorClient } from "./client.ts";
import type { RpcValue } from "./xmlrpc.ts";

/** What getProcessInfo and getAllProcessInfo answer about one process. */
export type ProcessInfo = Readonly<Record<string, RpcValue>>;

/** So many are always asked about by name. */
const FEW = 10;

/** One that is asked about by name costs as much as so many of the whole list, at most. */
const COST_BY_NAME = 10;

/** Whether asking about `count` processes by name costs less than the list of all `total`. */
export function isCheaperByName(count: number, total: number): boolean {
  return count <= Math.max(FEW, total / COST_BY_NAME);
}

/** The whole list. Throws an RpcFault or a SupervisorError. */
export async function askAboutAll(
  client: SupervisorClient,
  options: CallOptions = {},
): Promise<readonly ProcessInfo[]> {
  return await client.call("supervisor.getAllProcessInfo", [], options) as readonly ProcessInfo[];
}

/**
 * What it says of these; undefined where one is not found by its name: it is gone, or supervisord
 * is on Python 2, which lists names that are not ASCII but does not find them.
 */
export async function askAbout(
  client: SupervisorClient,
  processes: readonly ProcessName[],
  options: CallOptions = {},
): Promise<readonly ProcessInfo[] | undefined> {
  const results = await client.multicall(
    processes.map(({ group, name }) => ["supervisor.getProcessInfo", [`${group}:${name}`]]),
    options,
  );
  const infos = results.map((result) => "value" in result ? result.value as ProcessInfo : undefined)
    .filter((info, at) =>
      info?.group === processes[at]?.group && info?.name === processes[at]?.name
    ) as ProcessInfo[];
  return infos.length === processes.length ? infos : undefined;
}
