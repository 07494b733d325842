import { Fault } from "../../src/core/errors.ts";
import type { Ledger, LedgerRow } from "../../src/core/ports/ledger.ts";

/** The ledger as a map, which a test can take away, cut behind an effect, or hold. */
export class MemoryLedger implements Ledger {
  readonly #rows = new Map<string, LedgerRow>();
  fault: Error | null = null;
  /** True: it stores, and the caller never hears of it. */
  isCut = false;
  appends = 0;
  /** Rows that were sent to be stored, whether they were there already or not. */
  stored = 0;
  #held: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;

  /** Appends wait from now on. */
  hold(): void {
    this.#held = Promise.withResolvers<void>();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }

  async append(rows: readonly LedgerRow[]): Promise<void> {
    await this.#held?.promise;
    if (this.fault !== null) throw this.fault;
    this.appends++;
    for (const row of rows) {
      this.stored++;
      const key = `${row.partition}/${row.seq}`;
      if (!this.#rows.has(key)) this.#rows.set(key, row);
    }
    if (this.isCut) throw new Fault("unknown", "cut behind the effect");
  }

  highest(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    if (this.fault !== null) return Promise.reject(this.fault);
    const highest = new Map<number, number>();
    for (const { partition, seq } of this.all()) {
      if (partitions.includes(partition)) highest.set(partition, seq);
    }
    return Promise.resolve(highest);
  }

  read(request: Parameters<Ledger["read"]>[0]): Promise<readonly LedgerRow[]> {
    const { partition, afterSeq, limit, skuKey } = request;
    const rows = this.all().filter(
      (row) =>
        row.partition === partition &&
        row.seq > afterSeq &&
        (skuKey === undefined || row.skuKeys.includes(skuKey)),
    );
    return Promise.resolve(rows.slice(0, limit));
  }

  /** By partition and seq. */
  all(): LedgerRow[] {
    return [...this.#rows.values()].sort(
      (left, right) => left.partition - right.partition || left.seq - right.seq,
    );
  }
}
