// What shoppers feel: the capacity at p99 ≤ 50 ms, and the latency at 50, 70 and 90 % of it, on a
// schedule that does not wait for answers.

import type { ArmId } from "../arms/arm.ts";
import { startArm } from "../arms/start-arm.ts";
import type { Histogram } from "../stats/histogram.ts";
import { middleBy } from "../stats/summary.ts";
import { type Figures, measure } from "./measure.ts";
import type { Plan } from "./plan.ts";
import { armOptions, fleetOf, ledgerOf, type Session, warmUp } from "./rounds.ts";
import { Trial } from "./scenario.ts";

const P99_LIMIT_MS = 50;
/** A rate is kept when nearly all that was offered was answered in its time. */
const KEPT_SHARE = 0.98;
const LOAD_PERCENTS = [50, 70, 90] as const;
/** What a threshold and the table are about: measured several times, and the middle one counts. */
const REPEATED_PERCENT = 70;

type Gc = { readonly eden: number; readonly full: number; readonly pauseMs: number };

type LatencyAt = {
  readonly loadPercent: number;
  readonly ratePerSecond: number;
  readonly figures: Figures;
  /** Of every window at this load, in their order; `figures` is the one in the middle. */
  readonly p99MsOfWindows: readonly number[];
  readonly gc: Gc | null;
  readonly curve: readonly [number, number][];
};

export type LatencyProfile = {
  readonly arm: ArmId;
  readonly capacityPerSecond: number | null;
  readonly at: readonly LatencyAt[];
  readonly ledger: string;
};

/** `saturatedPerSecond` is what the closed loop found. */
export async function profileLatency(
  session: Session,
  id: ArmId,
  saturatedPerSecond: number,
): Promise<LatencyProfile> {
  const { plan } = session;
  const fleet = fleetOf(session, id);
  const arm = await startArm(id, armOptions(session, id, id !== "bare"), session.services);
  try {
    const trial = new Trial({ arm, fleet, catalogueSize: 0, seed: plan.seed });
    await warmUp(trial, "hot", plan, plan.warmupMs);
    const capacity = await capacityOf(trial, session, saturatedPerSecond);
    const at: LatencyAt[] = [];
    // An arm that kept no rate is shown at shares of the lowest that it was offered.
    const lowest = (plan.capacityShares.at(-1) ?? 1) * saturatedPerSecond;
    for (const loadPercent of LOAD_PERCENTS) {
      const ratePerSecond = ((capacity ?? lowest) * loadPercent) / 100;
      const windows: Omit<LatencyAt, "p99MsOfWindows">[] = [];
      const count = loadPercent === REPEATED_PERCENT ? plan.latencyWindows : 1;
      for (let window = 0; window < count; window += 1) {
        const printed = arm.output().length;
        const load = openLoad(plan, { ratePerSecond, durationMs: plan.latencyMs, window });
        const measured = await measure(trial, load);
        windows.push({
          loadPercent,
          ratePerSecond,
          figures: measured.figures,
          gc: id === "bare" ? null : gcOf(arm.output().slice(printed)),
          curve: curveOf(measured.result.latency),
        });
      }
      const p99MsOfWindows = windows.map(({ figures }) => figures.p99Ms);
      at.push({ ...middleBy(windows, ({ figures }) => figures.p99Ms), p99MsOfWindows });
    }
    return { arm: id, capacityPerSecond: capacity, at, ledger: await ledgerOf(arm, trial) };
  } finally {
    await arm.stop();
  }
}

async function capacityOf(
  trial: Trial,
  session: Session,
  saturatedPerSecond: number,
): Promise<number | null> {
  const { capacityShares, capacityMs } = session.plan;
  for (const share of capacityShares) {
    const rate = share * saturatedPerSecond;
    const load = openLoad(session.plan, { ratePerSecond: rate, durationMs: capacityMs, window: 0 });
    const { figures } = await measure(trial, load);
    const kept = figures.acceptedPerSecond >= KEPT_SHARE * rate;
    if (kept && figures.p99Ms <= P99_LIMIT_MS) return rate;
  }
  return null;
}

type Window = {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  /** Each has arrivals of its own; the generator's processes add their numbers to the seed. */
  readonly window: number;
};

function openLoad(plan: Plan, { ratePerSecond, durationMs, window }: Window) {
  const { connections } = plan;
  const seed = plan.seed + 1_000 * window;
  const schedule = { ratePerSecond, durationMs, arrivals: "poisson", seed, rampMs: 0 } as const;
  return { scenario: "hot", connections, pace: { kind: "open", schedule } } as const;
}

function curveOf(latency: Histogram): [number, number][] {
  const quantiles = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999];
  return quantiles.map((quantile) => [quantile, latency.quantileUs(quantile) / 1_000]);
}

/** From the log that JSC prints (BUN_JSC_logGC): collections, and how long they paused the program. */
function gcOf(log: string): Gc {
  let pauseMs = 0;
  for (const match of log.matchAll(/ p=([\d.]+)ms/g)) pauseMs += Number(match[1]);
  return {
    eden: log.match(/START M .*EdenCollection/g)?.length ?? 0,
    full: log.match(/START M .*FullCollection/g)?.length ?? 0,
    pauseMs,
  };
}
