// What a run does, and how long each part takes.

import type { ArmId } from "../arms/arm.ts";
import { ARM_IDS, decides } from "../arms/arm.ts";
import type { Scenario } from "./scenario.ts";

export type Plan = {
  readonly mode: "quick" | "full" | "soak";
  readonly arms: readonly ArmId[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly seed: number;
  readonly warmupMs: number;
  /** Before each scenario after the first, whose path most of them share. */
  readonly settleMs: number;
  /** Before `funnel`: nothing has checked out yet, and no code of a checkout is compiled. */
  readonly funnelWarmupMs: number;
  readonly measureMs: number;
  /** A journey takes some 150 ms, and none is done at the start: in 2 s that is 4 % of the rate. */
  readonly funnelMeasureMs: number;
  readonly connections: number;
  /** For journeys, which mostly wait: with 512 of them a seventh of the cores is idle. */
  readonly funnelConnections: number;
  readonly catalogueSize: number;
  /** Generator processes for each node of an arm. */
  readonly workers: number;
  /** Tries of the capacity search, as shares of the saturated rate, and how long each takes. */
  readonly capacityShares: readonly number[];
  readonly capacityMs: number;
  readonly latencyMs: number;
  /** Arms whose latency is profiled, a window in each round. */
  readonly profiled: readonly ArmId[];
  readonly flash: { readonly units: number; readonly demand: number };
  /** Whether numbers of connections are tried for the rivals. */
  readonly isSwept: boolean;
  readonly soakMs: number;
  readonly isGrowthMeasured: boolean;
};

const QUICK_ARMS: readonly ArmId[] = [
  "bare",
  "redis-lua-fsync",
  "doorbuster",
  "doorbuster-embedded",
];

export function quickPlan(seed: number): Plan {
  return {
    mode: "quick",
    arms: QUICK_ARMS,
    scenarios: ["hot", "sold-out"],
    rounds: 3,
    seed,
    warmupMs: 1_000,
    settleMs: 200,
    funnelWarmupMs: 1_000,
    measureMs: 1_200,
    funnelMeasureMs: 1_200,
    connections: 512,
    funnelConnections: 1_024,
    catalogueSize: 0,
    workers: 1,
    capacityShares: [0.9, 0.75, 0.6],
    capacityMs: 1_000,
    latencyMs: 1_500,
    profiled: ["doorbuster"],
    flash: { units: 500, demand: 50_000 },
    isSwept: false,
    soakMs: 0,
    isGrowthMeasured: false,
  };
}

export function fullPlan(seed: number): Plan {
  return {
    mode: "full",
    arms: ARM_IDS,
    scenarios: ["hot", "sold-out", "catalogue", "flash", "funnel"],
    rounds: 5,
    seed,
    warmupMs: 1_500,
    settleMs: 500,
    funnelWarmupMs: 4_000,
    measureMs: 1_800,
    funnelMeasureMs: 5_000,
    connections: 512,
    funnelConnections: 1_024,
    catalogueSize: 10_000,
    workers: 1,
    capacityShares: [0.9, 0.75, 0.6, 0.45, 0.3],
    capacityMs: 1_500,
    latencyMs: 2_000,
    profiled: ARM_IDS,
    flash: { units: 10_000, demand: 1_000_000 },
    isSwept: true,
    soakMs: 0,
    isGrowthMeasured: true,
  };
}

/** The scenarios of each arm beyond `hot`: those that tell something about it. */
const BEYOND_HOT: Readonly<Partial<Record<ArmId, readonly Scenario[]>>> = {
  "pg-update": ["sold-out", "catalogue"],
  "redis-lua": ["sold-out"],
  "redis-lua-fsync": ["sold-out", "catalogue"],
  doorbuster: ["sold-out", "catalogue", "funnel"],
  "doorbuster-embedded": ["sold-out", "catalogue", "funnel"],
  "doorbuster-2": ["sold-out", "catalogue"],
  "doorbuster-2-affine": ["sold-out"],
};

/** A million requests take half a minute: once is enough, after the rounds. */
const STAMPEDED: readonly ArmId[] = ["redis-lua-fsync", "doorbuster"];

/**
 * Which of the plan's scenarios an arm runs in each round, in their order. The constant answers of
 * `bare` and `elysia` are the same for every scenario: their hot row is the reference for all.
 */
export function scenariosOf(arm: ArmId, plan: Plan): readonly Scenario[] {
  if (!decides(arm)) return ["hot"];
  return plan.scenarios.filter(
    (scenario) => scenario === "hot" || BEYOND_HOT[arm]?.includes(scenario) === true,
  );
}

/** Of the generator, in a closed loop. */
export function connectionsIn(scenario: Scenario, plan: Plan): number {
  return scenario === "funnel" ? plan.funnelConnections : plan.connections;
}

export function stampededArms(plan: Plan): readonly ArmId[] {
  return plan.scenarios.includes("flash") ? plan.arms.filter((arm) => STAMPEDED.includes(arm)) : [];
}

/** What an arm with a row for each unit may sell a second. */
const ROWS_PER_SECOND_MAX = 20_000;

/** Units that `hot` needs for so much load. */
export function hotUnitsFor(loadMs: number): number {
  return Math.ceil((ROWS_PER_SECOND_MAX * loadMs) / 1_000);
}

/** For the longest that one process is under `hot`: the first round's visit. */
export function hotUnitsOf(plan: Plan): number {
  const { warmupMs, measureMs, capacityShares, capacityMs, latencyMs } = plan;
  return hotUnitsFor(warmupMs + measureMs + capacityShares.length * capacityMs + 3 * latencyMs);
}
