// What every journal asserts of its requests, so that all implementations refuse the same bugs.

import { assert } from "../core/assert.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
  PARTITIONS_MAX,
  STOCK_UNITS_MAX,
} from "../core/limits.ts";
import type { Commit, Term } from "../core/ports/journal.ts";

/** A SKU's available units stay far inside 2^53, so that doubles (Lua, JavaScript) are exact. */
const DELTA_UNITS_MAX = STOCK_UNITS_MAX;

export function assertPartition(partition: number): void {
  assert(Number.isInteger(partition), "a partition is an integer");
  assert(partition >= 0 && partition < PARTITIONS_MAX, "a partition is within its limit");
}

export function assertClaimRequest(request: {
  readonly view: number;
  readonly owner: string;
}): void {
  assert(Number.isSafeInteger(request.view) && request.view >= 0, "a view is a count");
  assert(request.owner !== "", "an owner has a name");
}

export function assertTerm(term: Term): void {
  assertPartition(term.partition);
  assert(Number.isSafeInteger(term.claim) && term.claim >= 1, "claims count from 1");
}

/** Cost: one look at each delta; a SKU that came twice would corrupt the stock backup. */
export function assertCommit(request: Commit): void {
  assertTerm(request.term);
  assert(Number.isSafeInteger(request.seq) && request.seq >= 1, "batches count from 1");
  assert(request.batchId !== "", "a batch has an id");
  assert(request.bytes.length <= BATCH_BYTES_MAX, "a batch is within its limit of bytes");
  const { deltas } = request;
  assert(deltas.length <= BATCH_EVENTS_MAX, "a batch is within its limit of SKUs");
  for (const { delta } of deltas) {
    assert(
      Number.isInteger(delta) && Math.abs(delta) <= DELTA_UNITS_MAX,
      "a delta is a unit count",
    );
  }
  if (deltas.length > 1) {
    const skuKeys = new Set<string>();
    for (const { skuKey } of deltas) skuKeys.add(skuKey);
    assert(skuKeys.size === deltas.length, "deltas are net: a SKU comes once in a batch");
  }
}

export function assertLedgerSeq(ledgerSeq: number): void {
  assert(Number.isSafeInteger(ledgerSeq) && ledgerSeq >= 0, "the ledger's seq is a count");
}
