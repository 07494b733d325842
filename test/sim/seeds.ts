// Seeds that failed once. They are replayed by sim.test.ts for ever.

import { join } from "node:path";

export type KeptSeed = {
  readonly seed: number;
  /** What was broken. */
  readonly violation: string;
};

const PATH = join(import.meta.dir, "seeds.json");

export async function keptSeeds(): Promise<readonly KeptSeed[]> {
  return (await Bun.file(PATH).json()) as KeptSeed[];
}

export async function keepSeed(kept: KeptSeed): Promise<void> {
  const others = (await keptSeeds()).filter(({ seed }) => seed !== kept.seed);
  const seeds = [...others, kept].sort((left, right) => left.seed - right.seed);
  await Bun.write(PATH, `${JSON.stringify(seeds, null, 2)}\n`);
}
