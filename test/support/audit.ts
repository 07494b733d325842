// The books of a quiet sale, each from where it is kept, and what must hold between them.
//
//   actor    GET …/report
//   ledger   every row replayed by core/stock's apply, I1 and I7 looked at after each event
//   backup   Redis' stock hashes, or the embedded journal's stock table
//   orders   the shards' tables
//   charges  the simulator's book

import { expect } from "bun:test";

import Redis from "ioredis";
import postgres from "postgres";

import { apply } from "../../src/core/stock/apply.ts";
import { decodeBatch } from "../../src/core/stock/codec.ts";
import { availableOf, emptyBook, type StockBook } from "../../src/core/stock/state.ts";
import { keysOf } from "../../src/store/redis/keys.ts";
import type { LedgerRow } from "./checker-timeline.ts";
import { type SkuReport, until, type World } from "./world.ts";

const SERVER_PARTITIONS = 64;

/** What an audit looks through: a world, or whoever speaks for a cluster. */
export type Audited = Pick<
  World,
  "report" | "metric" | "simulator" | "servers" | "on" | "engine" | "readFile"
>;

export type OrderRow = {
  readonly order_id: string;
  readonly shopper_id: string;
  readonly idempotency_key: string;
  readonly status: string;
  readonly total_minor: number;
  readonly refunded_minor: number;
  readonly settled: boolean;
  readonly sku: string;
  readonly quantity: number;
};

/** As a driver gives it: SQLite has no booleans, postgres.js gives a bigint as text. */
type RawOrderRow = Omit<OrderRow, "total_minor" | "refunded_minor" | "settled"> & {
  readonly total_minor: number | string;
  readonly refunded_minor: number | string;
  readonly settled: boolean | number;
};

export type Charge = {
  readonly orderId: string;
  readonly amountMinor: number;
  readonly refundedMinor: number;
  readonly state: string;
};

export type Books = {
  readonly skus: readonly SkuReport[];
  /** One row a line. */
  readonly orders: readonly OrderRow[];
  readonly charges: readonly Charge[];
};

const ORDERS_SQL = `select o.order_id, o.shopper_id, o.idempotency_key, o.status, o.total_minor,
    o.refunded_minor, o.is_settled as settled, l.sku, l.quantity
  from orders o join order_lines l on l.order_id = o.order_id`;

/**
 * Waits until nothing of the sale is under way, then compares all books and expects that they agree.
 *
 * Changes  an embedded engine is ended for its journal file and started again.
 */
export async function expectBooksAgree(world: Audited, sale: string): Promise<Books> {
  await untilQuiet(world, sale);
  const { skus } = await world.report(sale);
  const [orders, charges, replayed] = await Promise.all([
    ordersOf(world, sale),
    chargesOf(world),
    replayLedger(world),
  ]);
  const backup = await backupOf(world);
  for (const one of skus) {
    const key = `${sale}/${one.sku}`;
    const { released, available, held, paying, sold } = one;
    expect({ key, units: available + held + sold, paying }).toEqual({
      key,
      units: released,
      paying: 0,
    });
    const state = replayed.skus.get(key);
    expect({ key, ...countsIn(state) }).toEqual({ key, released, available, held, sold });
    expect({ key, backup: backup.get(key) ?? 0 }).toEqual({ key, backup: available });
    const bought = orders.filter((row) => row.sku === one.sku && row.status === "paid");
    const boughtUnits = bought.reduce((sum, row) => sum + row.quantity, 0);
    expect({ key, boughtUnits }).toEqual({ key, boughtUnits: sold });
  }
  expectMoneyIsRight(orders, charges);
  return { skus, orders, charges };
}

/** I10, and one order and one charge for each key (I4). */
function expectMoneyIsRight(orders: readonly OrderRow[], charges: readonly Charge[]): void {
  const rows = new Map(orders.map((row) => [row.order_id, row]));
  const keys = new Set([...rows.values()].map((row) => `${row.shopper_id} ${row.idempotency_key}`));
  expect(keys.size).toBe(rows.size);
  const kept = new Map<string, number>();
  for (const { orderId, amountMinor, refundedMinor, state } of charges) {
    expect(kept.has(orderId)).toBe(false);
    kept.set(orderId, state === "paid" ? amountMinor - refundedMinor : 0);
  }
  for (const row of rows.values()) {
    const keptMinor = kept.get(row.order_id) ?? 0;
    const dueMinor = row.status === "paid" ? row.total_minor : 0;
    expect({ ...row, keptMinor }).toEqual({ ...row, keptMinor: dueMinor });
  }
}

export async function untilQuiet(world: Audited, sale: string): Promise<void> {
  await until("the ledger has every batch", async () => {
    return (await world.metric("doorbuster_ledger_lag_batches")) === 0;
  });
  await until(
    "every order is settled",
    async () => (await ordersOf(world, sale)).every(({ settled }) => settled),
    30_000,
  );
  await until("no unit is being paid for", async () => {
    return (await world.report(sale)).skus.every(({ paying }) => paying === 0);
  });
  await until("the ledger has what followed", async () => {
    return (await world.metric("doorbuster_ledger_lag_batches")) === 0;
  });
}

