// An order as the tables of both dialects keep it, and back.

import { assert } from "../core/assert.ts";
import { bucketOfOrder } from "../core/ids.ts";
import { isOpen, mayStep } from "../core/order/order.ts";
import type { Order, OrderFailure, OrderLine, OrderStatus } from "../core/order/order.ts";
import type { Transition } from "../core/ports/orders.ts";

/** What the payments view says while its order has this status. */
const PAYMENT_STATE_OF = {
  created: "none",
  awaiting_payment: "pending",
  paid: "paid",
  failed: "not_paid",
  refunding: "refunding",
  refunded: "refunded",
  cancelled: "not_paid",
  fulfilled: "paid",
} as const satisfies Record<OrderStatus, string>;

const STATE_CASES = Object.entries(PAYMENT_STATE_OF).map(
  ([status, state]) => `when '${status}' then '${state}'`,
);

/** For the schemas of both dialects; a change of it is a migration. */
export const PAYMENTS_VIEW = `select order_id, 'card' as method, token,
  case status ${STATE_CASES.join(" ")} end as state,
  total_minor as amount_minor, refunded_minor, updated_at_ms from orders`;

/** One row of a select over orders, its lines and its payment; JSON is parsed already. */
export type OrderRow = {
  readonly order_id: string;
  readonly shopper_id: string;
  readonly merchant_id: string;
  readonly sale_id: string;
  readonly idempotency_key: string;
  readonly fingerprint: string;
  readonly status: string;
  readonly currency: string;
  readonly total_minor: number;
  readonly refunded_minor: number;
  readonly failure: unknown;
  readonly contact: unknown;
  readonly delivery: unknown;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly pay_until_ms: number;
  readonly settled: boolean;
  readonly token: string;
  /** In order: SKU, quantity, price. */
  readonly lines: readonly (readonly [string, number, number])[];
};

/** The columns hold what we wrote, which the types of `Order` describe. */
export function orderOf(row: OrderRow): Order {
  return {
    orderId: row.order_id,
    shopperId: row.shopper_id,
    merchantId: row.merchant_id,
    saleId: row.sale_id,
    idempotencyKey: row.idempotency_key,
    fingerprint: row.fingerprint,
    status: row.status as OrderStatus,
    lines: row.lines.map(lineOf),
    currency: row.currency,
    totalMinor: row.total_minor,
    refundedMinor: row.refunded_minor,
    failure: row.failure as OrderFailure | null,
    paymentToken: row.token,
    contact: row.contact as Order["contact"],
    delivery: row.delivery as Order["delivery"],
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    payUntilMs: row.pay_until_ms,
    settled: row.settled,
  };
}

function lineOf([sku, quantity, unitPriceMinor]: OrderRow["lines"][number]): OrderLine {
  return { sku, quantity, unitPriceMinor };
}

/** JSON for a column, or null for SQL's NULL. */
export function jsonOf(value: object | null | undefined): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** An order is stored as it begins; `transition` alone moves it on. Returns its bucket. */
export function assertNewOrder(order: Order): number {
  const bucket = bucketOfOrder(order.orderId);
  assert(bucket !== null, "an order id carries its bucket");
  assert(order.status === "created" && !order.settled, "an order begins as created");
  assert(order.refundedMinor === 0 && order.failure === null, "nothing has happened to it yet");
  assert(order.lines.length > 0, "an order has a line");
  return bucket;
}

/**
 * ORDER_STEPS has no way back, so a step that was sent again cannot have its effect twice; nor has
 * one that only settles an order.
 */
export function assertStep(step: Transition): void {
  assert(step.from.length > 0, "a step comes from somewhere");
  assert(!step.settled || !isOpen(step.to), `an order that is ${step.to} is not settled`);
  for (const from of step.from) {
    const onlySettles = from === step.to && step.settled;
    assert(onlySettles || mayStep(from, step.to), `${from} may become ${step.to}`);
  }
}

/** May a step make an order that was settled unsettled: a paid one's refund? */
export function mayReopen(step: Transition): boolean {
  return !step.settled && !step.from.every(isOpen);
}

/** Newest first, ties by id: one order over all shards. */
export function compareNewestFirst(a: Order, b: Order): number {
  return b.createdAtMs - a.createdAtMs || (a.orderId < b.orderId ? 1 : -1);
}

/** Longest unchanged first, ties by id. */
export function compareOldestFirst(a: Order, b: Order): number {
  return a.updatedAtMs - b.updatedAtMs || (a.orderId < b.orderId ? -1 : 1);
}
