// Recovery: claim, snapshot, replay. What comes out is the state after the last committed batch, or
// a reason to stop: never a guess.

import { assert, AssertionError } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import type { Archive } from "../core/ports/archive.ts";
import type { Journal, Term } from "../core/ports/journal.ts";
import { apply } from "../core/stock/apply.ts";
import { archivedUnit, restoreUnit } from "../core/stock/archive.ts";
import { type Batch, decodeBatch } from "../core/stock/codec.ts";
import { decodeBook } from "../core/stock/snapshot.ts";
import { availableOf, emptyBook, type StockBook } from "../core/stock/state.ts";
import { isSoldOut } from "./announcements.ts";

/** Bytes of journal read at once while replaying. */
const REPLAY_READ_BYTES = 4 * 1_024 * 1_024;

/** Where a book is read back from: the archive has what its batches call archived. */
export type RecoverySource = { readonly journal: Journal; readonly archive: Archive };

export type Recovered = {
  readonly book: StockBook;
  readonly seq: number;
  readonly snapshotSeq: number;
  readonly snapshotBytes: number;
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
 *         Any other Fault when a store did not answer: try again later.
 */
export async function recover(source: RecoverySource, term: Term, seq: number): Promise<Recovered> {
  try {
    return await tryReplay(source, term.partition, seq);
  } catch (cause) {
    // A trim or a new snapshot may have come between our two reads. Once more, then it is real.
    if (!(cause instanceof Fault) || cause.code !== "journal_corrupt") throw cause;
    return await tryReplay(source, term.partition, seq);
  }
}

/** What contradicts the book while it is replayed was written so: no bug of this life. */
async function tryReplay(
  source: RecoverySource,
  partition: number,
  seq: number,
): Promise<Recovered> {
  try {
    return await replay(source, partition, seq);
  } catch (cause) {
    if (cause instanceof AssertionError) throw corrupt(partition, cause.message);
    throw cause;
  }
}

async function replay(source: RecoverySource, partition: number, seq: number): Promise<Recovered> {
  const { journal, archive } = source;
  const snapshot = await journal.snapshotOf(partition);
  const stored = snapshot === null ? { book: emptyBook(), atMs: 0 } : decodeBook(snapshot.pieces);
  const { book } = stored;
  const snapshotSeq = snapshot?.seq ?? 0;
  const pieces = snapshot?.pieces ?? [];
  const snapshotBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
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
      const batch = decodeBatch(entry.bytes);
      await restoreFor(batch, book, { archive, partition });
      applyEvents(book, batch, revived);
      lastAtMs = batch.atMs;
      replayedBytes += entry.bytes.length;
      next++;
    }
  }
  assert(next === seq + 1, "a replay ends at the fence");
  await compareBackup(journal, partition, book);
  return { book, seq, snapshotSeq, snapshotBytes, replayedBytes, lastAtMs, revived };
}

/** Applies a committed batch of SKUs that are in memory. Returns its time. */
export function applyBatch(book: StockBook, bytes: string): number {
  const batch = decodeBatch(bytes);
  applyEvents(book, batch, new Map());
  return batch.atMs;
}

/** Notes in `revived` what was sold out before and got units. */
function applyEvents(book: StockBook, batch: Batch, revived: Map<string, number>): void {
  for (const { skuIndex, event } of batch.events) {
    const key = batch.skuKeys[skuIndex]!;
    // Nothing else gives units to a SKU that nobody holds.
    const mayRevive = event.kind === "returned" || event.kind === "configured";
    const before = mayRevive ? book.skus.get(key) : undefined;
    const wasSoldOut = before !== undefined && isSoldOut(before);
    apply(book, key, event);
    if (wasSoldOut && availableOf(before) > 0) revived.set(key, batch.atMs);
  }
}

/** What is archived and changed in the batch was restored when it was decided. */
async function restoreFor(
  batch: Batch,
  book: StockBook,
  { archive, partition }: { readonly archive: Archive; readonly partition: number },
): Promise<void> {
  for (const { skuIndex, event } of batch.events) {
    const ref = archivedUnit(book, batch.skuKeys[skuIndex]!, event);
    // Archived again with nothing between: it is there already.
    if (ref === null || (event.kind === "archived" && event.digest === ref.digest)) continue;
    const text = await archive.get({ partition, ...ref });
    if (text === null) throw corrupt(partition, `the archive has no ${ref.unit} of ${ref.digest}`);
    restoreUnit(book, ref, text);
  }
}

/** The stock backup must say what the book says: else one of them lies, and nothing may be sold. */
async function compareBackup(journal: Journal, partition: number, book: StockBook): Promise<void> {
  const backup = await journal.stockOf(partition);
  const compare = (key: string, available: number): void => {
    const backed = backup.get(key) ?? 0;
    if (backed === available) return;
    throw corrupt(partition, `${key}: ${available} available, backup says ${backed}`);
  };
  for (const sku of book.skus.values()) compare(sku.key, availableOf(sku));
  for (const { key, released, sold } of book.archived.values()) compare(key, released - sold);
}

function corrupt(partition: number, detail: string): Fault {
  return new Fault("journal_corrupt", `partition ${partition}: ${detail}`);
}
