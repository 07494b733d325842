import type { Command, HoldRefusal, HoldView, OutcomeOf } from "../stock/command.ts";
import type { StockEvent } from "../stock/event.ts";

/** Where a SKU is decided. The catalogue hands these out, so that no hot path hashes. */
export type SkuRef = {
  /** `saleId/sku`. */
  readonly key: string;
  readonly partition: number;
};

export type CartHold = { readonly skuKey: string; readonly hold: HoldView };

export type SkuCounts = {
  readonly skuKey: string;
  readonly released: number;
  readonly available: number;
  /** Includes `paying`. */
  readonly held: number;
  readonly paying: number;
  readonly sold: number;
};

/** One event of a SKU with the batch that carried it. */
export type ExplainedEvent = {
  readonly partition: number;
  readonly seq: number;
  readonly claim: number;
  readonly atMs: number;
  readonly event: StockEvent;
};

/**
 * The owners of all SKUs, wherever they are: in this process or behind the router.
 *
 * A promise settles within `REQUEST_DEADLINE_MS` with an outcome that is durable and true, or with
 * Fault("busy" | "store_unavailable" | "unknown" | "deadline" | "halted" | "not_owner" | "fenced").
 */
export interface Stock {
  ask<C extends Command>(sku: SkuRef, command: C): Promise<OutcomeOf<C>>;
  /**
   * A refusal that needs neither the shopper nor the quantity, true within I8, without waiting; or
   * null: ask. Only `sold_out` with nothing held, and the window's refusals.
   */
  refuseEarly(sku: SkuRef): HoldRefusal | null;
  /** The shopper's live holds. `complete` is false when an owner did not answer. */
  cart(shopper: string): Promise<{ holds: readonly CartHold[]; complete: boolean }>;
  /** Counts of the SKUs, in their order; null where an owner did not answer or knows no such SKU. */
  counts(skus: readonly SkuRef[]): Promise<readonly (SkuCounts | null)[]>;
}
