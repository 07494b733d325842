// NATS is away for a while, under load.

import { monotonicMs } from "../../test/support/history.ts";
import { RawClient } from "../../test/support/raw-client.ts";
import type { Met } from "../../test/support/steady-load.ts";
import { spread, type Stage, startStage, statusesOf } from "./stage.ts";

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
    const allSellMs = await allSell(stage, owners.keys(), backMs);
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

/** Until a new shopper gets a hold of each SKU at each node. */
async function allSell({ load, world }: Stage, skus: Iterable<string>, sinceMs: number) {
  const clients = world.nodes.map(({ port }) => new RawClient({ port }));
  const wanted = [...skus].flatMap((sku) => clients.map((client) => ({ sku, client })));
  for (let left = wanted; left.length > 0;) {
    const statuses = await Promise.all(left.map(({ client, sku }) => load.probe(client, sku)));
    left = left.filter((_, index) => statuses[index] !== 201);
  }
  const tookMs = monotonicMs() - sinceMs;
  for (const client of clients) client.close();
  return tookMs;
}
