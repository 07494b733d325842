import type { Commit } from "../core/ports/journal.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import { emptyBook, type StockBook } from "../core/stock/state.ts";
import type { Recovered } from "./recovery.ts";

/** What a partition knows: the book, and the batch up to which the journal has it. */
export class Memory {
  book: StockBook = emptyBook();
  /** Of the last committed batch, as its id and time. */
  seq = 0;
  batchId = "";
  lastAtMs = 0;

  /** The batch that the book already contains is in the journal. */
  committed({ seq, batchId }: Commit, { atMs }: LedgerRow): void {
    this.seq = seq;
    this.batchId = batchId;
    this.lastAtMs = atMs;
  }

  recovered({ book, seq, lastAtMs }: Recovered, batchId: string): void {
    this.book = book;
    this.seq = seq;
    this.batchId = batchId;
    this.lastAtMs = lastAtMs;
  }

  /** Nobody may answer from the book any more. */
  drop(): void {
    this.book = emptyBook();
  }
}
