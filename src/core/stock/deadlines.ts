/**
 * A binary heap of deadlines, earliest first, that forgets lazily: an entry whose thing is gone or
 * has another deadline by now is dropped when it is met, or when such entries outnumber the rest.
 *
 * Hot path (bench/decide.ts): most deadlines arrive in order, and then a push is O(1).
 */
export class DeadlineHeap<T> {
  readonly #isLive: (thing: T, deadlineMs: number) => boolean;
  #times: number[] = [];
  #things: T[] = [];
  #compactAt = 1_024;

  constructor(isLive: (thing: T, deadlineMs: number) => boolean) {
    this.#isLive = isLive;
  }

  get size(): number {
    return this.#times.length;
  }

  push(thing: T, deadlineMs: number): void {
    if (this.#times.length >= this.#compactAt) this.#compact();
    let child = this.#times.length;
    this.#times.push(deadlineMs);
    this.#things.push(thing);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (this.#times[parent]! <= deadlineMs) break;
      this.#times[child] = this.#times[parent]!;
      this.#things[child] = this.#things[parent]!;
      child = parent;
    }
    this.#times[child] = deadlineMs;
    this.#things[child] = thing;
  }

  /** The earliest live thing whose deadline is at or before `nowMs`; it stays in. Null when none. */
  due(nowMs: number): T | null {
    while (this.#times.length > 0 && this.#times[0]! <= nowMs) {
      const thing = this.#things[0]!;
      if (this.#isLive(thing, this.#times[0]!)) return thing;
      this.#pop();
    }
    return null;
  }

  /** When to look again: never later than the earliest live deadline. Infinity when empty. */
  nextMs(): number {
    while (this.#times.length > 0) {
      if (this.#isLive(this.#things[0]!, this.#times[0]!)) return this.#times[0]!;
      this.#pop();
    }
    return Number.POSITIVE_INFINITY;
  }

  #pop(): void {
    const timeMs = this.#times.pop()!;
    const thing = this.#things.pop()!;
    const size = this.#times.length;
    if (size === 0) return;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#times[child + 1]! < this.#times[child]!) child++;
      if (this.#times[child]! >= timeMs) break;
      this.#times[parent] = this.#times[child]!;
      this.#things[parent] = this.#things[child]!;
      parent = child;
    }
    this.#times[parent] = timeMs;
    this.#things[parent] = thing;
  }

  /** Rebuilds without the stale entries. Amortised O(1) a push: the next one is at twice the size. */
  #compact(): void {
    const live: { timeMs: number; thing: T }[] = [];
    for (let i = 0; i < this.#times.length; i++) {
      const timeMs = this.#times[i]!;
      const thing = this.#things[i]!;
      if (this.#isLive(thing, timeMs)) live.push({ timeMs, thing });
    }
    live.sort((left, right) => left.timeMs - right.timeMs);
    this.#times = live.map((entry) => entry.timeMs);
    this.#things = live.map((entry) => entry.thing);
    this.#compactAt = Math.max(1_024, 2 * live.length);
  }
}
