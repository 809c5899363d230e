// A listener that supervisord has put into its UNKNOWN state gets no more events and cannot
// notice it by itself; only a restart heals it. But whoever subscribes to TICK hears from
// supervisord at a known pace, and long silence then means that we are deaf.

/** How often check() is to be called. */
export const CHECK_EVERY_MS = 10_000;

/** So many ticks in a row may be missing: supervisord may be stopped or busy for a while. */
const MISSING_TICKS = 3;

/** No event at all for so long after the start: either no TICK is subscribed, or we are deaf. */
const SILENT_START_MS = 4 * 60_000;

/** Watches the pace of events. Time is counted in checks, so that a suspended host is no silence. */
export class SignOfLife {
  #periodMs: number | undefined;
  #silentChecks = 0;
  #heardAnything = false;

  /** An event has come; `eventname` as in its header. */
  heard(eventname: string): void {
    this.#silentChecks = 0;
    this.#heardAnything = true;
    if (!eventname.startsWith("TICK_")) return;
    const period = /^TICK_(\d+)$/.exec(eventname)?.[1];
    if (period === undefined) return;
    this.#periodMs = Math.min(this.#periodMs ?? Infinity, Number(period) * 1000);
  }

  /** True once: when nothing at all has come for minutes after the start. Ask after isDeaf(). */
  isSilentStart(): boolean {
    if (this.#heardAnything || this.#silentChecks * CHECK_EVERY_MS < SILENT_START_MS) return false;
    this.#heardAnything = true;
    return true;
  }

  /**
   * True when several ticks are missing. Without a tick ever heard nothing can be said: the
   * section may not subscribe to any.
   */
  isDeaf(): boolean {
    this.#silentChecks++;
    if (this.#periodMs === undefined) return false;
    return this.#silentChecks * CHECK_EVERY_MS > MISSING_TICKS * this.#periodMs + CHECK_EVERY_MS;
  }
}
