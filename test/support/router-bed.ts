// Several nodes of one cluster in one process: real partitions on one model journal, real routers on
// the in-process bus, one runtime moved by hand. Who owns what is a table that the test changes.

import { StockNode } from "../../src/actors/stock-node.ts";
import { Levels } from "../../src/cluster/levels.ts";
import { LocalBus, LocalNetwork } from "../../src/cluster/local-bus.ts";
import type { Owners } from "../../src/cluster/owners.ts";
import { Router } from "../../src/cluster/router.ts";
import type { SkuRef } from "../../src/core/ports/stock.ts";
import type { Configure } from "../../src/core/stock/command.ts";
import { GENERATION, HandLedger, hear, type Heard, rulesOf, START_MS } from "./actors.ts";
import { HandRuntime } from "./hand-runtime.ts";
import { LogLines } from "./http-fakes.ts";
import { MemoryArchive } from "./memory-archive.ts";
import { ModelJournal } from "./model-journal.ts";

export const CLUSTER_ID = "cluster-1";

/** Ownership as a table that all nodes see at once, or that one node sees differently. */
class TableOwners implements Owners {
  readonly owners: (string | null)[];
  readonly parkables = new Set<number>();
  readonly #handlers: (() => void)[] = [];
  readonly #onEvicted: ((nodeId: string) => void)[] = [];

  constructor(owners: readonly (string | null)[]) {
    this.owners = [...owners];
  }

  ownerOf(partition: number): string | null {
    return this.owners[partition] ?? null;
  }

  parkable(partition: number): boolean {
    return this.parkables.has(partition);
  }

  onChange(handler: () => void): void {
    this.#handlers.push(handler);
  }

  onEvicted(handler: (nodeId: string) => void): void {
    this.#onEvicted.push(handler);
  }

  evict(nodeId: string): void {
    for (const handler of this.#onEvicted) handler(nodeId);
  }

  change(partition: number, owner: string | null): void {
    this.owners[partition] = owner;
    for (const handler of this.#handlers) handler();
  }
}

type BedNode = {
  readonly id: string;
  readonly stock: StockNode;
  readonly bus: LocalBus;
  readonly owners: TableOwners;
  readonly router: Router;
  readonly levels: Levels;
};

export type RouterBed = {
  readonly runtime: HandRuntime;
  readonly network: LocalNetwork;
  readonly journal: ModelJournal;
  readonly log: LogLines;
  readonly nodes: readonly BedNode[];
  node(id: string): BedNode;
  /** A new life of a node, or one more. */
  add(id: string, incarnation: string): BedNode;
  /** Everybody learns it; the partition itself is moved by the test. */
  announce(partition: number, owner: string | null): void;
  open(ref: SkuRef, rules?: Partial<Configure>): Promise<void>;
  readonly told: <T>(asked: Promise<T>) => Promise<T>;
  readonly heard: <T>(asked: Promise<T>) => Promise<Heard<T>>;
};

/** Partition p belongs to node `n<p mod count>`; `sale/p<p>` lives in it. */
export async function routerBed(
  options: { count?: number; partitions?: number; opensAtMs?: (sku: SkuRef) => number | null } = {},
): Promise<RouterBed> {
  const { count = 3, partitions = 3, opensAtMs = () => null } = options;
  const runtime = new HandRuntime(START_MS);
  const journal = new ModelJournal({ clock: runtime.clock });
  const network = new LocalNetwork();
  const log = new LogLines();
  const owners = Array.from({ length: partitions }, (_, partition) => `n${partition % count}`);
  const nodes: BedNode[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    await journal.create(partition, GENERATION);
  }
  const bed: RouterBed = {
    runtime,
    network,
    journal,
    log,
    nodes,
    node(id) {
      const found = nodes.findLast((node) => node.id === id);
      if (found === undefined) throw new Error(`no node ${id}`);
      return found;
    },
    add(id, incarnation) {
      const stock = new StockNode({
        journal,
        archive: new MemoryArchive(),
        runtime,
        log,
        ledger: new HandLedger(),
        owner: `${id}/${incarnation}`,
        generation: GENERATION,
        partitionCount: partitions,
        hasEdges: true,
      });
      const bus = network.connect({ nodeId: id, clusterId: CLUSTER_ID, runtime, log });
      const table = new TableOwners(owners);
      const ids = { self: id, incarnation };
      const levels = new Levels({ ...ids, local: stock, runtime, log, bus, opensAtMs });
      const router = new Router({
        ...ids,
        partitionCount: partitions,
        bus,
        local: stock,
        owners: table,
        runtime,
        log,
        edge: levels,
      });
      const node: BedNode = { id, stock, bus, owners: table, router, levels };
      nodes.push(node);
      return node;
    },
    announce(partition, owner) {
      for (const node of nodes) node.owners.change(partition, owner);
    },
    async open(ref, rules = {}) {
      const node = nodes.find(({ stock }) => stock.partition(ref.partition).state === "serving");
      if (node === undefined) throw new Error(`nobody serves partition ${ref.partition}`);
      await bed.told(node.stock.ask(ref, rulesOf(rules)));
    },
    told: async (asked) => {
      await runtime.settle();
      return asked;
    },
    heard: async (asked) => {
      const heard = hear(asked);
      await runtime.settle();
      return heard;
    },
  };
  for (let node = 0; node < count; node++) bed.add(`n${node}`, "first");
  owners.forEach((owner, partition) => bed.node(owner).stock.own(partition, 1));
  await runtime.settle();
  return bed;
}

export function skuIn(partition: number, name = "x"): SkuRef {
  return { key: `sale/${name}${partition}`, partition };
}
