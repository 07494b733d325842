// The books of the rivals, read straight from their stores.

import { Redis } from "ioredis";
import postgres from "postgres";

import type { PostgresRival } from "../arms/rival-postgres.ts";
import { redisKeys } from "../arms/rival-redis.ts";
import { stagedKey, type StagedSku } from "../arms/stage.ts";
import type { Books } from "./audit.ts";

type Row = { skuKey: string; shopper: string; quantity: number };
type Counts = Map<string, { released: number; available: number }>;

export async function postgresBooks(
  url: string,
  id: PostgresRival,
  skus: readonly StagedSku[],
  hotUnits: number,
): Promise<Books> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const byUnit = id === "pg-skip-locked";
    const rows = byUnit
      ? await sql<Row[]>`select sku_key as "skuKey", shopper, 1 as quantity from units
          where shopper is not null`
      : await sql<Row[]>`select sku_key as "skuKey", shopper, quantity from holds`;
    const left = byUnit
      ? await sql<{ skuKey: string; available: number }[]>`
          select sku_key as "skuKey", count(*) filter (where shopper is null)::int as available
          from units group by 1`
      : await sql<{ skuKey: string; available: number }[]>`
          select sku_key as "skuKey", available from stock`;
    const releasedOf = new Map(
      skus.map(({ sku, stock }) => [stagedKey(sku), byUnit ? Math.min(stock, hotUnits) : stock]),
    );
    const counts: Counts = new Map();
    for (const { skuKey, available } of left) {
      counts.set(skuKey, { released: releasedOf.get(skuKey) ?? 0, available });
    }
    return { rows, counts, problems: [] };
  } finally {
    await sql.end();
  }
}

/** `databaseUrl`: the rows are in Postgres, the counter in Redis. */
export async function redisBooks(
  redisUrl: string,
  databaseUrl: string | null,
  skus: readonly StagedSku[],
): Promise<Books> {
  const redis = new Redis(redisUrl);
  const counts: Counts = new Map();
  const rows: Row[] = [];
  try {
    for (let from = 0; from < skus.length; from += 1_000) {
      const page = skus.slice(from, from + 1_000);
      const lefts = await redis.mget(page.map(({ sku }) => redisKeys(stagedKey(sku))[0]));
      page.forEach(({ sku, stock }, index) => {
        const available = Number(lefts[index]);
        const isTouched = available !== stock;
        if (isTouched) counts.set(stagedKey(sku), { released: stock, available });
      });
    }
    if (databaseUrl === null) {
      for (const skuKey of counts.keys()) {
        const holders = await redis.hgetall(redisKeys(skuKey)[1]);
        for (const [shopper, value] of Object.entries(holders)) {
          rows.push({ skuKey, shopper, quantity: Number.parseInt(value, 10) });
        }
      }
      return { rows, counts, problems: [] };
    }
  } finally {
    redis.disconnect();
  }
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const stored = await sql<Row[]>`select sku_key as "skuKey", shopper, quantity from holds`;
    return { rows: stored, counts, problems: [] };
  } finally {
    await sql.end();
  }
}
