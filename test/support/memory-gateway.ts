// A payment gateway in memory: one charge an order, its answers final, as the port says. Tests move
// its pending charges by hand and read its book.

import { assert } from "../../src/core/assert.ts";
import type { Charge, ChargeState, PaymentGateway } from "../../src/core/ports/payments.ts";

type Entry = {
  state: "paid" | "declined" | "pending" | "voided";
  amount: number;
  refunded: number;
};

/** Tokens: `tok_ok`, `tok_declined`, `tok_pending` (waits for `pay`); any other is declined. */
export class MemoryGateway implements PaymentGateway {
  readonly #book = new Map<string, Entry>();
  readonly #waiting: (() => void)[] = [];
  /** Calls that asked for money. */
  chargeCalls = 0;

  async charge({ orderId, amountMinor, token }: Charge): Promise<ChargeState> {
    this.chargeCalls++;
    const known = this.#book.get(orderId);
    if (known === undefined) {
      const state = STATE_OF_TOKEN[token] ?? "declined";
      this.#book.set(orderId, { state, amount: amountMinor, refunded: 0 });
    } else {
      assert(known.state === "voided" || known.amount === amountMinor, "one amount an order");
    }
    for (const wake of this.#waiting.splice(0)) wake();
    return this.#stateOf(orderId);
  }

  async inquire(orderId: string): Promise<ChargeState> {
    return this.#stateOf(orderId);
  }

  async void(orderId: string): Promise<ChargeState> {
    const entry = this.#book.get(orderId);
    if (entry === undefined) this.#book.set(orderId, { state: "voided", amount: 0, refunded: 0 });
    else if (entry.state === "pending") entry.state = "voided";
    return this.#stateOf(orderId);
  }

  async refund(orderId: string): Promise<ChargeState> {
    const entry = this.#book.get(orderId);
    if (entry?.state === "paid") entry.refunded = entry.amount;
    return this.#stateOf(orderId);
  }

  /** Late money: a pending charge is paid now. False when it is not pending any more. */
  pay(orderId: string): boolean {
    const entry = this.#book.get(orderId);
    if (entry?.state !== "pending") return false;
    entry.state = "paid";
    return true;
  }

  /** Settles at the next charge. */
  nextCharge(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }

  /** What it kept of an order: charged less refunded. */
  keptOf(orderId: string): number {
    const entry = this.#book.get(orderId);
    return entry?.state === "paid" ? entry.amount - entry.refunded : 0;
  }

  get orderIds(): readonly string[] {
    return [...this.#book.keys()];
  }

  /** Orders that money was taken for, refunded or not. */
  get paidCount(): number {
    return [...this.#book.values()].filter(({ state }) => state === "paid").length;
  }

  #stateOf(orderId: string): ChargeState {
    const entry = this.#book.get(orderId);
    if (entry === undefined) return { kind: "not_found" };
    const { state, amount, refunded } = entry;
    return state === "paid"
      ? { kind: "paid", amountMinor: amount, refundedMinor: refunded }
      : { kind: state };
  }
}

const STATE_OF_TOKEN: Readonly<Record<string, Entry["state"]>> = {
  tok_ok: "paid",
  tok_declined: "declined",
  tok_pending: "pending",
};
