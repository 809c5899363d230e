// superbell listen: the event listener itself. It puts the parts together, answers
// supervisord, and ends in order: nothing new is taken, what runs may finish, the rest waits
// in the outbox for the next start.

import { Assembly } from "../assembly.ts";
import { systemClock } from "../clock.ts";
import { formatDuration } from "../config/duration.ts";
import { ConfigError, describeProblem } from "../config/problem.ts";
import { Redactor } from "../config/secret.ts";
import { type ConfigSource, readConfiguration } from "../config_reading.ts";
import type { Intake } from "../intake.ts";
import type { Damage } from "../listener/frame_decoder.ts";
import { Handshake, takeStdout } from "../listener/handshake.ts";
import { FrameReader } from "../listener/read_frame.ts";
import { CHECK_EVERY_MS, SignOfLife } from "../listener/sign_of_life.ts";
import { StdinSource } from "../listener/stdin_source.ts";
import { Log } from "../log.ts";
import { Outbox } from "../outbox/outbox.ts";
import { openStateDir, StateLock } from "../outbox/state_dir.ts";
import { Reloader } from "../reloader.ts";
import { type Command, count, parseOptions, printError, UsageError } from "./command.ts";
import { configPath } from "./config_file.ts";
import { buildInfo, versionText } from "./version.ts";

/**
 * supervisord waits while another process writes to the outbox: after so long an event goes into
 * memory, and those of the next second go there at once.
 */
const BUSY_MS = 100;
const REST_MS = 1000;

export const listen: Command = {
  name: "listen",
  summary: "the event listener; supervisord starts it",
  help: `Usage: superbell listen [-c FILE]

The event listener that command= of an [eventlistener:x] section names; superbell init prints
such a section. Reads supervisord's events from stdin and answers on stdout, so it cannot be
run by hand. Its log goes to stderr: stderr_logfile= of the section.

SIGHUP: loads the configuration again, while events come; a wrong one is refused as a whole, and
the one from before goes on.
SIGTERM or the end of stdin: takes nothing new, lets running deliveries end for at most
shutdown_window (8s), leaves the others in the outbox and exits 0.
Exit codes: 0; 1 a failure that a restart mends; 2 a problem in the configuration.
`,
  async run(args) {
    const options = parseOptions(args, {});
    const hangUps = new HangUps();
    if (!Deno.env.get("SUPERVISOR_SERVER_URL") && !Deno.env.get("SUPERVISOR_ENABLED")) {
      printError(
        "superbell listen must be started by supervisord, not by hand: name it in command= of an " +
          "[eventlistener:superbell] section (superbell init prints one); to try the channels use superbell test",
      );
      return 2;
    }
    const stdout = await takeStdout();
    try {
      const source = { path: configPath(options), env: (name: string) => Deno.env.get(name) };
      return await listenWith(source, new Handshake(stdout), hangUps);
    } catch (error) {
      // Into the log, in its form: that is where a person looks when supervisord says FATAL.
      const log = new Log({ level: "error", redactor: new Redactor([]), now: systemClock.now });
      for (const line of describe(error).split("\n")) log.error(line);
      return error instanceof ConfigError || error instanceof UsageError ? 2 : 1;
    }
  },
};

async function listenWith(
  source: ConfigSource,
  handshake: Handshake,
  hangUps: HangUps,
): Promise<number> {
  const reading = await readConfiguration(source);
  const { outcome: settings } = reading;
  if (settings instanceof ConfigError) throw settings;
  const { redactor, logLevel, timeZone } = settings;
  const { now } = systemClock;
  const log = new Log({ level: logLevel, redactor, timeZone, now });
  surviveMistakes(log);
  for (const warning of settings.warnings) log.warn(describeProblem(settings.path, warning));
  using lock = new StateLock(settings.stateDir, {
    pid: Deno.pid,
    sinceMs: now(),
    version: buildInfo().version,
  });
  const outbox = openStateDir(settings, {
    lock,
    nowMs: now(),
    busyMs: BUSY_MS,
    restMs: REST_MS,
    onTrouble: (what) => log.error(what),
  });
  const memory = Outbox.open(":memory:", { nowMs: now() });
  releaseClaims(outbox, log);
  const assembly = new Assembly(settings, {
    outbox,
    memory,
    supervisorRun: supervisorRun(),
    self: {
      group: Deno.env.get("SUPERVISOR_GROUP_NAME"),
      name: Deno.env.get("SUPERVISOR_PROCESS_NAME"),
    },
    clock: systemClock,
    log,
  });
  const reloader = new Reloader({
    source,
    inUse: { ...reading, outcome: settings },
    use: (changed) => assembly.use(changed),
    tell: (event) => assembly.tell(event),
    clock: systemClock,
    log,
  });
  const stop = new AbortController();
  const signals = ["SIGTERM", "SIGINT"] as const;
  const onSignal = () => stop.abort();
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  log.info(
    `superbell ${versionText()} with ${settings.path}: ` +
      `${count(settings.channels, "channel")}, ${count(settings.rules, "rule")}, ` +
      `${countWaiting(outbox)} entries waiting in ${outbox.path}`,
  );
  assembly.start(stop.signal);
  const reader = new FrameReader(new StdinSource(), {
    onDamage: (damage) => tellDamage(damage, log),
  });
  let failure: unknown;
  const sign = new SignOfLife();
  const { intake } = assembly;
  const answering = answer(reader, handshake, { intake, sign, stop: stop.signal, log })
    .catch((error) => failure = error);
  void reloader.run(stop.signal); // a file that takes long to read must not hold up our end
  hangUps.onHangUp(reloader.reload);
  const deaf = deafness(sign, { stop: stop.signal, log }).then((error) => failure ??= error);
  await Promise.race([answering, deaf, aborted(stop.signal)]);
  const window = formatDuration(assembly.shutdownWindowMs);
  if (failure !== undefined) log.error(`ending to be started anew: ${describe(failure)}`);
  else {
    const why = stop.signal.aborted ? "told to stop" : "stdin has ended";
    log.info(`ending (${why}): running deliveries have ${window}`);
  }
  stop.abort();
  const [lost] = await Promise.all([assembly.end(), deaf]);
  if (lost > 0) log.error(`ended: ${lost} entries in memory are lost: the disk did not take them`);
  log.info(`ended: ${countWaiting(outbox)} entries wait for the next start`);
  memory.close();
  outbox.close();
  return failure === undefined ? 0 : 1;
}

