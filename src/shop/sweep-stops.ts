// Says what kept the orders of one sweep from their end. An outage stops thousands for one reason,
// and each of them may hang first, so:
//
//   S1  the first fault of a code is said at once
//   S2  the others of that code are one line together, at the end of the sweep
//   S3  what needs a person is a line an order, never one of many

import { Fault, type FaultCode, faultOf } from "../core/errors.ts";
import type { Order, OrderStatus } from "../core/order/order.ts";
import type { Logger } from "../core/ports/logger.ts";

type Stop = { readonly orderId: string; readonly status: OrderStatus; readonly err: Fault };

type Kind = { readonly first: Stop; orderCount: number };

export class SweepStops {
  readonly #log: Logger;
  readonly #kinds = new Map<FaultCode, Kind>();

  constructor(log: Logger) {
    this.#log = log;
  }

  add({ orderId, status }: Order, cause: unknown): void {
    const err = faultOf(cause, "unknown", `order ${orderId} stopped at ${status}`);
    const stop = { orderId, status, err };
    if (!needsPerson(cause)) {
      const kind = this.#kinds.get(err.code);
      if (kind !== undefined) {
        kind.orderCount++;
        return;
      }
      this.#kinds.set(err.code, { first: stop, orderCount: 1 });
    }
    this.#log.warn(stop, "an order was not settled by the sweep");
  }

  /** At the end of the sweep. */
  sayRest(): void {
    for (const { first, orderCount } of this.#kinds.values()) {
      if (orderCount === 1) continue;
      const message = `orders were not settled by the sweep, ${orderCount - 1} more than already said`;
      this.#log.warn({ orderCount, ...first }, message);
    }
  }
}

/** What no retry helps, and a bug. */
export function needsPerson(cause: unknown): boolean {
  return !(cause instanceof Fault) || cause.retry === "give_up";
}
