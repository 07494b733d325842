// The statements that write orders: each is one statement for a whole batch, so that nothing of an
// order can be split by a lost connection (components c-28).
//
// They are planned anew each time: a plan that was kept from an empty table would scan a full one.

import { sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";

import type { Order } from "../../core/order/order.ts";
import type { Orders, Transition } from "../../core/ports/orders.ts";
import { assertNewOrder, jsonOf, PAYMENT_METHOD, PAYMENT_STATE_OF } from "../order-row.ts";
import { arrayLiteral, textArrayLiteral } from "./array-literal.ts";

export type PaymentEvent = Parameters<Orders["recordPaymentEvent"]>[0];

function texts<Row>(rows: readonly Row[], valueOf: (row: Row) => string | null): SQL {
  return sql`${textArrayLiteral(rows.map(valueOf))}::text[]`;
}

function bigints<Row>(rows: readonly Row[], valueOf: (row: Row) => number | null): SQL {
  return sql`${arrayLiteral(rows.map(valueOf))}::bigint[]`;
}

function smallints<Row>(rows: readonly Row[], valueOf: (row: Row) => number): SQL {
  return sql`${arrayLiteral(rows.map(valueOf))}::smallint[]`;
}

/** Returns  a row `order_id` for each order that is new; the others' keys were used before. */
export function insertOrders(batch: readonly Order[]): SQL {
  const lines = batch.flatMap((order) =>
    order.lines.map((line, index) => ({ ...line, orderId: order.orderId, index })),
  );
  return sql`
    with input as materialized (
      select * from unnest(
        ${texts(batch, (order) => order.orderId)},
        ${smallints(batch, assertNewOrder)},
        ${texts(batch, (order) => order.shopperId)},
        ${texts(batch, (order) => order.merchantId)},
        ${texts(batch, (order) => order.saleId)},
        ${texts(batch, (order) => order.idempotencyKey)},
        ${texts(batch, (order) => order.fingerprint)},
        ${texts(batch, (order) => order.currency)},
        ${bigints(batch, (order) => order.totalMinor)},
        ${texts(batch, (order) => jsonOf(order.contact))},
        ${texts(batch, (order) => jsonOf(order.delivery))},
        ${bigints(batch, (order) => order.createdAtMs)},
        ${bigints(batch, (order) => order.updatedAtMs)},
        ${bigints(batch, (order) => order.payUntilMs)},
        ${texts(batch, (order) => order.paymentToken)}
      ) as i (order_id, bucket, shopper_id, merchant_id, sale_id, idempotency_key, fingerprint,
              currency, total_minor, contact, delivery, created_at_ms, updated_at_ms, pay_until_ms,
              token)
    ),
    inserted as (
      insert into orders (order_id, bucket, shopper_id, merchant_id, sale_id, idempotency_key,
                          fingerprint, status, currency, total_minor, refunded_minor, contact,
                          delivery, created_at_ms, updated_at_ms, pay_until_ms, settled)
      select order_id, bucket, shopper_id, merchant_id, sale_id, idempotency_key,
             fingerprint, 'created', currency, total_minor, 0, contact::jsonb,
             delivery::jsonb, created_at_ms, updated_at_ms, pay_until_ms, false
      from input
      on conflict (shopper_id, idempotency_key) do nothing
      returning order_id
    ),
    inserted_lines as (
      insert into order_lines (order_id, line, sku, quantity, unit_price_minor)
      select l.order_id, l.line, l.sku, l.quantity, l.unit_price_minor
      from unnest(
        ${texts(lines, (line) => line.orderId)},
        ${smallints(lines, (line) => line.index)},
        ${texts(lines, (line) => line.sku)},
        ${arrayLiteral(lines.map((line) => line.quantity))}::integer[],
        ${bigints(lines, (line) => line.unitPriceMinor)}
      ) as l (order_id, line, sku, quantity, unit_price_minor)
      join inserted using (order_id)
    ),
    inserted_payments as (
      insert into payments (order_id, method, token, state, amount_minor, refunded_minor,
                            updated_at_ms)
      select order_id, ${PAYMENT_METHOD}, i.token, ${PAYMENT_STATE_OF.created}, i.total_minor, 0,
             i.updated_at_ms
      from input i join inserted using (order_id)
    )
    select order_id from inserted`;
}

/** Returns  a row `order_id` for each order that was in a status it may come from. */
export function moveOrders(batch: readonly Transition[]): SQL {
  return sql`
    with input as materialized (
      select * from unnest(
        ${texts(batch, (step) => step.orderId)},
        ${texts(batch, (step) => step.from.join(" "))},
        ${texts(batch, (step) => step.to)},
        ${texts(batch, (step) => PAYMENT_STATE_OF[step.to])},
        ${bigints(batch, (step) => step.atMs)},
        ${arrayLiteral(batch.map((step) => step.settled))}::boolean[],
        ${bigints(batch, (step) => step.payUntilMs ?? null)},
        ${bigints(batch, (step) => step.refundedMinor ?? null)},
        ${texts(batch, (step) => jsonOf(step.failure))}
      ) as i (order_id, from_statuses, to_status, payment_state, at_ms, settled, pay_until_ms,
              refunded_minor, failure)
    ),
    moved as (
      update orders o
      set status = i.to_status, updated_at_ms = i.at_ms, settled = i.settled,
          pay_until_ms = coalesce(i.pay_until_ms, o.pay_until_ms),
          refunded_minor = coalesce(i.refunded_minor, o.refunded_minor),
          failure = coalesce(i.failure::jsonb, o.failure)
      from input i
      where o.order_id = i.order_id and o.status = any (string_to_array(i.from_statuses, ' '))
      returning o.order_id, i.payment_state, i.at_ms, o.refunded_minor
    ),
    moved_payments as (
      update payments p
      set state = m.payment_state, updated_at_ms = m.at_ms, refunded_minor = m.refunded_minor
      from moved m where p.order_id = m.order_id
    )
    select order_id from moved`;
}

/** Returns  a row `event_id` for each event that is new. */
export function insertPaymentEvents(batch: readonly PaymentEvent[]): SQL {
  return sql`
    insert into payment_events (event_id, order_id, at_ms)
    select * from unnest(
      ${texts(batch, (event) => event.eventId)},
      ${texts(batch, (event) => event.orderId)},
      ${bigints(batch, (event) => event.atMs)}
    )
    on conflict (event_id) do nothing
    returning event_id`;
}
