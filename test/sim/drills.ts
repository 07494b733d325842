// Single faults with exact expectations. Random schedules check what must never happen; these check
// what must: that a clean hand-off costs nobody an answer, and that the living take over in time.

import type { SimFault } from "./faults.ts";
import { type Inspection, OVER_AT_MS, type RunResult, runSeed, type Scene } from "./run.ts";
import { expectThat } from "./shadow.ts";

export const DRILLS = ["leave", "kill", "pause"] as const;
export type DrillName = (typeof DRILLS)[number];

const FAULT_AT_MS = 10_000;
const FAULT_FOR_MS = 9_000;
/** After kill −9: selling again within 2 s. */
const KILL_OVER_MS = 2_000;
/** Silence is a death after 3 s, seen in heartbeats of 0.3 s. */
const PAUSE_OVER_MS = 4_500;

function faultOf(kind: DrillName, node: number, atMs: number, forMs: number): SimFault {
  return { kind, node, other: 0, atMs, forMs, force: 0.7 };
}

export function runDrill(name: DrillName, seed: number): RunResult {
  const node = seed % 3;
  if (name === "leave") {
    const leaves = [0, 1, 2].map((each) => faultOf("leave", each, 8_000 * (each + 1), 3_000));
    return runSeed(seed, leaves, [{ atMs: OVER_AT_MS - 1, check: nobodyNoticed }]);
  }
  const overMs = name === "kill" ? KILL_OVER_MS : PAUSE_OVER_MS;
  const inspections: Inspection[] = [
    { atMs: FAULT_AT_MS + overMs, check: (scene) => othersServe(scene, `n${node}`) },
    { atMs: OVER_AT_MS - 1, check: (scene) => everyoneOwns(scene) },
  ];
  return runSeed(seed, [faultOf(name, node, FAULT_AT_MS, FAULT_FOR_MS)], inspections);
}

function nobodyNoticed({ counts }: Scene): void {
  expectThat(counts.handOffs > 0, "drill", () => "nothing was handed over");
  expectThat(counts.unknown === 0, "drill", () => `${counts.unknown} answers were lost`);
}

function othersServe({ chain, nodes, partitionCount }: Scene, victim: string): void {
  for (let partition = 0; partition < partitionCount; partition++) {
    const { owner } = chain.ownerOf(partition);
    const isServed = nodes.some(({ id, stock }) => {
      return owner.startsWith(`${id}/`) && id !== victim && isServing(stock, partition);
    });
    expectThat(isServed, "drill", () => `partition ${partition} is still ${owner}'s`);
  }
}

/** Whoever came back has its share again. */
function everyoneOwns({ nodes, partitionCount }: Scene): void {
  for (const { id, stock } of nodes) {
    let owned = 0;
    for (let partition = 0; partition < partitionCount; partition++) {
      if (isServing(stock, partition)) owned++;
    }
    expectThat(owned > 0, "drill", () => `${id} owns nothing`);
  }
}

function isServing(stock: Scene["nodes"][number]["stock"], partition: number): boolean {
  return stock.partition(partition).state === "serving";
}
