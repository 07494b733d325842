// The ledger's rows as what was true when: every state of every SKU, with its time.
//
// Written anew and not by core/stock's apply, so that a mistake there is not repeated here.

import { decodeBatch } from "../../src/core/stock/codec.ts";
import type { StockEvent } from "../../src/core/stock/event.ts";

export type LedgerRow = {
  readonly partition: number;
  readonly seq: number;
  readonly claim: number;
  readonly atMs: number;
  readonly bytes: string;
};

export type Mine = {
  readonly number: number;
  readonly quantity: number;
  readonly deadlineMs: number;
  readonly isPaying: boolean;
};

/** What a shopper had of a SKU, from one event on. */
export type ShopperState = {
  readonly atMs: number;
  /** Infinity: to the end. */
  untilMs: number;
  readonly event: StockEvent | null;
  readonly hold: Mine | null;
  readonly bought: number;
};

/** What was free of a SKU, from one event on. */
export type SkuMoment = {
  readonly atMs: number;
  untilMs: number;
  readonly available: number;
  readonly held: number;
  readonly limit: number;
  readonly phase: string;
};

export type SkuTimeline = {
  readonly moments: SkuMoment[];
  readonly shoppers: Map<string, ShopperState[]>;
  /** Order id → what was last done of it. */
  readonly orders: Map<string, { shopper: string; quantity: number; state: string }>;
};

type Counts = {
  released: number;
  sold: number;
  held: number;
  limit: number;
  phase: string;
  group: string | null;
  groupLimit: number;
};

export type Replayed = {
  readonly skus: ReadonlyMap<string, SkuTimeline>;
  readonly violations: readonly string[];
};

const ABSENT: ShopperState = {
  atMs: Number.NEGATIVE_INFINITY,
  untilMs: Number.POSITIVE_INFINITY,
  event: null,
  hold: null,
  bought: 0,
};

/**
 * I3: seqs from 1 without a gap; claims and times never go back. I1, I7: after every single event
 * nothing is oversold and no shopper above the limits.
 */
export function replay(rows: readonly LedgerRow[]): Replayed {
  const replayer = new Replayer();
  const last = new Map<number, LedgerRow>();
  const ordered = [...rows].sort(
    (left, right) => left.partition - right.partition || left.seq - right.seq,
  );
  for (const row of ordered) {
    const before = last.get(row.partition);
    last.set(row.partition, row);
    replayer.checkChain(row, before);
    const { atMs, skuKeys, events } = decodeBatch(row.bytes);
    for (const { skuIndex, event } of events) replayer.take(skuKeys[skuIndex]!, event, atMs);
  }
  return { skus: replayer.skus, violations: replayer.violations };
}

class Replayer {
  readonly skus = new Map<string, SkuTimeline>();
  readonly violations: string[] = [];
  readonly #counts = new Map<string, Counts>();
  /** `group shopper` → units. */
  readonly #groups = new Map<string, number>();

  checkChain(row: LedgerRow, before: LedgerRow | undefined): void {
    const where = `p${row.partition} seq ${row.seq}`;
    if (row.seq !== (before?.seq ?? 0) + 1) this.#say(`${where}: follows ${before?.seq ?? 0}`);
    if (before === undefined) return;
    if (row.claim < before.claim) this.#say(`${where}: claim ${row.claim} after ${before.claim}`);
    if (row.atMs < before.atMs) this.#say(`${where}: time goes back`);
  }

  take(skuKey: string, event: StockEvent, atMs: number): void {
    const line = this.#lineOf(skuKey);
    const counts = this.#countsOf(skuKey);
    if (event.kind === "configured") {
      const { released, limit, phase, group, groupLimit } = event;
      Object.assign(counts, { released, limit, phase, group, groupLimit });
    } else if (event.kind !== "archived") {
      this.#takeOfShopper(skuKey, line, counts, event, atMs);
    }
    const last = line.moments.at(-1);
    if (last !== undefined) last.untilMs = atMs;
    const { released, sold, held, limit, phase } = counts;
    const available = released - sold - held;
    if (available < 0) this.#say(`${skuKey}: oversold by ${-available} at ${atMs}`);
    const untilMs = Number.POSITIVE_INFINITY;
    line.moments.push({ atMs, untilMs, available, held, limit, phase });
  }

