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

import { HoldTable } from "./holds/hold-table.ts";
import type { HoldOf, NewHoldOf } from "./holds/hold.ts";
import { ownText } from "./own-text.ts";
import { NO_RULES, type Phase, RulesPool, type SkuRules } from "./rules.ts";

/** `unpinned`: given up before it was paid; a late pin of it is refused. */
export const ORDER_STATES = ["sold", "refused", "returned", "unpinned"] as const;
export type OrderState = (typeof ORDER_STATES)[number];

/** Replaced and never changed: a frozen book goes on reading it. */
export type OrderEffect = {
  readonly shopper: string;
  readonly quantity: number;
  readonly state: OrderState;
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

/** What orders did to a SKU. */
type Trade = {
  sold: number;
  paying: number;
  bought: ReadonlyMap<string, number>;
  orders: ReadonlyMap<string, OrderEffect>;
};

/** Shared by all SKUs that have nothing to put into them: a map each would be half an idle SKU. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>();

/** Shared by all SKUs that no order has touched yet. */
const NO_TRADE: Readonly<Trade> = Object.freeze(noTrade());

function noTrade(): Trade {
  return { sold: 0, paying: 0, bought: NONE, orders: NONE };
}

/**
 * One SKU. Nearly all of the million that a node may keep are idle: they share their rules with
 * those alike, and what an order needs is made by the first one (bench/growth).
 */
export class SkuState {
  /** `saleId/sku` */
  readonly key: string;
  rules: SkuRules = NO_RULES;
  group: GroupState | null = null;
  /** Units; 0 when nobody holds it. */
  held = 0;
  /** The number of the last hold. */
  holdCount = 0;
  /** Written through `tradeOf` alone. */
  trade: Readonly<Trade> = NO_TRADE;

  /** Not configured yet: nothing released, so nothing can be held. */
  constructor(key: string) {
    this.key = ownText(key);
  }

  get sold(): number {
    return this.trade.sold;
  }

  set sold(units: number) {
    tradeOf(this).sold = units;
  }

  /** Of the held ones, those that an order has pinned. */
  get paying(): number {
    return this.trade.paying;
  }

  set paying(units: number) {
    tradeOf(this).paying = units;
  }

  /** Units bought and not returned, by shopper. */
  get bought(): ReadonlyMap<string, number> {
    return this.trade.bought;
  }

  get orders(): ReadonlyMap<string, OrderEffect> {
    return this.trade.orders;
  }
}

export type NewHold = NewHoldOf<SkuState>;

/** A live hold as it is at this moment; it changes through the book's table alone. */
export type Hold = HoldOf<SkuState>;

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
  readonly rules: RulesPool;
  readonly groups: Map<string, GroupState>;
  readonly archived: Map<string, ArchivedSku>;
  /** The keys of the SKUs that were archived with each group. */
  readonly archivedGroups: Map<string, string[]>;
  /** The live holds of all SKUs. */
  readonly holds: HoldTable<SkuState>;
};

export function emptyBook(): StockBook {
  return {
    skus: new Map(),
    rules: new RulesPool(),
    groups: new Map(),
    archived: new Map(),
    archivedGroups: new Map(),
    holds: new HoldTable(),
  };
}

export function emptyGroup(key: string): GroupState {
  return { key, version: 0, limit: 0, held: new Map(), bought: new Map(), skus: new Set() };
}

/** The key of the group that a SKU of the same sale calls `name`. */
export function groupKeyOf(skuKey: string, name: string): string {
  return `${skuKey.slice(0, skuKey.indexOf("/"))}/${name}`;
}

/** To be written: the first order makes a SKU's own. */
function tradeOf(sku: SkuState): Trade {
  if (sku.trade === NO_TRADE) sku.trade = noTrade();
  return sku.trade;
}

/** The only ways to write these maps: the first write makes a SKU's own. */
export function boughtToChange(sku: SkuState): Map<string, number> {
  const trade = tradeOf(sku);
  if (trade.bought === NONE) trade.bought = new Map();
  return trade.bought as Map<string, number>;
}

export function ordersToChange(sku: SkuState): Map<string, OrderEffect> {
  const trade = tradeOf(sku);
  if (trade.orders === NONE) trade.orders = new Map();
  return trade.orders as Map<string, OrderEffect>;
}

export function availableOf({ rules, sold, held }: SkuState): number {
  return rules.released - sold - held;
}
