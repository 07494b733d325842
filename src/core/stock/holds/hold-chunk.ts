// Some hundred holds side by side: the columns of a stretch of slots.

import type { HoldOf } from "./hold.ts";
import type { TextSlab } from "./text-slab.ts";

/** A power of two: a slot is its chunk and its place in it, by a shift and a mask. */
export const CHUNK_BITS = 9;
export const SLOTS_PER_CHUNK = 1 << CHUNK_BITS;
export const PLACE_MASK = SLOTS_PER_CHUNK - 1;

/** `flags` */
export const TAKEN = 1;
export const WAS_PINNED = 2;

export class HoldChunk<Sku> {
  readonly flags = new Uint8Array(SLOTS_PER_CHUNK);
  readonly quantity = new Uint8Array(SLOTS_PER_CHUNK);
  readonly hash = new Int32Array(SLOTS_PER_CHUNK);
  /** References into the slab. */
  readonly shopper = new Int32Array(SLOTS_PER_CHUNK);
  readonly number = new Float64Array(SLOTS_PER_CHUNK);
  readonly priceMinor = new Float64Array(SLOTS_PER_CHUNK);
  readonly deadlineMs = new Float64Array(SLOTS_PER_CHUNK);
  sku: (Sku | null)[] = Array.from({ length: SLOTS_PER_CHUNK }, () => null);
  /** Orders that have a hold pinned, by place. */
  orderId = new Map<number, string>();
  /** Places from here on were never taken. */
  used = 0;
  live = 0;
  /** Frozen views that read it: while there are any, whoever writes takes a copy first. */
  views = 0;

  copy(): HoldChunk<Sku> {
    const copy = new HoldChunk<Sku>();
    copy.flags.set(this.flags);
    copy.quantity.set(this.quantity);
    copy.hash.set(this.hash);
    copy.shopper.set(this.shopper);
    copy.number.set(this.number);
    copy.priceMinor.set(this.priceMinor);
    copy.deadlineMs.set(this.deadlineMs);
    copy.sku = [...this.sku];
    copy.orderId = new Map(this.orderId);
    copy.used = this.used;
    copy.live = this.live;
    return copy;
  }
}

/** Hot path: no spread, which costs more than all else here. */
export function holdIn<Sku>(chunk: HoldChunk<Sku>, slot: number, shoppers: TextSlab): HoldOf<Sku> {
  const place = slot & PLACE_MASK;
  return {
    slot,
    sku: chunk.sku[place]!,
    shopper: shoppers.read(chunk.shopper[place]!),
    number: chunk.number[place]!,
    quantity: chunk.quantity[place]!,
    priceMinor: chunk.priceMinor[place]!,
    deadlineMs: chunk.deadlineMs[place]!,
    orderId: chunk.orderId.get(place) ?? null,
    wasPinned: (chunk.flags[place]! & WAS_PINNED) !== 0,
  };
}
