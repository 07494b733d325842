// The live holds of a book. A hot SKU has a million of them, so they are kept in columns of typed
// arrays: as objects, maps and strings they took four times the memory, and the garbage collector
// walked them again and again (bench/hold.ts, bench/growth).
//
//   H1  a SKU and a shopper have at most one hold
//   H2  a slot is one hold's until it is dropped; then another hold may get it
//   H3  a `Hold` is a copy: it says what was, and changes through the table alone
//   H4  an empty table has given its memory back

import { assert } from "../../assert.ts";
import { DeadlineHeap } from "./deadlines.ts";
import { SlotIndex } from "./slot-index.ts";
import { TextSlab } from "./text-slab.ts";

/** What a hold is made of. */
export type NewHoldOf<Sku> = {
  readonly sku: Sku;
  readonly shopper: string;
  /** Grows by one with each new hold of the SKU; with the SKU's tag it is the hold id. */
  readonly number: number;
  readonly quantity: number;
  readonly priceMinor: number;
  readonly deadlineMs: number;
  /** The order that has it pinned (`paying`), or null (`open`). */
  readonly orderId: string | null;
  /** True once a pin has set the deadline: a second pin never moves it. */
  readonly wasPinned: boolean;
};

/** A hold as it is at this moment (H3). */
export type HoldOf<Sku> = NewHoldOf<Sku> & { readonly slot: number };

/** A power of two: a slot is its chunk and its place in it, by a shift and a mask. */
const CHUNK_BITS = 9;
const SLOTS_PER_CHUNK = 1 << CHUNK_BITS;
const PLACE_MASK = SLOTS_PER_CHUNK - 1;

/** `flags` */
const TAKEN = 1;
const WAS_PINNED = 2;

class Chunk<Sku> {
  readonly flags = new Uint8Array(SLOTS_PER_CHUNK);
  readonly quantity = new Uint8Array(SLOTS_PER_CHUNK);
  readonly hash = new Int32Array(SLOTS_PER_CHUNK);
  /** References into the slab. */
  readonly shopper = new Int32Array(SLOTS_PER_CHUNK);
  readonly number = new Float64Array(SLOTS_PER_CHUNK);
  readonly priceMinor = new Float64Array(SLOTS_PER_CHUNK);
  readonly deadlineMs = new Float64Array(SLOTS_PER_CHUNK);
  readonly sku: (Sku | null)[] = Array.from({ length: SLOTS_PER_CHUNK }, () => null);
}

export class HoldTable<Sku extends { readonly key: string }> {
  #chunks: Chunk<Sku>[] = [];
  #free: number[] = [];
  #slotCount = 0;
  #size = 0;
  #index = new SlotIndex();
  #shoppers = new TextSlab();
  #deadlines = this.#newDeadlines();
  /** Orders that have a hold pinned, by slot. */
  readonly #orderIds = new Map<number, string>();

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
    const index = this.#index;
    for (let at = index.first(hash); !index.isEmpty(at); at = index.next(at)) {
      if (index.has(at, hash) && this.#isOf(index.slot(at), shopper)) {
        holds.push(this.#at(index.slot(at)));
      }
    }
    return holds.sort((left, right) => (left.sku.key < right.sku.key ? -1 : 1));
  }

