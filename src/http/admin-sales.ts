// PUT /v1/admin/sales/:sale (the sale file as JSON) and the changes of a sale that have a name.

import { z } from "zod";

import { ADMIN_BODY_BYTES_MAX, STOCK_UNITS_MAX } from "../core/limits.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import { INSTANT } from "../core/sale/time.ts";
import { parseSaleFile, type SaleFile, saleFileSchema } from "../shop/sale-file.ts";
import type { SaleChange } from "../shop/shop.ts";
import { APPLY_ANSWERS, applyAnswer, isOthers, isOwn, planSchema } from "./admin-apply.ts";
import { type JsonBody, jsonBody } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint, invalidRequest } from "./endpoint.ts";
import { idempotencyKeyOf } from "./idempotency.ts";
import { plainProblem } from "./problem.ts";
import { adminSaleSchema, idempotencyKeySchema, saleId, skuId } from "./schemas.ts";

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const saleFileBody: JsonBody<SaleFile> = {
  schema: saleFileSchema,
  bytesMax: ADMIN_BODY_BYTES_MAX,
  async parse(json) {
    const parsed = await parseSaleFile(json, nextTurn);
    return parsed.ok ? { ok: true, value: parsed.file } : parsed;
  },
};

export function adminSaleEndpoints(context: HttpContext): readonly Endpoint[] {
  return [
    putSale(context),
    ...(["pause", "resume", "end", "cancel"] as const).map((kind) => namedChange(context, kind)),
    extend(context),
    addStock(context),
  ];
}

function putSale({ shop, clock }: HttpContext): Endpoint {
  return endpoint({
    method: "PUT",
    path: "/v1/admin/sales/:sale",
    tag: "merchants",
    summary: "Apply a sale file",
    caller: "merchant",
    params: z.object({ sale: z.string() }),
    query: z.strictObject({ dryRun: z.enum(["true", "false"]).optional() }),
    headers: z.object({
      "if-match": z.string().optional().describe("the ETag of the version that may be replaced"),
    }),
    body: saleFileBody,
    answers: {
      200: {
        description: "The sale; with dryRun what would change",
        schema: z.union([adminSaleSchema, planSchema]),
      },
      201: { description: "A new sale", schema: adminSaleSchema },
      202: APPLY_ANSWERS[202],
    },
    refusals: ["changed_meanwhile", "below_committed", "not_changeable"],
    isKnown: ({ identity, params }) => !isOthers(shop.directory, params.sale, identity),
    async handle({ request, identity, params, query, body }) {
      if (body.header.saleId !== params.sale) {
        return invalidRequest([{ field: "sale", message: "must be the sale of the path" }]);
      }
      if (isOthers(shop.directory, params.sale, identity)) return plainProblem("not_found");
      const version = versionOf(request.headers.get("if-match"));
      const known = shop.directory.sale(params.sale);
      if (version === "never" || (version === "any" && known === null)) {
        if (known === null) return plainProblem("changed_meanwhile");
        return applyAnswer({ kind: "changed_meanwhile", version: known.version }, clock.wallMs());
      }
      if (version === "invalid") {
        return invalidRequest([{ field: "If-Match", message: 'must be one ETag such as "3"' }]);
      }
      const result = await shop.applySale({
        merchant: identity,
        file: body,
        dryRun: query.dryRun === "true",
        ...(typeof version === "number" ? { expectedVersion: version } : {}),
      });
      return applyAnswer(result, clock.wallMs());
    },
  });
}

/** Tags are compared strongly, so a weak one is never the version (RFC 9110, 13.1.1). */
function versionOf(ifMatch: string | null): number | "any" | "never" | "invalid" | null {
  if (ifMatch === null) return null;
  const tag = ifMatch.trim();
  if (tag === "*") return "any";
  if (/^W\/"[^"]*"$/.test(tag)) return "never";
  const match = /^"?(\d{1,15})"?$/.exec(tag);
  return match === null ? "invalid" : Number(match[1]);
}

