// LedgerProjection
//
// Follows each partition's journal from a cursor of its own and stores the batches in the ledger, in
// bulk, at least once; the ledger makes it once. Batches come by hand from the owner; what did not
// fit in memory, or was committed before this process lived, is read back from the journal.
//
//   L1  The cursor moves only over rows that the ledger has stored.
//   L2  Rows reach the ledger in seq order without gaps: its highest seq says what it has.

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { JOURNAL_BYTES_MAX } from "../core/limits.ts";
import type { Journal } from "../core/ports/journal.ts";
import type { LedgerFeed } from "../core/ports/ledger-feed.ts";
import type { Ledger, LedgerRow } from "../core/ports/ledger.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { decodeBatch } from "../core/stock/codec.ts";

/** Rows kept in memory for all partitions; beyond it they are read back from the journal. */
const QUEUE_BYTES_MAX = 64 * 1_024 * 1_024;
/** One call to the ledger. */
const APPEND_ROWS_MAX = 2_000;
const APPEND_BYTES_MAX = 4 * 1_024 * 1_024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;

type Cursor = {
  readonly partition: number;
  /** Stored in the ledger up to here; −1 until the ledger was asked. */
  ledgerSeq: number;
  /** Committed up to here. */
  journalSeq: number;
  /** Committed rows in order; the first may be above ledgerSeq + 1: then the journal has the rest. */
  rows: LedgerRow[];
  bytes: number;
};

export class LedgerProjection implements LedgerFeed {
  readonly #ledger: Ledger;
  readonly #journal: Journal;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #cursors = new Map<number, Cursor>();
  /** Bytes committed and not in the ledger, as far as counted in this process. */
  #backlogBytes = 0;
  #queueBytes = 0;
  #isRunning = false;
  #isStopped = false;
  #whenIdle: (() => void)[] = [];
  /** Batches stored since the start. */
  storedCount = 0;

  constructor(options: { ledger: Ledger; journal: Journal; runtime: Runtime; log: Logger }) {
    this.#ledger = options.ledger;
    this.#journal = options.journal;
    this.#runtime = options.runtime;
    this.#log = options.log;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  isFull(): boolean {
    return this.#backlogBytes >= JOURNAL_BYTES_MAX;
  }

  /** Batches committed here and not in the ledger yet. */
  get lag(): number {
    let lag = 0;
    for (const { journalSeq, ledgerSeq } of this.#cursors.values()) {
      if (ledgerSeq >= 0) lag += journalSeq - ledgerSeq;
    }
    return lag;
  }

  async highest(partition: number): Promise<number> {
    const highest = await this.#ledger.highest([partition]);
    return highest.get(partition) ?? 0;
  }

