// LedgerProjection
//
// Follows each partition's journal from a cursor of its own and stores the batches in the ledger, in
// bulk, at least once; the ledger makes it once. Batches come by hand from the owner; what did not
// fit in memory, or was committed before this process lived, is read back from the journal.
//
//   L1  The cursor moves only over rows that the ledger has stored.
//   L2  Rows reach the ledger in seq order without gaps: its highest seq says what it has.

import { Fault } from "../core/errors.ts";
import { JOURNAL_BYTES_MAX } from "../core/limits.ts";
import type { Journal, JournalEntry } from "../core/ports/journal.ts";
import type { LedgerFeed } from "../core/ports/ledger-feed.ts";
import type { Ledger, LedgerRow } from "../core/ports/ledger.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import { decodeBatch } from "../core/stock/codec.ts";
import { Cursor, type Totals } from "./cursor.ts";

/** Rows kept in memory for all partitions; beyond it they are read back from the journal. */
const QUEUE_BYTES_MAX = 64 * 1_024 * 1_024;
/** One call to the ledger. */
const APPEND_ROWS_MAX = 2_000;
const APPEND_BYTES_MAX = 4 * 1_024 * 1_024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;

export type LedgerProjectionOptions = {
  readonly ledger: Ledger;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Above it no new hold is taken; JOURNAL_BYTES_MAX. */
  readonly backlogBytesMax?: number;
  /** Above it rows are read back from the journal. */
  readonly queueBytesMax?: number;
  /** Pause behind a call, so that the next one has more rows; 0. Nobody's answer waits for it. */
  readonly gatherMs?: number;
};

export class LedgerProjection implements LedgerFeed {
  readonly #ledger: Ledger;
  readonly #journal: Journal;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #cursors = new Map<number, Cursor>();
  /** Bytes committed and not in the ledger, as far as counted in this process; of them in memory. */
  readonly #totals: Totals = { backlogBytes: 0, queuedBytes: 0 };
  readonly #backlogBytesMax: number;
  readonly #queueBytesMax: number;
  readonly #gatherMs: number;
  #isRunning = false;
  #isStopping = false;
  #isStopped = false;
  #whenIdle: (() => void)[] = [];
  /** Batches stored since the start. */
  storedCount = 0;

  constructor(options: LedgerProjectionOptions) {
    this.#ledger = options.ledger;
    this.#journal = options.journal;
    this.#runtime = options.runtime;
    this.#log = options.log;
    this.#gatherMs = options.gatherMs ?? 0;
    this.#backlogBytesMax = options.backlogBytesMax ?? JOURNAL_BYTES_MAX;
    this.#queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX;
  }

  get backlogBytes(): number {
    return this.#totals.backlogBytes;
  }

  isFull(): boolean {
    return this.#totals.backlogBytes >= this.#backlogBytesMax;
  }

  /** Batches committed here and not in the ledger yet. */
  get lag(): number {
    let lag = 0;
    for (const cursor of this.#cursors.values()) lag += cursor.lag;
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
    const former = this.#cursors.get(partition);
    const at = { ledgerSeq: former?.ledgerSeq ?? -1, journalSeq: seq };
    const cursor = new Cursor(partition, at, this.#totals);
    if (former !== undefined) {
      cursor.inherit(former);
      former.close();
    }
    this.#cursors.set(partition, cursor);
    this.#kick();
  }

  dropped(partition: number): void {
    this.#cursors.get(partition)?.close();
    this.#cursors.delete(partition);
  }

  /** Hot path: a push. */
  committed(row: LedgerRow): void {
    const cursor = this.#cursors.get(row.partition);
    if (cursor === undefined) return;
    cursor.committed(row, this.#totals.queuedBytes < this.#queueBytesMax);
    this.#kick();
  }

  /** Stores what is left, as far as the ledger answers within `graceMs`; then stops. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
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
        // What came while the step was ending finds the loop running, and counts on it.
        if (!(await this.#step()) && !this.#hasWork()) break;
        retryMs = RETRY_MS_MIN;
        if (this.#gatherMs > 0 && !this.#isStopping) await this.#runtime.pause(this.#gatherMs);
      } catch (cause) {
        const fault = cause instanceof Fault ? cause.message : String(cause);
        this.#log.warn({ fault, backlogBytes: this.backlogBytes }, "the ledger does not take rows");
        await this.#runtime.pause(retryMs);
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
    this.#isRunning = false;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  #hasWork(): boolean {
    for (const cursor of this.#cursors.values()) {
      if (cursor.ledgerSeq < 0 || (cursor.lag > 0 && !cursor.isStuck)) return true;
    }
    return false;
  }

  /** One call to the ledger. False when there is nothing to do. */
  async #step(): Promise<boolean> {
    await this.#learnCursors();
    const batch: LedgerRow[] = [];
    let bytes = 0;
    for (const cursor of this.#cursors.values()) {
      if (cursor.lag === 0 || cursor.isStuck) continue;
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
    // A cursor may be gone, or another one, since the call began: only what follows moves it (L1).
    for (const row of batch) this.#cursors.get(row.partition)?.stored(row);
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
    const kept = cursor.next();
    if (kept.length > 0) return kept;
    const { partition, ledgerSeq } = cursor;
    const entries = await this.#journal.read(partition, ledgerSeq + 1, APPEND_BYTES_MAX);
    try {
      if (isRun(entries, ledgerSeq + 1)) return entries.map((entry) => rowOf(partition, entry));
    } catch (cause) {
      if (!(cause instanceof Fault) || cause.code !== "journal_corrupt") throw cause;
    }
    // L2: stored behind a gap, the ledger's highest seq would say more than it has.
    cursor.isStuck = true;
    this.#log.error({ partition, ledgerSeq }, "the journal has not what the ledger lacks");
    return [];
  }
}

function rowOf(partition: number, { seq, claim, bytes }: JournalEntry): LedgerRow {
  const { atMs, skuKeys } = decodeBatch(bytes);
  return { partition, seq, claim, atMs, skuKeys, bytes };
}

function isRun(entries: readonly JournalEntry[], fromSeq: number): boolean {
  return entries.length > 0 && entries.every(({ seq }, index) => seq === fromSeq + index);
}
