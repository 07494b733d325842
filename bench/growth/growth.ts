// bun run bench growth: what grows with what, as exponents. An operation must cost the same however
// many SKUs, shoppers and holds there are (slope 0); memory grows with what is alive (slope 1).

import { join } from "node:path";

import type { ArmRow } from "../report/schema.ts";
import { lineOf, logLogSlopeOf } from "../stats/summary.ts";
import type { GrowthFigures } from "../thresholds.ts";
import { nodesGrowth, type NodesPoint, type UnitPrices } from "./nodes.ts";
import type { Dimension, Probe } from "./probe.ts";
import { recoveryTimes } from "./recovery.ts";

type Curve = {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly (readonly [size: number, value: number])[];
  /** Exponent of y = a·x^b over the points. */
  readonly slope: number;
};

export type Growth = {
  readonly curves: readonly Curve[];
  readonly figures: GrowthFigures;
  readonly nodes: {
    readonly prices: UnitPrices;
    readonly even: readonly NodesPoint[];
    readonly zipf: readonly NodesPoint[];
  } | null;
};

const SIZES: Readonly<Record<Dimension, readonly number[]>> = {
  skus: [100, 1_000, 10_000, 100_000, 1_000_000],
  shoppers: [1_000, 10_000, 100_000, 1_000_000],
  holds: [1_000, 10_000, 100_000, 1_000_000],
};
const SHORT_SIZES: typeof SIZES = {
  skus: [100, 1_000_000],
  shoppers: [],
  holds: [1_000, 100_000],
};
const JOURNAL = [100, 1_000, 10_000, 100_000, 1_000_000];
const RECOVERED_HOLDS = 100_000;

type Point = readonly [size: number, probe: Probe];

/** `rows`: of a run of the bench, for the prices of the simulated nodes. */
export async function runGrowth(
  say: (line: string) => void,
  options: { readonly isShort: boolean; readonly rows: readonly ArmRow[] },
): Promise<Growth> {
  const { isShort, rows } = options;
  const curves: Curve[] = [];
  const probes = new Map<Dimension, readonly Point[]>();
  for (const [dimension, sizes] of Object.entries(isShort ? SHORT_SIZES : SIZES)) {
    const points: Point[] = [];
    for (const size of sizes) {
      const point = await probeAt(dimension as Dimension, size);
      points.push([size, point]);
      const mb = (point.heapBytes / 1_048_576).toFixed(1);
      say(`growth ${dimension} ${size}: ${point.microsPerHold.toFixed(2)} µs a hold, ${mb} MB`);
    }
    probes.set(dimension as Dimension, points);
    if (points.length < 2) continue;
    curves.push(curveOf(`${dimension}: a hold`, "µs", points, (probe) => probe.microsPerHold));
    const base = points[0]?.[1].heapBytes ?? 0;
    const above = points.slice(1);
    if (above.length < 2) continue;
    curves.push(
      curveOf(`${dimension}: memory above the smallest`, "MB", above, ({ heapBytes }) => {
        return Math.max(1, heapBytes - base) / 1_048_576;
      }),
    );
  }
  const recovery = await recoveryTimes(isShort ? [RECOVERED_HOLDS] : JOURNAL);
  for (const [holds, seconds] of recovery) {
    say(`growth journal ${holds}: recovered in ${seconds.toFixed(3)} s`);
  }
  const slope = recovery.length < 2 ? Number.NaN : logLogSlopeOf(recovery.slice(1));
  curves.push({ name: "journal: recovery", unit: "s", points: recovery, slope });
  return { curves, figures: figuresOf(probes, recovery), nodes: await nodesOf(rows, say) };
}

export function growthFigures(growth: Growth): GrowthFigures {
  return growth.figures;
}

function curveOf(
  name: string,
  unit: string,
  points: readonly Point[],
  value: (probe: Probe) => number,
): Curve {
  const values = points.map(([size, probe]) => [size, value(probe)] as const);
  return { name, unit, points: values, slope: logLogSlopeOf(values) };
}

function figuresOf(
  probes: ReadonlyMap<Dimension, readonly Point[]>,
  recovery: readonly (readonly [number, number])[],
): GrowthFigures {
  const heap = (dimension: Dimension): readonly [number, number][] =>
    (probes.get(dimension) ?? []).map(([size, probe]) => [size, probe.heapBytes]);
  const skus = probes.get("skus") ?? [];
  const [first, last] = [skus.at(0)?.[1], skus.at(-1)?.[1]];
  return {
    liveHoldBytes: lineOf(heap("holds")).slope,
    idleSkuBytes: lineOf(heap("skus")).slope,
    // Pages of the process, which is what the machine has to have.
    millionSkusMb: ((last?.rssBytes ?? 0) - (first?.rssBytes ?? 0)) / 1_048_576,
    recoverySeconds: recovery.find(([holds]) => holds === RECOVERED_HOLDS)?.[1] ?? Number.NaN,
  };
}

async function probeAt(dimension: Dimension, size: number): Promise<Probe> {
  const output = await outputOf([join(import.meta.dir, "probe.ts"), dimension, String(size)]);
  return JSON.parse(output) as Probe;
}

async function outputOf(args: readonly string[]): Promise<string> {
  const child = Bun.spawn([process.execPath, ...args], {
    env: { PATH: process.env["PATH"] ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${args.join(" ")} failed`);
  return output;
}

async function nodesOf(
  rows: readonly ArmRow[],
  say: (line: string) => void,
): Promise<Growth["nodes"]> {
  const serverUs = (id: string): number | undefined =>
    rows.find((row) => row.id === id && row.scenario === "hot")?.cpuUsPerRequest["server"];
  const entryUs = serverUs("elysia");
  const acceptUs = serverUs("doorbuster");
  if (entryUs === undefined || acceptUs === undefined) {
    say("growth nodes: no prices, as this machine has no full run of the bench yet");
    return null;
  }
  const prices = {
    entryUs,
    decideUs: Math.max(0, acceptUs - entryUs),
    forwardUs: await forwardUs(),
  };
  return { prices, even: nodesGrowth(prices, 0), zipf: nodesGrowth(prices, 1) };
}

/** What bench/router.ts measures: both sides of one forwarded hold. */
async function forwardUs(): Promise<number> {
  const output = await outputOf([join(import.meta.dir, "..", "router.ts"), "200"]);
  const match = /asking side ([\d.]+) µs\s+answering side ([\d.]+) µs/.exec(output);
  if (match === null) throw new Error("bench/router.ts prints no price of a forwarded hold");
  return Number(match[1]) + Number(match[2]);
}
