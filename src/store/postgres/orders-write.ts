// The statements that write orders: each is one statement for a whole batch, so that nothing of an
// order can be split by a lost connection (components c-28).
//
// Their texts never vary, so a shard plans each once a connection. For such a plan they join a table
// by its key only (client.ts); `(… in (select …)) is true` is a look-up in a hash instead of a join.

import type { Order } from "../../core/order/order.ts";
import type { Orders, Transition } from "../../core/ports/orders.ts";
import { jsonOf, mayReopen } from "../order-row.ts";
import { arrayLiteral, textArrayLiteral } from "./array-literal.ts";
import type { Statement } from "./connect.ts";

export type PaymentEvent = Parameters<Orders["recordPaymentEvent"]>[0];

function texts<Row>(rows: readonly Row[], valueOf: (row: Row) => string | null): string {
  return textArrayLiteral(rows.map(valueOf));
}

function values<Row>(rows: readonly Row[], valueOf: (row: Row) => number | boolean | null): string {
  return arrayLiteral(rows.map(valueOf));
}

const INSERT_ORDERS = `
  with input as materialized (
    select * from unnest(
      $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
      $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[],
      $14::text[]
    ) as i (order_id, shopper_id, merchant_id, sale_id, idempotency_key, fingerprint,
            currency, total_minor, contact, delivery, created_at_ms, updated_at_ms, pay_until_ms,
            token)
  ),
  inserted as (
    insert into orders (order_id, shopper_id, merchant_id, sale_id, idempotency_key,
                        fingerprint, status, currency, total_minor, refunded_minor, contact,
                        delivery, created_at_ms, updated_at_ms, pay_until_ms, is_settled,
                        token)
    select order_id, shopper_id, merchant_id, sale_id, idempotency_key,
           fingerprint, 'created', currency, total_minor, 0, contact::jsonb,
           delivery::jsonb, created_at_ms, updated_at_ms, pay_until_ms, false,
           token
    from input
    on conflict (shopper_id, idempotency_key) do nothing
    returning order_id
  ),
  opened as (
    insert into unsettled_orders (order_id) select order_id from inserted
  ),
  inserted_lines as (
    insert into order_lines (order_id, line, sku, quantity, unit_price_minor)
    select l.order_id, l.line, l.sku, l.quantity, l.unit_price_minor
    from unnest($15::text[], $16::smallint[], $17::text[], $18::integer[], $19::bigint[])
      as l (order_id, line, sku, quantity, unit_price_minor)
    where (l.order_id in (select order_id from inserted)) is true
  )
  select order_id from inserted`;

/** Returns  a row `order_id` for each order that is new; the others' keys were used before. */
export function insertOrders(batch: readonly Order[]): Statement {
  const lines = batch.flatMap((order) =>
    order.lines.map((line, index) => ({ ...line, orderId: order.orderId, index })),
  );
  return {
    text: INSERT_ORDERS,
    values: [
      texts(batch, (order) => order.orderId),
      texts(batch, (order) => order.shopperId),
      texts(batch, (order) => order.merchantId),
      texts(batch, (order) => order.saleId),
      texts(batch, (order) => order.idempotencyKey),
      texts(batch, (order) => order.fingerprint),
      texts(batch, (order) => order.currency),
      values(batch, (order) => order.totalMinor),
      texts(batch, (order) => jsonOf(order.contact)),
      texts(batch, (order) => jsonOf(order.delivery)),
      values(batch, (order) => order.createdAtMs),
      values(batch, (order) => order.updatedAtMs),
      values(batch, (order) => order.payUntilMs),
      texts(batch, (order) => order.paymentToken),
      texts(lines, (line) => line.orderId),
      values(lines, (line) => line.index),
      texts(lines, (line) => line.sku),
      values(lines, (line) => line.quantity),
      values(lines, (line) => line.unitPriceMinor),
    ],
  };
}

const MOVE_ORDERS = `
  with input as materialized (
    select * from unnest(
      $1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[],
      $7::bigint[], $8::text[], $9::boolean[]
    ) as i (order_id, from_statuses, to_status, at_ms, is_settled, pay_until_ms, refunded_minor,
            failure, may_reopen)
  ),
  moved as (
    update orders o
    set status = i.to_status, updated_at_ms = i.at_ms, is_settled = i.is_settled,
        pay_until_ms = coalesce(i.pay_until_ms, o.pay_until_ms),
        refunded_minor = coalesce(i.refunded_minor, o.refunded_minor),
        failure = coalesce(i.failure::jsonb, o.failure)
    from input i
    where o.order_id = i.order_id and o.status = any (string_to_array(i.from_statuses, ' '))
    returning o.order_id, o.is_settled, i.may_reopen
  ),
  closed as (
    delete from unsettled_orders u using moved m where m.is_settled and u.order_id = m.order_id
  ),
  opened as (
    insert into unsettled_orders (order_id) select order_id from moved where may_reopen
    on conflict (order_id) do nothing
  )
  select order_id from moved`;

/** Returns  a row `order_id` for each order that was in a status it may come from. */
export function moveOrders(batch: readonly Transition[]): Statement {
  return {
    text: MOVE_ORDERS,
    values: [
      texts(batch, (step) => step.orderId),
      texts(batch, (step) => step.from.join(" ")),
      texts(batch, (step) => step.to),
      values(batch, (step) => step.atMs),
      values(batch, (step) => step.settled),
      values(batch, (step) => step.payUntilMs ?? null),
      values(batch, (step) => step.refundedMinor ?? null),
      texts(batch, (step) => jsonOf(step.failure)),
      values(batch, mayReopen),
    ],
  };
}

const INSERT_PAYMENT_EVENTS = `
  insert into payment_events (event_id, order_id, at_ms)
  select * from unnest($1::text[], $2::text[], $3::bigint[])
  on conflict (event_id) do nothing
  returning event_id`;

/** Returns  a row `event_id` for each event that is new. */
export function insertPaymentEvents(batch: readonly PaymentEvent[]): Statement {
  return {
    text: INSERT_PAYMENT_EVENTS,
    values: [
      texts(batch, (event) => event.eventId),
      texts(batch, (event) => event.orderId),
      values(batch, (event) => event.atMs),
    ],
  };
}
