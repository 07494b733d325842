// When a partition's book is written down, and its journal cut behind it.
//
// A snapshot is taken between batches, after a rush if one is on: the book is frozen, and turned
// into text and written in the background, a slice at a time, with pauses in which shoppers have the
// node to themselves: without them a book of 20 MB took a third of it for half a second. Replay then
// stays within about SNAPSHOT_FORCED_BYTES, or the size of the book, and what comes while a snapshot
// is being written.

import { SNAPSHOT_AFTER_BYTES } from "../core/limits.ts";
import type { Term } from "../core/ports/journal.ts";
import { FrozenBook } from "../core/stock/snapshot.ts";
import type { StockBook } from "../core/stock/state.ts";
import type { PartitionHost } from "./partition-host.ts";
import type { Recovered } from "./recovery.ts";

/** A rush that does not end: then at this size. Replays in about a second. */
const SNAPSHOT_FORCED_BYTES = 8 * SNAPSHOT_AFTER_BYTES;

/** And at this age, counted from SNAPSHOT_AFTER_BYTES on. */
const POSTPONED_MS_MAX = 30_000;

/** After each slice, which takes a quarter of a millisecond: a book may use a tenth of the node. */
const SLICE_PAUSE_MS = 5;

/** How often the journal is cut as the ledger gets ahead. */
const TRIM_EVERY_MS = 5_000;

/** A hand-off is sooner over without a snapshot when the next owner has only this to replay. */
const HAND_OFF_REPLAY_BYTES = 2 * 1_024 * 1_024;

/** Whoever takes over waits for half a second only: a larger book would not be written by then. */
const HAND_OFF_BOOK_BYTES_MAX = 16 * 1_024 * 1_024;

/** After a snapshot that failed. */
const RETRY_AFTER_MS = 5_000;

/** What ends a snapshot under way when its partition is given up. */
const ABANDONED = new Error("the partition is given up");

/** A book as the journal has it, with the number and the time of its last batch. */
export type Written = {
  readonly book: StockBook;
  readonly seq: number;
  readonly lastAtMs: number;
};

export class SnapshotPolicy {
  readonly #partition: number;
  readonly #host: PartitionHost;
  #bytesSince = 0;
  #lastBytes = 0;
  #storedSeq = 0;
  #trimmedSeq = 0;
  #writing: Promise<void> | null = null;
  #isAbandoned = false;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  /** The journal refused one, and would refuse the same again. */
  #isRefused = false;
  #trimAtMs = 0;
  /** Since when the journal is worth a snapshot. */
  #worthSinceMs = Number.NEGATIVE_INFINITY;

  constructor(partition: number, host: PartitionHost) {
    this.#partition = partition;
    this.#host = host;
  }

  loaded(recovered: Recovered): void {
    this.#bytesSince = recovered.replayedBytes;
    this.#lastBytes = recovered.snapshotBytes;
    this.#storedSeq = recovered.snapshotSeq;
    this.#trimmedSeq = 0;
    this.#worthSinceMs = this.#host.runtime.clock.monotonicMs();
    this.#isRefused = false;
  }

