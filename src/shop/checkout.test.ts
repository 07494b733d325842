import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import {
  assertBooksAgree,
  bodyOf,
  countsOf,
  hold,
  openSale,
  orderIn,
  skuOf,
  startTestShop,
  sweepAll,
  type TestShop,
} from "../../test/support/test-shop.ts";

let shop: TestShop;
let sales = 0;

beforeAll(async () => {
  shop = await startTestShop();
});

afterAll(async () => {
  await shop.close();
});

/** A fresh sale with two SKUs of ten, and a shopper who holds one of each. */
async function saleWithHolds(header = {}): Promise<{ sale: string; shopper: string }> {
  const sale = `sale-${++sales}`;
  await openSale(shop, sale, [skuOf("shoe"), skuOf("sock", { priceMinor: 500 })], header);
  const shopper = `acc_${sales}`;
  expect(await hold(shop, sale, { shopper, sku: "shoe", quantity: 1 })).toBe("held");
  expect(await hold(shop, sale, { shopper, sku: "sock", quantity: 2 })).toBe("held");
  return { sale, shopper };
}

function buy(sale: string, shopper: string, key: string, token = "tok_ok") {
  const request = bodyOf(sale, token, { shoe: 1, sock: 2 });
  return shop.shop.checkout({ shopper, idempotencyKey: key, request });
}

/** A checkout of `tok_pending`, answered after its wait without waiting for it. */
async function buyPending(sale: string, shopper: string, key: string): Promise<string> {
  const charged = shop.gateway.nextCharge();
  const answer = buy(sale, shopper, key, "tok_pending");
  await charged;
  shop.pass(5_000);
  const result = await answer;
  expect(result.kind).toBe("pending");
  return orderIn(result);
}

describe("checkout", () => {
  test("pays an order of two SKUs and sells both", async () => {
    const { sale, shopper } = await saleWithHolds();
    const result = await buy(sale, shopper, "k1");
    expect(result).toMatchObject({
      kind: "paid",
      order: { status: "paid", totalMinor: 20_900, settled: true, currency: "INR" },
    });
    expect(await countsOf(shop, sale, "sock")).toMatchObject({ sold: 2, held: 0 });
    await assertBooksAgree(shop, sale);
  });

  test("the same key 200 times at once is one order, one charge, one answer", async () => {
    const { sale, shopper } = await saleWithHolds();
    const before = shop.gateway.chargeCalls;
    const results = await Promise.all(
      Array.from({ length: 200 }, () => buy(sale, shopper, "k-many")),
    );
    const [first] = results;
    expect(first?.kind).toBe("paid");
    for (const result of results) expect(result).toEqual(first as typeof result);
    expect(shop.gateway.chargeCalls - before).toBe(1);
    expect(await shop.ports.orders.countsOfSale(sale)).toEqual({ paid: 1 });
    await assertBooksAgree(shop, sale);
  });

  test("the same key with another body is a mismatch, and members in another order are not", async () => {
    const { sale, shopper } = await saleWithHolds();
    await buy(sale, shopper, "k2");
    const turned = bodyOf(sale, "tok_ok", { sock: 2, shoe: 1 });
    const same = { shopper, idempotencyKey: "k2", request: turned };
    expect((await shop.shop.checkout(same)).kind).toBe("paid");
    const other = { ...same, request: bodyOf(sale, "tok_ok", { shoe: 1 }) };
    expect(await shop.shop.checkout(other)).toEqual({ kind: "idempotency_mismatch" });
  });

  test("a decline keeps the holds, and another card with a new key pays", async () => {
    const { sale, shopper } = await saleWithHolds();
    const declined = await buy(sale, shopper, "k3", "tok_declined");
    expect(declined.kind).toBe("payment_declined");
    expect(await buy(sale, shopper, "k3", "tok_declined")).toEqual(declined);
    expect(await countsOf(shop, sale, "shoe")).toMatchObject({ held: 1, paying: 0 });
    expect((await buy(sale, shopper, "k4")).kind).toBe("paid");
    await assertBooksAgree(shop, sale);
  });

  test("one line that is not held fails the whole order before any money", async () => {
    const { sale, shopper } = await saleWithHolds();
    const sku = shop.shop.directory.sku(sale, "sock");
    await shop.stock.ask(sku!, { kind: "give_back", shopper });
    const before = shop.gateway.chargeCalls;
    const refused = { kind: "hold_lapsed", skus: ["sock"] } as const;
    expect(await buy(sale, shopper, "k5")).toEqual(refused);
    expect(await buy(sale, shopper, "k5")).toEqual(refused);
    expect(shop.gateway.chargeCalls).toBe(before);
    expect(await countsOf(shop, sale, "shoe")).toMatchObject({ held: 1, paying: 0, sold: 0 });
    await assertBooksAgree(shop, sale);
  });

  test("another quantity than held is hold_changed; an order in its payment is in_checkout", async () => {
    const { sale, shopper } = await saleWithHolds();
    const request = bodyOf(sale, "tok_ok", { shoe: 2 });
    const changed = await shop.shop.checkout({ shopper, idempotencyKey: "k6", request });
    expect(changed).toEqual({ kind: "hold_changed", skus: ["shoe"] });

    const orderId = await buyPending(sale, shopper, "k7");
    expect(await buy(sale, shopper, "k8")).toEqual({ kind: "in_checkout", skus: ["shoe", "sock"] });
    shop.gateway.pay(orderId);
    await sweepAll(shop);
    expect((await buy(sale, shopper, "k7", "tok_pending")).kind).toBe("paid");
    await assertBooksAgree(shop, sale);
  });

  test("an unknown sale or SKU is not found", async () => {
    const { sale, shopper } = await saleWithHolds();
    const request = bodyOf(sale, "tok_ok", { hat: 1 });
    const asked = { shopper, idempotencyKey: "k9", request };
    expect(await shop.shop.checkout(asked)).toEqual({ kind: "not_found" });
  });
});

