// Redis and a shard of the orders killed, and made to hang, under a busy sale.

import { afterEach, expect, test } from "bun:test";

import { bucketOf } from "../../src/core/ids.ts";
import { expectBooksAgree } from "../support/audit.ts";
import { type Buyer, buyersOf, whileBuying } from "../support/buyers.ts";
import { checkoutCall, holdCall, holdIn, type Shopper } from "../support/shoppers.ts";
import { startWorld, until, type World } from "../support/world.ts";
import { dice, rounds, timeoutMs } from "./rounds.ts";

const SALE = "stores";
const SKU = "shoe";
const SPARE = "hat";
const LIMIT = 2;
const STOCK = 100;
const KILLS = rounds({ short: 2, long: 10 });
/** Longer than a request may take. */
const HANG_MS = 4_000;

let world: World | undefined;
afterEach(async () => {
  world?.servers?.redis.resume();
  for (const server of world?.servers?.postgres ?? []) server.resume();
  await world?.stop();
  world = undefined;
}, 60_000);

test(
  `I1, I2, I5, I9: Redis is killed ${KILLS} times and hangs once under load`,
  async () => {
    const random = dice();
    world = await startWorld("servers");
    const { redis } = world.on;
    const buyers = await openFor(world, random);
    await whileBuying(buyers, async () => {
      for (let round = 0; round < KILLS; round += 1) {
        await Bun.sleep(200 + random() * 400);
        await redis.kill();
        await Bun.sleep(random() * 800);
        await redis.restart();
      }
      await Bun.sleep(500);
      redis.pause();
      await Bun.sleep(HANG_MS);
      redis.resume();
      await Bun.sleep(500);
    });
    await expectAllAgree(world, buyers);
    expect(Object.keys(world.history.summary()).join()).toMatch(/PUT 50[34]/);
  },
  timeoutMs(KILLS, 8_000),
);

test(
  `I1, I2, I5, I9: a shard is killed ${KILLS} times under load; only its shoppers' orders wait`,
  async () => {
    const random = dice();
    world = await startWorld("servers", { separateDatabases: true });
    const shard = world.on.postgres[1]!;
    const buyers = await openFor(world, random);
    const away = await shopperOf(world, 0);
    const here = await shopperOf(world, 1);
    await whileBuying(buyers, async () => {
      for (let round = 0; round < KILLS; round += 1) {
        await Bun.sleep(200 + random() * 400);
        await shard.kill();
        await expectOnlyItsOrdersWait({ away, here, round });
        await shard.restart();
        const repeat = await away.settle(checkoutOf(away, round));
        expect({ status: repeat.status, body: repeat.body }).toMatchObject({ status: 201 });
      }
      await Bun.sleep(500);
      shard.pause();
      await Bun.sleep(HANG_MS);
      shard.resume();
      await Bun.sleep(500);
    });
    await expectAllAgree(world, buyers);
  },
  timeoutMs(KILLS, 12_000),
);

async function openFor(open: World, random: () => number): Promise<Buyer[]> {
  await open.openSale({
    sale: SALE,
    skus: [
      { sku: SKU, stock: STOCK, limit: LIMIT },
      { sku: SPARE, stock: STOCK, limit: STOCK },
    ],
    holdFor: "60m",
    payWithin: "60m",
  });
  const buying = { sale: SALE, sku: SKU, limit: LIMIT, random, checkoutShare: 0.2 / KILLS };
  return buyersOf(open, { count: 100, ...buying });
}

/** A shopper whose orders live on that shard: bucket mod shards. */
async function shopperOf(open: World, shard: number): Promise<Shopper> {
  for (let number = 0; ; number += 1) {
    const id = `probe-${number}`;
    if (bucketOf(id) % 2 === shard) return open.shopper(id);
  }
}

function checkoutOf(shopper: Shopper, round: number) {
  const lines = [{ sku: SPARE, quantity: 1 }];
  return checkoutCall({ sale: SALE, lines, key: `${shopper.id}-${round}` });
}

async function expectOnlyItsOrdersWait(asked: {
  readonly away: Shopper;
  readonly here: Shopper;
  readonly round: number;
}): Promise<void> {
  const { away, here, round } = asked;
  for (const shopper of [away, here]) {
    const held = await shopper.send(holdCall(SALE, SPARE, 1));
    expect(held?.status).toBeOneOf([200, 201]);
    if (held !== null) expect(holdIn(held).quantity).toBe(1);
  }
  const [waits, paid, listed, unlisted] = await Promise.all([
    away.send(checkoutOf(away, round)),
    here.send(checkoutOf(here, round)),
    here.send({ method: "GET", path: "/v1/orders" }),
    away.send({ method: "GET", path: "/v1/orders" }),
  ]);
  const statuses = [waits, paid, listed, unlisted].map((answer) => answer?.status);
  expect(statuses).toEqual([503, 201, 200, 503]);
  expect(waits?.headers.get("retry-after")).toBe("1");
}

async function expectAllAgree(audited: World, buyers: readonly Buyer[]): Promise<void> {
  await until("the engine is ready", async () => (await audited.readiness()).status === 200);
  const { skus } = await expectBooksAgree(audited, SALE);
  const held = buyers.reduce((sum, { hold }) => sum + (hold?.quantity ?? 0), 0);
  const sold = buyers.reduce((sum, { bought }) => sum + bought, 0);
  expect(skus.find(({ sku }) => sku === SKU)).toMatchObject({ released: STOCK, held, sold });
  const heard = JSON.stringify(audited.history.summary());
  expect(audited.history.slowestMs("other"), heard).toBeLessThan(3_500);
  expect(audited.history.slowestMs("checkout"), heard).toBeLessThan(8_500);
}
