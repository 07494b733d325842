// The history of one SKU, from the ledger's own batches.

import type { ApiKeyOwner } from "../core/ports/accounts.ts";
import type { ExplainedEvent } from "../core/ports/stock.ts";
import { decodeBatch } from "../core/stock/codec.ts";
import type { ShopPorts } from "./ports.ts";
import type { Explained } from "./shop.ts";

/** `limit` counts batches; one batch may carry many events. Null: no such SKU of this merchant. */
export async function explain(
  ports: Pick<ShopPorts, "directory" | "stock" | "ledger">,
  merchant: ApiKeyOwner,
  request: { saleId: string; sku: string; afterSeq: number; limit: number },
): Promise<Explained | null> {
  const sku = ports.directory.sku(request.saleId, request.sku);
  if (sku?.sale.merchantId !== merchant.merchantId) return null;
  const { key, partition } = sku;
  const { afterSeq, limit } = request;
  const [[counts], rows] = await Promise.all([
    ports.stock.counts([sku]),
    ports.ledger.read({ partition, afterSeq, limit, skuKey: key }),
  ]);
  const events: ExplainedEvent[] = [];
  for (const { seq, claim, bytes } of rows) {
    const batch = decodeBatch(bytes);
    for (const { skuIndex, event } of batch.events) {
      if (batch.skuKeys[skuIndex] !== key) continue;
      events.push({ partition, seq, claim, atMs: batch.atMs, event });
    }
  }
  const next = rows.length < limit ? null : (rows.at(-1)?.seq ?? null);
  return { counts: counts ?? null, events, next };
}
