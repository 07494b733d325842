DROP INDEX "orders_unsettled";--> statement-breakpoint
CREATE INDEX "orders_unsettled" ON "orders" USING btree ("bucket") WHERE not settled;--> statement-breakpoint
ALTER TABLE "orders" SET (fillfactor = 70);--> statement-breakpoint
ALTER TABLE "payments" SET (fillfactor = 70);
