// How long a partition of 10,000 holds is without an owner while it changes hands, on a real Redis
// with `appendfsync always`: flush and release at the old owner, claim and load at the new one.
//
//   bun bench/hand-off.ts [moves] [holds]

import { StockNode } from "../src/actors/stock-node.ts";
import { REQUEST_DEADLINE_MS } from "../src/core/limits.ts";
import type { LedgerFeed } from "../src/core/ports/ledger-feed.ts";
import type { Logger } from "../src/core/ports/logger.ts";
import { steadyClock, systemRuntime } from "../src/engine/runtime.ts";
import { RedisJournal } from "../src/store/redis/redis-journal.ts";
import { MemoryArchive } from "../test/support/memory-archive.ts";
import { startRedis } from "../test/support/servers.ts";

const MOVES = Number(process.argv[2] ?? 40);
const HOLDS = Number(process.argv[3] ?? 10_000);
const GENERATION = "bench";
const SKU = { key: "sale/sku", partition: 0 };

const log: Logger = { info: () => {}, warn: () => {}, error: () => {} };
const ledger: LedgerFeed = {
  committed: () => {},
  serving: () => {},
  dropped: () => {},
  isFull: () => false,
  highest: () => Promise.resolve(0),
  known: () => 0,
};

const redis = await startRedis();
const journals = [0, 1].map(() => {
  return new RedisJournal({ url: redis.url, durability: "strict", log: () => {} });
});
await journals[0]!.create(0, GENERATION);
const runtime = systemRuntime(steadyClock(Date.now()));
const nodes = journals.map((journal, index) => {
  const owner = `node-${index}/1`;
  return new StockNode({
    journal,
    archive: new MemoryArchive(),
    runtime,
    log,
    ledger,
    owner,
    generation: GENERATION,
    partitionCount: 1,
  });
});

function own(node: StockNode, view: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  node.onOwnership(({ kind }) => {
    if (kind === "serving") resolve();
  });
  node.own(0, view);
  return promise;
}

await own(nodes[0]!, 1);
const nowMs = Date.now();
await nodes[0]!.ask(SKU, {
  kind: "configure",
  version: 1,
  released: HOLDS + 1_000,
  priceMinor: 1_000,
  limit: 1,
  group: null,
  groupLimit: 1,
  startsAtMs: nowMs - 60_000,
  endsAtMs: nowMs + 7_200_000,
  holdMs: 3_600_000,
  payMs: 3_600_000,
  phase: "live",
});
let heldCount = 0;
for (let from = 0; from < HOLDS; from += 500) {
  const asked = Array.from({ length: Math.min(500, HOLDS - from) }, (_, index) => {
    const command = { kind: "hold", shopper: `shopper-${from + index}`, quantity: 1 } as const;
    return nodes[0]!.askWithin(SKU, command, 10 * REQUEST_DEADLINE_MS);
  });
  heldCount += (await Promise.all(asked)).filter(({ kind }) => kind === "held").length;
}

const pausesMs: number[] = [];
for (let move = 0; move < MOVES; move++) {
  const [from, to] = [nodes[move % 2]!, nodes[(move + 1) % 2]!];
  const startedMs = performance.now();
  const { promise: given, resolve } = Promise.withResolvers<void>();
  const { promise: serving, resolve: served } = Promise.withResolvers<void>();
  to.onOwnership(({ kind }) => {
    if (kind === "serving") served();
  });
  to.own(0, move + 2, given);
  await from.disown(0);
  resolve();
  await serving;
  pausesMs.push(performance.now() - startedMs);
}
pausesMs.sort((left, right) => left - right);
const at = (q: number): string => pausesMs[Math.floor(q * (pausesMs.length - 1))]!.toFixed(1);
console.log(
  `${heldCount} holds, ${MOVES} moves: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`,
);
await Promise.all(nodes.map((node) => node.stop()));
await Promise.all(journals.map((journal) => journal.close()));
await redis.stop();
