// The live holds of a book. A hot SKU has a million of them, so they are kept in columns of typed
// arrays: as objects, maps and strings they took four times the memory, and the garbage collector
// walked them again and again (bench/hold.ts, bench/growth).
//
//   H1  a SKU and a shopper have at most one hold
//   H2  slots are taken in order, so holds of a SKU lie in the order of their numbers; a chunk whose
//       holds are all gone goes, as all do in the end: each has a deadline
//   H3  a `Hold` is a copy: it says what was, and changes through the table alone
//   H4  an empty table has given its memory back

import { assert } from "../../assert.ts";
import { DeadlineHeap } from "./deadlines.ts";
import { FrozenHolds } from "./frozen-holds.ts";
import {
  CHUNK_BITS,
  HoldChunk,
  holdIn,
  PLACE_MASK,
  SLOTS_PER_CHUNK,
  TAKEN,
  WAS_PINNED,
} from "./hold-chunk.ts";
import type { HoldOf, NewHoldOf } from "./hold.ts";
import { SlotIndex } from "./slot-index.ts";
import { TextSlab } from "./text-slab.ts";

/** Leaves 6 bits: 64 parts. Moving a million entries at once stopped the node for 30 ms. */
const INDEX_PART_SHIFT = 26;

export class HoldTable<Sku extends { readonly key: string }> {
  /** By index; null: free to be taken again. */
  #chunks: (HoldChunk<Sku> | null)[] = [];
  /** Indexes of the chunks there are, oldest first. The last one is being filled. */
  #order: number[] = [];
  #freeIndexes: number[] = [];
  #size = 0;
  /** By the top bits of the hash, so that only a part has to move when it grows. */
  #index: (SlotIndex | undefined)[] = [];
  #shoppers = new TextSlab();
  #deadlines = this.#newDeadlines();

  get size(): number {
    return this.#size;
  }

  /** Hot path (bench/hold.ts). Null: the shopper holds nothing of this SKU. */
  get(sku: Sku, shopper: string): HoldOf<Sku> | null {
    const slot = this.#slotOf(sku, shopper, hashOf(shopper));
    return slot === -1 ? null : this.#at(slot);
  }

