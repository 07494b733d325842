// `payments` was a table once (ADR 0011): what it said of orders must still be said after the migration.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";

import postgres from "postgres";

import { migrationsOf } from "../../src/store/migrations.ts";
import { startPostgres, type TestPostgres } from "../support/servers.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const ORDER = `insert into orders (order_id, bucket, shopper_id, merchant_id, sale_id,
    idempotency_key, fingerprint, status, currency, total_minor, refunded_minor, created_at_ms,
    updated_at_ms, pay_until_ms, settled)
  values ('ord_1', 1, 's', 'm', 'drop', 'k', 'f', 'refunded', 'INR', 500, 500, 1, 7, 0, `;
const PAYMENT = `insert into payments (order_id, method, token, state, amount_minor, refunded_minor,
    updated_at_ms) values ('ord_1', 'card', 'tok_slow', 'refunded', 500, 500, 7)`;
const READ = `select order_id, method, token, state, amount_minor::text as amount,
    refunded_minor::text as refunded, updated_at_ms::text as "updatedAtMs" from payments`;
const SAID = {
  order_id: "ord_1",
  method: "card",
  token: "tok_slow",
  state: "refunded",
  amount: "500",
  refunded: "500",
  updatedAtMs: "7",
};

/** The migrations before the one that makes the view, and the rest. */
function split(dialect: "postgres" | "sqlite"): [string, string] {
  const all = migrationsOf(dialect).map((migration) => migration.sql);
  const at = all.findIndex((sql) => sql.includes("CREATE VIEW"));
  expect(at).toBeGreaterThan(0);
  return [all.slice(0, at).join("\n"), all.slice(at).join("\n")];
}

test("Postgres: the payment of an order outlives the migration", async () => {
  const sql = postgres(await server.createDatabase("old"), { max: 1, onnotice: () => undefined });
  const [before, after] = split("postgres");
  await sql.unsafe(before);
  await sql.unsafe(`${ORDER} true)`);
  await sql.unsafe(PAYMENT);
  expect<unknown[]>([...(await sql.unsafe(READ))]).toEqual([SAID]);
  await sql.unsafe(after);
  expect<unknown[]>([...(await sql.unsafe(READ))]).toEqual([SAID]);
  await sql.end();
});

test("SQLite: the payment of an order outlives the migration", () => {
  const database = new Database(":memory:");
  const [before, after] = split("sqlite");
  database.run(before);
  database.run(`${ORDER} 1)`);
  database.run(PAYMENT);
  const read = READ.replaceAll("::text", "");
  const said = { ...SAID, amount: 500, refunded: 500, updatedAtMs: 7 };
  expect<unknown[]>(database.query(read).all()).toEqual([said]);
  database.run(after);
  expect<unknown[]>(database.query(read).all()).toEqual([said]);
  database.close();
});
