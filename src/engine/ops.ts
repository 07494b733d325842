// What operators see: is this node ready, what does it warn of, its numbers as Prometheus text.

import type { Histogram } from "../actors/stats.ts";
import type { StockNode } from "../actors/stock-node.ts";
import { CLOCK_DRIFT_WARN_MS, CLOCK_SKEW_MAX_MS } from "../core/limits.ts";
import type { NodeInfo, Ops } from "../http/app.ts";
import type { LedgerProjection } from "../projections/ledger-projection.ts";
import type { EngineCluster } from "./cluster.ts";
import { processMetrics } from "./process-metrics.ts";

export type OpsSources = {
  readonly nodeId: string;
  readonly version: string;
  readonly stock: StockNode;
  readonly ledger: LedgerProjection;
  /** Null: this engine runs alone. */
  readonly cluster: EngineCluster | null;
  readonly isStopping: () => boolean;
  readonly warnings: () => readonly string[];
};

export function createOps(sources: OpsSources): Ops {
  const ofProcess = processMetrics();
  return {
    readiness: () => readinessOf(sources),
    metrics: async () => `${engineText(sources)}${await ofProcess.metrics()}`,
    nodes: (): readonly NodeInfo[] => nodesOf(sources),
    // An engine without a cluster has nobody to hand its partitions to.
    drain: (id) => sources.cluster?.node.drain(id) ?? Promise.resolve("not_found"),
  };
}

function nodesOf({ nodeId, stock, cluster, isStopping }: OpsSources): readonly NodeInfo[] {
  if (cluster !== null) {
    return cluster.node.members().map(({ id, state, address, partitionCount }) => {
      return { nodeId: id, state, address, partitions: partitionCount };
    });
  }
  const owned = stock.partitions.filter(({ state }) => state === "serving").length;
  return [{ nodeId, state: isStopping() ? "draining" : "up", address: null, partitions: owned }];
}

function readinessOf(sources: OpsSources): ReturnType<Ops["readiness"]> {
  const { stock, ledger, cluster } = sources;
  const reasons: string[] = [];
  const warnings = [...sources.warnings()];
  if (sources.isStopping()) reasons.push("stopping");
  if (!stock.mayClaim()) {
    const skewMs = Math.round(stock.clockSkewMs);
    reasons.push(`this node's clock and the store's differ by ${skewMs} ms (${CLOCK_SKEW_MAX_MS})`);
  }
  const halted = stock.partitions.filter(({ state }) => state === "halted");
  const waitingCount = waitingCountOf(sources);
  if (waitingCount > 0) reasons.push(`${waitingCount} partitions are not served yet`);
  if (cluster !== null) {
    reasons.push(...placeOf(cluster));
    if (!cluster.isConnected()) warnings.push("cut off from NATS: only what is owned here is sold");
  }
  if (halted.length === stock.partitions.length) reasons.push("every partition is halted");
  for (const { id, haltReason } of halted.slice(0, 10)) {
    warnings.push(`partition ${id} is halted: ${haltReason}`);
  }
  if (ledger.isFull()) warnings.push("the ledger is too far behind: no new holds are taken");
  if (Math.abs(stock.stats.driftMs) > CLOCK_DRIFT_WARN_MS) {
    warnings.push(`the store's clock has drifted by ${Math.round(stock.stats.driftMs)} ms`);
  }
  return { ready: reasons.length === 0, reasons, warnings };
}

/** Partitions that this node should serve and does not. */
function waitingCountOf({ stock, cluster }: OpsSources): number {
  if (cluster !== null) return cluster.node.ownership.missingCount;
  return stock.partitions.filter(({ state }) => state !== "serving" && state !== "halted").length;
}

/** Why this node has no place in its cluster now. Cut off, it is ready for what it owns. */
function placeOf({ node, isConnected }: EngineCluster): readonly string[] {
  if (node.status === "left" || node.status === "leaving") return ["drained"];
  if (node.status === "in" || (!isConnected() && node.ownership.claims().length > 0)) return [];
  return [node.status === "evicted" ? "evicted: comes back in a while" : "not joined yet"];
}

