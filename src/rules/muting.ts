// What is meant to be quiet now: by a silence, or by a maintenance window.

import type { ProcessName } from "../events/event.ts";
import type { Member } from "./incident.ts";
import { isWindowAbout, type MaintenanceWindow, openUntilMs } from "./maintenance.ts";
import type { HoldReason } from "./reason.ts";
import type { RuleMemory } from "./rule_memory.ts";
import { isAbout, isInForce } from "./silence.ts";

/** Why something is held, and until when, if only time can end that. */
export interface Hold {
  readonly reason: HoldReason;
  readonly untilMs?: number;
}

/** Whether it is of what is meant to be quiet, and so of some processes and not of others. */
export function isMuted(hold: Hold | undefined): boolean {
  return hold?.reason === "silenced" || hold?.reason === "maintenance";
}

/** A process, or a group, or neither: then it is about all there is. */
export interface Subject {
  readonly process?: ProcessName | undefined;
  readonly group?: string | undefined;
}

/** Silences and windows. */
export class Muting {
  readonly #memory: RuleMemory;
  readonly #windows: readonly MaintenanceWindow[];
  /** A window is open or not for a whole minute, and asking costs a look at the calendar. */
  readonly #known = new Map<MaintenanceWindow, { minute: number; untilMs: number | undefined }>();

  constructor(memory: RuleMemory, windows: readonly MaintenanceWindow[]) {
    this.#memory = memory;
    this.#windows = windows;
  }

  /** Held only if each of the processes is. */
  holdOfAll(members: readonly Member[], nowMs: number): Hold | undefined {
    if (!this.canMute) return undefined;
    let first: Hold | undefined;
    for (const { process } of members) {
      const muted = this.holdOf({ process }, nowMs);
      if (muted === undefined) return undefined;
      if (first === undefined || muted.untilMs! < first.untilMs!) first = muted;
    }
    return first;
  }

  /** Whether there is anything that could mute. */
  get canMute(): boolean {
    return this.#memory.hasSilences || this.#windows.length > 0;
  }

  /** The silence or the window that holds what is about the subject. */
  holdOf(
    subject: Subject,
    nowMs: number,
  ): (Hold & { readonly untilMs: number }) | undefined {
    if (!this.canMute) return undefined;
    for (const silence of this.#memory.silences()) {
      if (silence.untilMs <= nowMs) this.#memory.endSilence(silence.id);
      else if (isInForce(silence, nowMs) && isAbout(silence, subject)) {
        return { reason: "silenced", untilMs: silence.untilMs };
      }
    }
    for (const window of this.#windows) {
      const untilMs = this.#openUntilMs(window, nowMs);
      if (untilMs !== undefined && isWindowAbout(window, subject)) {
        return { reason: "maintenance", untilMs };
      }
    }
    return undefined;
  }

  #openUntilMs(window: MaintenanceWindow, nowMs: number): number | undefined {
    const minute = Math.floor(nowMs / 60_000);
    const known = this.#known.get(window);
    if (known?.minute === minute) return known.untilMs;
    const untilMs = openUntilMs(window, nowMs);
    this.#known.set(window, { minute, untilMs });
    return untilMs;
  }
}
