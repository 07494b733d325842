/** The text of one archived unit: what `core/stock/archive.ts` makes and reads. */
export type ArchivedText = {
  readonly partition: number;
  readonly unit: string;
  /** Of the text: another text of the unit has another one, and is another row. */
  readonly digest: string;
  readonly text: string;
};

/** The state of quiet SKUs, out of memory. Faults: store_unavailable, unknown, busy. */
export interface Archive {
  /** Idempotent: what is there stays as it is. Durable when it resolves. Of any partitions mixed. */
  put(texts: readonly ArchivedText[]): Promise<void>;
  /** Null when it was never put. */
  get(request: {
    readonly partition: number;
    readonly unit: string;
    readonly digest: string;
  }): Promise<string | null>;
}
