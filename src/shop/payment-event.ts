// A payment event only says "look at this order": what counts is the gateway's answer when asked.
// So events may come twice, late or in any order, and a forged one could do no harm.

import { bucketOfOrder } from "../core/ids.ts";
import { EVENT_GRACE_MS } from "../core/limits.ts";
import { advanceOrder, type AdvancePorts } from "./advance-order.ts";
import type { OrderRuns } from "./order-runs.ts";

/** The event's signature has been checked. Once for each event id. */
export async function paymentEvent(
  ports: AdvancePorts,
  runs: OrderRuns,
  { eventId, orderId }: { eventId: string; orderId: string },
): Promise<void> {
  if (bucketOfOrder(orderId) === null) return;
  const atMs = ports.runtime.clock.wallMs();
  if (!(await ports.orders.recordPaymentEvent({ eventId, orderId, atMs }))) return;

  // Most events arrive while their checkout is about to finish: it needs no second run.
  const live = runs.get(orderId);
  if (live !== null) {
    await Promise.race([live.done, ports.runtime.pause(EVENT_GRACE_MS)]);
    if (live.order.settled) return;
  }
  const order = await ports.orders.find(orderId);
  if (order === null || order.settled) return;
  const run = { order, mustCharge: false };
  await advanceOrder(ports, run);
  runs.learned(run.order);
}
