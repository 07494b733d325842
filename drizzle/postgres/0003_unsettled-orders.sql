LOCK TABLE "orders" IN ACCESS EXCLUSIVE MODE;--> statement-breakpoint
CREATE TABLE "unsettled_orders" (
	"order_id" text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
INSERT INTO "unsettled_orders" ("order_id") SELECT "order_id" FROM "orders" WHERE NOT "settled";--> statement-breakpoint
DROP INDEX "orders_of_shopper";--> statement-breakpoint
DROP INDEX "orders_unsettled";--> statement-breakpoint
ALTER TABLE "orders" DROP COLUMN "bucket";--> statement-breakpoint
ALTER TABLE "orders" RENAME COLUMN "settled" TO "is_settled";--> statement-breakpoint
ALTER TABLE "orders" SET (fillfactor = 50);
