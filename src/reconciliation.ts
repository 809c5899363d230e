// Finds what supervisord has dropped: it waits until all is quiet, asks supervisord, compares,
// and gives what was missed to intake as events. It runs at the start, when events were jumped
// over, and every few minutes in case all else fails. Never before the answer to supervisord, and
// never twice at a time.

import type { Clock } from "./clock.ts";
import { displayName, type Event } from "./events/event.ts";
import { Hearing } from "./hearing.ts";
import type { Intake } from "./intake.ts";
import type { Log } from "./log.ts";
import { countNews, type Differences, differences } from "./rules/differences.ts";
import type { SupervisorClient } from "./supervisor/client.ts";
import { type Answer, askSupervisor } from "./supervisor/reconcile.ts";
import { RpcFault } from "./supervisor/xmlrpc.ts";

/** What a reconciliation works with. */
export interface ReconciliationOptions {
  readonly intake: Intake;
  /** Undefined: supervisord has no server that could be asked. */
  readonly client: SupervisorClient | undefined;
  readonly supervisorRun: string;
  /** Our own process, as supervisord calls it. */
  readonly self: { readonly group: string | undefined; readonly name: string | undefined };
  /** 0: only at the start and when events are missing. */
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * supervisord sends nothing before we are RUNNING: `startsecs`, 1 unless configured, and a turn of
 * its loop. What waits for us must come first.
 */
const START_MS = 2500;

/** So long nothing must come before supervisord is asked, and so long that is waited for. */
const QUIET_MS = 400;
const LONGEST_UNQUIET_MS = 3000;

/** What is found without a gap must still be so after this time: its event may be on its way. */
const CONFIRM_MS = 2500;

/** One gap often comes with others: they are told together when none has come for so long. */
const GAP_OVER_MS = 3000;
const LONGEST_GAP_MS = 30_000;

/** Nobody waits for us; and a supervisord that starts a thousand programs answers nobody meanwhile. */
const ASK_TIMEOUT_MS = 30_000;

/** So often supervisord is asked about one gap, when it cannot answer or events come meanwhile. */
const TRIES = 4;
const RETRY_MS = 1000;

/** Where the first comparison could not be made, or the roster not be read, it is tried again. */
const START_AGAIN_MS = 30_000;

/** So long after a change the roster is written, with all that has changed until then. */
const WRITE_AFTER_MS = 2500;

/** So long after the disk refused it, it is tried again. */
const WRITE_AGAIN_MS = 60_000;

/** Gaps that are not told yet. */
interface OpenGap {
  readonly dropped: number;
  readonly recovered: number;
  readonly sinceMs: number;
  readonly lastMs: number;
}

/** Why supervisord is asked. */
type Cause = "start" | "gap" | "tick";

/** Looks for what was missed until it is stopped. */
export class Reconciliation {
  #options: ReconciliationOptions;
  #gapCame = false;
  #wake = new AbortController();
  #openGap: OpenGap | undefined;
  /** Events were dropped, and supervisord has not told since how its processes stand. */
  #isIncomplete = false;
  /** This life has compared: what is found next, where nothing was dropped, was not sent to us. */
  #hasCompared = false;
  readonly #hearing = new Hearing();
  /** Found without a gap: a newer event will say whether their types are subscribed to. */
  #suspects: readonly Event[] = [];
  /** Types of events that events= of the section lacks. */
  readonly #unsubscribed = new Set<string>();
  /** What has been said already. */
  readonly #said = new Set<string>();
  /** Several listeners share our pool: each sees some of the serials, and nothing is missing. */
  #isShared: boolean;
  #server: string | undefined;

