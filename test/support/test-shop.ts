// A whole shop on real parts: SKU actors over the SQLite journal, SQLite orders, catalogue, accounts
// and ledger, all in memory. Only the gateway is a model, and time can be moved on.

import { StockNode } from "../../src/actors/stock-node.ts";
import { assert } from "../../src/core/assert.ts";
import { BUCKETS } from "../../src/core/limits.ts";
import type { ApiKeyOwner } from "../../src/core/ports/accounts.ts";
import type { Archive } from "../../src/core/ports/archive.ts";
import type { Clock } from "../../src/core/ports/clock.ts";
import type { Journal } from "../../src/core/ports/journal.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import type { Runtime } from "../../src/core/ports/runtime.ts";
import type { SkuCounts } from "../../src/core/ports/stock.ts";
import type { SaleSku } from "../../src/core/sale/sale.ts";
import { LedgerProjection } from "../../src/projections/ledger-projection.ts";
import { createShop, type ShopChores } from "../../src/shop/create-shop.ts";
import { SaleDirectory } from "../../src/shop/directory.ts";
import type { ShopPorts } from "../../src/shop/ports.ts";
import type { SaleFile } from "../../src/shop/sale-file.ts";
import type { CheckoutRequest, CheckoutResult, Shop } from "../../src/shop/shop.ts";
import { SqliteAccounts } from "../../src/store/sqlite/accounts.ts";
import { SqliteArchive } from "../../src/store/sqlite/archive.ts";
import { SqliteCatalogue } from "../../src/store/sqlite/catalogue.ts";
import { SqliteLedger } from "../../src/store/sqlite/ledger.ts";
import { migrateSqlite } from "../../src/store/sqlite/migrate.ts";
import { SqliteDatabase } from "../../src/store/sqlite/open.ts";
import { SqliteOrders } from "../../src/store/sqlite/orders.ts";
import { SqliteJournal } from "../../src/store/sqlite/sqlite-journal.ts";
import { MemoryGateway } from "./memory-gateway.ts";

export const MERCHANT: ApiKeyOwner = { merchantId: "mer_1", name: "One", role: "merchant" };
export const OTHER: ApiKeyOwner = { merchantId: "mer_2", name: "Two", role: "merchant" };
export const ALL_BUCKETS = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

const PARTITIONS = 4;
const QUIET: Logger = { info() {}, warn() {}, error() {} };

export type TestShop = {
  readonly ports: ShopPorts;
  readonly shop: Shop & ShopChores;
  readonly gateway: MemoryGateway;
  readonly stock: StockNode;
  /** Another life of the owner of all partitions, on the same stores. */
  newStock(): StockNode;
  /** Moves all clocks on. */
  pass(passedMs: number): void;
  nowMs(): number;
  close(): Promise<void>;
};

function onLost(): void {
  assert(false, "nobody else claims in this test");
}

/** What a shop runs on. */
export type TestStores = Pick<ShopPorts, "catalogue" | "orders" | "accounts" | "ledger"> & {
  readonly journal: Journal;
  readonly archive: Archive;
  close(): Promise<void>;
};

export async function startTestShop(
  options: {
    readonly archiveAfterMs?: number;
    readonly openStores?: (clock: Clock) => Promise<TestStores>;
  } = {},
): Promise<TestShop> {
  const { archiveAfterMs, openStores = openSqliteStores } = options;
  let passedMs = 0;
  const startMs = Date.now() - performance.now();
  const clock: Clock = {
    monotonicMs: () => performance.now() + passedMs,
    wallMs: () => Math.floor(startMs + performance.now() + passedMs),
  };
  const runtime: Runtime = {
    clock,
    soon: (task) => void setImmediate(task),
    every: (everyMs, task) => {
      const timer = setInterval(task, everyMs);
      return () => clearInterval(timer);
    },
    pause: (pauseMs) => Bun.sleep(pauseMs),
  };
  const stores = await openStores(clock);
  const { journal, archive, catalogue, orders, accounts, ledger } = stores;
  const projection = new LedgerProjection({ ledger, journal, runtime, log: QUIET });
  const owner = { generation: "g1", partitionCount: PARTITIONS };
  let lives = 0;
  const newStock = (): StockNode => {
    const stock = new StockNode({
      ...owner,
      owner: `node-1/${++lives}`,
      journal,
      archive,
      ...(archiveAfterMs === undefined ? {} : { archiveAfterMs }),
      runtime,
      log: QUIET,
      ledger: projection,
      onLost,
    });
    for (let partition = 0; partition < PARTITIONS; partition++) stock.own(partition, lives);
    return stock;
  };
  for (let partition = 0; partition < PARTITIONS; partition++) {
    await journal.create(partition, owner.generation);
  }
  const stock = newStock();
  const gateway = new MemoryGateway();
  const ports: ShopPorts = {
    stock,
    catalogue,
    orders,
    accounts,
    ledger,
    payments: gateway,
    passwords: {
      hash: (password) => Bun.password.hash(password, ARGON),
      verify: (password, hash) => Bun.password.verify(password, hash),
    },
    directory: new SaleDirectory(PARTITIONS),
    runtime,
    log: QUIET,
    newUuid: () => Bun.randomUUIDv7(),
    issueToken: async (accountId) => ({ accessToken: `token of ${accountId}`, expiresInS: 60 }),
  };
  const shop = createShop(ports);
  return {
    ports,
    shop,
    gateway,
    stock,
    newStock,
    pass: (moreMs) => {
      passedMs += moreMs;
    },
    nowMs: () => clock.wallMs(),
    async close() {
      await shop.stop();
      await stock.stop();
      await projection.stop(1_000);
      await stores.close();
    },
  };
}

