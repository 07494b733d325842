// Buyers: shoppers who act at random and know after each answer what must be true of them.
//
// One buyer does one thing after the other and repeats a request until its answer is definite; so
// whatever dies meanwhile, the buyer's own record is exact: acknowledged = state.

import { expect } from "bun:test";

import { codeOf } from "./history.ts";
import type { Answer } from "./raw-client.ts";
import { holdIn, orderIn, type Shopper } from "./shoppers.ts";
import { until, type World } from "./world.ts";

const CARDS = ["tok_ok", "tok_ok", "tok_event_twice", "tok_declined"] as const;
const NOTHING_FREE = ["sold_out", "all_held", "too_few"];

type Known = {
  readonly holdId: string;
  readonly quantity: number;
  /** Null after a checkout that was declined: its pin may have moved the deadline once. */
  readonly expiresAt: string | null;
};

export type BuyerOptions = {
  readonly shopper: Shopper;
  readonly sale: string;
  readonly sku: string;
  readonly limit: number;
  readonly random: () => number;
  /** Of what a buyer with a hold does; long runs take a small one, or all is sold at once. */
  readonly checkoutShare?: number;
};

export class Buyer {
  readonly shopper: Shopper;
  hold: Known | null = null;
  /** Order id → units, of orders that are paid. */
  readonly paid = new Map<string, number>();
  readonly #options: BuyerOptions;
  #keys = 0;

  constructor(options: BuyerOptions) {
    this.shopper = options.shopper;
    this.#options = options;
  }

  get bought(): number {
    return [...this.paid.values()].reduce((sum, quantity) => sum + quantity, 0);
  }

  async actUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.act();
      await Bun.sleep(Math.floor(this.#options.random() * 20));
    }
  }

  async act(): Promise<void> {
    const dice = this.#options.random();
    if (this.hold === null || dice < 0.2) return this.#setHold(1 + (Math.floor(dice * 1_000) % 3));
    if (dice >= 1 - (this.#options.checkoutShare ?? 0.2)) return this.#checkout();
    if (dice < 0.5) return this.#setHold(this.hold.quantity);
    if (dice < 0.65) return this.#giveBack();
    return this.checkCart();
  }

  async #setHold(quantity: number): Promise<void> {
    const { sale, sku, limit } = this.#options;
    const before = this.hold;
    const answer = await this.shopper.hold(sale, sku, quantity);
    if (answer.status < 300) {
      const { holdId, quantity: heldUnits, expiresAt, state } = holdIn(answer);
      expect({ heldUnits, state }).toEqual({ heldUnits: quantity, state: "open" });
      if (before !== null)
        expect({ status: answer.status, holdId }).toEqual({ status: 200, holdId: before.holdId });
      if (before !== null && before.expiresAt !== null) expect(expiresAt).toBe(before.expiresAt);
      this.hold = { holdId, quantity, expiresAt };
      return;
    }
    const code = codeOf(answer).trim();
    // The same quantity or less is always granted; nothing that this buyer has was taken away.
    expect(quantity > (before?.quantity ?? 0), `${code} for ${quantity}`).toBe(true);
    if (code === "limit_reached") expect(this.bought + quantity).toBeGreaterThan(limit);
    else expect(NOTHING_FREE).toContain(code);
  }

  async #giveBack(): Promise<void> {
    const { sale, sku } = this.#options;
    const answer = await this.shopper.giveBack(sale, sku);
    expect(answer.status).toBe(204);
    this.hold = null;
  }

  /** The cart is exactly what was acknowledged. */
  async checkCart(): Promise<void> {
    const cart = await this.#wholeCart();
    const known = this.hold;
    const expected = known === null ? [] : [{ holdId: known.holdId, quantity: known.quantity }];
    expect(cart.map(({ holdId, quantity }) => ({ holdId, quantity }))).toEqual(expected);
  }

  async #wholeCart() {
    for (;;) {
      const { holds, complete } = await this.shopper.cart();
      if (complete) return holds;
      await Bun.sleep(50);
    }
  }

  async #checkout(): Promise<void> {
    const { sale, sku, random } = this.#options;
    const held = this.hold;
    if (held === null) return;
    this.#keys += 1;
    const card = CARDS[Math.floor(random() * CARDS.length)]!;
    const wish = {
      sale,
      lines: [{ sku, quantity: held.quantity }],
      card,
      key: `${this.shopper.id}-${this.#keys}`,
    };
    const answer = await this.shopper.checkout(wish);
    this.#learnOrder(answer, card, held);
    if (answer.status === 402) await this.#openAgain();
    const again = await this.shopper.checkout(wish);
    expect({ status: again.status, order: orderIdIn(again) }).toEqual({
      status: answer.status,
      order: orderIdIn(answer),
    });
  }

  /** At once; behind a fault of a store when the sweeper has looked again, some 10 s at the worst. */
  async #openAgain(): Promise<void> {
    await until("the declined order lets go of its hold", async () => {
      return (await this.#wholeCart())[0]?.state !== "paying";
    });
  }

  #learnOrder(answer: Answer, card: string, held: Known): void {
    const expected = card === "tok_declined" ? 402 : 201;
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: expected });
    if (expected === 402) {
      this.hold = { ...held, expiresAt: null };
      return;
    }
    const { orderId, status } = orderIn(answer);
    expect(status).toBe("paid");
    this.paid.set(orderId, held.quantity);
    this.hold = null;
  }

  /** What the engine says of this buyer is what the buyer was told. */
  async check(): Promise<void> {
    await this.checkCart();
    const orders = await this.shopper.orders();
    const paid = orders.filter(({ status }) => status === "paid").map(({ orderId }) => orderId);
    expect(paid.sort()).toEqual([...this.paid.keys()].sort());
  }
}

function orderIdIn(answer: Answer): string {
  return /"orderId":"(ord_[0-9a-f]+)"/.exec(answer.body)?.[1] ?? "no order";
}

export async function buyersOf(
  world: World,
  options: Omit<BuyerOptions, "shopper"> & { readonly count: number },
): Promise<Buyer[]> {
  const shoppers = await world.shoppers(options.count, "buyer");
  return shoppers.map((shopper) => new Buyer({ ...options, shopper }));
}

/** All buyers act while `work` runs; then each checks itself. Throws what any of them throws. */
export async function whileBuying(
  buyers: readonly Buyer[],
  work: () => Promise<void>,
): Promise<void> {
  let isOver = false;
  const acting = Promise.all(buyers.map((buyer) => buyer.actUntil(() => isOver)));
  const working = work().finally(() => {
    isOver = true;
  });
  // A buyer's failed expectation ends the test at once, not after the work.
  await Promise.race([acting, working]);
  await Promise.all([acting, working]);
  await Promise.all(buyers.map((buyer) => buyer.check()));
}

/** A generator that gives the same numbers for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
