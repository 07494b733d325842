// Placement: rendezvous hashing (highest random weight) with bounded load. Everybody computes the
// same from the same list; golden values pin it.

import { assert } from "./assert.ts";
import { hash64 } from "./ids.ts";

/**
 * The owner of each partition.
 *
 * Partitions in order, each to its highest-ranked node that owns fewer than ⌈P/n⌉ + 1: no node gets
 * more than that, and a join or leave moves about its share.
 *
 * Shape    one node id a partition; [] when there are no nodes.
 * Cost     O(P · n); 1,024 partitions and 50 nodes in a few milliseconds.
 */
export function placementOf(nodeIds: readonly string[], partitions: number): readonly string[] {
  assert(new Set(nodeIds).size === nodeIds.length, "node ids are unique");
  if (nodeIds.length === 0) return [];
  const nodes = [...nodeIds].sort();
  const ownedMax = Math.ceil(partitions / nodes.length) + 1;
  const owned = new Map<string, number>();
  const owners: string[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    let best = "";
    let bestRank = -1n;
    for (const node of nodes) {
      if ((owned.get(node) ?? 0) >= ownedMax) continue;
      const rank = hash64(`${partition}@${node}`);
      if (rank > bestRank) {
        best = node;
        bestRank = rank;
      }
    }
    owned.set(best, (owned.get(best) ?? 0) + 1);
    owners.push(best);
  }
  return owners;
}
