// The published sales in memory: what every hot path looks a SKU up in. Filled from the catalogue
// at start and at each new version; it never asks a database for a look-up, so sales already loaded
// go on while the control database is away.

import { assert } from "../core/assert.ts";
import { partitionOf, skuKeyOf, skuTagOf } from "../core/ids.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { Sale, SaleSku } from "../core/sale/sale.ts";

/** A SKU with where it is decided. One shape for all, as a sale may have 100,000 of them. */
export class DirectorySku implements SaleSku, SkuRef {
  readonly sku: string;
  readonly title: string;
  readonly priceMinor: number;
  readonly stock: number;
  readonly limitPerShopper: number;
  readonly group: string | null;
  readonly key: string;
  readonly partition: number;
  readonly sale: DirectorySale;
  #tag: string | null = null;

  constructor(sale: DirectorySale, sku: SaleSku, ref: SkuRef) {
    this.sku = sku.sku;
    this.title = sku.title;
    this.priceMinor = sku.priceMinor;
    this.stock = sku.stock;
    this.limitPerShopper = sku.limitPerShopper;
    this.group = sku.group;
    this.key = ref.key;
    this.partition = ref.partition;
    this.sale = sale;
  }

  /** Makes hold ids; see `holdIdOf`. Made at the first hold. */
  get tag(): string {
    return (this.#tag ??= skuTagOf(this.key));
  }
}

export type DirectorySale = Sale & { readonly skus: ReadonlyMap<string, DirectorySku> };

export class SaleDirectory {
  readonly #partitions: number;
  readonly #sales = new Map<string, DirectorySale>();
  #versionSum = 0;
  /** Null after a change, until somebody asks. */
  #byLatestStart: readonly DirectorySale[] | null = null;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  sale(saleId: string): DirectorySale | null {
    return this.#sales.get(saleId) ?? null;
  }

  /** Hot path: two map look-ups. */
  sku(saleId: string, sku: string): DirectorySku | null {
    return this.#sales.get(saleId)?.skus.get(sku) ?? null;
  }

  sales(): IterableIterator<DirectorySale> {
    return this.#sales.values();
  }

  /** As the catalogue adds them up: the same sum is the same sales. */
  get versionSum(): number {
    return this.#versionSum;
  }

  /** Published sales, the latest start first, then by id. Cost: sorted once for each change. */
  byLatestStart(): readonly DirectorySale[] {
    this.#byLatestStart ??= [...this.#sales.values()]
      .filter(({ version }) => version > 0)
      .sort(compareLatestStart);
    return this.#byLatestStart;
  }

  /** Replaces the sale unless a newer version is here already. Cost: O(SKUs). */
  put(sale: Sale, skus: readonly SaleSku[]): DirectorySale {
    const known = this.#sales.get(sale.saleId);
    if (known !== undefined && known.version > sale.version) return known;
    const bySku = new Map<string, DirectorySku>();
    const entry: DirectorySale = { ...sale, skus: bySku };
    for (const sku of skus) {
      bySku.set(sku.sku, new DirectorySku(entry, sku, this.refOf(sale.saleId, sku)));
    }
    this.#sales.set(sale.saleId, entry);
    this.#versionSum += sale.version - (known?.version ?? 0);
    this.#byLatestStart = null;
    assert(this.#versionSum >= sale.version, "versions add up");
    return entry;
  }

  /** Where a SKU of a sale that is not published yet will be decided. */
  refOf(saleId: string, sku: SaleSku): SkuRef {
    const key = skuKeyOf(saleId, sku.sku);
    return { key, partition: partitionOf(saleId, sku.sku, sku.group, this.#partitions) };
  }
}

function compareLatestStart(left: Sale, right: Sale): number {
  return right.startsAtMs - left.startsAtMs || (left.saleId < right.saleId ? -1 : 1);
}
