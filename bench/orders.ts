// How many whole orders a second one Postgres takes: create, awaiting_payment, paid; each step
// waits for the one before, as a checkout does. fsync on, a server of its own on this machine.
//
//   bun bench/orders.ts [orders] [checkouts at once]

import { readdirSync, readFileSync } from "node:fs";

import { bucketOf, orderIdOf } from "../src/core/ids.ts";
import { BUCKETS } from "../src/core/limits.ts";
import type { Order } from "../src/core/order/order.ts";
import { applyMigrations } from "../src/store/postgres/apply-migrations.ts";
import { PostgresDatabase } from "../src/store/postgres/connect.ts";
import { PostgresOrders } from "../src/store/postgres/orders.ts";
import { startPostgres } from "../test/support/servers.ts";

const total = Number(process.argv[2] ?? 60_000);
const atOnce = Number(process.argv[3] ?? 1_000);
const ROUNDS = 3;

function orderOf(n: number): Order {
  const shopperId = `shopper-${n}@example.com`;
  const createdAtMs = Date.now();
  return {
    orderId: orderIdOf(shopperId, Bun.randomUUIDv7()),
    shopperId,
    merchantId: "demo",
    saleId: "diwali-drop",
    idempotencyKey: `key-${n}-${bucketOf(shopperId)}`,
    fingerprint: "d41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf8427e",
    status: "created",
    lines: [{ sku: "phone-x-128", quantity: 1, unitPriceMinor: 1_999_900 }],
    currency: "INR",
    totalMinor: 1_999_900,
    refundedMinor: 0,
    failure: null,
    paymentToken: "tok_ok",
    contact: { email: shopperId, name: "A Shopper" },
    delivery: { street: "1 Long Road", city: "Pune", code: "411001" },
    createdAtMs,
    updatedAtMs: createdAtMs,
    payUntilMs: 0,
    settled: false,
  };
}

async function checkOut(orders: PostgresOrders, n: number): Promise<void> {
  const order = orderOf(n);
  const { orderId } = order;
  const created = await orders.create(order);
  const atMs = Date.now();
  const waits = await orders.transition({
    orderId,
    from: ["created"],
    to: "awaiting_payment",
    atMs,
    settled: false,
    payUntilMs: atMs + 600_000,
  });
  const paid = await orders.transition({
    orderId,
    from: ["awaiting_payment"],
    to: "paid",
    atMs: Date.now(),
    settled: true,
  });
  if (created.kind !== "created" || !waits || !paid) throw new Error(`${orderId} was not paid`);
}

/** CPU that the server's processes have used, in µs. */
function serverCpuUs(): number {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(pid);
    const [, parent = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(pid) !== server.pid && Number(parent) !== server.pid) continue;
    // utime and stime are the 14th and 15th field of the line; `rest` begins with the 5th.
    ticks += Number(rest[9]) + Number(rest[10]);
  }
  return ticks * 10_000;
}

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // It has ended since.
    return "";
  }
}

async function round(orders: PostgresOrders, first: number): Promise<void> {
  const startMs = performance.now();
  const serverStartUs = serverCpuUs();
  const cpuStart = process.cpuUsage();
  let next = first;
  const shopper = async () => {
    while (next < first + total) await checkOut(orders, next++);
  };
  await Promise.all(Array.from({ length: atOnce }, shopper));
  const seconds = (performance.now() - startMs) / 1_000;
  const cpu = process.cpuUsage(cpuStart);
  const perOrder = (cpu.user + cpu.system) / total;
  const serverUs = (serverCpuUs() - serverStartUs) / total;
  const latency = (atOnce * seconds * 1_000) / total;
  console.log(
    `${Math.round(total / seconds)} orders/s, ${perOrder.toFixed(1)} µs CPU of ours an order, ` +
      `${serverUs.toFixed(1)} µs of Postgres', ` +
      `${latency.toFixed(0)} ms an order on average`,
  );
}

const server = await startPostgres();
const database = new PostgresDatabase({
  url: await server.createDatabase("shard"),
  plansOnce: true,
});
try {
  await applyMigrations(database);
  const bucketToShard = Array.from({ length: BUCKETS }, () => 0);
  const orders = new PostgresOrders({ shards: [database], bucketToShard });
  console.log(`${total} orders a round, ${atOnce} checkouts at once, one Postgres, fsync on`);
  for (let index = 0; index < ROUNDS; index++) await round(orders, index * total);
  const counts = await orders.countsOfSale("diwali-drop");
  if (counts.paid !== ROUNDS * total) throw new Error(`stored: ${JSON.stringify(counts)}`);
} finally {
  await database.close();
  await server.stop();
}
