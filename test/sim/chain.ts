// The journal as a witness: every claim that was handed out and every batch that was written, in
// order, judged by rules of its own and not by the journal's (I3), and the book that replaying gives.

import type { ClaimResult, Commit, CommitResult } from "../../src/core/ports/journal.ts";
import { apply } from "../../src/core/stock/apply.ts";
import { decodeBatch } from "../../src/core/stock/codec.ts";
import { encodeBook } from "../../src/core/stock/snapshot.ts";
import { emptyBook, type StockBook } from "../../src/core/stock/state.ts";
import type { Causes } from "./causes.ts";
import { expectThat, type Shadow } from "./shadow.ts";
import type { StoreObserver } from "./sim-store.ts";
import { EPOCH_MS, type World } from "./world.ts";

type PartitionChain = {
  view: number;
  claim: number;
  owner: string;
  /** The last claim that ended cleanly. */
  releasedClaim: number;
  readonly batches: string[];
  readonly batchIds: Set<string>;
  readonly stock: Map<string, number>;
  /** Replay of all batches. */
  readonly book: StockBook;
};

export type ChainCounts = {
  claims: number;
  takeOvers: number;
  handOffs: number;
  fencedCommits: number;
  duplicateCommits: number;
  batches: number;
};

export class Chain implements StoreObserver {
  readonly counts: ChainCounts = {
    claims: 0,
    takeOvers: 0,
    handOffs: 0,
    fencedCommits: 0,
    duplicateCommits: 0,
    batches: 0,
  };
  readonly #world: World;
  readonly #shadow: Shadow;
  readonly #causes: Causes;
  readonly #partitions = new Map<number, PartitionChain>();
  /** By partition and batch id. */
  readonly #decidedMs = new Map<string, number>();

  constructor(options: {
    readonly world: World;
    readonly shadow: Shadow;
    readonly causes: Causes;
  }) {
    this.#world = options.world;
    this.#shadow = options.shadow;
    this.#causes = options.causes;
  }

  seqOf(partition: number): number {
    return this.#chain(partition).batches.length;
  }

  ownerOf(partition: number): { readonly owner: string; readonly claim: number } {
    const { owner, claim } = this.#chain(partition);
    return { owner, claim };
  }

  claimed(
    request: { readonly partition: number; readonly view: number; readonly owner: string },
    result: ClaimResult,
  ): void {
    const { partition, view, owner } = request;
    const chain = this.#chain(partition);
    if (result.kind !== "claimed") {
      this.#world.log(`claim p${partition} v${view} by ${owner}: ${result.kind}`);
      return;
    }
    const where = `partition ${partition}, ${owner} under view ${view}`;
    expectThat(result.claim > chain.claim, "I3", () => `${where}: claim ${result.claim} again`);
    expectThat(view >= chain.view, "I3", () => `${where}: the fence has view ${chain.view}`);
    const isSame = view > chain.view || chain.owner === "" || chain.owner === owner;
    expectThat(isSame, "I3", () => `${where}: that view belongs to ${chain.owner}`);
    expectThat(result.seq === chain.batches.length, "I3", () => `${where}: seq ${result.seq}`);
    this.#world.log(`claim p${partition} v${view} by ${owner}: ${result.claim}`);
    this.counts.claims++;
    if (chain.owner !== "" && chain.owner !== owner) {
      if (chain.releasedClaim === chain.claim) this.counts.handOffs++;
      else this.counts.takeOvers++;
    }
    Object.assign(chain, { view, claim: result.claim, owner });
  }

  released(partition: number, claim: number): void {
    this.#chain(partition).releasedClaim = claim;
    this.#world.log(`release p${partition} claim ${claim}`);
  }

  asked(request: Commit): void {
    const name = nameOf(request);
    if (!this.#decidedMs.has(name)) this.#decidedMs.set(name, this.#world.nowMs);
  }

  committed(request: Commit, result: CommitResult): void {
    const { term, seq, batchId } = request;
    const { partition } = term;
    const chain = this.#chain(partition);
    const where = `partition ${partition}, batch ${batchId} as ${seq}`;
    const what = `commit p${partition} ${seq} ${batchId} claim ${term.claim}: ${result.kind}`;
    this.#world.log(what);
    if (result.kind === "fenced") this.counts.fencedCommits++;
    expectThat(result.kind !== "below_zero", "I1", () => `${where}: ${what}`);
    if (result.kind !== "committed") return;
    expectThat(term.claim === chain.claim, "I3", () => {
      return `${where}: written under claim ${term.claim}, but ${chain.claim} was handed out`;
    });
    if (chain.batchIds.has(batchId)) {
      expectThat(result.duplicate, "I4", () => `${where}: written twice`);
      this.counts.duplicateCommits++;
      return;
    }
    expectThat(!result.duplicate, "I2", () => `${where}: said to be written, but it is not`);
    expectThat(seq === chain.batches.length + 1, "I3", () => {
      return `${where}: the last one is ${chain.batches.length}`;
    });
    chain.batchIds.add(batchId);
    chain.batches.push(request.bytes);
    this.counts.batches++;
    this.#replay(chain, request);
  }

  /** The snapshot text of the book after batch `seq`. */
  bookAt(partition: number, seq: number): string {
    const chain = this.#chain(partition);
    if (seq === chain.batches.length) return encodeBook(chain.book, 0).join("\n");
    const book = emptyBook();
    for (const bytes of chain.batches.slice(0, seq)) applyTo(book, bytes);
    return encodeBook(book, 0).join("\n");
  }

  #replay(chain: PartitionChain, request: Commit): void {
    const { atMs, events, skuKeys } = decodeBatch(request.bytes);
    const { nowMs } = this.#world;
    expectThat(atMs <= EPOCH_MS + nowMs, "I8", () => {
      return `batch ${request.batchId} was decided ${atMs - EPOCH_MS - nowMs} ms in the future`;
    });
    const decidedMs = this.#decidedMs.get(nameOf(request)) ?? nowMs;
    for (const { skuIndex, event } of events) {
      const key = skuKeys[skuIndex]!;
      apply(chain.book, key, event);
      this.#shadow.apply({ key, event, nowMs, batchAtMs: atMs });
      this.#causes.happened(key, event, { atMs: nowMs, decidedMs });
    }
    for (const { skuKey, delta } of request.deltas) {
      chain.stock.set(skuKey, (chain.stock.get(skuKey) ?? 0) + delta);
    }
    for (const key of skuKeys) {
      const backed = chain.stock.get(key) ?? 0;
      const { available } = this.#shadow.sku(key);
      expectThat(backed === available, "I5", () => {
        return `${key}: ${available} available, the backup says ${backed}`;
      });
    }
  }

  #chain(partition: number): PartitionChain {
    let chain = this.#partitions.get(partition);
    if (chain === undefined) {
      chain = {
        view: 0,
        claim: 0,
        owner: "",
        releasedClaim: -1,
        batches: [],
        batchIds: new Set(),
        stock: new Map(),
        book: emptyBook(),
      };
      this.#partitions.set(partition, chain);
    }
    return chain;
  }
}

function nameOf({ term, batchId }: Commit): string {
  return `${term.partition} ${batchId}`;
}

function applyTo(book: StockBook, bytes: string): void {
  const { events, skuKeys } = decodeBatch(bytes);
  for (const { skuIndex, event } of events) apply(book, skuKeys[skuIndex]!, event);
}
