// What a sale says about a SKU, shared: the SKUs of a sale are alike but for a few prices and stocks.

import { RULES_KEPT_MAX } from "../limits.ts";

/** What merchants set: `live` follows the window, the others refuse new holds whatever the time. */
export const PHASES = ["live", "paused", "ended", "cancelled"] as const;
export type Phase = (typeof PHASES)[number];

/** Never changed: a SKU that is configured again gets others. */
export type SkuRules = {
  /** The sale's version of the last configure; 0 before the first. */
  readonly version: number;
  readonly phase: Phase;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly holdMs: number;
  readonly payMs: number;
  readonly limit: number;
  readonly priceMinor: number;
  readonly released: number;
};

export const NO_RULES: SkuRules = Object.freeze({
  version: 0,
  phase: "cancelled",
  startsAtMs: 0,
  endsAtMs: 0,
  holdMs: 0,
  payMs: 0,
  limit: 0,
  priceMinor: 0,
  released: 0,
});

/** Makes equal rules one object. It forgets: what it hands out is right, shared or not. */
export class RulesPool {
  readonly #known = new Map<string, SkuRules>();

  /** Cost: one text of the rules, at each configure and each SKU of a snapshot. */
  share(rules: SkuRules): SkuRules {
    const { version, phase, startsAtMs, endsAtMs, holdMs, payMs } = rules;
    const { limit, priceMinor, released } = rules;
    const times = `${startsAtMs} ${endsAtMs} ${holdMs} ${payMs}`;
    const text = `${version} ${phase} ${times} ${limit} ${priceMinor} ${released}`;
    let known = this.#known.get(text);
    if (known === undefined) {
      // The caller's object may have more to it.
      known = { version, phase, startsAtMs, endsAtMs, holdMs, payMs, limit, priceMinor, released };
      if (this.#known.size >= RULES_KEPT_MAX) this.#known.clear();
      this.#known.set(text, known);
    }
    return known;
  }
}
