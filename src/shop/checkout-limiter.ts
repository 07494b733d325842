// Bounds what one shopper can leave behind: each checkout that fails on its holds leaves an order
// and what its SKUs remember of it. At most CHECKOUT_FAILURES_MAX of them a minute at this node;
// then the shopper is refused before anything is stored.
//
//   L1  checkouts under way count as if they failed, each key once: a burst cannot pass the limit
//   L2  memory is bounded without a timer: two generations of shoppers, the older one goes whole

import { assert } from "../core/assert.ts";
import {
  CHECKOUT_FAILURES_MAX,
  CHECKOUT_FAILURES_MS,
  CHECKOUT_FAILURES_SHOPPERS_MAX,
} from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

/** One minute of one shopper, from its first failure. */
type Failures = { count: number; untilMs: number };

/** A checkout under way ends within its deadline, mostly at once: then there may be room. */
const UNDER_WAY_RETRY_MS = 1_000;

export class CheckoutLimiter {
  readonly #clock: Clock;
  /** Keys under way by shopper, with how many requests carry each. */
  readonly #underWay = new Map<string, Map<string, number>>();
  #current = new Map<string, Failures>();
  #previous = new Map<string, Failures>();
  #turnsAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnsAtMs = clock.monotonicMs() + CHECKOUT_FAILURES_MS;
  }

  /** Shoppers whose failures are remembered. */
  get size(): number {
    return this.#current.size + this.#previous.size;
  }

  /** Null: go on, and `leave` at the end. Else how long to wait. Changes  who is under way. */
  enter(shopper: string, key: string): { readonly retryAfterMs: number } | null {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#turnsAtMs) this.#turn(nowMs);
    const keys = this.#underWay.get(shopper);
    const requests = keys?.get(key) ?? 0;
    if (requests === 0) {
      const failures = this.#failuresOf(shopper, nowMs);
      const count = (failures?.count ?? 0) + (keys?.size ?? 0);
      if (count >= CHECKOUT_FAILURES_MAX) {
        const isOver = failures !== null && failures.count >= CHECKOUT_FAILURES_MAX;
        return { retryAfterMs: isOver ? failures.untilMs - nowMs : UNDER_WAY_RETRY_MS };
      }
    }
    if (keys === undefined) this.#underWay.set(shopper, new Map([[key, 1]]));
    else keys.set(key, requests + 1);
    return null;
  }

  leave(shopper: string, key: string): void {
    const keys = this.#underWay.get(shopper);
    const requests = keys?.get(key);
    assert(keys !== undefined && requests !== undefined, "only who entered leaves");
    if (requests > 1) {
      keys.set(key, requests - 1);
      return;
    }
    keys.delete(key);
    if (keys.size === 0) this.#underWay.delete(shopper);
  }

  /** A checkout of the shopper was stored and failed on its holds. */
  failed(shopper: string): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#failuresOf(shopper, nowMs);
    const failures = known ?? { count: 0, untilMs: nowMs + CHECKOUT_FAILURES_MS };
    failures.count++;
    if (!this.#current.has(shopper) && this.#current.size >= CHECKOUT_FAILURES_SHOPPERS_MAX) {
      this.#turn(nowMs);
    }
    // Whoever goes on failing is kept with the young.
    this.#previous.delete(shopper);
    this.#current.set(shopper, failures);
    assert(this.size <= 2 * CHECKOUT_FAILURES_SHOPPERS_MAX, "a limiter is bounded");
  }

  #failuresOf(shopper: string, nowMs: number): Failures | null {
    const failures = this.#current.get(shopper) ?? this.#previous.get(shopper);
    return failures !== undefined && failures.untilMs > nowMs ? failures : null;
  }

  #turn(nowMs: number): void {
    this.#previous = this.#current;
    this.#current = new Map();
    this.#turnsAtMs = nowMs + CHECKOUT_FAILURES_MS;
  }
}