  known(partition: number): number {
    return Math.max(0, this.#cursors.get(partition)?.ledgerSeq ?? 0);
  }

  serving(partition: number, seq: number): void {
    const known = this.#cursors.get(partition);
    this.#forgetRows(partition);
    const ledgerSeq = known?.ledgerSeq ?? -1;
    this.#cursors.set(partition, { partition, ledgerSeq, journalSeq: seq, rows: [], bytes: 0 });
    this.#kick();
  }

  dropped(partition: number): void {
    this.#forgetRows(partition);
    this.#cursors.delete(partition);
  }

  /** Hot path: a push. */
  committed(row: LedgerRow): void {
    const cursor = this.#cursors.get(row.partition);
    if (cursor === undefined) return;
    assert(row.seq === cursor.journalSeq + 1, "a batch was committed out of order");
    cursor.journalSeq = row.seq;
    this.#backlogBytes += row.bytes.length;
    if (this.#queueBytes < QUEUE_BYTES_MAX && isNext(cursor, row)) {
      cursor.rows.push(row);
      cursor.bytes += row.bytes.length;
      this.#queueBytes += row.bytes.length;
    }
    this.#kick();
  }

  /** Stores what is left, as far as the ledger answers within `graceMs`; then stops. */
  async stop(graceMs: number): Promise<void> {
    if (this.#isRunning) {
      const idle = new Promise<void>((resolve) => this.#whenIdle.push(resolve));
      await Promise.race([idle, this.#runtime.pause(graceMs)]);
    }
    this.#isStopped = true;
  }

  #kick(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!this.#isStopped) {
      try {
        if (!(await this.#step())) break;
        retryMs = RETRY_MS_MIN;
      } catch (cause) {
        const fault = cause instanceof Fault ? cause.message : String(cause);
        this.#log.warn(
          { fault, backlogBytes: this.#backlogBytes },
          "the ledger does not take rows",
        );
        await this.#runtime.pause(retryMs);
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
    this.#isRunning = false;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** One call to the ledger. False when there is nothing to do. */
  async #step(): Promise<boolean> {
    await this.#learnCursors();
    const batch: LedgerRow[] = [];
    let bytes = 0;
    for (const cursor of this.#cursors.values()) {
      if (cursor.ledgerSeq >= cursor.journalSeq) continue;
      if (batch.length >= APPEND_ROWS_MAX || bytes >= APPEND_BYTES_MAX) break;
      for (const row of await this.#rowsOf(cursor)) {
        if (batch.length >= APPEND_ROWS_MAX || bytes >= APPEND_BYTES_MAX) break;
        batch.push(row);
        bytes += row.bytes.length;
      }
    }
    if (batch.length === 0) return false;
    await this.#ledger.append(batch);
    this.storedCount += batch.length;
    for (const row of batch) this.#advance(row);
    if (this.lag === 0) this.#backlogBytes = 0;
    return true;
  }

  async #learnCursors(): Promise<void> {
    const unknown = [...this.#cursors.values()].filter((cursor) => cursor.ledgerSeq < 0);
    if (unknown.length === 0) return;
    const highest = await this.#ledger.highest(unknown.map((cursor) => cursor.partition));
    for (const cursor of unknown) cursor.ledgerSeq = highest.get(cursor.partition) ?? 0;
  }

  /** The rows that follow the cursor: from memory, or else from the journal. */
  async #rowsOf(cursor: Cursor): Promise<readonly LedgerRow[]> {
    while (cursor.rows.length > 0 && cursor.rows[0]!.seq <= cursor.ledgerSeq) {
      this.#forget(cursor, 1);
    }
    if (cursor.rows[0]?.seq === cursor.ledgerSeq + 1) return cursor.rows;
    const { partition, ledgerSeq } = cursor;
    const entries = await this.#journal.read(partition, ledgerSeq + 1, APPEND_BYTES_MAX);
    return entries.map(({ seq, claim, bytes }) => {
      const { atMs, skuKeys } = decodeBatch(bytes);
      return { partition, seq, claim, atMs, skuKeys, bytes };
    });
  }

  #advance(row: LedgerRow): void {
    const cursor = this.#cursors.get(row.partition);
    // Dropped, or dropped and served again, while the call was under way.
    if (cursor === undefined || row.seq !== cursor.ledgerSeq + 1) return;
    cursor.ledgerSeq = row.seq;
    this.#backlogBytes = Math.max(0, this.#backlogBytes - row.bytes.length);
    if (cursor.rows[0]?.seq === row.seq) this.#forget(cursor, 1);
  }

  #forgetRows(partition: number): void {
    const cursor = this.#cursors.get(partition);
    if (cursor !== undefined) this.#forget(cursor, cursor.rows.length);
  }

  #forget(cursor: Cursor, count: number): void {
    for (const row of cursor.rows.splice(0, count)) {
      cursor.bytes -= row.bytes.length;
      this.#queueBytes -= row.bytes.length;
    }
  }
}

/** Memory holds a run without gaps, or nothing. */
function isNext(cursor: Cursor, row: LedgerRow): boolean {
  const last = cursor.rows.at(-1);
  return last === undefined || last.seq + 1 === row.seq;
}
