ALTER TABLE "orders" ADD COLUMN "token" text DEFAULT '' NOT NULL;--> statement-breakpoint
UPDATE "orders" o SET "token" = p."token" FROM "payments" p WHERE p."order_id" = o."order_id";--> statement-breakpoint
DROP TABLE "payments";--> statement-breakpoint
CREATE VIEW "public"."payments" AS (select order_id, 'card' as method, token,
  case status when 'created' then 'none' when 'awaiting_payment' then 'pending' when 'paid' then 'paid' when 'failed' then 'not_paid' when 'refunding' then 'refunding' when 'refunded' then 'refunded' when 'cancelled' then 'not_paid' when 'fulfilled' then 'paid' end as state,
  total_minor as amount_minor, refunded_minor, updated_at_ms from orders);