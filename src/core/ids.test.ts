// The hash and what hangs on it are pinned: another value would move partitions and buckets, and
// with them the stock and the orders of a running cluster.

import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import {
  bucketOf,
  bucketOfOrder,
  hash64,
  holdIdOf,
  IDEMPOTENCY_KEY,
  ORDER_ID,
  orderIdOf,
  partitionOf,
  SALE_ID,
  SHOPPER_ID,
  SKU_ID,
  skuKeyOf,
  skuTagOf,
} from "./ids.ts";
import { BUCKETS, PARTITIONS_MAX } from "./limits.ts";

describe("golden values", () => {
  // The first two are those of the xxHash specification's own implementation, seed 0.
  test.each([
    ["", 0xef46db3751d8e999n],
    ["a", 0xd24ec4f1a98c6e5bn],
    ["sale/phone-x", 6_503_782_144_936_065_154n],
    ["diwali-drop/phone-x-128", 10_014_652_012_029_429_503n],
    ["shopper-1", 9_715_158_612_137_258_625n],
    ["x".repeat(100), 10_588_207_204_368_892_052n],
  ])("hash64 of %p", (text, hash) => {
    expect(hash64(text)).toBe(hash);
  });

  test.each([
    ["diwali-drop", "phone-x-128", null, 64, 63],
    ["diwali-drop", "phone-x-128", "phone-x", 64, 16],
    ["diwali-drop", "phone-x-256", "phone-x", 64, 16],
    ["flash", "a", null, 8, 1],
    ["flash", "a", null, 1, 0],
    ["flash", "a", null, 1_024, 521],
  ] as const)("partition of %s/%s in group %p of %i", (sale, sku, group, count, partition) => {
    expect(partitionOf(sale, sku, group, count)).toBe(partition);
  });

  test.each([
    ["shopper-1", 129],
    ["shopper-2", 143],
    ["auth0|abc", 83],
    ["a@b.example", 50],
  ])("bucket of %s", (shopper, bucket) => {
    expect(bucketOf(shopper)).toBe(bucket);
  });

  test("a hold id and an order id", () => {
    expect(skuKeyOf("flash", "a")).toBe("flash/a");
    expect(holdIdOf(skuTagOf("flash/a"), 36)).toBe("hold_2d7jv4h75nua1_10");
    expect(orderIdOf("shopper-1", "01890a5d-ac96-774b-bcce-b302099a8057")).toBe(
      "ord_8101890a5dac96774bbcceb302099a8057",
    );
  });
});

const text = fc.string({ minLength: 1, maxLength: 40 });

test("every SKU has a partition, and SKUs of one group have the same", () => {
  fc.assert(
    fc.property(
      text,
      text,
      text,
      text,
      fc.integer({ min: 1, max: PARTITIONS_MAX }),
      (sale, sku, other, group, count) => {
        const partition = partitionOf(sale, sku, group, count);
        expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true);
        expect(partitionOf(sale, other, group, count)).toBe(partition);
        expect(partitionOf(sale, sku, null, count)).toBe(partitionOf(sale, sku, sku, count));
      },
    ),
  );
});

test("an order id carries its shopper's bucket, and nothing else has one", () => {
  fc.assert(
    fc.property(text, fc.uuid(), (shopper, uuid) => {
      const orderId = orderIdOf(shopper, uuid);
      expect(orderId).toMatch(ORDER_ID);
      expect(bucketOfOrder(orderId)).toBe(bucketOf(shopper));
      expect(bucketOf(shopper)).toBeWithin(0, BUCKETS);
    }),
  );
  for (const wrong of ["", "ord_", "ord_zz01890a5dac96774bbcceb302099a8057", "ord_8101890A5D"]) {
    expect(bucketOfOrder(wrong)).toBeNull();
  }
});

test("no id may carry what separates ids", () => {
  const separators = ["\t", "\n", " ", "/", "", "é"];
  for (const pattern of [SALE_ID, SKU_ID, SHOPPER_ID]) {
    for (const bad of separators) {
      expect(pattern.test(bad)).toBe(false);
      expect(pattern.test(`a${bad === "" ? "\n" : bad}`)).toBe(false);
    }
  }
  expect(SALE_ID.test("A")).toBe(false);
  expect(SALE_ID.test("a".repeat(65))).toBe(false);
  expect(SKU_ID.test("Ab.c_d-1")).toBe(true);
  expect(SHOPPER_ID.test("auth0|a:b@c.d_e-f")).toBe(true);
  expect(SHOPPER_ID.test("a".repeat(129))).toBe(false);
  expect(IDEMPOTENCY_KEY.test("~!")).toBe(true);
  expect(IDEMPOTENCY_KEY.test("a b")).toBe(false);
  expect(IDEMPOTENCY_KEY.test("a".repeat(256))).toBe(false);
});