function engineText({ stock, ledger, version, cluster }: OpsSources): string {
  const { stats, partitions } = stock;
  const states = ["idle", "loading", "serving", "doubt", "halted"] as const;
  const byState = states.map((state) => {
    const count = partitions.filter((partition) => partition.state === state).length;
    return `doorbuster_partitions{state="${state}"} ${count}`;
  });
  const queued = partitions.reduce((sum, partition) => sum + partition.queueDepth, 0);
  return [
    gauge("doorbuster_build_info", "What runs.", [
      `doorbuster_build_info{version="${version}",bun="${Bun.version}"} 1`,
    ]),
    gauge("doorbuster_partitions", "Partitions of this node by state.", byState),
    gauge("doorbuster_mailbox_depth", "Commands that wait.", [
      `doorbuster_mailbox_depth ${queued}`,
    ]),
    counter("doorbuster_commits_total", "Batches committed.", stats.commits),
    counter("doorbuster_committed_bytes_total", "Bytes of batches.", stats.committedBytes),
    counter("doorbuster_fenced_total", "Partitions lost to another owner.", stats.fenced),
    counter("doorbuster_archived_units_total", "Quiet units that left memory.", stats.archived),
    counter("doorbuster_restored_units_total", "Archived units asked for again.", stats.restored),
    counter("doorbuster_unknown_outcomes_total", "Commits in doubt.", stats.unknown),
    counter(
      "doorbuster_halted_partitions_total",
      "Partitions that stopped for good.",
      stats.halted,
    ),
    histogram("doorbuster_commit_duration_seconds", "Send to answer.", stats.commitMs, 1_000),
    histogram("doorbuster_batch_answers", "Answers of one commit.", stats.batchAnswers, 1),
    gauge("doorbuster_ledger_lag_batches", "Batches not in the ledger yet.", [
      `doorbuster_ledger_lag_batches ${ledger.lag}`,
    ]),
    gauge("doorbuster_ledger_backlog_bytes", "Their bytes.", [
      `doorbuster_ledger_backlog_bytes ${ledger.backlogBytes}`,
    ]),
    cluster === null ? "" : clusterText(cluster),
    gauge("doorbuster_clock_skew_seconds", "OS clock against the store's.", [
      `doorbuster_clock_skew_seconds ${stock.clockSkewMs / 1_000}`,
    ]),
  ].join("");
}

function clusterText({ node, isConnected, stock, levels }: EngineCluster): string {
  const { membership, ownership } = node;
  const members = membership.list?.members.length ?? 0;
  const connected = isConnected() ? 1 : 0;
  const name = "doorbuster_nats_connected";
  return [
    gauge("doorbuster_members", "Members of the cluster.", [`doorbuster_members ${members}`]),
    gauge("doorbuster_view", "The member list's number.", [`doorbuster_view ${node.view}`]),
    gauge(name, "1 while this node reaches NATS.", [`${name} ${connected}`]),
    counter("doorbuster_hand_offs_total", "Taken from a living node.", ownership.handOffCount),
    counter("doorbuster_take_overs_total", "Taken from nobody.", ownership.takeOverCount),
    counter("doorbuster_evictions_total", "Members evicted here.", membership.evictionCount),
    counter("doorbuster_evicted_total", "This node's evictions.", membership.wasEvictedCount),
    counter("doorbuster_forwarded_asks_total", "Asks sent to other nodes.", stock.stats.sent),
    counter("doorbuster_moved_asks_total", "Asks whose owner had moved.", stock.stats.moved),
    counter("doorbuster_edge_refusals_total", "Refused without asking.", levels.refusedCount),
    gauge("doorbuster_forwarded_asks", "Asks that wait for other nodes.", [
      `doorbuster_forwarded_asks ${stock.pendingCount}`,
    ]),
  ].join("");
}

function gauge(name: string, help: string, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("\n")}\n`;
}

function counter(name: string, help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${name} ${value}\n`;
}

/** `unit` divides: Prometheus speaks base units. */
function histogram(name: string, help: string, from: Histogram, unit: number): string {
  let total = 0;
  const buckets = [...from.counts].map((count, index) => {
    total += count;
    const bound = from.bounds[index];
    const limit = bound === undefined ? "+Inf" : String(bound / unit);
    return `${name}_bucket{le="${limit}"} ${total}`;
  });
  const head = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${buckets.join("\n")}\n`;
  return `${head}${name}_sum ${from.sum / unit}\n${name}_count ${from.count}\n`;
}
