import { expect, test } from "bun:test";

import { SALE, SKU } from "../../test/support/http-fakes.ts";
import { partitionOf, skuTagOf } from "../core/ids.ts";
import { SKUS_ASKED_MAX } from "../core/limits.ts";
import type { SaleSku } from "../core/sale/sale.ts";
import { SaleDirectory } from "./directory.ts";

test("sales are sorted once for each change, the latest start first, without drafts", () => {
  const directory = new SaleDirectory(4);
  directory.put(SALE, [SKU]);
  directory.put({ ...SALE, saleId: "b", version: 2, startsAtMs: SALE.startsAtMs + 1 }, []);
  directory.put({ ...SALE, saleId: "a", version: 1, startsAtMs: SALE.startsAtMs + 1 }, []);
  directory.put({ ...SALE, saleId: "draft", version: 0 }, []);
  const sorted = directory.byLatestStart();
  expect(sorted.map(({ saleId }) => saleId)).toEqual(["a", "b", "drop"]);
  expect(directory.byLatestStart()).toBe(sorted);
  directory.put({ ...SALE, saleId: "b", version: 3 }, []);
  expect(directory.byLatestStart().map(({ saleId }) => saleId)).toEqual(["a", "b", "drop"]);
  directory.put({ ...SALE, saleId: "b", version: 4, startsAtMs: SALE.startsAtMs - 1 }, []);
  expect(directory.byLatestStart().map(({ saleId }) => saleId)).toEqual(["a", "drop", "b"]);
});

test("the sum of versions follows every put, and an older version changes nothing", () => {
  const directory = new SaleDirectory(4);
  expect(directory.versionSum).toBe(0);
  directory.put(SALE, [SKU]);
  directory.put({ ...SALE, saleId: "other", version: 5 }, []);
  expect(directory.versionSum).toBe(8);
  directory.put({ ...SALE, saleId: "other", version: 4 }, []);
  directory.put({ ...SALE, saleId: "other", version: 7 }, []);
  expect(directory.versionSum).toBe(10);
});

/** In no order; alike and not alike; titles of one unit, of two units, and none at all. */
const MIXED: readonly SaleSku[] = [
  { ...SKU, sku: "b", title: "Schuhgröße 44 👟" },
  { ...SKU, sku: "a.10", title: "", group: "g" },
  { ...SKU, sku: "a", title: "A", priceMinor: 2 ** 50, stock: 1_000_000_000 },
  { ...SKU, sku: "Z", title: "B", limitPerShopper: 100 },
  { ...SKU, sku: "a-1", title: "नमस्ते" },
];

function fieldsOf(found: SaleSku | null | undefined) {
  if (found === null || found === undefined) return found;
  const { sku, title, priceMinor, stock, limitPerShopper, group } = found;
  return { sku, title, priceMinor, stock, limitPerShopper, group };
}

test("a SKU comes back as it was put, whatever came before it", () => {
  const directory = new SaleDirectory(16);
  const sale = directory.put(SALE, MIXED);
  expect(sale.skus.size).toBe(MIXED.length);
  for (const sku of MIXED) {
    const found = directory.sku(SALE.saleId, sku.sku)!;
    expect(fieldsOf(found)).toEqual({ ...sku });
    expect(found.sale).toBe(sale);
    expect(found.key).toBe(`${SALE.saleId}/${sku.sku}`);
    expect(found.partition).toBe(partitionOf(SALE.saleId, sku.sku, sku.group, 16));
    expect(found.partition).toBe(directory.refOf(SALE.saleId, sku).partition);
    expect(found.tag).toBe(skuTagOf(found.key));
    expect(directory.sku(SALE.saleId, sku.sku)).toBe(found);
  }
  const sorted = MIXED.toSorted((left, right) => (left.sku < right.sku ? -1 : 1));
  expect([...sale.skus.values()].map(fieldsOf)).toEqual(sorted);
});

test("a name that is not there is nobody's, however near it is", () => {
  const directory = new SaleDirectory(4);
  const { skus } = directory.put(SALE, MIXED);
  for (const name of ["", "0", "aa", "a-", "a-10", "a.1", "Z0", "c", "zz", "ab"]) {
    expect([skus.get(name), skus.has(name)]).toEqual([undefined, false]);
  }
  const none = directory.put({ ...SALE, saleId: "none" }, []);
  expect([none.skus.get("a"), none.skus.size]).toEqual([undefined, 0]);
});

test("a new version is asked anew", () => {
  const directory = new SaleDirectory(4);
  directory.put(SALE, [SKU]);
  expect(directory.sku(SALE.saleId, SKU.sku)?.stock).toBe(SKU.stock);
  directory.put({ ...SALE, version: SALE.version + 1 }, [{ ...SKU, stock: SKU.stock + 1 }]);
  expect(directory.sku(SALE.saleId, SKU.sku)?.stock).toBe(SKU.stock + 1);
});

test("more SKUs are asked for than are kept, and all are right", () => {
  const directory = new SaleDirectory(4);
  const many = Array.from({ length: SKUS_ASKED_MAX + 1 }, (_, index) => ({
    ...SKU,
    sku: `sku-${index}`,
    stock: index,
  }));
  directory.put(SALE, many);
  const first = directory.sku(SALE.saleId, "sku-0");
  for (const sku of many) {
    if (directory.sku(SALE.saleId, sku.sku)?.stock !== sku.stock) throw new Error(sku.sku);
  }
  // Forgotten, made anew, and the same.
  expect(directory.sku(SALE.saleId, "sku-0")).not.toBe(first);
  expect(fieldsOf(directory.sku(SALE.saleId, "sku-0"))).toEqual(fieldsOf(first));
});

test("a sale that names a SKU twice is a bug of the caller", () => {
  expect(() => new SaleDirectory(4).put(SALE, [SKU, SKU])).toThrow("a sale names a SKU once");
});
