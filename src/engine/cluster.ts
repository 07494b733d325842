// What a node of a cluster has beyond an engine of its own: NATS, its place among the members, and
// the router that makes the stock of all nodes one.

import type { StockNode } from "../actors/stock-node.ts";
import { ClusterNode } from "../cluster/cluster-node.ts";
import { Levels } from "../cluster/levels.ts";
import { connectNats } from "../cluster/nats/connect.ts";
import { NatsMemberStore } from "../cluster/nats/member-store.ts";
import { startMicroService } from "../cluster/nats/micro.ts";
import { NatsBus } from "../cluster/nats/nats-bus.ts";
import { type NodeStatus, nodeStatusOf } from "../cluster/node-status.ts";
import { Router } from "../cluster/router.ts";
import { Fault } from "../core/errors.ts";
import { FORMAT, FORMAT_OLDEST_READ } from "../core/formats.ts";
import { BUCKETS } from "../core/limits.ts";
import { placementOf } from "../core/placement.ts";
import type { Bus } from "../core/ports/bus.ts";
import type { ClusterRecord } from "../core/ports/cluster-record.ts";
import type { Journal } from "../core/ports/journal.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Runtime } from "../core/ports/runtime.ts";
import type { SaleDirectory } from "../shop/directory.ts";

/** A start waits this long for the member list. */
const JOIN_WAIT_MS = 30_000;
const JOIN_AGAIN_MS = 500;

export type EngineCluster = {
  readonly node: ClusterNode;
  /** The stock of all nodes. */
  readonly stock: Router;
  /** Live stock of all nodes. */
  readonly levels: Levels;
  readonly isConnected: () => boolean;
  /** Buckets of orders that this node sweeps. */
  readonly bucketsOf: () => readonly number[];
  /** Called when another node knows a newer version of a sale. */
  onSalesBehind(handler: () => void): void;
  /** Throws Fault("config_invalid"): this node may not join, and must not try again. */
  join(address: string): Promise<void>;
  /** Hands over; what nobody has taken within `waitMs` stays, to be released before `leave`. */
  retire(waitMs: number): Promise<void>;
  leave(): Promise<void>;
  close(): Promise<void>;
};

export type ClusterOptions = {
  readonly nodeId: string;
  readonly natsUrl: string;
  readonly record: ClusterRecord;
  readonly incarnation: string;
  readonly stock: StockNode;
  readonly directory: SaleDirectory;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Of the engine. */
  readonly version: string;
  readonly onFatal: (fault: Fault) => void;
};

export async function openCluster(options: ClusterOptions): Promise<EngineCluster> {
  const { nodeId, natsUrl: url, record, stock, directory, journal, runtime, log } = options;
  const { clusterId, partitions } = record;
  // The list has a connection of its own: a stampede on the other does not hold it up.
  const [data, control] = await connectBoth(url, nodeId, log);
  const { clock } = runtime;
  const writes = (): number => node.writtenFormat;
  const bus = new NatsBus({ connection: data, nodeId, clusterId, clock, log, writes });
  let address = "";
  let incarnation: string | null = options.incarnation;
  let salesBehind = (): void => {};
  const node: ClusterNode = new ClusterNode({
    id: nodeId,
    address: () => address,
    formats: { oldest: FORMAT_OLDEST_READ, newest: FORMAT },
    clusterId,
    partitions,
    bus,
    runtime,
    log,
    store: new NatsMemberStore({ connection: control, clusterId, log }),
    newIncarnation: () => {
      const first = incarnation;
      incarnation = null;
      return first ?? crypto.randomUUID();
    },
    mayServe: () => stock.mayClaim(),
    fencedView: () => journal.highestView(partitions),
    local: stock,
    onFatal: options.onFatal,
    salesStamp: () => directory.versionSum,
    onSalesBehind: () => salesBehind(),
  });
  const { levels, router } = routed(options, node, bus);
  const endService = await startMicroService({
    connection: control,
    nodeId,
    clusterId,
    version: options.version,
    incarnation: options.incarnation,
    status: () => statusOf(options, node, router),
  });
  return {
    node,
    stock: router,
    levels,
    isConnected: () => bus.isConnected,
    bucketsOf: bucketsOf(node, nodeId),
    onSalesBehind: (handler) => {
      salesBehind = handler;
    },
    join: (reachedAt) => {
      address = reachedAt;
      node.start();
      return join(node, runtime, log);
    },
    retire: (waitMs) => node.retire(waitMs),
    leave: () => node.leave(),
    close: async () => {
      node.stop();
      router.close();
      await endService();
      await bus.close();
      await control.close();
    },
  };
}

/** The stock of all nodes, with what edges know of it. */
function routed(
  { nodeId, incarnation, stock, directory, record, runtime, log }: ClusterOptions,
  { owners }: ClusterNode,
  bus: Bus,
): { readonly levels: Levels; readonly router: Router } {
  const common = { self: nodeId, incarnation, local: stock, bus, runtime, log };
  const levels = new Levels({ ...common, opensAtMs: ({ key }) => opensAtMs(directory, key) });
  const { partitions: partitionCount } = record;
  return { levels, router: new Router({ ...common, partitionCount, owners, edge: levels }) };
}

function statusOf(
  { nodeId, stock }: ClusterOptions,
  node: ClusterNode,
  router: Router,
): NodeStatus {
  return nodeStatusOf({
    nodeId,
    incarnation: () => node.membership.incarnation,
    partitions: () => stock.partitions.map(({ id }) => stock.partition(id)),
    stats: stock.stats,
    router,
    view: () => node.view,
    loopLagMs: () => node.lagMs,
  });
}

async function connectBoth(url: string, nodeId: string, log: Logger) {
  const data = await connectNats({ url, name: `doorbuster ${nodeId}`, log });
  try {
    const control = await connectNats({ url, name: `doorbuster ${nodeId} control`, log });
    return [data, control] as const;
  } catch (cause) {
    await data.close();
    throw cause;
  }
}

async function join(node: ClusterNode, runtime: Runtime, log: Logger): Promise<void> {
  const startedAtMs = runtime.clock.monotonicMs();
  for (;;) {
    try {
      await node.join();
      return;
    } catch (cause) {
      const isLate = runtime.clock.monotonicMs() - startedAtMs > JOIN_WAIT_MS;
      const mayTryAgain = cause instanceof Fault && cause.retry !== "give_up";
      if (isLate || !mayTryAgain) throw cause;
      log.warn({ fault: cause.message }, "cannot join the cluster yet");
      await runtime.pause(JOIN_AGAIN_MS);
    }
  }
}

/** A second sweeper is harmless, so every node goes by its own list. */
function bucketsOf(node: ClusterNode, nodeId: string): () => readonly number[] {
  let view = -1;
  let buckets: readonly number[] = [];
  return () => {
    const { list } = node.membership;
    if (list === null || list.view === view) return buckets;
    view = list.view;
    const up = list.members.filter(({ state }) => state === "up").map(({ id }) => id);
    buckets = placementOf(up, BUCKETS).flatMap((owner, bucket) => {
      return owner === nodeId ? [bucket] : [];
    });
    return buckets;
  };
}

/** When the edge may let a hold through; null for a sale that is not known here yet. */
function opensAtMs(directory: SaleDirectory, skuKey: string): number | null {
  return directory.sale(skuKey.slice(0, skuKey.indexOf("/")))?.startsAtMs ?? null;
}
