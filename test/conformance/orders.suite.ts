// What every implementation of the Orders port does.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { BUCKETS } from "../../src/core/limits.ts";
import {
  mayStep,
  type Order,
  ORDER_STATUSES,
  ORDER_STEPS,
  type OrderStatus,
} from "../../src/core/order/order.ts";
import type { Orders, Page } from "../../src/core/ports/orders.ts";
import { StatementRefused } from "../../src/store/statement-refused.ts";
import { fresh, sampleOrder, stepOf } from "../support/order-samples.ts";

export type PaymentRow = {
  readonly state: string;
  readonly token: string;
  readonly amountMinor: number;
  readonly refundedMinor: number;
};

export type OrdersUnderTest = {
  readonly orders: Orders;
  /** What the payments table says, read past the port. */
  payment(order: Order): Promise<PaymentRow | null>;
  close(): Promise<void>;
};

const ALL_BUCKETS = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

/** The shortest way from `created`. */
const WAYS: Record<OrderStatus, readonly OrderStatus[]> = {
  created: [],
  awaiting_payment: ["awaiting_payment"],
  paid: ["awaiting_payment", "paid"],
  failed: ["failed"],
  refunding: ["awaiting_payment", "refunding"],
  refunded: ["awaiting_payment", "refunding", "refunded"],
  cancelled: ["cancelled"],
  fulfilled: ["awaiting_payment", "paid", "fulfilled"],
};

export function ordersSuite(name: string, open: () => Promise<OrdersUnderTest>): void {
  describe(`orders on ${name}`, () => {
    let under: OrdersUnderTest;
    let orders: Orders;
    beforeAll(async () => {
      under = await open();
      orders = under.orders;
    });
    afterAll(async () => {
      await under.close();
    });

    describe("create", () => createTests(() => under));
    describe("transition", () => transitionTests(() => under));
    describe("lists", () => listTests(() => under));

    test("a payment event is recorded once, also when it comes many times at once", async () => {
      const order = sampleOrder();
      await orders.create(order);
      const event = { eventId: fresh("evt"), orderId: order.orderId, atMs: 1 };
      const heard = await Promise.all(
        Array.from({ length: 30 }, () => orders.recordPaymentEvent(event)),
      );
      expect(heard.filter(Boolean).length).toBe(1);
      expect(await orders.recordPaymentEvent(event)).toBe(false);
      expect(await orders.recordPaymentEvent({ ...event, eventId: fresh("evt") })).toBe(true);
    });
  });
}

