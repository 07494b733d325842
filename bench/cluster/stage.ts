// Three nodes under a load of shoppers who repeat once: what the cluster's measurements stand on.

import { createTokens } from "../../src/http/tokens/tokens.ts";
import { metricOf } from "../../test/support/audited-nodes.ts";
import type { TestProgram } from "../../test/support/engine.ts";
import { type Met, SteadyLoad } from "../../test/support/steady-load.ts";
import { JWT_SECRET, startNodes, type WorldOfNodes } from "../../test/support/world-of-nodes.ts";
import { until } from "../../test/support/world.ts";
import { ownerOf } from "../arms/owner-of.ts";

export const SALE = "drop";
export const HOT = "hot";
const OTHERS = Array.from({ length: 31 }, (_, index) => `sku-${index}`);
/** An evicted node comes back after 5 s, then after 30. */
const WHOLE_WITHIN_MS = 60_000;

export type Stage = {
  readonly world: WorldOfNodes;
  readonly load: SteadyLoad;
  /** The node that the member list places a SKU on, by its index. */
  ownerOf(sku: string): Promise<number>;
  whole(nodes?: number): Promise<void>;
  /** Evictions of members by those that live now. */
  evictions(): Promise<number>;
  stop(): Promise<void>;
};

export async function startStage(options: {
  readonly shoppers: number;
  readonly thinkMs?: number;
  readonly partitions?: number;
}): Promise<Stage> {
  const { shoppers, thinkMs = 0, partitions = 64 } = options;
  const world = await startNodes({ count: 3, partitions });
  const { nodes, nats } = world;
  const stock = 1_000_000;
  const skus = [HOT, ...OTHERS].map((sku) => ({ sku, stock, limit: 2 }));
  await world.applySale(nodes[0]!, { sale: SALE, skus, holdFor: "60m" });
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  const tokens = createTokens({ secret: JWT_SECRET, clock });
  const load = new SteadyLoad({
    ports: nodes.map(({ port }) => port),
    sale: SALE,
    // Half of all shoppers want the hot one.
    skus: OTHERS.flatMap((sku) => [sku, HOT]),
    shoppers,
    thinkMs,
    token: async (id) => (await tokens.sign(id)).accessToken,
  });
  return {
    world,
    load,
    ownerOf: async (sku) => {
      const id = await ownerOf(nats.url, { sale: SALE, sku, partitions });
      return Number(id.slice("node-".length)) - 1;
    },
    whole: (count = nodes.length) =>
      until("the cluster is whole", () => world.isWhole(count), WHOLE_WITHIN_MS),
    evictions: async () => {
      const counts = await Promise.all(nodes.map((node) => evictionsAt(node)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    stop: async () => {
      await load.stop();
      await world.stop();
    },
  };
}

function evictionsAt(node: TestProgram): Promise<number> {
  return metricOf(node, "doorbuster_evictions_total");
}

export function isDefinite({ status }: Met): boolean {
  return status !== null && status < 500;
}

/** Nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

export function spread(values: readonly number[]): string {
  const [p50, p95, max] = [0.5, 0.95, 1].map((q) => quantile(values, q).toFixed(0));
  return `p50 ${p50} ms, p95 ${p95} ms, max ${max} ms (${values.length})`;
}

/** How often each status was heard, and how often it was repeated in vain. */
export function statusesOf(met: readonly Met[]): string {
  const counts = new Map<string, number>();
  for (const { status } of met) {
    counts.set(String(status), (counts.get(String(status)) ?? 0) + 1);
  }
  return [...counts].map(([status, count]) => `${status}: ${count}`).join(", ");
}
