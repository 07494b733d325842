// The journal's statements, prepared once for a file.

import type { Database, Statement } from "bun:sqlite";

export type FenceRow = {
  readonly view: number;
  readonly claim: number;
  readonly owner: string;
  readonly seq: number;
  readonly batchId: string;
  readonly generation: string;
};

type Row<T, P extends readonly (string | number)[]> = Statement<T, [...P]>;

export type JournalStatements = {
  readonly fence: Row<FenceRow, [partition: number]>;
  readonly createFence: Row<unknown, [partition: number, generation: string]>;
  readonly claimFence: Row<
    unknown,
    [view: number, claim: number, owner: string, partition: number]
  >;
  readonly moveFence: Row<unknown, [seq: number, batchId: string, partition: number]>;
  readonly releaseFence: Row<unknown, [released: number, partition: number]>;
  readonly highestView: Row<{ view: number | null }, [partitions: number]>;
  readonly available: Row<{ available: number }, [partition: number, skuKey: string]>;
  readonly setAvailable: Row<unknown, [partition: number, skuKey: string, available: number]>;
  readonly stock: Row<{ skuKey: string; available: number }, [partition: number]>;
  readonly append: Row<unknown, [partition: number, seq: number, claim: number, bytes: string]>;
  readonly entries: Row<
    { seq: number; claim: number; bytes: string },
    [partition: number, fromSeq: number]
  >;
  readonly firstSeq: Row<{ seq: number | null }, [partition: number]>;
  readonly trim: Row<unknown, [partition: number, seq: number]>;
  readonly snapshotSeq: Row<{ seq: number }, [partition: number]>;
  readonly setSnapshotSeq: Row<unknown, [partition: number, seq: number]>;
  readonly pieces: Row<{ bytes: string }, [partition: number, seq: number]>;
  readonly piece: Row<{ piece: number }, [partition: number, seq: number, piece: number]>;
  readonly addPiece: Row<unknown, [partition: number, seq: number, piece: number, bytes: string]>;
  readonly dropOtherPieces: Row<unknown, [partition: number, seq: number]>;
  readonly dropOlderPieces: Row<unknown, [partition: number, seq: number]>;
};

export function prepareStatements(database: Database): JournalStatements {
  return {
    fence: database.prepare(
      `SELECT view, claim, owner, seq, batch_id AS batchId, generation
         FROM fence WHERE partition = ?`,
    ),
    createFence: database.prepare(
      `INSERT INTO fence (partition, view, claim, owner, seq, batch_id, generation)
         VALUES (?, 0, 0, '', 0, '', ?)`,
    ),
    claimFence: database.prepare(
      "UPDATE fence SET view = ?, claim = ?, owner = ?, released = NULL WHERE partition = ?",
    ),
    moveFence: database.prepare("UPDATE fence SET seq = ?, batch_id = ? WHERE partition = ?"),
    releaseFence: database.prepare("UPDATE fence SET released = ? WHERE partition = ?"),
    highestView: database.prepare("SELECT max(view) AS view FROM fence WHERE partition < ?"),
    available: database.prepare("SELECT available FROM stock WHERE partition = ? AND sku_key = ?"),
    setAvailable: database.prepare(
      `INSERT INTO stock (partition, sku_key, available) VALUES (?, ?, ?)
         ON CONFLICT (partition, sku_key) DO UPDATE SET available = excluded.available`,
    ),
    stock: database.prepare("SELECT sku_key AS skuKey, available FROM stock WHERE partition = ?"),
    append: database.prepare(
      "INSERT INTO journal (partition, seq, claim, bytes) VALUES (?, ?, ?, ?)",
    ),
    entries: database.prepare(
      `SELECT seq, claim, bytes FROM journal WHERE partition = ? AND seq >= ? ORDER BY seq`,
    ),
    firstSeq: database.prepare("SELECT min(seq) AS seq FROM journal WHERE partition = ?"),
    trim: database.prepare("DELETE FROM journal WHERE partition = ? AND seq <= ?"),
    snapshotSeq: database.prepare("SELECT seq FROM snapshot WHERE partition = ?"),
    setSnapshotSeq: database.prepare(
      `INSERT INTO snapshot (partition, seq) VALUES (?, ?)
         ON CONFLICT (partition) DO UPDATE SET seq = excluded.seq`,
    ),
    pieces: database.prepare(
      "SELECT bytes FROM snapshot_piece WHERE partition = ? AND seq = ? ORDER BY piece",
    ),
    piece: database.prepare(
      "SELECT piece FROM snapshot_piece WHERE partition = ? AND seq = ? AND piece = ?",
    ),
    addPiece: database.prepare(
      "INSERT INTO snapshot_piece (partition, seq, piece, bytes) VALUES (?, ?, ?, ?)",
    ),
    dropOlderPieces: database.prepare("DELETE FROM snapshot_piece WHERE partition = ? AND seq < ?"),
    dropOtherPieces: database.prepare(
      "DELETE FROM snapshot_piece WHERE partition = ? AND seq <> ?",
    ),
  };
}
