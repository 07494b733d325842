// The checker: what shoppers were told, against the ledger, row for row.
//
//   C1  acknowledged ⊆ state: what a 2xx said was so at a moment between its request and its answer,
//       and one shopper's moments follow each other
//   C2  state ⊆ acknowledged ∪ unknown: every event of a shopper was asked for by that shopper, by a
//       request that was acknowledged or whose outcome is unknown, each request at most once
//   C3  a refusal was true of a moment at most a second before its request (I8)
//   C4  chain, limits, conservation, deadlines: checker-timeline.ts
//   C5  one order a key, and what was said to be paid is sold (I4)
//
// Windows of one SKU are searched exactly: checker-window.ts.

import { type CheckoutOp, opsOf, type SkuOp } from "./checker-ops.ts";
import {
  type LedgerRow,
  replay,
  type ShopperState,
  type SkuMoment,
  type SkuTimeline,
} from "./checker-timeline.ts";
import type { HistoryLine } from "./history.ts";

export type StoredOrder = {
  readonly orderId: string;
  readonly shopper: string;
  readonly key: string;
  readonly status: string;
};

export type Evidence = {
  readonly history: readonly HistoryLine[];
  readonly ledger: readonly LedgerRow[];
  readonly orders: readonly StoredOrder[];
};

/** Partitions' time is Redis' time as a node counts it on: not to the millisecond ours. */
const CLOCKS_APART_MS = 50;
const REFUSAL_AGE_MS = 1_000;

const NEVER: ShopperState = {
  atMs: Number.NEGATIVE_INFINITY,
  untilMs: Number.POSITIVE_INFINITY,
  event: null,
  hold: null,
  bought: 0,
};

/** Everything that is wrong, in words; nothing when all is well. */
export function check({ history, ledger, orders }: Evidence): readonly string[] {
  const { skus, violations } = replay(ledger);
  const ops = opsOf(history, [...skus.keys()]);
  const found = [...violations];
  for (const [name, mine] of groupOf(ops.skus)) {
    const [skuKey = "", shopper = ""] = name.split(" ");
    const states = skus.get(skuKey)?.shoppers.get(shopper) ?? [NEVER];
    found.push(...acknowledged(name, mine, states), ...askedFor(name, mine, states));
  }
  const asked = new Set(ops.skus.map((op) => `${op.skuKey} ${op.shopper}`));
  for (const [skuKey, line] of skus) {
    for (const [shopper, states] of line.shoppers) {
      const name = `${skuKey} ${shopper}`;
      if (!asked.has(name)) found.push(...askedFor(name, [], states));
    }
  }
  for (const op of ops.skus) {
    if (op.said.kind !== "refused" || wasTrue(op, skus.get(op.skuKey))) continue;
    found.push(`${op.skuKey}: ${op.shopper} heard ${op.said.code}, which was never true (C3)`);
  }
  found.push(...checkOrders(ops.checkouts, orders, [...skus.values()]));
  return found;
}

function groupOf(ops: readonly SkuOp[]): ReadonlyMap<string, SkuOp[]> {
  return Map.groupBy(ops, ({ skuKey, shopper }) => `${skuKey} ${shopper}`);
}

/** C1. One shopper does one thing after the other; who gave up waiting began anew. */
function* acknowledged(
  name: string,
  ops: readonly SkuOp[],
  states: readonly ShopperState[],
): Generator<string> {
  let from = 0;
  for (const op of ops) {
    const { said } = op;
    if (said.kind === "unknown" || said.kind === "refused") continue;
    const wanted = said.kind === "given_back" ? null : said.hold;
    let at = from;
    while (at < states.length) {
      const { hold } = states[at]!;
      const isSaid = hold?.number === wanted?.number && hold?.quantity === wanted?.quantity;
      if (isSaid && overlaps(states[at]!, op.startedMs, op.endedMs)) break;
      at += 1;
    }
    if (at < states.length) from = at;
    else yield `${name} heard ${textOf(op)} at ${op.endedMs}, which was never so (C1)`;
  }
}

