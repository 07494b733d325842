// The rivals on Postgres get the pool size that is best here, found by trying.

import type { ArmId } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import { armOptions, fleetOf, type Session } from "./rounds.ts";
import { Trial } from "./scenario.ts";

const SWEPT: readonly ArmId[] = ["pg-lock", "pg-update", "pg-skip-locked", "redis-decr-pg"];
const WARM_MS = 300;
const TRY_MS = 800;

export async function bestPoolSizes(session: Session): Promise<ReadonlyMap<ArmId, number>> {
  const best = new Map<ArmId, number>();
  const { plan, say } = session;
  if (plan.poolSizes.length === 1) return best;
  for (const id of SWEPT.filter((arm) => plan.arms.includes(arm))) {
    const rates: [size: number, rate: number][] = [];
    for (const size of plan.poolSizes) rates.push([size, await rateAt(session, id, size)]);
    const [size] = rates.reduce((a, b) => (b[1] > a[1] ? b : a));
    best.set(id, size);
    const tried = rates.map(([tries, rate]) => `${tries}: ${Math.round(rate)}/s`).join(", ");
    say(`pool of ${id}: ${size} (${tried})`);
  }
  return best;
}

async function rateAt(session: Session, id: ArmId, poolSize: number): Promise<number> {
  const options = armOptions(session, id, false);
  const stage = { ...options.stage, catalogueSize: 0 };
  const arm = await startArm(id, { ...options, stage, poolSize }, session.services);
  try {
    const trial = new Trial({ arm, fleet: fleetOf(session, id), catalogueSize: 0, seed: 1 });
    const { connections } = session.plan;
    await trial.run({
      scenario: "hot",
      connections,
      pace: { kind: "closed", durationMs: WARM_MS },
    });
    const pace = { kind: "closed", durationMs: TRY_MS } as const;
    const result = await trial.run({ scenario: "hot", connections, pace });
    return (result.latency.count / result.measuredMs) * 1_000;
  } finally {
    await arm.stop();
  }
}
