// The parts of the listener that go by the configuration, put together. They are put together
// anew for another one while events come: what is open in rules, roster and outbox stays, new
// attempts go by the new settings, and those that run end by the old ones. All of it happens
// between two events, so that supervisord waits for nothing.

import { shellWord } from "./alerts/compose.ts";
import type { Clock } from "./clock.ts";
import { Redactor } from "./config/secret.ts";
import { Delivery } from "./delivery/delivery.ts";
import { Upkeep, type UpkeepSettings } from "./delivery/upkeep.ts";
import type { ChannelEvent } from "./delivery/watch.ts";
import { type End, SupervisorEnrichment } from "./enrichment.ts";
import type { Exit, ProcessName } from "./events/event.ts";
import { hostSource } from "./host.ts";
import { Intake, type IntakeSettings } from "./intake.ts";
import type { Log } from "./log.ts";
import { nudge } from "./nudge.ts";
import type { Outbox } from "./outbox/outbox.ts";
import { Reconciliation, type ReconciliationOptions } from "./reconciliation.ts";
import type { ReloadEvent } from "./reloader.ts";
import { Requests } from "./requests.ts";
import { RuleTimer } from "./rule_timer.ts";
import { noticeRules, reloadRules } from "./rules/notice.ts";
import { processKey } from "./rules/roster.ts";
import type { TailSettings } from "./rules/rule.ts";
import { subscriptionsFor } from "./rules/subscriptions.ts";
import type { Settings } from "./settings.ts";
import { MEMORY_LIMIT } from "./storage.ts";
import { type SupervisorAddress, SupervisorClient } from "./supervisor/client.ts";
import { LogMarks } from "./supervisor/log_marks.ts";
import { MemoryWatch } from "./supervisor/out_of_memory.ts";
import { UntoldEnds } from "./untold_ends.ts";

/** What the parts work with that no configuration changes. */
export interface AssemblyOptions {
  readonly outbox: Outbox;
  /** Takes the entries that the disk does not. */
  readonly memory: Outbox;
  /** Names this run of supervisord. */
  readonly supervisorRun: string;
  readonly self: ReconciliationOptions["self"];
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of supervisord at one address, and what must be noted while processes end. */
interface Link {
  readonly client: SupervisorClient;
  readonly marks: LogMarks;
}

/** All that stands between the events and the people. */
export class Assembly {
  readonly intake: Intake;
  readonly #options: AssemblyOptions;
  #settings: Settings;
  #link: Link | undefined;
  readonly #memory = new MemoryWatch();
  #delivery: Delivery;
  /** Deliveries of settings from before while their last attempts run, with what they may say. */
  readonly #retired = new Map<Delivery, Redactor>();
  #enrichment: SupervisorEnrichment | undefined;
  readonly #untoldEnds: UntoldEnds;
  readonly #timer: RuleTimer;
  readonly #reconciliation: Reconciliation;
  readonly #requests: Requests;
  readonly #upkeep: Upkeep;
  #stop: AbortSignal = new AbortController().signal;
  /** What runs until the signal: what feeds intake ends before the delivery does. */
  #feeding: readonly Promise<void>[] = [];
  #keeping: Promise<void> = Promise.resolve();
  #nudging = { stop: new AbortController(), ended: Promise.resolve() };

