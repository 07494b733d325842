// What must be reached, in one place: ratios in one run on one machine, medians of its rounds. A
// figure that a run did not measure is not a verdict; one that fails ends the bench with exit code 3.

import type { ArmRow, Verdict } from "./report/schema.ts";

/** Figures of `growth` that are bounded. */
export type GrowthFigures = {
  readonly liveHoldBytes: number;
  readonly idleSkuBytes: number;
  readonly millionSkusMb: number;
  readonly recoverySeconds: number;
};

type Measured = { readonly rows: readonly ArmRow[]; readonly growth: GrowthFigures | null };

type Threshold = {
  readonly id: string;
  readonly title: string;
  readonly bound: "at_least" | "at_most";
  readonly limit: number;
  readonly aim: number;
  readonly unit: string;
  readonly value: (measured: Measured) => number | null;
};

function rowOf({ rows }: Measured, id: string, scenario: string): ArmRow | null {
  const row = rows.find((one) => one.id === id && one.scenario === scenario);
  return row === undefined || row.ledger !== "ok" ? null : row;
}

/** Answers a second of one row over another's. */
function ratio(over: readonly [string, string], under: readonly [string, string]) {
  return (measured: Measured): number | null => {
    const [a, b] = [rowOf(measured, ...over), rowOf(measured, ...under)];
    if (a === null || b === null || b.answersPerSecond.median === 0) return null;
    return a.answersPerSecond.median / b.answersPerSecond.median;
  };
}

const HOT = ["doorbuster", "hot"] as const;

const THRESHOLDS: readonly Threshold[] = [
  ...ratios([
    ["hot-bare", "doorbuster hot ÷ bare", 0.55, 0.7, HOT, ["bare", "hot"]],
    [
      "hot-redis-fsync",
      "doorbuster hot ÷ redis-lua-fsync",
      3,
      4.5,
      HOT,
      ["redis-lua-fsync", "hot"],
    ],
    ["hot-redis", "doorbuster hot ÷ redis-lua", 1.3, 1.8, HOT, ["redis-lua", "hot"]],
    ["hot-pg-update", "doorbuster hot ÷ pg-update", 15, 25, HOT, ["pg-update", "hot"]],
    ["hot-pg-lock", "doorbuster hot ÷ pg-lock", 25, 40, HOT, ["pg-lock", "hot"]],
    ["sold-out-bare", "sold-out ÷ bare", 0.85, 0.95, ["doorbuster", "sold-out"], ["bare", "hot"]],
    ["catalogue-hot", "catalogue ÷ hot", 0.6, 0.85, ["doorbuster", "catalogue"], HOT],
    ["affine", "doorbuster-2-affine ÷ doorbuster", 0.85, 1, ["doorbuster-2-affine", "hot"], HOT],
  ]),
  {
    id: "funnel",
    title: "funnel, stored orders a second",
    bound: "at_least",
    limit: 5_000,
    aim: 10_000,
    unit: "/s",
    value: (measured) => rowOf(measured, "doorbuster", "funnel")?.storedPerSecond ?? null,
  },
  {
    id: "hot-p99",
    title: "p99 at 70 % of capacity, hot",
    bound: "at_most",
    limit: 10,
    aim: 4,
    unit: "ms",
    value: (measured) =>
      rowOf(measured, ...HOT)?.latency.find(({ loadPercent }) => loadPercent === 70)?.p99Ms ?? null,
  },
  ...memory(),
];

type RatioRow = [
  id: string,
  title: string,
  limit: number,
  aim: number,
  over: readonly [string, string],
  under: readonly [string, string],
];

function ratios(rows: readonly RatioRow[]): readonly Threshold[] {
  return rows.map(([id, title, limit, aim, over, under]) => ({
    id,
    title,
    bound: "at_least",
    limit,
    aim,
    unit: "×",
    value: ratio(over, under),
  }));
}

function memory(): readonly Threshold[] {
  const rows: [string, string, number, number, string, (growth: GrowthFigures) => number][] = [
    ["hold-bytes", "memory of a live hold", 300, 150, "B", (growth) => growth.liveHoldBytes],
    ["sku-bytes", "memory of an idle SKU", 500, 200, "B", (growth) => growth.idleSkuBytes],
    ["million-skus", "memory of 1,000,000 idle SKUs", 600, 250, "MB", (g) => g.millionSkusMb],
    ["recovery", "recovery of a SKU with 100,000 holds", 1, 0.2, "s", (g) => g.recoverySeconds],
  ];
  return rows.map(([id, title, limit, aim, unit, value]) => ({
    id,
    title,
    bound: "at_most",
    limit,
    aim,
    unit,
    value: ({ growth }) => (growth === null ? null : value(growth)),
  }));
}

export function judge(measured: Measured): readonly Verdict[] {
  return THRESHOLDS.map(({ value: valueOf, ...threshold }) => {
    const value = valueOf(measured);
    return { ...threshold, value, verdict: verdictOf(threshold, value) };
  });
}

function verdictOf(
  threshold: Pick<Threshold, "bound" | "limit" | "aim">,
  value: number | null,
): Verdict["verdict"] {
  if (value === null) return "not_measured";
  const reaches = (bar: number): boolean =>
    threshold.bound === "at_least" ? value >= bar : value <= bar;
  if (reaches(threshold.aim)) return "aim";
  return reaches(threshold.limit) ? "pass" : "fail";
}