  constructor(options: ReconciliationOptions) {
    this.#options = options;
    const { group, name } = options.self;
    this.#isShared = options.client === undefined && group !== undefined && name !== group;
    if (this.#isShared) options.intake.roster.ignoreSerials();
  }

  /** Asks another supervisord's address, or at other times, from now on. */
  use(settings: Pick<ReconciliationOptions, "client" | "everyMs">): void {
    this.#options = { ...this.#options, ...settings };
    this.#hasCompared = false; // another supervisord may answer now
    this.#suspects = [];
    this.#said.clear();
    this.#wake.abort();
  }

  /** Says that events are missing; costs nothing. */
  readonly gapCame = (): void => {
    this.#gapCame = true;
    this.#wake.abort();
  };

  /** Takes note of an event that a frame brought; costs next to nothing. */
  readonly heard = (event: Event, atMs: number): void => this.#hearing.hear(event, atMs);

  /** Works until the signal; never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    this.#options.intake.roster.keepUnsubscribed([]); // the section may be another one now
    await Promise.all([
      this.#guard(this.#work(stop)),
      this.#guard(this.#writeChanges(stop)),
    ]);
  }

  /** The last word: what is not told yet, and the notes for the next start. */
  end(): void {
    const { intake, clock } = this.#options;
    const missing = intake.roster.giveUpMissing();
    // What is dropped while supervisord stops everything is no news.
    if (missing > 0 && !intake.roster.isStopping) {
      this.#addGap({ dropped: missing, recovered: 0 }, clock.monotonic());
    }
    this.#tellGap();
    intake.store();
    intake.roster.end();
  }

  async #work(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await clock.sleep(START_MS, stop);
    await this.#quiet(stop);
    this.#gapCame = false;
    let again: Cause = await this.#reconcile("start", stop) ? "tick" : "start";
    let lastMs = clock.monotonic();
    const nextMs = () => again === "start" ? lastMs + START_AGAIN_MS : this.#nextMs(lastMs);
    while (!stop.aborted) {
      await this.#sleepUntil(nextMs(), stop);
      if (stop.aborted) return;
      if (this.#gapCame) {
        await this.#quiet(stop);
        this.#gapCame = false; // what came meanwhile is of this gap
        await this.#reconcile("gap", stop);
      } else if (clock.monotonic() >= nextMs()) {
        if (await this.#reconcile(again, stop)) again = "tick";
        lastMs = clock.monotonic();
      }
      this.#tellOldGap();
    }
  }

  /** When it is time again although nothing is missing. */
  #nextMs(lastMs: number): number {
    const { everyMs } = this.#options;
    return everyMs === 0 ? Infinity : lastMs + everyMs;
  }

