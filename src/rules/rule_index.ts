// How every rule stands to an event, found quickly: supervisord waits while a hundred rules are
// asked. What the words of `on` say depends on the sort of the event alone, and what `where` says
// of names on the process alone; so each is asked once and kept. The answers are those of decide().

import { type Event, groupOf, type ProcessName, processOf, textOf } from "../events/event.ts";
import { nameRefusal, textRefusal, type WithholdReason, wordFor } from "./decide.ts";
import type { SkipReason } from "./reason.ts";
import type { ConditionWord, Rule } from "./rule.ts";

/** That a rule has nothing to do with an event. */
export interface Skip {
  readonly rule: string;
  readonly verdict: "skip";
  readonly reason: SkipReason;
}

/** The word of each rule that comes true. */
type Words = readonly (ConditionWord | undefined)[];

/** Whether names fit, and if not why; kept as its place in this list, which takes a byte. */
const NAME_FITS = [
  undefined,
  "process-not-in-where",
  "process-excluded",
  "group-not-in-where",
  "group-excluded",
] as const satisfies readonly ReturnType<typeof nameRefusal>[];

/** So many places, of one rule and one process each, are kept; for more all are found anew. */
const MOST_FITS = 1_000_000;

/** The rules of one configuration. */
export class RuleIndex {
  readonly #rules: readonly Rule[];
  /** Of each sort of event which word of each rule comes true. */
  readonly #words = new Map<string, Words | undefined>();
  /** Of each process, by its processKey(), whether each rule is about it. */
  readonly #fits = new Map<string, Uint8Array>();
  /** Each skip once for each rule: most rules skip most events. */
  readonly #skips = new Map<SkipReason, readonly Skip[]>();

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /**
   * In the order of the rules the word that came true, or why the rule skips the event. `process`
   * is the processKey() of the event's process.
   */
  answers(
    event: Event,
    { process: key, withhold }: {
      readonly process: string | undefined;
      readonly withhold: WithholdReason | undefined;
    },
  ): readonly (ConditionWord | Skip)[] {
    const words = this.#wordsFor(event);
    if (words === undefined) return this.#skipsFor("event-not-in-on");
    const process = processOf(event);
    const fits = process === undefined || key === undefined
      ? this.#findFits(undefined, groupOf(event))
      : this.#fitsOf(process, key);
    const text = textOf(event);
    return words.map((word, index) => {
      if (word === undefined) return this.#skipsFor("event-not-in-on")[index]!;
      const reason = NAME_FITS[fits[index]!] ?? textRefusal(this.#rules[index]!, text) ?? withhold;
      return reason === undefined ? word : this.#skipsFor(reason)[index]!;
    });
  }

  /** The word of each rule that comes true; undefined: of no rule one does. */
  #wordsFor(event: Event): Words | undefined {
    // Beside its kind only that an end was expected makes a word true or not.
    const isExpected = event.kind === "process_exited" && event.expected;
    const sort = isExpected ? "process_exited as expected" : event.kind;
    if (!this.#words.has(sort)) {
      const words = this.#rules.map((rule) => wordFor(rule, event));
      this.#words.set(sort, words.some((word) => word !== undefined) ? words : undefined);
    }
    return this.#words.get(sort);
  }

  #fitsOf(process: ProcessName, key: string): Uint8Array {
    let fits = this.#fits.get(key);
    if (fits === undefined) {
      fits = this.#findFits(process, process.group);
      if ((this.#fits.size + 1) * this.#rules.length > MOST_FITS) this.#fits.clear();
      this.#fits.set(key, fits);
    }
    return fits;
  }

  #findFits(process: ProcessName | undefined, group: string | undefined): Uint8Array {
    return new Uint8Array(
      this.#rules.map((rule) => NAME_FITS.indexOf(nameRefusal(rule, process, group))),
    );
  }

  #skipsFor(reason: SkipReason): readonly Skip[] {
    let skips = this.#skips.get(reason);
    if (skips === undefined) {
      skips = this.#rules.map(({ name }) => ({ rule: name, verdict: "skip", reason }));
      this.#skips.set(reason, skips);
    }
    return skips;
  }
}
