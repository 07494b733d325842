// Every Redis key is built here.
//
// One hash tag for each partition: all its keys are in one slot, so the scripts work on Redis Cluster
// (commit.lua with one batch a call, ADR 0015). SKU keys are hash fields and never part of a key, so
// no `{` or `}` in one can move a slot.

import { assert } from "../../core/assert.ts";
import { PARTITIONS_MAX } from "../../core/limits.ts";

export type PartitionKeys = {
  /** hash: view, claim, owner, seq, batch, generation, released */
  readonly fence: string;
  /** hash: SKU key → available */
  readonly stock: string;
  /** stream: `<seq>-0` → claim, bytes */
  readonly journal: string;
  /** hash: seq, pieces, attempt, 0 … pieces − 1 */
  readonly snapshot: string;
  /** hash: a snapshot on its way; RENAME makes it the snapshot */
  readonly staging: string;
};

const built: PartitionKeys[] = [];

export function keysOf(partition: number): PartitionKeys {
  return (built[partition] ??= build(partition));
}

function build(partition: number): PartitionKeys {
  assert(Number.isInteger(partition), "a partition is an integer");
  assert(partition >= 0 && partition < PARTITIONS_MAX, "a partition is within its limit");
  const tag = `db:{p${String(partition).padStart(3, "0")}}`;
  return {
    fence: `${tag}:fence`,
    stock: `${tag}:stock`,
    journal: `${tag}:journal`,
    snapshot: `${tag}:snapshot`,
    staging: `${tag}:snapshot-staging`,
  };
}
