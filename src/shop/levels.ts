// What shoppers see of stock: a word, not a number, at most LEVELS_FRESH_MS old, and the same for
// all who look at a page in that time.

import { LEVEL_PAGES_MAX, LEVELS_FRESH_MS } from "../core/limits.ts";
import type { SkuCounts } from "../core/ports/stock.ts";
import { levelOf } from "../core/sale/level.ts";
import type { DirectorySale, DirectorySku } from "./directory.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import { type PageOf, pageOf } from "./page.ts";
import type { ShopPorts } from "./ports.ts";
import type { SkuLevel } from "./shop.ts";

type Counted = Promise<readonly (SkuCounts | null)[]>;

export class Levels {
  readonly #ports: Pick<ShopPorts, "stock">;
  readonly #pages: ExpiringCache<Counted>;
  /** SKUs of a sale in the order of their names, made once for each version. */
  readonly #sorted = new WeakMap<DirectorySale, readonly DirectorySku[]>();

  constructor(ports: Pick<ShopPorts, "stock" | "runtime">) {
    this.#ports = ports;
    const { clock } = ports.runtime;
    const limits = { freshMs: LEVELS_FRESH_MS, countMax: LEVEL_PAGES_MAX };
    this.#pages = new ExpiringCache({ clock, ...limits });
  }

  /** After the SKU `after`, in the order of their names. */
  async page(
    sale: DirectorySale,
    { after, limit }: { after?: string; limit: number },
  ): Promise<PageOf<SkuLevel>> {
    const skus = this.#skusOf(sale);
    const from = after === undefined ? 0 : firstAbove(skus, after);
    const found = pageOf(skus.slice(from, from + limit + 1), limit, ({ sku }) => sku);
    const counts = await this.#counts(
      `${sale.saleId}@${sale.version}/${from}+${limit}`,
      found.items,
    );
    const items = found.items.map((sku, index) => levelRow(sale, sku, counts[index] ?? null));
    return { items, next: found.next };
  }

  #skusOf(sale: DirectorySale): readonly DirectorySku[] {
    let skus = this.#sorted.get(sale);
    if (skus === undefined) {
      skus = [...sale.skus.values()].sort((left, right) => (left.sku < right.sku ? -1 : 1));
      this.#sorted.set(sale, skus);
    }
    return skus;
  }

  /** All who ask at once share one question; a question that failed is asked again. */
  async #counts(key: string, skus: readonly DirectorySku[]): Counted {
    const fresh = this.#pages.get(key);
    if (fresh !== undefined) return fresh;
    const counted = this.#ports.stock.counts(skus);
    this.#pages.put(key, counted);
    try {
      return await counted;
    } catch (fault) {
      this.#pages.delete(key);
      throw fault;
    }
  }
}

function levelRow(sale: DirectorySale, sku: DirectorySku, counts: SkuCounts | null): SkuLevel {
  const { title, group, limitPerShopper, priceMinor } = sku;
  const unitPrice = { amountMinor: priceMinor, currency: sale.currency };
  // Without a count the hold itself is asked, and says what is true: better than to turn away.
  const level = counts === null ? "available" : levelOf(counts);
  return { sku: sku.sku, title, group, unitPrice, limitPerShopper, level };
}

/** Index of the first SKU whose name is above `name`. */
function firstAbove(skus: readonly DirectorySku[], name: string): number {
  let low = 0;
  let high = skus.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((skus[middle]?.sku ?? "") <= name) low = middle + 1;
    else high = middle;
  }
  return low;
}
