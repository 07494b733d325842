// The table that the sweeper goes by (ADR 0014): it names the orders that are not settled, always.

import { afterAll, beforeAll, expect, test } from "bun:test";

import postgres, { type Sql } from "postgres";

import { fresh, sampleOrder, stepOf } from "../../../test/support/order-samples.ts";
import { openShards } from "../../../test/support/order-shards.ts";
import { startPostgres, type TestPostgres } from "../../../test/support/servers.ts";
import { orderIdOf } from "../../core/ids.ts";
import { BUCKETS } from "../../core/limits.ts";
import { ORDER_STEPS, type OrderStatus } from "../../core/order/order.ts";
import { migrationsOf } from "../migrations.ts";
import { PostgresDatabase } from "./connect.ts";
import { PostgresOrders } from "./orders.ts";

const PAID = [
  ["created", "awaiting_payment"],
  ["awaiting_payment", "paid"],
] as const;
const ALL_ON_ONE = Array.from({ length: BUCKETS }, () => 0);

let server: TestPostgres;
let shard: PostgresDatabase;
/** Two nodes' stores on one shard. */
let stores: readonly [PostgresOrders, PostgresOrders];
let sql: Sql;

beforeAll(async () => {
  server = await startPostgres();
  const [first] = await openShards(server, 1);
  if (first === undefined) throw new Error("one shard was asked for");
  shard = first;
  const store = () => new PostgresOrders({ shards: [shard], bucketToShard: ALL_ON_ONE });
  stores = [store(), store()];
  sql = postgres(server.url("shard_0"), { max: 2, onnotice: () => undefined });
});
afterAll(async () => {
  await sql.end();
  await shard.close();
  await server.stop();
});

async function expectNamed(): Promise<void> {
  const named = await sql`select order_id from unsettled_orders order by 1`;
  const unsettled = await sql`select order_id from orders where not is_settled order by 1`;
  expect<unknown[]>([...named]).toEqual([...unsettled]);
}

/** Steps of two nodes that race on an order, until it has nowhere to go or stops halfway. */
async function race(): Promise<void> {
  const order = sampleOrder();
  await stores[0].create(order);
  let status: OrderStatus = "created";
  for (let steps = Math.floor(Math.random() * 6); steps > 0; steps--) {
    const nexts: readonly OrderStatus[] = ORDER_STEPS[status];
    if (nexts.length === 0) break;
    const tries = stores.map(async (store) => {
      const to = nexts[Math.floor(Math.random() * nexts.length)] as OrderStatus;
      return { to, won: await store.transition(stepOf(order, { from: [status], to })) };
    });
    const won = (await Promise.all(tries)).filter((one) => one.won);
    expect(won.length).toBe(1);
    status = (won[0] as { to: OrderStatus }).to;
  }
  if (status !== "failed" && status !== "cancelled") return;
  const settle = stepOf(order, { from: [status], to: status, settled: true });
  await Promise.all(stores.map((store) => store.transition(settle)));
}

test("steps of two nodes race on 300 orders: it names those that are not settled", async () => {
  await Promise.all(Array.from({ length: 300 }, () => race()));
  await expectNamed();
});

test("a refund that asks from several statuses names its order again", async () => {
  const order = sampleOrder();
  await stores[0].create(order);
  for (const [from, to] of PAID) await stores[0].transition(stepOf(order, { from: [from], to }));
  const refund = stepOf(order, { from: ["awaiting_payment", "paid"], to: "refunding" });
  expect(await stores[1].transition(refund)).toBe(true);
  await expectNamed();
});

test("a name too many is passed over", async () => {
  const order = sampleOrder({ createdAtMs: 1 });
  await stores[0].create(order);
  for (const [from, to] of PAID) await stores[0].transition(stepOf(order, { from: [from], to }));
  await sql`insert into unsettled_orders (order_id) values (${order.orderId})`;
  const buckets = ALL_ON_ONE.map((_, bucket) => bucket);
  const swept = await stores[0].unsettled({ buckets, beforeMs: 2e12, limit: 1_000 });
  expect(swept.some(({ orderId }) => orderId === order.orderId)).toBe(false);
  await sql`delete from unsettled_orders where order_id = ${order.orderId}`;
});

