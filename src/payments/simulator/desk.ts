// The desk: takes requests to the book and answers them, one transaction for all that one turn of
// the event loop brought. Load makes the batch; there is no timer on the way of an answer.
//
// K1  An answer leaves only after its transaction is durable.
// K2  Requests are decided in the order they came.
// K3  A pending charge that is due gets paid, also when nobody asks and after a restart.

import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/ports/clock.ts";
import * as limits from "../limits.ts";
import type { Book } from "./book.ts";
import type { Decision, Request } from "./decide.ts";

export type DeskOptions = {
  readonly book: Book;
  readonly clock: Clock;
  readonly lateMs: number;
  /** How often the wall clock is looked at while charges are pending: it may jump. */
  readonly pollMs: number;
  /** Told after a transaction that wrote events. */
  readonly onEvents: () => void;
};

type Waiting = {
  readonly request: Request;
  readonly resolve: (decision: Decision) => void;
  readonly reject: (cause: unknown) => void;
};

export class Desk {
  readonly #options: DeskOptions;
  #waiting: Waiting[] = [];
  #isTurnDue = false;
  #isClosed = false;
  #pollTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#armPoll();
  }

  /** Returns  null when the desk is full or closed: nothing was or will be written. */
  run(request: Request): Promise<Decision> | null {
    if (this.#isClosed || this.#waiting.length >= limits.DESK_WAITING_MAX) return null;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#armTurn();
    });
  }

  /** Answers what waits, then takes nothing more. */
  close(): void {
    this.#isClosed = true;
    if (this.#pollTimer !== null) clearTimeout(this.#pollTimer);
    while (this.#waiting.length > 0) this.#turn();
  }

  #armTurn(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      if (!this.#isClosed) this.#turn();
    });
  }

  #turn(): void {
    const batch = this.#waiting.splice(0, limits.DESK_BATCH_MAX);
    if (batch.length === 0) return;
    if (this.#waiting.length > 0) this.#armTurn();
    const decisions = this.#transact(batch);
    if (decisions === null) return;
    assert(decisions.length === batch.length, "each request has its decision");
    let hasEvents = false;
    let hasPending = false;
    decisions.forEach((decision, index) => {
      batch[index]?.resolve(decision);
      if (decision.events.length > 0) hasEvents = true;
      if (decision.write?.state === "pending") hasPending = true;
    });
    if (hasEvents) this.#options.onEvents();
    if (hasPending) this.#armPoll();
  }

  #transact(batch: readonly Waiting[]): Decision[] | null {
    const { book, clock, lateMs } = this.#options;
    const requests = batch.map((waiting) => waiting.request);
    try {
      return book.transact(requests, { nowMs: clock.wallMs(), lateMs });
    } catch (cause) {
      for (const waiting of batch) waiting.reject(cause);
      return null;
    }
  }

  #armPoll(): void {
    if (this.#pollTimer !== null || this.#isClosed) return;
    const { book, clock, pollMs } = this.#options;
    const dueAtMs = book.nextDueAtMs();
    if (dueAtMs === null) return;
    const delayMs = Math.min(pollMs, Math.max(1, dueAtMs - clock.wallMs()));
    this.#pollTimer = setTimeout(() => {
      this.#pollTimer = null;
      this.#payDue();
    }, delayMs);
  }

  /** Asking about a due charge is what makes it paid; nobody waits for these answers. */
  #payDue(): void {
    const { book, clock } = this.#options;
    for (const orderId of book.dueOrders(clock.wallMs(), limits.DESK_BATCH_MAX)) {
      this.#waiting.push({
        request: { kind: "inquire", orderId },
        resolve: () => {},
        // Still due in the book: the next poll asks again.
        reject: () => {},
      });
    }
    this.#turn();
    this.#armPoll();
  }
}
