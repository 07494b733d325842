/** One committed batch, kept for good. `bytes` is as in the journal; `skuKeys` finds its SKUs. */
export type LedgerRow = {
  readonly partition: number;
  readonly seq: number;
  readonly claim: number;
  readonly atMs: number;
  readonly skuKeys: readonly string[];
  readonly bytes: string;
};

/** The ledger: the same batches as the journal's. Faults: store_unavailable, unknown. */
export interface Ledger {
  /** Idempotent: a row that is there already stays as it is. Rows of any partitions mixed. */
  append(rows: readonly LedgerRow[]): Promise<void>;
  /** Highest seq stored for each of the partitions asked; absent when there is none. */
  highest(partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /** Rows of a partition above `afterSeq` in order, at most `limit`; with `skuKey`, only its own. */
  read(request: {
    readonly partition: number;
    readonly afterSeq: number;
    readonly limit: number;
    readonly skuKey?: string;
  }): Promise<readonly LedgerRow[]>;
}
