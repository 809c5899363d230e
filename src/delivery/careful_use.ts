// Uses the outboxes so that one that fails holds up nothing else: the failure is logged once,
// and the answer is undefined.

import type { Log } from "../log.ts";
import type { Outbox } from "../outbox/outbox.ts";

/** One channel's use of the outboxes. */
export class CarefulUse {
  readonly #channel: string;
  readonly #log: Log;
  /** What was said about an outbox that fails. */
  readonly #troubles = new Map<Outbox, string>();

  constructor(channel: string, log: Log) {
    this.#channel = channel;
    this.#log = log;
  }

  /** The outbox's answer; undefined when it failed. */
  ask<Value>(outbox: Outbox, question: () => Value): Value | undefined {
    try {
      const answer = question();
      this.#troubles.delete(outbox);
      return answer;
    } catch (error) {
      const trouble = describe(error);
      if (trouble !== this.#troubles.get(outbox)) this.tell(error);
      this.#troubles.set(outbox, trouble);
      return undefined;
    }
  }

  tell(error: unknown): void {
    this.#log.error(`channel ${this.#channel}: cannot use the outbox: ${describe(error)}`);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
