import type { LedgerRow } from "./ledger.ts";

/**
 * Where owners hand their committed batches on to the ledger's projection. Never on the path of an
 * answer: `committed` returns at once.
 */
export interface LedgerFeed {
  committed(row: LedgerRow): void;
  /** The partition is served here; its journal is at `seq`. */
  serving(partition: number, seq: number): void;
  /** It is not served here any more. */
  dropped(partition: number): void;
  /** True while so much is not in the ledger yet that no new hold may be taken. */
  isFull(): boolean;
  /** Highest seq of the partition in the ledger. Faults: store_unavailable, unknown. */
  highest(partition: number): Promise<number>;
  /** The same as far as it is known here, without asking; 0 when it is not. */
  known(partition: number): number;
}
