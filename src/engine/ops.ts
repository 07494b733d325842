// What operators see: is this node ready, what does it warn of, its numbers as Prometheus text.

import { collectDefaultMetrics, Registry } from "prom-client";

import type { Histogram } from "../actors/stats.ts";
import type { StockNode } from "../actors/stock-node.ts";
import { CLOCK_DRIFT_WARN_MS, CLOCK_SKEW_MAX_MS } from "../core/limits.ts";
import type { NodeInfo, Ops } from "../http/app.ts";
import type { LedgerProjection } from "../projections/ledger-projection.ts";

export type OpsSources = {
  readonly nodeId: string;
  readonly version: string;
  readonly stock: StockNode;
  readonly ledger: LedgerProjection;
  readonly isStopping: () => boolean;
  readonly warnings: () => readonly string[];
};

export function createOps(sources: OpsSources): Ops {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { nodeId, stock } = sources;
  return {
    readiness: () => readinessOf(sources),
    metrics: async () => `${engineText(sources)}${await registry.metrics()}`,
    nodes: (): readonly NodeInfo[] => {
      const owned = stock.partitions.filter(({ state }) => state === "serving").length;
      const state = sources.isStopping() ? "draining" : "up";
      return [{ nodeId, state, address: null, partitions: owned }];
    },
    // An engine without a cluster has nobody to hand its partitions to.
    drain: () => Promise.resolve("not_found"),
  };
}

function readinessOf(sources: OpsSources): ReturnType<Ops["readiness"]> {
  const { stock, ledger } = sources;
  const reasons: string[] = [];
  const warnings = [...sources.warnings()];
  if (sources.isStopping()) reasons.push("stopping");
  if (!stock.mayClaim()) {
    const skewMs = Math.round(stock.clockSkewMs);
    reasons.push(`this node's clock and the store's differ by ${skewMs} ms (${CLOCK_SKEW_MAX_MS})`);
  }
  const halted = stock.partitions.filter(({ state }) => state === "halted");
  const waiting = stock.partitions.filter(({ state }) => state !== "serving" && state !== "halted");
  if (waiting.length > 0) reasons.push(`${waiting.length} partitions are not served yet`);
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

function engineText({ stock, ledger, version }: OpsSources): string {
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
    gauge("doorbuster_clock_skew_seconds", "OS clock against the store's.", [
      `doorbuster_clock_skew_seconds ${stock.clockSkewMs / 1_000}`,
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
