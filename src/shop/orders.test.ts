import { afterAll, beforeAll, expect, test } from "bun:test";

import {
  bodyOf,
  hold,
  MERCHANT,
  openSale,
  orderIn,
  OTHER,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { UNKNOWN_AFTER } from "./page.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());

async function buy(saleId: string, shopper: string, key: string): Promise<string> {
  expect(await hold(shop, saleId, { shopper, sku: "shoe", quantity: 1 })).toBe("held");
  const request = bodyOf(saleId, "tok_ok", { shoe: 1 });
  return orderIn(await shop.shop.checkout({ shopper, idempotencyKey: key, request }));
}

test("a list goes on after what its caller may see, and after nothing else", async () => {
  await openSale(shop, "one", [skuOf("shoe")]);
  await openSale(shop, "two", [skuOf("shoe")]);
  const first = await buy("one", "asha", "k1");
  const second = await buy("one", "asha", "k2");
  const others = await buy("two", "ravi", "k1");
  const random = `${first.slice(0, -4)}0000`;

  const mine = (after: string) => shop.shop.ordersOf("asha", { after, limit: 10 });
  expect(await mine(second)).toMatchObject({ items: [{ orderId: first }], next: null });
  expect(await mine(first)).toEqual({ items: [], next: null });
  for (const after of [others, random, "one"]) expect(await mine(after)).toBe(UNKNOWN_AFTER);

  const ofSale = (after: string) =>
    shop.shop.ordersOfSale(MERCHANT, { saleId: "one", after, limit: 10 });
  expect(await ofSale(second)).toMatchObject({ items: [{ orderId: first }] });
  for (const after of [others, random, "one"]) expect(await ofSale(after)).toBe(UNKNOWN_AFTER);

  const sales = (after: string) => shop.shop.salesOf(MERCHANT, { after, limit: 10 });
  expect(await sales("one")).toHaveProperty("items");
  expect(await sales("none")).toBe(UNKNOWN_AFTER);
  expect(await shop.shop.salesOf(OTHER, { after: "one", limit: 10 })).toBe(UNKNOWN_AFTER);
});
