// What an owner counts of a SKU, in memory or archived.

import type { SkuCounts } from "../core/ports/stock.ts";
import { type ArchivedSku, availableOf, type SkuState } from "../core/stock/state.ts";

export function countsOf(sku: SkuState): SkuCounts {
  const { key, rules, held, paying, sold } = sku;
  const { released } = rules;
  return { skuKey: key, released, available: availableOf(sku), held, paying, sold };
}

/** It holds nothing. */
export function countsOfArchived({ key, released, sold }: ArchivedSku): SkuCounts {
  return { skuKey: key, released, available: released - sold, held: 0, paying: 0, sold };
}
