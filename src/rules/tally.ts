// What each rule counts of each key: a process, or what it gathers. It outlives the incidents, for
// `after`, `quiet` and flapping look further back than one of them.

import { type Ends, NO_ENDS } from "./flapping.ts";

/** What one rule counts of one key: a process, or what it gathers. */
export interface Tally {
  readonly rule: string;
  readonly key: string;
  /** When the last ones for `after` came, the latest last; at most `after.count`. */
  readonly recentMs: readonly number[];
  /** The ends for `flapping`. */
  readonly ends: Ends;
  /** Ends that no message has counted yet, and when the last was. */
  readonly untold: number;
  readonly untoldAtMs: number;
  /** When it was told as firing, for `quiet`. */
  readonly toldAtMs?: number;
  /** When an incident of it was told as over, and how often it has come back soon after. */
  readonly resolvedAtMs?: number;
  readonly returns: number;
}

/** What names a tally. */
export interface RuleKey {
  readonly rule: string;
  readonly key: string;
}

/** By rule and key: two maps, for to join the two names costs more than to look twice. */
export class ByRule<Value> {
  readonly #rules = new Map<string, Map<string, Value>>();

  get(rule: string, key: string): Value | undefined {
    return this.#rules.get(rule)?.get(key);
  }

  set({ rule, key }: RuleKey, value: Value): void {
    const keys = this.#rules.get(rule);
    if (keys === undefined) this.#rules.set(rule, new Map([[key, value]]));
    else keys.set(key, value);
  }

  delete({ rule, key }: RuleKey): void {
    const keys = this.#rules.get(rule);
    keys?.delete(key);
    if (keys?.size === 0) this.#rules.delete(rule);
  }

  values(): Value[] {
    return [...this.#rules.values()].flatMap((keys) => [...keys.values()]);
  }
}

/** A place that keeps its identity while what stands in it changes. */
interface Place {
  tally: Tally;
}

/** All that is counted, and what of it has changed since it was written. */
export class Tallies {
  readonly #places = new ByRule<Place>();
  readonly #changed = new Set<Place>();
  readonly #forgotten = new Set<Place>();

  has({ rule, key }: RuleKey): boolean {
    return this.#places.get(rule, key) !== undefined;
  }

  /** What was counted; nothing, where nothing was. */
  get(rule: string, key: string): Tally {
    return this.#places.get(rule, key)?.tally ??
      { rule, key, recentMs: [], ends: NO_ENDS, untold: 0, untoldAtMs: 0, returns: 0 };
  }

  put(tally: Tally): void {
    let place = this.#places.get(tally.rule, tally.key);
    if (place === undefined) this.#places.set(tally, place = { tally });
    else place.tally = tally;
    this.#changed.add(place);
  }

  /** Forgets those for which it says so. */
  forget(isGone: (tally: Tally) => boolean): void {
    for (const place of this.#places.values()) {
      if (!isGone(place.tally)) continue;
      this.#places.delete(place.tally);
      this.#changed.delete(place);
      this.#forgotten.add(place);
    }
  }

  all(): Tally[] {
    return this.#places.values().map(({ tally }) => tally);
  }

  get isChanged(): boolean {
    return this.#changed.size > 0 || this.#forgotten.size > 0;
  }

  changed(): Tally[] {
    return [...this.#changed].map(({ tally }) => tally);
  }

  forgotten(): Tally[] {
    return [...this.#forgotten].map(({ tally }) => tally);
  }

  wasWritten(): void {
    if (this.#changed.size > 0) this.#changed.clear();
    if (this.#forgotten.size > 0) this.#forgotten.clear();
  }
}
