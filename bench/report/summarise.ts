// Samples of all rounds → one row for each arm and scenario: medians, spreads, ratios.

import { type ArmId, DURABILITY } from "../arms/arm.ts";
import type { LatencyProfile } from "../session/latency.ts";
import type { Figures } from "../session/measure.ts";
import type { Sample } from "../session/rounds.ts";
import { medianOf, spreadOf } from "../stats/summary.ts";
import type { ArmRow, AtLoad } from "./schema.ts";

export function summarise(
  samples: readonly Sample[],
  profiles: readonly LatencyProfile[],
): readonly ArmRow[] {
  const groups = Map.groupBy(samples, ({ arm, scenario }) => `${arm} ${scenario}`);
  const rows = [...groups.values()].map((group) => rowOf(group, profiles));
  const bare = rows.find(({ id }) => id === "bare")?.answersPerSecond.median;
  return rows.map((row) => ({
    ...row,
    ratioToBare: bare === undefined ? null : row.answersPerSecond.median / bare,
  }));
}

function rowOf(group: readonly Sample[], profiles: readonly LatencyProfile[]): ArmRow {
  const { arm, scenario } = group[0] as Sample;
  const figures = group.map((sample) => sample.figures);
  const median = (of: (one: Figures) => number): number => medianOf(figures.map(of));
  const medianOrNull = (of: (one: Figures) => number | null): number | null => {
    const values = figures.map(of).filter((value) => value !== null);
    return values.length === 0 ? null : medianOf(values);
  };
  const profile = scenario === "hot" ? profiles.find((one) => one.arm === arm) : undefined;
  const latency = profile?.at.map(atLoadOf) ?? [];
  const at70 = latency.find(({ loadPercent }) => loadPercent === 70);
  const ledgers = group.map(({ ledger }) => ledger);
  const roles = Object.keys(figures[0]?.cpuUsPerRequest ?? {});
  return {
    id: arm,
    scenario,
    durability: DURABILITY[arm],
    ledger: ledgers.find((ledger) => ledger !== "ok") ?? "ok",
    rounds: group.length,
    acceptedPerSecond: median((one) => one.acceptedPerSecond),
    refusedPerSecond: median((one) => one.refusedPerSecond),
    storedPerSecond: medianOrNull((one) => one.storedPerSecond),
    otherPerSecond: median((one) => one.otherPerSecond),
    answersPerSecond: spreadOf(figures.map((one) => one.acceptedPerSecond + one.refusedPerSecond)),
    ratioToBare: null,
    p50Ms: at70?.p50Ms ?? median((one) => one.p50Ms),
    p99Ms: at70?.p99Ms ?? median((one) => one.p99Ms),
    p999Ms: at70?.p999Ms ?? median((one) => one.p999Ms),
    latencyAt:
      at70 === undefined
        ? latencyAtOf(scenario)
        : `70 % of ${profile?.capacityPerSecond === null ? "the lowest rate tried" : "capacity"}`,
    capacityPerSecond: profile?.capacityPerSecond ?? null,
    latency,
    cpuUsPerRequest: Object.fromEntries(
      roles.map((role) => [role, median((one) => one.cpuUsPerRequest[role] ?? 0)]),
    ),
    generatorUtilisation: median((one) => one.generatorUtilisation),
    redisCommandsPerRequest: medianOrNull((one) => one.redisCommandsPerRequest),
    batchSize: medianOrNull((one) => one.batchSize),
    rssMb: median((one) => one.rssMb),
    note: NOTES[arm] ?? "",
  };
}

function latencyAtOf(scenario: string): string {
  return scenario === "flash" ? "the stampede" : "saturation";
}

const NOTES: Readonly<Partial<Record<ArmId, string>>> = {
  "redis-decr-pg": "a crash between its two stores loses or invents units",
  "doorbuster-2": "two nodes on the same two cores: shows the overhead, not the scale-out",
  "doorbuster-2-affine": "entry at the owner of the SKU; the other node is idle",
};

function atLoadOf(at: LatencyProfile["at"][number]): AtLoad {
  const { figures, p99MsOfWindows, gc, curve, loadPercent, ratePerSecond } = at;
  const { p50Ms, p99Ms, p999Ms, maxMs, lagP99Ms, cpuUsPerRequest } = figures;
  return {
    loadPercent,
    ratePerSecond,
    p50Ms,
    p99Ms,
    p99MsOfWindows: [...p99MsOfWindows],
    p999Ms,
    maxMs,
    lagP99Ms,
    cpuUsPerRequest,
    gc,
    curve: curve.map(([quantile, ms]): [number, number] => [quantile, ms]),
  };
}
