// GET /v1/cart: all live holds of the shopper, from their owners.

import { z } from "zod";

import type { CartHold } from "../core/ports/stock.ts";
import type { DirectorySku, SaleDirectory } from "../shop/directory.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { holdText, money } from "./render.ts";
import { holdSchema, moneySchema } from "./schemas.ts";

export function cartEndpoints({ shop }: HttpContext): readonly Endpoint[] {
  return [
    endpoint({
      method: "GET",
      path: "/v1/cart",
      tag: "holds",
      summary: "My holds",
      caller: "shopper",
      answers: {
        200: {
          description: "`complete` is false when an owner did not answer",
          schema: z.object({
            holds: z.array(holdSchema),
            total: moneySchema
              .nullable()
              .describe("null when nothing is held, or in more than one currency"),
            complete: z.boolean(),
          }),
        },
      },
      refusals: [],
      async handle({ identity }) {
        const { holds, complete } = await shop.cart(identity);
        return cartAnswer(shop.directory, holds, complete);
      },
    }),
  ];
}

function cartAnswer(
  directory: SaleDirectory,
  holds: readonly CartHold[],
  complete: boolean,
): Response {
  const texts: string[] = [];
  const currencies = new Set<string>();
  let totalMinor = 0;
  let isComplete = complete;
  for (const { skuKey, hold } of holds) {
    const sku = skuOfKey(directory, skuKey);
    if (sku === null) {
      // The sale was published a moment ago and has not reached this node.
      isComplete = false;
      continue;
    }
    texts.push(holdText(sku, hold));
    currencies.add(sku.sale.currency);
    totalMinor += hold.priceMinor * hold.quantity;
  }
  const [currency] = currencies;
  const total = currency === undefined || currencies.size > 1 ? null : money(totalMinor, currency);
  const members = `"total":${JSON.stringify(total)},"complete":${isComplete}`;
  return new Response(`{"holds":[${texts.join(",")}],${members}}`, {
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

function skuOfKey(directory: SaleDirectory, skuKey: string): DirectorySku | null {
  const slash = skuKey.indexOf("/");
  return directory.sku(skuKey.slice(0, slash), skuKey.slice(slash + 1));
}
