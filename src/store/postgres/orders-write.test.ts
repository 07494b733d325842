// Plans that are kept: made while the tables are empty, they must be right when these are full.

import { afterAll, beforeAll, expect, test } from "bun:test";

import { sampleOrder, stepOf } from "../../../test/support/order-samples.ts";
import { openShards } from "../../../test/support/order-shards.ts";
import { startPostgres, type TestPostgres } from "../../../test/support/servers.ts";
import type { PostgresDatabase, Statement } from "./connect.ts";
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
};

for (const [name, { text, values }] of Object.entries(STATEMENTS)) {
  test(`${name}: the kept plan finds rows of tables by index, and joins nothing else`, async () => {
    const plan = await shard.run("explain", async (_, sql) => {
      const session = await sql.reserve();
      try {
        await session.unsafe(`prepare kept as ${text}`);
        const given = values.map((value) => `'${value.replaceAll("'", "''")}'`).join(", ");
        return await session.unsafe<{ "QUERY PLAN": string }[]>(`explain execute kept(${given})`);
      } finally {
        await session.unsafe("deallocate kept");
        session.release();
      }
    });
    const lines = plan.map((row) => row["QUERY PLAN"]);
    expect(lines.filter((line) => /Seq Scan|Hash Join|Merge|Join Filter/.test(line))).toEqual([]);
    // The number of rows is guessed: the plan is of no batch in particular.
    expect(lines.some((line) => line.includes("rows=10 "))).toBe(true);
  });
}

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
