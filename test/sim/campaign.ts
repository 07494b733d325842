// Many runs, and whether they meant anything: a campaign without a take-over or an unknown outcome
// has tested nothing.

import { type DrillName, DRILLS, runDrill } from "./drills.ts";
import type { RunCounts, RunResult } from "./run.ts";
import { runSeed } from "./run.ts";

/** `drill` null: the seed's own schedule. */
export type FailedRun = {
  readonly seed: number;
  readonly drill: DrillName | null;
  readonly message: string;
};

export type Campaign = {
  readonly runs: number;
  readonly failed: readonly FailedRun[];
  readonly totals: RunCounts;
  readonly tookMs: number;
};

/** Each of these must have happened. */
const MUST_HAPPEN = [
  ["grants", "grants"],
  ["refusals", "refusals"],
  ["take-overs", "takeOvers"],
  ["hand-offs", "handOffs"],
  ["fenced commits", "fencedCommits"],
  ["unknown outcomes", "unknown"],
] as const satisfies readonly (readonly [string, keyof RunCounts])[];

/** One seed in so many is also used for the drills. */
const DRILL_EVERY = 20;

const NOTHING: RunCounts = {
  claims: 0,
  takeOvers: 0,
  handOffs: 0,
  fencedCommits: 0,
  duplicateCommits: 0,
  batches: 0,
  sent: 0,
  grants: 0,
  refusals: 0,
  early: 0,
  unknown: 0,
  tasks: 0,
};

/** Runs seeds one after the other until there is none left, time is up, or so many have failed. */
export function runCampaign(options: {
  readonly seeds: Iterable<number>;
  readonly failuresMax: number;
  /** Real milliseconds. */
  readonly forMs: number;
}): Campaign {
  const startedMs = performance.now();
  const failed: FailedRun[] = [];
  let totals = NOTHING;
  let runs = 0;
  for (const seed of options.seeds) {
    const result = runSeed(seed);
    totals = sumOf(totals, result.counts);
    runs++;
    failed.push(...failureOf(result, null));
    if (seed % DRILL_EVERY === 0) {
      for (const drill of DRILLS) failed.push(...failureOf(runDrill(drill, seed), drill));
    }
    if (failed.length >= options.failuresMax) break;
    if (performance.now() - startedMs >= options.forMs) break;
  }
  return { runs, failed, totals, tookMs: performance.now() - startedMs };
}

function failureOf({ seed, failure }: RunResult, drill: DrillName | null): readonly FailedRun[] {
  return failure === null ? [] : [{ seed, drill, message: failure.message }];
}

export function combined(parts: readonly Campaign[]): Campaign {
  return {
    runs: parts.reduce((sum, { runs }) => sum + runs, 0),
    failed: parts.flatMap(({ failed }) => failed),
    totals: parts.reduce((sum, { totals }) => sumOf(sum, totals), NOTHING),
    tookMs: Math.max(0, ...parts.map(({ tookMs }) => tookMs)),
  };
}

/** What should have happened and never did. */
export function missingOf({ totals }: Campaign): readonly string[] {
  return MUST_HAPPEN.filter(([, count]) => totals[count] === 0).map(([name]) => name);
}

export function summaryOf(campaign: Campaign): string {
  const { runs, totals, tookMs, failed } = campaign;
  const counts = MUST_HAPPEN.map(([name, count]) => `${totals[count]} ${name}`).join(", ");
  const perMinute = Math.round((runs / Math.max(1, tookMs)) * 60_000);
  const requests = `${totals.sent} requests, ${totals.batches} batches, ${totals.claims} claims`;
  return [`${runs} runs, ${failed.length} failed, ${perMinute} runs/minute`, counts, requests].join(
    "\n",
  );
}

function sumOf(left: RunCounts, right: RunCounts): RunCounts {
  const sum: Record<string, number> = { ...left };
  for (const [name, count] of Object.entries(right)) sum[name] = (sum[name] ?? 0) + count;
  return sum as RunCounts;
}
