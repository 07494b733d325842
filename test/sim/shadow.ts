// What the journal says happened, kept apart from the code that is judged: each SKU as plain facts
// with the time from which they were true, so that any answer can be held against any moment.

import type { Configured, StockEvent } from "../../src/core/stock/event.ts";

/** Thrown by every check: the run stops here. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

export function expectThat(isTrue: boolean, invariant: string, detail: () => string): void {
  if (!isTrue) throw new Violation(invariant, detail());
}

/** Things that were true one after the other, each from its time on. */
export class Timeline<T> {
  readonly #facts: { readonly fromMs: number; readonly fact: T }[];

  constructor(first: T) {
    this.#facts = [{ fromMs: Number.NEGATIVE_INFINITY, fact: first }];
  }

  get last(): T {
    return this.#facts[this.#facts.length - 1]!.fact;
  }

  add(fromMs: number, fact: T): void {
    this.#facts.push({ fromMs, fact });
  }

  /** Was it true at some moment from `fromMs` until now? */
  some(fromMs: number, isSo: (fact: T) => boolean): boolean {
    for (let index = this.#facts.length - 1; index >= 0; index--) {
      const { fromMs: sinceMs, fact } = this.#facts[index]!;
      if (isSo(fact)) return true;
      if (sinceMs < fromMs) return false;
    }
    return false;
  }
}

export type SkuFact = {
  readonly version: number;
  readonly rules: Configured | null;
  readonly held: number;
  readonly sold: number;
};
export type HoldFact = {
  readonly number: number;
  readonly quantity: number;
  readonly priceMinor: number;
  readonly deadlineMs: number;
  readonly orderId: string | null;
  readonly wasPinned: boolean;
} | null;
export type UnitsFact = { readonly held: number; readonly bought: number };
export type OrderFact = {
  readonly state: "sold" | "refused" | "returned" | "unpinned";
  readonly shopper: string;
  readonly quantity: number;
} | null;

export class ShadowSku {
  readonly key: string;
  readonly facts = new Timeline<SkuFact>({ version: 0, rules: null, held: 0, sold: 0 });
  readonly holds = new Map<string, Timeline<HoldFact>>();
  readonly units = new Map<string, Timeline<UnitsFact>>();
  readonly orders = new Map<string, Timeline<OrderFact>>();
  group: ShadowGroup | null = null;
  holdCount = 0;

  constructor(key: string) {
    this.key = key;
  }

  get available(): number {
    const { rules, held, sold } = this.facts.last;
    return (rules?.released ?? 0) - held - sold;
  }

  holdOf(shopper: string): Timeline<HoldFact> {
    return timelineOf<HoldFact>(this.holds, shopper, null);
  }

  unitsOf(shopper: string): Timeline<UnitsFact> {
    return timelineOf<UnitsFact>(this.units, shopper, { held: 0, bought: 0 });
  }

  orderOf(orderId: string): Timeline<OrderFact> {
    return timelineOf<OrderFact>(this.orders, orderId, null);
  }
}

export class ShadowGroup {
  version = 0;
  limit = 0;
  readonly units = new Map<string, Timeline<UnitsFact>>();

  unitsOf(shopper: string): Timeline<UnitsFact> {
    return timelineOf<UnitsFact>(this.units, shopper, { held: 0, bought: 0 });
  }
}

function timelineOf<T>(map: Map<string, Timeline<T>>, key: string, first: T): Timeline<T> {
  let timeline = map.get(key);
  if (timeline === undefined) {
    timeline = new Timeline<T>(first);
    map.set(key, timeline);
  }
  return timeline;
}

/** All SKUs; `apply` checks I1, I4, I5, I7 of every event as it is committed. */
export class Shadow {
  readonly skus = new Map<string, ShadowSku>();
  readonly #groups = new Map<string, ShadowGroup>();

