// StockNode
//
// The partitions that this node owns, behind the `Stock` port: any other folder asks here and never
// sees a partition. Owns their scheduling (turns, ticks, loads) and their counters.

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { FORMAT } from "../core/formats.ts";
import {
  ARCHIVE_AFTER_MS,
  CLOCK_DRIFT_WARN_MS,
  CLOCK_SKEW_MAX_MS,
  LOADS_AT_ONCE_MAX,
  READ_WAIT_MS,
  REQUEST_DEADLINE_MS,
  SNAPSHOTS_AT_ONCE_MAX,
} from "../core/limits.ts";
import type { Archive } from "../core/ports/archive.ts";
import type { Journal, Term } from "../core/ports/journal.ts";
import type { LedgerFeed } from "../core/ports/ledger-feed.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import type { LevelSource } from "../core/ports/level-source.ts";
import type {
  LocalPartition,
  LocalPartitions,
  OwnershipChange,
} from "../core/ports/local-partitions.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { CartHold, SkuCounts, SkuRef, Stock } from "../core/ports/stock.ts";
import type { Command, HoldRefusal, Outcome, OutcomeOf } from "../core/stock/command.ts";
import { viewOf, windowRefusal } from "../core/stock/decide.ts";
import { availableOf, type StockBook } from "../core/stock/state.ts";
import { Announcements, isSoldOut } from "./announcements.ts";
import { countsOf, countsOfArchived } from "./counts.ts";
import { LoadGate } from "./load-gate.ts";
import type { PartitionHost } from "./partition-host.ts";
import { Partition } from "./partition.ts";
import type { Recovered } from "./recovery.ts";
import { Rush } from "./rush.ts";
import { Slots } from "./slots.ts";
import { NodeStats } from "./stats.ts";
import { Turns } from "./turns.ts";

/** How often deadlines are looked at: a lapse is at most about this late (I5: one second). */
const TICK_MS = 100;

/** What is known later than this is worth nothing to an edge. */
const ANNOUNCE_WITHIN_MS = 400;

const SOLD_OUT: HoldRefusal = { kind: "sold_out" };

export type StockNodeOptions = {
  readonly journal: Journal;
  readonly archive: Archive;
  /** ARCHIVE_AFTER_MS unless given. */
  readonly archiveAfterMs?: number;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly ledger: LedgerFeed;
  /** Node id and incarnation. */
  readonly owner: string;
  readonly generation: string;
  readonly partitionCount: number;
  /** The format that every member of the cluster reads; this build's own unless given. */
  readonly writtenFormat?: () => number;
  /** Other nodes may refuse at their edge what this one announces (announcements.ts). */
  readonly hasEdges?: boolean;
  /** Fenced by another owner. */
  readonly onLost?: (partition: number, owner: string) => void;
};

export class StockNode implements Stock, PartitionHost, LocalPartitions, LevelSource {
  readonly journal: Journal;
  readonly archive: Archive;
  readonly archiveAfterMs: number;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly generation: string;
  readonly writtenFormat: () => number;
  readonly loads = new LoadGate(LOADS_AT_ONCE_MAX);
  readonly snapshotSlots = new Slots(SNAPSHOTS_AT_ONCE_MAX);
  readonly stats = new NodeStats();
  readonly #rush = new Rush();
  readonly #ledger: LedgerFeed;
  readonly #partitions: readonly Partition[];
  readonly #turns: Turns<{ turn(): void }>;
  #owner: string;
  readonly #onOwnership: ((change: OwnershipChange) => void)[] = [];
  readonly #announcements: readonly Announcements[];
  readonly #hasEdges: boolean;
  readonly #onChanged: ((partition: number, skuKeys: readonly string[]) => void)[] = [];
  readonly #endTicks: () => void;
  #skewMs = 0;