function openSqliteStores(clock: Clock): Promise<TestStores> {
  const database = new SqliteDatabase({ path: ":memory:" });
  migrateSqlite(database);
  const journal = new SqliteJournal({ path: ":memory:", clock });
  return Promise.resolve({
    journal,
    archive: new SqliteArchive({ database }),
    catalogue: new SqliteCatalogue({ database, clock }),
    orders: new SqliteOrders({ database }),
    accounts: new SqliteAccounts({ database }),
    ledger: new SqliteLedger({ database }),
    close: async () => {
      await journal.close();
      database.close();
    },
  });
}

const ARGON = { algorithm: "argon2id", memoryCost: 8, timeCost: 1 } as const;

export function skuOf(sku: string, given: Partial<SaleSku> = {}): SaleSku {
  return {
    sku,
    title: `The ${sku}`,
    priceMinor: 19_900,
    stock: 10,
    limitPerShopper: 2,
    group: null,
    ...given,
  };
}

/** An open sale; whatever is given wins. */
export function fileOf(
  at: { nowMs(): number },
  saleId: string,
  skus: readonly SaleSku[],
  header: Partial<SaleFile["header"]> = {},
): SaleFile {
  const startsAtMs = Math.floor(at.nowMs() / 1_000) * 1_000 - 60_000;
  return {
    header: {
      saleId,
      title: `Sale ${saleId}`,
      currency: "INR",
      timeZone: "Asia/Kolkata",
      startsAtMs,
      endsAtMs: startsAtMs + 7_200_000,
      holdMs: 300_000,
      payMs: 600_000,
      groups: {},
      ...header,
    },
    skus,
  };
}

/** Applies a sale and expects it to be there. */
export async function openSale(
  test: TestShop,
  saleId: string,
  skus: readonly SaleSku[],
  header: Partial<SaleFile["header"]> = {},
): Promise<void> {
  const file = fileOf(test, saleId, skus, header);
  const result = await test.shop.applySale({ merchant: MERCHANT, file, dryRun: false });
  assert(result.kind === "applied", `the sale was not applied: ${JSON.stringify(result)}`);
}

export async function hold(
  { shop, stock }: TestShop,
  saleId: string,
  request: { shopper: string; sku: string; quantity: number },
): Promise<string> {
  const ref = shop.directory.sku(saleId, request.sku);
  assert(ref !== null, "the SKU is on sale");
  const { shopper, quantity } = request;
  return (await stock.ask(ref, { kind: "hold", shopper, quantity })).kind;
}

export function bodyOf(
  saleId: string,
  token: string,
  lines: Readonly<Record<string, number>>,
): CheckoutRequest {
  return {
    saleId,
    lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })),
    payment: { method: "card", token },
  };
}

export function orderIn(result: CheckoutResult): string {
  assert("order" in result, `no order in ${JSON.stringify(result)}`);
  return result.order.orderId;
}

export async function countsOf(test: TestShop, saleId: string, sku: string): Promise<SkuCounts> {
  const ref = test.shop.directory.sku(saleId, sku);
  assert(ref !== null, "the SKU is on sale");
  const [counts] = await test.stock.counts([ref]);
  assert(counts !== null && counts !== undefined, "its owner answers");
  return counts;
}

/** Sweeps as another process would, until all orders are settled. */
export async function sweepAll(test: TestShop, sweeps = 5): Promise<void> {
  const other = createShop(test.ports);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    await other.sweepOrders(ALL_BUCKETS, test.nowMs() + (sweep + 1) * 60_000);
  }
}

/**
 * What must hold of a sale whenever nothing of it is under way (I5, I10): stock is conserved, what is
 * sold is what paid orders bought, and the gateway keeps exactly the money of paid orders.
 */
export async function assertBooksAgree(test: TestShop, saleId: string): Promise<void> {
  const orders = await test.ports.orders.listOfSale({ saleId, limit: 10_000 });
  const bought = new Map<string, number>();
  for (const { orderId, status, settled, totalMinor, lines } of orders) {
    const kept = test.gateway.keptOf(orderId);
    const isPaid = status === "paid" || status === "fulfilled";
    assert(settled, `order ${orderId} is ${status} and not settled`);
    assert(kept === (isPaid ? totalMinor : 0), `order ${orderId} is ${status}, ${kept} kept`);
    if (!isPaid) continue;
    for (const { sku, quantity } of lines) bought.set(sku, (bought.get(sku) ?? 0) + quantity);
  }
  const sale = test.shop.directory.sale(saleId);
  assert(sale !== null, "the sale is loaded");
  const refs = [...sale.skus.values()];
  const counts = await test.stock.counts(refs);
  refs.forEach((ref, index) => {
    const count = counts[index];
    assert(count !== null && count !== undefined, "its owner answers");
    const { released, available, held, paying, sold } = count;
    assert(released === available + held + sold, `${ref.key}: stock is not conserved`);
    assert(paying === 0, `${ref.key}: ${paying} units are tied to an order that is settled`);
    assert(sold === (bought.get(ref.sku) ?? 0), `${ref.key}: ${sold} sold, not as orders say`);
  });
}