function createTests(under: () => OrdersUnderTest): void {
  test("an order is found as it was created, to the last character", async () => {
    const { orders } = under();
    for (const order of [
      sampleOrder(),
      sampleOrder({ contact: null, delivery: null }),
      sampleOrder({ contact: {}, totalMinor: 0, lines: [line("free", 1, 0)] }),
      sampleOrder({ totalMinor: 1e15, lines: [line("a", 100, 1e13), line("NULL", 1, 0)] }),
    ]) {
      expect(await orders.create(order)).toEqual({ kind: "created" });
      expect(await orders.find(order.orderId)).toEqual(order);
    }
  });

  test("its payment begins with its amount and the gateway's token", async () => {
    const order = sampleOrder({ paymentToken: "tok_slow" });
    await under().orders.create(order);
    expect(await under().payment(order)).toEqual({
      state: "none",
      token: "tok_slow",
      amountMinor: order.totalMinor,
      refundedMinor: 0,
    });
  });

  test("one key 200 times at once makes one order; the others hear which", async () => {
    const { orders } = under();
    const shopperId = fresh("shopper");
    const idempotencyKey = fresh("key");
    const tries = Array.from({ length: 200 }, () => sampleOrder({ shopperId, idempotencyKey }));
    const results = await Promise.all(tries.map((order) => orders.create(order)));
    const winners = tries.filter((_, index) => results[index]?.kind === "created");
    expect(winners.length).toBe(1);
    const [winner] = winners as [Order];
    for (const result of results) {
      if (result.kind === "exists") expect(result.order).toEqual(winner);
    }
    expect(await orders.listOfShopper(shopperId, { limit: 100 })).toEqual([winner]);
    for (const order of tries) {
      expect(await orders.find(order.orderId)).toEqual(order === winner ? order : null);
    }
  });

  test("a repeat after the order went on hears its state of today", async () => {
    const { orders } = under();
    const order = sampleOrder();
    await orders.create(order);
    await orders.transition(stepOf(order, { from: ["created"], to: "cancelled" }));
    const { shopperId, idempotencyKey } = order;
    const repeat = await orders.create(sampleOrder({ shopperId, idempotencyKey }));
    expect(repeat).toMatchObject({ kind: "exists", order: { status: "cancelled" } });
    expect(await orders.create(order)).toMatchObject({ kind: "exists" });
  });

  test("another shopper's same key is another order", async () => {
    const { orders } = under();
    const idempotencyKey = fresh("key");
    const results = await Promise.all(
      Array.from({ length: 20 }, () => orders.create(sampleOrder({ idempotencyKey }))),
    );
    expect(results.every((result) => result.kind === "created")).toBe(true);
  });

  test("a row that breaks a constraint fails alone among 60 created at once", async () => {
    const { orders } = under();
    const bad = new Map<number, Partial<Order>>([
      [7, { totalMinor: -1 }],
      [23, { lines: [line("a", 0, 100)] }],
      [59, { lines: [line("a", 1, -100)] }],
    ]);
    const batch = Array.from({ length: 60 }, (_, index) => sampleOrder(bad.get(index)));
    const settled = await Promise.allSettled(batch.map((order) => orders.create(order)));
    for (const [index, order] of batch.entries()) {
      const isBad = bad.has(index);
      expect(settled[index]?.status).toBe(isBad ? "rejected" : "fulfilled");
      expect(await orders.find(order.orderId)).toEqual(isBad ? null : order);
    }
    const [refused] = settled.filter((result) => result.status === "rejected");
    expect(refused?.reason).toBeInstanceOf(StatementRefused);
    // A shopper's data is in no error.
    expect(String(refused?.reason)).not.toContain("asha");
  });

  test("text that is no order id finds nothing and moves nothing", async () => {
    const { orders } = under();
    for (const orderId of ["", "ord_", "x' or true --", sampleOrder().orderId, "ord_ZZ"]) {
      expect(await orders.find(orderId)).toBeNull();
      const step = { orderId, from: ["created"], to: "failed", atMs: 1, settled: true } as const;
      expect(await orders.transition(step)).toBe(false);
    }
  });
}

