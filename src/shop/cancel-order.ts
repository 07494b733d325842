// Cancel: before the money, at once; after it, as a refund; while the money is in doubt, not yet.

import { unreachable } from "../core/assert.ts";
import { takeStep } from "./advance-order.ts";
import type { OrderRuns } from "./order-runs.ts";
import { orderOf } from "./orders.ts";
import type { ShopPorts } from "./ports.ts";
import type { CancelResult } from "./shop.ts";

/** created → awaiting_payment → paid: no order can outrun it more often. */
const ATTEMPTS_MAX = 3;

/** A repeat hears what the first did. */
export async function cancelOrder(
  ports: Pick<ShopPorts, "orders" | "runtime">,
  runs: OrderRuns,
  { shopper, orderId }: { shopper: string; orderId: string },
): Promise<CancelResult> {
  const order = await orderOf(ports, shopper, orderId);
  if (order === null) return { kind: "not_found" };
  const run = { order, mustCharge: false };
  // Lost to another step: what that left may be cancelled in its own way.
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { status } = run.order;
    if (status !== "created" && status !== "paid") break;
    const to = status === "created" ? "cancelled" : "refunding";
    const atMs = ports.runtime.clock.wallMs();
    if (await takeStep(ports, run, { to, atMs, settled: false })) break;
  }
  switch (run.order.status) {
    case "cancelled":
      if (!run.order.settled) await runs.join(run.order).done;
      return { kind: "cancelled", order: run.order };
    case "refunding":
      // Units and money go back behind the answer, or by the sweeper.
      runs.join(run.order);
      return { kind: "refunding", order: run.order };
    case "refunded":
      return { kind: "refunding", order: run.order };
    case "created":
    case "paid":
    case "awaiting_payment":
      return { kind: "payment_pending" };
    case "failed":
    case "fulfilled":
      return { kind: "not_cancellable" };
    default:
      return unreachable(run.order.status);
  }
}
