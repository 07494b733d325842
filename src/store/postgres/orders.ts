// The Orders port over N shards. An order lives where its shopper's bucket lives; a shard that is
// away fails its own shoppers' calls only.

import { assert } from "../../core/assert.ts";
import { bucketOf, bucketOfOrder } from "../../core/ids.ts";
import { BUCKETS } from "../../core/limits.ts";
import type { Order, OrderStatus } from "../../core/order/order.ts";
import type { CreateResult, Orders, Page, Transition } from "../../core/ports/orders.ts";
import {
  assertNewOrder,
  assertStep,
  compareNewestFirst,
  compareOldestFirst,
} from "../order-row.ts";
import type { PostgresDatabase } from "./connect.ts";
import { ordersUnsettled, ordersWhere, positionOf, statusCounts } from "./orders-read.ts";
import type { Position } from "./orders-read.ts";
import { OrdersShard } from "./orders-shard.ts";
import type { PaymentEvent } from "./orders-write.ts";

export class PostgresOrders implements Orders {
  readonly #shards: readonly OrdersShard[];
  readonly #bucketToShard: readonly number[];

  constructor(options: {
    readonly shards: readonly PostgresDatabase[];
    /** Index of the shard of each bucket. */
    readonly bucketToShard: readonly number[];
  }) {
    const { shards, bucketToShard } = options;
    assert(bucketToShard.length === BUCKETS, "each bucket has its shard");
    assert(
      bucketToShard.every((shard) => shards[shard] !== undefined),
      "the bucket map names shards that there are",
    );
    this.#shards = shards.map((database) => new OrdersShard(database));
    this.#bucketToShard = bucketToShard;
  }

  async create(order: Order): Promise<CreateResult> {
    const bucket = assertNewOrder(order);
    assert(bucket === bucketOf(order.shopperId), "an order's bucket is its shopper's");
    return await this.#shardOf(bucket).create(order);
  }

  async transition(step: Transition): Promise<boolean> {
    assertStep(step);
    const bucket = bucketOfOrder(step.orderId);
    return bucket === null ? false : await this.#shardOf(bucket).transition(step);
  }

  async find(orderId: string): Promise<Order | null> {
    const bucket = bucketOfOrder(orderId);
    return bucket === null ? null : await this.#shardOf(bucket).find(orderId);
  }

  async listOfShopper(shopperId: string, page: Page): Promise<readonly Order[]> {
    const after = page.after === undefined ? null : await this.#positionOf(page.after);
    if (after === null && page.after !== undefined) return [];
    return await this.#shardOf(bucketOf(shopperId)).list("orders.list_of_shopper", (drizzle) =>
      ordersWhere(drizzle, { shopperId, after, limit: page.limit }),
    );
  }

  async listOfSale(
    request: Page & { readonly saleId: string; readonly status?: OrderStatus },
  ): Promise<readonly Order[]> {
    const { saleId, status, limit } = request;
    const after = request.after === undefined ? null : await this.#positionOf(request.after);
    if (after === null && request.after !== undefined) return [];
    const pages = await Promise.all(
      this.#shards.map((shard) =>
        shard.list("orders.list_of_sale", (drizzle) =>
          ordersWhere(drizzle, { saleId, status, after, limit }),
        ),
      ),
    );
    return pages.flat().sort(compareNewestFirst).slice(0, limit);
  }

  async countsOfSale(saleId: string): Promise<Readonly<Partial<Record<OrderStatus, number>>>> {
    const counts: Partial<Record<OrderStatus, number>> = {};
    const rows = await Promise.all(
      this.#shards.map((shard) =>
        shard.list("orders.counts_of_sale", (drizzle) => statusCounts(drizzle, saleId)),
      ),
    );
    for (const { status, count } of rows.flat()) {
      counts[status as OrderStatus] = (counts[status as OrderStatus] ?? 0) + count;
    }
    return counts;
  }

  /** A shard that is away does not keep the others' orders from being swept. */
  async unsettled(request: {
    readonly buckets: readonly number[];
    readonly beforeMs: number;
    readonly limit: number;
  }): Promise<readonly Order[]> {
    const bucketsByShard = Map.groupBy(request.buckets, (bucket) => this.#shardOf(bucket));
    const pages = await Promise.allSettled(
      [...bucketsByShard].map(([shard, buckets]) =>
        shard.list("orders.unsettled", (drizzle) =>
          ordersUnsettled(drizzle, { ...request, buckets }),
        ),
      ),
    );
    const there = pages.filter((page) => page.status === "fulfilled");
    const away = pages.find((page) => page.status === "rejected");
    if (there.length === 0 && away !== undefined) throw away.reason;
    const found = there.flatMap((page) => page.value);
    return found.sort(compareOldestFirst).slice(0, request.limit);
  }

  async recordPaymentEvent(event: PaymentEvent): Promise<boolean> {
    const bucket = bucketOfOrder(event.orderId);
    return bucket === null ? false : await this.#shardOf(bucket).recordPaymentEvent(event);
  }

  #shardOf(bucket: number): OrdersShard {
    const shard = this.#shards[this.#bucketToShard[bucket] ?? -1];
    assert(shard !== undefined, `bucket ${bucket} has a shard`);
    return shard;
  }

  /** Null for an id that names no order: nothing follows it. */
  async #positionOf(orderId: string): Promise<Position | null> {
    const bucket = bucketOfOrder(orderId);
    if (bucket === null) return null;
    return await this.#shardOf(bucket).list("orders.position", (drizzle) =>
      positionOf(drizzle, orderId),
    );
  }
}