/** C2. */
function* askedFor(
  name: string,
  ops: readonly SkuOp[],
  states: readonly ShopperState[],
): Generator<string> {
  const used = new Set<SkuOp>();
  for (const { event, atMs, hold } of states) {
    if (event === null) continue;
    const { kind } = event;
    if (kind !== "held" && kind !== "changed" && kind !== "given_back") continue;
    const fits = (op: SkuOp): boolean => {
      if (used.has(op) || op.startedMs - CLOCKS_APART_MS > atMs) return false;
      if (op.kind !== (kind === "given_back" ? "give_back" : "hold")) return false;
      return kind === "given_back" || op.quantity === hold?.quantity;
    };
    const said = (op: SkuOp): boolean => {
      if (op.endedMs + CLOCKS_APART_MS < atMs) return false;
      if (op.said.kind !== "held") return op.said.kind === "given_back";
      return op.said.isNew === (kind === "held") && op.said.hold.number === hold?.number;
    };
    const by =
      ops.find((op) => fits(op) && said(op)) ??
      ops.find((op) => fits(op) && op.said.kind === "unknown");
    if (by === undefined) yield `${name}: nobody asked for ${JSON.stringify(event)} (C2)`;
    else used.add(by);
  }
}

/** C3. */
function wasTrue(op: SkuOp, line: SkuTimeline | undefined): boolean {
  if (op.said.kind !== "refused" || line === undefined) return false;
  const { code, numbers } = op.said;
  const fromMs = op.startedMs - REFUSAL_AGE_MS;
  const states = line.shoppers.get(op.shopper) ?? [NEVER];
  const isMine = (test: (state: ShopperState) => boolean): boolean =>
    during(states, fromMs, op.endedMs).some(test);
  const wasSo = (test: (moment: SkuMoment) => boolean): boolean =>
    during(line.moments, fromMs, op.endedMs).some(test);
  switch (code) {
    case "in_checkout":
      return isMine(({ hold }) => hold?.isPaying === true);
    case "limit_reached":
      return isMine(({ hold, bought }) => {
        const heldUnits = hold?.quantity ?? 0;
        return heldUnits === numbers.held && bought === numbers.bought;
      });
    case "sold_out":
      return wasSo(({ available, held }) => available === 0 && held === 0);
    case "all_held":
      return wasSo(({ available, held }) => available === 0 && held > 0);
    case "too_few":
      return wasSo(({ available }) => available > 0 && available === numbers.available);
    case "paused":
    case "ended":
    case "cancelled":
      return wasSo(({ phase }) => phase === code);
    default:
      return false;
  }
}

/** C5. */
function* checkOrders(
  checkouts: readonly CheckoutOp[],
  orders: readonly StoredOrder[],
  skus: readonly SkuTimeline[],
): Generator<string> {
  const byKey = Map.groupBy(orders, ({ shopper, key }) => `${shopper} ${key}`);
  for (const [name, ofKey] of byKey) {
    if (ofKey.length > 1) yield `${name} has ${ofKey.length} orders (C5)`;
    if (!checkouts.some(({ shopper, key }) => `${shopper} ${key}` === name)) {
      yield `${name}: nobody asked for this order (C5)`;
    }
  }
  const sold = new Set<string>();
  for (const line of skus) {
    for (const [orderId, { state }] of line.orders) if (state === "sold") sold.add(orderId);
  }
  const statuses = new Map(orders.map(({ orderId, status }) => [orderId, status]));
  for (const { shopper, key, status, orderId } of checkouts) {
    if (orderId === null || status === null || status >= 500) continue;
    const stored = byKey.get(`${shopper} ${key}`)?.map((order) => order.orderId) ?? [];
    if (!stored.includes(orderId)) yield `${shopper} ${key} heard of ${orderId}: lost (C5)`;
    const isPaid = statuses.get(orderId) === "paid" && sold.has(orderId);
    if (status === 201 && !isPaid) yield `${shopper} ${key}: ${orderId} is not paid (C5)`;
  }
  for (const [orderId, status] of statuses) {
    if (status === "paid" && !sold.has(orderId)) yield `${orderId} is paid and not sold (C5)`;
  }
  for (const orderId of sold) {
    if (!statuses.has(orderId)) yield `${orderId} is sold and no order (C5)`;
  }
}

/** Those of a line of spans, each beginning where the one before has ended. */
function during<T extends Span>(spans: readonly T[], fromMs: number, toMs: number): readonly T[] {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (spans[middle]!.untilMs + CLOCKS_APART_MS < fromMs) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < spans.length && overlaps(spans[end]!, fromMs, toMs)) end += 1;
  return spans.slice(low, end);
}

type Span = { readonly atMs: number; readonly untilMs: number };

function overlaps(span: Span, fromMs: number, toMs: number): boolean {
  return span.atMs - CLOCKS_APART_MS <= toMs && span.untilMs + CLOCKS_APART_MS >= fromMs;
}

function textOf({ kind, quantity, said }: SkuOp): string {
  return `${kind} ${quantity || ""} → ${JSON.stringify(said)}`;
}