const saleParams = z.object({ sale: saleId });
const optionalKey = z.object({ "idempotency-key": idempotencyKeySchema.optional() });
const CHANGE_REFUSALS = ["not_changeable", "idempotency_mismatch"] as const;

function namedChange(context: HttpContext, kind: "pause" | "resume" | "end" | "cancel"): Endpoint {
  return endpoint({
    method: "POST",
    path: `/v1/admin/sales/:sale/${kind}`,
    tag: "merchants",
    summary: `${kind[0]?.toUpperCase()}${kind.slice(1)} a sale`,
    caller: "merchant",
    params: saleParams,
    headers: optionalKey,
    answers: APPLY_ANSWERS,
    refusals: CHANGE_REFUSALS,
    isKnown: ({ identity, params }) => isOwn(context.shop.directory, params.sale, identity),
    handle: ({ request, identity, params }) =>
      change(context, { request, merchant: identity, saleId: params.sale, change: { kind } }),
  });
}

function extend(context: HttpContext): Endpoint {
  const endsAt = z.iso
    .datetime({ offset: true })
    .regex(INSTANT, { error: "must be of the years 2000 to 2999, to the millisecond at most" })
    .describe("RFC 3339 with an offset or Z, as exact as in a sale file");
  return endpoint({
    method: "POST",
    path: "/v1/admin/sales/:sale/extend",
    tag: "merchants",
    summary: "Move the end of a sale",
    caller: "merchant",
    params: saleParams,
    headers: optionalKey,
    body: jsonBody(z.strictObject({ endsAt })),
    answers: APPLY_ANSWERS,
    refusals: CHANGE_REFUSALS,
    isKnown: ({ identity, params }) => isOwn(context.shop.directory, params.sale, identity),
    handle: ({ request, identity, params, body }) =>
      change(context, {
        request,
        merchant: identity,
        saleId: params.sale,
        change: { kind: "extend", endsAtMs: Date.parse(body.endsAt) },
      }),
  });
}

function addStock(context: HttpContext): Endpoint {
  const delta = z
    .int()
    .min(-STOCK_UNITS_MAX)
    .max(STOCK_UNITS_MAX)
    .refine((units) => units !== 0, { error: "must not be 0" });
  return endpoint({
    method: "POST",
    path: "/v1/admin/sales/:sale/skus/:sku/stock",
    tag: "merchants",
    summary: "Release more units of a SKU, or fewer",
    caller: "merchant",
    params: z.object({ sale: saleId, sku: skuId }),
    headers: z.object({ "idempotency-key": idempotencyKeySchema }),
    body: jsonBody(z.strictObject({ delta })),
    answers: APPLY_ANSWERS,
    refusals: ["idempotency_key_required", "below_committed", ...CHANGE_REFUSALS],
    isKnown: ({ identity, params }) =>
      isOwn(context.shop.directory, params.sale, identity) &&
      context.shop.directory.sku(params.sale, params.sku) !== null,
    handle: ({ request, identity, params, body }) =>
      change(context, {
        request,
        merchant: identity,
        saleId: params.sale,
        change: { kind: "stock", sku: params.sku, delta: body.delta },
      }),
  });
}

/** Stock changes add up, so they need a key; the others only set, and get one of their own. */
async function change(
  { shop, clock }: HttpContext,
  asked: {
    readonly request: Request;
    readonly merchant: ApiKeyOwner;
    readonly saleId: string;
    readonly change: SaleChange;
  },
): Promise<Response> {
  const isGiven = asked.request.headers.has("idempotency-key");
  const keyIn =
    isGiven || asked.change.kind === "stock"
      ? idempotencyKeyOf(asked.request)
      : { key: crypto.randomUUID() };
  if (keyIn instanceof Response) return keyIn;
  const result = await shop.changeSale({
    merchant: asked.merchant,
    saleId: asked.saleId,
    change: asked.change,
    idempotencyKey: keyIn.key,
  });
  return applyAnswer(result, clock.wallMs());
}
