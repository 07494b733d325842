// Rounds: each arm in fresh processes, in an order that is drawn anew for each round, put through
// its scenarios one after the other, and audited at the end.

import { type ArmId, ArmSkipped } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import { seededRandom, shuffled } from "../stats/random.ts";
import { connectionsOf } from "./connections.ts";
import { type LatencyProfile, LatencyProfiles } from "./latency.ts";
import { type Figures, measure } from "./measure.ts";
import { connectionsIn, type Plan, scenariosOf } from "./plan.ts";
import { problemsOf } from "./problems.ts";
import { type Load, type Scenario, Trial } from "./scenario.ts";
import { armOptions, fleetOf, ledgerOf, type Session, warmUp } from "./session.ts";

export type Sample = {
  readonly arm: ArmId;
  readonly scenario: Scenario;
  readonly round: number;
  readonly figures: Figures;
  readonly ledger: string;
};

export type Rounds = {
  readonly samples: readonly Sample[];
  readonly profiles: readonly LatencyProfile[];
  readonly skipped: ReadonlyMap<ArmId, string>;
};

export async function runRounds(session: Session): Promise<Rounds> {
  const { plan, say } = session;
  const random = seededRandom(plan.seed);
  const samples: Sample[] = [];
  const latency = new LatencyProfiles(plan);
  const skipped = new Map<ArmId, string>();
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const id of shuffled(plan.arms, random)) {
      if (skipped.has(id)) continue;
      try {
        const taken: Sample[] = [];
        for (const visit of visitsOf(session, id, round)) {
          taken.push(...(await runVisit(session, latency, visit)));
        }
        if (taken.length === 0) continue;
        samples.push(...taken);
        const p99Ms = latency.lastP99MsOf(id);
        const at70 = p99Ms === null ? "" : `, p99 at 70 % ${p99Ms.toFixed(1)} ms`;
        say(`round ${round + 1}/${plan.rounds} ${id.padEnd(20)} ${lineOf(taken)}${at70}`);
      } catch (cause) {
        if (!(cause instanceof ArmSkipped)) throw cause;
        skipped.set(id, cause.message);
        say(`skipped ${id}: ${cause.message}`);
      }
    }
  }
  return { samples, profiles: latency.all(), skipped };
}

/** An arm's scenarios of a round that have the same number of connections: one start of it. */
type Visit = {
  readonly id: ArmId;
  readonly round: number;
  readonly storeConnections: number;
  readonly scenarios: readonly Scenario[];
};

function visitsOf({ plan, best }: Session, id: ArmId, round: number): readonly Visit[] {
  const groups = Map.groupBy(scenariosOf(id, plan), (scenario) =>
    connectionsOf(best, id, scenario),
  );
  return [...groups].map(([storeConnections, scenarios]) => ({
    id,
    round,
    storeConnections,
    scenarios,
  }));
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

async function runVisit(
  session: Session,
  latency: LatencyProfiles,
  { id, round, storeConnections, scenarios }: Visit,
): Promise<readonly Sample[]> {
  const { plan } = session;
  const fleet = fleetOf(session, id);
  const options = armOptions(session, id, { storeConnections, logGc: latency.logsGc(id, round) });
  const arm = await startArm(id, options, session.services);
  try {
    const seed = plan.seed + round;
    const trial = new Trial({ arm, fleet, catalogueSize: plan.catalogueSize, seed });
    const taken: { scenario: Scenario; figures: Figures; problems: readonly string[] }[] = [];
    let warmMs = plan.warmupMs;
    for (const scenario of scenarios) {
      if (scenario === "funnel") warmMs = Math.max(warmMs, plan.funnelWarmupMs);
      await warmUp(trial, scenario, plan, warmMs);
      warmMs = plan.settleMs;
      const measured = await measure(trial, loadOf(scenario, plan));
      const problems = [...problemsOf(scenario, measured)];
      const { figures } = measured;
      if (scenario === "hot" && latency.isProfiled(id)) {
        problems.push(...(await latency.take(trial, round, figures.acceptedPerSecond)));
      }
      taken.push({ scenario, figures, problems });
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

function loadOf(scenario: Scenario, plan: Plan): Load {
  const durationMs = scenario === "funnel" ? plan.funnelMeasureMs : plan.measureMs;
  const connections = connectionsIn(scenario, plan);
  return { scenario, connections, pace: { kind: "closed", durationMs } };
}