function transitionTests(under: () => OrdersUnderTest): void {
  async function orderIn(status: OrderStatus): Promise<Order> {
    const { orders } = under();
    const order = sampleOrder();
    await orders.create(order);
    let from: OrderStatus = "created";
    for (const to of WAYS[status]) {
      expect(await orders.transition(stepOf(order, { from: [from], to }))).toBe(true);
      from = to;
    }
    const stored = await orders.find(order.orderId);
    if (stored === null) throw new Error("an order that was created is there");
    return stored;
  }

  for (const from of ORDER_STATUSES) {
    for (const to of ORDER_STEPS[from]) {
      test(`${from} → ${to} is taken once, by one of 50`, async () => {
        const { orders } = under();
        const order = await orderIn(from);
        const step = stepOf(order, { from: [from], to });
        const heard = await Promise.all(Array.from({ length: 50 }, () => orders.transition(step)));
        expect(heard.filter(Boolean).length).toBe(1);
        const after = await orders.find(order.orderId);
        expect(after).toEqual({
          ...order,
          status: to,
          updatedAtMs: step.atMs,
          settled: step.settled,
        });
      });
    }
  }

  test("a step from a status that the order is not in changes nothing", async () => {
    const { orders } = under();
    for (const status of ORDER_STATUSES) {
      const order = await orderIn(status);
      for (const from of ORDER_STATUSES.filter((other) => other !== status)) {
        for (const to of ORDER_STATUSES.filter((next) => mayStep(from, next))) {
          expect(await orders.transition(stepOf(order, { from: [from], to }))).toBe(false);
        }
      }
      expect(await orders.find(order.orderId)).toEqual(order);
    }
  });

  test("of two different steps from one status exactly one is taken", async () => {
    const { orders } = under();
    for (let round = 0; round < 20; round++) {
      const order = await orderIn("created");
      const heard = await Promise.all([
        orders.transition(stepOf(order, { from: ["created"], to: "awaiting_payment" })),
        orders.transition(stepOf(order, { from: ["created"], to: "cancelled" })),
      ]);
      expect(heard.filter(Boolean).length).toBe(1);
      const after = await orders.find(order.orderId);
      expect(after?.status).toBe(heard[0] ? "awaiting_payment" : "cancelled");
    }
  });

  test("two steps of one order asked for together are taken in that order", async () => {
    const { orders } = under();
    const order = await orderIn("created");
    const heard = await Promise.all([
      orders.transition(stepOf(order, { from: ["created"], to: "awaiting_payment" })),
      orders.transition(stepOf(order, { from: ["awaiting_payment"], to: "paid" })),
      orders.transition(stepOf(order, { from: ["paid"], to: "refunding" })),
    ]);
    expect(heard).toEqual([true, true, true]);
  });

  test("what a step carries is stored, and what it does not carry stays", async () => {
    const { orders } = under();
    const order = await orderIn("created");
    const payUntilMs = 1_800_000_000_000;
    const failure = { code: "hold_changed", skus: ["cover.red"] } as const;
    const { totalMinor } = order;
    for (const step of [
      stepOf(order, { from: ["created"], to: "awaiting_payment", payUntilMs }),
      stepOf(order, { from: ["awaiting_payment"], to: "refunding", failure }),
      stepOf(order, { from: ["refunding"], to: "refunded", refundedMinor: totalMinor }),
    ]) {
      expect(await orders.transition(step)).toBe(true);
    }
    const stored = await orders.find(order.orderId);
    expect(stored).toMatchObject({ payUntilMs, failure, refundedMinor: totalMinor });
    expect(stored).toMatchObject({ status: "refunded", settled: true, lines: order.lines });
    expect(await under().payment(order)).toMatchObject({
      state: "refunded",
      refundedMinor: totalMinor,
    });
  });

  test("a step may come from one of several statuses", async () => {
    const { orders } = under();
    for (const status of ["created", "awaiting_payment"] as const) {
      const order = await orderIn(status);
      const step = stepOf(order, { from: ["created", "awaiting_payment"], to: "failed" });
      expect(await orders.transition(step)).toBe(true);
    }
  });

  test("more than was paid is not refunded; the steps beside it are taken", async () => {
    const { orders } = under();
    const batch = await Promise.all(Array.from({ length: 8 }, () => orderIn("refunding")));
    const settled = await Promise.allSettled(
      batch.map((order, index) => {
        const refundedMinor = order.totalMinor + (index === 3 ? 1 : 0);
        const step = { from: ["refunding"], to: "refunded", refundedMinor } as const;
        return orders.transition(stepOf(order, step));
      }),
    );
    for (const [index, order] of batch.entries()) {
      expect(settled[index]?.status).toBe(index === 3 ? "rejected" : "fulfilled");
      const state = index === 3 ? "refunding" : "refunded";
      expect(await under().payment(order)).toMatchObject({ state });
    }
  });
}

