// Checkouts without end on the Orders port, with a book of what each caller heard. At the end the
// book is compared with the tables.

import { expect } from "bun:test";

import type { Sql } from "postgres";

import { assert } from "../../src/core/assert.ts";
import { Fault } from "../../src/core/errors.ts";
import type { OrderStatus } from "../../src/core/order/order.ts";
import type { Orders } from "../../src/core/ports/orders.ts";
import { sampleOrder, stepOf } from "./order-samples.ts";

/** What may be stored; null: nothing. */
type Allowed = readonly (OrderStatus | null)[];

const NOT_WRITTEN = new Set(["busy", "store_unavailable"]);

export class OrderLoad {
  readonly #orders: Orders;
  readonly #book = new Map<string, Allowed>();
  readonly #shoppers: Promise<void>[];
  #isStopping = false;
  #waits: { isMet: () => boolean; resolve: () => void }[] = [];
  paidCount = 0;
  refusedCount = 0;
  unknownCount = 0;

  /** `shoppers` check out at once, one order after the other. */
  constructor(orders: Orders, shoppers: number) {
    this.#orders = orders;
    this.#shoppers = Array.from({ length: shoppers }, () => this.#shop());
  }

  /** Resolves when so many orders were paid in all. */
  paid(count: number): Promise<void> {
    return this.#until(() => this.paidCount >= count);
  }

  /** Resolves when so many calls heard a fault in all. */
  refused(count: number): Promise<void> {
    return this.#until(() => this.refusedCount >= count);
  }

  /** Resolves when every call that was made has settled. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#shoppers);
  }

  async expectStored(shards: readonly Sql[]): Promise<void> {
    const found = await Promise.all(
      shards.map(
        (sql) => sql<{ order_id: string; status: OrderStatus; parts: number }[]>`
          select o.order_id, o.status,
                 (select count(*)::int from order_lines l where l.order_id = o.order_id)
                 + (select count(*)::int from payments p where p.order_id = o.order_id) as parts
          from orders o`,
      ),
    );
    // What the sweeper goes by names the orders that it is for, and no other.
    for (const sql of shards) {
      const marked = await sql`select order_id from unsettled_orders order by 1`;
      const unsettled = await sql`select order_id from orders where not is_settled order by 1`;
      expect<unknown[]>([...marked]).toEqual([...unsettled]);
    }
    const stored = new Map(found.flatMap((rows) => rows.map((row) => [row.order_id, row])));
    const wrong: unknown[] = [];
    for (const [orderId, allowed] of this.#book) {
      const row = stored.get(orderId);
      // Two lines and a payment: nothing of an order is ever missing.
      const isWhole = row === undefined || row.parts === 3;
      if (!allowed.includes(row?.status ?? null) || !isWhole) wrong.push({ orderId, allowed, row });
    }
    expect(wrong).toEqual([]);
    const ours = [...stored.keys()].filter((orderId) => this.#book.has(orderId));
    expect(ours.length).toBeGreaterThanOrEqual(this.paidCount);
  }

  #until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ isMet, resolve }));
  }

  async #shop(): Promise<void> {
    while (!this.#isStopping) {
      await this.#checkOut();
      const met = this.#waits.filter((wait) => wait.isMet());
      this.#waits = this.#waits.filter((wait) => !met.includes(wait));
      for (const wait of met) wait.resolve();
    }
  }

  async #checkOut(): Promise<void> {
    const order = sampleOrder();
    const { orderId } = order;
    const waits = stepOf(order, { from: ["created"], to: "awaiting_payment" });
    const paid = stepOf(order, { from: ["awaiting_payment"], to: "paid" });
    let status: OrderStatus | null = null;
    for (const [to, call] of [
      ["created", async () => (await this.#orders.create(order)).kind === "created"],
      ["awaiting_payment", () => this.#orders.transition(waits)],
      ["paid", () => this.#orders.transition(paid)],
    ] as const) {
      try {
        // Nobody else knows this order: false would be a lie.
        assert(await call(), `${orderId} to ${to}: the only caller wins`);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.refusedCount += 1;
        if (!NOT_WRITTEN.has(error.code)) this.unknownCount += 1;
        this.#book.set(orderId, NOT_WRITTEN.has(error.code) ? [status] : [status, to]);
        return;
      }
      status = to;
    }
    this.#book.set(orderId, ["paid"]);
    this.paidCount += 1;
  }
}
