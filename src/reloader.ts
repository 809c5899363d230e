// Loads the configuration again while superbell runs: when it is asked to (SIGHUP), and, where
// `reload: { watch: true }` stands in it, when a file has changed. A new one is taken or refused
// as a whole. Files are compared by what they hold, so that it does not matter how they got
// there: a rename, a link that points elsewhere, a share that knows no notices.

import { shellWord } from "./alerts/compose.ts";
import type { Clock } from "./clock.ts";
import { ConfigError, describeProblem } from "./config/problem.ts";
import { changesBetween } from "./config_changes.ts";
import {
  type ConfigReading,
  type ConfigSource,
  FileLooks,
  readConfiguration,
} from "./config_reading.ts";
import type { Event } from "./events/event.ts";
import type { Log } from "./log.ts";
import type { Settings } from "./settings.ts";

/** An event about a new configuration. */
export type ReloadEvent = Extract<
  Event,
  { readonly kind: "reload_failed" | "reload_recovered" }
>;

/** What a reloader works with. */
export interface ReloaderOptions {
  readonly source: ConfigSource;
  /** As the one in use was read; its outcome are the settings. */
  readonly inUse: ConfigReading & { readonly outcome: Settings };
  /** Goes by these settings from now on; throws where that cannot be, and has changed nothing. */
  readonly use: (settings: Settings) => void;
  /** Tells people. */
  readonly tell: (event: ReloadEvent) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY_MS = 2000;
const LONGEST_SLEEP_MS = 60 * 60 * 1000;

/** A file that is being written, or replaced: so often it must look the same. */
const SAME_LOOKS = 2;

/** One that cannot be read comes back within so many looks (30 s), or it is a problem. */
const UNREADABLE_LOOKS = 15;

/** A message tells so many problems; the log has all. */
const MOST_TOLD = 5;

/** Loads what is new until it is stopped. */
export class Reloader {
  readonly #options: ReloaderOptions;
  /** In use. */
  #settings: Settings;
  /** The last that was read, taken or refused. */
  #last: Pick<ConfigReading, "content" | "files">;
  /** What the files held at the last looks, and how often in a row. */
  #seen = { content: "", looks: 0 };
  readonly #looks = new FileLooks();
  /** The content that people were told is refused, while it is not over. */
  #told: string | undefined;
  #isWanted = false;
  #wake = new AbortController();

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#settings = options.inUse.outcome;
    this.#last = options.inUse;
  }

  /** Asks for the configuration to be loaded now; while that is done, once more afterwards. */
  readonly reload = (): void => {
    this.#isWanted = true;
    this.#wake.abort();
  };

  /** Works until the signal; never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!stop.aborted) {
      try {
        await this.#round(stop);
      } catch (error) {
        const what = error instanceof Error ? error.stack : error;
        log.error(`a mistake in superbell itself: the configuration was not loaded: ${what}`);
      }
      if (this.#isWanted) continue;
      this.#wake = new AbortController();
      const sleepMs = this.#settings.watchesFile ? LOOK_EVERY_MS : LONGEST_SLEEP_MS;
      await clock.sleep(sleepMs, AbortSignal.any([stop, this.#wake.signal]));
    }
  }

  async #round(stop: AbortSignal): Promise<void> {
    const isWanted = this.#isWanted;
    this.#isWanted = false;
    const looked = isWanted ? undefined : await this.#look();
    if (!isWanted && looked === undefined) return;
    const reading = await readConfiguration(this.#options.source);
    if (stop.aborted) return;
    const isSameFiles = reading.files.join("\0") === this.#last.files.join("\0");
    if (looked !== undefined && isSameFiles && reading.content !== looked) return; // written again
    this.#last = reading;
    if (reading.outcome instanceof ConfigError) this.#refuse(reading.outcome, reading.content);
    else this.#take(reading.outcome, reading.content);
  }

  /** The content of the files, where it is new and stays so. */
  async #look(): Promise<string | undefined> {
    if (!this.#settings.watchesFile) return undefined;
    const { content, isWhole } = await this.#looks.look(this.#last.files);
    const isSame = content === this.#seen.content;
    this.#seen = { content, looks: isSame ? this.#seen.looks + 1 : 1 };
    if (content === this.#last.content) return undefined;
    return this.#seen.looks >= (isWhole ? SAME_LOOKS : UNREADABLE_LOOKS) ? content : undefined;
  }

  #take(settings: Settings, content: string): void {
    const { use, log, tell } = this.#options;
    const changes = changesBetween(this.#settings.parts, settings.parts);
    try {
      if (changes.length > 0) use(settings);
    } catch (error) {
      return this.#refuse(error, content);
    }
    this.#settings = settings;
    for (const warning of settings.warnings) log.warn(describeProblem(settings.path, warning));
    log.info(
      `loaded ${settings.path} again: ${changes.join(", ") || "nothing in it has changed"}`,
    );
    if (this.#told === undefined) return;
    this.#told = undefined;
    tell({ kind: "reload_recovered", origin: this.#originOf("RECOVERED", content) });
  }

  #refuse(error: unknown, content: string): void {
    const { source: { path }, log, tell } = this.#options;
    const problems = error instanceof ConfigError
      ? error.problems
      : [{ path: "", message: error instanceof Error ? error.message : String(error) }];
    for (const problem of problems) log.error(describeProblem(path, problem));
    log.error(
      `${path} was not loaded again: the configuration from before goes on ` +
        `(superbell check -c ${shellWord(path)})`,
    );
    if (this.#told === content) return;
    this.#told = content;
    const lines = problems.slice(0, MOST_TOLD).map((problem) => describeProblem("", problem));
    if (problems.length > lines.length) lines.push(`… (${problems.length - lines.length})`);
    const origin = this.#originOf("FAILED", content);
    tell({ kind: "reload_failed", origin, text: lines.join("\n"), file: path });
  }

  #originOf(what: string, content: string): Event["origin"] {
    // Which supervisord it is does not matter here. The same again later is told again.
    const identity = `reload ${content} ${this.#options.clock.now()}`;
    return { server: "", eventname: `SUPERBELL_RELOAD_${what}`, identity };
  }
}
