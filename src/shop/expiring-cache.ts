import { assert } from "../core/assert.ts";
import type { Clock } from "../core/ports/clock.ts";

/** Values that are true for a while, bounded in number: the oldest go first. */
export class ExpiringCache<V> {
  readonly #clock: Clock;
  readonly #freshMs: number;
  readonly #countMax: number;
  readonly #entries = new Map<string, { readonly value: V; readonly untilMs: number }>();

  constructor(options: { clock: Clock; freshMs: number; countMax: number }) {
    assert(options.freshMs > 0 && options.countMax >= 1, "a cache keeps something for a while");
    this.#clock = options.clock;
    this.#freshMs = options.freshMs;
    this.#countMax = options.countMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs > this.#clock.monotonicMs()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  put(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs: this.#clock.monotonicMs() + this.#freshMs });
    if (this.#entries.size <= this.#countMax) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
    assert(this.#entries.size <= this.#countMax, "a cache is bounded");
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
