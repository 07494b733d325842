import { Fault } from "../core/errors.ts";
import type { StockBook } from "../core/stock/state.ts";

/** Questions about a whole book that may wait in one partition. */
const READINGS_MAX = 16_384;

/** A question about the whole book, answered like any other: only under a confirmation. */
export type Reading = {
  /** Monotonic. */
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  /** True: the confirmation must have been asked for after the question arrived. */
  readonly isStrict: boolean;
  readonly answer: (book: StockBook, nowMs: number) => void;
  readonly reject: (fault: Fault) => void;
};

const NONE: readonly Reading[] = [];

/** The questions that wait for the next turn: it takes them all. */
export class Readings {
  #waiting: Reading[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  /** False when its bound is reached. */
  push(reading: Reading): boolean {
    if (this.#waiting.length >= READINGS_MAX) return false;
    this.#waiting.push(reading);
    return true;
  }

  takeAll(): readonly Reading[] {
    // Never the list that goes on growing: what comes later is not for the turn that takes this.
    if (this.#waiting.length === 0) return NONE;
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  /** What came over the bus has less time left than what came before it: all are looked at. */
  expire(monotonicMs: number): void {
    const waiting = this.#waiting;
    if (!waiting.some(({ deadlineMs }) => deadlineMs <= monotonicMs)) return;
    this.#waiting = waiting.filter(({ deadlineMs }) => deadlineMs > monotonicMs);
    for (const { deadlineMs, reject } of waiting) {
      if (deadlineMs > monotonicMs) continue;
      reject(new Fault("deadline", "the partition did not answer in time"));
    }
  }
}
