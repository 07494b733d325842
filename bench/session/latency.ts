// What shoppers feel: the capacity at p99 ≤ 50 ms, and the latency at 50, 70 and 90 % of it, on a
// schedule that does not wait for answers. Taken a round at a time, so that all arms share an hour.

import type { ArmId } from "../arms/arm.ts";
import type { Histogram } from "../stats/histogram.ts";
import { middleBy } from "../stats/summary.ts";
import { type Figures, measure, type Measured } from "./measure.ts";
import type { Plan } from "./plan.ts";
import { problemsOf } from "./problems.ts";
import type { Trial } from "./scenario.ts";

const P99_LIMIT_MS = 50;
/** A rate is kept when nearly all that was offered was answered in its time. */
const KEPT_SHARE = 0.98;
const FIRST_PERCENTS = [50, 70, 90] as const;
/** What a threshold and the table are about: in every round, and the middle one counts. */
const REPEATED_PERCENT = 70;

type Gc = { readonly eden: number; readonly full: number; readonly pauseMs: number };

type Window = {
  readonly loadPercent: number;
  readonly ratePerSecond: number;
  readonly figures: Figures;
  readonly gc: Gc | null;
  readonly curve: readonly [number, number][];
};

/** `figures` is of the window with the median p99, `gc` of the one that was logged. */
type LatencyAt = Window & { readonly p99MsOfWindows: readonly number[] };

export type LatencyProfile = {
  readonly arm: ArmId;
  readonly capacityPerSecond: number | null;
  readonly at: readonly LatencyAt[];
};

type Found = {
  readonly capacityPerSecond: number | null;
  /** What percentages are of: the capacity, or the lowest rate tried when none was kept. */
  readonly fullPerSecond: number;
  readonly windows: Window[];
};

type Offered = {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  /** Each has arrivals of its own; the generator's processes add their numbers to the seed. */
  readonly round: number;
};

export class LatencyProfiles {
  readonly #plan: Plan;
  readonly #found = new Map<ArmId, Found>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  isProfiled(id: ArmId): boolean {
    return this.#plan.profiled.includes(id);
  }

  /**
   * Whether the arm must be started so. In one round only, and never `bare`: the log costs an arm
   * some 3 % of its rate.
   */
  logsGc(id: ArmId, round: number): boolean {
    return round === 0 && this.isProfiled(id) && id !== "bare";
  }

  /**
   * One round's part, on an arm that is warm: the first searches the capacity and looks at each
   * share of it. `saturatedPerSecond` is what the closed loop found.
   *
   * Returns  what was wrong with the load.
   */
  async take(trial: Trial, round: number, saturatedPerSecond: number): Promise<readonly string[]> {
    const { id } = trial.arm;
    const known = this.#found.get(id);
    const found = known ?? (await this.#capacityOf(trial, saturatedPerSecond));
    this.#found.set(id, found);
    const problems: string[] = [];
    for (const loadPercent of known === undefined ? FIRST_PERCENTS : [REPEATED_PERCENT]) {
      const ratePerSecond = (found.fullPerSecond * loadPercent) / 100;
      const printed = trial.arm.output().length;
      const offered = { ratePerSecond, durationMs: this.#plan.latencyMs, round };
      const measured = await this.#measure(trial, offered);
      found.windows.push({
        loadPercent,
        ratePerSecond,
        figures: measured.figures,
        gc: this.logsGc(id, round) ? gcOf(trial.arm.output().slice(printed)) : null,
        curve: curveOf(measured.result.latency),
      });
      problems.push(...problemsOf("hot", measured));
    }
    return problems;
  }

  /** Of the arm's last window at 70 %; null: none yet. */
  lastP99MsOf(id: ArmId): number | null {
    const windows = this.#found.get(id)?.windows ?? [];
    const last = windows.findLast(({ loadPercent }) => loadPercent === REPEATED_PERCENT);
    return last?.figures.p99Ms ?? null;
  }

  all(): readonly LatencyProfile[] {
    return [...this.#found].map(([arm, { capacityPerSecond, windows }]) => {
      const loads = Map.groupBy(windows, ({ loadPercent }) => loadPercent);
      const at = [...loads.values()].map((own) => ({
        ...middleBy(own, ({ figures }) => figures.p99Ms),
        gc: own.find(({ gc }) => gc !== null)?.gc ?? null,
        p99MsOfWindows: own.map(({ figures }) => figures.p99Ms),
      }));
      return { arm, capacityPerSecond, at };
    });
  }

  async #capacityOf(trial: Trial, saturatedPerSecond: number): Promise<Found> {
    const { capacityShares, capacityMs } = this.#plan;
    let ratePerSecond = saturatedPerSecond;
    for (const share of capacityShares) {
      ratePerSecond = share * saturatedPerSecond;
      const offered = { ratePerSecond, durationMs: capacityMs, round: 0 };
      const { figures } = await this.#measure(trial, offered);
      const kept = figures.acceptedPerSecond >= KEPT_SHARE * ratePerSecond;
      if (kept && figures.p99Ms <= P99_LIMIT_MS) {
        return { capacityPerSecond: ratePerSecond, fullPerSecond: ratePerSecond, windows: [] };
      }
    }
    return { capacityPerSecond: null, fullPerSecond: ratePerSecond, windows: [] };
  }

  #measure(trial: Trial, { ratePerSecond, durationMs, round }: Offered): Promise<Measured> {
    const { connections, seed: first } = this.#plan;
    const seed = first + 1_000 * round;
    const schedule = { ratePerSecond, durationMs, arrivals: "poisson", seed, rampMs: 0 } as const;
    return measure(trial, { scenario: "hot", connections, pace: { kind: "open", schedule } });
  }
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