  grew(bytes: number): void {
    const before = this.#bytesSince;
    this.#bytesSince = before + bytes;
    this.#isRefused = false;
    if (before >= SNAPSHOT_AFTER_BYTES || this.#bytesSince < SNAPSHOT_AFTER_BYTES) return;
    this.#worthSinceMs = this.#host.runtime.clock.monotonicMs();
  }

  /** Worth one, and no rush, or it has waited long enough for the end of it. */
  isDue(monotonicMs: number): boolean {
    if (this.#bytesSince < SNAPSHOT_AFTER_BYTES || this.#writing !== null) return false;
    if (this.#isRefused || monotonicMs < this.#notBeforeMs) return false;
    // A book of many megabytes is written again only when the journal has grown by as much.
    if (this.#bytesSince < this.#lastBytes) return false;
    if (!this.#host.isInRush() || this.#bytesSince >= SNAPSHOT_FORCED_BYTES) return true;
    return monotonicMs >= this.#worthSinceMs + POSTPONED_MS_MAX;
  }

  /** Called with nothing in flight. Freezes now, writes later. */
  beforeTurn(term: Term, state: Written, monotonicMs: number): void {
    if (!this.isDue(monotonicMs)) return;
    const { snapshotSlots } = this.#host;
    if (this.#host.announcementsOf(this.#partition).keepsBack(state.book)) return;
    // Else all that a rush has postponed would begin at its end.
    if (!snapshotSlots.take()) return;
    void this.#write(term, state, true).then(() => snapshotSlots.give());
  }

  tick(term: Term | null, monotonicMs: number): void {
    if (term === null || this.#writing !== null || monotonicMs < this.#trimAtMs) return;
    this.#trimAtMs = monotonicMs + TRIM_EVERY_MS;
    void this.#trim(term);
  }

  /**
   * Before a clean end, so that the next owner has little or nothing to replay. A snapshot that is
   * under way is given up for it.
   */
  async last(term: Term, state: Written, isHandOff: boolean): Promise<void> {
    const { book } = state;
    this.#isAbandoned = true;
    await this.#writing;
    this.#isAbandoned = false;
    if (this.#writing !== null) {
      // Somebody else waited for the same, and takes it.
      await this.#writing;
      return;
    }
    // It was dropped meanwhile.
    if (state.book !== book) return;
    if (state.seq === this.#storedSeq) return;
    if (isHandOff && this.#bytesSince < HAND_OFF_REPLAY_BYTES) return;
    // A book is at most about what was written of it and what has come since: it may have shrunk.
    if (isHandOff && this.#lastBytes + this.#bytesSince > HAND_OFF_BOOK_BYTES_MAX) return;
    if (this.#host.announcementsOf(this.#partition).keepsBack(book)) return;
    await this.#write(term, state, false);
  }

  /** Freezes the book before it returns. Without pauses when somebody waits for it. */
  async #write(term: Term, state: Written, hasPauses: boolean): Promise<void> {
    const bytesBefore = this.#bytesSince;
    const worthSinceMs = this.#worthSinceMs;
    this.#bytesSince = 0;
    const frozen = new FrozenBook(state.book, state.lastAtMs, this.#host.writtenFormat());
    this.#writing = this.#writeFrozen(term, state.seq, frozen, hasPauses).then((isDone) => {
      this.#writing = null;
      frozen.thaw();
      if (isDone) return;
      // The journal still has everything: a later one will do.
      this.#bytesSince += bytesBefore;
      this.#worthSinceMs = worthSinceMs;
      this.#notBeforeMs = this.#host.runtime.clock.monotonicMs() + RETRY_AFTER_MS;
    });
    await this.#writing;
    await this.#trim(term);
  }

  /** Never rejects. */
  async #writeFrozen(
    term: Term,
    seq: number,
    frozen: FrozenBook,
    hasPauses: boolean,
  ): Promise<boolean> {
    const { journal, log } = this.#host;
    const partition = this.#partition;
    let bytes = 0;
    const pieces = this.#piecesOf(frozen, hasPauses, (piece) => {
      bytes += piece.length;
    });
    try {
      const result = await journal.writeSnapshot(term, { seq, pieces });
      log.info({ partition, seq, bytes, result: result.kind }, "snapshot written");
      if (result.kind === "done") this.#lastBytes = bytes;
      // It has this one already: the answer to it was lost.
      const isStored = result.kind === "done" || (result.kind === "stale" && result.seq >= seq);
      if (isStored) this.#storedSeq = seq;
      this.#isRefused = !isStored;
      return isStored;
    } catch (cause) {
      if (cause === ABANDONED) log.info({ partition, seq }, "snapshot given up");
      else log.warn({ partition, err: String(cause) }, "snapshot failed");
      return false;
    }
  }

  /** A slice, a pause, and so on; without pauses others have their turn, and no more. */
  async *#piecesOf(
    frozen: FrozenBook,
    hasPauses: boolean,
    onPiece: (piece: string) => void,
  ): AsyncGenerator<string> {
    for (const piece of frozen.pieces()) {
      if (hasPauses && this.#isAbandoned) throw ABANDONED;
      if (piece !== null) {
        onPiece(piece);
        yield piece;
      } else if (hasPauses) {
        await this.#host.runtime.pause(SLICE_PAUSE_MS);
      } else {
        await new Promise<void>((go) => this.#host.runtime.soon(go));
      }
    }
  }

  async #trim(term: Term): Promise<void> {
    const ledgerSeq = this.#host.knownLedgerSeq(this.#partition);
    const toSeq = Math.min(this.#storedSeq, ledgerSeq);
    if (toSeq <= this.#trimmedSeq) return;
    try {
      const result = await this.#host.journal.trim(term, ledgerSeq);
      if (result.kind === "done") this.#trimmedSeq = toSeq;
    } catch (cause) {
      this.#host.log.warn({ partition: this.#partition, err: String(cause) }, "trim failed");
    }
  }
}
