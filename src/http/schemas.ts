// The things that the contract speaks of, as zod: checked when they come in, described when they
// go out.

import { z } from "zod";

import { SALE_ID, SKU_ID } from "../core/ids.ts";
import { HOLD_UNITS_MAX } from "../core/limits.ts";
import { ORDER_STATUSES } from "../core/order/order.ts";
import { SALE_STATES } from "../core/sale/sale.ts";

export const saleId = z.string().regex(SALE_ID);
export const skuId = z.string().regex(SKU_ID);
export const instantSchema = z.iso.datetime({ precision: 3 });
export const moneySchema = z.object({
  amountMinor: z.int(),
  currency: z.string().regex(/^[A-Z]{3}$/),
});
export const quantitySchema = z.int().min(1).max(HOLD_UNITS_MAX);

export const PAGE_ITEMS_MAX = 100;
const CURSOR_CHARS_MAX = 128;

export const pageQuery = z.strictObject({
  after: z
    .string()
    .min(1)
    .max(CURSOR_CHARS_MAX)
    .regex(/^[\x21-\x7e]+$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_MAX),
});

/** A page for the use cases, which know no `undefined`. */
export function pageOf(query: { after?: string | undefined; limit: number }): {
  after?: string;
  limit: number;
} {
  return query.after === undefined
    ? { limit: query.limit }
    : { after: query.after, limit: query.limit };
}

export function listOf<S extends z.ZodType>(item: S) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

export const saleSummarySchema = z.object({
  sale: z.string(),
  title: z.string(),
  state: z.enum(SALE_STATES),
  startsAt: instantSchema,
  endsAt: instantSchema,
});

export const adminSaleSchema = saleSummarySchema.extend({
  version: z.int(),
  currency: z.string(),
  timeZone: z.string(),
  holdMs: z.int(),
  payMs: z.int(),
  groups: z.record(z.string(), z.object({ limitPerShopper: z.int() })),
});

export const skuLevelSchema = z.object({
  sku: z.string(),
  title: z.string(),
  group: z.string().nullable(),
  unitPrice: moneySchema,
  limitPerShopper: z.int(),
  level: z.enum(["available", "low", "all_held", "sold_out"]),
});

export const holdSchema = z.object({
  holdId: z.string(),
  sale: z.string(),
  sku: z.string(),
  quantity: quantitySchema,
  unitPrice: moneySchema,
  expiresAt: instantSchema,
  state: z.enum(["open", "paying"]),
});

const orderLineSchema = z.object({
  sku: z.string(),
  quantity: quantitySchema,
  unitPrice: moneySchema,
  amount: moneySchema,
});

export const checkedOutOrderSchema = z.object({
  orderId: z.string(),
  sale: z.string(),
  status: z.enum(ORDER_STATUSES),
  lines: z.array(orderLineSchema),
  total: moneySchema,
  createdAt: instantSchema,
});

export const orderSchema = checkedOutOrderSchema.extend({
  refunded: moneySchema,
  failure: z.object({ code: z.string(), skus: z.array(z.string()) }).optional(),
  updatedAt: instantSchema,
});

export const adminOrderSchema = orderSchema.extend({
  shopper: z.string(),
  contact: z.object({ email: z.string().optional(), name: z.string().optional() }).nullable(),
  delivery: z.looseObject({}).nullable().describe("what the shopper sent with the checkout"),
});

export const skuCountsSchema = z.object({
  released: z.int(),
  available: z.int(),
  held: z.int(),
  paying: z.int(),
  sold: z.int(),
});

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .describe("1 to 255 visible ASCII characters; a repeat of the key hears the first answer");

/** The answer to a change of a sale that not every SKU has yet. */
export const applyingSchema = z.object({ applied: z.int(), total: z.int() });
