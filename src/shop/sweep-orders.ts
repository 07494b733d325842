// Finishes what routes left behind: orders that are not settled and have not moved for a while.
//
// Owns only when to look at an order again, so that one which waits for hours costs little and never
// keeps others from their turn. A second sweeper, here or on another node, is harmless.

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
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
import { needsPerson, SweepStops } from "./sweep-stops.ts";

const AGAIN_MS_MAX = { waits: SWEEP_AGAIN_MS_MAX, store_away: SWEEP_STORE_AGAIN_MS_MAX } as const;

type Wait = { readonly notBeforeMs: number; readonly waitMs: number };

/** How a run over an order ended: `waits` is for the gateway, an event, or a person. */
type End = "settled" | "waits" | "store_away";

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
    const { clock } = this.#ports.runtime;
    const aheadMs = nowMs - clock.monotonicMs();
    const orders = await this.#ports.orders.unsettled({
      buckets,
      beforeMs: nowMs - SWEEP_ORDERS_AFTER_MS,
      // Oldest come first: those that only wait must not hide the rest.
      limit: Math.min(SWEEP_ORDERS_PAGE + this.#waits.size, SWEEP_ORDERS_MAX),
    });
    const waits = new Map<string, Wait>();
    const stops = new SweepStops(this.#ports.log);
    let settledCount = 0;
    await forEachAtOnce(orders, SWEEP_ORDERS_AT_ONCE, async (order) => {
      const wait = this.#waits.get(order.orderId);
      if (wait !== undefined && wait.notBeforeMs > nowMs) {
        waits.set(order.orderId, wait);
        return;
      }
      const end = await this.#advance(order, stops);
      if (end === "settled") {
        settledCount++;
        return;
      }
      // From the end of the look: one that hangs must not be due again before others had a turn.
      const endMs = aheadMs + clock.monotonicMs();
      waits.set(order.orderId, nextWait(wait, AGAIN_MS_MAX[end], endMs));
    });
    assert(waits.size <= SWEEP_ORDERS_MAX, "only orders of this sweep are remembered");
    this.#waits = waits;
    stops.sayRest();
    return settledCount;
  }

  /** A fault leaves the order for a later sweep. */
  async #advance(order: Order, stops: SweepStops): Promise<End> {
    const run = { order, mustCharge: false };
    let end: Exclude<End, "settled"> = "waits";
    try {
      await advanceOrder(this.#ports, run);
    } catch (cause) {
      stops.add(run.order, cause);
      if (isOfStore(cause)) end = "store_away";
    }
    this.#runs.learned(run.order);
    return run.order.settled ? "settled" : end;
  }
}

/** What will pass by itself. A gateway that is away is asked ever more seldom instead. */
function isOfStore(cause: unknown): boolean {
  const isOfGateway = cause instanceof Fault && cause.code === "payment_unavailable";
  return !isOfGateway && !needsPerson(cause);
}

function nextWait(wait: Wait | undefined, waitMsMax: number, endMs: number): Wait {
  const waitMs = wait === undefined ? SWEEP_AGAIN_MS : Math.min(wait.waitMs * 2, waitMsMax);
  return { notBeforeMs: endMs + waitMs, waitMs };
}