  #takeOfShopper(
    skuKey: string,
    line: SkuTimeline,
    counts: Counts,
    event: Exclude<StockEvent, { kind: "configured" | "archived" }>,
    atMs: number,
  ): void {
    const shopper =
      event.kind === "returned" ? line.orders.get(event.orderId)?.shopper : event.shopper;
    if (shopper === undefined) return this.#say(`${skuKey}: ${event.kind} of an unknown order`);
    const states = line.shoppers.get(shopper) ?? [ABSENT];
    line.shoppers.set(shopper, states);
    const before = states.at(-1)!;
    const after = this.#after(skuKey, line, event, before, atMs);
    if (states.length > 1) before.untilMs = atMs;
    else states[0] = { ...ABSENT, untilMs: atMs };
    states.push({ ...after, atMs, untilMs: Number.POSITIVE_INFINITY, event });
    const heldMore = (after.hold?.quantity ?? 0) - (before.hold?.quantity ?? 0);
    const boughtMore = after.bought - before.bought;
    counts.held += heldMore;
    counts.sold += boughtMore;
    const mine = (after.hold?.quantity ?? 0) + after.bought;
    const grew = heldMore + boughtMore;
    if (grew > 0 && mine > counts.limit) this.#say(`${skuKey}: ${shopper} has ${mine}`);
    if (counts.group === null) return;
    const groupKey = `${skuKey.split("/")[0]}/${counts.group} ${shopper}`;
    const inGroup = (this.#groups.get(groupKey) ?? 0) + grew;
    this.#groups.set(groupKey, inGroup);
    if (grew > 0 && inGroup > counts.groupLimit) this.#say(`${groupKey} has ${inGroup}`);
  }

  #after(
    skuKey: string,
    { orders }: SkuTimeline,
    event: Exclude<StockEvent, { kind: "configured" | "archived" }>,
    { hold, bought }: ShopperState,
    atMs: number,
  ): Pick<ShopperState, "hold" | "bought"> {
    const need = (isRight: boolean, what: string): void => {
      if (!isRight) this.#say(`${skuKey}: ${event.kind}, but ${what}, at ${atMs}`);
    };
    switch (event.kind) {
      case "held": {
        need(hold === null, "there is a hold");
        const { number, quantity, deadlineMs } = event;
        return { hold: { number, quantity, deadlineMs, isPaying: false }, bought };
      }
      case "changed":
        need(hold !== null, "there is no hold");
        return { hold: hold === null ? null : { ...hold, quantity: event.quantity }, bought };
      case "given_back":
      case "lapsed":
        need(hold !== null && !hold.isPaying, "there is no open hold");
        if (event.kind === "lapsed") need(atMs >= (hold?.deadlineMs ?? 0), "it is early");
        return { hold: null, bought };
      case "pinned":
        need(hold !== null && !hold.isPaying, "there is no open hold");
        if (hold === null) return { hold, bought };
        return { hold: { ...hold, isPaying: true, deadlineMs: event.deadlineMs }, bought };
      case "unpinned":
        return { hold: hold === null ? null : { ...hold, isPaying: false }, bought };
      case "confirmed": {
        const { orderId, shopper, quantity, fromPin } = event;
        need(orders.get(orderId) === undefined, "the order was here before");
        orders.set(orderId, { shopper, quantity, state: "sold" });
        if (fromPin) need(hold?.isPaying === true && hold.quantity === quantity, "no pin of it");
        return { hold: fromPin ? null : hold, bought: bought + quantity };
      }
      case "refused":
        need(orders.get(event.orderId) === undefined, "the order was here before");
        orders.set(event.orderId, { ...event, state: "refused" });
        return { hold, bought };
      default: {
        const order = orders.get(event.orderId);
        need(order?.state === "sold", "the order is not sold");
        if (order === undefined) return { hold, bought };
        order.state = "returned";
        return { hold, bought: bought - order.quantity };
      }
    }
  }

  #lineOf(skuKey: string): SkuTimeline {
    let line = this.skus.get(skuKey);
    if (line === undefined) {
      line = { moments: [], shoppers: new Map(), orders: new Map() };
      this.skus.set(skuKey, line);
    }
    return line;
  }

  #countsOf(skuKey: string): Counts {
    let counts = this.#counts.get(skuKey);
    if (counts === undefined) {
      const nothing = { released: 0, sold: 0, held: 0, limit: 0, groupLimit: 0 };
      counts = { ...nothing, phase: "live", group: null };
      this.#counts.set(skuKey, counts);
    }
    return counts;
  }

  #say(what: string): void {
    this.violations.push(what);
  }
}
