// Short texts as bytes, outside what the garbage collector walks: a hot SKU keeps a million shopper
// ids, and as strings each would be two objects that every collection visits.

import { assert } from "../../assert.ts";

/** Places grow in steps of so many bytes; the first byte of a place is the text's length. */
const STEP_BYTES = 16;
const TEXT_BYTES_MAX = 128;
const STEPS = Math.ceil((TEXT_BYTES_MAX + 1) / STEP_BYTES);
/** A power of two: a place is its chunk and its index in it, by a shift and a mask. */
const CHUNK_BITS = 9;
const PLACES_PER_CHUNK = 1 << CHUNK_BITS;
const INDEX_MASK = PLACES_PER_CHUNK - 1;

/** Low bits of a reference: how many steps long its place is. */
const STEP_BITS = 4;
const STEP_MASK = (1 << STEP_BITS) - 1;

class Places {
  readonly bytes: number;
  readonly chunks: Uint8Array[] = [];
  readonly free: number[] = [];
  count = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  take(): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    if (this.count === this.chunks.length * PLACES_PER_CHUNK) {
      this.chunks.push(new Uint8Array(this.bytes * PLACES_PER_CHUNK));
    }
    return this.count++;
  }
}

const decoder = new TextDecoder();

export class TextSlab {
  readonly #places = Array.from(
    { length: STEPS },
    (_, index) => new Places((index + 1) * STEP_BYTES),
  );
  #views = 0;
  /** Freed while frozen. */
  #kept: number[] = [];

  /**
   * Hot path (bench/hold.ts).
   *
   * Shape    ASCII, at most 128 characters.
   * Returns  a reference, good until it is freed.
   */
  put(text: string): number {
    assert(text.length <= TEXT_BYTES_MAX, "a text fits the longest place");
    const step = text.length >> STEP_BITS;
    const places = this.#places[step]!;
    const index = places.take();
    const chunk = places.chunks[index >>> CHUNK_BITS]!;
    let at = (index & INDEX_MASK) * places.bytes;
    chunk[at] = text.length;
    for (let from = 0; from < text.length; from += 1) {
      at += 1;
      chunk[at] = text.charCodeAt(from);
    }
    return (index << STEP_BITS) | step;
  }

  /** Hot path. */
  is(ref: number, text: string): boolean {
    const places = this.#places[ref & STEP_MASK]!;
    const index = ref >>> STEP_BITS;
    const chunk = places.chunks[index >>> CHUNK_BITS]!;
    let at = (index & INDEX_MASK) * places.bytes;
    if (chunk[at] !== text.length) return false;
    for (let from = 0; from < text.length; from += 1) {
      at += 1;
      if (chunk[at] !== text.charCodeAt(from)) return false;
    }
    return true;
  }

  read(ref: number): string {
    const places = this.#places[ref & STEP_MASK]!;
    const index = ref >>> STEP_BITS;
    const chunk = places.chunks[index >>> CHUNK_BITS]!;
    const at = (index & INDEX_MASK) * places.bytes;
    return decoder.decode(chunk.subarray(at + 1, at + 1 + chunk[at]!));
  }

  free(ref: number): void {
    if (this.#views > 0) this.#kept.push(ref);
    else this.#places[ref & STEP_MASK]!.free.push(ref >>> STEP_BITS);
  }

  /** From now on what is freed can still be read, until as many `thaw`. */
  freeze(): void {
    this.#views += 1;
  }

  thaw(): void {
    assert(this.#views > 0, "it was frozen");
    this.#views -= 1;
    if (this.#views > 0) return;
    const kept = this.#kept;
    this.#kept = [];
    for (const ref of kept) this.free(ref);
  }
}
