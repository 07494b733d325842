// Plans that are kept: made while the tables are empty, they must be right when these are full.

import { afterAll, beforeAll, expect, test } from "bun:test";

import { sampleOrder, stepOf } from "../../../test/support/order-samples.ts";
import { openShards } from "../../../test/support/order-shards.ts";
import { startPostgres, type TestPostgres } from "../../../test/support/servers.ts";
import type { Drizzle, PostgresDatabase, Statement } from "./connect.ts";
import { ordersById, ordersByKey, selectPage, selectUnsettled } from "./orders-read.ts";
import { insertOrders, insertPaymentEvents, moveOrders } from "./orders-write.ts";

let server: TestPostgres;
let shard: PostgresDatabase;

beforeAll(async () => {
  server = await startPostgres();
  const [first] = await openShards(server, 1);
  if (first === undefined) throw new Error("one shard was asked for");
  shard = first;
});
afterAll(async () => {
  await shard.close();
  await server.stop();
});

const order = sampleOrder();
const STATEMENTS: Record<string, Statement> = {
  "insert orders": insertOrders([order]),
  "move orders": moveOrders([stepOf(order, { from: ["created"], to: "failed" })]),
  "insert payment events": insertPaymentEvents([
    { eventId: "evt_1", orderId: order.orderId, atMs: 1 },
  ]),
  "find orders by id": ordersById([order.orderId]),
  "find orders by key": ordersByKey([order]),
};

/** The lines of the plan that is kept for a statement. */
async function planOf(text: string, values: readonly unknown[]): Promise<string[]> {
  const given = values.map((value) => `'${String(value).replaceAll("'", "''")}'`).join(", ");
  const session = [`prepare kept as ${text}`, `explain execute kept(${given})`, "deallocate kept"];
  const answers = await shard.run("explain", (_, sql) => sql.unsafe(session.join(";\n")));
  return (answers[1] as { "QUERY PLAN": string }[]).map((row) => row["QUERY PLAN"]);
}

for (const [name, { text, values }] of Object.entries(STATEMENTS)) {
  test(`${name}: the kept plan finds rows of tables by index, and joins nothing else`, async () => {
    const lines = await planOf(text, values);
    expect(lines.filter((line) => /Seq Scan|Hash Join|Merge|Join Filter/.test(line))).toEqual([]);
    const countOf = (word: string) => lines.filter((line) => line.includes(word)).length;
    expect(countOf("Index Cond")).toBe(countOf("Index Scan") + countOf("Index Only Scan"));
    // The number of rows is guessed: the plan is of no batch in particular.
    expect(lines.some((line) => line.includes("rows=10 "))).toBe(true);
  });
}

/** What the kept plan of a select of Drizzle's does to find rows of `orders`. */
async function wayToOrders(
  select: (drizzle: Drizzle) => { toSQL(): { sql: string; params: unknown[] } },
): Promise<string> {
  const query = await shard.run("text", (drizzle) => Promise.resolve(select(drizzle).toSQL()));
  const lines = (await planOf(query.sql, query.params)).map((line) => line.trim());
  const at = lines.findIndex((line) => /Scan .*on orders\b/.test(line));
  return lines.slice(at, at + 2).join(" ");
}

test("unsettled orders: the kept plan reads the names first, and of orders those rows alone", async () => {
  const request = { buckets: [0, 255], beforeMs: 1, limit: 10 };
  const way = await wayToOrders((drizzle) => selectUnsettled(drizzle, request));
  expect(way).toMatch(/(Index|Recheck) Cond: \(order_id = ANY \(\$/);
});

test("a shopper's orders: the kept plan reads that shopper's alone", async () => {
  const after = { createdAtMs: 1, orderId: order.orderId };
  const request = { shopperId: order.shopperId, after, limit: 10 };
  const way = await wayToOrders((drizzle) => selectPage(drizzle, request));
  expect(way).toMatch(/(Index|Recheck) Cond: \(\(?shopper_id = /);
});

test("a statement is planned once a connection, not once a call", async () => {
  const sent = 40;
  for (let index = 0; index < sent; index++) {
    await shard.execute("insert orders", insertOrders([sampleOrder()]));
  }
  const kept = await shard.run(
    "plans",
    (_, sql) => sql<{ generic: number; custom: number }[]>`
    select generic_plans::integer as generic, custom_plans::integer as custom
    from pg_prepared_statements where statement like '%insert into orders%'`,
  );
  expect(kept.reduce((sum, { custom }) => sum + custom, 0)).toBe(0);
  expect(kept.reduce((sum, { generic }) => sum + generic, 0)).toBeGreaterThan(0);
});
