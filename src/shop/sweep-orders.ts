// Finishes what routes left behind: orders that are not settled and have not moved for a while.
//
// Owns only when to look at an order again, so that one which waits for hours costs little and never
// keeps others from their turn. A second sweeper, here or on another node, is harmless.

import { assert } from "../core/assert.ts";
import { faultOf } from "../core/errors.ts";
import {
  SWEEP_AGAIN_MS,
  SWEEP_AGAIN_MS_MAX,
  SWEEP_ORDERS_AFTER_MS,
  SWEEP_ORDERS_AT_ONCE,
  SWEEP_ORDERS_MAX,
  SWEEP_ORDERS_PAGE,
} from "../core/limits.ts";
import type { Order } from "../core/order/order.ts";
import { advanceOrder, type AdvancePorts } from "./advance-order.ts";
import { forEachAtOnce } from "./at-once.ts";
import type { OrderRuns } from "./order-runs.ts";

type Wait = { readonly notBeforeMs: number; readonly waitMs: number };

export class OrderSweeper {
  readonly #ports: AdvancePorts;
  readonly #runs: OrderRuns;
  #waits = new Map<string, Wait>();

  constructor(ports: AdvancePorts, runs: OrderRuns) {
    this.#ports = ports;
    this.#runs = runs;
  }

  /**
   * Advances what is due in the buckets, each order on its own.
   *
   * Returns  how many orders were settled.
   * Throws   the Fault of reading them.
   */
  async sweep(buckets: readonly number[], nowMs: number): Promise<number> {
    const orders = await this.#ports.orders.unsettled({
      buckets,
      beforeMs: nowMs - SWEEP_ORDERS_AFTER_MS,
      // Oldest come first: those that only wait must not hide the rest.
      limit: Math.min(SWEEP_ORDERS_PAGE + this.#waits.size, SWEEP_ORDERS_MAX),
    });
    const waits = new Map<string, Wait>();
    let settledCount = 0;
    await forEachAtOnce(orders, SWEEP_ORDERS_AT_ONCE, async (order) => {
      const wait = this.#waits.get(order.orderId);
      const isDue = wait === undefined || wait.notBeforeMs <= nowMs;
      if (isDue && (await this.#advance(order))) settledCount++;
      else waits.set(order.orderId, isDue ? nextWait(wait, nowMs) : wait);
    });
    assert(waits.size <= SWEEP_ORDERS_MAX, "only orders of this sweep are remembered");
    this.#waits = waits;
    return settledCount;
  }

  /** True when the order is settled. A fault leaves it for a later sweep. */
  async #advance(order: Order): Promise<boolean> {
    const run = { order, mustCharge: false };
    try {
      await advanceOrder(this.#ports, run);
    } catch (cause) {
      const { orderId, status } = run.order;
      const err = faultOf(cause, "unknown", `order ${orderId} stopped at ${status}`);
      this.#ports.log.warn({ orderId, status, err }, "an order was not settled by the sweep");
    }
    this.#runs.learned(run.order);
    return run.order.settled;
  }
}

function nextWait(wait: Wait | undefined, nowMs: number): Wait {
  const waitMs =
    wait === undefined ? SWEEP_AGAIN_MS : Math.min(wait.waitMs * 2, SWEEP_AGAIN_MS_MAX);
  return { notBeforeMs: nowMs + waitMs, waitMs };
}
