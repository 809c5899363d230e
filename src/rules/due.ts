// What is due next, among thousands: a heap of times. A name that gets another time leaves its
// old place behind, which is passed over when it comes up; so every step costs a logarithm.

interface Place {
  readonly atMs: number;
  readonly name: string;
}

/** At the same time by name, so that the same is always done in the same order. */
function isBefore(left: Place, right: Place): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.name < right.name);
}

/** Names with the time at which each is due. */
export class DueTimes {
  readonly #times = new Map<string, number>();
  #heap: Place[] = [];

  /** Sets when the name is due; undefined: not at all. */
  set(name: string, atMs: number | undefined): void {
    if (this.#times.get(name) === atMs) return;
    if (atMs === undefined) this.#times.delete(name);
    else {
      this.#times.set(name, atMs);
      this.#push({ atMs, name });
    }
    if (this.#heap.length > 2 * this.#times.size + 64) this.#rebuild();
  }

  /** The earliest time; undefined when nothing is due ever. */
  next(): number | undefined {
    while (this.#heap.length > 0 && !this.#holds(this.#heap[0]!)) this.#pop();
    return this.#heap[0]?.atMs;
  }

  /** The names that are due by then, the earliest first; they are due no more. */
  take(nowMs: number): string[] {
    const names: string[] = [];
    for (let atMs = this.next(); atMs !== undefined && atMs <= nowMs; atMs = this.next()) {
      const { name } = this.#pop()!;
      this.#times.delete(name);
      names.push(name);
    }
    return names;
  }

  #holds({ atMs, name }: Place): boolean {
    return this.#times.get(name) === atMs;
  }

  #rebuild(): void {
    this.#heap = [];
    for (const [name, atMs] of this.#times) this.#push({ atMs, name });
  }

  #push(place: Place): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(place);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(place, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = place;
  }

  #pop(): Place | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
