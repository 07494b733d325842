// A fourth node joins and is drained, again and again, under load.

import { monotonicMs } from "../../test/support/history.ts";
import { isDefinite, quantile, spread, startStage, statusesOf } from "./stage.ts";

const STEADY_MS = 1_500;

export async function moves(rounds: number, shoppers: number): Promise<void> {
  const stage = await startStage({ shoppers, thinkMs: 10 });
  const { load, world } = stage;
  try {
    await load.start();
    await Bun.sleep(STEADY_MS);
    const calmMs = load.met.filter(isDefinite).map(({ tookMs }) => tookMs);
    const fromMs = monotonicMs();
    for (let round = 0; round < rounds; round += 1) {
      const id = `node-${round + 4}`;
      const joining = await world.startNode(id);
      world.nodes.push(joining);
      await stage.whole();
      await Bun.sleep(STEADY_MS);
      const cli = ["--server", world.nodes[0]!.url, "--api-key", world.apiKey];
      await world.doorbuster([...cli, "node", "drain", id, "--wait"]);
      world.nodes.pop();
      await stage.whole();
      takenMs.push(...takenIn(joining.output()));
      await joining.stop();
      await Bun.sleep(STEADY_MS);
    }
    for (const node of world.nodes) takenMs.push(...takenIn(node.output()));
    const met = load.between(fromMs, monotonicMs());
    const slow = met.filter(isDefinite).map(({ tookMs }) => tookMs);
    console.log(`${rounds} joins and drains of a fourth node`);
    console.log(`  a moved partition is without an owner: ${spread(takenMs)}`);
    console.log(
      `  requests before: ${spread(calmMs)}, p99 ${quantile(calmMs, 0.99).toFixed(1)} ms`,
    );
    console.log(`  requests during: ${spread(slow)}, p99 ${quantile(slow, 0.99).toFixed(1)} ms`);
    console.log(`  answers: ${statusesOf(met)}`);
    console.log(`  not definite after one repeat: ${load.failedTwice.length}`);
    for (const one of load.failedTwice.slice(0, 5)) console.log(`    ${JSON.stringify(one)}`);
  } finally {
    await stage.stop();
  }
}

const takenMs: number[] = [];

/** Times in the log of hand-offs from a living owner. */
function takenIn(output: string): readonly number[] {
  return output
    .split("\n")
    .filter((line) => line.includes("partition taken over") && !line.includes('"from":null'))
    .map((line) => Number(/"tookMs":(\d+)/.exec(line)?.[1]));
}