function listTests(under: () => OrdersUnderTest): void {
  test("a shopper's pages are newest first, without gap or repeat when times tie", async () => {
    const { orders } = under();
    const shopperId = fresh("shopper");
    const made = Array.from({ length: 20 }, (_, index) =>
      sampleOrder({ shopperId, createdAtMs: 1_790_000_000_000 + Math.floor(index / 7) }),
    );
    await Promise.all(made.map((order) => orders.create(order)));
    const seen = await allPages((page) => orders.listOfShopper(shopperId, page));
    expect(seen.map((order) => order.orderId)).toEqual(
      newestFirst(made).map((order) => order.orderId),
    );
    expect(seen[0]).toMatchObject({ lines: made[0]?.lines });
  });

  test("a sale's pages run over all shoppers, newest first, also of one status", async () => {
    const { orders } = under();
    const saleId = fresh("sale");
    const made = Array.from({ length: 30 }, (_, index) =>
      sampleOrder({ saleId, createdAtMs: 1_790_000_000_000 + Math.floor(index / 10) }),
    );
    await Promise.all(made.map((order) => orders.create(order)));
    const cancelled = made.filter((_, index) => index % 3 === 0);
    for (const order of cancelled) {
      await orders.transition(stepOf(order, { from: ["created"], to: "cancelled" }));
    }
    const all = await allPages((page) => orders.listOfSale({ saleId, ...page }));
    expect(all.map((order) => order.orderId)).toEqual(newestFirst(made).map((o) => o.orderId));
    const some = await allPages((page) =>
      orders.listOfSale({ saleId, status: "cancelled", ...page }),
    );
    expect(some.map((o) => o.orderId)).toEqual(newestFirst(cancelled).map((o) => o.orderId));
    expect(await orders.countsOfSale(saleId)).toEqual({ created: 20, cancelled: 10 });
  });

  test("nothing follows an order that there is not", async () => {
    const { orders } = under();
    const order = sampleOrder({ saleId: fresh("sale") });
    await orders.create(order);
    for (const after of ["no-order", sampleOrder().orderId]) {
      expect(await orders.listOfShopper(order.shopperId, { after, limit: 5 })).toEqual([]);
      expect(await orders.listOfSale({ saleId: order.saleId, after, limit: 5 })).toEqual([]);
    }
    expect(await orders.countsOfSale(fresh("sale"))).toEqual({});
  });

  test("unsettled orders come longest unchanged first, of the buckets asked, until settled", async () => {
    const { orders } = under();
    // Older than what any other test of this file makes.
    const made = Array.from({ length: 12 }, (_, index) =>
      sampleOrder({ createdAtMs: 1_000 + (index % 6) * 10 }),
    );
    await Promise.all(made.map((order) => orders.create(order)));
    const ask = async (buckets: readonly number[], beforeMs: number, limit = 100) =>
      (await orders.unsettled({ buckets, beforeMs, limit })).map((order) => order.orderId);
    const oldest = made.toSorted(
      (a, b) => a.createdAtMs - b.createdAtMs || (a.orderId < b.orderId ? -1 : 1),
    );
    const ids = oldest.map((order) => order.orderId);
    expect(await ask(ALL_BUCKETS, 100_000)).toEqual(ids);
    expect(await ask(ALL_BUCKETS, 100_000, 5)).toEqual(ids.slice(0, 5));
    expect(await ask(ALL_BUCKETS, 1_010)).toEqual(ids.slice(0, 2));
    expect(await ask([], 100_000)).toEqual([]);
    const bucketOfFirst = Number.parseInt((ids[0] as string).slice(4, 6), 16);
    const others = ALL_BUCKETS.filter((bucket) => bucket !== bucketOfFirst);
    expect(await ask([bucketOfFirst], 100_000)).toContain(ids[0] as string);
    expect(await ask(others, 100_000)).not.toContain(ids[0] as string);
    for (const order of made) {
      const step = { from: ["created"], to: "cancelled", settled: true } as const;
      expect(await orders.transition(stepOf(order, step))).toBe(true);
    }
    expect(await ask(ALL_BUCKETS, 100_000)).toEqual([]);
  });

  test("a paid order is unsettled again from its refund's begin to its end", async () => {
    const { orders } = under();
    const order = sampleOrder({ createdAtMs: 2_000 });
    await orders.create(order);
    const isUnsettled = async () => {
      const asked = { buckets: ALL_BUCKETS, beforeMs: 100_000, limit: 100 };
      return (await orders.unsettled(asked)).some(({ orderId }) => orderId === order.orderId);
    };
    const heard = [await isUnsettled()];
    let from: OrderStatus = "created";
    for (const to of ["awaiting_payment", "paid", "refunding", "refunded"] as const) {
      expect(await orders.transition(stepOf(order, { from: [from], to }))).toBe(true);
      heard.push(await isUnsettled());
      from = to;
    }
    expect(heard).toEqual([true, true, false, true, false]);
  });
}

function line(sku: string, quantity: number, unitPriceMinor: number) {
  return { sku, quantity, unitPriceMinor };
}

async function allPages(list: (page: Page) => Promise<readonly Order[]>): Promise<Order[]> {
  const seen: Order[] = [];
  let page = await list({ limit: 3 });
  while (page.length > 0) {
    expect(page.length).toBeLessThanOrEqual(3);
    seen.push(...page);
    page = await list({ limit: 3, after: (page.at(-1) as Order).orderId });
  }
  return seen;
}

const newestFirst = (orders: readonly Order[]) =>
  orders.toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.orderId < b.orderId ? 1 : -1));
