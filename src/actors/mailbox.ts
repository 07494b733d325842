import { Fault } from "../core/errors.ts";
import { MAILBOX_HOLDS_MAX, MAILBOX_RESERVE_MAX } from "../core/limits.ts";
import type { Command, Outcome } from "../core/stock/command.ts";

/** One question on its way to a SKU, with whoever waits for its answer. */
export type Envelope = {
  readonly key: string;
  readonly command: Command;
  /** Monotonic. */
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (fault: Fault) => void;
};

/**
 * What waits in one partition, in order of arrival (I6), with two bounds: new holds, and a reserve
 * for all else, so that money and returned stock never starve in a stampede.
 *
 * Hot path (bench/hold.ts): an array and a head index; it is cut when the head has passed half.
 */
export class Mailbox {
  #items: Envelope[] = [];
  #head = 0;
  #holdCount = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** False when its bound is reached: the caller says so upstream, nobody waits here. */
  push(envelope: Envelope): boolean {
    if (envelope.command.kind === "hold") {
      if (this.#holdCount >= MAILBOX_HOLDS_MAX) return false;
      this.#holdCount++;
    } else if (this.length - this.#holdCount >= MAILBOX_RESERVE_MAX) {
      return false;
    }
    this.#items.push(envelope);
    return true;
  }

  shift(): Envelope | undefined {
    const envelope = this.#items[this.#head];
    if (envelope === undefined) return undefined;
    this.#head++;
    if (envelope.command.kind === "hold") this.#holdCount--;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= 4_096 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return envelope;
  }

  /** What came over the bus has less time left than what came before it: all are looked at. */
  expire(monotonicMs: number): void {
    const waiting = this.#items.slice(this.#head);
    if (!waiting.some(({ deadlineMs }) => deadlineMs <= monotonicMs)) return;
    this.#items = [];
    this.#head = 0;
    this.#holdCount = 0;
    for (const envelope of waiting) {
      if (envelope.deadlineMs > monotonicMs) this.push(envelope);
      else envelope.reject(new Fault("deadline", "the partition did not decide in time"));
    }
  }

  rejectAll(fault: Fault): void {
    for (let next = this.shift(); next !== undefined; next = this.shift()) next.reject(fault);
  }
}
