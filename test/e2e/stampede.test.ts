// Stock 100 and 5,000 shoppers at once, twice: the main job under its main load.

import { afterEach, describe, expect, test } from "bun:test";

import { expectBooksAgree } from "../support/audit.ts";
import { codeOf } from "../support/history.ts";
import { holdIn, type Shopper } from "../support/shoppers.ts";
import { STALL_MS } from "../support/stall.ts";
import { MODES, PRICE_MINOR, startWorld, until, type World } from "../support/world.ts";

const STOCK = 100;
const SHOPPERS = 5_000;
const LIMIT = 2;
const SALE = "stampede";
const SKU = "shoe";
const CARDS = ["tok_ok", "tok_event_twice", "tok_ok", "tok_declined"] as const;

let world: World | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
}, 60_000);

describe.each(MODES)("%s", (mode) => {
  test("I1, I5, I7: a stampede ends with exactly its stock held, and a second one with it sold", async () => {
    world = await startWorld(mode);
    await world.openSale({
      sale: SALE,
      skus: [{ sku: SKU, stock: STOCK, limit: LIMIT }],
      holdFor: "8s",
    });
    const shoppers = await world.shoppers(SHOPPERS);

    const watch = watchStock(world);
    const held = await Promise.all(shoppers.map((shopper) => holdGreedily(shopper)));
    expect(held.reduce((sum, { quantity }) => sum + quantity, 0)).toBe(STOCK);
    expect(await world.counts(SALE)).toMatchObject({ available: 0, held: STOCK, sold: 0 });

    const lastLapseMs = Math.max(...held.map(({ expiresAtMs }) => expiresAtMs));
    const wait = world;
    await until("every hold has lapsed", async () => {
      return (await wait.counts(SALE)).available === STOCK;
    });
    expect(Date.now() - lastLapseMs).toBeLessThan(1_500 + STALL_MS);

    const buyers = shoppers.slice(0, 1_000);
    const bought = await Promise.all(buyers.map((buyer, index) => buyUntilSoldOut(buyer, index)));
    expect(await watch.stop()).toBeGreaterThan(10);
    expect(bought.reduce((sum, quantity) => sum + quantity, 0)).toBe(STOCK);
    expect(await world.counts(SALE)).toMatchObject({ available: 0, held: 0, sold: STOCK });

    const books = await expectBooksAgree(world, SALE);
    const paidMinor = books.charges
      .filter(({ state }) => state === "paid")
      .reduce((sum, { amountMinor, refundedMinor }) => sum + amountMinor - refundedMinor, 0);
    expect(paidMinor).toBe(STOCK * PRICE_MINOR);
    expect(world.history.slowestMs("other")).toBeLessThan(3_500 + STALL_MS);
  }, 120_000);
});

/** Three units, which the limit refuses, then two, then one. */
async function holdGreedily(shopper: Shopper): Promise<{ quantity: number; expiresAtMs: number }> {
  for (const quantity of [3, 2, 1]) {
    const answer = await shopper.hold(SALE, SKU, quantity);
    if (quantity > LIMIT) {
      const refusals = ["limit_reached", "sold_out", "all_held", "too_few"];
      expect(refusals).toContain(codeOf(answer).trim());
    } else if (answer.status === 201) {
      const hold = holdIn(answer);
      return { quantity: hold.quantity, expiresAtMs: Date.parse(hold.expiresAt) };
    }
  }
  return { quantity: 0, expiresAtMs: 0 };
}

/** Holds and pays; a declined card is tried no second time: its units lapse for somebody else. */
async function buyUntilSoldOut(shopper: Shopper, index: number): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    const wanted = attempt % 2 === 0 ? 2 : 1;
    const answer = await shopper.hold(SALE, SKU, wanted);
    const code = codeOf(answer).trim();
    if (code === "sold_out" || code === "limit_reached") return 0;
    if (code !== "") {
      await Bun.sleep(200 + ((index * 37 + attempt * 61) % 300));
      continue;
    }
    const { quantity } = holdIn(answer);
    const card = attempt === 0 ? CARDS[index % CARDS.length]! : "tok_ok";
    const paid = await shopper.checkout({
      sale: SALE,
      lines: [{ sku: SKU, quantity }],
      card,
      key: `key-${shopper.id}-${attempt}`,
    });
    if (paid.status === 201) return quantity;
    if (paid.status !== 402 && paid.status !== 409) throw new Error(paid.body);
    if (paid.status === 402) await shopper.giveBack(SALE, SKU);
  }
}

/** Looks at the report over and over: never more than the stock, and nothing lost. */
function watchStock(watched: World) {
  let looks = 0;
  const state = { isOver: false };
  const run = async (): Promise<void> => {
    while (!state.isOver) {
      const { skus } = await watched.report(SALE);
      for (const { released, available, held, sold } of skus) {
        expect(released).toBe(STOCK);
        expect(held + sold).toBeLessThanOrEqual(STOCK);
        expect(available + held + sold).toBe(STOCK);
      }
      looks += 1;
      await Bun.sleep(20);
    }
  };
  const ended = run();
  return {
    stop: async (): Promise<number> => {
      state.isOver = true;
      await ended;
      return looks;
    },
  };
}
