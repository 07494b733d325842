// What CI runs of the simulator: seeds that failed once, and fresh ones. `bun run sim` runs more.

import { describe, expect, test } from "bun:test";

import { missingOf, runCampaign, summaryOf } from "./campaign.ts";
import { DRILLS, runDrill } from "./drills.ts";
import { describeFault } from "./faults.ts";
import { type RunResult, runSeed } from "./run.ts";
import { keptSeeds } from "./seeds.ts";

const FRESH_MS = 60_000;
const FRESH_SEEDS = 2 ** 40;

function* seedsFrom(first: number): Generator<number> {
  for (let seed = first; ; seed++) yield seed;
}

function storyOf({ seed, failure, faults }: RunResult): string {
  const schedule = faults.map((fault) => describeFault(fault)).join("\n");
  return `seed ${seed}: ${failure?.message}\n${schedule}\nagain: bun run sim --seed ${seed} --log`;
}

describe("the simulator", () => {
  test("a seed decides everything that happens", () => {
    for (const seed of [1, 2, 3]) {
      const first = runSeed(seed);
      expect(first.lines.length).toBeGreaterThan(500);
      expect(runSeed(seed).hash).toBe(first.hash);
    }
    expect(runSeed(4).hash).not.toBe(runSeed(5).hash);
  });

  test("a schedule without its faults has no take-over and nothing unknown", () => {
    for (const seed of [1, 2, 3]) {
      const { counts, failure } = runSeed(seed, []);
      expect(failure).toBeNull();
      expect(counts.unknown).toBe(0);
      expect(counts.fencedCommits).toBe(0);
      expect(counts.sent).toBeGreaterThanOrEqual(300);
    }
  });

  test.each([...DRILLS])("%s: nobody notices, or the others take over in time", (name) => {
    for (const seed of [1, 2, 3]) {
      const result = runDrill(name, seed);
      expect(result.failure === null ? "" : storyOf(result)).toBe("");
    }
  });

  test("seeds that failed once hold", async () => {
    for (const { seed } of await keptSeeds()) {
      const result = runSeed(seed);
      expect(result.failure === null ? "" : storyOf(result)).toBe("");
    }
  });

  test("fresh seeds hold, and everything happens in them that can", () => {
    const first = Math.floor(Math.random() * FRESH_SEEDS);
    const campaign = runCampaign({ seeds: seedsFrom(first), failuresMax: 1, forMs: FRESH_MS });
    process.stdout.write(`seeds from ${first}: ${summaryOf(campaign)}\n`);
    const stories = campaign.failed.map(({ seed, drill, message }) => {
      return drill === null ? storyOf(runSeed(seed)) : `seed ${seed}, drill ${drill}: ${message}`;
    });
    expect(stories.join("\n\n")).toBe("");
    if (campaign.runs >= 50) expect(missingOf(campaign)).toEqual([]);
  }, 180_000);
});
