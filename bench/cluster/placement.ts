// Many nodes and a million SKUs, a fifth of the nodes replaced one after the other: what moves, who
// owns how much, and what it weighs. The nodes are real ClusterNodes on the simulated world.

import { partitionOf } from "../../src/core/ids.ts";
import { PARTITIONS_MAX } from "../../src/core/limits.ts";
import { apply } from "../../src/core/stock/apply.ts";
import { emptyBook } from "../../src/core/stock/state.ts";
import { type BedNode, ClusterBed } from "../../test/support/cluster-bed.ts";

const REPLACED_SHARE = 0.2;
const SETTLE_MS = 60_000;
const SALES = 100;

export function placement(nodeCount: number, skuCount: number): void {
  const bed = new ClusterBed(PARTITIONS_MAX);
  const startedMs = performance.now();
  let nodes = bed.startAll(...Array.from({ length: nodeCount }, (_, index) => `node-${index}`));
  bed.until("all is owned", () => bed.isWhole(nodes), SETTLE_MS);
  const skusOf = countSkus(skuCount);
  console.log(`${nodeCount} nodes, ${PARTITIONS_MAX} partitions, ${skuCount} SKUs`);
  sayShares("at first", nodes, skusOf);
  const wanted = Math.round(nodeCount * REPLACED_SHARE);
  let moved = 0;
  let mostMoved = 0;
  const tookMs: number[] = [];
  for (let index = 0; index < wanted; index += 1) {
    const gone = nodes[index]!;
    // Every other one dies; the rest are drained.
    const dies = index % 2 === 0;
    const before = bed.list.placement;
    if (dies) bed.kill(gone);
    else void gone.cluster.drain(gone.id);
    const left = nodes.filter((node) => node !== gone);
    tookMs.push(
      bed.until(
        "the others own all",
        () => !bed.ids.includes(gone.id) && bed.isWhole(left),
        SETTLE_MS,
      ),
    );
    const between = bed.list.placement;
    const fresh = bed.start(`fresh-${index}`);
    nodes = [...nodes.filter((node) => node !== gone), fresh];
    tookMs.push(
      bed.until(
        "the new one has its share",
        () => bed.ids.includes(fresh.id) && bed.isWhole(nodes) && fresh.local.serving.length > 0,
        SETTLE_MS,
      ),
    );
    bed.run(2_000);
    const changes = [movedOf(before, between), movedOf(between, bed.list.placement)];
    moved += changes[0]! + changes[1]!;
    mostMoved = Math.max(mostMoved, ...changes);
  }
  const share = PARTITIONS_MAX / nodeCount;
  sayShares(`after ${wanted} were replaced`, nodes, skusOf);
  const perChange = moved / (2 * wanted);
  console.log(
    `  moves: ${moved} in ${2 * wanted} changes, ${perChange.toFixed(1)} each, at most ${mostMoved}; ` +
      `a share is ${share.toFixed(1)} (at most ${(mostMoved / share).toFixed(2)} shares)`,
  );
  tookMs.sort((left, right) => left - right);
  console.log(
    `  until all was owned again: p50 ${tookMs[tookMs.length >> 1]} ms, max ${tookMs.at(-1)} ms (simulated)`,
  );
  const handOffs = nodes.reduce((sum, { cluster }) => sum + cluster.handOffCount, 0);
  const takeOvers = nodes.reduce((sum, { cluster }) => sum + cluster.takeOverCount, 0);
  console.log(`  of the nodes that are left: ${handOffs} hand-offs, ${takeOvers} take-overs`);
  sayMemory(skuCount, mostSkus(nodes, skusOf));
  console.log(`  took ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
}

/** SKUs of each partition. */
function countSkus(skuCount: number): Uint32Array {
  const counts = new Uint32Array(PARTITIONS_MAX);
  for (let index = 0; index < skuCount; index += 1) {
    const partition = partitionOf(`sale-${index % SALES}`, `sku-${index}`, null, PARTITIONS_MAX);
    counts[partition]! += 1;
  }
  return counts;
}

function mostSkus(nodes: readonly BedNode[], skusOf: Uint32Array): number {
  return Math.max(...nodes.map((node) => skusAt(node, skusOf)));
}

function skusAt({ local }: BedNode, skusOf: Uint32Array): number {
  return local.serving.reduce((sum, partition) => sum + skusOf[partition]!, 0);
}

function sayShares(when: string, nodes: readonly BedNode[], skusOf: Uint32Array): void {
  const owned = nodes.map(({ local }) => local.serving.length);
  const skus = nodes.map((node) => skusAt(node, skusOf));
  const bound = Math.ceil(PARTITIONS_MAX / nodes.length) + 1;
  console.log(
    `  ${when}: partitions a node ${Math.min(...owned)} to ${Math.max(...owned)} (bound ${bound}), ` +
      `SKUs a node ${Math.min(...skus)} to ${Math.max(...skus)}`,
  );
}

function movedOf(before: readonly string[], after: readonly string[]): number {
  return before.filter((owner, partition) => owner !== after[partition]).length;
}

/** What SKUs weigh that are configured and quiet, as an owner holds them. */
function sayMemory(skuCount: number, most: number): void {
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  const book = emptyBook();
  const nowMs = Date.now();
  for (let index = 0; index < skuCount; index += 1) {
    apply(book, `sale-${index % SALES}/sku-${index}`, {
      kind: "configured",
      version: 1,
      released: 100,
      priceMinor: 1_000,
      limit: 2,
      group: null,
      groupLimit: 2,
      startsAtMs: nowMs,
      endsAtMs: nowMs + 7_200_000,
      holdMs: 300_000,
      payMs: 600_000,
      phase: "live",
    });
  }
  Bun.gc(true);
  const bytes = (process.memoryUsage.rss() - before) / skuCount;
  const mostMb = (bytes * most) / 2 ** 20;
  console.log(
    `  memory: ${bytes.toFixed(0)} bytes a SKU (${book.skus.size} in one book), ` +
      `${mostMb.toFixed(1)} MiB at the node with most`,
  );
}
