// The embedded journal: one SQLite file, for one process, with the same answers as the Lua scripts.
//
// Commits of all partitions that arrive in one turn of the event loop go in one transaction, with
// one fsync, each with its own answer. Every request validates everything and then writes, so one
// that is refused leaves nothing behind and the others go on.
//
//   S1  nothing is answered before its transaction is on disk
//   S2  other calls come after the commits that were made before them
//   S3  after a failed COMMIT the outcome is unknown; after any earlier failure nothing is written

import type { Database } from "bun:sqlite";

import { Fault } from "../../core/errors.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type {
  CheckResult,
  ClaimResult,
  Commit,
  CommitResult,
  Fenced,
  FencedWrite,
  Journal,
  JournalEntry,
  NewSnapshot,
  Snapshot,
  Term,
} from "../../core/ports/journal.ts";
import {
  assertClaimRequest,
  assertCommit,
  assertLedgerSeq,
  assertPartition,
  assertTerm,
} from "../journal-request.ts";
import { piecesOf, type SnapshotPiece } from "../snapshot-pieces.ts";
import { openJournalFile } from "./journal-schema.ts";
import { type FenceRow, type JournalStatements, prepareStatements } from "./journal-statements.ts";

export type SqliteJournalOptions = {
  /** The journal's file, or `:memory:`. */
  readonly path: string;
  readonly clock: Clock;
};

/** Entries that one transaction drops: about two milliseconds. */
const TRIM_ENTRIES_MAX = 250;

type Waiting = {
  readonly request: Commit;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (fault: Fault) => void;
};

export class SqliteJournal implements Journal {
  readonly #database: Database;
  readonly #statements: JournalStatements;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #startedMonotonicMs: number;
  #waiting: Waiting[] = [];
  #isClosed = false;

  /** Throws Fault("second_engine") when another process has the file. */
  constructor(options: SqliteJournalOptions) {
    this.#database = openJournalFile(options.path);
    this.#statements = prepareStatements(this.#database);
    this.#clock = options.clock;
    this.#startedAtMs = options.clock.wallMs();
    this.#startedMonotonicMs = options.clock.monotonicMs();
  }

