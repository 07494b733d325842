// A shard's tables: its shoppers' orders with their payments, its partitions' ledger. Instants are
// milliseconds, amounts minor units; both stay far below 2^53.
//
// No foreign keys: an order and its lines are written by one statement and never
// deleted, and a trigger for each row would cost a third of the write path.

import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  pgView,
  primaryKey,
  smallint,
  text,
  unique,
} from "drizzle-orm/pg-core";

import { ORDER_STATUSES } from "../../../core/order/order.ts";
import { PAYMENTS_VIEW } from "../../order-row.ts";

const minor = () => bigint({ mode: "number" }).notNull();
const instant = () => bigint({ mode: "number" }).notNull();
const statuses = sql.raw(ORDER_STATUSES.map((status) => `'${status}'`).join(", "));

export const orders = pgTable(
  "orders",
  {
    order_id: text().primaryKey(),
    shopper_id: text().notNull(),
    merchant_id: text().notNull(),
    sale_id: text().notNull(),
    idempotency_key: text().notNull(),
    fingerprint: text().notNull(),
    status: text().notNull(),
    currency: text().notNull(),
    total_minor: minor(),
    refunded_minor: minor(),
    failure: jsonb(),
    contact: jsonb(),
    delivery: jsonb(),
    created_at_ms: instant(),
    updated_at_ms: instant(),
    pay_until_ms: instant(),
    /** Named so since a build that did not know `unsettled_orders` wrote `settled` (ADR 0014). */
    settled: boolean("is_settled").notNull(),
    /** The gateway's, for one charge. */
    token: text().notNull().default(""),
  },
  (table) => [
    // No index names a column that changes, be it in its condition: each step is a heap-only update
    // (ADR 0014), which finds room on its page by fillfactor 50 (drizzle/postgres/0003).
    // Serves the list of a shopper's orders, too: they are few, and sorted when they are read.
    unique("orders_shopper_key").on(table.shopper_id, table.idempotency_key),
    index("orders_of_sale").on(table.sale_id, table.created_at_ms, table.order_id),
    check("orders_status_known", sql`${table.status} in (${statuses})`),
    check("orders_total_not_negative", sql`${table.total_minor} >= 0`),
    check(
      "orders_refund_within_total",
      sql`${table.refunded_minor} >= 0 and ${table.refunded_minor} <= ${table.total_minor}`,
    ),
  ],
);

/** The orders that are not settled, for the sweeper. Written with each order's own row (ADR 0014). */
export const unsettledOrders = pgTable("unsettled_orders", {
  order_id: text().primaryKey(),
});

export const orderLines = pgTable(
  "order_lines",
  {
    order_id: text().notNull(),
    line: smallint().notNull(),
    sku: text().notNull(),
    quantity: integer().notNull(),
    unit_price_minor: minor(),
  },
  (table) => [
    primaryKey({ columns: [table.order_id, table.line] }),
    check("order_lines_quantity_positive", sql`${table.quantity} > 0`),
    check("order_lines_price_not_negative", sql`${table.unit_price_minor} >= 0`),
  ],
);

/** The money of each order, read from the order itself, so it cannot disagree (ADR 0011). */
export const payments = pgView("payments", {
  order_id: text().notNull(),
  method: text().notNull(),
  token: text().notNull(),
  state: text().notNull(),
  amount_minor: minor(),
  refunded_minor: minor(),
  updated_at_ms: instant(),
}).as(sql.raw(PAYMENTS_VIEW));

export const paymentEvents = pgTable("payment_events", {
  event_id: text().primaryKey(),
  order_id: text().notNull(),
  at_ms: instant(),
});

export const ledger = pgTable(
  "ledger",
  {
    partition: integer().notNull(),
    seq: bigint({ mode: "number" }).notNull(),
    claim: bigint({ mode: "number" }).notNull(),
    at_ms: instant(),
    sku_keys: text().array().notNull(),
    bytes: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.partition, table.seq] }),
    check("ledger_seq_from_one", sql`${table.seq} >= 1`),
  ],
);

/** Quiet SKUs out of memory: what `core/stock/archive.ts` writes, by its digest. Never changed. */
export const stockArchive = pgTable(
  "stock_archive",
  {
    partition: integer().notNull(),
    unit: text().notNull(),
    digest: text().notNull(),
    text: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.partition, table.unit, table.digest] })],
);

/** One row: which cluster this database belongs to, and as which shard. */
export const shardMeta = pgTable(
  "shard_meta",
  {
    one: integer().primaryKey(),
    cluster_id: text().notNull(),
    shard: integer().notNull(),
  },
  (table) => [check("shard_meta_one_row", sql`${table.one} = 1`)],
);
