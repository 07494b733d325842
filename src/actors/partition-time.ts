import type { Clock } from "../core/ports/clock.ts";

/**
 * A partition's clock: the store's time learned at its claim, advanced by the node's monotonic clock
 * only, never below the last batch's time nor any time told before. No jump of a wall clock moves it.
 *
 * The reply's time is taken as the moment it arrived: so ours is late by the way back, never early,
 * and no hold lapses before its deadline.
 */
export class PartitionTime {
  readonly #clock: Clock;
  #baseMs = 0;
  #learnedAtMs: number;
  #lastMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#learnedAtMs = clock.monotonicMs();
  }

  nowMs(): number {
    const nowMs = this.#runningMs();
    if (nowMs > this.#lastMs) this.#lastMs = nowMs;
    return this.#lastMs;
  }

  /**
   * A claim told the store's time; `learnedAtMs` is monotonic, so that a long load since then does
   * not make us late. `lastAtMs` is the last batch's: whoever decided it may have had a faster clock.
   */
  learn(
    claimed: { readonly storeNowMs: number; readonly learnedAtMs: number },
    lastAtMs: number,
  ): void {
    this.#baseMs = claimed.storeNowMs;
    this.#learnedAtMs = claimed.learnedAtMs;
    this.#lastMs = Math.max(this.#lastMs, lastAtMs);
    const behindMs = this.#lastMs - this.#runningMs();
    if (behindMs > 0) this.#baseMs += behindMs;
  }

  /** How far the store's time has run away from ours; positive when ours is behind. */
  driftMs(storeNowMs: number): number {
    return storeNowMs - this.nowMs();
  }

  #runningMs(): number {
    return Math.floor(this.#baseMs + this.#clock.monotonicMs() - this.#learnedAtMs);
  }
}
