// PostgresOrders while connections are cut, servers die and hang. The question is always the same:
// does what the caller heard agree with what is stored?

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import postgres from "postgres";

import { Fault } from "../../src/core/errors.ts";
import { bucketOf } from "../../src/core/ids.ts";
import { BUCKETS } from "../../src/core/limits.ts";
import { PostgresDatabase } from "../../src/store/postgres/connect.ts";
import { PostgresOrders } from "../../src/store/postgres/orders.ts";
import { type FaultProxy, startProxy } from "../support/fault-proxy.ts";
import { OrderLoad } from "../support/order-load.ts";
import { fresh, sampleOrder, shopperWhere, stepOf } from "../support/order-samples.ts";
import { openShards } from "../support/order-shards.ts";
import { StartFailure, startPostgres, type TestPostgres } from "../support/servers.ts";

const ONE_SHARD = Array.from({ length: BUCKETS }, () => 0);

/** A connection of the test's own, past the code under test. */
function operator(url: string) {
  return postgres(url, { max: 2, onnotice: () => undefined });
}

/** An order that lives on one of two shards. */
const orderOn = (shard: number) =>
  sampleOrder({ shopperId: shopperWhere((bucket) => bucket % 2 === shard) });

const codeOf = (error: unknown) => (error instanceof Fault ? error.code : error);
const faultCodeOf = (call: Promise<unknown>) => call.then((value) => value, codeOf);

describe("a connection that is cut", () => {
  let server: TestPostgres;
  let proxy: FaultProxy;
  let database: PostgresDatabase;
  let orders: PostgresOrders;
  let sql: ReturnType<typeof operator>;

  beforeAll(async () => {
    server = await startPostgres();
    await Promise.all((await openShards(server, 1)).map((shard) => shard.close()));
    proxy = await startProxy({ port: server.port });
    const url = server.url("shard_0").replace(`:${server.port}`, `:${proxy.port}`);
    database = new PostgresDatabase({ url, plansOnce: true });
    orders = new PostgresOrders({ shards: [database], bucketToShard: ONE_SHARD });
    sql = operator(server.url("shard_0"));
  });
  afterAll(async () => {
    await database.close();
    await sql.end();
    await proxy.close();
    await server.stop();
  });

  /** Ends the backend of ours that waits for a lock, as soon as there is one. */
  async function terminateWaiting(): Promise<void> {
    for (;;) {
      const ended = await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'doorbuster' and wait_event_type = 'Lock'`;
      if (ended.length > 0) return;
    }
  }

  test("a create whose reply was lost is known to be ours: created", async () => {
    const order = sampleOrder();
    const before = proxy.cutCount;
    proxy.cutReplyWith("SELECT 1");
    expect(await orders.create(order)).toEqual({ kind: "created" });
    expect(proxy.cutCount).toBe(before + 1);
    expect(await orders.find(order.orderId)).toEqual(order);
    expect(await orders.create(order)).toMatchObject({ kind: "exists" });
  });

  test("a step whose reply was lost is unknown: nothing tells who took it", async () => {
    const order = sampleOrder();
    await orders.create(order);
    proxy.cutReplyWith("SELECT 1");
    const step = stepOf(order, { from: ["created"], to: "awaiting_payment" });
    expect(await faultCodeOf(orders.transition(step))).toBe("unknown");
    expect((await orders.find(order.orderId))?.status).toBe("awaiting_payment");
    expect(await orders.transition(step)).toBe(false);
  });

  test("a payment event whose reply was lost is unknown, then known", async () => {
    const event = { eventId: fresh("evt"), orderId: sampleOrder().orderId, atMs: 1 };
    proxy.cutReplyWith("INSERT 0 1");
    expect(await faultCodeOf(orders.recordPaymentEvent(event))).toBe("unknown");
    expect(await orders.recordPaymentEvent(event)).toBe(false);
  });

  test("a step that was cut before it was taken is taken by the second run: true", async () => {
    const order = sampleOrder();
    await orders.create(order);
    const step = await sql.begin(async (lock) => {
      await lock`select from orders where order_id = ${order.orderId} for update`;
      const to = "awaiting_payment";
      const taken = orders.transition(stepOf(order, { from: ["created"], to }));
      await terminateWaiting();
      return { taken };
    });
    expect(await step.taken).toBe(true);
  });

  test("a step that was cut and then lost to another is false, not unknown", async () => {
    const order = sampleOrder();
    await orders.create(order);
    const step = await sql.begin(async (other) => {
      await other`update orders set status = 'cancelled' where order_id = ${order.orderId}`;
      const to = "awaiting_payment";
      const taken = orders.transition(stepOf(order, { from: ["created"], to }));
      await terminateWaiting();
      return { taken };
    });
    expect(await step.taken).toBe(false);
  });

  test("backends terminated under load, ten times: what was heard is what is stored", async () => {
    const load = new OrderLoad(orders, 40);
    for (let round = 1; round <= 10; round++) {
      await load.paid(round * 150);
      await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'doorbuster'`;
    }
    await load.paid(load.paidCount + 300);
    await load.stop();
    await load.expectStored([sql]);
  });
});

