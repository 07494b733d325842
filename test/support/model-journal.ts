// The journal as a page of TypeScript: what the port means, without any store. Other journals are
// compared with it, and the simulator runs on it.

import { Fault } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports/clock.ts";
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
} from "../../src/core/ports/journal.ts";
import {
  assertClaimRequest,
  assertCommit,
  assertLedgerSeq,
  assertPartition,
  assertTerm,
} from "../../src/store/journal-request.ts";
import { piecesOf } from "../../src/store/snapshot-pieces.ts";

type Partition = {
  view: number;
  claim: number;
  owner: string;
  seq: number;
  batchId: string;
  readonly generation: string;
  released: number | null;
  readonly stock: Map<string, number>;
  entries: JournalEntry[];
  snapshot: Snapshot | null;
};

/** All that a journal holds, as plain data: equal dumps are equal journals. */
export type JournalDump = Record<
  number,
  {
    readonly view: number;
    readonly claim: number;
    readonly owner: string;
    readonly seq: number;
    readonly batchId: string;
    readonly generation: string;
    readonly released: number | null;
    readonly stock: Readonly<Record<string, number>>;
    readonly entries: readonly JournalEntry[];
    readonly snapshot: Snapshot | null;
  }
>;

export class ModelJournal implements Journal {
  readonly #clock: Clock;
  readonly #partitions = new Map<number, Partition>();
  #isClosed = false;

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  async create(partition: number, generation: string): Promise<boolean> {
    assertPartition(partition);
    if (this.#find(partition) !== null) return false;
    this.#partitions.set(partition, {
      view: 0,
      claim: 0,
      owner: "",
      seq: 0,
      batchId: "",
      generation,
      released: null,
      stock: new Map(),
      entries: [],
      snapshot: null,
    });
    return true;
  }

  async claim(request: {
    readonly partition: number;
    readonly view: number;
    readonly owner: string;
  }): Promise<ClaimResult> {
    assertClaimRequest(request);
    const partition = this.#find(request.partition);
    if (partition === null) return { kind: "no_state" };
    const isTaken =
      request.view === partition.view &&
      partition.owner !== "" &&
      request.owner !== partition.owner;
    if (request.view < partition.view || isTaken) return fencedOf(partition);
    partition.view = request.view;
    partition.owner = request.owner;
    partition.claim += 1;
    partition.released = null;
    const { claim, seq, batchId, generation } = partition;
    return { kind: "claimed", claim, seq, batchId, generation, nowMs: this.#nowMs() };
  }

  async commit(request: Commit): Promise<CommitResult> {
    assertCommit(request);
    const { term, seq, batchId, bytes, deltas } = request;
    const partition = this.#find(term.partition);
    if (partition === null) return { kind: "no_state" };
    if (!isOf(partition, term)) return fencedOf(partition);
    const nowMs = this.#nowMs();
    if (seq === partition.seq && batchId === partition.batchId) {
      return { kind: "committed", duplicate: true, nowMs };
    }
    if (seq !== partition.seq + 1) return { kind: "out_of_sequence", seq: partition.seq };
    for (const { skuKey, delta } of deltas) {
      const available = partition.stock.get(skuKey) ?? 0;
      if (available + delta < 0) return { kind: "below_zero", skuKey, available };
    }
    for (const { skuKey, delta } of deltas) {
      partition.stock.set(skuKey, (partition.stock.get(skuKey) ?? 0) + delta);
    }
    partition.entries.push({ seq, claim: term.claim, bytes });
    partition.seq = seq;
    partition.batchId = batchId;
    return { kind: "committed", duplicate: false, nowMs };
  }

  async check(term: Term): Promise<CheckResult> {
    assertTerm(term);
    const partition = this.#find(term.partition);
    if (partition === null) return { kind: "no_state" };
    if (!isOf(partition, term)) return fencedOf(partition);
    return { kind: "confirmed", seq: partition.seq, nowMs: this.#nowMs() };
  }

  async timeMs(): Promise<number> {
    this.#assertOpen();
    return this.#nowMs();
  }

  async highestView(partitions: number): Promise<number> {
    let highest = 0;
    for (let number = 0; number < partitions; number++) {
      highest = Math.max(highest, this.#find(number)?.view ?? 0);
    }
    return highest;
  }

  async read(number: number, fromSeq: number, bytesMax: number): Promise<readonly JournalEntry[]> {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    for (const entry of this.#find(number)?.entries ?? []) {
      if (entry.seq < fromSeq) continue;
      if (entries.length > 0 && bytes + entry.bytes.length > bytesMax) break;
      entries.push(entry);
      bytes += entry.bytes.length;
    }
    return entries;
  }

  async snapshotOf(number: number): Promise<Snapshot | null> {
    return this.#find(number)?.snapshot ?? null;
  }

  async writeSnapshot(term: Term, snapshot: NewSnapshot): Promise<FencedWrite> {
    const pieces: string[] = [];
    for await (const { bytes } of piecesOf(term, snapshot)) pieces.push(bytes);
    const partition = this.#find(term.partition);
    if (partition === null) return { kind: "no_state" };
    if (!isOf(partition, term)) return fencedOf(partition);
    if (snapshot.seq > partition.seq) return { kind: "stale", seq: partition.seq };
    const storedSeq = partition.snapshot?.seq ?? 0;
    if (snapshot.seq <= storedSeq) return { kind: "stale", seq: storedSeq };
    partition.snapshot = { seq: snapshot.seq, pieces };
    return { kind: "done" };
  }

  async trim(term: Term, ledgerSeq: number): Promise<FencedWrite> {
    assertTerm(term);
    assertLedgerSeq(ledgerSeq);
    const partition = this.#find(term.partition);
    if (partition === null) return { kind: "no_state" };
    if (!isOf(partition, term)) return fencedOf(partition);
    if (ledgerSeq > partition.seq) return { kind: "stale", seq: partition.seq };
    const bound = Math.min(partition.snapshot?.seq ?? 0, ledgerSeq);
    partition.entries = partition.entries.filter(({ seq }) => seq > bound);
    return { kind: "done" };
  }

  async release(term: Term): Promise<FencedWrite> {
    assertTerm(term);
    const partition = this.#find(term.partition);
    if (partition === null) return { kind: "no_state" };
    if (!isOf(partition, term)) return fencedOf(partition);
    partition.released = term.claim;
    return { kind: "done" };
  }

  async stockOf(number: number): Promise<ReadonlyMap<string, number>> {
    return new Map(this.#find(number)?.stock);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  dump(): JournalDump {
    const dump: JournalDump = {};
    for (const [number, partition] of this.#partitions) {
      const stock = Object.fromEntries(partition.stock);
      dump[number] = { ...partition, stock, entries: [...partition.entries] };
    }
    return dump;
  }

  #find(partition: number): Partition | null {
    this.#assertOpen();
    assertPartition(partition);
    return this.#partitions.get(partition) ?? null;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Fault("store_unavailable", "the journal was closed");
  }

  #nowMs(): number {
    return Math.floor(this.#clock.wallMs());
  }
}

function isOf(partition: Partition, term: Term): boolean {
  return partition.view === term.view && partition.claim === term.claim;
}

function fencedOf(partition: Partition): Fenced {
  const { view, claim, owner } = partition;
  return { kind: "fenced", view, claim, owner };
}
