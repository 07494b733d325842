// How long a partition takes to come back, by the length of its journal: a real Redis, the real
// journal, and no snapshot to shorten it.

import { recover } from "../../src/actors/recovery.ts";
import type { Archive } from "../../src/core/ports/archive.ts";
import type { Term } from "../../src/core/ports/journal.ts";
import { apply } from "../../src/core/stock/apply.ts";
import { BatchBuilder } from "../../src/core/stock/codec.ts";
import type { Command } from "../../src/core/stock/command.ts";
import { decide } from "../../src/core/stock/decide.ts";
import { emptyBook } from "../../src/core/stock/state.ts";
import { RedisJournal } from "../../src/store/redis/redis-journal.ts";
import { startRedis } from "../../test/support/servers.ts";

const KEY = "bench/hot";
const BATCH_EVENTS = 2_048;
const TRIES = 3;

/** Returns: for each length, the best of three recoveries in seconds, from claim to serving. */
export async function recoveryTimes(
  lengths: readonly number[],
): Promise<readonly (readonly [holds: number, seconds: number])[]> {
  const redis = await startRedis();
  const journal = new RedisJournal({ url: redis.url, durability: "strict" });
  try {
    const points: [number, number][] = [];
    for (const [partition, holds] of lengths.entries()) {
      await journal.create(partition, "bench");
      await fill(journal, partition, holds);
      let best = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const startedMs = performance.now();
        const { term, seq } = await claim(journal, partition);
        const recovered = await recover({ journal, archive: NOTHING_ARCHIVED }, term, seq);
        best = Math.min(best, performance.now() - startedMs);
        const found = recovered.book.holds.size;
        if (found !== holds) throw new Error(`recovered ${found} of ${holds} holds`);
      }
      points.push([holds, best / 1_000]);
    }
    return points;
  } finally {
    await journal.close();
    await redis.stop();
  }
}

/** Nothing here is quiet long enough to be archived: whoever asks is wrong. */
const NOTHING_ARCHIVED: Archive = {
  put: () => Promise.reject(new Error("nothing is archived here")),
  get: () => Promise.reject(new Error("nothing is archived here")),
};

let view = 0;

async function claim(
  journal: RedisJournal,
  partition: number,
): Promise<{ term: Term; seq: number }> {
  view += 1;
  const owner = `bench/${view}`;
  const claimed = await journal.claim({ partition, view, owner });
  if (claimed.kind !== "claimed") throw new Error(`claim: ${claimed.kind}`);
  return { term: { partition, view, owner, claim: claimed.claim }, seq: claimed.seq };
}

async function fill(journal: RedisJournal, partition: number, holds: number): Promise<void> {
  const { term } = await claim(journal, partition);
  const nowMs = Date.now();
  const book = emptyBook();
  const configure: Command = {
    kind: "configure",
    version: 1,
    phase: "live",
    startsAtMs: 0,
    endsAtMs: nowMs + 86_400_000,
    holdMs: 3_600_000,
    payMs: 3_600_000,
    limit: 2,
    priceMinor: 1_000,
    released: 900_000_000,
    group: null,
    groupLimit: 0,
  };
  let seq = 0;
  let next = 0;
  while (next < holds || seq === 0) {
    const batch = new BatchBuilder(nowMs);
    const add = (command: Command): void => {
      const { event } = decide(book, KEY, command, nowMs);
      if (event !== null) batch.add(KEY, event, apply(book, KEY, event));
    };
    if (seq === 0) add(configure);
    const end = Math.min(holds, next + BATCH_EVENTS);
    for (; next < end; next += 1) add({ kind: "hold", shopper: `shopper-${next}`, quantity: 1 });
    seq += 1;
    const { bytes, deltas } = batch.build();
    const result = await journal.commit({ term, seq, batchId: `b${seq}`, bytes, deltas });
    if (result.kind !== "committed") throw new Error(`commit: ${result.kind}`);
  }
}
