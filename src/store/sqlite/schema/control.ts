// The control database's tables: what the cluster is, who may do what, what is for sale, where the
// buckets live. The embedded twin of ../../postgres/schema/control.ts:
// the same tables and columns. JSON is text.

import { sql } from "drizzle-orm";
import {
  check,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  unique,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

const instant = () => integer().notNull();
const amount = () => integer().notNull();

/** One row: `one` is 1. */
export const cluster = sqliteTable(
  "cluster",
  {
    one: integer().primaryKey(),
    cluster_id: text().notNull(),
    partitions: integer().notNull(),
    generation: text().notNull(),
    state: text().notNull(),
  },
  (table) => [
    check("cluster_one_row", sql`${table.one} = 1`),
    check("cluster_state_known", sql`${table.state} in ('creating', 'created')`),
  ],
);

/** The shards in their order; `place` is host, port and database, for people. */
export const shards = sqliteTable("shards", {
  shard: integer().primaryKey(),
  place: text().notNull(),
});

/** Which shard holds a bucket of shoppers. Stored once. */
export const buckets = sqliteTable("buckets", {
  bucket: integer().primaryKey(),
  shard: integer().notNull(),
});

export const merchants = sqliteTable("merchants", {
  merchant_id: text().primaryKey(),
  name: text().notNull(),
});

/** The key itself is never stored. */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    key_sha256: text().primaryKey(),
    merchant_id: text()
      .notNull()
      .references(() => merchants.merchant_id),
    role: text().notNull(),
  },
  (table) => [
    check("api_keys_role_known", sql`${table.role} in ('merchant', 'operator')`),
    check("api_keys_hashed", sql`length(${table.key_sha256}) = 64`),
  ],
);

export const accounts = sqliteTable(
  "accounts",
  {
    account_id: text().primaryKey(),
    email: text().notNull(),
    password_hash: text().notNull(),
  },
  (table) => [unique("accounts_email").on(table.email)],
);

export const audit = sqliteTable(
  "audit",
  {
    audit_id: integer().primaryKey({ autoIncrement: true }),
    merchant_id: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    at_ms: instant(),
  },
  (table) => [index("audit_of_merchant").on(table.merchant_id, table.at_ms)],
);

/** The published version of each sale; version 0 is a draft that nobody sees yet. */
export const sales = sqliteTable(
  "sales",
  {
    sale_id: text().primaryKey(),
    merchant_id: text().notNull(),
    version: integer().notNull(),
    title: text().notNull(),
    currency: text().notNull(),
    time_zone: text().notNull(),
    starts_at_ms: instant(),
    ends_at_ms: instant(),
    hold_ms: instant(),
    pay_ms: instant(),
    groups: text().notNull(),
    phase: text().notNull(),
  },
  (table) => [
    index("sales_by_start").on(table.starts_at_ms, table.sale_id),
    index("sales_of_merchant").on(table.merchant_id, table.starts_at_ms, table.sale_id),
    check("sales_version_not_negative", sql`${table.version} >= 0`),
  ],
);

/** Every version that ever began. At most one of a sale is pending. */
export const saleVersions = sqliteTable(
  "sale_versions",
  {
    sale_id: text()
      .notNull()
      .references(() => sales.sale_id),
    version: integer().notNull(),
    state: text().notNull(),
    base_version: integer().notNull(),
    header: text().notNull(),
    changes: text().notNull(),
    idempotency_key: text(),
    fingerprint: text(),
    begun_at_ms: instant(),
  },
  (table) => [
    primaryKey({ columns: [table.sale_id, table.version] }),
    unique("sale_versions_key").on(table.sale_id, table.idempotency_key),
    uniqueIndex("sale_versions_one_pending")
      .on(table.sale_id)
      .where(sql`state = 'pending'`),
    check("sale_versions_from_one", sql`${table.version} >= 1`),
    check(
      "sale_versions_state_known",
      sql`${table.state} in ('pending', 'published', 'abandoned')`,
    ),
  ],
);

/**
 * The SKUs of the published versions; a SKU is never deleted. No foreign key: 100,000 checks in one
 * statement, which writes the sale as well, would double its time.
 */
export const skus = sqliteTable(
  "skus",
  {
    sale_id: text().notNull(),
    sku: text().notNull(),
    title: text().notNull(),
    price_minor: amount(),
    stock: amount(),
    limit_per_shopper: integer().notNull(),
    sku_group: text(),
  },
  (table) => [
    primaryKey({ columns: [table.sale_id, table.sku] }),
    check("skus_price_not_negative", sql`${table.price_minor} >= 0`),
    check("skus_stock_not_negative", sql`${table.stock} >= 0`),
  ],
);
