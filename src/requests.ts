// Takes what commands ask of the running listener: looks now and then whether another process
// has written into the outbox's file, does what is asked, and writes down what came of it. A
// request that makes no sense is answered like any other, and the listener goes on.

import { type Clock, untilBeatMs } from "./clock.ts";
import type { Intake } from "./intake.ts";
import type { Log } from "./log.ts";
import type { Answer, RequestStore } from "./outbox/request_store.ts";
import { parseRequest, type Request } from "./rules/request.ts";
import { describeSilence } from "./rules/silence.ts";

/** What works on requests. */
export interface RequestsOptions {
  readonly store: RequestStore;
  readonly intake: Pick<Intake, "request" | "silences">;
  readonly clock: Clock;
  readonly log: Log;
}

/** A person waits for the answer; but who wakes up more often keeps the processor from its sleep. */
const LOOK_EVERY_MS = 1000;

/** The requests of one listener. */
export class Requests {
  readonly #options: RequestsOptions;
  /** The store's version at the last look. */
  #version: string | undefined;
  /** Done, and not yet written down: it must not be done again. */
  readonly #answers = new Map<number, Answer>();
  #generation = -1;
  /** What was said of the store, so that it is said once. */
  #trouble: string | undefined;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Looks until the signal; never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.look();
      await this.#options.clock.sleep(untilBeatMs(this.#options.clock, LOOK_EVERY_MS), stop);
    }
  }

  /** Takes what waits. Never throws: what a disk in trouble keeps from us is taken later. */
  look(): void {
    const { store, log, clock } = this.#options;
    try {
      const version = store.version();
      if (store.generation !== this.#generation) this.#answers.clear(); // the numbers of another file
      this.#generation = store.generation;
      if (version === this.#version && this.#answers.size === 0) return;
      const waiting = store.waiting();
      for (const { id, text } of waiting) {
        if (!this.#answers.has(id)) this.#answers.set(id, this.#take(text));
      }
      if (this.#answers.size > 0) store.answer(this.#answers, clock.now());
      this.#answers.clear();
      // Our own writing is no news; where more may wait, or the answers failed, it is looked again.
      this.#version = waiting.length === 0 ? version : undefined;
      this.#trouble = undefined;
    } catch (error) {
      const trouble = error instanceof Error ? error.message : String(error);
      if (trouble !== this.#trouble) log.debug(`requests have to wait: ${trouble}`);
      this.#trouble = trouble;
    }
  }

  #take(text: string): Answer {
    const { intake, clock, log } = this.#options;
    const request = parseRequest(text, clock.now());
    const answer = "why" in request
      ? { done: false, text: request.why }
      : this.#do(request, intake.silences);
    const level = answer.done ? "info" : "warn";
    log[level](answer.done ? `asked for: ${answer.text}` : `a request was refused: ${answer.text}`);
    return answer;
  }

  #do(request: Request, silences: Intake["silences"]): Answer {
    const { intake } = this.#options;
    const ended = request.kind === "unsilence"
      ? silences.find(({ id }) => id === request.id)
      : undefined;
    if (request.kind === "unsilence" && ended === undefined) {
      return { done: false, text: `there is no silence ${request.id} any more` };
    }
    const notes = intake.request(request);
    if (notes === undefined) return { done: false, text: "a mistake in superbell; see its log" };
    switch (request.kind) {
      case "silence":
        return {
          done: true,
          text: `${describeSilence(request.silence)}, by ${request.silence.by}`,
        };
      case "unsilence":
        return { done: true, text: `silence ${request.id} of ${ended?.patterns.join(",")} ended` };
      case "acknowledge": {
        const note = notes.at(-1);
        return { done: note?.level === "info", text: note?.text ?? "nothing came of it" };
      }
    }
  }
}
