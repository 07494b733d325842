// How capacity grows with nodes: counted, not timed. The real placement and the real hash decide who
// owns what; each request costs its entry node and its owner what was measured on real processes.
// Wall-clock scale-out cannot be shown on two cores and is not claimed.

import { partitionOf } from "../../src/core/ids.ts";
import { PARTITIONS_MAX } from "../../src/core/limits.ts";
import { placementOf } from "../../src/core/placement.ts";
import { catalogueSku } from "../generator/requests.ts";
import { seededRandom, zipf } from "../stats/random.ts";

/** CPU of a node's process, µs. */
export type UnitPrices = {
  /** HTTP, token, validation, answer: where the request enters. */
  readonly entryUs: number;
  /** The decision and its share of a commit: at the owner. */
  readonly decideUs: number;
  /** Of a request that enters elsewhere: at the asking and at the answering side together. */
  readonly forwardUs: number;
};

export type NodesPoint = {
  readonly nodes: number;
  /** Of all requests, those that are forwarded. */
  readonly forwarded: number;
  /** Requests a second that the busiest node's core allows, all entering at random. */
  readonly randomPerSecond: number;
  /** The same with requests entering at their owners. */
  readonly affinePerSecond: number;
};

const NODE_COUNTS = [1, 2, 4, 8, 16, 32, 64] as const;
const REQUESTS = 200_000;
const SKUS = 10_000;

/** `exponent` 0: all SKUs alike; 1: zipf. */
export function nodesGrowth(prices: UnitPrices, exponent: number): readonly NodesPoint[] {
  return NODE_COUNTS.map((nodes) => {
    const names = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`);
    const owners = placementOf(names, PARTITIONS_MAX).map((name) => names.indexOf(name));
    const ownerOf = Array.from({ length: SKUS }, (_, number) => {
      return owners[partitionOf("bench", catalogueSku(number), null, PARTITIONS_MAX)] as number;
    });
    const random = seededRandom(7);
    const draw = zipf(SKUS, exponent, random);
    const randomUs = new Float64Array(nodes);
    const affineUs = new Float64Array(nodes);
    let forwarded = 0;
    const add = (loads: Float64Array, node: number, us: number): void => {
      loads[node] = (loads[node] as number) + us;
    };
    for (let request = 0; request < REQUESTS; request += 1) {
      const owner = ownerOf[draw()] as number;
      const entry = Math.floor(random() * nodes);
      add(randomUs, entry, prices.entryUs);
      add(randomUs, owner, prices.decideUs);
      add(affineUs, owner, prices.entryUs + prices.decideUs);
      if (entry === owner) continue;
      forwarded += 1;
      add(randomUs, entry, prices.forwardUs / 2);
      add(randomUs, owner, prices.forwardUs / 2);
    }
    return {
      nodes,
      forwarded: forwarded / REQUESTS,
      randomPerSecond: (REQUESTS * 1e6) / Math.max(...randomUs),
      affinePerSecond: (REQUESTS * 1e6) / Math.max(...affineUs),
    };
  });
}
