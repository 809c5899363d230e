// Faults: for each way in which a service can fail, a listener of its own gets some crashes while
// the fault lasts. Counted are the alerts that came through afterwards, how soon after its end,
// and what the listener cost while there was nothing to do but wait.

import { superbell } from "../support/executable.ts";
import { crashFrame, PipedListener } from "../support/piped_listener.ts";
import { makePlace } from "../support/places.ts";
import { until } from "../support/until.ts";
import { type Fault, FAULTS, type Rig, TIMEOUT_MS } from "./fault_list.ts";
import {
  comes,
  countAttempts,
  countEntries,
  cpuMs,
  duration,
  pause,
  type Row,
  type Say,
} from "./figures.ts";

/** How many alerts wait, and how long. */
export interface FaultsOptions {
  readonly alerts: number;
  /** The fault lasts so long after the first failures, and the listener's cost is taken meanwhile. */
  readonly downMs: number;
  /** So many faults at the same time. */
  readonly atOnce: number;
  readonly say: Say;
}

/** What came of one fault. */
export interface FaultCounts {
  readonly name: string;
  /** Why it cannot be made on this host; then all else is nothing. */
  readonly skipped?: string;
  readonly alerts: number;
  /** Attempts that were made while it lasted. */
  readonly attempts: number;
  /** Processor time that the listener used, and in what time. */
  readonly cpuMs: number;
  readonly cpuOverMs: number;
  /** Alerts that were taken in the end, and those of them more than once. */
  readonly taken: number;
  readonly takenAgain: number;
  /** Entries that stand as dead in the end. */
  readonly dead: number;
  /** From the end of the fault until the first and the last alert were taken. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** One backoff: the longest wait that may have begun just before the fault's end. */
  readonly backoffMs: number;
}

const RETRY = { firstMs: 200, mostMs: 2000 };
/** For an attempt that succeeds, on a machine with other things to do. */
const MARGIN_MS = 500;
const COMES_WITHIN_MS = 30_000;
const FIRST_FAILURES = 3;
/** Starting and the first attempts are no part of the cost of waiting. */
const CALM_MS = 1000;

/** Makes every fault and counts. */
export async function faults(options: FaultsOptions): Promise<FaultCounts[]> {
  const counts: FaultCounts[] = [];
  for (let at = 0; at < FAULTS.length; at += options.atOnce) {
    const some = FAULTS.slice(at, at + options.atOnce);
    counts.push(...await Promise.all(some.map((fault) => oneFault(fault, options))));
    options.say(`${counts.length} of ${FAULTS.length} faults`);
  }
  return counts;
}

/** The lines of the summary. */
export function faultRows(all: readonly FaultCounts[]): Row[] {
  return all.map((counts): Row => {
    const { name, alerts, taken, takenAgain, dead, lastMs, backoffMs } = counts;
    if (counts.skipped !== undefined) return { what: name, figure: counts.skipped };
    const cpu = counts.cpuMs / counts.cpuOverMs;
    return {
      what: name,
      figure:
        `${taken} of ${alerts}, ${takenAgain} again, ${dead} dead; ${counts.attempts} attempts; ` +
        `cpu ${(cpu * 100).toFixed(1)} %; back after ${duration(counts.firstMs)} to ${
          duration(lastMs)
        }`,
      goal: `all, 0, 0; 5 %; ${duration(backoffMs)}`,
      kept: taken === alerts && takenAgain === 0 && dead === 0 && cpu < 0.05 &&
        lastMs <= backoffMs,
    };
  });
}

async function oneFault(fault: Fault, options: FaultsOptions): Promise<FaultCounts> {
  const { alerts, downMs } = options;
  const backoffMs = RETRY.mostMs + (fault.delayMs ?? 0) + MARGIN_MS;
  const skipped = await fault.skip?.();
  if (skipped !== undefined) return { ...NOTHING, name: fault.name, skipped };
  await using stack = new AsyncDisposableStack();
  const place = stack.use(makePlace());
  const rig = await fault.open(place, stack);
  const config = place.write("superbell.yaml", configText(rig));
  await rig.front.become({ kind: "forward", port: rig.port });
  await fault.begin(rig, place, stack);
  const listener = stack.use(
    new PipedListener(config, rig.program === undefined ? {} : { program: rig.program }),
  );
  await listener.ready(1);
  for (let serial = 0; serial < alerts; serial++) {
    await listener.take(crashFrame(serial, `job_${serial}`));
  }
  await until(
    `${fault.name}: the first failures`,
    () =>
      fault.byHand
        ? countEntries(place.dir, "dead") === alerts
        : countAttempts(place.dir) >= FIRST_FAILURES,
    { tails: () => listener.log },
  );
  await pause(Math.min(CALM_MS, downMs));
  const before = { cpuMs: cpuMs(listener.pid), atMs: performance.now() };
  await pause(downMs);
  const cost = {
    cpuMs: cpuMs(listener.pid) - before.cpuMs,
    overMs: performance.now() - before.atMs,
  };
  const attempts = countAttempts(place.dir);

  rig.treatment = "takes";
  await rig.front.become({ kind: "forward", port: rig.port });
  await fault.end?.(rig, place);
  const endAtMs = performance.now();
  if (fault.byHand) {
    const { code, stderr } = await superbell(["outbox", "retry", "--all", "-c", config]);
    if (code !== 0) throw new Error(`superbell outbox retry: ${stderr}`);
  }
  await comes(() => rig.taken().length > 0, COMES_WITHIN_MS);
  const firstMs = performance.now() - endAtMs;
  await comes(() => new Set(rig.taken()).size >= alerts, COMES_WITHIN_MS);
  const lastMs = performance.now() - endAtMs;
  await comes(() => countEntries(place.dir, "waiting") === 0, COMES_WITHIN_MS);
  return {
    name: fault.name,
    alerts,
    attempts,
    cpuMs: cost.cpuMs,
    cpuOverMs: cost.overMs,
    taken: new Set(rig.taken()).size,
    takenAgain: rig.taken().length - new Set(rig.taken()).size,
    dead: countEntries(place.dir, "dead"),
    firstMs,
    lastMs,
    backoffMs,
  };
}

const NOTHING: Omit<FaultCounts, "name"> = {
  alerts: 0,
  attempts: 0,
  cpuMs: 0,
  cpuOverMs: 0,
  taken: 0,
  takenAgain: 0,
  dead: 0,
  firstMs: 0,
  lastMs: 0,
  backoffMs: 0,
};

function configText({ config }: Rig): string {
  return `
language: en
state_dir: "{dir}"
retry: { first: ${RETRY.firstMs}ms, most: ${RETRY.mostMs}ms }
channels:
  c: { ${config}, timeout: ${TIMEOUT_MS}ms }
rules:
  - { name: crash, on: [crash], to: [c] }
`;
}
