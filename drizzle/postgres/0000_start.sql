CREATE TABLE "accounts" (
	"account_id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"password_hash" text NOT NULL,
	CONSTRAINT "accounts_email" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"key_sha256" text PRIMARY KEY NOT NULL,
	"merchant_id" text NOT NULL,
	"role" text NOT NULL,
	CONSTRAINT "api_keys_role_known" CHECK ("api_keys"."role" in ('merchant', 'operator')),
	CONSTRAINT "api_keys_hashed" CHECK (length("api_keys"."key_sha256") = 64)
);
--> statement-breakpoint
CREATE TABLE "audit" (
	"audit_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_audit_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"merchant_id" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"at_ms" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "buckets" (
	"bucket" integer PRIMARY KEY NOT NULL,
	"shard" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "cluster" (
	"one" integer PRIMARY KEY NOT NULL,
	"cluster_id" text NOT NULL,
	"partitions" integer NOT NULL,
	"generation" text NOT NULL,
	"state" text NOT NULL,
	CONSTRAINT "cluster_one_row" CHECK ("cluster"."one" = 1),
	CONSTRAINT "cluster_state_known" CHECK ("cluster"."state" in ('creating', 'created'))
);
--> statement-breakpoint
CREATE TABLE "merchants" (
	"merchant_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sale_versions" (
	"sale_id" text NOT NULL,
	"version" integer NOT NULL,
	"state" text NOT NULL,
	"base_version" integer NOT NULL,
	"header" jsonb NOT NULL,
	"changes" jsonb NOT NULL,
	"idempotency_key" text,
	"fingerprint" text,
	"begun_at_ms" bigint NOT NULL,
	CONSTRAINT "sale_versions_sale_id_version_pk" PRIMARY KEY("sale_id","version"),
	CONSTRAINT "sale_versions_key" UNIQUE("sale_id","idempotency_key"),
	CONSTRAINT "sale_versions_from_one" CHECK ("sale_versions"."version" >= 1),
	CONSTRAINT "sale_versions_state_known" CHECK ("sale_versions"."state" in ('pending', 'published', 'abandoned'))
);
--> statement-breakpoint
CREATE TABLE "sales" (
	"sale_id" text PRIMARY KEY NOT NULL,
	"merchant_id" text NOT NULL,
	"version" integer NOT NULL,
	"title" text NOT NULL,
	"currency" text NOT NULL,
	"time_zone" text NOT NULL,
	"starts_at_ms" bigint NOT NULL,
	"ends_at_ms" bigint NOT NULL,
	"hold_ms" bigint NOT NULL,
	"pay_ms" bigint NOT NULL,
	"groups" jsonb NOT NULL,
	"phase" text NOT NULL,
	CONSTRAINT "sales_version_not_negative" CHECK ("sales"."version" >= 0)
);
--> statement-breakpoint
CREATE TABLE "shards" (
	"shard" integer PRIMARY KEY NOT NULL,
	"place" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "skus" (
	"sale_id" text NOT NULL,
	"sku" text NOT NULL,
	"title" text NOT NULL,
	"price_minor" bigint NOT NULL,
	"stock" bigint NOT NULL,
	"limit_per_shopper" integer NOT NULL,
	"sku_group" text,
	CONSTRAINT "skus_sale_id_sku_pk" PRIMARY KEY("sale_id","sku"),
	CONSTRAINT "skus_price_not_negative" CHECK ("skus"."price_minor" >= 0),
	CONSTRAINT "skus_stock_not_negative" CHECK ("skus"."stock" >= 0)
);
--> statement-breakpoint
CREATE TABLE "ledger" (
	"partition" integer NOT NULL,
	"seq" bigint NOT NULL,
	"claim" bigint NOT NULL,
	"at_ms" bigint NOT NULL,
	"sku_keys" text[] NOT NULL,
	"bytes" text NOT NULL,
	CONSTRAINT "ledger_partition_seq_pk" PRIMARY KEY("partition","seq"),
	CONSTRAINT "ledger_seq_from_one" CHECK ("ledger"."seq" >= 1)
);
--> statement-breakpoint
CREATE TABLE "order_lines" (
	"order_id" text NOT NULL,
	"line" smallint NOT NULL,
	"sku" text NOT NULL,
	"quantity" integer NOT NULL,
	"unit_price_minor" bigint NOT NULL,
	CONSTRAINT "order_lines_order_id_line_pk" PRIMARY KEY("order_id","line"),
	CONSTRAINT "order_lines_quantity_positive" CHECK ("order_lines"."quantity" > 0),
	CONSTRAINT "order_lines_price_not_negative" CHECK ("order_lines"."unit_price_minor" >= 0)
);
--> statement-breakpoint
CREATE TABLE "orders" (
	"order_id" text PRIMARY KEY NOT NULL,
	"bucket" smallint NOT NULL,
	"shopper_id" text NOT NULL,
	"merchant_id" text NOT NULL,
	"sale_id" text NOT NULL,
	"idempotency_key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"status" text NOT NULL,
	"currency" text NOT NULL,
	"total_minor" bigint NOT NULL,
	"refunded_minor" bigint NOT NULL,
	"failure" jsonb,
	"contact" jsonb,
	"delivery" jsonb,
	"created_at_ms" bigint NOT NULL,
	"updated_at_ms" bigint NOT NULL,
	"pay_until_ms" bigint NOT NULL,
	"settled" boolean NOT NULL,
	CONSTRAINT "orders_shopper_key" UNIQUE("shopper_id","idempotency_key"),
	CONSTRAINT "orders_status_known" CHECK ("orders"."status" in ('created', 'awaiting_payment', 'paid', 'failed', 'refunding', 'refunded', 'cancelled', 'fulfilled')),
	CONSTRAINT "orders_total_not_negative" CHECK ("orders"."total_minor" >= 0),
	CONSTRAINT "orders_refund_within_total" CHECK ("orders"."refunded_minor" >= 0 and "orders"."refunded_minor" <= "orders"."total_minor")
);
--> statement-breakpoint
CREATE TABLE "payment_events" (
	"event_id" text PRIMARY KEY NOT NULL,
	"order_id" text NOT NULL,
	"at_ms" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "payments" (
	"order_id" text PRIMARY KEY NOT NULL,
	"method" text NOT NULL,
	"token" text NOT NULL,
	"state" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"refunded_minor" bigint NOT NULL,
	"updated_at_ms" bigint NOT NULL,
	CONSTRAINT "payments_amount_not_negative" CHECK ("payments"."amount_minor" >= 0),
	CONSTRAINT "payments_refund_within_amount" CHECK ("payments"."refunded_minor" >= 0 and "payments"."refunded_minor" <= "payments"."amount_minor")
);
--> statement-breakpoint
CREATE TABLE "shard_meta" (
	"one" integer PRIMARY KEY NOT NULL,
	"cluster_id" text NOT NULL,
	"shard" integer NOT NULL,
	CONSTRAINT "shard_meta_one_row" CHECK ("shard_meta"."one" = 1)
);
--> statement-breakpoint
CREATE TABLE "stock_archive" (
	"partition" integer NOT NULL,
	"unit" text NOT NULL,
	"digest" text NOT NULL,
	"text" text NOT NULL,
	CONSTRAINT "stock_archive_partition_unit_digest_pk" PRIMARY KEY("partition","unit","digest")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_merchant_id_merchants_merchant_id_fk" FOREIGN KEY ("merchant_id") REFERENCES "public"."merchants"("merchant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sale_versions" ADD CONSTRAINT "sale_versions_sale_id_sales_sale_id_fk" FOREIGN KEY ("sale_id") REFERENCES "public"."sales"("sale_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_of_merchant" ON "audit" USING btree ("merchant_id","at_ms");--> statement-breakpoint
CREATE UNIQUE INDEX "sale_versions_one_pending" ON "sale_versions" USING btree ("sale_id") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "sales_by_start" ON "sales" USING btree ("starts_at_ms","sale_id");--> statement-breakpoint
CREATE INDEX "sales_of_merchant" ON "sales" USING btree ("merchant_id","starts_at_ms","sale_id");--> statement-breakpoint
CREATE INDEX "orders_of_shopper" ON "orders" USING btree ("shopper_id","created_at_ms","order_id");--> statement-breakpoint
CREATE INDEX "orders_of_sale" ON "orders" USING btree ("sale_id","created_at_ms","order_id");--> statement-breakpoint
CREATE INDEX "orders_unsettled" ON "orders" USING btree ("bucket","updated_at_ms") WHERE not settled;