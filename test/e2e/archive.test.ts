// Quiet sales leave memory and nobody can tell: a whole shop on SQLite, and on Redis and two Postgres
// shards, that archives what has been over for a quarter of a second.

import { describe, expect, test } from "bun:test";

import type { StockNode } from "../../src/actors/stock-node.ts";
import { BUCKETS } from "../../src/core/limits.ts";
import type { Clock } from "../../src/core/ports/clock.ts";
import { PostgresAccounts } from "../../src/store/postgres/accounts.ts";
import { PostgresArchive } from "../../src/store/postgres/archive.ts";
import { PostgresCatalogue } from "../../src/store/postgres/catalogue.ts";
import { PostgresLedger } from "../../src/store/postgres/ledger.ts";
import { PostgresOrders } from "../../src/store/postgres/orders.ts";
import { RedisJournal } from "../../src/store/redis/redis-journal.ts";
import { openShards } from "../support/order-shards.ts";
import { startPostgres, startRedis } from "../support/servers.ts";
import {
  assertBooksAgree,
  bodyOf,
  countsOf,
  hold,
  MERCHANT,
  openSale,
  orderIn,
  skuOf,
  startTestShop,
  sweepAll,
  type TestShop,
  type TestStores,
} from "../support/test-shop.ts";

const ARCHIVE_AFTER_MS = 250;
const SALE = "last-years-drop";
const BUYERS = 6;

async function openServers(clock: Clock): Promise<TestStores> {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  const shards = await openShards(postgres, 2);
  const journal = new RedisJournal({ url: redis.url, durability: "strict", log: () => {} });
  const bucketToShard = Array.from({ length: BUCKETS }, (_, bucket) => bucket % 2);
  return {
    journal,
    archive: new PostgresArchive({ shards }),
    // One database may be control and shard: it has all tables.
    catalogue: new PostgresCatalogue({ database: shards[0]!, clock }),
    orders: new PostgresOrders({ shards, bucketToShard }),
    accounts: new PostgresAccounts({ database: shards[0]! }),
    ledger: new PostgresLedger({ shards }),
    close: async () => {
      await journal.close();
      await Promise.all(shards.map((shard) => shard.close()));
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  };
}

/** Looks at the node's books after each commit, until they are as asked. */
async function untilBooks(node: StockNode, isSo: (counts: BookCounts) => boolean): Promise<void> {
  let next = Promise.withResolvers<void>();
  node.onChanged(() => {
    next.resolve();
    next = Promise.withResolvers<void>();
  });
  for (;;) {
    const committed = next.promise;
    if (isSo(await bookCounts(node))) return;
    await committed;
  }
}

async function bookCounts(node: StockNode): Promise<BookCounts> {
  const counts = { live: 0, archived: 0 };
  for (const partition of node.partitions) {
    // Asked, so that the claim is fresh and the book may be looked at.
    await node.countsOf(partition.id, [], 1_000);
    const book = partition.freshBook();
    // Busy just now: then a commit follows, and another look.
    counts.live += book?.skus.size ?? 1;
    counts.archived += book?.archived.size ?? 0;
  }
  return counts;
}

type BookCounts = { readonly live: number; readonly archived: number };

async function buy(shop: TestShop, shopper: string, sku: string): Promise<string> {
  expect(await hold(shop, SALE, { shopper, sku, quantity: 1 })).toBe("held");
  const request = bodyOf(SALE, "tok_ok", { [sku]: 1 });
  return orderIn(await shop.shop.checkout({ shopper, idempotencyKey: `${shopper}-1`, request }));
}

async function end(shop: TestShop, saleId: string): Promise<void> {
  const change = { kind: "end" } as const;
  const asked = { merchant: MERCHANT, saleId, change, idempotencyKey: "end-1" };
  expect((await shop.shop.changeSale(asked)).kind).toBe("applied");
}

for (const [name, openStores] of [
  ["SQLite", undefined],
  ["Redis and Postgres", openServers],
] as const) {
  describe(`a sale that is over, on ${name}`, () => {
    test("leaves memory; a late refund brings its SKU back; so does another life", async () => {
      const shop = await startTestShop({
        archiveAfterMs: ARCHIVE_AFTER_MS,
        ...(openStores === undefined ? {} : { openStores }),
      });
      try {
        const grouped = { group: "g", limitPerShopper: 2 };
        const skus = [skuOf("a", grouped), skuOf("b", grouped), skuOf("c")];
        await openSale(shop, SALE, skus, { groups: { g: { limitPerShopper: 2 } } });
        const orders: string[] = [];
        for (let buyer = 0; buyer < BUYERS; buyer++) {
          orders.push(await buy(shop, `acc_${buyer}`, ["a", "b", "c"][buyer % 3]!));
        }
        await end(shop, SALE);
        const before = await shop.shop.report(MERCHANT, SALE);
        await untilBooks(shop.stock, ({ live, archived }) => live === 0 && archived === 3);

        expect((await shop.shop.report(MERCHANT, SALE))?.skus).toEqual(before!.skus);
        expect(await hold(shop, SALE, { shopper: "acc_9", sku: "a", quantity: 1 })).toBe("ended");
        expect(shop.stock.stats.restored).toBe(0);
        await assertBooksAgree(shop, SALE);

        const sold = (await countsOf(shop, SALE, "a")).sold;
        expect((await shop.shop.cancelOrder("acc_0", orders[0]!)).kind).toBe("refunding");
        await sweepAll(shop);
        expect((await shop.shop.order("acc_0", orders[0]!))?.status).toBe("refunded");
        expect((await countsOf(shop, SALE, "a")).sold).toBe(sold - 1);
        expect(shop.stock.stats.restored).toBe(1);
        await assertBooksAgree(shop, SALE);

        await untilBooks(shop.stock, ({ live }) => live === 0);
        const after = await shop.shop.report(MERCHANT, SALE);
        await shop.stock.stop();
        const next = shop.newStock();
        const refs = [...shop.shop.directory.sale(SALE)!.skus.values()];
        const counts = new Map((await next.counts(refs)).map((one) => [one?.skuKey, one]));
        for (const { sku: _, ...one } of after!.skus) expect(counts.get(one.skuKey)).toEqual(one);
        const ref = shop.shop.directory.sku(SALE, "a")!;
        const again = {
          kind: "return",
          shopper: "acc_0",
          orderId: orders[0]!,
          quantity: 1,
        } as const;
        expect((await next.ask(ref, again)).kind).toBe("returned");
        expect(next.stats.restored).toBe(1);
        await next.stop();
      } finally {
        await shop.close();
      }
    });
  });
}
