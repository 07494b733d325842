// The levels of one sale while somebody watches them: counted at first and now and then, changed by
// the feed in between. So news that was lost on its way is late by a recount, never for good.

import { COUNTS_PAGE } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Stock } from "../core/ports/stock.ts";
import { type Level, levelOf } from "../core/sale/level.ts";
import type { DirectorySale, SaleDirectory } from "./directory.ts";

/** Pause between two counts; without a feed they are all there is. */
const RECOUNT_MS = 5_000;
const RECOUNT_ALONE_MS = 1_000;
/** Added for each SKU: a sale of 100,000 is counted every quarter of a minute. */
const RECOUNT_MS_PER_SKU = 0.1;

export type LiveLevelsOptions = {
  readonly saleId: string;
  readonly directory: SaleDirectory;
  readonly stock: Pick<Stock, "counts">;
  readonly clock: Clock;
  /** Does the feed tell of it? */
  readonly hasFeed: boolean;
};

export class LiveLevels {
  readonly #options: LiveLevelsOptions;
  readonly #levels = new Map<string, Level>();
  #changes = new Map<string, Level>();
  /** SKUs that the feed told of since the count under way began: it knows no better. */
  readonly #heard = new Set<string>();
  #counted: DirectorySale | null = null;
  #countedAtMs = 0;
  #isCounting = false;

  constructor(options: LiveLevelsOptions) {
    this.#options = options;
  }

  /** By SKU; empty before the first count. */
  get levels(): ReadonlyMap<string, Level> {
    return this.#levels;
  }

  get isCounted(): boolean {
    return this.#counted !== null;
  }

  /** From the feed. */
  heard(sku: string, level: Level): void {
    if (this.#isCounting) this.#heard.add(sku);
    this.#set(sku, level);
  }

  /** What changed since the last call. */
  takeChanges(): ReadonlyMap<string, Level> {
    const changes = this.#changes;
    if (changes.size > 0) this.#changes = new Map();
    return changes;
  }

  /** Counts when it is time; a new version of the sale is counted at once. */
  look(): void {
    const { directory, saleId, clock, hasFeed } = this.#options;
    const sale = directory.sale(saleId);
    if (sale === null || this.#isCounting) return;
    const pauseMs = (hasFeed ? RECOUNT_MS : RECOUNT_ALONE_MS) + sale.skus.size * RECOUNT_MS_PER_SKU;
    const isDue = clock.monotonicMs() - this.#countedAtMs >= pauseMs;
    if (sale === this.#counted && !isDue) return;
    this.#isCounting = true;
    this.#heard.clear();
    void this.#count(sale).finally(() => {
      this.#isCounting = false;
      this.#countedAtMs = clock.monotonicMs();
    });
  }

  /** Never rejects for an owner that does not answer: its SKUs stay as they were. */
  async #count(sale: DirectorySale): Promise<void> {
    const skus = [...sale.skus.values()];
    for (let from = 0; from < skus.length; from += COUNTS_PAGE) {
      const page = skus.slice(from, from + COUNTS_PAGE);
      const counts = await this.#options.stock.counts(page).catch(() => []);
      page.forEach(({ sku }, index) => {
        const count = counts[index] ?? null;
        if (this.#heard.has(sku)) return;
        // Without a count the hold itself says what is true: better than to turn away.
        if (count !== null) this.#set(sku, levelOf(count));
        else if (!this.#levels.has(sku)) this.#set(sku, "available");
      });
    }
    for (const sku of this.#levels.keys()) if (!sale.skus.has(sku)) this.#levels.delete(sku);
    this.#counted = sale;
  }

  #set(sku: string, level: Level): void {
    if (this.#levels.get(sku) === level) return;
    this.#levels.set(sku, level);
    this.#changes.set(sku, level);
  }
}