export async function ordersOf(world: Audited, sale: string): Promise<OrderRow[]> {
  const rows = await rawOrdersOf(world, sale);
  return rows.map((row) => ({
    ...row,
    total_minor: Number(row.total_minor),
    refunded_minor: Number(row.refunded_minor),
    settled: Boolean(row.settled),
  }));
}

async function rawOrdersOf(world: Audited, sale: string): Promise<RawOrderRow[]> {
  if (world.servers === null) {
    return world.readFile("shop.sqlite", (database) =>
      database.query<RawOrderRow, [string]>(`${ORDERS_SQL} where o.sale_id = ?`).all(sale),
    );
  }
  const query = `${ORDERS_SQL} where o.sale_id = $1`;
  const rows = await Promise.all(
    world.on.shardUrls.map((url) =>
      onPostgres(url, (sql) => sql.unsafe<RawOrderRow[]>(query, [sale])),
    ),
  );
  return rows.flat();
}

export async function chargesOf(world: Audited): Promise<Charge[]> {
  const charges: Charge[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const response = await fetch(`${world.simulator.url}/v1/book?after=${after}&limit=1000`);
    const page = (await response.json()) as { items: Charge[]; next: number | null };
    charges.push(...page.items);
    after = page.next;
  }
  return charges;
}

type RawLedgerRow = {
  readonly [name in Exclude<keyof LedgerRow, "bytes">]: number | string;
} & { readonly bytes: string };

const LEDGER_SQL =
  'select "partition", seq, claim, at_ms as "atMs", bytes from ledger order by "partition", seq';

export async function ledgerOf(world: Audited): Promise<LedgerRow[]> {
  const rows = await rawLedgerOf(world);
  return rows.map(({ partition, seq, claim, atMs, bytes }) => {
    return {
      partition: Number(partition),
      seq: Number(seq),
      claim: Number(claim),
      atMs: Number(atMs),
      bytes,
    };
  });
}

async function rawLedgerOf(world: Audited): Promise<RawLedgerRow[]> {
  if (world.servers === null) {
    return world.readFile("shop.sqlite", (database) =>
      database.query<RawLedgerRow, []>(LEDGER_SQL).all(),
    );
  }
  const rows = await Promise.all(
    world.on.shardUrls.map((url) =>
      onPostgres(url, (sql) => sql.unsafe<RawLedgerRow[]>(LEDGER_SQL)),
    ),
  );
  return rows.flat();
}

/** I3: each partition's rows are 1, 2, 3 …; I1 and I7 hold after every single event. */
async function replayLedger(world: Audited): Promise<StockBook> {
  const book = emptyBook();
  const last = new Map<number, number>();
  for (const { partition, seq, bytes } of await ledgerOf(world)) {
    if (seq !== (last.get(partition) ?? 0) + 1) throw new Error(`p${partition}: gap before ${seq}`);
    last.set(partition, seq);
    const batch = decodeBatch(bytes);
    for (const { skuIndex, event } of batch.events) {
      const key = batch.skuKeys[skuIndex]!;
      // Where a SKU's state is, not what it is: here everything stays in memory.
      if (event.kind === "archived") continue;
      apply(book, key, event);
      if ("shopper" in event) expectWithinLimit(book, key, event.shopper);
    }
  }
  return book;
}

function expectWithinLimit(book: StockBook, key: string, shopper: string): void {
  const sku = book.skus.get(key);
  if (sku === undefined || availableOf(sku) < 0) throw new Error(`${key}: oversold`);
  const owned = (book.holds.get(sku, shopper)?.quantity ?? 0) + (sku.bought.get(shopper) ?? 0);
  const { limit } = sku.rules;
  if (owned > limit) throw new Error(`${key}: ${shopper} has ${owned} of ${limit}`);
}

function countsIn(state: ReturnType<StockBook["skus"]["get"]>) {
  if (state === undefined) return null;
  const { rules, held, sold } = state;
  return { released: rules.released, available: availableOf(state), held, sold };
}

async function backupOf(world: Audited): Promise<Map<string, number>> {
  if (world.servers !== null) return redisBackup(world.on.redis.url);
  await world.engine.end();
  const rows = world.readFile("journal.sqlite", (database) =>
    database
      .query<{ sku_key: string; available: number }, []>("select sku_key, available from stock")
      .all(),
  );
  await world.engine.restart();
  return new Map(rows.map(({ sku_key, available }) => [sku_key, available]));
}

async function redisBackup(url: string): Promise<Map<string, number>> {
  const redis = new Redis(url);
  try {
    const backup = new Map<string, number>();
    for (let partition = 0; partition < SERVER_PARTITIONS; partition += 1) {
      const stock = await redis.hgetall(keysOf(partition).stock);
      for (const [key, available] of Object.entries(stock)) backup.set(key, Number(available));
    }
    return backup;
  } finally {
    redis.disconnect();
  }
}

async function onPostgres<T>(url: string, work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
