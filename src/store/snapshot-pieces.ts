import { assert } from "../core/assert.ts";
import { SNAPSHOT_PIECE_BYTES_MAX } from "../core/limits.ts";
import type { NewSnapshot, Term } from "../core/ports/journal.ts";
import { assertTerm } from "./journal-request.ts";

export type SnapshotPiece = {
  /** From 0. */
  readonly index: number;
  readonly bytes: string;
  readonly isLast: boolean;
};

/** One piece after the other, each when the next is there or there is none. */
export async function* piecesOf(term: Term, snapshot: NewSnapshot): AsyncGenerator<SnapshotPiece> {
  assertTerm(term);
  assert(Number.isSafeInteger(snapshot.seq) && snapshot.seq >= 1, "a snapshot has a batch in it");
  let index = -1;
  let before = "";
  for await (const bytes of snapshot.pieces) {
    assert(bytes.length <= SNAPSHOT_PIECE_BYTES_MAX, "a piece is within its limit of bytes");
    if (index >= 0) yield { index, bytes: before, isLast: false };
    index += 1;
    before = bytes;
  }
  assert(index >= 0, "a snapshot has a piece");
  yield { index, bytes: before, isLast: true };
}
