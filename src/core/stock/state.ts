// The state of one SKU, of the groups whose limits SKUs share, and of the book that holds them all
// for one partition.
//
// Changed by `apply` alone, live and in replay. Whether a sale is open is computed from the time of
// each decision, never latched.
//
//   S1  released = available + held + sold, available ≥ 0 (I1, I5)
//   S2  held = Σ quantity of live holds; sold = Σ quantity of orders in state `sold`
//   S3  a hold has one deadline, moved at most once, by its first pin
//   S4  what an order did is remembered by its id and is final (I4)
//   S5  a group's units of a shopper = Σ over its SKUs of held + bought (I7)
//   S6  the SKUs of a group are archived and restored together: its counts are never parted

import { DeadlineHeap } from "./deadlines.ts";

/** What merchants set: `live` follows the window, the others refuse new holds whatever the time. */
export type Phase = "live" | "paused" | "ended" | "cancelled";

export type Hold = {
  readonly sku: SkuState;
  readonly shopper: string;
  /** Grows by one with each new hold of the SKU; with the SKU's tag it is the hold id. */
  readonly number: number;
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

/** Shared by the SKUs of a group: units of each shopper over all of them. */
export type GroupState = {
  readonly key: string;
  version: number;
  limit: number;
  readonly held: Map<string, number>;
  readonly bought: Map<string, number>;
  /** Those that share it now: they are archived together. */
  readonly skus: Set<SkuState>;
};

export type SkuState = {
  /** `saleId/sku` */
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
  /** Of the held ones, those that an order has pinned. */
  paying: number;
  /** The number of the last hold. */
  holdCount: number;
  group: GroupState | null;
  holds: ReadonlyMap<string, Hold>;
  /** Units bought and not returned, by shopper. */
  bought: ReadonlyMap<string, number>;
  orders: ReadonlyMap<string, OrderEffect>;
};

/** What is left in memory of a SKU whose orders are in the archive: it holds nothing. */
export type ArchivedSku = {
  readonly key: string;
  /** Of the text in the archive. */
  readonly digest: string;
  readonly version: number;
  readonly phase: Phase;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly released: number;
  readonly sold: number;
  /** The key of the group that was archived with it. */
  readonly group: string | null;
};

/**
 * Everything one partition decides about. A SKU is in `skus` or in `archived`, never in both; a
 * group is in `groups` or, with all of its SKUs, in `archivedGroups`.
 */
export type StockBook = {
  readonly skus: Map<string, SkuState>;
  readonly groups: Map<string, GroupState>;
  readonly archived: Map<string, ArchivedSku>;
  /** The keys of the SKUs that were archived with each group. */
  readonly archivedGroups: Map<string, readonly string[]>;
  /** A shopper's live holds: the cart. One hold is kept bare, several as a list. */
  readonly carts: Map<string, Hold | Hold[]>;
  readonly deadlines: DeadlineHeap<Hold>;
};

export function emptyBook(): StockBook {
  return {
    skus: new Map(),
    groups: new Map(),
    archived: new Map(),
    archivedGroups: new Map(),
    carts: new Map(),
    deadlines: new DeadlineHeap<Hold>(isDeadlineOf),
  };
}

export function emptyGroup(key: string): GroupState {
  return { key, version: 0, limit: 0, held: new Map(), bought: new Map(), skus: new Set() };
}

/** The key of the group that a SKU of the same sale calls `name`. */
export function groupKeyOf(skuKey: string, name: string): string {
  return `${skuKey.slice(0, skuKey.indexOf("/"))}/${name}`;
}

/** A SKU before its first configure: nothing released, so nothing can be held. */
export function unconfiguredSku(key: string): SkuState {
  return {
    key,
    version: 0,
    phase: "cancelled",
    startsAtMs: 0,
    endsAtMs: 0,
    holdMs: 0,
    payMs: 0,
    limit: 0,
    priceMinor: 0,
    released: 0,
    sold: 0,
    held: 0,
    paying: 0,
    holdCount: 0,
    group: null,
    holds: NONE,
    bought: NONE,
    orders: NONE,
  };
}

/** Shared by all SKUs that hold nothing: three maps each would be a third of an idle SKU. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>();

/** The only ways to write these maps: the first write makes a SKU's own. */
export function holdsToChange(sku: SkuState): Map<string, Hold> {
  if (sku.holds === NONE) sku.holds = new Map();
  return sku.holds as Map<string, Hold>;
}

export function boughtToChange(sku: SkuState): Map<string, number> {
  if (sku.bought === NONE) sku.bought = new Map();
  return sku.bought as Map<string, number>;
}

export function ordersToChange(sku: SkuState): Map<string, OrderEffect> {
  if (sku.orders === NONE) sku.orders = new Map();
  return sku.orders as Map<string, OrderEffect>;
}

export function availableOf(sku: SkuState): number {
  return sku.released - sku.sold - sku.held;
}

/** The shopper's live holds in this book. */
export function cartOf(book: StockBook, shopper: string): readonly Hold[] {
  const cart = book.carts.get(shopper);
  if (cart === undefined) return [];
  return Array.isArray(cart) ? cart : [cart];
}

/** Is `deadlineMs` still this hold's, and the hold still alive? Stale heap entries say no. */
function isDeadlineOf(hold: Hold, deadlineMs: number): boolean {
  return hold.deadlineMs === deadlineMs && hold.sku.holds.get(hold.shopper) === hold;
}
