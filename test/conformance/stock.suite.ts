// What everybody who asks the `Stock` port may rely on, wherever the owners are.

import { describe, expect, test } from "bun:test";

import type { SkuRef, Stock } from "../../src/core/ports/stock.ts";
import type { Configure } from "../../src/core/stock/command.ts";
import { rulesOf } from "../support/actors.ts";

export type StockWorld = {
  readonly stock: Stock;
  /** Two SKUs in partitions that, in a cluster, belong to different nodes, neither of them ours. */
  readonly one: SkuRef;
  readonly other: SkuRef;
  /** Lets everything run that waits, then hands the answer on. */
  readonly told: <T>(asked: Promise<T>) => Promise<T>;
  readonly pass: (passedMs: number) => Promise<void>;
};

export function stockSuite(name: string, start: () => Promise<StockWorld>): void {
  async function opened(rules: Partial<Configure> = {}): Promise<StockWorld> {
    const world = await start();
    for (const sku of [world.one, world.other]) {
      const outcome = await world.told(world.stock.ask(sku, rulesOf(rules)));
      expect(outcome).toEqual({ kind: "configured" });
    }
    return world;
  }

  describe(`Stock on ${name}`, () => {
    test("a hold is granted once, and a repeat hears the same hold", async () => {
      const { stock, one, told } = await opened();
      const command = { kind: "hold", shopper: "s1", quantity: 2 } as const;
      const first = await told(stock.ask(one, command));
      expect(first).toMatchObject({ kind: "held", isNew: true, hold: { quantity: 2 } });
      const again = await told(stock.ask(one, command));
      expect(again).toEqual({ ...first, isNew: false } as typeof again);
    });

    test("every outcome of a hold comes through whole", async () => {
      const { stock, one, told } = await opened({ released: 4, limit: 3 });
      const hold = (shopper: string, quantity: number) =>
        told(stock.ask(one, { kind: "hold", shopper, quantity }));
      await hold("s1", 3);
      expect(await hold("s1", 4)).toEqual({ kind: "limit_reached", limit: 3, held: 3, bought: 0 });
      expect(await hold("s2", 2)).toEqual({ kind: "too_few", available: 1 });
      await hold("s3", 1);
      expect(await hold("s2", 1)).toEqual({ kind: "all_held" });
      const unknown = { key: "sale/never", partition: one.partition };
      expect(await told(stock.ask(unknown, { kind: "give_back", shopper: "s1" }))).toEqual({
        kind: "unknown_sku",
      });
    });

    test("an order's way: pin, confirm, return, and each remembered", async () => {
      const { stock, one, told } = await opened();
      const of = { shopper: "s1", orderId: `ord_${"0".repeat(34)}` };
      await told(stock.ask(one, { kind: "hold", shopper: "s1", quantity: 1 }));
      const pin = { kind: "pin", ...of, quantity: 1, priceMinor: 100 } as const;
      expect(await told(stock.ask(one, pin))).toMatchObject({ kind: "pinned" });
      const confirm = { kind: "confirm", ...of, quantity: 1 } as const;
      expect(await told(stock.ask(one, confirm))).toEqual({ kind: "sold" });
      expect(await told(stock.ask(one, { kind: "unpin", ...of }))).toEqual({ kind: "sold" });
      const back = { kind: "return", ...of, quantity: 1 } as const;
      expect(await told(stock.ask(one, back))).toEqual({ kind: "returned" });
      expect(await told(stock.ask(one, confirm))).toEqual({ kind: "returned" });
    });

    test("a change at an old version and one below what is held are refused", async () => {
      const { stock, one, told } = await opened();
      await told(stock.ask(one, { kind: "hold", shopper: "s1", quantity: 4 }));
      expect(await told(stock.ask(one, rulesOf()))).toEqual({ kind: "unchanged", version: 1 });
      const fewer = rulesOf({ version: 2, released: 3 });
      expect(await told(stock.ask(one, fewer))).toEqual({ kind: "below_committed", minimum: 4 });
    });

    test("a hundred at once get exactly the stock (I1)", async () => {
      const { stock, one, told } = await opened({ released: 30, limit: 1 });
      const asked = Array.from({ length: 100 }, (_, index) =>
        stock.ask(one, { kind: "hold", shopper: `s${index}`, quantity: 1 }),
      );
      const outcomes = await told(Promise.all(asked));
      expect(outcomes.filter(({ kind }) => kind === "held").length).toBe(30);
      const [counts] = await told(stock.counts([one]));
      expect(counts).toEqual({
        skuKey: one.key,
        released: 30,
        available: 0,
        held: 30,
        paying: 0,
        sold: 0,
      });
    });

    test("the cart has the live holds of all owners, and only those", async () => {
      const { stock, one, other, told, pass } = await opened();
      await told(stock.ask(one, { kind: "hold", shopper: "s1", quantity: 1 }));
      await pass(30_000);
      await told(stock.ask(other, { kind: "hold", shopper: "s1", quantity: 2 }));
      await told(stock.ask(other, { kind: "hold", shopper: "s2", quantity: 1 }));
      const cart = await told(stock.cart("s1"));
      expect(cart.complete).toBe(true);
      const held = cart.holds.map(({ skuKey, hold }) => `${hold.quantity} of ${skuKey}`);
      expect(held.sort()).toEqual([`1 of ${one.key}`, `2 of ${other.key}`].sort());
      await pass(31_000);
      const later = await told(stock.cart("s1"));
      expect(later.holds.map(({ skuKey }) => skuKey)).toEqual([other.key]);
    });

    test("counts come in the order of the question, null for what nobody knows", async () => {
      const { stock, one, other, told } = await opened();
      const never = { key: "sale/never", partition: one.partition };
      const counts = await told(stock.counts([other, never, one]));
      expect(counts.map((count) => count?.skuKey ?? null)).toEqual([other.key, null, one.key]);
    });

    test("early refusals are null or what the owner would say", async () => {
      const { stock, one, told } = await opened({ released: 0 });
      const outcome = await told(stock.ask(one, { kind: "hold", shopper: "s1", quantity: 1 }));
      expect(outcome).toEqual({ kind: "sold_out" });
      expect([null, "sold_out"]).toContain(stock.refuseEarly(one)?.kind ?? null);
    });
  });
}
