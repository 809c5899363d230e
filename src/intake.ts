// Intake: frame, event, decisions, alerts, one transaction, and only then OK. It waits for no
// network and for no other program. Whatever goes wrong here, supervisord gets its OK: an event
// that is refused or crashes us is sent again at once and for ever, and blocks all others.

import { alertFor, type Host } from "./alerts/alert.ts";
import type { Frame } from "./events/frame.ts";
import { displayName, type Event, groupOf, processOf, textOf } from "./events/event.ts";
import { parseEvent } from "./events/parse.ts";
import type { Log } from "./log.ts";
import type { Limit, NewEntry, Outbox } from "./outbox/outbox.ts";
import { decide, type Decision } from "./rules/decide.ts";
import type { Rule } from "./rules/rule.ts";

/** What intake works with. */
export interface IntakeOptions {
  readonly rules: readonly Rule[];
  readonly outbox: Outbox;
  /** Takes the entries that the disk does not. */
  readonly memory: Outbox;
  readonly host: () => Host;
  /** Names this run of supervisord; its serials are unique within it. */
  readonly supervisorRun: string;
  readonly now: () => number;
  /** How long an alert for this channel waits for others to be told with it. */
  readonly digestMs: (channel: string) => number;
  readonly log: Log;
  /** Told which channels have new entries. */
  readonly onStored: (channels: readonly string[]) => void;
}

/** What memory holds at most while the disk takes nothing, settled entries included. */
export const MEMORY_LIMIT: Limit = { entries: 10_000, bytes: 64 * 1024 ** 2 };

/** Takes one event after the other. */
export class Intake {
  readonly #options: IntakeOptions;
  /** New entries that neither disk nor memory took. */
  #lost = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Stores what is to be told about the frame. Never throws; afterwards OK may be said. */
  take(frame: Frame): void {
    try {
      this.#take(frame);
    } catch (error) {
      const { serial, eventname } = frame.header;
      this.#options.log.error(
        `a mistake in superbell itself: event ${serial} ${eventname} brought no alert: ${
          error instanceof Error ? error.stack : error
        }`,
      );
    }
  }

  #take(frame: Frame): void {
    const { rules, log, host, supervisorRun, now, digestMs } = this.#options;
    const atMs = now();
    const event = parseEvent(frame);
    const decisions = decide(rules, event);
    if (log.writes("debug")) log.debug(describeEvent(event, frame) + describeDecisions(decisions));
    const alerts = decisions.filter((decision) => decision.verdict === "alert").map((decision) => ({
      alert: alertFor(decision, event, {
        host: host(),
        atMs,
        supervisorRun,
        payload: frame.payload,
      }),
      to: decision.rule.to,
    }));
    if (alerts.length === 0) return;
    const entries = alerts.flatMap(({ alert, to }) =>
      to.map((channel): NewEntry => ({ alert, channel, digestMs: digestMs(channel) }))
    );
    const added = this.#store(entries, atMs);
    if (added === undefined) return;
    const { serial, eventname } = event.origin;
    const about = `event ${serial} ${eventname}${describeSubject(event)}`;
    if (added === 0) {
      log.info(`${about}: came again, its alerts are stored already`);
      return;
    }
    for (const { alert, to } of alerts) {
      log.info(`${about}: rule ${alert.rule}: alert ${alert.id} to ${to.join(", ")}`);
    }
    this.#options.onStored(entries.map(({ channel }) => channel));
  }

  /** The number of new entries; those that the disk refuses go into memory. Undefined: lost. */
  #store(entries: readonly NewEntry[], nowMs: number): number | undefined {
    const { outbox, memory, log } = this.#options;
    try {
      return outbox.enqueue(entries, nowMs);
    } catch (error) {
      log.error(
        `cannot store ${entries.length} entries in "${outbox.path}" (${
          error instanceof Error ? error.message : error
        }); they are kept in memory and sent from there, and are lost if superbell ends before`,
      );
      const { fits, forgotten } = memory.makeRoom(entries.length, MEMORY_LIMIT);
      if (forgotten > 0) log.error(`memory is full: ${forgotten} dead entries in it are forgotten`);
      if (!fits) {
        this.#lost += entries.length;
        log.error(
          `memory is full of waiting entries: ${entries.length} are lost, ${this.#lost} since the start`,
        );
        return undefined;
      }
      return memory.enqueue(entries, nowMs);
    }
  }
}

function describeEvent(event: Event, frame: Frame): string {
  const { serial, pool, poolserial, server, eventname } = frame.header;
  const header = `event ${serial} ${eventname} (server ${server}, pool ${pool} ${poolserial})`;
  return `${header}${describeSubject(event)} ${
    new TextDecoder().decode(frame.payload.subarray(0, 1024))
  }`;
}

function describeSubject(event: Event): string {
  const process = processOf(event);
  if (process !== undefined) return ` of ${displayName(process)}`;
  const group = groupOf(event);
  if (group !== undefined) return ` of ${group}`;
  return textOf(event) !== undefined && event.kind === "unknown" ? " of an unknown type" : "";
}

function describeDecisions(decisions: readonly Decision[]): string {
  return decisions.map(({ rule, verdict, reason }) => `; ${rule.name}: ${verdict} (${reason})`)
    .join("");
}
