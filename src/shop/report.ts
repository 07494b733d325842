import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import { type Sale, type SaleState, saleStateOf } from "../core/sale/sale.ts";
import { countSkus } from "./count-skus.ts";
import { type ListOf, pageOf, UNKNOWN_AFTER } from "./page.ts";
import type { ShopPorts } from "./ports.ts";
import type { SaleReport } from "./shop.ts";

/** Counts of every SKU and of the orders. Null: no such sale of this merchant. */
export async function report(
  ports: Pick<ShopPorts, "directory" | "stock" | "orders" | "runtime">,
  merchant: ApiKeyOwner,
  saleId: string,
): Promise<SaleReport | null> {
  const sale = ports.directory.sale(saleId);
  if (sale?.merchantId !== merchant.merchantId) return null;
  const skus = [...sale.skus.values()];
  const asOfMs = ports.runtime.clock.wallMs();
  const [counts, orders] = await Promise.all([
    countSkus(ports.stock, skus),
    ports.orders.countsOfSale(saleId),
  ]);
  const named = counts.map((count, index) => ({ ...count, sku: skus[index]?.sku ?? "" }));
  return { saleId, asOfMs, skus: named, orders };
}

/** A merchant's published sales with their states of this moment. */
export async function salesOf(
  ports: Pick<ShopPorts, "catalogue" | "runtime">,
  { merchantId }: ApiKeyOwner,
  page: { after?: string; limit: number },
): Promise<ListOf<Sale & { state: SaleState }>> {
  if (page.after !== undefined) {
    const last = await ports.catalogue.sale(page.after);
    if (last?.merchantId !== merchantId || last.version === 0) return UNKNOWN_AFTER;
  }
  const sales = await ports.catalogue.sales({ ...page, merchantId, limit: page.limit + 1 });
  const nowMs = ports.runtime.clock.wallMs();
  const states = sales.map((sale) => ({ ...sale, state: saleStateOf(sale, nowMs) }));
  return pageOf(states, page.limit, ({ saleId }) => saleId);
}
