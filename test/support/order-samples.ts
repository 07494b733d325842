// Orders for tests of the Orders port and of what stands on it.

import { bucketOf, orderIdOf } from "../../src/core/ids.ts";
import { type Order, type OrderLine, totalMinorOf } from "../../src/core/order/order.ts";
import type { Transition } from "../../src/core/ports/orders.ts";

let count = 0;

/** A name nobody else in this process has. */
export function fresh(word: string): string {
  return `${word}-${++count}-${Bun.randomUUIDv7().slice(-8)}`;
}

const LINES: readonly OrderLine[] = [
  { sku: "phone-x-128", quantity: 1, unitPriceMinor: 1_999_900 },
  { sku: "cover.red", quantity: 2, unitPriceMinor: 49_900 },
];

/** A new order as checkout makes it; whatever is given wins. */
export function sampleOrder(given: Partial<Order> = {}): Order {
  const shopperId = given.shopperId ?? fresh("shopper");
  const lines = given.lines ?? LINES;
  const createdAtMs = given.createdAtMs ?? 1_790_000_000_000 + ++count;
  return {
    orderId: orderIdOf(shopperId, Bun.randomUUIDv7()),
    shopperId,
    merchantId: "demo",
    saleId: "diwali-drop",
    idempotencyKey: fresh("key"),
    fingerprint: "0123456789abcdef",
    status: "created",
    lines,
    currency: "INR",
    totalMinor: totalMinorOf(lines),
    refundedMinor: 0,
    failure: null,
    paymentToken: "tok_ok",
    contact: { email: "asha@example.com", name: 'Ashā "A" \\ {x,y} O\'Neil' },
    delivery: { street: "1 Long Road", floor: 3, note: 'ring\ttwice, {then} "knock"' },
    createdAtMs,
    updatedAtMs: createdAtMs,
    payUntilMs: 0,
    settled: false,
    ...given,
  };
}

/** A shopper whose bucket passes the test: for orders on a shard of the test's choice. */
export function shopperWhere(test: (bucket: number) => boolean): string {
  for (;;) {
    const shopperId = fresh("shopper");
    if (test(bucketOf(shopperId))) return shopperId;
  }
}

/** A step a second after the order's last change. */
export function stepOf(
  order: Order,
  step: Pick<Transition, "from" | "to"> & Partial<Transition>,
): Transition {
  return {
    orderId: order.orderId,
    atMs: order.updatedAtMs + 1_000,
    settled: step.to === "paid" || step.to === "refunded",
    ...step,
  };
}
