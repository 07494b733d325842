// Checkout: one order for each key, driven at once, answered when it is definite or after
// CHECKOUT_WAIT_MS. What goes wrong after the order is stored is finished by the sweeper.

import { assert, unreachable } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { orderIdOf } from "../core/ids.ts";
import { AMOUNT_MINOR_MAX, CHECKOUT_WAIT_MS, LINE_MINOR_MAX } from "../core/limits.ts";
import { type Order, type OrderLine, totalMinorOf } from "../core/order/order.ts";
import type { CheckoutLimiter } from "./checkout-limiter.ts";
import type { DirectorySale } from "./directory.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { OrderRuns } from "./order-runs.ts";
import type { ShopPorts } from "./ports.ts";
import type { CheckoutRequest, CheckoutResult } from "./shop.ts";

type CheckoutPorts = Pick<ShopPorts, "orders" | "directory" | "runtime" | "newUuid">;

export async function checkout(
  ports: CheckoutPorts,
  runs: OrderRuns,
  limiter: CheckoutLimiter,
  asked: { shopper: string; idempotencyKey: string; request: CheckoutRequest },
): Promise<CheckoutResult> {
  const sale = ports.directory.sale(asked.request.saleId);
  const lines = sale === null ? null : linesOf(sale, asked.request);
  if (sale === null || lines === null) return { kind: "not_found" };
  // Nobody can hold that much of anything (LINE_MINOR_MAX), so nothing has to be asked or stored.
  const tooMuch = lines.filter((line) => totalMinorOf([line]) > LINE_MINOR_MAX);
  if (tooMuch.length > 0) return { kind: "hold_changed", skus: tooMuch.map(({ sku }) => sku) };

  const { shopper, idempotencyKey } = asked;
  const limited = limiter.enter(shopper, idempotencyKey);
  if (limited !== null) return { kind: "rate_limited", ...limited };
  try {
    const order = orderOf(ports, asked, sale, lines);
    const result = await storeAndAnswer(ports, runs, order);
    if (result.isNew && isHoldFailure(result.answer)) limiter.failed(shopper);
    return result.answer;
  } finally {
    limiter.leave(shopper, idempotencyKey);
  }
}

async function storeAndAnswer(
  ports: CheckoutPorts,
  runs: OrderRuns,
  order: Order,
): Promise<{ readonly isNew: boolean; readonly answer: CheckoutResult }> {
  const created = await ports.orders.create(order);
  if (created.kind === "created") return { isNew: true, answer: await answerOf(runs, order) };
  if (created.order.fingerprint !== order.fingerprint) {
    return { isNew: false, answer: { kind: "idempotency_mismatch" } };
  }
  return { isNew: false, answer: await answerOf(runs, created.order) };
}

function isHoldFailure({ kind }: CheckoutResult): boolean {
  return kind === "hold_lapsed" || kind === "hold_changed" || kind === "in_checkout";
}

async function answerOf(runs: OrderRuns, order: Order): Promise<CheckoutResult> {
  if (order.settled) return resultOf(order, null);
  const run = runs.join(order);
  await runs.wait(run, CHECKOUT_WAIT_MS);
  return resultOf(run.learned ?? run.order, run.fault);
}

/** One line a SKU, sorted, priced as the sale says; null when a SKU is not the sale's. */
function linesOf(sale: DirectorySale, request: CheckoutRequest): OrderLine[] | null {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of request.lines) {
    if (!sale.skus.has(sku)) return null;
    quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  }
  if (quantities.size === 0) return null;
  const lines: OrderLine[] = [];
  for (const [sku, quantity] of quantities) {
    const unitPriceMinor = sale.skus.get(sku)?.priceMinor ?? 0;
    lines.push({ sku, quantity, unitPriceMinor });
  }
  return lines.sort((left, right) => (left.sku < right.sku ? -1 : 1));
}

function orderOf(
  ports: CheckoutPorts,
  { shopper, idempotencyKey, request }: Parameters<typeof checkout>[3],
  sale: DirectorySale,
  lines: readonly OrderLine[],
): Order {
  const nowMs = ports.runtime.clock.wallMs();
  const totalMinor = totalMinorOf(lines);
  assert(totalMinor <= AMOUNT_MINOR_MAX, "lines are bounded in number and amount");
  const { saleId, payment, contact, delivery } = request;
  return {
    orderId: orderIdOf(shopper, ports.newUuid()),
    shopperId: shopper,
    merchantId: sale.merchantId,
    saleId,
    idempotencyKey,
    // Prices are not the request's: a repeat after a change of price is still the same request.
    fingerprint: fingerprintOf({
      saleId,
      lines: lines.map(({ sku, quantity }) => [sku, quantity]),
      payment,
      contact: contact ?? null,
      delivery: delivery ?? null,
    }),
    status: "created",
    lines,
    currency: sale.currency,
    totalMinor,
    refundedMinor: 0,
    failure: null,
    paymentToken: payment.token,
    contact: contact ?? null,
    delivery: delivery ?? null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    payUntilMs: 0,
    settled: false,
  };
}

/** Today's state of an order as the answer of its checkout. */
function resultOf(order: Order, fault: Fault | null): CheckoutResult {
  switch (order.status) {
    case "created":
      // Its holds may or may not be tied to it: the repeat finds out.
      throw fault ?? new Fault("deadline", `order ${order.orderId} is not tied to its holds yet`);
    case "awaiting_payment":
      return { kind: "pending", order };
    case "paid":
      return { kind: "paid", order };
    case "failed": {
      const failure = order.failure;
      if (failure === null || failure.code === "payment_declined") {
        return { kind: "payment_declined", order };
      }
      return { kind: failure.code, skus: failure.skus };
    }
    case "refunding":
    case "refunded":
    case "cancelled":
    case "fulfilled":
      return { kind: "settled", order };
    default:
      return unreachable(order.status);
  }
}
