// Reading a sale's SKUs in pages: 100,000 rows at once would keep the event loop from everything
// else for a tenth of a second (bench/large-apply.ts).

import { Fault } from "../core/errors.ts";
import { SKUS_A_TURN } from "../core/limits.ts";
import type { SaleSku } from "../core/sale/sale.ts";
import { skuOf, type SkuRow } from "./sale-rows.ts";

/** A row with the sale's version at the time of its statement. */
export type VersionedSkuRow = SkuRow & { readonly version: number | null };

/** A version published between two pages: begin again. Each is a merchant's own change. */
const ROUNDS_MAX = 8;

/**
 * All SKUs of one version. `pageAfter` is one statement: at most `limit` rows above `sku`, in order.
 *
 * Throws  Fault("busy") when the sale changes faster than it is read.
 */
export async function readSkus(
  saleId: string,
  pageAfter: (sku: string, limit: number) => Promise<readonly VersionedSkuRow[]>,
): Promise<readonly SaleSku[]> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await readOnce(pageAfter);
    if (found !== null) return found;
  }
  throw new Fault("busy", `read the SKUs of sale ${saleId}: changed at each try`);
}

/** Null: pages of different versions. */
async function readOnce(
  pageAfter: (sku: string, limit: number) => Promise<readonly VersionedSkuRow[]>,
): Promise<readonly SaleSku[] | null> {
  const skus: SaleSku[] = [];
  let version: number | null = null;
  for (;;) {
    const rows = await pageAfter(skus.at(-1)?.sku ?? "", SKUS_A_TURN);
    for (const row of rows) {
      version ??= row.version;
      if (row.version !== version) return null;
      skus.push(skuOf(row));
    }
    if (rows.length < SKUS_A_TURN) return skus;
  }
}
