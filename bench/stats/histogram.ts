// Latencies: a log-linear histogram (the HDR layout) over microseconds, exact to 1 part in 1,024
// from 1 µs to about 70 minutes. Histograms of several processes are merged by adding counts;
// percentiles are never averaged.

import { assert } from "../../src/core/assert.ts";

/** Values below 2 × HALF have a bucket each; above, HALF buckets for each doubling. */
const HALF = 1_024;
const HALF_BITS = 10;
const DOUBLINGS = 21;
const VALUE_MAX = 2 * HALF * 2 ** DOUBLINGS - 1;
const BUCKETS = HALF * (DOUBLINGS + 2);

/** What travels between processes and into the JSON: pairs of bucket and count, flat. */
export type SparseHistogram = readonly number[];

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get maxUs(): number {
    return this.#max;
  }

  /** Hot path: once a request in the generator. */
  record(valueUs: number): void {
    const value = valueUs < 0 ? 0 : valueUs > VALUE_MAX ? VALUE_MAX : Math.round(valueUs);
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count += 1;
    if (value > this.#max) this.#max = value;
  }

  /** The value that `q` (0–1) of all values are not above; 0 without values. */
  quantileUs(q: number): number {
    const wanted = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket] as number;
      if (seen >= wanted) return Math.min(upperBoundOf(bucket), this.#max);
    }
    return 0;
  }

  meanUs(): number {
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      sum += (this.#counts[bucket] as number) * upperBoundOf(bucket);
    }
    return this.#count === 0 ? 0 : sum / this.#count;
  }

  add(other: SparseHistogram): void {
    for (let index = 0; index + 1 < other.length; index += 2) {
      const bucket = other[index] as number;
      const count = other[index + 1] as number;
      assert(bucket >= 0 && bucket < BUCKETS && count > 0, "a bucket of this layout");
      this.#counts[bucket] = (this.#counts[bucket] as number) + count;
      this.#count += count;
      this.#max = Math.max(this.#max, upperBoundOf(bucket));
    }
  }

  sparse(): SparseHistogram {
    const pairs: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = this.#counts[bucket] as number;
      if (count > 0) pairs.push(bucket, count);
    }
    return pairs;
  }

  static of(...parts: readonly SparseHistogram[]): Histogram {
    const histogram = new Histogram();
    for (const part of parts) histogram.add(part);
    return histogram;
  }
}

function bucketOf(value: number): number {
  if (value < 2 * HALF) return value;
  const doublings = 31 - Math.clz32(Math.floor(value / (2 * HALF))) + 1;
  return doublings * HALF + Math.floor(value / 2 ** doublings);
}

/** The highest value that a bucket holds. */
function upperBoundOf(bucket: number): number {
  if (bucket < 2 * HALF) return bucket;
  const doublings = (bucket >> HALF_BITS) - 1;
  return ((bucket & (HALF - 1)) + HALF + 1) * 2 ** doublings - 1;
}
