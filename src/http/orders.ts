// GET /v1/orders, GET /v1/orders/:id and POST /v1/orders/:id/cancel.

import { z } from "zod";

import { unreachable } from "../core/assert.ts";
import { ORDER_ID } from "../core/ids.ts";
import { UNKNOWN_AFTER } from "../shop/page.ts";
import type { CancelResult } from "../shop/shop.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint, unknownAfter } from "./endpoint.ts";
import { plainProblem } from "./problem.ts";
import { json, renderOrder } from "./render.ts";
import { listOf, orderSchema, pageOf, pageQuery } from "./schemas.ts";

const orderParams = z.object({ id: z.string().regex(ORDER_ID) });
const PRIVATE = { "cache-control": "no-store" };

export function orderEndpoints({ shop }: HttpContext): readonly Endpoint[] {
  return [
    endpoint({
      method: "GET",
      path: "/v1/orders",
      tag: "orders",
      summary: "My orders, newest first",
      caller: "shopper",
      query: pageQuery,
      answers: { 200: { description: "A page of orders", schema: listOf(orderSchema) } },
      refusals: [],
      async handle({ identity, query }) {
        const result = await shop.ordersOf(identity, pageOf(query));
        if (result === UNKNOWN_AFTER) return unknownAfter();
        const { items, next } = result;
        return json({ items: items.map(renderOrder), next }, { headers: PRIVATE });
      },
    }),
    endpoint({
      method: "GET",
      path: "/v1/orders/:id",
      tag: "orders",
      summary: "One of my orders",
      caller: "shopper",
      params: orderParams,
      answers: { 200: { description: "The order", schema: orderSchema } },
      refusals: [],
      async handle({ identity, params }) {
        const order = await shop.order(identity, params.id);
        if (order === null) return plainProblem("not_found");
        return json(renderOrder(order), { headers: PRIVATE });
      },
    }),
    endpoint({
      method: "POST",
      path: "/v1/orders/:id/cancel",
      tag: "orders",
      summary: "Cancel one of my orders",
      caller: "shopper",
      params: orderParams,
      answers: {
        200: { description: "Cancelled; nothing had been paid", schema: orderSchema },
        202: { description: "The payment is being refunded", schema: orderSchema },
      },
      refusals: ["payment_pending", "not_cancellable"],
      handle: async ({ identity, params }) =>
        cancelAnswer(await shop.cancelOrder(identity, params.id)),
    }),
  ];
}

function cancelAnswer(result: CancelResult): Response {
  switch (result.kind) {
    case "cancelled":
      return json(renderOrder(result.order));
    case "refunding":
      return json(renderOrder(result.order), {
        status: 202,
        headers: { location: `/v1/orders/${result.order.orderId}`, "retry-after": "1" },
      });
    case "payment_pending":
    case "not_cancellable":
    case "not_found":
      return plainProblem(result.kind);
    default:
      return unreachable(result);
  }
}
