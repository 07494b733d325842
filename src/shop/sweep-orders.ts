// Finishes what routes left behind: orders that are not settled and have not moved for a while.
//
// Owns only when to look at an order again, so that one which waits for hours costs little and never
// keeps others from their turn. A second sweeper, here or on another node, is harmless.

import { assert } from "../core/assert.ts";
import { Fault, faultOf } from "../core/errors.ts";
import {
  SWEEP_AGAIN_MS,
  SWEEP_AGAIN_MS_MAX,
  SWEEP_ORDERS_AFTER_MS,
  SWEEP_ORDERS_AT_ONCE,
  SWEEP_ORDERS_MAX,
  SWEEP_ORDERS_PAGE,
  SWEEP_STORE_AGAIN_MS_MAX,
} from "../core/limits.ts";
import type { Order } from "../core/order/order.ts";
import { advanceOrder, type AdvancePorts } from "./advance-order.ts";
import { forEachAtOnce } from "./at-once.ts";
import type { OrderRuns } from "./order-runs.ts";

/** How a run over an order ended: `waits` is for the gateway, an event, or a person. */
type End = "settled" | "waits" | "store_away";

const AGAIN_MS_MAX = { waits: SWEEP_AGAIN_MS_MAX, store_away: SWEEP_STORE_AGAIN_MS_MAX } as const;

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
      if (wait !== undefined && wait.notBeforeMs > nowMs) {
        waits.set(order.orderId, wait);
        return;
      }
      const end = await this.#advance(order);
      if (end === "settled") settledCount++;
      else waits.set(order.orderId, nextWait(wait, AGAIN_MS_MAX[end], nowMs));
    });
    assert(waits.size <= SWEEP_ORDERS_MAX, "only orders of this sweep are remembered");
    this.#waits = waits;
    return settledCount;
  }

  /** A fault leaves the order for a later sweep. */
  async #advance(order: Order): Promise<End> {
    const run = { order, mustCharge: false };
    let end: Exclude<End, "settled"> = "waits";
    try {
      await advanceOrder(this.#ports, run);
    } catch (cause) {
      const { orderId, status } = run.order;
      const err = faultOf(cause, "unknown", `order ${orderId} stopped at ${status}`);
      this.#ports.log.warn({ orderId, status, err }, "an order was not settled by the sweep");
      if (isOfStore(cause)) end = "store_away";
    }
    this.#runs.learned(run.order);
    return run.order.settled ? "settled" : end;
  }
}

/** The gateway is asked ever more seldom instead, and what no retry helps is for a person. */
function isOfStore(cause: unknown): boolean {
  if (!(cause instanceof Fault)) return false;
  return cause.retry !== "give_up" && cause.code !== "payment_unavailable";
}

function nextWait(wait: Wait | undefined, waitMsMax: number, nowMs: number): Wait {
  const waitMs = wait === undefined ? SWEEP_AGAIN_MS : Math.min(wait.waitMs * 2, waitMsMax);
  return { notBeforeMs: nowMs + waitMs, waitMs };
}
