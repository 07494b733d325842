import type { Clock } from "../core/ports/clock.ts";

/**
 * A partition's clock: the store's time learned at its claim, advanced by the node's monotonic clock
 * only, never below the last batch's time. No jump of a wall clock moves it.
 *
 * The reply's time is taken as the moment it arrived: so ours is late by the way back, never early,
 * and no hold lapses before its deadline.
 */
export class PartitionTime {
  readonly #clock: Clock;
  #baseMs: number;
  readonly #learnedAtMs: number;

  constructor(clock: Clock, storeNowMs: number) {
    this.#clock = clock;
    this.#baseMs = storeNowMs;
    this.#learnedAtMs = clock.monotonicMs();
  }

  nowMs(): number {
    return Math.floor(this.#baseMs + this.#clock.monotonicMs() - this.#learnedAtMs);
  }

  /** The last batch's time: whoever decided it may have had a faster clock. */
  notBefore(atMs: number): void {
    const behindMs = atMs - this.nowMs();
    if (behindMs > 0) this.#baseMs += behindMs;
  }

  /** How far the store's time has run away from ours; positive when ours is behind. */
  driftMs(storeNowMs: number): number {
    return storeNowMs - this.nowMs();
  }
}
