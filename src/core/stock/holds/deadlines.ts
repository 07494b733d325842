const CAPACITY_MIN = 64;

/**
 * A binary heap of the deadlines of slots, earliest first, in typed arrays. It forgets lazily: an
 * entry whose slot is free or has another deadline by now is dropped when it is met, or when such
 * entries outnumber the rest.
 *
 * Hot path (bench/hold.ts): most deadlines arrive in order, and then a push is O(1).
 */
export class DeadlineHeap {
  readonly #isLive: (slot: number, deadlineMs: number) => boolean;
  #times = new Float64Array(CAPACITY_MIN);
  #slots = new Int32Array(CAPACITY_MIN);
  #size = 0;
  #staleCount = 0;

  constructor(isLive: (slot: number, deadlineMs: number) => boolean) {
    this.#isLive = isLive;
  }

  get size(): number {
    return this.#size;
  }

  push(slot: number, deadlineMs: number): void {
    if (this.#size === this.#times.length) this.#makeRoom();
    this.#size += 1;
    this.#rise(this.#size - 1, slot, deadlineMs);
  }

  /** To be told whenever an entry stops being live: its slot was freed, or got another deadline. */
  wentStale(): void {
    this.#staleCount += 1;
  }

  /** The earliest live slot whose deadline is at or before `nowMs`; it stays in. -1 when none. */
  due(nowMs: number): number {
    while (this.#size > 0 && this.#times[0]! <= nowMs) {
      const slot = this.#slots[0]!;
      if (this.#isLive(slot, this.#times[0]!)) return slot;
      this.#pop();
    }
    return -1;
  }

  /** When to look again: never later than the earliest live deadline. Infinity when empty. */
  nextMs(): number {
    while (this.#size > 0) {
      if (this.#isLive(this.#slots[0]!, this.#times[0]!)) return this.#times[0]!;
      this.#pop();
    }
    return Number.POSITIVE_INFINITY;
  }

  #rise(from: number, slot: number, deadlineMs: number): void {
    const times = this.#times;
    const slots = this.#slots;
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (times[parent]! <= deadlineMs) break;
      times[child] = times[parent]!;
      slots[child] = slots[parent]!;
      child = parent;
    }
    times[child] = deadlineMs;
    slots[child] = slot;
  }

  /** Drops the first entry, which is stale. */
  #pop(): void {
    this.#staleCount -= 1;
    this.#size -= 1;
    if (this.#size > 0) this.#sink(0, this.#slots[this.#size]!, this.#times[this.#size]!);
  }

  #sink(from: number, slot: number, timeMs: number): void {
    const times = this.#times;
    const slots = this.#slots;
    const size = this.#size;
    let parent = from;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= size) break;
      if (child + 1 < size && times[child + 1]! < times[child]!) child += 1;
      if (times[child]! >= timeMs) break;
      times[parent] = times[child]!;
      slots[parent] = slots[child]!;
      parent = child;
    }
    times[parent] = timeMs;
    slots[parent] = slot;
  }

  /** Full: stale entries go when they are about half, else the arrays double. */
  #makeRoom(): void {
    if (2 * this.#staleCount >= this.#size) this.#compact();
    if (this.#size <= this.#times.length / 2) return;
    const times = new Float64Array(2 * this.#times.length);
    const slots = new Int32Array(2 * this.#slots.length);
    times.set(this.#times);
    slots.set(this.#slots);
    this.#times = times;
    this.#slots = slots;
  }

  /** Amortised O(1) a push: at least half of the entries go. */
  #compact(): void {
    let kept = 0;
    for (let at = 0; at < this.#size; at += 1) {
      if (!this.#isLive(this.#slots[at]!, this.#times[at]!)) continue;
      this.#times[kept] = this.#times[at]!;
      this.#slots[kept] = this.#slots[at]!;
      kept += 1;
    }
    this.#size = kept;
    this.#staleCount = 0;
    for (let at = (kept >> 1) - 1; at >= 0; at -= 1) {
      this.#sink(at, this.#slots[at]!, this.#times[at]!);
    }
  }
}
