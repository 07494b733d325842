// Placement: rendezvous hashing (highest random weight) with bounded load, that leaves alone what it
// can. The list carries the result, so everybody has the same; golden values pin it.

import { assert } from "./assert.ts";
import { hash64 } from "./ids.ts";

/**
 * The owner of each partition.
 *
 * What has an owner in `previous` stays, as far as no node owns more than ⌈P/n⌉ + 1. What has none
 * goes, in order, to its highest-ranked node that owns fewer than ⌊P/n⌋, else than ⌈P/n⌉. Then those
 * who own fewer than ⌊P/n⌋ take from those who own most, in the bounds of two shares a change: a
 * leave moves what the node had, a join what the new node gets, and little else.
 *
 * Shape    one node id a partition; [] when there are no nodes.
 * Cost     O(P · n); 1,024 partitions and 50 nodes in a few milliseconds.
 */
export function placementOf(
  nodeIds: readonly string[],
  partitions: number,
  previous: readonly string[] = [],
): readonly string[] {
  assert(new Set(nodeIds).size === nodeIds.length, "node ids are unique");
  if (nodeIds.length === 0) return [];
  const draft = new Draft([...nodeIds].sort(), partitions);
  const orphans: number[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    if (!draft.give(partition, previous[partition] ?? "")) orphans.push(partition);
  }
  for (const partition of orphans) {
    const isGiven =
      draft.giveBest(partition, draft.fewest) || draft.giveBest(partition, draft.share);
    assert(isGiven, "all nodes together have room for all partitions");
  }
  // Of the node that came, or of the one that went: the smaller of the two shares.
  const share = Math.ceil(partitions / (nodeIds.length + 1));
  draft.level(2 * share - orphans.length);
  return draft.owners;
}

class Draft {
  readonly owners: string[] = [];
  readonly fewest: number;
  readonly share: number;
  readonly most: number;
  readonly #owned: Map<string, number>;

  constructor(nodes: readonly string[], partitions: number) {
    this.fewest = Math.floor(partitions / nodes.length);
    this.share = Math.ceil(partitions / nodes.length);
    this.most = this.share + 1;
    this.#owned = new Map(nodes.map((node) => [node, 0]));
  }

  /** False when the node is not one of ours or is full. */
  give(partition: number, node: string): boolean {
    const owned = this.#owned.get(node);
    if (owned === undefined || owned >= this.most) return false;
    this.#owned.set(node, owned + 1);
    this.owners[partition] = node;
    return true;
  }

  /** To the highest-ranked node that owns fewer than `max`. */
  giveBest(partition: number, max: number): boolean {
    let best = "";
    let bestRank = -1n;
    for (const [node, owned] of this.#owned) {
      if (owned >= max) continue;
      const rank = rankOf(partition, node);
      if (rank > bestRank) {
        best = node;
        bestRank = rank;
      }
    }
    return best !== "" && this.give(partition, best);
  }

  /** Who owns fewest takes from those who own most what ranks it highest. */
  level(movesMax: number): void {
    for (let moves = 0; moves < movesMax; moves++) {
      const [node, owned] = [...this.#owned].reduce((poorest, next) =>
        next[1] < poorest[1] ? next : poorest,
      );
      if (owned >= this.fewest) return;
      this.#take(node);
    }
  }

  #take(taker: string): void {
    const most = Math.max(...this.#owned.values());
    assert(most > this.fewest, "who owns too few takes from one who owns more");
    let best = -1;
    let bestRank = -1n;
    this.owners.forEach((owner, partition) => {
      if (this.#owned.get(owner) !== most) return;
      const rank = rankOf(partition, taker);
      if (rank > bestRank) {
        best = partition;
        bestRank = rank;
      }
    });
    const giver = this.owners[best];
    assert(giver !== undefined, "the one who owns most owns something");
    this.#owned.set(giver, most - 1);
    this.give(best, taker);
  }
}

function rankOf(partition: number, node: string): bigint {
  return hash64(`${partition}@${node}`);
}
