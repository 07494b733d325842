// No answer is a lie (I2, I8): each one is held against what the journal says was true at the time.

import { REFUSAL_FRESH_MS } from "../../src/core/limits.ts";
import type { Command, HoldOutcome, Outcome } from "../../src/core/stock/command.ts";
import type { Attempt, Causes } from "./causes.ts";
import { expectThat, type Shadow, type ShadowSku, type SkuFact, type UnitsFact } from "./shadow.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** How late a partition's clock may be: a claim's answer took at most so long (PartitionTime). */
const CLOCK_LATE_MS = 1_500;

type Sale = NonNullable<SkuFact["rules"]>;

export class Oracle {
  readonly #world: World;
  readonly #shadow: Shadow;
  readonly #causes: Causes;

  constructor(options: {
    readonly world: World;
    readonly shadow: Shadow;
    readonly causes: Causes;
  }) {
    this.#world = options.world;
    this.#shadow = options.shadow;
    this.#causes = options.causes;
  }

  /** The answer left just now. */
  judge(attempt: Attempt, outcome: Outcome): void {
    const { command } = attempt;
    const sku = this.#shadow.sku(attempt.skuKey);
    const isTrue = this.#isTrue(sku, attempt, outcome);
    expectThat(isTrue, isGrant(outcome) ? "I2" : "I8", () => {
      const asked = `${JSON.stringify(command)} of ${attempt.skuKey} at ${attempt.sentMs}`;
      return `${asked}, answered ${JSON.stringify(outcome)} by ${attempt.nodeId}: never true`;
    });
  }

  #isTrue(sku: ShadowSku, attempt: Attempt, outcome: Outcome): boolean {
    const { command, sentMs } = attempt;
    if (outcome.kind === "unknown_sku") {
      return sku.facts.some(sentMs - REFUSAL_FRESH_MS, (fact) => fact.version === 0);
    }
    if (outcome.kind === "in_checkout") return this.#isPaying(sku, attempt);
    switch (command.kind) {
      case "configure":
        return this.#configureIsTrue(sku, command.version, sentMs, outcome);
      case "hold":
        return this.#holdIsTrue(sku, attempt, outcome as HoldOutcome);
      case "give_back":
        return sku.holdOf(command.shopper).some(sentMs, (hold) => hold === null);
      case "pin":
        return this.#pinIsTrue(sku, attempt, outcome);
      default: {
        const order = sku.orderOf(command.orderId);
        return order.some(sentMs, (fact) => fact !== null && fact.state === outcome.kind);
      }
    }
  }

  #isPaying(sku: ShadowSku, { command, sentMs }: Attempt): boolean {
    if (!("shopper" in command)) return false;
    const fromMs = sentMs - REFUSAL_FRESH_MS;
    return sku
      .holdOf(command.shopper)
      .some(fromMs, (hold) => hold !== null && hold.orderId !== null);
  }

  #configureIsTrue(sku: ShadowSku, version: number, sentMs: number, outcome: Outcome): boolean {
    if (outcome.kind === "configured") {
      return sku.facts.some(sentMs, (fact) => fact.version === version);
    }
    if (outcome.kind === "unchanged") {
      return sku.facts.some(sentMs, (fact) => {
        return fact.version === outcome.version && fact.version >= version;
      });
    }
    if (outcome.kind !== "below_committed") return false;
    const fromMs = sentMs - REFUSAL_FRESH_MS;
    return sku.facts.some(fromMs, (fact) => fact.held + fact.sold === outcome.minimum);
  }

  #holdIsTrue(sku: ShadowSku, attempt: Attempt, outcome: HoldOutcome): boolean {
    const command = attempt.command as Extract<Command, { kind: "hold" }>;
    const { sentMs } = attempt;
    const fromMs = sentMs - REFUSAL_FRESH_MS;
    switch (outcome.kind) {
      case "held": {
        const { number, quantity, priceMinor, deadlineMs, paying } = outcome.hold;
        const isIts = quantity === command.quantity;
        const wasThere = sku.holdOf(command.shopper).some(sentMs, (hold) => {
          if (hold === null || hold.number !== number || hold.quantity !== quantity) return false;
          if (hold.priceMinor !== priceMinor || hold.deadlineMs !== deadlineMs) return false;
          return (hold.orderId !== null) === paying;
        });
        const isNewer = !outcome.isNew || this.#causes.heldAtMs(sku.key, number) >= sentMs;
        return isIts && wasThere && isNewer;
      }
      case "limit_reached": {
        const { held, bought } = outcome;
        const isSo = (units: UnitsFact): boolean => units.held === held && units.bought === bought;
        const own = sku.unitsOf(command.shopper).some(fromMs, isSo);
        return own || (sku.group?.unitsOf(command.shopper).some(fromMs, isSo) ?? false);
      }
      case "sold_out":
        return sku.facts.some(fromMs, (fact) => freeOf(fact) === 0 && fact.held === 0);
      case "all_held":
        return sku.facts.some(fromMs, (fact) => freeOf(fact) === 0 && fact.held > 0);
      case "too_few":
        return sku.facts.some(fromMs, (fact) => freeOf(fact) === outcome.available);
      default:
        return sku.facts.some(fromMs, ({ rules }) => {
          // The edges know when a sale opens before its SKUs do.
          if (rules === null) return outcome.kind === "not_open";
          return this.#windowIsSo(rules, outcome.kind, fromMs);
        });
    }
  }

  #windowIsSo(rules: Sale, kind: string, fromMs: number): boolean {
    switch (kind) {
      case "not_open":
        return rules.startsAtMs > EPOCH_MS + fromMs - CLOCK_LATE_MS;
      case "ended":
        return rules.phase === "ended" || rules.endsAtMs <= EPOCH_MS + this.#world.nowMs;
      case "paused":
      case "cancelled":
        return rules.phase === kind;
      default:
        return false;
    }
  }

  #pinIsTrue(sku: ShadowSku, { command, sentMs }: Attempt, outcome: Outcome): boolean {
    if (command.kind !== "pin") return false;
    const { orderId, shopper, quantity, priceMinor } = command;
    const fromMs = sentMs - REFUSAL_FRESH_MS;
    const hold = sku.holdOf(shopper);
    const order = sku.orderOf(orderId);
    switch (outcome.kind) {
      case "pinned":
        return (
          hold.some(sentMs, (fact) => {
            return fact?.orderId === orderId && fact.deadlineMs === outcome.deadlineMs;
          }) || order.some(sentMs, (fact) => fact?.state === "sold")
        );
      case "hold_lapsed":
        return (
          hold.some(fromMs, (fact) => fact === null) || order.some(fromMs, (fact) => fact !== null)
        );
      case "hold_changed":
        return hold.some(fromMs, (fact) => {
          return fact !== null && (fact.quantity !== quantity || fact.priceMinor !== priceMinor);
        });
      default:
        return false;
    }
  }
}

export function isGrant(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case "held":
    case "given_back":
    case "pinned":
    case "unpinned":
    case "sold":
    case "returned":
    case "configured":
    case "unchanged":
      return true;
    default:
      return false;
  }
}

function freeOf({ rules, held, sold }: SkuFact): number {
  return (rules?.released ?? 0) - held - sold;
}