/** READY, then an OK for each event, until the end of stdin or the signal. */
async function answer(
  reader: FrameReader,
  handshake: Handshake,
  { intake, sign, stop, log }: {
    readonly intake: Intake;
    readonly sign: SignOfLife;
    readonly stop: AbortSignal;
    readonly log: Log;
  },
): Promise<void> {
  try {
    handshake.ready();
    while (true) {
      const frame = await reader.next();
      // An event that comes while we end is not answered: supervisord keeps it for the next start.
      if (frame === undefined || stop.aborted) return;
      if (frame.droppedBytes > 0) {
        log.warn(
          `event ${frame.header.serial}: ${frame.droppedBytes} bytes of its text were not kept`,
        );
      }
      sign.heard(frame.header.eventname);
      intake.take(frame);
      handshake.okAndReady();
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // supervisord is gone
  }
}

/** Resolves with the reason when supervisord has gone silent, or with nothing at our end. */
async function deafness(
  sign: SignOfLife,
  { stop, log }: { readonly stop: AbortSignal; readonly log: Log },
): Promise<Error | undefined> {
  while (!stop.aborted) {
    await systemClock.sleep(CHECK_EVERY_MS, stop);
    if (stop.aborted) break;
    const deaf = sign.isDeaf();
    if (sign.isSilentStart()) {
      log.error(
        "nothing has come from supervisord since the start: is TICK_60 in events= of the section, " +
          "and does nothing else in command= write to stdout?",
      );
    }
    if (deaf) {
      return new Error("supervisord's ticks no longer come: it has stopped listening to us");
    }
  }
  return undefined;
}

/**
 * The boot, supervisord's process id and its start time: its serials begin anew when it does.
 * Where that cannot be read (/proc with hidepid) every start of ours counts as a new run: an
 * event that is told twice is better than one that is taken for another.
 */
function supervisorRun(): string {
  try {
    const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
    const pid = supervisordPid();
    return `${boot} ${pid} ${statOf(pid)[19]}`;
  } catch {
    return crypto.randomUUID();
  }
}

/** The program itself, or the script or module that a Python runs; not a path that a shell names. */
const SUPERVISORD = /^(?:[^ ]*\/|supervisor\.)?supervisord(?:\.py)?$/;

/** Our parent, or the supervisord above it: command= may hold a shell that starts us. */
function supervisordPid(): number {
  for (let pid = Deno.ppid; pid > 1; pid = Number(statOf(pid)[1])) {
    const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    if (words.some((word) => SUPERVISORD.test(word))) return pid;
  }
  return Deno.ppid;
}

/** The fields of /proc/PID/stat behind the name, which may hold blanks: state, parent, … */
function statOf(pid: number): string[] {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function tellDamage({ what, bytes, sample }: Damage, log: Log): void {
  log.warn(`stdin: skipped ${bytes} bytes (${what}) that belong to no event: ${sample}`);
}

/** SIGHUP, which would end us; one that comes before anybody heeds it is kept. */
class HangUps {
  #hasCome = false;
  #heed = (): void => {
    this.#hasCome = true;
  };

  constructor() {
    Deno.addSignalListener("SIGHUP", () => this.#heed());
  }

  onHangUp(heed: () => void): void {
    this.#heed = heed;
    if (this.#hasCome) heed();
  }
}

/** What a listener that died held is free again at once; without this, when its claims end. */
function releaseClaims(outbox: Outbox, log: Log): void {
  try {
    outbox.releaseClaims();
  } catch (error) {
    log.debug(`claims end by themselves only: ${describe(error)}`);
  }
}

/** For the log, which must be written also when the outbox cannot be used. */
function countWaiting(outbox: Outbox): number | "an unknown number of" {
  try {
    return outbox.waiting();
  } catch {
    return "an unknown number of";
  }
}

/** No mistake in our own code may end the listener: supervisord would send the event again. */
function surviveMistakes(log: Log): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error(`a mistake in superbell itself: ${stackOf(event.reason)}`);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error(`a mistake in superbell itself: ${stackOf(event.error)}`);
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
