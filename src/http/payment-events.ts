// POST /v1/payments/events: what the gateway tells us, signed over the very bytes it sent.

import { z } from "zod";

import { BODY_BYTES_MAX } from "../core/limits.ts";
import { readBytes, textOf } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { plainProblem, problem } from "./problem.ts";
import { noContent } from "./render.ts";

const signatureHeaders = z.object({
  "webhook-id": z.string(),
  "webhook-timestamp": z.string(),
  "webhook-signature": z.string(),
});

export function paymentEventEndpoints({ shop, webhook }: HttpContext): readonly Endpoint[] {
  return [
    endpoint({
      method: "POST",
      path: "/v1/payments/events",
      tag: "payments",
      summary: "An event of the payment gateway (Standard Webhooks)",
      caller: "anyone",
      headers: signatureHeaders,
      isRaw: true,
      answers: { 204: { description: "Taken; a repeat changes nothing" } },
      refusals: ["unauthenticated"],
      async handle({ request }) {
        const bytes = await readBytes(request, BODY_BYTES_MAX);
        if (bytes === null) return plainProblem("body_too_large");
        const text = textOf(bytes);
        const event = text === null ? null : webhook.verify(request.headers, text);
        if (event === null) {
          return problem("unauthenticated", {
            detail: "The signature of the event is not the gateway's.",
            headers: { "www-authenticate": "Webhook-Signature" },
          });
        }
        await shop.paymentEvent(event);
        return noContent();
      },
    }),
  ];
}
