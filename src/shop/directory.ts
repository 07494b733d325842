// The published sales in memory: what every hot path looks a SKU up in. Filled from the catalogue
// at start and at each new version; it never asks a database for a look-up, so sales already loaded
// go on while the control database is away.

import { assert } from "../core/assert.ts";
import { partitionOf, skuKeyOf, skuTagOf } from "../core/ids.ts";
import { PARTITIONS_MAX, SALE_SKUS_MAX, SKUS_ASKED_MAX } from "../core/limits.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { Sale, SaleSku } from "../core/sale/sale.ts";

export type DirectorySale = Sale & { readonly skus: SaleSkus };

/** What many SKUs of a sale have in common. */
type Terms = Pick<SaleSku, "priceMinor" | "stock" | "limitPerShopper" | "group">;

/** A sale's SKUs in the order of their names, without an object for each. */
type SkuTable = {
  /** All of them, one after the other. */
  readonly names: string;
  readonly titles: string;
  readonly terms: readonly Terms[];
  /** ROW numbers a SKU; a name and a title begin where those of the row before end. */
  readonly rows: Uint32Array;
};

/** PLACE is an index into `terms` and a partition: index × PARTITIONS_MAX + partition. */
const [NAME_END, TITLE_END, PLACE, ROW] = [0, 1, 2, 3];
assert(SALE_SKUS_MAX * PARTITIONS_MAX < 2 ** 32, "a place fits into a number of a row");

/** A SKU with where it is decided. One shape for all. */
export class DirectorySku implements SaleSku, SkuRef {
  readonly sku: string;
  readonly key: string;
  readonly partition: number;
  readonly sale: DirectorySale;
  readonly #table: SkuTable;
  readonly #row: number;
  #tag: string | null = null;

  constructor(sale: DirectorySale, table: SkuTable, row: number) {
    this.sku = nameAt(table, row);
    this.key = skuKeyOf(sale.saleId, this.sku);
    this.partition = cell(table, row, PLACE) % PARTITIONS_MAX;
    this.sale = sale;
    this.#table = table;
    this.#row = row;
  }

  get title(): string {
    const { titles } = this.#table;
    const from = this.#row === 0 ? 0 : cell(this.#table, this.#row - 1, TITLE_END);
    return titles.slice(from, cell(this.#table, this.#row, TITLE_END));
  }

  get priceMinor(): number {
    return this.#terms.priceMinor;
  }

  get stock(): number {
    return this.#terms.stock;
  }

  get limitPerShopper(): number {
    return this.#terms.limitPerShopper;
  }

  get group(): string | null {
    return this.#terms.group;
  }

  /** Makes hold ids; see `holdIdOf`. Made at the first hold. */
  get tag(): string {
    return (this.#tag ??= skuTagOf(this.key));
  }

  get #terms(): Terms {
    return this.#table.terms[Math.floor(cell(this.#table, this.#row, PLACE) / PARTITIONS_MAX)]!;
  }
}

/**
 * The SKUs of a sale by name. A node keeps a million of them, nearly all idle: a SKU is a row until
 * it is asked for, and then an object for as long as few enough are (bench/growth).
 */
export class SaleSkus {
  readonly size: number;
  readonly #sale: DirectorySale;
  readonly #table: SkuTable;
  readonly #asked = new Map<string, DirectorySku>();

  constructor(sale: Sale, skus: readonly SaleSku[], partitions: number) {
    this.size = skus.length;
    this.#sale = { ...sale, skus: this };
    this.#table = tableOf(sale.saleId, skus, partitions);
  }

  get sale(): DirectorySale {
    return this.#sale;
  }

  /** Hot path (bench/http-hold.ts): one map look-up; log2(SKUs) names at the first. */
  get(sku: string): DirectorySku | undefined {
    return this.#asked.get(sku) ?? this.#ask(sku);
  }

  has(sku: string): boolean {
    return this.#rowOf(sku) !== null;
  }

  /** In the order of their names. Made as they are taken: nothing of them is kept here. */
  *values(): IterableIterator<DirectorySku> {
    for (let row = 0; row < this.size; row += 1) {
      yield new DirectorySku(this.#sale, this.#table, row);
    }
  }

  #ask(name: string): DirectorySku | undefined {
    const row = this.#rowOf(name);
    if (row === null) return undefined;
    const sku = new DirectorySku(this.#sale, this.#table, row);
    if (this.#asked.size >= SKUS_ASKED_MAX) this.#asked.clear();
    // Not the name that was asked with: it would keep the request's text in memory.
    this.#asked.set(sku.sku, sku);
    return sku;
  }

  #rowOf(name: string): number | null {
    let low = 0;
    let high = this.size - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = nameAt(this.#table, middle);
      if (found === name) return middle;
      if (found < name) low = middle + 1;
      else high = middle - 1;
    }
    return null;
  }
}

function tableOf(saleId: string, unordered: readonly SaleSku[], partitions: number): SkuTable {
  assert(unordered.length <= SALE_SKUS_MAX, "more SKUs than a sale may have");
  assert(partitions <= PARTITIONS_MAX, "more partitions than a cluster may have");
  const skus = inOrder(unordered);
  const rows = new Uint32Array(skus.length * ROW);
  const terms: Terms[] = [];
  const known = new Map<string, number>();
  let nameEnd = 0;
  let titleEnd = 0;
  for (const [row, sku] of skus.entries()) {
    assert(row === 0 || skus[row - 1]!.sku < sku.sku, "a sale names a SKU once");
    const { priceMinor, stock, limitPerShopper, group } = sku;
    const text = `${priceMinor} ${stock} ${limitPerShopper} ${group ?? ""}`;
    let index = known.get(text);
    if (index === undefined) {
      index = terms.push({ priceMinor, stock, limitPerShopper, group }) - 1;
      known.set(text, index);
    }
    nameEnd += sku.sku.length;
    titleEnd += sku.title.length;
    const from = row * ROW;
    rows[from + NAME_END] = nameEnd;
    rows[from + TITLE_END] = titleEnd;
    const partition = partitionOf(saleId, sku.sku, group, partitions);
    rows[from + PLACE] = index * PARTITIONS_MAX + partition;
  }
  const names = skus.map(({ sku }) => sku).join("");
  const titles = skus.map(({ title }) => title).join("");
  assert(names.length === nameEnd && titles.length === titleEnd, "names and titles are whole");
  return { names, titles, terms, rows };
}

/** By name, as the catalogue reads them. */
function inOrder(skus: readonly SaleSku[]): readonly SaleSku[] {
  for (let index = 1; index < skus.length; index += 1) {
    if (skus[index - 1]!.sku > skus[index]!.sku) {
      return skus.toSorted((left, right) => (left.sku < right.sku ? -1 : 1));
    }
  }
  return skus;
}

function nameAt(table: SkuTable, row: number): string {
  const from = row === 0 ? 0 : cell(table, row - 1, NAME_END);
  return table.names.slice(from, cell(table, row, NAME_END));
}

function cell({ rows }: SkuTable, row: number, column: number): number {
  return rows[row * ROW + column]!;
}

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
    const entry = new SaleSkus(sale, skus, this.#partitions).sale;
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
