// Holds in Postgres, a request at a time: the three ways that teams write it. Each gets prepared
// statements (postgres.js' default), its round trips pipelined, a hot row that has room on its page,
// the number of connections that was found best, and our own settings for plans that are kept.
// Without these a plan of when `holds` was empty reads all of it each time: a third of the rate
// after 5 s.

import postgres from "postgres";

import { unreachable } from "../../src/core/assert.ts";
import { PLANNED_ONCE } from "../../src/store/postgres/client.ts";
import type { Ask, Decider, Verdict } from "./decider.ts";
import type { StagedSku } from "./stage.ts";
import { stagedKey } from "./stage.ts";

export type PostgresRival = "pg-lock" | "pg-update" | "pg-skip-locked";

const SCHEMA = `
  create table stock (
    sku_key text primary key,
    available integer not null check (available >= 0)
  ) with (fillfactor = 10, autovacuum_vacuum_cost_delay = 0);
  create table holds (
    sku_key text not null,
    shopper text not null,
    quantity integer not null,
    deadline_ms bigint not null,
    primary key (sku_key, shopper)
  );
  create table units (
    sku_key text not null,
    unit integer not null,
    shopper text,
    deadline_ms bigint
  );`;

/** One unit a row is staged for the arm that works so, and only for it. */
export async function stagePostgres(
  url: string,
  id: PostgresRival | "redis-decr-pg",
  skus: readonly StagedSku[],
  hotUnits: number,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(SCHEMA);
    for (let from = 0; from < skus.length; from += 5_000) {
      const page = skus.slice(from, from + 5_000);
      const keys = page.map(({ sku }) => stagedKey(sku));
      const stocks = page.map(({ stock }) => stock);
      await sql`insert into stock select * from unnest(${keys}::text[], ${stocks}::int[])`;
    }
    if (id === "pg-skip-locked") {
      for (const { sku, stock } of skus) {
        await sql`
          insert into units (sku_key, unit)
          select ${stagedKey(sku)}, unit
          from generate_series(1, ${Math.min(stock, hotUnits)}::int) unit`;
      }
      await sql.unsafe(`
        create index units_free on units (sku_key) where shopper is null;
        create unique index units_one_each on units (sku_key, shopper) where shopper is not null`);
    }
    await sql.unsafe("vacuum analyze");
    await sql.unsafe("checkpoint");
  } finally {
    await sql.end();
  }
}

export function postgresDecider(id: PostgresRival, url: string, connections: number): Decider {
  const sql = postgres(url, { max: connections, onnotice: () => {}, connection: PLANNED_ONCE });
  switch (id) {
    case "pg-lock":
      return (ask) => withLock(sql, ask);
    case "pg-update":
      return (ask) => inOneStatement(sql, ask);
    case "pg-skip-locked":
      return (ask) => withRowsOfUnits(sql, ask);
    default:
      return unreachable(id);
  }
}

/** Two flights: BEGIN with SELECT … FOR UPDATE; then UPDATE, INSERT and COMMIT. */
async function withLock(sql: postgres.Sql, ask: Ask): Promise<Verdict> {
  const { skuKey, shopper, quantity, deadlineMs } = ask;
  const tx = await sql.reserve();
  try {
    const [, [row]] = await Promise.all([
      tx`begin`,
      tx<{ available: number; held: boolean }[]>`
        select available,
          exists (select from holds where sku_key = ${skuKey} and shopper = ${shopper}) as held
        from stock where sku_key = ${skuKey} for update`,
    ]);
    if (row === undefined || row.held || row.available < quantity) {
      await tx`commit`;
      return row?.held === true ? "same" : "sold_out";
    }
    await Promise.all([
      tx`update stock set available = available - ${quantity} where sku_key = ${skuKey}`,
      tx`insert into holds values (${skuKey}, ${shopper}, ${quantity}, ${deadlineMs})`,
      tx`commit`,
    ]);
    return "new";
  } catch (cause) {
    await tx`rollback`;
    throw cause;
  } finally {
    tx.release();
  }
}

/** One statement that decides, stores and says why not; it locks the row until it has committed. */
async function inOneStatement(sql: postgres.Sql, ask: Ask): Promise<Verdict> {
  const { skuKey, shopper, quantity, deadlineMs } = ask;
  const rows = await sql<{ verdict: Verdict }[]>`
    with taken as (
      update stock set available = available - ${quantity}
      where sku_key = ${skuKey} and available >= ${quantity}
        and not exists (select from holds where sku_key = ${skuKey} and shopper = ${shopper})
      returning sku_key),
    stored as (
      insert into holds select sku_key, ${shopper}, ${quantity}, ${deadlineMs}::bigint from taken
      returning 1)
    select case
      when exists (select from stored) then 'new'
      when exists (select from holds where sku_key = ${skuKey} and shopper = ${shopper}) then 'same'
      else 'sold_out' end as verdict`;
  return rows[0]!.verdict;
}

/** A row a unit: whoever comes takes the next one that nobody has locked. */
async function withRowsOfUnits(sql: postgres.Sql, ask: Ask): Promise<Verdict> {
  const { skuKey, shopper, deadlineMs } = ask;
  const rows = await sql`
    update units set shopper = ${shopper}, deadline_ms = ${deadlineMs}::bigint
    where ctid = (
      select ctid from units where sku_key = ${skuKey} and shopper is null
      limit 1 for update skip locked)
      and shopper is null
    returning 1`;
  if (rows.length === 1) return "new";
  const held = await sql`
    select 1 from units where sku_key = ${skuKey} and shopper = ${shopper}`;
  return held.length === 1 ? "same" : "sold_out";
}
