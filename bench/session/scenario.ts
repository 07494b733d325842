// The loads that a running arm is put under.

import { type RunningArm, SALE } from "../arms/arm.ts";
import { stagedKey } from "../arms/stage.ts";
import type { Heard } from "../audit/audit.ts";
import type { Fleet, LoadResult } from "../generator/fleet.ts";
import type { Journey, Pace } from "../generator/job.ts";
import { catalogueSku, type SkuChoice, skuNumbers } from "../generator/requests.ts";

export const SCENARIOS = ["hot", "sold-out", "catalogue", "flash", "funnel"] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** Requests that one closed-loop second may need at most. */
const CLOSED_PER_SECOND_MAX = 150_000;

/** The SKU that journeys are about has more stock than they can take. */
const SKU_OF: Readonly<Record<Exclude<Scenario, "catalogue">, string>> = {
  hot: "hot",
  "sold-out": "gone",
  flash: "flash",
  funnel: "hot",
};

export type Load = {
  readonly scenario: Scenario;
  readonly pace: Pace;
  readonly connections: number;
};

/** An arm under load, with all that its clients have heard. */
export class Trial {
  readonly arm: RunningArm;
  readonly heard: Heard[] = [];
  readonly #fleet: Fleet;
  readonly #catalogueSize: number;
  readonly #seed: number;
  #nextShopper = 0;

  constructor(of: { arm: RunningArm; fleet: Fleet; catalogueSize: number; seed: number }) {
    this.arm = of.arm;
    this.#fleet = of.fleet;
    this.#catalogueSize = of.catalogueSize;
    this.#seed = of.seed;
  }

  /** The shoppers of the next load begin here. */
  startAt(shopper: number): void {
    this.#nextShopper = shopper;
  }

  async run(load: Load, around?: Parameters<Fleet["run"]>[1]): Promise<LoadResult> {
    const { scenario, pace } = load;
    const choice = this.#choiceOf(scenario);
    const journey: Journey = scenario === "funnel" ? "funnel" : "hold";
    const firstShopper = this.#nextShopper;
    const result = await this.#fleet.run(
      {
        ports: scenario === "catalogue" ? this.arm.ports : this.arm.hotPorts,
        connections: load.connections,
        firstShopper,
        shopperStep: 1,
        count: countOf(pace, journey),
        sale: SALE,
        choice,
        pace,
        journey,
      },
      around,
    );
    const outcomes = sentOf(result.outcomes);
    this.#nextShopper += outcomes.length;
    this.heard.push({ firstShopper, outcomes, skuKeyOf: this.#keysOf(choice, outcomes.length) });
    return result;
  }

  #choiceOf(scenario: Scenario): SkuChoice {
    if (scenario !== "catalogue") return { kind: "one", sku: SKU_OF[scenario] };
    return { kind: "catalogue", size: this.#catalogueSize, seed: this.#seed };
  }

  /** The same draw as the generator's, made again. */
  #keysOf(choice: SkuChoice, count: number): (index: number) => string {
    if (choice.kind === "one") {
      const key = stagedKey(choice.sku);
      return () => key;
    }
    const workers = this.#fleet.pids.length;
    const share = Math.ceil(count / workers);
    const draws = Array.from({ length: workers }, (_, worker) =>
      skuNumbers({ ...choice, seed: choice.seed + worker }, share),
    );
    return (index) => {
      const number = draws[index % workers]?.[Math.floor(index / workers)] ?? 0;
      return stagedKey(catalogueSku(number));
    };
  }
}

function countOf(pace: Pace, journey: Journey): number {
  if (pace.kind === "open") {
    const { ratePerSecond, durationMs } = pace.schedule;
    return Math.ceil((ratePerSecond * durationMs) / 1_000) * 2 + 1_000;
  }
  const perSecond = journey === "funnel" ? CLOSED_PER_SECOND_MAX / 5 : CLOSED_PER_SECOND_MAX;
  return Math.ceil((perSecond * pace.durationMs) / 1_000);
}

/** Up to the last request that was sent. */
function sentOf(outcomes: Uint8Array): Uint8Array {
  let end = outcomes.length;
  while (end > 0 && outcomes[end - 1] === 0) end -= 1;
  return outcomes.slice(0, end);
}