describe("late money", () => {
  test("after the hold has lapsed it buys units that are still there", async () => {
    const { sale, shopper } = await saleWithHolds({ holdMs: 5_000, payMs: 60_000 });
    const orderId = await buyPending(sale, shopper, "k1");
    shop.pass(70_000);
    expect(shop.gateway.pay(orderId)).toBe(true);
    await sweepAll(shop);
    expect((await shop.shop.order(shopper, orderId))?.status).toBe("paid");
    await assertBooksAgree(shop, sale);
  });

  test("of which one unit is gone is refunded whole, and the other line returns", async () => {
    const { sale, shopper } = await saleWithHolds({ holdMs: 5_000, payMs: 60_000 });
    const orderId = await buyPending(sale, shopper, "k1");
    shop.pass(70_000);
    const rivals = Array.from({ length: 10 }, (_, index) => `rival-${index}`);
    for (const rival of rivals) {
      expect(await hold(shop, sale, { shopper: rival, sku: "shoe", quantity: 1 })).toBe("held");
    }
    expect(shop.gateway.pay(orderId)).toBe(true);
    await sweepAll(shop);
    const order = await shop.shop.order(shopper, orderId);
    expect(order).toMatchObject({ status: "refunded", refundedMinor: 20_900 });
    expect(await countsOf(shop, sale, "sock")).toMatchObject({ available: 10, sold: 0 });
    await assertBooksAgree(shop, sale);
  });

  test("that never comes is given up with a void, and then cannot come", async () => {
    const { sale, shopper } = await saleWithHolds({ holdMs: 5_000, payMs: 60_000 });
    const orderId = await buyPending(sale, shopper, "k1");
    shop.pass(60_000 + 50_000);
    await sweepAll(shop);
    expect((await shop.shop.order(shopper, orderId))?.status).toBe("awaiting_payment");
    shop.pass(20_000);
    await sweepAll(shop);
    expect(await shop.shop.order(shopper, orderId)).toMatchObject({
      status: "failed",
      failure: { code: "payment_declined" },
    });
    expect(shop.gateway.pay(orderId)).toBe(false);
    await assertBooksAgree(shop, sale);
  });

  test("for a sale that was paused or ended meanwhile still buys what was held", async () => {
    for (const kind of ["pause", "end"] as const) {
      const { sale, shopper } = await saleWithHolds();
      const orderId = await buyPending(sale, shopper, "k1");
      const merchant = { merchantId: "mer_1", name: "One", role: "merchant" } as const;
      const change = { merchant, saleId: sale, change: { kind }, idempotencyKey: kind };
      expect((await shop.shop.changeSale(change)).kind).toBe("applied");
      shop.gateway.pay(orderId);
      await sweepAll(shop);
      expect((await shop.shop.order(shopper, orderId))?.status).toBe("paid");
      await assertBooksAgree(shop, sale);
    }
  });
});

