// Identifiers and the hash behind them. xxHash64 is pinned by golden values in ids.test.ts:
// a changed hash would move every partition.

import { BUCKETS } from "./limits.ts";

/** `[a-z0-9-]{1,64}`: the id of a sale. */
export const SALE_ID = /^[a-z0-9-]{1,64}$/;
/** `[A-Za-z0-9._-]{1,64}`: a SKU, and the name of a group. */
export const SKU_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** 1–128 of `[A-Za-z0-9._:|@-]`: a shopper, the `sub` of a token. */
export const SHOPPER_ID = /^[A-Za-z0-9._:|@-]{1,128}$/;
/** 1–255 visible ASCII characters. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
/** A merchant's key: `dbk_` and 256 random bits in base64url. */
export const API_KEY = /^dbk_[A-Za-z0-9_-]{43}$/;
/** An order: `ord_`, two hex digits of its bucket, 32 hex digits of a UUIDv7. */
export const ORDER_ID = /^ord_[0-9a-f]{34}$/;

export function hash64(text: string): bigint {
  return Bun.hash.xxHash64(text);
}

/** The key of a SKU everywhere: `saleId/sku`. */
export function skuKeyOf(saleId: string, sku: string): string {
  return `${saleId}/${sku}`;
}

/** The partition that decides a SKU: SKUs of one group meet in one partition. */
export function partitionOf(saleId: string, sku: string, group: string | null, partitions: number) {
  return Number(hash64(`${saleId}/${group ?? sku}`) % BigInt(partitions));
}

/** A short, stable tag of a SKU key; with a hold's number it makes a hold id. */
export function skuTagOf(skuKey: string): string {
  return hash64(skuKey).toString(36);
}

export function holdIdOf(skuTag: string, holdNumber: number): string {
  return `hold_${skuTag}_${holdNumber.toString(36)}`;
}

export function bucketOf(shopperId: string): number {
  return Number(hash64(shopperId) % BigInt(BUCKETS));
}

/** What the ids of a bucket's orders begin with: six characters. */
export function orderIdPrefixOf(bucket: number): string {
  return `ord_${bucket.toString(16).padStart(2, "0")}`;
}

/** `uuid` is a UUIDv7 from outside: core makes no randomness. */
export function orderIdOf(shopperId: string, uuid: string): string {
  return orderIdPrefixOf(bucketOf(shopperId)) + uuid.replaceAll("-", "");
}

/** The bucket that an order id carries, or null when the text is not an order id. */
export function bucketOfOrder(orderId: string): number | null {
  return ORDER_ID.test(orderId) ? Number.parseInt(orderId.slice(4, 6), 16) : null;
}
