import { afterAll, beforeAll, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  ALL_BUCKETS,
  bodyOf,
  hold,
  openSale,
  orderIn,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault, type FaultCode } from "../core/errors.ts";
import { createShop } from "./create-shop.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());

/** Seconds from one look of the sweeper at the order to the next, over an outage of two minutes. */
async function waitsDuring(sale: string, code: FaultCode): Promise<number[]> {
  await openSale(shop, sale, [skuOf("shoe")]);
  await hold(shop, sale, { shopper: sale, sku: "shoe", quantity: 1 });
  let isDown = false;
  let nowS = 0;
  const looksS: number[] = [];
  const ports = intercepted(shop.ports, async (name, call) => {
    if (name === "payments.charge") isDown = true;
    if (!isDown || name !== "stock.ask") return call();
    if (nowS > 0) looksS.push(nowS);
    throw new Fault(code, "a test");
  });
  const own = createShop(ports);
  const request = bodyOf(sale, "tok_declined", { shoe: 1 });
  const answer = await own.checkout({ shopper: sale, idempotencyKey: "key", request });
  const startMs = shop.nowMs() + 60_000;
  for (nowS = 1; nowS <= 120; nowS++) await own.sweepOrders(ALL_BUCKETS, startMs + nowS * 1_000);
  isDown = false;
  await own.sweepOrders(ALL_BUCKETS, startMs + 200_000);
  expect((await shop.shop.order(sale, orderIn(answer)))?.settled).toBe(true);
  await own.stop();
  return looksS.slice(1).map((lookS, index) => lookS - (looksS[index] ?? 0));
}

test("an order that the store kept from its end is looked at every four seconds", async () => {
  for (const code of ["store_unavailable", "unknown", "busy"] as const) {
    const waits = await waitsDuring(`away-${code.replace("_", "-")}`, code);
    expect(waits.slice(0, 3)).toEqual([1, 2, 4]);
    expect(new Set(waits.slice(2))).toEqual(new Set([4]));
  }
});

test("an order that waits for the gateway or a person is looked at ever more seldom", async () => {
  for (const code of ["halted", "payment_unavailable"] as const) {
    const waits = await waitsDuring(`seldom-${code.replace("_", "-")}`, code);
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
  }
});
