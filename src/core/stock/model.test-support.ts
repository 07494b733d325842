// A second opinion of what a SKU is: lists and sums, no counters, nothing incremental. Slow, and
// written from the specification alone, so that it is wrong in other ways than the code it judges.

import { assert } from "../assert.ts";
import type { Command, Configure, Outcome } from "./command.ts";

type ModelHold = {
  shopper: string;
  number: number;
  quantity: number;
  priceMinor: number;
  deadlineMs: number;
  orderId: string | null;
  wasPinned: boolean;
};
type ModelSku = {
  rules: Configure;
  holdCount: number;
  holds: ModelHold[];
  orders: { orderId: string; shopper: string; quantity: number; state: string }[];
};

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

export class StockModel {
  readonly #skus = new Map<string, ModelSku>();
  readonly #groupLimits = new Map<string, { version: number; limit: number }>();

  decide(key: string, command: Command, nowMs: number): Outcome {
    this.#lapse(nowMs);
    if (command.kind === "configure") return this.#configure(key, command);
    const sku = this.#skus.get(key);
    if (sku === undefined) return { kind: "unknown_sku" };
    const { shopper } = command;
    const mine = sku.holds.find((hold) => hold.shopper === shopper);
    switch (command.kind) {
      case "hold":
        return this.#hold(sku, mine, shopper, command.quantity, nowMs);
      case "give_back":
        if (mine !== undefined && mine.orderId !== null) return { kind: "in_checkout" };
        sku.holds = sku.holds.filter((hold) => hold !== mine);
        return { kind: "given_back" };
      default:
        return this.#ofOrder(sku, mine, command, nowMs);
    }
  }

  summary(): Record<string, unknown> {
    const summary: Record<string, unknown> = {};
    for (const [key, sku] of this.#skus) {
      const paying = sum(sku.holds.filter((h) => h.orderId !== null).map((h) => h.quantity));
      summary[key] = {
        released: sku.rules.released,
        sold: soldOf(sku),
        held: heldOf(sku),
        paying,
        available: sku.rules.released - soldOf(sku) - heldOf(sku),
      };
    }
    return summary;
  }

  /** I1 and I7 in the model itself, so that agreeing with it means something. */
  check(): void {
    for (const sku of this.#skus.values()) {
      assert(soldOf(sku) + heldOf(sku) <= sku.rules.released, "I1 in the model");
      const shoppers = new Set(sku.holds.map((hold) => hold.shopper));
      assert(shoppers.size === sku.holds.length, "one hold a shopper and SKU");
    }
  }