describe("a server that dies", () => {
  test("killed and restarted three times under load: what was heard is what is stored", async () => {
    const server = await startPostgres();
    const shards = await openShards(server, 2);
    const bucketToShard = Array.from({ length: BUCKETS }, (_, bucket) => bucket % 2);
    const orders = new PostgresOrders({ shards, bucketToShard });
    const load = new OrderLoad(orders, 40);
    for (let round = 0; round < 3; round++) {
      await load.paid(load.paidCount + 300);
      await server.kill();
      await load.refused(load.refusedCount + 5);
      await restarted(server);
    }
    await load.paid(load.paidCount + 300);
    await load.stop();
    expect(load.unknownCount).toBeGreaterThan(0);
    const operators = [operator(server.url("shard_0")), operator(server.url("shard_1"))];
    await load.expectStored(operators);
    await Promise.all([...operators.map((sql) => sql.end()), ...shards.map((s) => s.close())]);
    await server.stop();
  });

  test("one shard down: its shoppers hear so in time, the other's go on, the sweep too", async () => {
    const [up, down] = await Promise.all([startPostgres(), startPostgres()]);
    const [[shardUp], [shardDown]] = await Promise.all([openShards(up, 1), openShards(down, 1)]);
    const shards = [shardUp, shardDown].filter((shard) => shard !== undefined);
    const bucketToShard = Array.from({ length: BUCKETS }, (_, bucket) => bucket % 2);
    const orders = new PostgresOrders({ shards, bucketToShard });
    const stored = orderOn(1);
    await orders.create(stored);
    await down.kill();

    const startMs = performance.now();
    const calls = Array.from({ length: 200 }, (_, index) => orderOn(index % 2));
    const heard = await Promise.all(calls.map((order) => faultCodeOf(orders.create(order))));
    for (const [index, answer] of heard.entries()) {
      if (index % 2 === 0) expect(answer).toEqual({ kind: "created" });
      else expect(["store_unavailable", "unknown"]).toContain(answer as string);
    }
    expect(await faultCodeOf(orders.find(stored.orderId))).toBe("store_unavailable");
    expect(await faultCodeOf(orders.countsOfSale("diwali-drop"))).toBe("store_unavailable");
    const buckets = ONE_SHARD.map((_, bucket) => bucket);
    const unsettled = await orders.unsettled({ buckets, beforeMs: 2e12, limit: 1_000 });
    expect(unsettled.length).toBe(100);
    expect(performance.now() - startMs).toBeLessThan(3_000);

    await restarted(down);
    expect(await recovered(() => orders.find(stored.orderId))).toEqual(stored);
    expect((await orders.create(orderOn(1))).kind).toBe("created");
    await Promise.all(shards.map((shard) => shard.close()));
    await Promise.all([up.stop(), down.stop()]);
  });

  test("a server that hangs: every call ends within its deadline, also the ones in line", async () => {
    const server = await startPostgres();
    const [first] = await openShards(server, 1);
    await first?.close();
    const database = new PostgresDatabase({
      url: server.url("shard_0"),
      statementMs: 500,
      plansOnce: true,
    });
    const orders = new PostgresOrders({ shards: [database], bucketToShard: ONE_SHARD });
    await orders.create(sampleOrder());
    server.pause();
    const startMs = performance.now();
    const calls = Array.from({ length: 2_000 }, () => faultCodeOf(orders.create(sampleOrder())));
    const heard = new Set(await Promise.all(calls));
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(heard).toEqual(new Set(["busy", "unknown"]));
    server.resume();
    const order = sampleOrder();
    expect(await recovered(() => orders.create(order))).toBeDefined();
    await database.close();
    await server.stop();
  });
});

/** What a call says once its server is back; each attempt waits for a connection itself. */
async function recovered<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === 100 || !(error instanceof Fault)) throw error;
    }
  }
}

/** A backend that was just forked may outlive the kill for a moment and hold the shared memory. */
async function restarted(server: TestPostgres): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await server.restart();
    } catch (error) {
      if (!(error instanceof StartFailure) || attempt === 20) throw error;
    }
  }
}

test("no store of orders or ledger opens a transaction over several statements", () => {
  const folder = join(import.meta.dir, "../../src/store/postgres");
  const files = readdirSync(folder).filter((name) => /^(orders|ledger).*\.ts$/.test(name));
  expect(files.length).toBeGreaterThanOrEqual(5);
  for (const name of files) {
    expect(readFileSync(join(folder, name), "utf8")).not.toMatch(/\.(begin|transaction|reserve)\(/);
  }
});

test("shoppers' buckets are spread, so both shards of these tests are used", () => {
  const shards = new Set(Array.from({ length: 64 }, () => bucketOf(fresh("shopper")) % 2));
  expect(shards.size).toBe(2);
});
