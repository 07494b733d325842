// What a merchant's change of a sale came to, as an answer: of the sale file and of named changes.

import { z } from "zod";

import { unreachable } from "../core/assert.ts";
import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import type { SaleDirectory } from "../shop/directory.ts";
import type { ApplyResult, SalePlan } from "../shop/shop.ts";
import { type Answer, invalidRequest } from "./endpoint.ts";
import { plainProblem, problem } from "./problem.ts";
import { adminSale, json } from "./render.ts";
import { adminSaleSchema, applyingSchema } from "./schemas.ts";

const changeSchema = z.object({
  sku: z.string(),
  field: z.string(),
  from: z.string(),
  to: z.string(),
});

export const planSchema = z.object({
  sale: z.string(),
  isNew: z.boolean(),
  baseVersion: z.int(),
  fields: z.array(z.object({ field: z.string(), from: z.string().nullable(), to: z.string() })),
  skus: z.object({
    added: z.array(z.string()),
    removed: z.array(z.string()),
    changed: z.array(changeSchema),
    total: z.int(),
  }),
  units: z.int(),
});

export const APPLY_ANSWERS = {
  200: { description: "Every SKU has it", schema: adminSaleSchema },
  202: { description: "Not every SKU has it yet; it goes on", schema: applyingSchema },
} as const satisfies Record<number, Answer>;

/** True when the sale is another merchant's, which is told from no sale by nothing. */
export function isOthers(directory: SaleDirectory, saleId: string, merchant: ApiKeyOwner): boolean {
  const sale = directory.sale(saleId);
  return sale !== null && sale.merchantId !== merchant.merchantId;
}

export function isOwn(directory: SaleDirectory, saleId: string, merchant: ApiKeyOwner): boolean {
  return directory.sale(saleId)?.merchantId === merchant.merchantId;
}

export function applyAnswer(result: ApplyResult, nowMs: number): Response {
  switch (result.kind) {
    case "applied":
    case "unchanged":
      return json(adminSale(result.sale, nowMs), {
        status: result.kind === "applied" && result.isNew ? 201 : 200,
        headers: { etag: `"${result.sale.version}"` },
      });
    case "applying":
      return json(
        { applied: result.applied, total: result.total },
        { status: 202, headers: { "retry-after": "1" } },
      );
    case "planned":
      return json(renderPlan(result.plan));
    case "invalid":
      return invalidRequest(result.errors);
    case "changed_meanwhile":
      return problem("changed_meanwhile", {
        extensions: { version: result.version },
        headers: { etag: `"${result.version}"` },
      });
    case "below_committed":
      return problem("below_committed", {
        extensions: { skus: result.skus, minimum: result.minimum },
      });
    case "not_changeable":
      return problem("not_changeable", { extensions: { fields: result.fields } });
    case "not_found":
    case "idempotency_mismatch":
      return plainProblem(result.kind);
    default:
      return unreachable(result);
  }
}

function renderPlan({ saleId, ...plan }: SalePlan) {
  return { sale: saleId, ...plan };
}
