// What an SRE sees of a node, as plain data.

import type { LocalPartition } from "../core/ports/local-partitions.ts";
import type { Router } from "./router.ts";

type Quantiles = { quantile(q: number): number };

export type StatusSources = {
  readonly nodeId: string;
  readonly incarnation: () => string;
  readonly partitions: () => readonly LocalPartition[];
  readonly stats: {
    readonly commits: number;
    readonly fenced: number;
    readonly unknown: number;
    readonly halted: number;
    readonly commitMs: Quantiles;
    readonly batchAnswers: Quantiles;
  };
  readonly router: Pick<Router, "stats" | "pendingCount" | "parkedCount">;
  readonly view: () => number;
  readonly loopLagMs: () => number;
};

export type NodeStatus = {
  readonly node: string;
  readonly incarnation: string;
  /** The member list's number that the node knows. */
  readonly view: number;
  /** All that are not idle. */
  readonly partitions: readonly LocalPartition[];
  readonly queueDepth: number;
  readonly commits: number;
  readonly commitMs: { readonly p50: number; readonly p99: number };
  readonly batchAnswers: { readonly p50: number; readonly p99: number };
  readonly fenced: number;
  readonly unknown: number;
  readonly halted: number;
  readonly loopLagMs: number;
  readonly router: Router["stats"] & { readonly pending: number; readonly waiting: number };
};

/** Cost: O(partitions); nothing is asked of anybody. */
export function nodeStatusOf(sources: StatusSources): NodeStatus {
  const { stats, router } = sources;
  const partitions = sources.partitions().filter(({ state }) => state !== "idle");
  return {
    node: sources.nodeId,
    incarnation: sources.incarnation(),
    view: sources.view(),
    partitions,
    queueDepth: partitions.reduce((sum, { queueDepth }) => sum + queueDepth, 0),
    commits: stats.commits,
    commitMs: quantilesOf(stats.commitMs),
    batchAnswers: quantilesOf(stats.batchAnswers),
    fenced: stats.fenced,
    unknown: stats.unknown,
    halted: stats.halted,
    loopLagMs: Math.round(sources.loopLagMs() * 10) / 10,
    router: { ...router.stats, pending: router.pendingCount, waiting: router.parkedCount },
  };
}

/** Upper bounds of buckets; JSON has no infinity. */
function quantilesOf(from: Quantiles): { readonly p50: number; readonly p99: number } {
  const finite = (value: number): number => (Number.isFinite(value) ? value : -1);
  return { p50: finite(from.quantile(0.5)), p99: finite(from.quantile(0.99)) };
}