  /** All holds by SKU, in order of their numbers. Cost: O(holds). */
  bySku(): ReadonlyMap<Sku, readonly HoldOf<Sku>[]> {
    const bySku = new Map<Sku, HoldOf<Sku>[]>();
    for (let slot = 0; slot < this.#slotCount; slot += 1) {
      if ((this.#chunkOf(slot).flags[slot & PLACE_MASK]! & TAKEN) === 0) continue;
      const hold = this.#at(slot);
      const known = bySku.get(hold.sku);
      if (known === undefined) bySku.set(hold.sku, [hold]);
      else known.push(hold);
    }
    for (const holds of bySku.values()) holds.sort(byNumber);
    return bySku;
  }

  /** Hot path (bench/hold.ts). */
  add(hold: NewHoldOf<Sku>): void {
    const { sku, shopper } = hold;
    const hash = hashOf(shopper);
    assert(this.#slotOf(sku, shopper, hash) === -1, "a shopper got a second hold on one SKU");
    const slot = this.#take();
    const chunk = this.#chunkOf(slot);
    const at = slot & PLACE_MASK;
    chunk.flags[at] = TAKEN | (hold.wasPinned ? WAS_PINNED : 0);
    chunk.quantity[at] = hold.quantity;
    chunk.hash[at] = hash;
    chunk.shopper[at] = this.#shoppers.put(shopper);
    chunk.number[at] = hold.number;
    chunk.priceMinor[at] = hold.priceMinor;
    chunk.deadlineMs[at] = hold.deadlineMs;
    chunk.sku[at] = sku;
    if (hold.orderId !== null) this.#orderIds.set(slot, hold.orderId);
    this.#index.add(hash, slot);
    this.#deadlines.push(slot, hold.deadlineMs);
    this.#size += 1;
  }

  drop(hold: HoldOf<Sku>): void {
    const { slot } = hold;
    const chunk = this.#current(hold);
    const at = slot & PLACE_MASK;
    this.#index.remove(chunk.hash[at]!, slot);
    this.#shoppers.free(chunk.shopper[at]!);
    this.#orderIds.delete(slot);
    this.#deadlines.wentStale();
    chunk.flags[at] = 0;
    chunk.sku[at] = null;
    this.#free.push(slot);
    this.#size -= 1;
    if (this.#size === 0 && this.#chunks.length > 1) this.#giveBack();
  }

  setQuantity(hold: HoldOf<Sku>, quantity: number): void {
    this.#current(hold).quantity[hold.slot & PLACE_MASK] = quantity;
  }

  /** The order has it, until `deadlineMs`. */
  pin(hold: HoldOf<Sku>, orderId: string, deadlineMs: number): void {
    const chunk = this.#current(hold);
    const at = hold.slot & PLACE_MASK;
    this.#orderIds.set(hold.slot, orderId);
    chunk.flags[at] = TAKEN | WAS_PINNED;
    if (deadlineMs === hold.deadlineMs) return;
    chunk.deadlineMs[at] = deadlineMs;
    this.#deadlines.wentStale();
    this.#deadlines.push(hold.slot, deadlineMs);
  }

  unpin(hold: HoldOf<Sku>): void {
    this.#current(hold);
    this.#orderIds.delete(hold.slot);
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
    const index = this.#index;
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
    const chunk = this.#chunkOf(slot);
    const at = slot & PLACE_MASK;
    const sku = chunk.sku[at]!;
    assert(sku !== null, "the slot is taken");
    return {
      slot,
      sku,
      shopper: this.#shoppers.read(chunk.shopper[at]!),
      number: chunk.number[at]!,
      quantity: chunk.quantity[at]!,
      priceMinor: chunk.priceMinor[at]!,
      deadlineMs: chunk.deadlineMs[at]!,
      orderId: this.#orderIds.get(slot) ?? null,
      wasPinned: (chunk.flags[at]! & WAS_PINNED) !== 0,
    };
  }

  /** The chunk of a hold that is still the one in its slot (H2). */
  #current(hold: HoldOf<Sku>): Chunk<Sku> {
    const chunk = this.#chunkOf(hold.slot);
    const at = hold.slot & PLACE_MASK;
    const isSame = chunk.sku[at] === hold.sku && chunk.number[at] === hold.number;
    assert(isSame, "the hold was dropped meanwhile");
    return chunk;
  }

  #chunkOf(slot: number): Chunk<Sku> {
    return this.#chunks[slot >>> CHUNK_BITS]!;
  }

  #take(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    if (this.#slotCount === this.#chunks.length * SLOTS_PER_CHUNK) this.#chunks.push(new Chunk());
    return this.#slotCount++;
  }

  #giveBack(): void {
    this.#chunks = [];
    this.#free = [];
    this.#slotCount = 0;
    this.#index = new SlotIndex();
    this.#shoppers = new TextSlab();
    this.#deadlines = this.#newDeadlines();
  }

  /** Is it still the deadline of the hold in this slot? */
  #newDeadlines(): DeadlineHeap {
    return new DeadlineHeap((slot, deadlineMs) => {
      const chunk = this.#chunkOf(slot);
      const at = slot & PLACE_MASK;
      return chunk.flags[at] !== 0 && chunk.deadlineMs[at] === deadlineMs;
    });
  }
}

function byNumber(left: { readonly number: number }, right: { readonly number: number }): number {
  return left.number - right.number;
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
