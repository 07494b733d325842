// Levels: everything about stock levels of one node, behind two ports: what the router may refuse at
// the edge, and the feed of live stock.

import type { Bus } from "../core/ports/bus.ts";
import type { LevelChange, LevelFeed } from "../core/ports/level-feed.ts";
import type { LevelSource } from "../core/ports/level-source.ts";
import type { LocalPartitions } from "../core/ports/local-partitions.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { HoldRefusal } from "../core/stock/command.ts";
import { EdgeLevels } from "./edge-levels.ts";
import { LevelPublisher } from "./level-publisher.ts";
import type { Edge } from "./router.ts";

export type LevelsOptions = {
  readonly self: string;
  /** Of this process, as the router's. */
  readonly incarnation: string;
  readonly local: LocalPartitions & LevelSource;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Null: this node is alone, nothing is announced and nothing refused. */
  readonly bus: Bus | null;
  readonly opensAtMs?: (sku: SkuRef) => number | null;
};

export class Levels implements LevelFeed, Edge {
  readonly #publisher: LevelPublisher;
  readonly #edge: EdgeLevels | null;
  readonly #handlers: ((changes: readonly LevelChange[]) => void)[] = [];

  constructor(options: LevelsOptions) {
    const { bus, opensAtMs = () => null } = options;
    const onLevels = (changes: readonly LevelChange[]): void => {
      for (const handler of this.#handlers) handler(changes);
    };
    this.#publisher = new LevelPublisher({ ...options, onLevels });
    this.#edge = bus === null ? null : new EdgeLevels({ ...options, bus, opensAtMs, onLevels });
  }

  onLevels(handler: (changes: readonly LevelChange[]) => void): void {
    this.#handlers.push(handler);
  }

  refusalOf(sku: SkuRef): HoldRefusal | null {
    return this.#edge?.refusalOf(sku) ?? null;
  }

  soldOut(sku: SkuRef): void {
    this.#publisher.asked(sku);
  }

  /** Requests that were refused at this edge. */
  get refusedCount(): number {
    return this.#edge?.refusedCount ?? 0;
  }

  close(): void {
    this.#publisher.close();
    this.#edge?.close();
  }
}
