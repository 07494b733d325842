import { afterAll, beforeAll, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  MERCHANT,
  openSale,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { SaleDirectory } from "./directory.ts";
import { loadDirectory } from "./load-directory.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());

test("another node reads sales only when one was published, and SKUs only of that one", async () => {
  const asked: string[] = [];
  const ports = intercepted(shop.ports, (name, call) => {
    asked.push(name);
    return call();
  });
  const other = { catalogue: ports.catalogue, directory: new SaleDirectory(4) };
  const askedBy = async (): Promise<{ loaded: number; asked: string[] }> => {
    const loaded = await loadDirectory(other);
    return { loaded, asked: asked.splice(0) };
  };
  const look = "catalogue.versionSum";
  expect(await askedBy()).toEqual({ loaded: 0, asked: [look] });
  for (let index = 0; index < 120; index++) await openSale(shop, `sale-${index}`, [skuOf("shoe")]);
  const first = await askedBy();
  expect([first.loaded, first.asked.length]).toEqual([120, 1 + 2 + 120]);
  expect(await askedBy()).toEqual({ loaded: 0, asked: [look] });

  const change = { kind: "stock", sku: "shoe", delta: 1 } as const;
  const made = { merchant: MERCHANT, saleId: "sale-7", change, idempotencyKey: "k" };
  expect(await shop.shop.changeSale(made)).toMatchObject({ kind: "applied" });
  const pages = ["catalogue.sales", "catalogue.skus", "catalogue.sales"];
  const again = await askedBy();
  expect([again.loaded, again.asked.toSorted()]).toEqual([1, [...pages, look].toSorted()]);
  expect(other.directory.sku("sale-7", "shoe")?.stock).toBe(11);
  expect(await askedBy()).toEqual({ loaded: 0, asked: [look] });
});
