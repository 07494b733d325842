// The state of one SKU, and of the group whose limit it shares.
//
// Changed by `apply` alone, live and in replay. Whether a sale is open is computed from the time of
// each decision, never latched.
//
//   S1  released = available + held + sold, available ≥ 0 (I1, I5)
//   S2  held = Σ quantity of live holds; sold = Σ quantity of orders in state `sold`
//   S3  a hold has one deadline, moved at most once, by its first pin
//   S4  what an order did is remembered by its id and is final (I4)

import type { DeadlineHeap } from "./deadlines.ts";

/** What merchants set: `live` follows the window, the others refuse new holds whatever the time. */
export type Phase = "live" | "paused" | "ended" | "cancelled";

export type Hold = {
  /** Grows by one with each new hold of the SKU; with the SKU's tag it is the hold id. */
  readonly number: number;
  readonly shopper: string;
  quantity: number;
  readonly priceMinor: number;
  deadlineMs: number;
  /** The order that has it pinned (`paying`), or null (`open`). */
  orderId: string | null;
  /** True once a pin has set the deadline: a second pin never moves it. */
  wasPinned: boolean;
};

/** `unpinned`: given up before it was paid; a late pin of it is refused. */
export type OrderState = "sold" | "refused" | "returned" | "unpinned";

export type OrderEffect = {
  readonly shopper: string;
  readonly quantity: number;
  state: OrderState;
};

/** Shared by the SKUs of a group: units held + bought by each shopper over all of them. */
export type GroupState = {
  readonly key: string;
  version: number;
  limit: number;
  readonly units: Map<string, number>;
};

export type SkuState = {
  readonly key: string;
  /** The sale's version of the last configure; 0 before the first. */
  version: number;
  phase: Phase;
  startsAtMs: number;
  endsAtMs: number;
  holdMs: number;
  payMs: number;
  limit: number;
  priceMinor: number;
  released: number;
  sold: number;
  held: number;
  holdCount: number;
  readonly holds: Map<string, Hold>;
  /** Units bought and not returned, by shopper. */
  readonly bought: Map<string, number>;
  readonly orders: Map<string, OrderEffect>;
  readonly deadlines: DeadlineHeap;
  group: GroupState | null;
};

export function availableOf(sku: SkuState): number {
  return sku.released - sku.sold - sku.held;
}
