// The rivals get the number of connections to their store that is best here, found by trying. One
// for each of their scenarios: a hot row wants few, rows that are apart want many.

import type { ArmId } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import { hotUnitsFor, scenariosOf } from "./plan.ts";
import { type Scenario, Trial } from "./scenario.ts";
import { armOptions, type BestConnections, fleetOf, type Session, type Swept } from "./session.ts";

const TO_POSTGRES = [1, 2, 4, 8, 16, 32];
const TO_REDIS = [1, 2, 4];
const TRIED: Readonly<Partial<Record<ArmId, readonly number[]>>> = {
  "pg-lock": TO_POSTGRES,
  "pg-update": TO_POSTGRES,
  "pg-skip-locked": TO_POSTGRES,
  "redis-decr-pg": TO_POSTGRES,
  "redis-lua": TO_REDIS,
  "redis-lua-fsync": TO_REDIS,
};
/** Where nothing is tried: the best of full runs. */
const USUAL: Readonly<Partial<Record<ArmId, number>>> = {
  "pg-lock": 2,
  "pg-update": 2,
  "pg-skip-locked": 16,
  "redis-decr-pg": 16,
  "redis-lua": 2,
  "redis-lua-fsync": 2,
};
const WARM_MS = 300;
const TRY_MS = 1_000;

export function connectionsOf(best: BestConnections, id: ArmId, scenario: Scenario): number {
  return best.get(keyOf(id, scenario))?.connections ?? USUAL[id] ?? 1;
}

/** For `settings` of the result: what was chosen, and what each that was tried answered a second. */
export function connectionSettings(best: BestConnections): Record<string, string> {
  const settings = [...best].map(([key, { connections, tried }]) => {
    const rates = tried.map(([count, rate]) => `${count}: ${Math.round(rate)}/s`).join(", ");
    return [`connections of ${key}`, `${connections} (tried ${rates})`] as const;
  });
  return Object.fromEntries(settings);
}

export async function bestConnections(session: Session): Promise<BestConnections> {
  const best = new Map<string, Swept>();
  const { plan, say } = session;
  for (const id of plan.isSwept ? plan.arms : []) {
    const tried = new Map<Scenario, [number, number][]>();
    for (const connections of TRIED[id] ?? []) {
      for (const [scenario, rate] of await ratesOf(session, id, connections)) {
        tried.set(scenario, [...(tried.get(scenario) ?? []), [connections, rate]]);
      }
    }
    for (const [scenario, rates] of tried) {
      const [connections] = rates.reduce((a, b) => (b[1] > a[1] ? b : a));
      best.set(keyOf(id, scenario), { connections, tried: rates });
    }
  }
  for (const [name, value] of Object.entries(connectionSettings(best))) say(`${name}: ${value}`);
  return best;
}

function keyOf(id: ArmId, scenario: Scenario): string {
  return `${id} ${scenario}`;
}

async function ratesOf(
  session: Session,
  id: ArmId,
  storeConnections: number,
): Promise<readonly (readonly [Scenario, number])[]> {
  const { plan } = session;
  const options = armOptions(session, id, { storeConnections, logGc: false });
  const stage = { ...options.stage, hotUnits: hotUnitsFor(WARM_MS + TRY_MS) };
  const arm = await startArm(id, { ...options, stage }, session.services);
  try {
    const { catalogueSize, connections, seed } = plan;
    const trial = new Trial({ arm, fleet: fleetOf(session, id), catalogueSize, seed });
    const rates: [Scenario, number][] = [];
    for (const scenario of scenariosOf(id, plan)) {
      const load = (durationMs: number) =>
        trial.run({ scenario, connections, pace: { kind: "closed", durationMs } });
      await load(WARM_MS);
      const result = await load(TRY_MS);
      rates.push([scenario, (result.latency.count / result.measuredMs) * 1_000]);
    }
    return rates;
  } finally {
    await arm.stop();
  }
}