  /** Until the time, until events are missing, or until an open gap can be told. */
  async #sleepUntil(atMs: number, stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    if (this.#gapCame) return;
    this.#wake = new AbortController();
    const forMs = Math.min(atMs, this.#gapDueMs()) - clock.monotonic();
    const signal = AbortSignal.any([stop, this.#wake.signal]);
    await clock.sleep(Math.min(Math.max(0, forMs), LONGEST_SLEEP_MS), signal);
  }

  /**
   * Waits until no event comes any more, so that none is on its way that tells the same; not for
   * ever. Answers whether all is quiet.
   */
  async #quiet(stop: AbortSignal): Promise<boolean> {
    const { intake: { roster }, clock } = this.#options;
    let events: number;
    let waitedMs = 0;
    do {
      events = roster.events;
      await clock.sleep(QUIET_MS, stop);
      waitedMs += QUIET_MS;
    } while (!stop.aborted && roster.events !== events && waitedMs < LONGEST_UNQUIET_MS);
    return roster.events === events;
  }

  /**
   * One comparison, again where it could not be made or events came in between. Whether it was
   * made with all that is stored, or none is needed any more.
   */
  async #reconcile(cause: Cause, stop: AbortSignal): Promise<boolean> {
    const { intake, clock, log } = this.#options;
    for (let tries = 1; tries <= TRIES && !stop.aborted; tries++) {
      if (tries > 1) {
        await clock.sleep(RETRY_MS, stop);
        await this.#quiet(stop);
      }
      if (stop.aborted || intake.roster.isStopping) return true;
      if (!await this.#compare(cause, stop)) continue;
      log.debug(`the roster is compared with supervisord's list (${cause})`);
      return intake.roster.isLoaded;
    }
    return stop.aborted;
  }

  /** Whether all is told; else supervisord must be asked once more. */
  async #compare(cause: Cause, stop: AbortSignal): Promise<boolean> {
    const { intake: { roster }, clock } = this.#options;
    if (this.#suspects.length > 0 && await this.#quiet(stop)) this.#judgeSuspects();
    const dropped = roster.giveUpMissing();
    if (dropped > 0) {
      this.#isIncomplete = true;
      this.#suspects = [];
      this.#addGap({ dropped, recovered: 0 }, clock.monotonic());
    }
    let found = await this.#ask(stop);
    if (found !== undefined && found.events.length > 0 && !this.#isIncomplete) {
      await clock.sleep(CONFIRM_MS, stop);
      const isQuiet = await this.#quiet(stop);
      found = await this.#ask(stop);
      if (isQuiet && this.#hasCompared) {
        this.#suspect(found?.events ?? []);
        this.#judgeSuspects();
      }
    }
    if (stop.aborted) return true;
    if (found === undefined) return this.#options.client === undefined;
    found = { ...found, events: found.events.map((event) => this.#marked(event)) };
    this.#tellFound(found, cause);
    // What is found at the second try belongs to the gap of the first.
    const recovered = found.events.length;
    if (recovered > 0 && this.#openGap !== undefined) {
      this.#addGap({ dropped: 0, recovered }, clock.monotonic());
    }
    if (found.skipped > 0 && (this.#isIncomplete || cause === "start")) return false;
    this.#isIncomplete = false;
    this.#hasCompared = roster.isLoaded;
    roster.settle();
    return true;
  }

  /** Of each type one is enough: the newest. */
  #suspect(events: readonly Event[]): void {
    const fresh = events.filter(({ origin: { atMs, eventname } }) =>
      atMs !== undefined && !this.#unsubscribed.has(eventname)
    );
    const all = [...this.#suspects, ...fresh];
    this.#suspects = [...new Map(all.map((event) => [event.origin.eventname, event])).values()];
  }

  /** Says which types of events the section lacks, once that is certain. */
  #judgeSuspects(): void {
    const { intake, log } = this.#options;
    if (intake.roster.missing > 0) return;
    const certain = this.#suspects.filter((event) => this.#hearing.isUnsubscribed(event));
    for (const event of certain) {
      const { eventname } = event.origin;
      this.#unsubscribed.add(eventname);
      const whose = "process" in event ? ` of ${displayName(event.process)}` : "";
      log.warn(
        `events= of the section lacks ${eventname}: supervisord dropped no event and did not send ` +
          `the one${whose}, which was found by asking it; superbell init section prints the right ` +
          "line; then supervisorctl reread and update",
      );
    }
    if (certain.length > 0) intake.roster.keepUnsubscribed([...this.#unsubscribed]);
    this.#suspects = this.#suspects.filter(({ origin: { eventname } }) =>
      !this.#unsubscribed.has(eventname) && !this.#hearing.has(eventname)
    );
  }

  #marked(event: Event): Event {
    return this.#unsubscribed.has(event.origin.eventname)
      ? { ...event, origin: { ...event.origin, unsubscribed: true } }
      : event;
  }

  /** Asks supervisord and compares; undefined: it cannot be asked. */
  async #ask(stop: AbortSignal): Promise<Differences | undefined> {
    const { intake: { roster }, client, supervisorRun, clock, log } = this.#options;
    if (client === undefined) {
      this.#sayOnce(
        "supervisord has no XML-RPC server ([unix_http_server]): what becomes of processes whose " +
          "events it drops cannot be found out",
      );
      return undefined;
    }
    const asked = new Map(roster.known);
    let answer: Answer;
    try {
      answer = await askSupervisor(client, {
        timeoutMs: ASK_TIMEOUT_MS,
        signal: stop,
        countNews: (infos) =>
          Math.max(countNews(infos, roster.before ?? asked), this.#isIncomplete ? 1 : 0),
      });
    } catch (error) {
      const isEnding = error instanceof RpcFault && error.code === FAULT_SHUTDOWN_STATE;
      if (!stop.aborted && !isEnding) {
        this.#sayOnce(`what was missed cannot be found out: ${describe(error)}`);
      }
      return undefined;
    }
    if (answer.logTrouble !== undefined) {
      log.debug(`supervisord's log cannot be read: ${answer.logTrouble}`);
    }
    this.#server = answer.server;
    const { group } = this.#options.self;
    const ours = answer.look.infos.filter(({ process }) => process.group === group).length;
    if (ours > 1) {
      this.#isShared = true;
      this.#openGap = undefined;
      roster.ignoreSerials();
      this.#sayOnce(
        `${ours} listeners share the pool ${group} (numprocs): none of them can tell whether ` +
          "supervisord drops events",
      );
    }
    const found = differences({
      before: roster.before ?? asked,
      asked,
      now: roster.known,
      look: answer.look,
      isGap: this.#isIncomplete,
      isFirst: roster.heritage === "none",
      isNewRun: roster.heritage === "other-run",
      supervisorRun,
      server: answer.server,
      atMs: clock.now(),
    });
    return this.#isShared ? { ...found, events: [] } : found;
  }

  #tellFound(found: Differences, cause: Cause): void {
    const { intake, log } = this.#options;
    for (const event of found.events) {
      if (!("process" in event)) continue;
      const name = displayName(event.process);
      log.debug(`found by comparing (${cause}): ${event.origin.eventname} of ${name}`);
    }
    intake.roster.replace(found);
    intake.tell(found.events);
    intake.compare();
    intake.store();
  }

  #addGap(
    { dropped, recovered }: { readonly dropped: number; readonly recovered: number },
    nowMs: number,
  ): void {
    const open = this.#openGap;
    this.#openGap = {
      dropped: (open?.dropped ?? 0) + dropped,
      recovered: (open?.recovered ?? 0) + recovered,
      sinceMs: open?.sinceMs ?? nowMs,
      lastMs: nowMs,
    };
  }