describe("cancel", () => {
  test("waits while money is in doubt, refunds a paid order once, and says so again", async () => {
    const { sale, shopper } = await saleWithHolds();
    const orderId = await buyPending(sale, shopper, "k1");
    expect(await shop.shop.cancelOrder(shopper, orderId)).toEqual({ kind: "payment_pending" });
    shop.gateway.pay(orderId);
    await sweepAll(shop);
    expect((await shop.shop.cancelOrder(shopper, orderId)).kind).toBe("refunding");
    expect((await shop.shop.cancelOrder(shopper, orderId)).kind).toBe("refunding");
    await sweepAll(shop);
    expect((await shop.shop.order(shopper, orderId))?.status).toBe("refunded");
    expect(await countsOf(shop, sale, "shoe")).toMatchObject({ available: 10, sold: 0 });
    await assertBooksAgree(shop, sale);
  });

  test("is not for a failed order, nor for another's", async () => {
    const { sale, shopper } = await saleWithHolds();
    const orderId = orderIn(await buy(sale, shopper, "k1", "tok_declined"));
    expect(await shop.shop.cancelOrder(shopper, orderId)).toEqual({ kind: "not_cancellable" });
    expect(await shop.shop.cancelOrder("acc_else", orderId)).toEqual({ kind: "not_found" });
  });
});

describe("payment events", () => {
  test("doubled and shuffled end as without them", async () => {
    const sale = `sale-${++sales}`;
    await openSale(shop, sale, [skuOf("shoe", { stock: 40 })]);
    const orderIds: string[] = [];
    for (let index = 0; index < 30; index++) {
      const shopper = `event-${index}`;
      await hold(shop, sale, { shopper, sku: "shoe", quantity: 1 });
      const token = ["tok_ok", "tok_declined", "tok_pending"][index % 3] ?? "";
      const charged = shop.gateway.nextCharge();
      const request = bodyOf(sale, token, { shoe: 1 });
      const answer = shop.shop.checkout({ shopper, idempotencyKey: "k", request });
      await charged;
      if (token === "tok_pending") shop.pass(5_000);
      const orderId = orderIn(await answer);
      orderIds.push(orderId);
      if (token === "tok_pending" && index % 2 === 0) shop.gateway.pay(orderId);
    }
    const events = [...orderIds, ...orderIds, ...orderIds].map((orderId, index) => ({
      eventId: `event-${orderId}-${Math.floor(index / 60)}`,
      orderId,
    }));
    // A fixed stride through the list: shuffled, and the same in each run.
    const shuffled = events.map((_, index) => events[(index * 37) % events.length]!);
    await Promise.all(shuffled.map((event) => shop.shop.paymentEvent(event)));
    const counts = await shop.ports.orders.countsOfSale(sale);
    expect(counts).toEqual({ paid: 15, failed: 10, awaiting_payment: 5 });
    shop.pass(720_000);
    await sweepAll(shop);
    expect(await shop.ports.orders.countsOfSale(sale)).toEqual({ paid: 15, failed: 15 });
    await assertBooksAgree(shop, sale);
  });

  test("of unknown orders do nothing", async () => {
    await shop.shop.paymentEvent({ eventId: "e1", orderId: "not an order" });
    await shop.shop.paymentEvent({ eventId: "e2", orderId: `ord_00${"0".repeat(32)}` });
  });
});
