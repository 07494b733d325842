// A soak: doorbuster at 70 % of what it can do, on a schedule, for as long as asked. Holds lapse and
// their shoppers come back. Latency and memory may not grow, and at the end nothing is held and all
// that was released is for sale again.

import type { ArmId, RunningArm } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import { connectionsOf } from "./connections.ts";
import { type Figures, measure } from "./measure.ts";
import type { Rounds, Sample } from "./rounds.ts";
import { Trial } from "./scenario.ts";
import { armOptions, fleetOf, type Session } from "./session.ts";

const SLICE_MS = 10_000;
const HOLD_FOR = "5s";
/** By then every hold of a slice has lapsed: its shoppers may come again. */
const SLICES_APART = 3;
const LOAD_SHARE = 0.7;
const SETTLE_MS = 8_000;

export async function runSoak(session: Session): Promise<Rounds> {
  const samples: Sample[] = [];
  for (const id of session.plan.arms) samples.push(...(await soakArm(session, id)));
  return { samples, profiles: [], skipped: new Map() };
}

async function soakArm(session: Session, id: ArmId): Promise<readonly Sample[]> {
  const { plan, say } = session;
  const fleet = fleetOf(session, id);
  const storeConnections = connectionsOf(session.best, id, "hot");
  const options = {
    ...armOptions(session, id, { storeConnections, logGc: false }),
    holdFor: HOLD_FOR,
  };
  const arm = await startArm(id, options, session.services);
  try {
    const trial = (): Trial => new Trial({ arm, fleet, catalogueSize: 0, seed: plan.seed });
    const { connections } = plan;
    const saturation = await measure(trial(), {
      scenario: "hot",
      connections,
      pace: { kind: "closed", durationMs: 3_000 },
    });
    const ratePerSecond = LOAD_SHARE * saturation.figures.acceptedPerSecond;
    const shoppers = Math.ceil((ratePerSecond * SLICE_MS) / 1_000) * 2;
    const slices: Figures[] = [];
    const endMs = performance.now() + plan.soakMs;
    await Bun.sleep(SETTLE_MS);
    while (performance.now() < endMs) {
      const slice = slices.length;
      const load = trial();
      load.startAt((slice % SLICES_APART) * shoppers);
      const schedule = {
        ratePerSecond,
        durationMs: SLICE_MS,
        arrivals: "poisson",
        seed: plan.seed + slice,
        rampMs: 0,
      } as const;
      const { figures } = await measure(load, {
        scenario: "hot",
        connections,
        pace: { kind: "open", schedule },
      });
      slices.push(figures);
      const { acceptedPerSecond, otherPerSecond, p99Ms, rssMb } = figures;
      say(
        `soak ${id} ${((slice + 1) * SLICE_MS) / 1_000} s: ${Math.round(acceptedPerSecond)}/s, ` +
          `other ${Math.round(otherPerSecond)}/s, p99 ${p99Ms.toFixed(1)} ms, RSS ${rssMb.toFixed(0)} MB`,
      );
    }
    await Bun.sleep(SETTLE_MS);
    const ledger = await isQuietAgain(arm);
    return slices.map((figures, round) => ({ arm: id, scenario: "hot", round, figures, ledger }));
  } finally {
    await arm.stop();
  }
}

/** Returns: `ok`, or what was not given back (I5). */
async function isQuietAgain(arm: RunningArm): Promise<string> {
  if (arm.report === null) return "ok";
  for (const { skuKey, released, available } of await arm.report()) {
    if (available !== released) return `${skuKey}: ${released - available} units did not come back`;
  }
  return "ok";
}
