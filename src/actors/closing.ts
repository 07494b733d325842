import type { Clock } from "../core/ports/clock.ts";
import type { Term } from "../core/ports/journal.ts";
import type { PartitionHost } from "./partition-host.ts";

/** How a partition is given up: it refuses what is new, becomes quiet, and then decides nothing. */
export class Closing {
  readonly #clock: Clock;
  #phase: "open" | "closing" | "leaving" = "open";
  #latestMs = Number.POSITIVE_INFINITY;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get hasBegun(): boolean {
    return this.#phase !== "open";
  }

  /** Quiet and on its way out: no more turns. */
  get isLeaving(): boolean {
    return this.#phase === "leaving";
  }

  begin(): void {
    this.#phase = "closing";
  }

  leave(): void {
    this.#phase = "leaving";
  }

  cancel(): void {
    this.#phase = "open";
    this.#latestMs = Number.POSITIVE_INFINITY;
  }

  /** Resolves once all that was accepted has been answered, or `waitMs` are over at a tick. */
  whenQuiet(waitMs: number): Promise<void> {
    this.#latestMs = this.#clock.monotonicMs() + waitMs;
    return new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  tick(monotonicMs: number): void {
    if (monotonicMs >= this.#latestMs) this.notifyQuiet();
  }

  notifyQuiet(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Marks a clean end of the term; without it the next owner claims all the same. */
export async function release(host: PartitionHost, term: Term): Promise<void> {
  const { partition } = term;
  try {
    await host.journal.release(term);
  } catch (cause) {
    host.log.warn({ partition, err: String(cause) }, "release failed");
  }
}
