// Lists of the engine's interface, page by page.

import { z } from "zod";

import { pageAnswer, readAnswer } from "./answers.ts";
import type { AdminClient, JsonObject } from "./client.ts";
import { CommandFailure, EXIT } from "./exit-codes.ts";

/** The most that one page has. */
export const PAGE = 100;

/** All items of a list, up to `max` (whole pages). */
export async function pages(client: AdminClient, target: string, max: number) {
  const items: unknown[] = [];
  let after = "";
  for (;;) {
    const page = await pageOf(client, target, after);
    items.push(...page.items);
    if (page.next === null || items.length >= max) return items;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

/** One of the merchant's own sales, with its zone and version. Throws CommandFailure: no such. */
export async function findSale(client: AdminClient, saleId: string): Promise<JsonObject> {
  let after = "";
  for (;;) {
    const page = await pageOf(client, "/v1/admin/sales", after);
    const found = page.items
      .map((item): JsonObject => Object(item))
      .find((item) => {
        return item["sale"] === saleId;
      });
    if (found !== undefined) return found;
    if (page.next === null) {
      const message = `you have no sale ${JSON.stringify(saleId)}`;
      throw new CommandFailure({ exitCode: EXIT.notFound, code: "not_found", message });
    }
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

async function pageOf(client: AdminClient, target: string, after: string) {
  const { body } = await client.call({ method: "GET", path: `${target}?limit=${PAGE}${after}` });
  return readAnswer(pageAnswer(z.unknown()), body);
}