  #lapse(nowMs: number): void {
    for (const sku of this.#skus.values()) {
      sku.holds = sku.holds.filter((hold) => hold.deadlineMs > nowMs);
    }
  }

  #configure(key: string, command: Configure): Outcome {
    const sku = this.#skus.get(key);
    if (sku === undefined) {
      this.#skus.set(key, {
        rules: command,
        holdCount: 0,
        holds: [],
        orders: [],
      });
    } else {
      if (command.version <= sku.rules.version) {
        return { kind: "unchanged", version: sku.rules.version };
      }
      const minimum = soldOf(sku) + heldOf(sku);
      if (command.released < minimum) return { kind: "below_committed", minimum };
      sku.rules = command;
    }
    const { group, groupLimit, version } = command;
    if (group !== null && version > (this.#groupLimits.get(group)?.version ?? 0)) {
      this.#groupLimits.set(group, { version, limit: groupLimit });
    }
    return { kind: "configured" };
  }

  #hold(
    sku: ModelSku,
    mine: ModelHold | undefined,
    shopper: string,
    quantity: number,
    nowMs: number,
  ): Outcome {
    if (mine !== undefined && mine.orderId !== null && quantity !== mine.quantity) {
      return { kind: "in_checkout" };
    }
    if (mine !== undefined && quantity <= mine.quantity) {
      mine.quantity = quantity;
      return { kind: "held", isNew: false, hold: view(mine) };
    }
    const { startsAtMs, endsAtMs, phase } = sku.rules;
    if (nowMs < startsAtMs) return { kind: "not_open" };
    if (phase === "paused") return { kind: "paused" };
    if (phase === "ended" || (phase === "live" && nowMs >= endsAtMs)) return { kind: "ended" };
    if (phase === "cancelled") return { kind: "cancelled" };
    const more = quantity - (mine?.quantity ?? 0);
    const limited = this.#limited(sku, shopper, more);
    if (limited !== null) return limited;
    const free = sku.rules.released - soldOf(sku) - heldOf(sku);
    if (free === 0) return heldOf(sku) > 0 ? { kind: "all_held" } : { kind: "sold_out" };
    if (more > free) return { kind: "too_few", available: free };
    if (mine !== undefined) {
      mine.quantity = quantity;
      return { kind: "held", isNew: false, hold: view(mine) };
    }
    const hold: ModelHold = {
      shopper,
      number: ++sku.holdCount,
      quantity,
      priceMinor: sku.rules.priceMinor,
      deadlineMs: nowMs + sku.rules.holdMs,
      orderId: null,
      wasPinned: false,
    };
    sku.holds.push(hold);
    return { kind: "held", isNew: true, hold: view(hold) };
  }

  #ofOrder(
    sku: ModelSku,
    mine: ModelHold | undefined,
    command: Exclude<Command, { kind: "configure" | "hold" | "give_back" }>,
    nowMs: number,
  ): Outcome {
    const { orderId, shopper } = command;
    const known = sku.orders.find((order) => order.orderId === orderId);
    const record = (quantity: number, state: string): void => {
      sku.orders = sku.orders.filter((order) => order.orderId !== orderId);
      sku.orders.push({ orderId, shopper, quantity, state });
    };
    const isPinned = mine?.orderId === orderId;
    if (command.kind === "pin") {
      if (known?.state === "sold") return { kind: "pinned", deadlineMs: nowMs };
      if (known !== undefined || mine === undefined) return { kind: "hold_lapsed" };
      if (isPinned) return { kind: "pinned", deadlineMs: mine.deadlineMs };
      if (mine.orderId !== null) return { kind: "in_checkout" };
      if (mine.quantity !== command.quantity || mine.priceMinor !== command.priceMinor) {
        return { kind: "hold_changed" };
      }
      mine.orderId = orderId;
      if (!mine.wasPinned) {
        mine.deadlineMs = Math.max(mine.deadlineMs, nowMs + sku.rules.payMs);
      }
      mine.wasPinned = true;
      return { kind: "pinned", deadlineMs: mine.deadlineMs };
    }
    if (command.kind === "unpin") {
      if (known !== undefined) return { kind: known.state } as Outcome;
      if (mine !== undefined && isPinned) mine.orderId = null;
      record(0, "unpinned");
      return { kind: "unpinned" };
    }
    if (command.kind === "confirm") {
      if (known !== undefined && known.state !== "unpinned")
        return { kind: known.state } as Outcome;
      const free = sku.rules.released - soldOf(sku) - heldOf(sku);
      if (isPinned && mine?.quantity === command.quantity) {
        sku.holds = sku.holds.filter((hold) => hold !== mine);
      } else if (
        command.quantity > free ||
        this.#limited(sku, shopper, command.quantity) !== null
      ) {
        if (mine !== undefined && isPinned) mine.orderId = null;
        record(command.quantity, "refused");
        return { kind: "refused" };
      }
      record(command.quantity, "sold");
      return { kind: "sold" };
    }
    if (known?.state === "sold") {
      known.state = "returned";
      return { kind: "returned" };
    }
    if (known?.state === "returned" || known?.state === "refused") {
      return { kind: known.state };
    }
    if (mine !== undefined && isPinned) mine.orderId = null;
    record(command.quantity, "refused");
    return { kind: "refused" };
  }

  #limited(sku: ModelSku, shopper: string, more: number): Outcome | null {
    const held = heldBy(sku, shopper);
    const bought = boughtBy(sku, shopper);
    const { limit, group } = sku.rules;
    if (held + bought + more > limit) return { kind: "limit_reached", limit, held, bought };
    if (group === null) return null;
    const peers = [...this.#skus.values()].filter((peer) => peer.rules.group === group);
    const groupHeld = sum(peers.map((peer) => heldBy(peer, shopper)));
    const groupBought = sum(peers.map((peer) => boughtBy(peer, shopper)));
    const groupLimit = this.#groupLimits.get(group)!.limit;
    if (groupHeld + groupBought + more <= groupLimit) return null;
    return { kind: "limit_reached", limit: groupLimit, held: groupHeld, bought: groupBought };
  }
}

function soldOf(sku: ModelSku): number {
  return sum(sku.orders.filter((o) => o.state === "sold").map((o) => o.quantity));
}

function heldOf(sku: ModelSku): number {
  return sum(sku.holds.map((hold) => hold.quantity));
}

function heldBy(sku: ModelSku, shopper: string): number {
  return sku.holds.find((hold) => hold.shopper === shopper)?.quantity ?? 0;
}

function boughtBy(sku: ModelSku, shopper: string): number {
  const sold = sku.orders.filter((o) => o.state === "sold" && o.shopper === shopper);
  return sum(sold.map((order) => order.quantity));
}

function view(hold: ModelHold) {
  const { number, quantity, priceMinor, deadlineMs, orderId } = hold;
  return { number, quantity, priceMinor, deadlineMs, paying: orderId !== null };
}
