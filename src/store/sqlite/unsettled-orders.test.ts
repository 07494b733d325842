// The embedded twin of ../postgres/unsettled-orders.test.ts: the table names the orders that are not
// settled, always (ADR 0014).

import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";

import { sampleOrder, stepOf } from "../../../test/support/order-samples.ts";
import { openSqliteFile } from "../../../test/support/order-shards.ts";
import { orderIdOf } from "../../core/ids.ts";
import { BUCKETS } from "../../core/limits.ts";
import { ORDER_STEPS, type OrderStatus } from "../../core/order/order.ts";
import { migrationsOf } from "../migrations.ts";
import { SqliteOrders } from "./orders.ts";

const { database, close } = openSqliteFile();
const orders = new SqliteOrders({ database });
afterAll(close);

const NAMED = "select order_id from unsettled_orders order by 1";
const UNSETTLED = "select order_id from orders where not is_settled order by 1";

async function walk(): Promise<void> {
  const order = sampleOrder();
  await orders.create(order);
  let status: OrderStatus = "created";
  for (let steps = Math.floor(Math.random() * 5); steps > 0; steps--) {
    const nexts: readonly OrderStatus[] = ORDER_STEPS[status];
    const to = nexts[Math.floor(Math.random() * nexts.length)];
    if (to === undefined) break;
    expect(await orders.transition(stepOf(order, { from: [status], to }))).toBe(true);
    status = to;
  }
  if (status !== "failed" && status !== "cancelled") return;
  await orders.transition(stepOf(order, { from: [status], to: status, settled: true }));
}

test("300 orders go their ways, some only half: it names those that are not settled", async () => {
  await Promise.all(Array.from({ length: 300 }, () => walk()));
  const stored = sampleOrder();
  await orders.create(stored);
  const repeat = { ...stored, orderId: orderIdOf(stored.shopperId, Bun.randomUUIDv7()) };
  expect((await orders.create(repeat)).kind).toBe("exists");
  const named = database.client.query(NAMED).all();
  expect(named.length).toBeGreaterThan(1);
  expect(named).toEqual(database.client.query(UNSETTLED).all());
  const request = { buckets: Array.from({ length: BUCKETS }, (_, bucket) => bucket), limit: 1_000 };
  const found = await orders.unsettled({ ...request, beforeMs: Number.MAX_SAFE_INTEGER });
  expect(found.length).toBe(named.length);
});

test("the migration takes over what is not settled", () => {
  const old = new Database(":memory:");
  const texts = migrationsOf("sqlite").map((migration) => migration.sql);
  const at = texts.findIndex((text) => text.includes("unsettled_orders"));
  expect(at).toBeGreaterThan(0);
  old.run(texts.slice(0, at).join("\n"));
  for (const [id, settled] of [
    ["ord_1", 0] as const,
    ["ord_2", 1] as const,
    ["ord_3", 0] as const,
  ]) {
    old.run(
      `insert into orders (order_id, bucket, shopper_id, merchant_id, sale_id, idempotency_key,
         fingerprint, status, currency, total_minor, refunded_minor, created_at_ms, updated_at_ms,
         pay_until_ms, settled)
       values (?1, 7, 's', 'm', 'drop', ?1, 'f', 'failed', 'INR', 1, 0, 1, 7, 0, ?2)`,
      [id, settled],
    );
  }
  old.run(texts.slice(at).join("\n"));
  expect(old.query(NAMED).all()).toEqual([{ order_id: "ord_1" }, { order_id: "ord_3" }]);
  old.close();
});
