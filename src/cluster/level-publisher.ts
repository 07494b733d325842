// LevelPublisher
//
// Tells the levels of the SKUs that are decided here: to this node, and to all others where there
// are any.
//
//   L1  a level is told when it changed, at most once a tick, all of a tick in one message
//   L2  sold out with nothing held is repeated while other nodes ask: they refuse at their edge for
//       EDGE_LEVEL_FRESH_MS after it, and the owner is bound by it (actors/announcements.ts)
//   L3  nothing is told that the journal has not confirmed

import { Fault } from "../core/errors.ts";
import { COUNTS_PAGE } from "../core/limits.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { LevelChange } from "../core/ports/level-feed.ts";
import type { LevelSource } from "../core/ports/level-source.ts";
import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { SkuCounts, SkuRef } from "../core/ports/stock.ts";
import { type Level, levelOf } from "../core/sale/level.ts";
import { encodeLevels, type LevelLine } from "./level-message.ts";

/** Changes are told after this at the latest, and once more while the counts are asked. */
const TICK_MS = 100;

/** Before the edges forget: two of them may be lost or late. */
const REPEAT_MS = 200;

/** Nobody has asked for this long: it is said no more. */
const ASKED_MS = 1_000;

/** SKUs that are repeated at once: a sale of many SKUs that all are gone is asked owner by owner. */
const HOT_MAX = 4_096;

/** Counts that come later are of no use to anybody. */
const COUNT_WITHIN_MS = 1_000;

type Hot = { readonly partition: number; askedMs: number; announcedMs: number };

export type LevelPublisherOptions = {
  readonly self: string;
  readonly incarnation: string;
  readonly local: LocalPartitions & LevelSource;
  readonly runtime: Runtime;
  /** Null: this node is alone. */
  readonly bus: Bus | null;
  /** The levels of this node's own SKUs, as they change. */
  readonly onLevels: (changes: readonly LevelChange[]) => void;
};

export class LevelPublisher {
  readonly #options: LevelPublisherOptions;
  /** By partition: SKUs that a commit has changed since they were last counted. */
  readonly #dirty = new Map<number, Set<string>>();
  readonly #told = new Map<string, Level>();
  readonly #counting = new Set<number>();
  readonly #hot = new Map<string, Hot>();
  readonly #endTicks: () => void;
  #outgoing: LevelLine[] = [];
  #messageCount = 0;

  constructor(options: LevelPublisherOptions) {
    this.#options = options;
    options.local.onChanged((partition, skuKeys) => this.#onChanged(partition, skuKeys));
    this.#endTicks = options.runtime.every(TICK_MS, () => this.#tick());
  }

  close(): void {
    this.#endTicks();
  }

  /** Another node was told that it is sold out. Hot path: two map operations. */
  asked(sku: SkuRef): void {
    const nowMs = this.#nowMs();
    const hot = this.#hot.get(sku.key);
    if (hot !== undefined) hot.askedMs = nowMs;
    else if (this.#hot.size < HOT_MAX) {
      const announcedMs = Number.NEGATIVE_INFINITY;
      this.#hot.set(sku.key, { partition: sku.partition, askedMs: nowMs, announcedMs });
    }
  }

  #onChanged(partition: number, skuKeys: readonly string[]): void {
    let dirty = this.#dirty.get(partition);
    if (dirty === undefined) {
      dirty = new Set();
      this.#dirty.set(partition, dirty);
    }
    for (const key of skuKeys) dirty.add(key);
  }

  #tick(): void {
    if (this.#outgoing.length > 0) {
      const lines = this.#outgoing;
      this.#outgoing = [];
      this.#broadcast(lines);
    }
    for (const [partition, dirty] of this.#dirty) {
      if (!this.#counting.has(partition)) void this.#count(partition, dirty);
    }
    if (this.#hot.size > 0) this.#repeat();
  }

  async #count(partition: number, dirty: Set<string>): Promise<void> {
    const keys = [...dirty].slice(0, COUNTS_PAGE);
    for (const key of keys) dirty.delete(key);
    if (dirty.size === 0) this.#dirty.delete(partition);
    this.#counting.add(partition);
    try {
      const { local } = this.#options;
      const counts = await local.countsOf(partition, keys, COUNT_WITHIN_MS);
      this.#tell(partition, counts);
    } catch (cause) {
      // Lost, given up or away: its next owner, or its next commit, tells.
      if (!(cause instanceof Fault)) throw cause;
    } finally {
      this.#counting.delete(partition);
    }
  }

  #tell(partition: number, counts: readonly (SkuCounts | null)[]): void {
    const changes: LevelChange[] = [];
    for (const count of counts) {
      if (count === null) continue;
      const level = levelOf(count);
      if (this.#told.get(count.skuKey) === level) continue;
      this.#told.set(count.skuKey, level);
      changes.push({ skuKey: count.skuKey, level });
    }
    if (changes.length === 0) return;
    this.#options.onLevels(changes);
    if (this.#options.bus === null) return;
    this.#outgoing.push({ kind: "changed", ...this.#stateOf(partition), changes });
  }

  /** L2. */
  #repeat(): void {
    const nowMs = this.#nowMs();
    const due = new Map<number, string[]>();
    for (const [key, hot] of this.#hot) {
      if (nowMs - hot.askedMs > ASKED_MS) {
        this.#hot.delete(key);
      } else if (nowMs - hot.announcedMs >= REPEAT_MS) {
        hot.announcedMs = nowMs;
        const keys = due.get(hot.partition);
        if (keys === undefined) due.set(hot.partition, [key]);
        else keys.push(key);
      }
    }
    const { local } = this.#options;
    for (const [partition, keys] of due) {
      local
        .announceSoldOut(partition, keys, (soldOut) => {
          const line = { kind: "sold_out", ...this.#stateOf(partition), keys: soldOut } as const;
          this.#broadcast([line]);
        })
        // Not here any more, or the store is away: then nothing may be said.
        .catch(() => undefined);
    }
  }

  #broadcast(lines: readonly LevelLine[]): void {
    const { bus, self, incarnation } = this.#options;
    if (bus === null) return;
    const number = ++this.#messageCount;
    const stamp = { from: self, incarnation, number, sentAtMs: this.#nowMs() };
    bus.broadcast("levels", encodeLevels({ ...stamp, lines }));
  }

  #stateOf(partition: number): {
    readonly partition: number;
    readonly claim: number;
    readonly seq: number;
  } {
    const { claim, seq } = this.#options.local.partition(partition);
    return { partition, claim, seq };
  }

  #nowMs(): number {
    return this.#options.runtime.clock.monotonicMs();
  }
}
