// What all parts of a run share, and how each of them starts and ends a visit to an arm.

import { type ArmId, type ArmOptions, nodesOf, type RunningArm } from "../arms/arm.ts";
import type { Services } from "../arms/start-arm.ts";
import { audit } from "../audit/audit.ts";
import type { Fleet } from "../generator/fleet.ts";
import { connectionsIn, hotUnitsOf, type Plan } from "./plan.ts";
import type { Scenario, Trial } from "./scenario.ts";

/** What was chosen for a rival, and what each number that was tried answered a second. */
export type Swept = {
  readonly connections: number;
  readonly tried: readonly (readonly [connections: number, answersPerSecond: number])[];
};

/** By arm and scenario; empty when nothing was tried. */
export type BestConnections = ReadonlyMap<string, Swept>;

export type Session = {
  readonly plan: Plan;
  readonly fleet: Fleet;
  readonly services: Services;
  readonly secret: string;
  readonly best: BestConnections;
  readonly say: (line: string) => void;
};

/** An arm of two nodes answers what one generator process cannot send with room to spare. */
export function fleetOf({ plan, fleet }: Session, id: ArmId): Fleet {
  return fleet.first(plan.workers * nodesOf(id));
}

export function armOptions(
  { plan, secret }: Session,
  id: ArmId,
  of: { readonly storeConnections: number; readonly logGc: boolean },
): ArmOptions {
  const wantsCatalogue = plan.scenarios.includes("catalogue");
  return {
    stage: {
      flashUnits: plan.flash.units,
      catalogueSize: wantsCatalogue && id !== "pg-skip-locked" ? plan.catalogueSize : 0,
      hotUnits: hotUnitsOf(plan),
    },
    secret,
    storeConnections: of.storeConnections,
    logGc: of.logGc,
    holdFor: "60m",
  };
}

export async function warmUp(
  trial: Trial,
  scenario: Scenario,
  plan: Plan,
  durationMs: number,
): Promise<void> {
  const pace = { kind: "closed", durationMs } as const;
  await trial.run({ scenario, connections: connectionsIn(scenario, plan), pace });
}

/** Returns: `ok`, or the first thing that does not balance. */
export async function ledgerOf(arm: RunningArm, trial: Trial): Promise<string> {
  if (arm.books === null) return "ok";
  const problems = audit(trial.heard, await arm.books());
  return problems.length === 0 ? "ok" : problems.slice(0, 3).join("; ");
}
