// SIGKILL of the engine, and of the payment simulator, at random moments of a busy sale.

import { afterEach, describe, expect, test } from "bun:test";

import { expectBooksAgree } from "../support/audit.ts";
import { type Buyer, buyersOf, whileBuying } from "../support/buyers.ts";
import { MODES, startWorld, type World } from "../support/world.ts";
import { dice, rounds, timeoutMs } from "./rounds.ts";

const SALE = "kills";
const SKU = "shoe";
const STOCK = 100;
const BUYERS = 120;
const LIMIT = 2;

let world: World | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
}, 60_000);

const ENGINE_KILLS = rounds({ short: 4, long: 20 });
/** So that there is something left to buy in the last round. */
const CHECKOUT_SHARE = 0.6 / ENGINE_KILLS;
const SIMULATOR_KILLS = rounds({ short: 2, long: 10 });

describe.each(MODES)("%s", (mode) => {
  test(
    `I2, I4: what was acknowledged survives ${ENGINE_KILLS} kills of the engine, once`,
    async () => {
      const random = dice();
      world = await startWorld(mode);
      const killed = world;
      const buyers = await openFor(world, random);
      await whileBuying(buyers, async () => {
        for (let round = 0; round < ENGINE_KILLS; round += 1) {
          await Bun.sleep(200 + random() * 600);
          await killed.engine.kill();
          await killed.engine.restart();
        }
        await Bun.sleep(200);
      });
      await expectAllAgree(world, buyers);
    },
    timeoutMs(ENGINE_KILLS, 5_000),
  );

  test(
    `I4, I10: nothing is charged twice or for nothing over ${SIMULATOR_KILLS} kills of the gateway`,
    async () => {
      const random = dice();
      world = await startWorld(mode);
      const { simulator } = world;
      const buyers = await openFor(world, random);
      await whileBuying(buyers, async () => {
        for (let round = 0; round < SIMULATOR_KILLS; round += 1) {
          await Bun.sleep(200 + random() * 400);
          await simulator.kill();
          await Bun.sleep(random() * 300);
          await simulator.restart();
        }
        await Bun.sleep(200);
      });
      await expectAllAgree(world, buyers);
    },
    timeoutMs(SIMULATOR_KILLS, 10_000),
  );
});

/** Deadlines far away: what is gone was lost, not lapsed. */
async function openFor(open: World, random: () => number): Promise<Buyer[]> {
  await open.openSale({
    sale: SALE,
    skus: [{ sku: SKU, stock: STOCK, limit: LIMIT }],
    holdFor: "60m",
    payWithin: "60m",
  });
  const buying = { sale: SALE, sku: SKU, limit: LIMIT, random, checkoutShare: CHECKOUT_SHARE };
  return buyersOf(open, { count: BUYERS, ...buying });
}

/** The buyers' records, together, are what all the books say. */
async function expectAllAgree(audited: World, buyers: readonly Buyer[]): Promise<void> {
  const { skus, orders } = await expectBooksAgree(audited, SALE);
  const held = buyers.reduce((sum, { hold }) => sum + (hold?.quantity ?? 0), 0);
  const sold = buyers.reduce((sum, { bought }) => sum + bought, 0);
  expect(skus).toMatchObject([{ released: STOCK, held, sold }]);
  const acknowledged = buyers.flatMap(({ paid }) => [...paid.keys()]);
  const stored = orders.filter(({ status }) => status === "paid").map((row) => row.order_id);
  expect(stored.sort()).toEqual(acknowledged.sort());
  const { history } = audited;
  const heard = JSON.stringify(history.summary());
  expect(history.slowestMs("other"), heard).toBeLessThan(3_500);
  expect(history.slowestMs("checkout"), heard).toBeLessThan(8_500);
}
