// What merchants may look at: their sales, a report, the history of a SKU, the orders of a sale.

import { z } from "zod";

import { holdIdOf, skuTagOf } from "../core/ids.ts";
import { ORDER_STATUSES } from "../core/order/order.ts";
import type { ExplainedEvent } from "../core/ports/stock.ts";
import { UNKNOWN_AFTER } from "../shop/page.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint, unknownAfter } from "./endpoint.ts";
import { plainProblem } from "./problem.ts";
import { adminOrder, adminSale, instant, json, money } from "./render.ts";
import {
  adminOrderSchema,
  adminSaleSchema,
  instantSchema,
  listOf,
  PAGE_ITEMS_MAX,
  pageOf,
  pageQuery,
  saleId,
  skuCountsSchema,
  skuId,
} from "./schemas.ts";

const saleParams = z.object({ sale: saleId });

export function adminViewEndpoints(context: HttpContext): readonly Endpoint[] {
  return [listSales(context), report(context), explain(context), ordersOfSale(context)];
}

function listSales({ shop, clock }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/admin/sales",
    tag: "merchants",
    summary: "My sales",
    caller: "merchant",
    query: pageQuery,
    answers: { 200: { description: "A page of sales", schema: listOf(adminSaleSchema) } },
    refusals: [],
    async handle({ identity, query }) {
      const result = await shop.salesOf(identity, pageOf(query));
      if (result === UNKNOWN_AFTER) return unknownAfter();
      const { items, next } = result;
      const nowMs = clock.wallMs();
      return json({
        items: items.map((sale) => ({ ...adminSale(sale, nowMs), state: sale.state })),
        next,
      });
    },
  });
}

function report({ shop }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/admin/sales/:sale/report",
    tag: "merchants",
    summary: "Units and orders of a sale",
    caller: "merchant",
    params: saleParams,
    answers: {
      200: {
        description: "`held` includes `paying`",
        schema: z.object({
          sale: z.string(),
          asOf: instantSchema,
          skus: z.array(skuCountsSchema.extend({ sku: z.string() })),
          orders: z.partialRecord(z.enum(ORDER_STATUSES), z.int()),
        }),
      },
    },
    refusals: [],
    async handle({ identity, params }) {
      const result = await shop.report(identity, params.sale);
      if (result === null) return plainProblem("not_found");
      return json({
        sale: result.saleId,
        asOf: instant(result.asOfMs),
        skus: result.skus.map(({ sku, released, available, held, paying, sold }) => ({
          sku,
          released,
          available,
          held,
          paying,
          sold,
        })),
        orders: result.orders,
      });
    },
  });
}

function explain({ shop }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/admin/sales/:sale/skus/:sku/explain",
    tag: "merchants",
    summary: "Everything that happened to a SKU, from the ledger",
    caller: "merchant",
    params: z.object({ sale: saleId, sku: skuId }),
    query: z.strictObject({
      after: z.coerce.number().int().min(0).default(0).describe("a seq"),
      limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_MAX),
    }),
    answers: {
      200: {
        description: "Counts now, and a page of events with the batches that carried them",
        schema: z.object({
          sale: z.string(),
          sku: z.string(),
          counts: skuCountsSchema.nullable(),
          events: z.array(
            z.object({
              partition: z.int(),
              seq: z.int(),
              claim: z.int(),
              at: instantSchema,
              event: z.looseObject({ kind: z.string() }),
            }),
          ),
          next: z.int().nullable(),
        }),
      },
    },
    refusals: [],
    async handle({ identity, params, query }) {
      const result = await shop.explain(identity, {
        saleId: params.sale,
        sku: params.sku,
        afterSeq: query.after,
        limit: query.limit,
      });
      if (result === null) return plainProblem("not_found");
      const known = shop.directory.sku(params.sale, params.sku);
      const tag = known?.tag ?? skuTagOf(`${params.sale}/${params.sku}`);
      const currency = known?.sale.currency ?? null;
      return json({
        sale: params.sale,
        sku: params.sku,
        counts: result.counts === null ? null : countsOf(result.counts),
        events: result.events.map((event) => renderEvent(event, tag, currency)),
        next: result.next,
      });
    },
  });
}

function countsOf(counts: z.output<typeof skuCountsSchema>) {
  const { released, available, held, paying, sold } = counts;
  return { released, available, held, paying, sold };
}

/** Instants and money as everywhere else; a hold's number as the id its shopper saw. */
function renderEvent(explained: ExplainedEvent, tag: string, currency: string | null) {
  const fields = Object.entries(explained.event).map(([name, value]): [string, unknown] => {
    if (typeof value !== "number") return [name, value];
    if (name === "startsAtMs" || name === "endsAtMs") return [name.slice(0, -2), instant(value)];
    if (name === "deadlineMs") return ["expiresAt", instant(value)];
    if (name === "number") return ["holdId", holdIdOf(tag, value)];
    if (name === "priceMinor" && currency !== null) return ["unitPrice", money(value, currency)];
    return [name, value];
  });
  return {
    partition: explained.partition,
    seq: explained.seq,
    claim: explained.claim,
    at: instant(explained.atMs),
    event: Object.fromEntries(fields),
  };
}

function ordersOfSale({ shop }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/admin/orders",
    tag: "merchants",
    summary: "The orders of one of my sales, newest first",
    caller: "merchant",
    query: pageQuery.extend({ sale: saleId, status: z.enum(ORDER_STATUSES).optional() }),
    answers: { 200: { description: "A page of orders", schema: listOf(adminOrderSchema) } },
    refusals: [],
    async handle({ identity, query }) {
      const result = await shop.ordersOfSale(identity, {
        saleId: query.sale,
        ...pageOf(query),
        ...(query.status === undefined ? {} : { status: query.status }),
      });
      if (result === null) return plainProblem("not_found");
      if (result === UNKNOWN_AFTER) return unknownAfter();
      // Names and addresses: nobody on the way keeps them.
      const headers = { "cache-control": "no-store" };
      return json({ items: result.items.map(adminOrder), next: result.next }, { headers });
    },
  });
}
