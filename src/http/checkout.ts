// POST /v1/checkout: an order for exactly what the shopper saw.

import { z } from "zod";

import { unreachable } from "../core/assert.ts";
import { CHECKOUT_DEADLINE_MS, CHECKOUT_LINES_MAX } from "../core/limits.ts";
import type { CheckoutRequest, CheckoutResult } from "../shop/shop.ts";
import { jsonBody } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { idempotencyKeyOf } from "./idempotency.ts";
import { plainProblem, problem } from "./problem.ts";
import { checkedOutOrder, json, renderOrder } from "./render.ts";
import {
  checkedOutOrderSchema,
  idempotencyKeySchema,
  orderSchema,
  quantitySchema,
  saleId,
  skuId,
} from "./schemas.ts";
import { isSafeJson, safeText } from "./text.ts";

const DELIVERY_BYTES_MAX = 4 * 1_024;
const NAME_CHARS_MAX = 200;
const CARD_TOKEN_CHARS_MAX = 255;

const deliverySchema = z
  .custom<Readonly<Record<string, unknown>>>(isPlainObject, { error: "must be an object" })
  .refine((delivery) => Buffer.byteLength(JSON.stringify(delivery)) <= DELIVERY_BYTES_MAX, {
    error: `must be at most ${DELIVERY_BYTES_MAX} bytes of JSON`,
  })
  .refine((delivery) => isSafeJson(delivery), {
    error: "must not be deep or have control characters or lone surrogates",
  })
  .meta({ type: "object", description: "Any object of at most 4 KiB" });

const checkoutBody = z.strictObject({
  sale: saleId,
  lines: z
    .array(z.strictObject({ sku: skuId, quantity: quantitySchema }))
    .min(1)
    .max(CHECKOUT_LINES_MAX)
    .refine((lines) => new Set(lines.map((line) => line.sku)).size === lines.length, {
      error: "must have each SKU once",
    }),
  payment: z.strictObject({
    method: z.literal("card"),
    token: safeText(1, CARD_TOKEN_CHARS_MAX).describe("one-time token of the gateway"),
  }),
  contact: z
    .strictObject({
      email: z.email().max(254).optional(),
      name: safeText(1, NAME_CHARS_MAX).optional(),
    })
    .optional(),
  delivery: deliverySchema.optional(),
});

function isPlainObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function checkoutEndpoints({ shop }: HttpContext): readonly Endpoint[] {
  return [
    endpoint({
      method: "POST",
      path: "/v1/checkout",
      tag: "orders",
      summary: "Buy what I hold",
      caller: "shopper",
      headers: z.object({ "idempotency-key": idempotencyKeySchema }),
      body: jsonBody(checkoutBody),
      deadlineMs: CHECKOUT_DEADLINE_MS,
      answers: {
        200: { description: "A repeat: the order has gone on since", schema: orderSchema },
        201: { description: "Paid", schema: checkedOutOrderSchema },
        202: { description: "The payment is not definite yet", schema: checkedOutOrderSchema },
      },
      refusals: [
        "idempotency_key_required",
        "payment_declined",
        "hold_lapsed",
        "hold_changed",
        "in_checkout",
        "idempotency_mismatch",
        "rate_limited",
      ],
      async handle({ request, identity, body }) {
        const keyIn = idempotencyKeyOf(request);
        if (keyIn instanceof Response) return keyIn;
        const result = await shop.checkout({
          shopper: identity,
          idempotencyKey: keyIn.key,
          request: checkoutRequestOf(body),
        });
        return checkoutAnswer(result);
      },
    }),
  ];
}

/** Absent is absent: the order's fingerprint must not depend on how it was left out. */
function checkoutRequestOf(body: z.output<typeof checkoutBody>): CheckoutRequest {
  const { sale, lines, payment, contact, delivery } = body;
  return {
    saleId: sale,
    lines,
    payment,
    ...(contact === undefined ? {} : { contact: withoutUndefined(contact) }),
    ...(delivery === undefined ? {} : { delivery }),
  };
}

function withoutUndefined(contact: {
  email?: string | undefined;
  name?: string | undefined;
}): NonNullable<CheckoutRequest["contact"]> {
  return {
    ...(contact.email === undefined ? {} : { email: contact.email }),
    ...(contact.name === undefined ? {} : { name: contact.name }),
  };
}

function checkoutAnswer(result: CheckoutResult): Response {
  switch (result.kind) {
    case "paid":
      return json(checkedOutOrder(result.order), {
        status: 201,
        headers: { location: `/v1/orders/${result.order.orderId}` },
      });
    case "pending":
      return json(checkedOutOrder(result.order), {
        status: 202,
        headers: { location: `/v1/orders/${result.order.orderId}`, "retry-after": "1" },
      });
    case "settled":
      return json(renderOrder(result.order));
    case "payment_declined":
      return problem("payment_declined", { extensions: { orderId: result.order.orderId } });
    case "hold_lapsed":
    case "hold_changed":
    case "in_checkout":
      return problem(result.kind, { extensions: { skus: result.skus } });
    case "rate_limited": {
      const retryAfterS = Math.max(1, Math.ceil(result.retryAfterMs / 1_000));
      return problem("rate_limited", { headers: { "retry-after": String(retryAfterS) } });
    }
    case "idempotency_mismatch":
    case "not_found":
      return plainProblem(result.kind);
    default:
      return unreachable(result);
  }
}
