// Rounds: each arm in fresh processes, in an order that is drawn anew for each round, put through
// its scenarios one after the other, and audited at the end.

import { type ArmId, type ArmOptions, ArmSkipped, nodesOf, type RunningArm } from "../arms/arm.ts";
import { type Services, startArm } from "../arms/start-arm.ts";
import { audit } from "../audit/audit.ts";
import type { Fleet } from "../generator/fleet.ts";
import { OUTCOME } from "../generator/job.ts";
import { seededRandom, shuffled } from "../stats/random.ts";
import { type Figures, measure, type Measured } from "./measure.ts";
import { type Plan, scenariosOf } from "./plan.ts";
import { HOT_UNITS_FOR_ROWS, type Load, type Scenario, Trial } from "./scenario.ts";

export type Sample = {
  readonly arm: ArmId;
  readonly scenario: Scenario;
  readonly round: number;
  readonly figures: Figures;
  readonly ledger: string;
};

export type Session = {
  readonly plan: Plan;
  readonly fleet: Fleet;
  readonly services: Services;
  readonly secret: string;
  readonly poolSizes: ReadonlyMap<ArmId, number>;
  readonly say: (line: string) => void;
};

/** An arm of two nodes answers what one generator process cannot send with room to spare. */
export function fleetOf({ plan, fleet }: Session, id: ArmId): Fleet {
  return fleet.first(plan.workers * nodesOf(id));
}

export type Rounds = {
  readonly samples: readonly Sample[];
  readonly skipped: ReadonlyMap<ArmId, string>;
};

export async function runRounds(session: Session): Promise<Rounds> {
  const { plan, say } = session;
  const random = seededRandom(plan.seed);
  const samples: Sample[] = [];
  const skipped = new Map<ArmId, string>();
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const id of shuffled(plan.arms, random)) {
      if (skipped.has(id)) continue;
      try {
        const taken = await runArm(session, id, round);
        samples.push(...taken);
        say(`round ${round + 1}/${plan.rounds} ${id.padEnd(20)} ${lineOf(taken)}`);
      } catch (cause) {
        if (!(cause instanceof ArmSkipped)) throw cause;
        skipped.set(id, cause.message);
        say(`skipped ${id}: ${cause.message}`);
      }
    }
  }
  return { samples, skipped };
}

function lineOf(samples: readonly Sample[]): string {
  const parts = samples.map(({ scenario, figures, ledger }) => {
    const { acceptedPerSecond, refusedPerSecond, storedPerSecond, p99Ms } = figures;
    const rate =
      scenario === "funnel"
        ? `${Math.round(storedPerSecond ?? 0)} stored/s`
        : `${Math.round(acceptedPerSecond + refusedPerSecond)}/s`;
    return `${scenario} ${rate} p99 ${p99Ms.toFixed(1)} ms${ledger === "ok" ? "" : " LEDGER"}`;
  });
  return parts.join(", ");
}

export function armOptions(session: Session, id: ArmId, logGc: boolean): ArmOptions {
  const { plan, secret, poolSizes } = session;
  const wantsCatalogue = plan.scenarios.includes("catalogue");
  return {
    stage: {
      flashUnits: plan.flash.units,
      catalogueSize: wantsCatalogue && id !== "pg-skip-locked" ? plan.catalogueSize : 0,
      hotUnits: HOT_UNITS_FOR_ROWS,
    },
    secret,
    poolSize: poolSizes.get(id) ?? plan.poolSizes[0] ?? 16,
    logGc,
    holdFor: "60m",
  };
}

async function runArm(session: Session, id: ArmId, round: number): Promise<readonly Sample[]> {
  const { plan } = session;
  const fleet = fleetOf(session, id);
  const arm = await startArm(id, armOptions(session, id, false), session.services);
  try {
    const seed = plan.seed + round;
    const trial = new Trial({ arm, fleet, catalogueSize: plan.catalogueSize, seed });
    const taken: { scenario: Scenario; figures: Figures; problems: readonly string[] }[] = [];
    let warmMs = plan.warmupMs;
    for (const scenario of scenariosOf(id, plan, round)) {
      if (scenario === "funnel") warmMs = Math.max(warmMs, plan.funnelWarmupMs);
      if (scenario !== "flash") await warmUp(trial, scenario, plan, warmMs);
      warmMs = plan.settleMs;
      const load = loadOf(scenario, plan, taken);
      const measured = await measure(trial, load);
      taken.push({
        scenario,
        figures: measured.figures,
        problems: scenarioProblems(scenario, measured, plan),
      });
    }
    const ledger = await ledgerOf(arm, trial);
    return taken.map(({ scenario, figures, problems }) => ({
      arm: id,
      scenario,
      round,
      figures,
      ledger: problems[0] ?? ledger,
    }));
  } finally {
    await arm.stop();
  }
}

/** Returns: `ok`, or the first thing that does not balance. */
export async function ledgerOf(arm: RunningArm, trial: Trial): Promise<string> {
  if (arm.books === null) return "ok";
  const problems = audit(trial.heard, await arm.books());
  return problems.length === 0 ? "ok" : problems.slice(0, 3).join("; ");
}

export async function warmUp(
  trial: Trial,
  scenario: Scenario,
  plan: Plan,
  durationMs: number,
): Promise<void> {
  const pace = { kind: "closed", durationMs } as const;
  await trial.run({ scenario, connections: plan.connections, pace });
}

function loadOf(
  scenario: Scenario,
  plan: Plan,
  taken: readonly { scenario: Scenario; figures: Figures }[],
): Load {
  const { connections, measureMs, funnelMeasureMs, flash, seed } = plan;
  if (scenario !== "flash") {
    const durationMs = scenario === "funnel" ? funnelMeasureMs : measureMs;
    return { scenario, connections, pace: { kind: "closed", durationMs } };
  }
  // The stampede: nearly all are refused, so its rate is measured by what refusing can do.
  const refused = taken.find((one) => one.scenario === "sold-out")?.figures.refusedPerSecond;
  const hot = taken.find((one) => one.scenario === "hot")?.figures.acceptedPerSecond;
  const ratePerSecond = FLASH_SHARE * (refused ?? hot ?? 10_000);
  const durationMs = (flash.demand / ratePerSecond) * 1_000;
  const schedule = { ratePerSecond, durationMs, arrivals: "poisson", seed, rampMs: 100 } as const;
  return { scenario, connections: connections * 2, pace: { kind: "open", schedule } };
}

const FLASH_SHARE = 0.8;

/** What must hold of a load by itself. */
function scenarioProblems(scenario: Scenario, measured: Measured, plan: Plan): readonly string[] {
  const { figures, result } = measured;
  const problems: string[] = [];
  if (figures.lostConnections > 0) problems.push(`${figures.lostConnections} connections lost`);
  const accepted = result.answers[OUTCOME.accepted] ?? 0;
  if (scenario === "sold-out" && accepted > 0) problems.push(`${accepted} accepted of none`);
  if (scenario === "flash" && accepted !== plan.flash.units) {
    problems.push(`${accepted} accepted of ${plan.flash.units} with more demand than that`);
  }
  return problems;
}
