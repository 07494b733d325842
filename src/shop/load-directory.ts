// Fills the directory from the catalogue: at start, and again and again for what other nodes publish.

import type { Sale } from "../core/sale/sale.ts";
import type { ShopPorts } from "./ports.ts";

/** Sales read in one question. */
const SALES_PAGE = 100;

/**
 * Every published sale that is newer than what is here.
 *
 * Cost     one small question when there is none, however many sales there are.
 * Returns  how many were loaded.
 */
export async function loadDirectory(
  ports: Pick<ShopPorts, "catalogue" | "directory">,
): Promise<number> {
  const { catalogue, directory } = ports;
  // No version here is above the catalogue's, so equal sums are equal sales.
  if ((await catalogue.versionSum()) === directory.versionSum) return 0;
  let loadedCount = 0;
  let after: string | undefined;
  for (;;) {
    const page: readonly Sale[] = await catalogue.sales({
      limit: SALES_PAGE,
      ...(after === undefined ? {} : { after }),
    });
    for (const sale of page) {
      const known = directory.sale(sale.saleId);
      if (known !== null && known.version >= sale.version) continue;
      directory.put(sale, await catalogue.skus(sale.saleId));
      loadedCount++;
    }
    after = page.at(-1)?.saleId;
    if (page.length < SALES_PAGE || after === undefined) return loadedCount;
  }
}
