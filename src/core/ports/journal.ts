// The journal: the durable, ordered list of each partition's batches, with its fence.
//
// Every refusal is an answer of its own and writes nothing. An answer that cannot be known (time
// out, cut connection, an echo that does not match) is Fault("unknown"); a store that is surely not
// reached is Fault("store_unavailable"). Nobody may take the one for the other.

/** Who may write a partition. `view` is the member list's number; without a cluster, the term's. */
export type Term = {
  readonly partition: number;
  readonly view: number;
  /** Node id and incarnation. */
  readonly owner: string;
  /** The fencing number that `claim` handed out. */
  readonly claim: number;
};

export type Fenced = {
  readonly kind: "fenced";
  readonly view: number;
  readonly claim: number;
  readonly owner: string;
};

export type ClaimResult =
  | {
      readonly kind: "claimed";
      readonly claim: number;
      /** Number of the last committed batch; 0 when there is none. */
      readonly seq: number;
      /** Id of the last committed batch; "" when there is none. */
      readonly batchId: string;
      readonly generation: string;
      /** The store's clock. */
      readonly nowMs: number;
    }
  /** No fence: never created, or lost. */
  | { readonly kind: "no_state" }
  /** A lower view, or the same view from another owner. */
  | Fenced;

/** One SKU's net change of available units in a batch. */
export type StockDelta = { readonly skuKey: string; readonly delta: number };

export type Commit = {
  readonly term: Term;
  /** The number this batch gets: exactly one above the last. */
  readonly seq: number;
  /** Unique for each batch; the same batch sent again carries the same id. */
  readonly batchId: string;
  readonly bytes: string;
  readonly deltas: readonly StockDelta[];
};

export type CommitResult =
  /** Written, now (`duplicate` false) or by an earlier send of the same batch. */
  | { readonly kind: "committed"; readonly duplicate: boolean; readonly nowMs: number }
  | Fenced
  /** `seq` is not one above the last: a gap or a repeat of another batch. */
  | { readonly kind: "out_of_sequence"; readonly seq: number }
  | { readonly kind: "below_zero"; readonly skuKey: string; readonly available: number }
  | { readonly kind: "no_state" };

export type CheckResult =
  | { readonly kind: "confirmed"; readonly seq: number; readonly nowMs: number }
  | Fenced
  | { readonly kind: "no_state" };

export type JournalEntry = { readonly seq: number; readonly claim: number; readonly bytes: string };

export type Snapshot = { readonly seq: number; readonly pieces: readonly string[] };

/** A snapshot that is being made: at least one piece, each when its writer has time for it. */
export type NewSnapshot = {
  readonly seq: number;
  readonly pieces: Iterable<string> | AsyncIterable<string>;
};

export type FencedWrite =
  | { readonly kind: "done" }
  | Fenced
  /** A snapshot not above the stored one or above the fence's seq; a trim beyond what is allowed. */
  | { readonly kind: "stale"; readonly seq: number }
  | { readonly kind: "no_state" };

export interface Journal {
  /** The store's clock. */
  timeMs(): Promise<number>;
  /** Makes the fence of a new partition; false when it exists already. */
  create(partition: number, generation: string): Promise<boolean>;
  claim(request: {
    readonly partition: number;
    readonly view: number;
    readonly owner: string;
  }): Promise<ClaimResult>;
  /**
   * Validates everything, then writes everything. One in flight for each partition, and no other call
   * of its term meanwhile, but a claim: what is still under way may be overtaken by it, and is fenced.
   */
  commit(request: Commit): Promise<CommitResult>;
  /** Confirms that the term still holds. */
  check(term: Term): Promise<CheckResult>;
  /** The highest view in the fences of `partitions`; 0 when none exists. */
  highestView(partitions: number): Promise<number>;
  /** Entries from `fromSeq` on, in order, at most about `bytesMax` (at least one if there is any). */
  read(partition: number, fromSeq: number, bytesMax: number): Promise<readonly JournalEntry[]>;
  snapshotOf(partition: number): Promise<Snapshot | null>;
  /** Stores the pieces as they come, then switches to them: a part of a snapshot is never read. */
  writeSnapshot(term: Term, snapshot: NewSnapshot): Promise<FencedWrite>;
  /** Drops entries up to min(stored snapshot's seq, `ledgerSeq`). */
  trim(term: Term, ledgerSeq: number): Promise<FencedWrite>;
  /** Marks a clean hand-off: nothing of this term is in flight. */
  release(term: Term): Promise<FencedWrite>;
  /** The stock backup: available units of each SKU of the partition. */
  stockOf(partition: number): Promise<ReadonlyMap<string, number>>;
  /** Ends the connections. Afterwards every call is Fault("store_unavailable"). */
  close(): Promise<void>;
}
