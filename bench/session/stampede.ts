// The stampede: a million requests for ten thousand units, from nothing to the full rate at once.
// After the rounds and once an arm, at one rate for all: what the slowest of them can well refuse.

import type { ArmId } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import { OUTCOME } from "../generator/job.ts";
import { medianOf } from "../stats/summary.ts";
import { connectionsOf } from "./connections.ts";
import { measure } from "./measure.ts";
import { type Plan, stampededArms } from "./plan.ts";
import { problemsOf } from "./problems.ts";
import type { Sample } from "./rounds.ts";
import { type Load, Trial } from "./scenario.ts";
import { armOptions, fleetOf, ledgerOf, type Session, warmUp } from "./session.ts";

const RATE_SHARE = 0.8;
const RAMP_MS = 100;
/** When no round has measured one. */
const ANSWERS_PER_SECOND_DEFAULT = 12_500;

export async function runStampedes(
  session: Session,
  samples: readonly Sample[],
): Promise<readonly Sample[]> {
  const arms = stampededArms(session.plan);
  const slowest = Math.min(...arms.map((id) => refusedPerSecond(samples, id)));
  const taken: Sample[] = [];
  for (const id of arms) taken.push(await runStampede(session, id, RATE_SHARE * slowest));
  return taken;
}

/** Nearly all of a stampede is refused, so its rate goes by what refusing can do. */
function refusedPerSecond(samples: readonly Sample[], id: ArmId): number {
  const own = samples.filter(({ arm }) => arm === id);
  const refused = own.filter(({ scenario }) => scenario === "sold-out");
  const known = refused.length > 0 ? refused : own.filter(({ scenario }) => scenario === "hot");
  if (known.length === 0) return ANSWERS_PER_SECOND_DEFAULT;
  return medianOf(known.map(({ figures }) => figures.acceptedPerSecond + figures.refusedPerSecond));
}

async function runStampede(session: Session, id: ArmId, ratePerSecond: number): Promise<Sample> {
  const { plan, best, say } = session;
  const storeConnections = connectionsOf(best, id, "sold-out");
  const options = armOptions(session, id, { storeConnections, logGc: false });
  const arm = await startArm(id, options, session.services);
  try {
    const { catalogueSize, seed } = plan;
    const trial = new Trial({ arm, fleet: fleetOf(session, id), catalogueSize, seed });
    await warmUp(trial, "hot", plan, plan.warmupMs);
    await warmUp(trial, "sold-out", plan, plan.settleMs);
    const measured = await measure(trial, stampedeOf(plan, ratePerSecond));
    const { figures, result } = measured;
    say(
      `flash ${id.padEnd(20)} ${Math.round(ratePerSecond)}/s offered: ` +
        `p50 ${figures.p50Ms.toFixed(1)} ms, p99 ${figures.p99Ms.toFixed(1)} ms`,
    );
    const problems = [...problemsOf("flash", measured)];
    const accepted = result.answers[OUTCOME.accepted] ?? 0;
    const { units } = plan.flash;
    if (accepted !== units) {
      problems.push(`${accepted} accepted of ${units} with more demand than that`);
    }
    const ledger = await ledgerOf(arm, trial);
    return { arm: id, scenario: "flash", round: 0, figures, ledger: problems[0] ?? ledger };
  } finally {
    await arm.stop();
  }
}

function stampedeOf({ flash, connections, seed }: Plan, ratePerSecond: number): Load {
  const durationMs = (flash.demand / ratePerSecond) * 1_000;
  const schedule = {
    ratePerSecond,
    durationMs,
    arrivals: "poisson",
    seed,
    rampMs: RAMP_MS,
  } as const;
  return {
    scenario: "flash",
    connections: 2 * connections,
    pace: { kind: "open", schedule },
  };
}
