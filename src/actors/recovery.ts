// Recovery: claim, snapshot, replay. What comes out is the state after the last committed batch, or
// a reason to stop: never a guess.

import { assert, AssertionError } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import type { Journal, Term } from "../core/ports/journal.ts";
import { apply } from "../core/stock/apply.ts";
import { decodeBatch } from "../core/stock/codec.ts";
import { decodeBook } from "../core/stock/snapshot.ts";
import { availableOf, emptyBook, type StockBook } from "../core/stock/state.ts";
import { isSoldOut } from "./announcements.ts";

/** Bytes of journal read at once while replaying. */
const REPLAY_READ_BYTES = 4 * 1_024 * 1_024;

export type Recovered = {
  readonly book: StockBook;
  readonly seq: number;
  readonly snapshotSeq: number;
  /** Journal bytes behind the snapshot. */
  readonly replayedBytes: number;
  /** Time of the last batch; 0 when there was none ever. */
  readonly lastAtMs: number;
  /** SKUs that were sold out, nothing held, and got units, with the time of their batch. */
  readonly revived: ReadonlyMap<string, number>;
};

/**
 * Rebuilds a partition's book up to `seq`, the fence's.
 *
 * Throws  Fault("journal_corrupt") when an entry is missing or wrong, twice: halt.
 *         Fault("store_unavailable" | "unknown") when the store did not answer: try again later.
 */
export async function recover(journal: Journal, term: Term, seq: number): Promise<Recovered> {
  try {
    return await tryReplay(journal, term.partition, seq);
  } catch (cause) {
    // A trim or a new snapshot may have come between our two reads. Once more, then it is real.
    if (!(cause instanceof Fault) || cause.code !== "journal_corrupt") throw cause;
    return await tryReplay(journal, term.partition, seq);
  }
}

/** What contradicts the book while it is replayed was written so: no bug of this life. */
async function tryReplay(journal: Journal, partition: number, seq: number): Promise<Recovered> {
  try {
    return await replay(journal, partition, seq);
  } catch (cause) {
    if (cause instanceof AssertionError) throw corrupt(partition, cause.message);
    throw cause;
  }
}

async function replay(journal: Journal, partition: number, seq: number): Promise<Recovered> {
  const snapshot = await journal.snapshotOf(partition);
  const stored = snapshot === null ? { book: emptyBook(), atMs: 0 } : decodeBook(snapshot.pieces);
  const { book } = stored;
  const snapshotSeq = snapshot?.seq ?? 0;
  if (snapshotSeq > seq) {
    throw corrupt(partition, `the snapshot is at ${snapshotSeq}, the fence at ${seq}`);
  }
  let next = snapshotSeq + 1;
  let replayedBytes = 0;
  let lastAtMs = stored.atMs;
  const revived = new Map<string, number>();
  while (next <= seq) {
    const entries = await journal.read(partition, next, REPLAY_READ_BYTES);
    if (entries.length === 0) throw corrupt(partition, `entry ${next} of ${seq} is missing`);
    for (const entry of entries) {
      if (entry.seq > seq) break;
      if (entry.seq !== next) {
        throw corrupt(partition, `expected entry ${next}, found ${entry.seq}`);
      }
      lastAtMs = applyBatch(book, entry.bytes, revived);
      replayedBytes += entry.bytes.length;
      next++;
    }
  }
  assert(next === seq + 1, "a replay ends at the fence");
  await compareBackup(journal, partition, book);
  return { book, seq, snapshotSeq, replayedBytes, lastAtMs, revived };
}

/** Applies a committed batch, and notes in `revived` what was sold out before. Returns its time. */
export function applyBatch(
  book: StockBook,
  bytes: string,
  revived: Map<string, number> = new Map(),
): number {
  const batch = decodeBatch(bytes);
  for (const { skuIndex, event } of batch.events) {
    const key = batch.skuKeys[skuIndex]!;
    // Nothing else gives units to a SKU that nobody holds.
    const mayRevive = event.kind === "returned" || event.kind === "configured";
    const before = mayRevive ? book.skus.get(key) : undefined;
    const wasSoldOut = before !== undefined && isSoldOut(before);
    apply(book, key, event);
    if (wasSoldOut && availableOf(before) > 0) revived.set(key, batch.atMs);
  }
  return batch.atMs;
}

/** The stock backup must say what the book says: else one of them lies, and nothing may be sold. */
async function compareBackup(journal: Journal, partition: number, book: StockBook): Promise<void> {
  const backup = await journal.stockOf(partition);
  for (const sku of book.skus.values()) {
    const backed = backup.get(sku.key) ?? 0;
    if (backed !== availableOf(sku)) {
      throw corrupt(partition, `${sku.key}: ${availableOf(sku)} available, backup says ${backed}`);
    }
  }
}

function corrupt(partition: number, detail: string): Fault {
  return new Fault("journal_corrupt", `partition ${partition}: ${detail}`);
}
