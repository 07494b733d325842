// What operators see of a node's actors: plain counters, read at scrape. Hot path: additions only.

/** Upper bounds in milliseconds; a commit on a healthy disk takes 0.3 to 5. */
const COMMIT_BUCKETS_MS = [0.5, 1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 1_500] as const;
/** Answers that left with one commit. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096] as const;

export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
    this.count++;
  }

  /** The upper bound of the bucket that holds the quantile; 0 without values. */
  quantile(q: number): number {
    let left = q * this.count;
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0 && this.count > 0) return this.bounds[bucket] ?? Number.POSITIVE_INFINITY;
    }
    return 0;
  }
}

export class NodeStats {
  readonly commitMs = new Histogram(COMMIT_BUCKETS_MS);
  readonly batchAnswers = new Histogram(BATCH_BUCKETS);
  commits = 0;
  committedBytes = 0;
  fenced = 0;
  unknown = 0;
  halted = 0;
  /** Units that left memory for the archive, and came back. */
  archived = 0;
  restored = 0;
  /** The largest drift seen between the store's clock and a partition's, with its sign. */
  driftMs = 0;
}