  /** When the open gap is to be told, by the monotonic clock. */
  #gapDueMs(): number {
    const open = this.#openGap;
    if (open === undefined) return Infinity;
    return Math.min(open.lastMs + GAP_OVER_MS, open.sinceMs + LONGEST_GAP_MS);
  }

  #tellOldGap(): void {
    if (this.#options.clock.monotonic() >= this.#gapDueMs()) this.#tellGap();
  }

  #tellGap(): void {
    const open = this.#openGap;
    this.#openGap = undefined;
    if (open === undefined || open.dropped === 0) return;
    const { intake, log, clock, supervisorRun } = this.#options;
    const { dropped, recovered } = open;
    log.error(
      `supervisord dropped ${dropped} events for us; ${recovered} ends of processes were found ` +
        "afterwards by asking it; raise buffer_size= of the section",
    );
    const atMs = clock.now();
    intake.roster.keepGap({ atMs, dropped, recovered });
    intake.tell([{
      kind: "gap",
      origin: {
        server: this.#server ?? "supervisor",
        eventname: "GAP",
        identity: `${supervisorRun}\ngap\n${atMs}`,
      },
      dropped,
      recovered,
    }]);
  }

  /** What changes while nobody is told, for those who ask how it stands; never once an event. */
  async #writeChanges(stop: AbortSignal): Promise<void> {
    const { intake, clock } = this.#options;
    const { roster } = intake;
    while (!stop.aborted) {
      const change = new AbortController();
      roster.onChange(() => change.abort());
      const forMs = roster.isChanged ? 0 : WRITE_AGAIN_MS; // another file in its place lacks all
      await clock.sleep(forMs, AbortSignal.any([stop, change.signal]));
      await clock.sleep(WRITE_AFTER_MS, stop);
      intake.store();
      if (roster.isChanged) await clock.sleep(WRITE_AGAIN_MS, stop);
    }
  }

  #sayOnce(what: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    this.#options.log.warn(what);
  }

  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#options.log.error(
        `a mistake in superbell itself: what supervisord drops is not looked for any more: ${
          error instanceof Error ? error.stack : error
        }`,
      );
    }
  }
}

/** A timer takes no more than this. */
const LONGEST_SLEEP_MS = 24 * 60 * 60 * 1000;

/** supervisor/xmlrpc.py:Faults: supervisord is shutting down. */
const FAULT_SHUTDOWN_STATE = 6;

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