  constructor(settings: Settings, options: AssemblyOptions) {
    const { clock, log, supervisorRun } = options;
    this.#options = options;
    this.#settings = settings;
    this.#link = linkTo(settings.supervisor);
    this.#memory.look(clock.now());
    this.#enrichment = this.#enrichmentFor(settings, this.#link);
    this.#delivery = this.#deliveryFor(settings, this.#enrichment);
    this.#untoldEnds = new UntoldEnds({
      isKnown: ({ process }) => this.#knownExit(process) !== undefined,
      find: (ends, signal) => this.#findExits(ends, signal),
      clock,
    });
    this.intake = new Intake({
      ...options,
      ...intakeSettings(settings, clock),
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      soon: (work) => void setTimeout(work, 0),
      onEvent: (event, atMs) => {
        this.#link?.marks.heard(event, atMs);
        this.#memory.look(atMs);
        this.#untoldEnds.heard(event, atMs);
        this.#reconciliation.heard(event, atMs);
      },
      onStep: (step) => this.#untoldEnds.decided(step),
      onStored: (channels) => this.#delivery.wake(channels),
      onGap: () => this.#reconciliation.gapCame(),
      onDue: () => this.#timer.heed(),
    });
    const { intake } = this;
    this.#timer = new RuleTimer({
      nextDueMs: () => intake.nextDueMs,
      onDue: () => intake.passTime(),
      clock,
    });
    this.#reconciliation = new Reconciliation({
      intake,
      client: this.#link?.client,
      supervisorRun,
      self: options.self,
      everyMs: settings.reconcileMs,
      clock,
      log,
    });
    this.#requests = new Requests({ store: options.outbox.requests, intake, clock, log });
    this.#upkeep = new Upkeep({ ...options, ...upkeepSettings(settings) });
  }

  /** How long running deliveries may go on at the end. */
  get shutdownWindowMs(): number {
    return this.#settings.shutdownWindowMs;
  }

  /** Starts all of it, until the signal. */
  start(stop: AbortSignal): void {
    this.#stop = stop;
    this.#delivery.start();
    this.#requests.look(); // what was asked while no listener ran comes before the events
    this.#feeding = [
      this.#reconciliation.run(stop),
      this.#timer.run(stop),
      this.#requests.run(stop),
      this.#untoldEnds.run(stop),
    ];
    this.#keeping = this.#upkeep.run(stop);
    this.#nudge();
  }

  /** Goes by other settings from now on; throws where that cannot be, and has changed nothing. */
  use(settings: Settings): void {
    const { clock, log } = this.#options;
    const before = this.#settings;
    const isSame = isSameAddress(before.supervisor, settings.supervisor);
    const link = isSame ? this.#link : linkTo(settings.supervisor);
    // Opens the channels, which may throw; all that follows does not.
    const enrichment = this.#enrichmentFor(settings, link);
    const delivery = this.#deliveryFor(settings, enrichment, this.#delivery);
    this.#retire(this.#delivery, before.redactor);
    this.#sayWhatToSubscribe(settings);
    this.#settings = { ...settings, ...this.#restartNeeding(settings) };
    this.#link = link;
    this.#enrichment = enrichment;
    this.#delivery = delivery;
    this.#useLog();
    delivery.start();
    this.intake.use(intakeSettings(settings, clock));
    this.#reconciliation.use({ client: link?.client, everyMs: settings.reconcileMs });
    void this.#upkeep.use(upkeepSettings(settings), this.#stop);
    if (!isSame || before.nudgeMs !== settings.nudgeMs) this.#nudge();
    log.debug(`${this.#retired.size} deliveries of configurations from before still run`);
  }

  /** Says which events the section must name besides those that it had to until now. */
  #sayWhatToSubscribe({ rules, path }: Settings): void {
    const before = subscriptionsFor(this.#settings.rules);
    const more = subscriptionsFor(rules).filter((name) => !before.includes(name));
    if (more.length === 0) return;
    this.#options.log.warn(
      `the rules need ${more.join(",")} in events= of the section as well; if it is not there: ` +
        `superbell init section -c ${shellWord(path)}, then supervisorctl reread and update`,
    );
  }

  /** Says what only a restart changes; answers it as it is. */
  #restartNeeding({ stateDir, sync }: Settings): Pick<Settings, "stateDir" | "sync"> {
    const { log } = this.#options;
    const now = this.#settings;
    const waits = (key: string) =>
      log.warn(`${key} has changed: that needs a restart of superbell`);
    if (stateDir !== now.stateDir) waits("state_dir");
    if (sync !== now.sync) waits("outbox.sync");
    return { stateDir: now.stateDir, sync: now.sync };
  }

  #retire(delivery: Delivery, redactor: Redactor): void {
    this.#retired.set(delivery, redactor);
    void delivery.retire().then(() => {
      this.#retired.delete(delivery);
      this.#useLog();
    });
  }

  /** No line may hold a secret, neither of now nor of what still runs. */
  #useLog(): void {
    const { redactor, logLevel, timeZone } = this.#settings;
    const all = new Redactor([], [redactor, ...this.#retired.values()]);
    this.#options.log.use({ level: logLevel, redactor: all, timeZone });
  }

  #enrichmentFor(settings: Settings, link: Link | undefined): SupervisorEnrichment | undefined {
    return link && new SupervisorEnrichment(link.client, this.#options.log, {
      marks: link.marks,
      memory: this.#memory,
      mask: settings.mask,
      tailFor: (rule) => tailFor(settings, rule),
      known: (process) => this.intake.roster.known.get(processKey(process)),
      onExit: ({ process, pid }, exit) => this.intake.roster.noteExit(process, { pid, exit }),
    });
  }

  #knownExit(process: ProcessName): Exit | undefined {
    return this.intake.roster.known.get(processKey(process))?.exit;
  }

  /** Finds out how processes ended of which nobody is told, for those who ask. */
  async #findExits(ends: readonly End[], signal: AbortSignal): Promise<void> {
    await this.#enrichment?.note(ends, signal);
    if (ends.some(({ process }) => this.#knownExit(process) !== undefined)) this.intake.store();
  }

  #deliveryFor(
    settings: Settings,
    enrichment: SupervisorEnrichment | undefined,
    before?: Delivery,
  ): Delivery {
    const { outbox, memory, clock, log } = this.#options;
    return new Delivery({
      outboxes: [outbox, memory],
      enrichment,
      channels: settings.channels.map((channel) => ({ ...channel, channel: channel.open() })),
      retry: settings.retry,
      timeZone: settings.timeZone,
      templateOf: (rule) => settings.ruleTemplates.get(rule),
      clock,
      log,
      redactor: settings.redactor,
      random: Math.random,
      maxWaiting: settings.maxWaiting,
      tell: (event) => this.tell(event),
    }, before);
  }

  /** Tells people how superbell itself fares. */
  tell(event: ChannelEvent | ReloadEvent): void {
    const { rules, channels } = this.#settings;
    if (!("trouble" in event)) {
      this.intake.tell([event], reloadRules(rules, event.kind));
      return;
    }
    const { name } = event.trouble;
    const fallback = channels.find((channel) => channel.name === name)?.fallback;
    const told = noticeRules(rules, { word: event.kind, channel: name, fallback });
    if (told.length > 0) this.intake.tell([event], told);
    else {
      this.#options.log.error(
        `nobody can be told about channel ${name}: there is no other one for it`,
      );
    }
  }

  /** Nudges supervisord, where that is configured and it can be reached, and no longer as before. */
  #nudge(): void {
    const { supervisor, nudgeMs } = this.#settings;
    const { clock, log } = this.#options;
    const past = this.#nudging;
    past.stop.abort();
    const stop = new AbortController();
    const run = async () => {
      await past.ended;
      if (supervisor === undefined || nudgeMs === 0) return;
      const client = new SupervisorClient(supervisor, { keepsConnection: true });
      const signal = AbortSignal.any([this.#stop, stop.signal]);
      await nudge({ client, intervalMs: nudgeMs, clock, log }, signal);
    };
    this.#nudging = { stop, ended: run() };
  }

  /** Ends all of it once the signal has come; answers how many entries are lost. */
  async end(): Promise<number> {
    await Promise.all(this.#feeding);
    this.#reconciliation.end();
    this.intake.store();
    const deliveries = [...this.#retired.keys(), this.#delivery];
    await Promise.all([
      ...deliveries.map((delivery) => delivery.stop(this.shutdownWindowMs)),
      this.#keeping,
      this.#nudging.ended,
    ]);
    this.#memory[Symbol.dispose]();
    return await this.#upkeep.end();
  }
}

/** What intake takes from the settings; `superbell simulate` takes the same. */
export function intakeSettings(settings: Settings, clock: Clock): IntakeSettings {
  const { rules, hostIncident, maintenance, timeZone, mask, channels } = settings;
  const channelOf = (name: string) => channels.find((channel) => channel.name === name);
  return {
    rules,
    hostIncident,
    maintenance,
    timeZone,
    mask,
    memoryLimit: { ...MEMORY_LIMIT, bytes: settings.maxMemoryBytes },
    host: hostSource(settings.host, () => clock.now()),
    digestMs: (name) => channelOf(name)?.digestMs ?? 0,
    tellsResolved: (name) => channelOf(name)?.tellsResolved ?? true,
  };
}

function upkeepSettings({ channels, retry, retention }: Settings): UpkeepSettings {
  return {
    channels: channels.map(({ name }) => name),
    giveUpAfterMs: retry.giveUpAfterMs,
    retention,
  };
}

function linkTo(address: SupervisorAddress | undefined): Link | undefined {
  if (address === undefined) return undefined;
  const client = new SupervisorClient(address);
  const marks = new LogMarks(client);
  void marks.refresh();
  return { client, marks };
}

function isSameAddress(
  one: SupervisorAddress | undefined,
  other: SupervisorAddress | undefined,
): boolean {
  if (one === undefined || other === undefined) return one === other;
  const isSamePassword = one.password === undefined || other.password === undefined
    ? one.password === other.password
    : one.password.equals(other.password);
  return one.url === other.url && one.username === other.username && isSamePassword;
}

function tailFor({ rules, tail }: Settings, name: string): TailSettings {
  return { ...tail, ...rules.find((rule) => rule.name === name)?.tail };
}
