// A node is paused for 10 s; then ten pauses of 2 s of random nodes while the processors are busy.

import { monotonicMs } from "../../test/support/history.ts";
import { HOT, isDefinite, spread, type Stage, startStage, statusesOf } from "./stage.ts";

const LONG_MS = 10_000;
const SHORT_MS = 2_000;
const SHORT_PAUSES = 10;
const BUSY_LOOPS = 2;

export async function pauses(shoppers: number): Promise<void> {
  const stage = await startStage({ shoppers });
  try {
    await stage.load.start();
    await Bun.sleep(2_000);
    await longPause(stage);
    await shortPauses(stage);
  } finally {
    await stage.stop();
  }
}

async function longPause(stage: Stage): Promise<void> {
  const { load, world } = stage;
  const paused = world.nodes[await stage.ownerOf(HOT)]!;
  const pausedMs = monotonicMs();
  paused.pause();
  await Bun.sleep(LONG_MS);
  paused.resume();
  const resumedMs = monotonicMs();
  await stage.whole();
  const wholeMs = monotonicMs() - resumedMs;
  const soldMs = load
    .between(pausedMs, resumedMs)
    .filter((met) => met.sku === HOT && met.port !== paused.port && isDefinite(met))
    .map(({ startedMs, tookMs }) => startedMs + tookMs - pausedMs);
  console.log(`a pause of ${LONG_MS} ms of the hot SKU's owner`);
  console.log(`  others sell it again after ${Math.min(...soldMs).toFixed(0)} ms`);
  console.log(`  all three serve again ${wholeMs.toFixed(0)} ms after it was resumed`);
  console.log(`  answers meanwhile: ${statusesOf(load.between(pausedMs, resumedMs))}`);
}

async function shortPauses(stage: Stage): Promise<void> {
  const { load, world } = stage;
  const busy = Array.from({ length: BUSY_LOOPS }, () =>
    Bun.spawn([process.execPath, "-e", "for (;;);"], { stdout: "ignore" }),
  );
  const outputsFrom = world.nodes.map((node) => node.output().length);
  const startedMs = monotonicMs();
  const pausedIds: string[] = [];
  try {
    for (let round = 0; round < SHORT_PAUSES; round += 1) {
      const index = Math.floor(Math.random() * world.nodes.length);
      pausedIds.push(`node-${index + 1}`);
      world.nodes[index]!.pause();
      await Bun.sleep(SHORT_MS);
      world.nodes[index]!.resume();
      await Bun.sleep(SHORT_MS);
    }
  } finally {
    for (const loop of busy) loop.kill();
  }
  const evicted = world.nodes.flatMap((node, index) =>
    [
      ...node
        .output()
        .slice(outputsFrom[index])
        .matchAll(/.*"msg":"member evicted".*/g),
    ].map(([line]) => line),
  );
  const met = load.between(startedMs, monotonicMs()).filter(isDefinite);
  console.log(`${SHORT_PAUSES} pauses of ${SHORT_MS} ms, ${BUSY_LOOPS} busy loops beside it`);
  console.log(`  paused: ${pausedIds.join(" ")}`);
  console.log(`  evictions: ${evicted.length}${evicted.map((line) => `\n    ${line}`).join("")}`);
  console.log(`  answers: ${spread(met.map(({ tookMs }) => tookMs))}`);
}