test("a key that was used before leaves no name behind", async () => {
  const order = sampleOrder();
  await stores[0].create(order);
  const repeat = { ...order, orderId: orderIdOf(order.shopperId, Bun.randomUUIDv7()) };
  expect((await stores[1].create(repeat)).kind).toBe("exists");
  expect(await sql`select from unsettled_orders where order_id = ${repeat.orderId}`).toHaveLength(
    0,
  );
  await expectNamed();
});

test("steps of orders by the batch write no index but that of names, nine times of ten", async () => {
  // One connection: it tells the server its figures at the end of a transaction, once a second.
  const url = server.url("shard_0");
  const database = new PostgresDatabase({ url, max: 1, plansOnce: true });
  const store = new PostgresOrders({ shards: [database], bucketToShard: ALL_ON_ONE });
  const figures = async () => {
    await Bun.sleep(1_100);
    await database.run("tell", (_, connection) => connection`select`);
    const [row] = await sql<{ updated: number; hot: number }[]>`
      select n_tup_upd::integer as updated, n_tup_hot_upd::integer as hot
      from pg_stat_user_tables where relname = 'orders'`;
    return row ?? { updated: 0, hot: 0 };
  };
  const before = await figures();
  const count = 2_000;
  const checkOut = async () => {
    const order = sampleOrder();
    await store.create(order);
    for (const [from, to] of PAID) await store.transition(stepOf(order, { from: [from], to }));
  };
  await Promise.all(Array.from({ length: count }, checkOut));
  const after = await figures();
  expect(after.updated - before.updated).toBe(2 * count);
  expect((after.hot - before.hot) / (2 * count)).toBeGreaterThan(0.85);
  await database.close();
});

const INSERT_BEFORE = `insert into orders (order_id, bucket, shopper_id, merchant_id, sale_id,
    idempotency_key, fingerprint, status, currency, total_minor, refunded_minor, created_at_ms,
    updated_at_ms, pay_until_ms, settled, token)`;

/** A database as a build left it that did not know the table, and what makes it ours. */
async function oldShard() {
  const url = await server.createDatabase(fresh("old").replaceAll("-", "_"));
  const old = postgres(url, { max: 3, onnotice: () => undefined });
  const texts = migrationsOf("postgres").map((migration) => migration.sql);
  const at = texts.findIndex((text) => text.includes("unsettled_orders"));
  expect(at).toBeGreaterThan(0);
  await old.unsafe(texts.slice(0, at).join("\n"));
  return { old, migration: texts.slice(at).join("\n") };
}

const oldRow = (id: string, settled: boolean) =>
  `('${id}', 7, 's', 'm', 'drop', '${id}', 'f', 'failed', 'INR', 1, 0, 1, 7, 0, ${settled}, 't')`;

test("the migration takes over what is not settled; an older build can write no order then", async () => {
  const { old, migration } = await oldShard();
  const rows = [oldRow("ord_1", false), oldRow("ord_2", true), oldRow("ord_3", false)];
  await old.unsafe(`${INSERT_BEFORE} values ${rows.join(", ")}`);
  await old.unsafe(migration);
  const names = await old`select order_id from unsettled_orders order by 1`;
  expect<unknown[]>([...names]).toEqual([{ order_id: "ord_1" }, { order_id: "ord_3" }]);
  for (const text of [
    `${INSERT_BEFORE} values ${oldRow("ord_4", false)}`,
    "update orders set status = 'refunding', settled = false where order_id = 'ord_2'",
  ]) {
    const error = await old.unsafe(text).then(String, String);
    expect(error).toMatch(/column "(bucket|settled)" of relation "orders" does not exist/);
  }
  await old.end();
});

test("the migration waits for an order that is just being written, and takes it over", async () => {
  const { old, migration } = await oldShard();
  let migrated: Promise<unknown> | null = null;
  await old.begin(async (writer) => {
    await writer.unsafe(`${INSERT_BEFORE} values ${oldRow("ord_1", false)}`);
    migrated = old.unsafe(migration).execute();
    for (;;) {
      const waits = await sql`select from pg_stat_activity where wait_event_type = 'Lock'`;
      if (waits.length > 0) break;
    }
  });
  await migrated;
  const names = await old`select order_id from unsettled_orders`;
  expect<unknown[]>([...names]).toEqual([{ order_id: "ord_1" }]);
  await old.end();
});
