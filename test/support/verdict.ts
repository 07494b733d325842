// What a crowd did and heard under faults, against everything that is stored: the end of each run.

import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expectBooksAgree, ledgerOf, ordersOf } from "./audit.ts";
import { searchWindow } from "./checker-window.ts";
import { check } from "./checker.ts";
import { BRIEF, type Crowd, RUSH } from "./crowd.ts";
import type { FaultyNodes } from "./faulty-nodes.ts";
import { readHistory } from "./history.ts";
import { until } from "./world.ts";

/** An evicted node comes back after 5 s, one that was evicted before after 30 s. */
const WHOLE_WITHIN_MS = 45_000;

/**
 * Waits until the cluster is whole and quiet, then checks everything. A history that is wrong is
 * kept, and the failure names its file.
 */
export async function expectAllTrue(
  faulty: FaultyNodes,
  crowd: Crowd,
  seed: number,
): Promise<string> {
  await until("the cluster is whole", () => faulty.isWhole(faulty.nodes.length), WHOLE_WITHIN_MS);
  const audited = faulty.audited();
  await until("the brief holds have lapsed", async () => {
    return (await audited.report(BRIEF)).skus.every(({ held }) => held === 0);
  });
  await expectBooksAgree(audited, RUSH);
  await expectBooksAgree(audited, BRIEF);
  const path = join(tmpdir(), `doorbuster-history-${seed}.jsonl`);
  await crowd.history.write(path);
  const history = await readHistory(path);
  const ledger = await ledgerOf(audited);
  const rows = await ordersOf(audited, RUSH);
  const orders = rows.map((row) => {
    const { order_id: orderId, shopper_id: shopper, idempotency_key: key, status } = row;
    return { orderId, shopper, key, status };
  });
  const violations = check({ history, ledger, orders });
  const verdicts = { linearizable: 0, undecided: 0, impossible: 0 };
  const impossible: string[] = [];
  for (const [skuKey, ops] of crowd.windowsIn(history)) {
    const verdict = searchWindow(ops, crowd.windowShop);
    verdicts[verdict] += 1;
    if (verdict === "impossible") impossible.push(skuKey);
  }
  expect({ path, violations: violations.slice(0, 20), impossible }).toEqual({
    path,
    violations: [],
    impossible: [],
  });
  rmSync(path);
  const heard = JSON.stringify(crowd.history.summary());
  const windows = JSON.stringify(verdicts);
  return `${history.length} requests, ${ledger.length} batches; windows ${windows}; ${heard}`;
}