  /** The shopper's holds of all SKUs, by key: the cart. */
  ofShopper(shopper: string): HoldOf<Sku>[] {
    const hash = hashOf(shopper);
    const holds: HoldOf<Sku>[] = [];
    const index = this.#index[partOf(hash)];
    if (index === undefined) return holds;
    for (let at = index.first(hash); !index.isEmpty(at); at = index.next(at)) {
      if (index.has(at, hash) && this.#isOf(index.slot(at), shopper)) {
        holds.push(this.#at(index.slot(at)));
      }
    }
    return holds.sort((left, right) => (left.sku.key < right.sku.key ? -1 : 1));
  }

  /** All holds by SKU, oldest first. Cost: O(holds). */
  bySku(): ReadonlyMap<Sku, readonly NewHoldOf<Sku>[]> {
    const frozen = this.freeze();
    const bySku = new Map<Sku, NewHoldOf<Sku>[]>();
    for (const [sku, places] of frozen.placesBySku()) {
      bySku.set(
        sku,
        places.map((place) => frozen.at(place)),
      );
    }
    frozen.thaw();
    return bySku;
  }

  /** All holds as they are now, to be read later; see FrozenHolds. Cost: O(chunks). */
  freeze(): FrozenHolds<Sku> {
    const chunks = this.#order.map((index) => this.#chunks[index]!);
    return new FrozenHolds(chunks, this.#shoppers);
  }

  /** Hot path (bench/hold.ts). */
  add(hold: NewHoldOf<Sku>): void {
    const { sku, shopper } = hold;
    const hash = hashOf(shopper);
    assert(this.#slotOf(sku, shopper, hash) === -1, "a shopper got a second hold on one SKU");
    const index = this.#indexWithRoom();
    const chunk = this.#writable(index);
    const place = chunk.used;
    chunk.used += 1;
    chunk.live += 1;
    chunk.flags[place] = TAKEN | (hold.wasPinned ? WAS_PINNED : 0);
    chunk.quantity[place] = hold.quantity;
    chunk.hash[place] = hash;
    chunk.shopper[place] = this.#shoppers.put(shopper);
    chunk.number[place] = hold.number;
    chunk.priceMinor[place] = hold.priceMinor;
    chunk.deadlineMs[place] = hold.deadlineMs;
    chunk.sku[place] = sku;
    if (hold.orderId !== null) chunk.orderId.set(place, hold.orderId);
    const slot = (index << CHUNK_BITS) | place;
    (this.#index[partOf(hash)] ??= new SlotIndex()).add(hash, slot);
    this.#deadlines.push(slot, hold.deadlineMs);
    this.#size += 1;
  }

  drop(hold: HoldOf<Sku>): void {
    const chunk = this.#current(hold);
    const place = hold.slot & PLACE_MASK;
    const hash = chunk.hash[place]!;
    this.#index[partOf(hash)]!.remove(hash, hold.slot);
    this.#shoppers.free(chunk.shopper[place]!);
    this.#deadlines.wentStale();
    chunk.orderId.delete(place);
    chunk.flags[place] = 0;
    chunk.sku[place] = null;
    chunk.live -= 1;
    this.#size -= 1;
    if (chunk.live === 0 && chunk.used === SLOTS_PER_CHUNK) this.#release(hold.slot >>> CHUNK_BITS);
    if (this.#size === 0 && this.#chunks.length > 1) this.#giveBack();
  }

  setQuantity(hold: HoldOf<Sku>, quantity: number): void {
    this.#current(hold).quantity[hold.slot & PLACE_MASK] = quantity;
  }

  /** The order has it, until `deadlineMs`. */
  pin(hold: HoldOf<Sku>, orderId: string, deadlineMs: number): void {
    const chunk = this.#current(hold);
    const place = hold.slot & PLACE_MASK;
    chunk.orderId.set(place, orderId);
    chunk.flags[place] = TAKEN | WAS_PINNED;
    if (deadlineMs === hold.deadlineMs) return;
    chunk.deadlineMs[place] = deadlineMs;
    this.#deadlines.wentStale();
    this.#deadlines.push(hold.slot, deadlineMs);
  }

  unpin(hold: HoldOf<Sku>): void {
    this.#current(hold).orderId.delete(hold.slot & PLACE_MASK);
  }

  /** The earliest hold whose deadline is at or before `nowMs`; it stays in. Null when none. */
  due(nowMs: number): HoldOf<Sku> | null {
    const slot = this.#deadlines.due(nowMs);
    return slot === -1 ? null : this.#at(slot);
  }

  /** When to look again: never later than the earliest deadline. Infinity when there is none. */
  nextMs(): number {
    return this.#deadlines.nextMs();
  }

  #slotOf(sku: Sku, shopper: string, hash: number): number {
    const index = this.#index[partOf(hash)];
    if (index === undefined) return -1;
    for (let at = index.first(hash); !index.isEmpty(at); at = index.next(at)) {
      if (!index.has(at, hash)) continue;
      const slot = index.slot(at);
      if (this.#chunkOf(slot).sku[slot & PLACE_MASK] !== sku) continue;
      if (this.#isOf(slot, shopper)) return slot;
    }
    return -1;
  }

  #isOf(slot: number, shopper: string): boolean {
    return this.#shoppers.is(this.#chunkOf(slot).shopper[slot & PLACE_MASK]!, shopper);
  }

  #at(slot: number): HoldOf<Sku> {
    return holdIn(this.#chunkOf(slot), slot, this.#shoppers);
  }

  #chunkOf(slot: number): HoldChunk<Sku> {
    return this.#chunks[slot >>> CHUNK_BITS]!;
  }

  /** The chunk of a hold that is still the one in its slot, to be written. */
  #current(hold: HoldOf<Sku>): HoldChunk<Sku> {
    const chunk = this.#chunks[hold.slot >>> CHUNK_BITS];
    const place = hold.slot & PLACE_MASK;
    const isSame = chunk?.sku[place] === hold.sku && chunk.number[place] === hold.number;
    assert(isSame, "the hold was dropped meanwhile");
    return this.#writable(hold.slot >>> CHUNK_BITS);
  }

  #writable(index: number): HoldChunk<Sku> {
    const chunk = this.#chunks[index]!;
    if (chunk.views === 0) return chunk;
    const copy = chunk.copy();
    this.#chunks[index] = copy;
    return copy;
  }

  #indexWithRoom(): number {
    const last = this.#order.at(-1);
    if (last !== undefined && this.#chunks[last]!.used < SLOTS_PER_CHUNK) return last;
    const index = this.#freeIndexes.pop() ?? this.#chunks.length;
    this.#chunks[index] = new HoldChunk();
    this.#order.push(index);
    return index;
  }

  #release(index: number): void {
    this.#chunks[index] = null;
    this.#freeIndexes.push(index);
    this.#order.splice(this.#order.indexOf(index), 1);
  }

  #giveBack(): void {
    this.#chunks = [];
    this.#order = [];
    this.#freeIndexes = [];
    this.#index = [];
    this.#shoppers = new TextSlab();
    this.#deadlines = this.#newDeadlines();
  }

  /** Is it still the deadline of the hold in this slot? */
  #newDeadlines(): DeadlineHeap {
    return new DeadlineHeap((slot, deadlineMs) => {
      const chunk = this.#chunks[slot >>> CHUNK_BITS];
      if (chunk === null || chunk === undefined) return false;
      const place = slot & PLACE_MASK;
      return chunk.flags[place] !== 0 && chunk.deadlineMs[place] === deadlineMs;
    });
  }
}

function partOf(hash: number): number {
  return hash >>> INDEX_PART_SHIFT;
}

/** FNV-1a, and a last mix so that the low bits alone spread well. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