  constructor(options: StockNodeOptions) {
    this.journal = options.journal;
    this.archive = options.archive;
    this.archiveAfterMs = options.archiveAfterMs ?? ARCHIVE_AFTER_MS;
    this.runtime = options.runtime;
    this.log = options.log;
    this.writtenFormat = options.writtenFormat ?? (() => FORMAT);
    this.#owner = options.owner;
    this.generation = options.generation;
    this.#ledger = options.ledger;
    this.onOwnership((change) => {
      if (change.kind === "lost") options.onLost?.(change.partition, change.owner);
    });
    this.#hasEdges = options.hasEdges ?? false;
    this.#announcements = Array.from({ length: options.partitionCount }, () => new Announcements());
    this.#turns = new Turns((task) => options.runtime.soon(task));
    this.#partitions = Array.from(
      { length: options.partitionCount },
      (_, id) => new Partition(id, this),
    );
    this.#endTicks = options.runtime.every(TICK_MS, () => this.#tick());
  }

  get partitions(): readonly Partition[] {
    return this.#partitions;
  }

  /** The difference between the OS clock and the store's, as the engine last measured it. */
  set clockSkewMs(skewMs: number) {
    this.#skewMs = skewMs;
  }

  get clockSkewMs(): number {
    return this.#skewMs;
  }

  get owner(): string {
    return this.#owner;
  }

  claimAs(owner: string): void {
    this.#owner = owner;
  }

  partition(id: number): LocalPartition {
    const { state, term, seq, queueDepth } = this.#partition(id);
    return { id, state, view: term?.view ?? 0, claim: term?.claim ?? 0, seq, queueDepth };
  }

  own(partition: number, view: number, after: Promise<void> | null = null): void {
    this.#partition(partition).start(view, after);
  }

  async disown(partition: number): Promise<void> {
    await this.#partition(partition).stop(true);
    this.#ledger.dropped(partition);
  }

  onOwnership(handler: (change: OwnershipChange) => void): void {
    this.#onOwnership.push(handler);
  }

  /**
   * Gives all up cleanly; everything accepted is answered first. The ledger's feed keeps its
   * cursors: what it has not stored yet it stores in its own stop.
   */
  async stop(): Promise<void> {
    await Promise.all(this.#partitions.map((partition) => partition.stop()));
    this.#endTicks();
  }

  /** Hot path (bench/hold.ts): one promise, one envelope. */
  ask<C extends Command>(sku: SkuRef, command: C): Promise<OutcomeOf<C>> {
    return this.askWithin(sku, command, REQUEST_DEADLINE_MS) as Promise<OutcomeOf<C>>;
  }

  /** Hot path (bench/hold.ts). */
  askWithin(sku: SkuRef, command: Command, leftMs: number): Promise<Outcome> {
    this.#rush.asked();
    const partition = this.#partition(sku.partition);
    const arrivedMs = this.runtime.clock.monotonicMs();
    return new Promise<Outcome>((resolve, reject) => {
      partition.ask({
        key: sku.key,
        command,
        arrivedMs,
        deadlineMs: arrivedMs + leftMs,
        resolve,
        reject,
      });
    });
  }

  /** Hot path (bench/hold.ts). Only while nobody holds the SKU: a holder's PUT is never refused. */
  refuseEarly(sku: SkuRef): HoldRefusal | null {
    const partition = this.#partition(sku.partition);
    const book = partition.freshBook();
    const state = book?.skus.get(sku.key);
    if (state === undefined) {
      const archived = book?.archived.get(sku.key);
      return archived === undefined ? null : windowRefusal(archived, partition.nowMs());
    }
    if (state.held > 0) return null;
    const isGone = availableOf(state) === 0;
    const refusal = windowRefusal(state.rules, partition.nowMs()) ?? (isGone ? SOLD_OUT : null);
    if (refusal !== null) this.#rush.asked();
    return refusal;
  }

  async cart(shopper: string): Promise<{ holds: readonly CartHold[]; complete: boolean }> {
    const answers = await Promise.allSettled(
      this.#partitions.map(({ id }) => this.cartOf(id, shopper, READ_WAIT_MS)),
    );
    const answered = answers.filter((answer) => answer.status === "fulfilled");
    const holds = answered.flatMap(({ value }) => value);
    return { holds, complete: answered.length === answers.length };
  }

  async cartOf(id: number, shopper: string, leftMs: number): Promise<readonly CartHold[]> {
    const holds: CartHold[] = [];
    await this.#read({ partition: this.#partition(id), isStrict: true, leftMs }, (book, nowMs) => {
      for (const hold of book.holds.ofShopper(shopper)) {
        if (hold.deadlineMs <= nowMs) continue;
        holds.push({ skuKey: hold.sku.key, hold: viewOf(hold) });
      }
    });
    return holds;
  }

  async counts(skus: readonly SkuRef[]): Promise<readonly (SkuCounts | null)[]> {
    const counts: (SkuCounts | null)[] = skus.map(() => null);
    const byPartition = Map.groupBy(skus.keys(), (index) => skus[index]!.partition);
    await Promise.allSettled(
      [...byPartition].map(async ([id, indexes]) => {
        const keys = indexes.map((index) => skus[index]!.key);
        const counted = await this.countsOf(id, keys, READ_WAIT_MS);
        indexes.forEach((index, position) => {
          counts[index] = counted[position] ?? null;
        });
      }),
    );
    return counts;
  }

  async countsOf(
    id: number,
    keys: readonly string[],
    leftMs: number,
  ): Promise<readonly (SkuCounts | null)[]> {
    let counts: readonly (SkuCounts | null)[] = [];
    await this.#read({ partition: this.#partition(id), isStrict: false, leftMs }, (book) => {
      counts = keys.map((key) => {
        const state = book.skus.get(key);
        if (state !== undefined) return countsOf(state);
        const archived = book.archived.get(key);
        return archived === undefined ? null : countsOfArchived(archived);
      });
    });
    return counts;
  }

  onChanged(handler: (partition: number, skuKeys: readonly string[]) => void): void {
    this.#onChanged.push(handler);
  }

  async announceSoldOut(
    id: number,
    keys: readonly string[],
    announce: (keys: readonly string[]) => void,
  ): Promise<void> {
    const partition = this.#partition(id);
    const request = { partition, isStrict: true, leftMs: ANNOUNCE_WITHIN_MS };
    await this.#read(request, (book, nowMs) => {
      const soldOut = keys.flatMap((key) => book.skus.get(key) ?? []).filter(isSoldOut);
      if (soldOut.length === 0) return;
      for (const sku of soldOut) this.announcementsOf(id).announced(sku, nowMs);
      announce(soldOut.map(({ key }) => key));
    });
  }

  announcementsOf(partition: number): Announcements {
    return this.#announcements[partition]!;
  }

  requestTurn(partition: { turn(): void }): void {
    this.#turns.request(partition);
  }

  isInRush(): boolean {
    return this.#rush.isOn;
  }

  isBacklogFull(): boolean {
    return this.#ledger.isFull();
  }

  mayClaim(): boolean {
    return Math.abs(this.#skewMs) <= CLOCK_SKEW_MAX_MS;
  }

  async ledgerSeq(partition: number): Promise<number> {
    return Math.max(await this.#ledger.highest(partition), this.#ledger.known(partition));
  }

  knownLedgerSeq(partition: number): number {
    return this.#ledger.known(partition);
  }

  onCommitted(row: LedgerRow, tookMs: number, answerCount: number): void {
    this.stats.commits++;
    this.stats.committedBytes += row.bytes.length;
    this.stats.commitMs.record(tookMs);
    this.stats.batchAnswers.record(answerCount);
    this.#ledger.committed(row);
    for (const handler of this.#onChanged) handler(row.partition, row.skuKeys);
  }

  onServing({ partition, view, claim }: Term, recovered: Recovered, nowMs: number): void {
    const { book, revived, seq } = recovered;
    if (this.#hasEdges) this.announcementsOf(partition).loaded(book, revived, nowMs);
    this.log.info({ partition, view, claim, seq, owner: this.owner }, "partition serving");
    this.#ledger.serving(partition, seq);
    this.#announce({ kind: "serving", partition, claim });
  }

  onLost(partition: number, owner: string, claim: number): void {
    this.stats.fenced++;
    this.log.warn({ partition, owner, claim }, "partition fenced: another owner has it");
    this.#ledger.dropped(partition);
    this.#announce({ kind: "lost", partition, owner });
  }

  onHalted(partition: number, reason: string): void {
    this.stats.halted++;
    this.log.error({ partition, reason }, "partition halted: its SKUs sell nothing");
    this.#ledger.dropped(partition);
    this.#announce({ kind: "halted", partition, reason });
  }

  onArchived(unitCount: number): void {
    this.stats.archived += unitCount;
  }

  onRestored(): void {
    this.stats.restored++;
  }

  onUnknown(partition: number, fault: Fault): void {
    this.stats.unknown++;
    this.log.warn({ partition, fault: fault.message }, "outcome unknown: claiming again");
  }

  onDrift(driftMs: number): void {
    if (Math.abs(driftMs) <= Math.abs(this.stats.driftMs)) return;
    this.stats.driftMs = driftMs;
    if (Math.abs(driftMs) > CLOCK_DRIFT_WARN_MS) {
      this.log.warn({ driftMs: Math.round(driftMs) }, "the store's clock runs away from ours");
    }
  }

  #announce(change: OwnershipChange): void {
    for (const handler of this.#onOwnership) handler(change);
  }

  #tick(): void {
    this.#rush.tick();
    const monotonicMs = this.runtime.clock.monotonicMs();
    for (const partition of this.#partitions) {
      partition.tick(monotonicMs);
      const announcements = this.announcementsOf(partition.id);
      if (!announcements.isEmpty) announcements.forget(partition.nowMs());
    }
  }

  #partition(id: number): Partition {
    const partition = this.#partitions[id];
    assert(partition !== undefined, "a partition number beyond the cluster's");
    return partition;
  }

  #read(
    {
      partition,
      isStrict,
      leftMs,
    }: { readonly partition: Partition; readonly isStrict: boolean; readonly leftMs: number },
    look: (book: StockBook, nowMs: number) => void,
  ): Promise<void> {
    const arrivedMs = this.runtime.clock.monotonicMs();
    return new Promise<void>((resolve, reject) => {
      partition.read({
        arrivedMs,
        deadlineMs: arrivedMs + leftMs,
        isStrict,
        answer: (book, nowMs) => {
          look(book, nowMs);
          resolve();
        },
        reject: (fault: Fault) => reject(fault),
      });
    });
  }
}
