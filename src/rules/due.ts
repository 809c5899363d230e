// What is due next, among thousands. All that one event brings is due at the same time, so a heap
// holds each time once, and the names stand beside it. A time that nothing is due at any more stays
// behind in the heap, and is passed over when it comes up; so every step costs a logarithm.

/** Names with the time at which each is due. */
export class DueTimes {
  readonly #times = new Map<string, number>();
  readonly #names = new Map<number, Set<string>>();
  #heap: number[] = [];

  /** Sets when the name is due; undefined: not at all. */
  set(name: string, atMs: number | undefined): void {
    const before = this.#times.get(name);
    if (before === atMs) return;
    if (before !== undefined) this.#forget(name, before);
    if (atMs === undefined) this.#times.delete(name);
    else {
      this.#times.set(name, atMs);
      this.#note(name, atMs);
    }
    if (this.#heap.length > 2 * this.#names.size + 64) this.#rebuild();
  }

  /** The earliest time; undefined when nothing is due ever. */
  next(): number | undefined {
    while (this.#heap.length > 0 && !this.#names.has(this.#heap[0]!)) this.#pop();
    return this.#heap[0];
  }

  /** The names that are due by then, the earliest first, at the same time by name; no more due. */
  take(nowMs: number): string[] {
    const taken: string[] = [];
    for (let atMs = this.next(); atMs !== undefined && atMs <= nowMs; atMs = this.next()) {
      const names = [...this.#names.get(atMs)!].sort();
      this.#names.delete(atMs);
      for (const name of names) {
        this.#times.delete(name);
        taken.push(name);
      }
    }
    return taken;
  }

  #note(name: string, atMs: number): void {
    const names = this.#names.get(atMs);
    if (names !== undefined) names.add(name);
    else {
      this.#names.set(atMs, new Set<string>().add(name));
      this.#push(atMs);
    }
  }

  #forget(name: string, atMs: number): void {
    const names = this.#names.get(atMs)!;
    names.delete(name);
    if (names.size === 0) this.#names.delete(atMs);
  }

  #rebuild(): void {
    this.#heap = [];
    for (const atMs of this.#names.keys()) this.#push(atMs);
  }

  #push(atMs: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(atMs);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (atMs >= heap[parent]!) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = atMs;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
