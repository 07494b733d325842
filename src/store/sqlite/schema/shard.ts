// The embedded twin of ../../postgres/schema/shard.ts: the same tables and columns. JSON is text.

import { sql } from "drizzle-orm";
import {
  check,
  index,
  integer,
  primaryKey,
  sqliteTable,
  sqliteView,
  text,
  unique,
} from "drizzle-orm/sqlite-core";

import { ORDER_STATUSES } from "../../../core/order/order.ts";
import { PAYMENTS_VIEW } from "../../order-row.ts";

const minor = () => integer().notNull();
const instant = () => integer().notNull();
const statuses = sql.raw(ORDER_STATUSES.map((status) => `'${status}'`).join(", "));

export const orders = sqliteTable(
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
    failure: text(),
    contact: text(),
    delivery: text(),
    created_at_ms: instant(),
    updated_at_ms: instant(),
    pay_until_ms: instant(),
    settled: integer("is_settled", { mode: "boolean" }).notNull(),
    /** The gateway's, for one charge. */
    token: text().notNull().default(""),
  },
  (table) => [
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
export const unsettledOrders = sqliteTable("unsettled_orders", {
  order_id: text().primaryKey(),
});

export const orderLines = sqliteTable(
  "order_lines",
  {
    order_id: text().notNull(),
    line: integer().notNull(),
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
export const payments = sqliteView("payments", {
  order_id: text().notNull(),
  method: text().notNull(),
  token: text().notNull(),
  state: text().notNull(),
  amount_minor: minor(),
  refunded_minor: minor(),
  updated_at_ms: instant(),
}).as(sql.raw(PAYMENTS_VIEW));

export const paymentEvents = sqliteTable("payment_events", {
  event_id: text().primaryKey(),
  order_id: text().notNull(),
  at_ms: instant(),
});

export const ledger = sqliteTable(
  "ledger",
  {
    partition: integer().notNull(),
    seq: integer().notNull(),
    claim: integer().notNull(),
    at_ms: instant(),
    sku_keys: text().notNull(),
    bytes: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.partition, table.seq] }),
    check("ledger_seq_from_one", sql`${table.seq} >= 1`),
  ],
);

/** Quiet SKUs out of memory: what `core/stock/archive.ts` writes, by its digest. Never changed. */
export const stockArchive = sqliteTable(
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
export const shardMeta = sqliteTable(
  "shard_meta",
  {
    one: integer().primaryKey(),
    cluster_id: text().notNull(),
    shard: integer().notNull(),
  },
  (table) => [check("shard_meta_one_row", sql`${table.one} = 1`)],
);
