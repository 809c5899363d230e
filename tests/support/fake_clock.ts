// A clock that a test moves on: everything that waits for a time waits for this one.

import type { Clock } from "../../src/clock.ts";

interface Sleeper {
  readonly atMs: number;
  wake(): void;
}

/** Stands still until `advance` moves it. */
export class FakeClock implements Clock {
  #nowMs: number;
  #jumpedMs = 0;
  #sleepers: Sleeper[] = [];

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** How many wait for a time. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  monotonic(): number {
    return this.#nowMs - this.#jumpedMs;
  }

  /** Sets the time without waking anybody: somebody corrected the host's clock. */
  jumpTo(nowMs: number): void {
    const byMs = nowMs - this.#nowMs;
    this.#nowMs = nowMs;
    this.#jumpedMs += byMs;
    this.#sleepers = this.#sleepers.map(({ atMs, wake }) => ({ atMs: atMs + byMs, wake }));
  }

  sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const wake = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper && other.wake !== wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = { atMs: this.#nowMs + durationMs, wake };
      this.#sleepers.push(sleeper);
      signal.addEventListener("abort", wake);
    });
  }

  /** Lets so much time pass, waking each sleeper at its moment, in order. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await this.settle();
    while (true) {
      const next = this.#sleepers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((left, right) => left.atMs - right.atMs)[0];
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  /** Lets everything run that waits for no time. */
  async settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await new Promise<void>((resolve) => setTimeout(resolve, 0));
    }
  }
}