  async create(partition: number, generation: string): Promise<boolean> {
    assertPartition(partition);
    return this.#transact(() => {
      if (this.#fence(partition) !== null) return false;
      this.#statements.createFence.run(partition, generation);
      return true;
    });
  }

  async claim(request: {
    readonly partition: number;
    readonly view: number;
    readonly owner: string;
  }): Promise<ClaimResult> {
    assertPartition(request.partition);
    assertClaimRequest(request);
    return this.#transact((): ClaimResult => {
      const { partition, view, owner } = request;
      const fence = this.#fence(partition);
      if (fence === null) return { kind: "no_state" };
      const isTaken = view === fence.view && fence.owner !== "" && owner !== fence.owner;
      if (view < fence.view || isTaken) return fencedOf(fence);
      const claim = fence.claim + 1;
      this.#statements.claimFence.run(view, claim, owner, partition);
      const { seq, batchId, generation } = fence;
      return { kind: "claimed", claim, seq, batchId, generation, nowMs: this.#nowMs() };
    });
  }

  /** Waits for the end of this turn of the event loop, then goes with all that came in it. */
  async commit(request: Commit): Promise<CommitResult> {
    assertCommit(request);
    this.#assertOpen();
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    this.#waiting.push({ request, resolve, reject });
    return promise;
  }

  async check(term: Term): Promise<CheckResult> {
    assertTerm(term);
    this.#catchUp();
    const fence = this.#fenceOf(term);
    if ("kind" in fence) return fence;
    return { kind: "confirmed", seq: fence.seq, nowMs: this.#nowMs() };
  }

  async timeMs(): Promise<number> {
    this.#assertOpen();
    return this.#nowMs();
  }

  async highestView(partitions: number): Promise<number> {
    this.#catchUp();
    return this.#statements.highestView.get(partitions)?.view ?? 0;
  }

  async read(
    partition: number,
    fromSeq: number,
    bytesMax: number,
  ): Promise<readonly JournalEntry[]> {
    assertPartition(partition);
    this.#catchUp();
    const entries: JournalEntry[] = [];
    let bytes = 0;
    for (const entry of this.#statements.entries.iterate(partition, fromSeq)) {
      if (entries.length > 0 && bytes + entry.bytes.length > bytesMax) break;
      entries.push({ seq: entry.seq, claim: entry.claim, bytes: entry.bytes });
      bytes += entry.bytes.length;
    }
    return entries;
  }

  async snapshotOf(partition: number): Promise<Snapshot | null> {
    assertPartition(partition);
    this.#catchUp();
    const stored = this.#statements.snapshotSeq.get(partition);
    if (stored === null) return null;
    const { seq } = stored;
    return { seq, pieces: this.#statements.pieces.all(partition, seq).map(({ bytes }) => bytes) };
  }

  /** A transaction for each piece: commits go between them. */
  async writeSnapshot(term: Term, snapshot: NewSnapshot): Promise<FencedWrite> {
    const { partition } = term;
    const { seq } = snapshot;
    for await (const piece of piecesOf(term, snapshot)) {
      const result = this.#transact(() => this.#writePiece(term, seq, piece));
      if (result.kind !== "done") return result;
    }
    try {
      this.#transact(() => this.#statements.dropOlderPieces.run(partition, seq));
    } catch {
      // The snapshot is stored; the pieces of the one before are the next one's to drop.
    }
    return { kind: "done" };
  }

  async trim(term: Term, ledgerSeq: number): Promise<FencedWrite> {
    assertTerm(term);
    assertLedgerSeq(ledgerSeq);
    for (;;) {
      const result = this.#transact(() => this.#trimSome(term, ledgerSeq));
      if (result !== "more") return result;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  async release(term: Term): Promise<FencedWrite> {
    assertTerm(term);
    return this.#transact((): FencedWrite => {
      const fence = this.#fenceOf(term);
      if ("kind" in fence) return fence;
      this.#statements.releaseFence.run(term.claim, term.partition);
      return { kind: "done" };
    });
  }

  async stockOf(partition: number): Promise<ReadonlyMap<string, number>> {
    assertPartition(partition);
    this.#catchUp();
    const rows = this.#statements.stock.all(partition);
    return new Map(rows.map(({ skuKey, available }) => [skuKey, available]));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#database.close(true);
  }

  /** Commits all that waits (S1, S2). */
  #flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    let results: CommitResult[];
    try {
      results = this.#transact(() => waiting.map(({ request }) => this.#commitOne(request)));
    } catch (error) {
      // Each caller hears it from its own promise; whoever flushed goes on and sees for itself.
      const fault = error instanceof Fault ? error : null;
      for (const { reject } of waiting) {
        reject(fault ?? new Fault("unknown", "the commit failed", { cause: error }));
      }
      return;
    }
    for (const [index, { resolve }] of waiting.entries()) resolve(results[index] as CommitResult);
  }

  /** In the order of commit.lua: no_state, fenced, duplicate, out_of_sequence, below_zero. */
  #commitOne(request: Commit): CommitResult {
    const { term, seq, batchId, bytes, deltas } = request;
    const { partition } = term;
    const fence = this.#fenceOf(term);
    if ("kind" in fence) return fence;
    const nowMs = this.#nowMs();
    if (seq === fence.seq && batchId === fence.batchId) {
      return { kind: "committed", duplicate: true, nowMs };
    }
    if (seq !== fence.seq + 1) return { kind: "out_of_sequence", seq: fence.seq };
    const after: number[] = [];
    for (const { skuKey, delta } of deltas) {
      const available = this.#statements.available.get(partition, skuKey)?.available ?? 0;
      if (available + delta < 0) return { kind: "below_zero", skuKey, available };
      after.push(available + delta);
    }
    this.#statements.append.run(partition, seq, term.claim, bytes);
    for (const [index, { skuKey }] of deltas.entries()) {
      this.#statements.setAvailable.run(partition, skuKey, after[index] as number);
    }
    this.#statements.moveFence.run(seq, batchId, partition);
    return { kind: "committed", duplicate: false, nowMs };
  }

  /** In the order of snapshot.lua: no_state, fenced, stale. */
  #writePiece(term: Term, seq: number, { index, bytes, isLast }: SnapshotPiece): FencedWrite {
    const { partition } = term;
    const fence = this.#fenceOf(term);
    if ("kind" in fence) return fence;
    if (seq > fence.seq) return { kind: "stale", seq: fence.seq };
    const storedSeq = this.#statements.snapshotSeq.get(partition)?.seq ?? 0;
    if (seq <= storedSeq) return { kind: "stale", seq: storedSeq };
    if (index === 0) this.#statements.dropOtherPieces.run(partition, storedSeq);
    else if (this.#statements.piece.get(partition, seq, index - 1) === null) {
      // Only a second writer of the same term can do this; the stored snapshot is untouched.
      throw new Error(`partition ${partition}: another snapshot`);
    }
    this.#statements.addPiece.run(partition, seq, index, bytes);
    if (isLast) this.#statements.setSnapshotSeq.run(partition, seq);
    return { kind: "done" };
  }

  /** In the order of trim.lua: no_state, fenced, stale. */
  #trimSome(term: Term, ledgerSeq: number): FencedWrite | "more" {
    const { partition } = term;
    const fence = this.#fenceOf(term);
    if ("kind" in fence) return fence;
    if (ledgerSeq > fence.seq) return { kind: "stale", seq: fence.seq };
    const snapshotSeq = this.#statements.snapshotSeq.get(partition)?.seq ?? 0;
    const toSeq = Math.min(snapshotSeq, ledgerSeq);
    const firstSeq = this.#statements.firstSeq.get(partition)?.seq ?? toSeq;
    const lastSeq = Math.min(toSeq, firstSeq + TRIM_ENTRIES_MAX - 1);
    this.#statements.trim.run(partition, lastSeq);
    return lastSeq < toSeq ? "more" : { kind: "done" };
  }

  /** One transaction; every failure is a Fault (S3). */
  #transact<T>(work: () => T): T {
    this.#catchUp();
    let result: T;
    try {
      this.#database.run("BEGIN IMMEDIATE");
      result = work();
    } catch (error) {
      this.#rollBack();
      throw new Fault("store_unavailable", `the journal's file: ${String(error)}`, {
        cause: error,
      });
    }
    try {
      this.#database.run("COMMIT");
      return result;
    } catch (error) {
      this.#rollBack();
      throw new Fault("unknown", `the journal's file: ${String(error)}`, { cause: error });
    }
  }

  #rollBack(): void {
    // SQLite rolls some failures back by itself; then there is nothing left to do.
    if (this.#database.inTransaction) this.#database.run("ROLLBACK");
  }

  #fence(partition: number): FenceRow | null {
    return this.#statements.fence.get(partition);
  }

  /** The fence while the term has it, else the refusal. */
  #fenceOf(term: Term): FenceRow | Fenced | { readonly kind: "no_state" } {
    const fence = this.#fence(term.partition);
    if (fence === null) return { kind: "no_state" };
    const isOfTerm = fence.view === term.view && fence.claim === term.claim;
    return isOfTerm ? fence : fencedOf(fence);
  }

  /** The wall clock at the start, then monotonic: a stepped wall clock moves nothing. */
  #nowMs(): number {
    const sinceStartMs = this.#clock.monotonicMs() - this.#startedMonotonicMs;
    return Math.floor(this.#startedAtMs + sinceStartMs);
  }

  /** Before every other call: the commits that were made before it (S2). */
  #catchUp(): void {
    this.#flush();
    this.#assertOpen();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Fault("store_unavailable", "the journal was closed");
  }
}

function fencedOf(fence: FenceRow): Fenced {
  const { view, claim, owner } = fence;
  return { kind: "fenced", view, claim, owner };
}
