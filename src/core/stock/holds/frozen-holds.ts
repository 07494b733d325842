import { CHUNK_BITS, type HoldChunk, holdIn, TAKEN } from "./hold-chunk.ts";
import type { HoldOf } from "./hold.ts";
import type { TextSlab } from "./text-slab.ts";

/** About a quarter of a millisecond. */
const CHUNKS_PER_PAUSE = 32;

/**
 * All holds as they were at one moment, whatever happens to the table meanwhile: it copies what it
 * changes while a view reads it. To be thawed when it is not needed any more.
 */
export class FrozenHolds<Sku> {
  readonly #chunks: readonly HoldChunk<Sku>[];
  readonly #shoppers: TextSlab;

  /** Cost: a counter for each chunk of `chunks`, oldest first. */
  constructor(chunks: readonly HoldChunk<Sku>[], shoppers: TextSlab) {
    this.#chunks = chunks;
    this.#shoppers = shoppers;
    for (const chunk of chunks) chunk.views += 1;
    shoppers.freeze();
  }

  thaw(): void {
    for (const chunk of this.#chunks) chunk.views -= 1;
    this.#shoppers.thaw();
  }

  /** Where the holds of each SKU are, oldest first; what `at` takes. Cost: O(holds), no strings. */
  placesBySku(): ReadonlyMap<Sku, readonly number[]> {
    const bySku = new Map<Sku, number[]>();
    for (const _ of this.gatherPlaces(bySku));
    return bySku;
  }

  /** The same with a pause now and then: fills `bySku`. */
  *gatherPlaces(bySku: Map<Sku, number[]>): Generator<null> {
    for (const [index, chunk] of this.#chunks.entries()) {
      if (index % CHUNKS_PER_PAUSE === CHUNKS_PER_PAUSE - 1) yield null;
      let lastSku: Sku | null = null;
      let lastPlaces: number[] = [];
      for (let place = 0; place < chunk.used; place += 1) {
        const sku = chunk.sku[place]!;
        if ((chunk.flags[place]! & TAKEN) === 0 || sku === null) continue;
        if (sku !== lastSku) {
          lastSku = sku;
          lastPlaces = bySku.get(sku) ?? [];
          bySku.set(sku, lastPlaces);
        }
        lastPlaces.push((index << CHUNK_BITS) | place);
      }
    }
  }

  at(place: number): HoldOf<Sku> {
    return holdIn(this.#chunks[place >>> CHUNK_BITS]!, place, this.#shoppers);
  }
}
