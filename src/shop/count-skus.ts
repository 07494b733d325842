// Counts of many SKUs, in bounded questions.

import { Fault } from "../core/errors.ts";
import { COUNTS_PAGE } from "../core/limits.ts";
import type { SkuCounts, SkuRef, Stock } from "../core/ports/stock.ts";

/**
 * Returns  the counts in the order of the SKUs.
 * Throws   Fault("store_unavailable") when one owner did not answer: there is no part of a truth.
 */
export async function countSkus(stock: Stock, refs: readonly SkuRef[]): Promise<SkuCounts[]> {
  const counts: SkuCounts[] = [];
  for (let from = 0; from < refs.length; from += COUNTS_PAGE) {
    const page = await stock.counts(refs.slice(from, from + COUNTS_PAGE));
    for (const count of page) {
      if (count === null) throw new Fault("store_unavailable", "an owner did not count its SKUs");
      counts.push(count);
    }
  }
  return counts;
}