  sku(key: string): ShadowSku {
    let sku = this.skus.get(key);
    if (sku === undefined) {
      sku = new ShadowSku(key);
      this.skus.set(key, sku);
    }
    return sku;
  }

  /** `nowMs` is simulated, `batchAtMs` and `storeMs` wall time: the decider's and the store's. */
  apply(request: {
    readonly key: string;
    readonly event: StockEvent;
    readonly nowMs: number;
    readonly batchAtMs: number;
  }): void {
    const { key, event, nowMs } = request;
    const sku = this.sku(key);
    this.#applyTo(sku, event, request);
    const { held, sold, rules } = sku.facts.last;
    const released = rules?.released ?? 0;
    expectThat(held >= 0 && sold >= 0 && held + sold <= released, "I1", () => {
      return `${key}: ${held} held + ${sold} sold of ${released} at ${nowMs}`;
    });
  }

  #applyTo(
    sku: ShadowSku,
    event: StockEvent,
    at: { readonly nowMs: number; readonly batchAtMs: number },
  ): void {
    const { nowMs } = at;
    switch (event.kind) {
      case "archived":
        return expectThat(sku.facts.last.held === 0, "I5", () => `${sku.key}: archived with holds`);
      case "configured":
        return this.#configure(sku, event, nowMs);
      case "held": {
        const timeline = sku.holdOf(event.shopper);
        expectThat(timeline.last === null, "I4", () => `${sku.key}: a second hold of one shopper`);
        expectThat(event.number > sku.holdCount, "I4", () => `${sku.key}: hold number used twice`);
        sku.holdCount = event.number;
        const { number, quantity, priceMinor, deadlineMs } = event;
        const hold = { number, quantity, priceMinor, deadlineMs, orderId: null, wasPinned: false };
        timeline.add(nowMs, hold);
        this.#count(sku, event.shopper, { held: quantity, bought: 0 }, nowMs);
        return this.#checkLimits(sku, event.shopper);
      }
      case "changed": {
        const hold = holdIn(sku, event.shopper);
        expectThat(hold.orderId === null, "I4", () => `${sku.key}: a paying hold was changed`);
        sku.holdOf(event.shopper).add(nowMs, { ...hold, quantity: event.quantity });
        const more = event.quantity - hold.quantity;
        this.#count(sku, event.shopper, { held: more, bought: 0 }, nowMs);
        if (more > 0) this.#checkLimits(sku, event.shopper);
        return;
      }
      case "given_back":
      case "lapsed":
        return this.#endHold(sku, event, at);
      case "pinned": {
        const hold = holdIn(sku, event.shopper);
        expectThat(hold.orderId === null, "I4", () => `${sku.key}: pinned by two orders`);
        const isMoved = event.deadlineMs !== hold.deadlineMs;
        expectThat(!isMoved || !hold.wasPinned, "S3", () => `${sku.key}: a deadline moved twice`);
        const { orderId, deadlineMs } = event;
        sku.holdOf(event.shopper).add(nowMs, { ...hold, orderId, deadlineMs, wasPinned: true });
        return;
      }
      default:
        return this.#ofOrder(sku, event, nowMs);
    }
  }

  #configure(sku: ShadowSku, event: Configured, nowMs: number): void {
    const { last } = sku.facts;
    expectThat(event.version > last.version, "I4", () => `${sku.key}: a version went back`);
    sku.facts.add(nowMs, { ...last, version: event.version, rules: event });
    if (event.group === null) return;
    const key = `${sku.key.slice(0, sku.key.indexOf("/"))}/${event.group}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new ShadowGroup();
      this.#groups.set(key, group);
    }
    sku.group = group;
    if (event.version > group.version) {
      group.version = event.version;
      group.limit = event.groupLimit;
    }
  }

  #endHold(
    sku: ShadowSku,
    event: Extract<StockEvent, { kind: "given_back" | "lapsed" }>,
    at: { readonly nowMs: number; readonly batchAtMs: number },
  ): void {
    const hold = holdIn(sku, event.shopper);
    if (event.kind === "given_back") {
      expectThat(hold.orderId === null, "I4", () => `${sku.key}: a paying hold was given back`);
    } else {
      expectThat(at.batchAtMs >= hold.deadlineMs, "I8", () => {
        return `${sku.key}: a hold lapsed ${hold.deadlineMs - at.batchAtMs} ms early`;
      });
    }
    sku.holdOf(event.shopper).add(at.nowMs, null);
    this.#count(sku, event.shopper, { held: -hold.quantity, bought: 0 }, at.nowMs);
  }

  #ofOrder(
    sku: ShadowSku,
    event: Extract<StockEvent, { kind: "unpinned" | "confirmed" | "refused" | "returned" }>,
    nowMs: number,
  ): void {
    const { orderId } = event;
    const order = sku.orderOf(orderId);
    const before = order.last;
    const wrong = (why: string) => () => `${sku.key}: order ${orderId} ${why}`;
    if (event.kind === "returned") {
      expectThat(before?.state === "sold", "I4", wrong("was returned but not sold"));
      order.add(nowMs, { ...before!, state: "returned" });
      const units = { held: 0, bought: -before!.quantity };
      return this.#count(sku, before!.shopper, units, nowMs);
    }
    const isOpen = before === null || before.state === "unpinned";
    expectThat(isOpen, "I4", wrong(`was ${before?.state} and then ${event.kind}`));
    const { shopper } = event;
    const hold = sku.holdOf(shopper).last;
    if (event.kind === "confirmed") {
      const { quantity, fromPin } = event;
      if (fromPin) {
        const isIts = hold?.orderId === orderId && hold.quantity === quantity;
        expectThat(isIts, "I4", wrong("was sold from a hold that is not its"));
        sku.holdOf(shopper).add(nowMs, null);
      }
      order.add(nowMs, { state: "sold", shopper, quantity });
      this.#count(sku, shopper, { held: fromPin ? -quantity : 0, bought: quantity }, nowMs);
      if (!fromPin) this.#checkLimits(sku, shopper);
      return;
    }
    if (hold?.orderId === orderId) sku.holdOf(shopper).add(nowMs, { ...hold, orderId: null });
    const quantity = event.kind === "refused" ? event.quantity : 0;
    order.add(nowMs, { state: event.kind, shopper, quantity });
  }

  #count(sku: ShadowSku, shopper: string, more: UnitsFact, nowMs: number): void {
    const { last } = sku.facts;
    sku.facts.add(nowMs, {
      ...last,
      held: last.held + more.held,
      sold: last.sold + more.bought,
    });
    for (const place of [sku, sku.group]) {
      if (place === null) continue;
      const units = place.unitsOf(shopper);
      const held = units.last.held + more.held;
      units.add(nowMs, { held, bought: units.last.bought + more.bought });
    }
  }

  /** I7, whenever somebody gets more. */
  #checkLimits(sku: ShadowSku, shopper: string): void {
    const own = sku.unitsOf(shopper).last;
    const limit = sku.facts.last.rules?.limit ?? 0;
    expectThat(own.held + own.bought <= limit, "I7", () => {
      return `${sku.key}: a shopper has ${own.held} + ${own.bought}, the limit is ${limit}`;
    });
    if (sku.group === null) return;
    const all = sku.group.unitsOf(shopper).last;
    const groupLimit = sku.group.limit;
    expectThat(all.held + all.bought <= groupLimit, "I7", () => {
      return `${sku.key}: its group has ${all.held} + ${all.bought}, the limit is ${groupLimit}`;
    });
  }
}

function holdIn(sku: ShadowSku, shopper: string): NonNullable<HoldFact> {
  const hold = sku.holdOf(shopper).last;
  expectThat(hold !== null, "I4", () => `${sku.key}: an event of a hold that is not there`);
  return hold!;
}
