import type { Clock } from "../core/ports/clock.ts";
import type { Logger } from "../core/ports/logger.ts";

const LOG_EVERY_MS = 60_000;

/** Counts messages that are not for us, and says so at most once a minute for each reason. */
export class IgnoredMessages {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #reasons = new Map<string, { count: number; loggedAtMs: number }>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `reason` is one of a few words of ours, never text of the message. */
  ignored(reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    let entry = this.#reasons.get(reason);
    if (entry === undefined) {
      entry = { count: 0, loggedAtMs: Number.NEGATIVE_INFINITY };
      this.#reasons.set(reason, entry);
    }
    entry.count++;
    if (nowMs - entry.loggedAtMs < LOG_EVERY_MS) return;
    entry.loggedAtMs = nowMs;
    this.#log.warn({ reason, count: entry.count }, "messages ignored");
  }

  countOf(reason: string): number {
    return this.#reasons.get(reason)?.count ?? 0;
  }
}
