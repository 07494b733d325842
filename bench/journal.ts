// How many commits and events a second the Redis journal does. Prints, asserts nothing.
//
//   bun bench/journal.ts             on a Redis of its own
//   REDIS_URL=… bun bench/journal.ts on that one (a fresh one: it creates partitions)

import type { Commit, Term } from "../src/core/ports/journal.ts";
import { RedisJournal } from "../src/store/redis/redis-journal.ts";
import { startRedis } from "../test/support/servers.ts";

const SECONDS = Number(process.env["SECONDS"] ?? 2);
const EVENT_BYTES = 80;
const SKUS = [1, 100] as const;

async function claimed(journal: RedisJournal, partition: number): Promise<Term> {
  await journal.create(partition, "bench");
  const view = (await journal.highestView(partition + 1)) + 1;
  const claim = await journal.claim({ partition, view, owner: "bench" });
  if (claim.kind !== "claimed") throw new Error(claim.kind);
  return { partition, view, owner: "bench", claim: claim.claim };
}

/** One batch in flight, as a partition has it. Returns how many were committed. */
async function run(journal: RedisJournal, term: Term, shape: Shape, untilMs: number) {
  const check = await journal.check(term);
  if (check.kind !== "confirmed") throw new Error(check.kind);
  let seq = check.seq;
  const bytes = "x".repeat(EVENT_BYTES * shape.events);
  const skus = Math.min(shape.skus, shape.events);
  const deltas = Array.from({ length: skus }, (_, n) => ({ skuKey: `sale/sku-${n}`, delta: 1 }));
  const first = seq;
  const delaysMs: number[] = [];
  while (performance.now() < untilMs) {
    seq += 1;
    const commit: Commit = { term, seq, batchId: `${term.claim}-${seq}`, bytes, deltas };
    const fromMs = performance.now();
    const result = await journal.commit(commit);
    if (result.kind !== "committed") throw new Error(result.kind);
    delaysMs.push(performance.now() - fromMs);
  }
  return { commits: seq - first, delaysMs };
}

type Shape = { readonly events: number; readonly skus: number };

const own = process.env["REDIS_URL"] === undefined ? await startRedis() : null;
const journal = new RedisJournal({
  url: process.env["REDIS_URL"] ?? own?.url ?? "",
  durability: "relaxed",
});
const terms: Term[] = [];
for (let partition = 0; partition < 64; partition++) terms.push(await claimed(journal, partition));
for (const warning of journal.warnings()) console.log(`warning: ${warning}`);

console.log("partitions  events/batch  SKUs/batch  commits/s  events/s  p50 ms  p99 ms");
for (const partitions of [1, 8, 64]) {
  for (const events of [1, 32, 256]) {
    for (const skus of SKUS) {
      if (skus > 1 && events === 1) continue;
      const untilMs = performance.now() + SECONDS * 1_000;
      const runs = terms.slice(0, partitions).map((term) => {
        return run(journal, term, { events, skus }, untilMs);
      });
      const done = await Promise.all(runs);
      const commits = done.reduce((sum, one) => sum + one.commits, 0) / SECONDS;
      const delaysMs = done.flatMap((one) => one.delaysMs).sort((a, b) => a - b);
      const at = (share: number): number => delaysMs[Math.floor(delaysMs.length * share)] ?? NaN;
      const columns = [partitions, events, Math.min(skus, events), Math.round(commits)];
      const rates = [...columns, Math.round(commits * events)].map(String);
      const delays = [at(0.5).toFixed(2), at(0.99).toFixed(2)];
      const widths = [10, 14, 12, 11, 10, 8, 8];
      console.log([...rates, ...delays].map((cell, n) => cell.padStart(widths[n] ?? 8)).join(""));
    }
  }
}
await journal.close();
await own?.stop();
