// GET /v1/sales, /v1/sales/:sale and /v1/sales/:sale/skus: what anyone may see.
//
// Answers may be kept for a second: no level and no state is older than what a refusal may be (I8).

import { z } from "zod";

import type { DirectorySale } from "../shop/directory.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint, unknownAfter } from "./endpoint.ts";
import { plainProblem } from "./problem.ts";
import { saleSummary } from "./render.ts";
import {
  listOf,
  PAGE_ITEMS_MAX,
  pageOf,
  pageQuery,
  saleId,
  saleSummarySchema,
  skuLevelSchema,
} from "./schemas.ts";

const saleParams = z.object({ sale: saleId });
const NOT_MODIFIED = { description: "Not changed since the ETag of If-None-Match" };
const conditional = z.object({ "if-none-match": z.string().optional() });

export function saleEndpoints(context: HttpContext): readonly Endpoint[] {
  return [listSales(context), oneSale(context), skusOfSale(context)];
}

function listSales({ shop, clock }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/sales",
    tag: "sales",
    summary: "Sales, the latest start first",
    caller: "anyone",
    query: pageQuery,
    headers: conditional,
    answers: {
      200: { description: "A page of sales", schema: listOf(saleSummarySchema) },
      304: NOT_MODIFIED,
    },
    refusals: [],
    handle({ request, query }) {
      const sales = shop.directory.byLatestStart();
      const last = query.after === undefined ? null : shop.directory.sale(query.after);
      if (query.after !== undefined && !isPublished(last)) return unknownAfter();
      // A scan of numbers: below a tenth of a millisecond for 100,000 sales.
      const start = last === null ? 0 : sales.indexOf(last) + 1;
      const items = sales.slice(start, start + query.limit);
      const hasMore = start + query.limit < sales.length;
      const nowMs = clock.wallMs();
      return cacheable(request, {
        items: items.map((sale) => saleSummary(sale, nowMs)),
        next: hasMore ? (items.at(-1)?.saleId ?? null) : null,
      });
    },
  });
}

function oneSale({ shop, clock }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/sales/:sale",
    tag: "sales",
    summary: "A sale with its first 100 SKUs",
    caller: "anyone",
    params: saleParams,
    headers: conditional,
    answers: {
      200: {
        description: "The sale; `next` is where …/skus?after= goes on",
        schema: saleSummarySchema.extend({
          skus: z.array(skuLevelSchema),
          next: z.string().nullable(),
        }),
      },
      304: NOT_MODIFIED,
    },
    refusals: [],
    isKnown: ({ params }) => isPublished(shop.directory.sale(params.sale)),
    async handle({ request, params }) {
      const sale = shop.directory.sale(params.sale);
      if (!isPublished(sale)) return plainProblem("not_found");
      const { items, next } = await shop.levels(sale, { limit: PAGE_ITEMS_MAX });
      return cacheable(request, { ...saleSummary(sale, clock.wallMs()), skus: items, next });
    },
  });
}

function skusOfSale({ shop }: HttpContext): Endpoint {
  return endpoint({
    method: "GET",
    path: "/v1/sales/:sale/skus",
    tag: "sales",
    summary: "The SKUs of a sale, page by page",
    caller: "anyone",
    params: saleParams,
    query: pageQuery,
    headers: conditional,
    answers: {
      200: { description: "A page of SKUs", schema: listOf(skuLevelSchema) },
      304: NOT_MODIFIED,
    },
    refusals: [],
    isKnown: ({ params }) => isPublished(shop.directory.sale(params.sale)),
    async handle({ request, params, query }) {
      const sale = shop.directory.sale(params.sale);
      if (!isPublished(sale)) return plainProblem("not_found");
      return cacheable(request, await shop.levels(sale, pageOf(query)));
    },
  });
}

function isPublished(sale: DirectorySale | null): sale is DirectorySale {
  return sale !== null && sale.version > 0;
}

/** The ETag is of the bytes, so that equal pages are equal whichever node made them. */
function cacheable(request: Request, value: unknown): Response {
  const body = JSON.stringify(value);
  const etag = `"${Bun.hash.xxHash64(body).toString(36)}"`;
  const headers = {
    etag,
    "cache-control": "public, max-age=1",
    "content-type": "application/json",
  };
  if (isMatch(request.headers.get("if-none-match"), etag)) {
    return new Response(null, {
      status: 304,
      headers: { etag, "cache-control": headers["cache-control"] },
    });
  }
  return new Response(body, { headers });
}

function isMatch(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
