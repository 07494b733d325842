import { assert } from "../core/assert.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";

/** Sums over all cursors of a projection, kept while they change: they are asked on the hot path. */
export type Totals = { backlogBytes: number; queuedBytes: number };

/** How far the ledger has one partition's journal, and the committed rows that it lacks. */
export class Cursor {
  readonly partition: number;
  /** Stored in the ledger up to here; −1 until the ledger was asked. */
  ledgerSeq: number;
  /** Committed up to here. */
  journalSeq: number;
  /** True when the journal lacks what the ledger lacks: nothing of it can be stored any more. */
  isStuck = false;
  readonly #totals: Totals;
  /** Later rows were counted; the journal does not say how big the earlier ones are. */
  #countedAfterSeq: number;
  #countedBytes = 0;
  /** A run without gaps, or nothing. What does not follow ledgerSeq is read from the journal. */
  #rows: LedgerRow[] = [];
  #queuedBytes = 0;

  constructor(
    partition: number,
    at: { readonly ledgerSeq: number; readonly journalSeq: number },
    totals: Totals,
  ) {
    this.partition = partition;
    this.ledgerSeq = at.ledgerSeq;
    this.journalSeq = at.journalSeq;
    this.#countedAfterSeq = at.journalSeq;
    this.#totals = totals;
  }

  get lag(): number {
    return this.ledgerSeq < 0 ? 0 : Math.max(0, this.journalSeq - this.ledgerSeq);
  }

  /** Hot path: a push. Without room in memory the row is read back from the journal later. */
  committed(row: LedgerRow, isRoom: boolean): void {
    assert(row.seq === this.journalSeq + 1, "a batch was committed out of order");
    const bytes = row.bytes.length;
    this.journalSeq = row.seq;
    this.#count(bytes);
    const last = this.#rows.at(-1);
    if (!isRoom || (last !== undefined && last.seq + 1 !== row.seq)) return;
    this.#rows.push(row);
    this.#queue(bytes);
  }

  /** The kept rows that follow ledgerSeq; empty when the journal must be read. */
  next(): readonly LedgerRow[] {
    let over = 0;
    while (over < this.#rows.length && this.#rows[over]!.seq <= this.ledgerSeq) over++;
    if (over > 0) {
      for (const row of this.#rows.splice(0, over)) this.#queue(-row.bytes.length);
    }
    return this.#rows[0]?.seq === this.ledgerSeq + 1 ? this.#rows : [];
  }

  /** The ledger has it. A row that does not follow is of an earlier life of the cursor. */
  stored(row: LedgerRow): void {
    if (row.seq !== this.ledgerSeq + 1) return;
    this.ledgerSeq = row.seq;
    const isAll = this.ledgerSeq >= this.journalSeq;
    if (isAll) this.#count(-this.#countedBytes);
    else if (row.seq > this.#countedAfterSeq) this.#count(-row.bytes.length);
  }

  /** Takes over what the cursor of an earlier term had counted and not stored. */
  inherit(former: Cursor): void {
    this.#countedAfterSeq = former.#countedAfterSeq;
    if (this.lag > 0) this.#count(former.#countedBytes);
  }

  /** Nothing of it counts any more. */
  close(): void {
    for (const row of this.#rows) this.#queue(-row.bytes.length);
    this.#rows = [];
    this.#count(-this.#countedBytes);
  }

  /** A batch of unknown outcome was never counted and may be stored: hence never below nothing. */
  #count(bytes: number): void {
    const change = Math.max(bytes, -this.#countedBytes);
    this.#countedBytes += change;
    this.#totals.backlogBytes += change;
  }

  #queue(bytes: number): void {
    this.#queuedBytes += bytes;
    assert(this.#queuedBytes >= 0, "more rows were forgotten than kept");
    this.#totals.queuedBytes += bytes;
  }
}
