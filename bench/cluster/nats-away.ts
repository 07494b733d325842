// NATS is away for a while, under load.

import { monotonicMs } from "../../test/support/history.ts";
import type { Met } from "../../test/support/steady-load.ts";
import { isDefinite, spread, startStage, statusesOf } from "./stage.ts";

/** Until everybody has noticed that NATS is gone. */
const NOTICED_MS = 1_000;

export async function natsAway(awayMs: number, shoppers: number): Promise<void> {
  const stage = await startStage({ shoppers, thinkMs: 20 });
  const { load, world } = stage;
  try {
    await load.start();
    await Bun.sleep(3_000);
    const owners = new Map<string, number>();
    for (const sku of new Set(load.met.map((met) => met.sku))) {
      owners.set(sku, world.nodes[await stage.ownerOf(sku)]!.port);
    }
    const evictionsBefore = await stage.evictions();
    const awayFromMs = monotonicMs();
    await world.nats.kill();
    await Bun.sleep(awayMs);
    const backMs = monotonicMs();
    await world.nats.restart();
    const allSellMs = await allSell(load.met, backMs);
    // Whoever was to be evicted by its return would be by then.
    await Bun.sleep(6_000);
    const away = load.between(awayFromMs + NOTICED_MS, backMs);
    const atOwner = away.filter(({ sku, port }) => owners.get(sku) === port);
    const elsewhere = away.filter(({ sku, port }) => owners.get(sku) !== port);
    const others = load.between(awayFromMs, awayFromMs + NOTICED_MS);
    console.log(`NATS away for ${awayMs} ms`);
    console.log(`  in the first second: ${statusesOf(others)}; ${spread(timesOf(others))}`);
    console.log(`  at the owner: ${statusesOf(atOwner)}; ${spread(timesOf(atOwner))}`);
    console.log(`  elsewhere: ${statusesOf(elsewhere)}; ${spread(timesOf(elsewhere))}`);
    const bare = away.filter((met) => met.status === 503 && !met.isRetryAfterGiven);
    console.log(`  503 without Retry-After: ${bare.length}`);
    console.log(`  every SKU sells at every node ${allSellMs.toFixed(0)} ms after its return`);
    console.log(`  evictions: ${(await stage.evictions()) - evictionsBefore}`);
  } finally {
    await stage.stop();
  }
}

function timesOf(met: readonly Met[]): readonly number[] {
  return met.map(({ tookMs }) => tookMs);
}

/** When the last answer that was not definite had come, of those asked since. */
async function allSell(met: readonly Met[], sinceMs: number): Promise<number> {
  await Bun.sleep(8_000);
  const failed = met.filter((one) => one.startedMs >= sinceMs && !isDefinite(one));
  return Math.max(0, ...failed.map(({ startedMs, tookMs }) => startedMs + tookMs - sinceMs));
}
