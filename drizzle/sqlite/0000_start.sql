CREATE TABLE `accounts` (
	`account_id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`password_hash` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `accounts_email` ON `accounts` (`email`);--> statement-breakpoint
CREATE TABLE `api_keys` (
	`key_sha256` text PRIMARY KEY NOT NULL,
	`merchant_id` text NOT NULL,
	`role` text NOT NULL,
	FOREIGN KEY (`merchant_id`) REFERENCES `merchants`(`merchant_id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "api_keys_role_known" CHECK("api_keys"."role" in ('merchant', 'operator')),
	CONSTRAINT "api_keys_hashed" CHECK(length("api_keys"."key_sha256") = 64)
);
--> statement-breakpoint
CREATE TABLE `audit` (
	`audit_id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`merchant_id` text NOT NULL,
	`action` text NOT NULL,
	`subject` text NOT NULL,
	`at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_of_merchant` ON `audit` (`merchant_id`,`at_ms`);--> statement-breakpoint
CREATE TABLE `buckets` (
	`bucket` integer PRIMARY KEY NOT NULL,
	`shard` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `cluster` (
	`one` integer PRIMARY KEY NOT NULL,
	`cluster_id` text NOT NULL,
	`partitions` integer NOT NULL,
	`generation` text NOT NULL,
	`state` text NOT NULL,
	CONSTRAINT "cluster_one_row" CHECK("cluster"."one" = 1),
	CONSTRAINT "cluster_state_known" CHECK("cluster"."state" in ('creating', 'created'))
);
--> statement-breakpoint
CREATE TABLE `merchants` (
	`merchant_id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `sale_versions` (
	`sale_id` text NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`base_version` integer NOT NULL,
	`header` text NOT NULL,
	`changes` text NOT NULL,
	`idempotency_key` text,
	`fingerprint` text,
	`begun_at_ms` integer NOT NULL,
	PRIMARY KEY(`sale_id`, `version`),
	FOREIGN KEY (`sale_id`) REFERENCES `sales`(`sale_id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "sale_versions_from_one" CHECK("sale_versions"."version" >= 1),
	CONSTRAINT "sale_versions_state_known" CHECK("sale_versions"."state" in ('pending', 'published', 'abandoned'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sale_versions_one_pending` ON `sale_versions` (`sale_id`) WHERE state = 'pending';--> statement-breakpoint
CREATE UNIQUE INDEX `sale_versions_key` ON `sale_versions` (`sale_id`,`idempotency_key`);--> statement-breakpoint
CREATE TABLE `sales` (
	`sale_id` text PRIMARY KEY NOT NULL,
	`merchant_id` text NOT NULL,
	`version` integer NOT NULL,
	`title` text NOT NULL,
	`currency` text NOT NULL,
	`time_zone` text NOT NULL,
	`starts_at_ms` integer NOT NULL,
	`ends_at_ms` integer NOT NULL,
	`hold_ms` integer NOT NULL,
	`pay_ms` integer NOT NULL,
	`groups` text NOT NULL,
	`phase` text NOT NULL,
	CONSTRAINT "sales_version_not_negative" CHECK("sales"."version" >= 0)
);
--> statement-breakpoint
CREATE INDEX `sales_by_start` ON `sales` (`starts_at_ms`,`sale_id`);--> statement-breakpoint
CREATE INDEX `sales_of_merchant` ON `sales` (`merchant_id`,`starts_at_ms`,`sale_id`);--> statement-breakpoint
CREATE TABLE `shards` (
	`shard` integer PRIMARY KEY NOT NULL,
	`place` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `skus` (
	`sale_id` text NOT NULL,
	`sku` text NOT NULL,
	`title` text NOT NULL,
	`price_minor` integer NOT NULL,
	`stock` integer NOT NULL,
	`limit_per_shopper` integer NOT NULL,
	`sku_group` text,
	PRIMARY KEY(`sale_id`, `sku`),
	CONSTRAINT "skus_price_not_negative" CHECK("skus"."price_minor" >= 0),
	CONSTRAINT "skus_stock_not_negative" CHECK("skus"."stock" >= 0)
);
--> statement-breakpoint
CREATE TABLE `ledger` (
	`partition` integer NOT NULL,
	`seq` integer NOT NULL,
	`claim` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`sku_keys` text NOT NULL,
	`bytes` text NOT NULL,
	PRIMARY KEY(`partition`, `seq`),
	CONSTRAINT "ledger_seq_from_one" CHECK("ledger"."seq" >= 1)
);
--> statement-breakpoint
CREATE TABLE `order_lines` (
	`order_id` text NOT NULL,
	`line` integer NOT NULL,
	`sku` text NOT NULL,
	`quantity` integer NOT NULL,
	`unit_price_minor` integer NOT NULL,
	PRIMARY KEY(`order_id`, `line`),
	CONSTRAINT "order_lines_quantity_positive" CHECK("order_lines"."quantity" > 0),
	CONSTRAINT "order_lines_price_not_negative" CHECK("order_lines"."unit_price_minor" >= 0)
);
--> statement-breakpoint
CREATE TABLE `orders` (
	`order_id` text PRIMARY KEY NOT NULL,
	`bucket` integer NOT NULL,
	`shopper_id` text NOT NULL,
	`merchant_id` text NOT NULL,
	`sale_id` text NOT NULL,
	`idempotency_key` text NOT NULL,
	`fingerprint` text NOT NULL,
	`status` text NOT NULL,
	`currency` text NOT NULL,
	`total_minor` integer NOT NULL,
	`refunded_minor` integer NOT NULL,
	`failure` text,
	`contact` text,
	`delivery` text,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	`pay_until_ms` integer NOT NULL,
	`settled` integer NOT NULL,
	CONSTRAINT "orders_status_known" CHECK("orders"."status" in ('created', 'awaiting_payment', 'paid', 'failed', 'refunding', 'refunded', 'cancelled', 'fulfilled')),
	CONSTRAINT "orders_total_not_negative" CHECK("orders"."total_minor" >= 0),
	CONSTRAINT "orders_refund_within_total" CHECK("orders"."refunded_minor" >= 0 and "orders"."refunded_minor" <= "orders"."total_minor")
);
--> statement-breakpoint
CREATE INDEX `orders_of_shopper` ON `orders` (`shopper_id`,`created_at_ms`,`order_id`);--> statement-breakpoint
CREATE INDEX `orders_of_sale` ON `orders` (`sale_id`,`created_at_ms`,`order_id`);--> statement-breakpoint
CREATE INDEX `orders_unsettled` ON `orders` (`bucket`,`updated_at_ms`) WHERE not settled;--> statement-breakpoint
CREATE UNIQUE INDEX `orders_shopper_key` ON `orders` (`shopper_id`,`idempotency_key`);--> statement-breakpoint
CREATE TABLE `payment_events` (
	`event_id` text PRIMARY KEY NOT NULL,
	`order_id` text NOT NULL,
	`at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `payments` (
	`order_id` text PRIMARY KEY NOT NULL,
	`method` text NOT NULL,
	`token` text NOT NULL,
	`state` text NOT NULL,
	`amount_minor` integer NOT NULL,
	`refunded_minor` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	CONSTRAINT "payments_amount_not_negative" CHECK("payments"."amount_minor" >= 0),
	CONSTRAINT "payments_refund_within_amount" CHECK("payments"."refunded_minor" >= 0 and "payments"."refunded_minor" <= "payments"."amount_minor")
);
--> statement-breakpoint
CREATE TABLE `shard_meta` (
	`one` integer PRIMARY KEY NOT NULL,
	`cluster_id` text NOT NULL,
	`shard` integer NOT NULL,
	CONSTRAINT "shard_meta_one_row" CHECK("shard_meta"."one" = 1)
);
--> statement-breakpoint
CREATE TABLE `stock_archive` (
	`partition` integer NOT NULL,
	`unit` text NOT NULL,
	`digest` text NOT NULL,
	`text` text NOT NULL,
	PRIMARY KEY(`partition`, `unit`, `digest`)
);
