// The parts of an engine that own stock: partitions, the ledger's projection, and in a cluster this
// node's place among the others.

import { StockNode } from "../actors/stock-node.ts";
import { Levels } from "../cluster/levels.ts";
import type { Config } from "../config.ts";
import { Fault } from "../core/errors.ts";
import { FORMAT } from "../core/formats.ts";
import { LEDGER_GATHER_MS } from "../core/limits.ts";
import type { Journal } from "../core/ports/journal.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { Stock } from "../core/ports/stock.ts";
import { LedgerProjection } from "../projections/ledger-projection.ts";
import { SaleDirectory } from "../shop/directory.ts";
import { watchClockSkew } from "./clock-skew.ts";
import { type EngineCluster, openCluster } from "./cluster.ts";
import { systemRuntime } from "./runtime.ts";
import type { Stores } from "./stores.ts";

export type Parts = {
  readonly runtime: Runtime;
  readonly ledger: LedgerProjection;
  /** The partitions of this node. */
  readonly node: StockNode;
  /** The stock of all nodes; alone, that of this one. */
  readonly stock: Stock;
  readonly directory: SaleDirectory;
  readonly levels: Levels;
  /** Null: this engine runs alone. */
  readonly cluster: EngineCluster | null;
  /** Resolves with the reason when the engine must not go on. */
  readonly failed: Promise<Fault>;
  readonly endSkewWatch: () => void;
};

export async function openParts(
  config: Config,
  stores: Stores,
  { version, log }: { readonly version: string; readonly log: Logger },
): Promise<Parts> {
  const runtime = systemRuntime(stores.clock);
  const { journal, record } = stores;
  const { nodeId } = config;
  const { promise: failed, resolve: fail } = Promise.withResolvers<Fault>();
  const ledger = new LedgerProjection({
    ledger: stores.ledger,
    journal,
    runtime,
    log,
    gatherMs: LEDGER_GATHER_MS,
  });
  const incarnation = crypto.randomUUID();
  const node = new StockNode({
    journal,
    runtime,
    log,
    ledger,
    archive: stores.archive,
    owner: `${nodeId}/${incarnation}`,
    generation: record.generation,
    partitionCount: record.partitions,
    // What is in the journal is read by whoever owns the partition next.
    writtenFormat: () => cluster?.node.writtenFormat ?? FORMAT,
    hasEdges: config.mode === "cluster",
    onLost: (partition, owner) => {
      // In a cluster that is how a node learns that it was taken for dead.
      if (config.mode === "cluster") return;
      fail(new Fault("second_engine", `partition ${partition} was claimed by ${owner}`));
    },
  });
  const endSkewWatch = await watchClockSkew({ config, stock: node, journal, runtime, log });
  const directory = new SaleDirectory(record.partitions);
  const common = { incarnation, runtime, log };
  const cluster: EngineCluster | null =
    config.mode !== "cluster" || config.natsUrl === null
      ? null
      : await openCluster({
          ...common,
          nodeId,
          record,
          directory,
          journal,
          version,
          natsUrl: config.natsUrl,
          stock: node,
          onFatal: fail,
        });
  const levels = cluster?.levels ?? new Levels({ ...common, self: nodeId, local: node, bus: null });
  const stock = cluster?.stock ?? node;
  return { runtime, ledger, node, stock, directory, levels, cluster, failed, endSkewWatch };
}

/** Alone, this engine owns everything, under a term above all before it. */
export async function ownAll(node: StockNode, journal: Journal, partitions: number): Promise<void> {
  const view = (await journal.highestView(partitions)) + 1;
  for (let partition = 0; partition < partitions; partition++) node.own(partition, view);
}

/** Reads the sales again whenever another node knows a newer one; one read at a time. */
export function followSales(
  cluster: EngineCluster,
  shop: { load(): Promise<void> },
  log: Logger,
): void {
  let isLoading = false;
  cluster.onSalesBehind(() => {
    if (isLoading) return;
    isLoading = true;
    void shop
      .load()
      .catch((cause: unknown) => log.warn({ err: String(cause) }, "sales not loaded"))
      .finally(() => {
        isLoading = false;
      });
  });
}
