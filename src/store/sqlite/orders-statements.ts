// The statements that write orders in the embedded database, prepared once.

import type { Database } from "bun:sqlite";

import type { Order } from "../../core/order/order.ts";
import type { Orders, Transition } from "../../core/ports/orders.ts";
import { jsonOf, mayReopen } from "../order-row.ts";

export type PaymentEvent = Parameters<Orders["recordPaymentEvent"]>[0];

/** Each runs inside a transaction of the caller; true when it changed something. */
export type OrderStatements = {
  readonly insert: (order: Order) => boolean;
  readonly move: (step: Transition) => boolean;
  readonly record: (event: PaymentEvent) => boolean;
};

type Value = string | number | null;

export function prepareOrderStatements(database: Database): OrderStatements {
  return {
    insert: insertStatement(database),
    move: moveStatement(database),
    record: recordStatement(database),
  };
}

function insertStatement(database: Database): OrderStatements["insert"] {
  const insertOrder = database.prepare<unknown, Value[]>(`
    insert into orders (order_id, shopper_id, merchant_id, sale_id, idempotency_key,
                        fingerprint, status, currency, total_minor, refunded_minor, contact,
                        delivery, created_at_ms, updated_at_ms, pay_until_ms, is_settled,
                        token)
    values (?, ?, ?, ?, ?, ?, 'created', ?, ?, 0, ?, ?, ?, ?, ?, 0, ?)
    on conflict (shopper_id, idempotency_key) do nothing`);
  const insertLine = database.prepare<unknown, Value[]>(`
    insert into order_lines (order_id, line, sku, quantity, unit_price_minor)
    values (?, ?, ?, ?, ?)`);
  const open = openStatement(database);
  return (order) => {
    const { changes } = insertOrder.run(
      order.orderId,
      order.shopperId,
      order.merchantId,
      order.saleId,
      order.idempotencyKey,
      order.fingerprint,
      order.currency,
      order.totalMinor,
      jsonOf(order.contact),
      jsonOf(order.delivery),
      order.createdAtMs,
      order.updatedAtMs,
      order.payUntilMs,
      order.paymentToken,
    );
    if (changes === 0) return false;
    open.run(order.orderId);
    for (const [index, line] of order.lines.entries()) {
      insertLine.run(order.orderId, index, line.sku, line.quantity, line.unitPriceMinor);
    }
    return true;
  };
}

function moveStatement(database: Database): OrderStatements["move"] {
  const moveOrder = database.prepare<unknown, Value[]>(`
    update orders
    set status = ?2, updated_at_ms = ?3, is_settled = ?4,
        pay_until_ms = coalesce(?5, pay_until_ms),
        refunded_minor = coalesce(?6, refunded_minor),
        failure = coalesce(?7, failure)
    where order_id = ?1 and status in (select value from json_each(?8))`);
  const open = openStatement(database);
  const close = database.prepare<unknown, Value[]>(
    "delete from unsettled_orders where order_id = ?",
  );
  return (step) => {
    const { changes } = moveOrder.run(
      step.orderId,
      step.to,
      step.atMs,
      step.settled ? 1 : 0,
      step.payUntilMs ?? null,
      step.refundedMinor ?? null,
      jsonOf(step.failure),
      JSON.stringify(step.from),
    );
    if (changes === 0) return false;
    if (step.settled) close.run(step.orderId);
    else if (mayReopen(step)) open.run(step.orderId);
    return true;
  };
}

function openStatement(database: Database) {
  return database.prepare<unknown, Value[]>(`
    insert into unsettled_orders (order_id) values (?) on conflict (order_id) do nothing`);
}

function recordStatement(database: Database): OrderStatements["record"] {
  const insertEvent = database.prepare<unknown, Value[]>(`
    insert into payment_events (event_id, order_id, at_ms) values (?, ?, ?)
    on conflict (event_id) do nothing`);
  return (event) => insertEvent.run(event.eventId, event.orderId, event.atMs).changes === 1;
}
