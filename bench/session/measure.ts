// One load on one arm, measured from all sides.

import type { Counters } from "../arms/arm.ts";
import type { LoadResult } from "../generator/fleet.ts";
import { OUTCOME } from "../generator/job.ts";
import { cpuUsOf, rssMbOf } from "./processes.ts";
import type { Load, Trial } from "./scenario.ts";

export type Figures = {
  readonly acceptedPerSecond: number;
  readonly refusedPerSecond: number;
  /** Orders or holds that were rows in SQL when the last was; null: this arm stores none there. */
  readonly storedPerSecond: number | null;
  readonly otherPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** CPU time for each answer, by role; `generator` is ours. */
  readonly cpuUsPerRequest: Readonly<Record<string, number>>;
  /** Share of one core that our own generator took. */
  readonly generatorUtilisation: number;
  readonly redisCommandsPerRequest: number | null;
  readonly batchSize: number | null;
  readonly rssMb: number;
  /** How late requests left, open loop. */
  readonly lagP99Ms: number | null;
  readonly lostConnections: number;
};

export type Measured = { readonly figures: Figures; readonly result: LoadResult };

export async function measure(trial: Trial, load: Load): Promise<Measured> {
  const { arm } = trial;
  const roles = arm.pids();
  let before: Counters | null = null;
  let cpuBefore: Readonly<Record<string, number>> = {};
  let cpuAfter = cpuBefore;
  let startedMs = 0;
  const result = await trial.run(load, {
    before: async () => {
      before = await arm.counters();
      cpuBefore = cpuUsOf(roles);
      startedMs = performance.now();
    },
    after: () => {
      cpuAfter = cpuUsOf(roles);
      return Promise.resolve();
    },
  });
  const rssMb = rssMbOf(roles["server"] ?? []);
  const after = await arm.counters();
  let storedMs: number | null = null;
  if (arm.stored !== null) {
    await arm.stored();
    storedMs = performance.now() - startedMs;
  }
  const answered = result.answers.reduce((sum, count) => sum + count, 0);
  const heard = Math.max(1, result.latency.count);
  const accepted = sumOf(result, YES);
  const refused = sumOf(result, [OUTCOME.refused]);
  const perSecond = (count: number, overMs = result.measuredMs): number => (count * 1_000) / overMs;
  const cpu = Object.keys(roles).map(
    (role) => [role, ((cpuAfter[role] ?? 0) - (cpuBefore[role] ?? 0)) / heard] as const,
  );
  const counted = differenceOf(before, after);
  const isFunnel = load.scenario === "funnel";
  const toStore = isFunnel ? sumOf(result, [OUTCOME.paid]) : accepted;
  const figures: Figures = {
    acceptedPerSecond: perSecond(accepted),
    refusedPerSecond: perSecond(refused),
    // A paid order is answered when its row is there; a hold's batch may be stored a little later.
    storedPerSecond:
      storedMs === null
        ? null
        : perSecond(toStore, isFunnel ? result.measuredMs : Math.max(storedMs, result.measuredMs)),
    otherPerSecond: perSecond(answered - accepted - refused),
    p50Ms: result.latency.quantileUs(0.5) / 1_000,
    p99Ms: result.latency.quantileUs(0.99) / 1_000,
    p999Ms: result.latency.quantileUs(0.999) / 1_000,
    maxMs: result.latency.maxUs / 1_000,
    cpuUsPerRequest: { ...Object.fromEntries(cpu), generator: result.cpuUs / heard },
    generatorUtilisation: result.cpuUs / 1_000 / result.measuredMs,
    redisCommandsPerRequest: "redis" in roles ? counted.redisCommands / heard : null,
    batchSize: counted.commits > 0 ? counted.committedAnswers / counted.commits : null,
    rssMb,
    lagP99Ms: load.pace.kind === "open" ? result.lag.quantileUs(0.99) / 1_000 : null,
    lostConnections: result.lostConnections,
  };
  return { figures, result };
}

const YES = [OUTCOME.accepted, OUTCOME.paid, OUTCOME.declined, OUTCOME.abandoned];

function sumOf(result: LoadResult, outcomes: readonly number[]): number {
  return outcomes.reduce((sum, outcome) => sum + (result.answers[outcome] ?? 0), 0);
}

function differenceOf(before: Counters | null, after: Counters): Counters {
  return {
    redisCommands: after.redisCommands - (before?.redisCommands ?? 0),
    commits: after.commits - (before?.commits ?? 0),
    committedAnswers: after.committedAnswers - (before?.committedAnswers ?? 0),
  };
}
