// The end of an engine: asked to stop, or because another one has taken its place.

import { afterEach, describe, expect, test } from "bun:test";

import { expectBooksAgree } from "../support/audit.ts";
import { buyersOf, whileBuying } from "../support/buyers.ts";
import { startEngine, type TestProgram } from "../support/engine.ts";
import { StartFailure } from "../support/process.ts";
import { RawClient } from "../support/raw-client.ts";
import { checkoutCall, holdCall, holdIn, orderIn, type Shopper } from "../support/shoppers.ts";
import { MODES, startWorld, until, type World } from "../support/world.ts";
import { dice } from "./rounds.ts";

const SALE = "stops";
const SKU = "shoe";
const STOCK = 100;
const SLOW_PAYERS = 20;
const STOP_MS_MAX = 20_000;

let world: World | undefined;
let second: TestProgram | undefined;
afterEach(async () => {
  await second?.stop();
  second = undefined;
  await world?.stop();
  world = undefined;
}, 60_000);

describe.each(MODES)("%s", (mode) => {
  test("I2, I8: SIGTERM under load answers all that was accepted and loses nothing", async () => {
    world = await startWorld(mode, { events: false });
    await open(world);
    const stopped = world;
    const { engine } = world;
    const payers = await world.shoppers(SLOW_PAYERS, "payer");
    for (const payer of payers) expect((await payer.hold(SALE, SKU, 1)).status).toBe(201);
    const buyers = await buyersOf(world, {
      count: 80,
      sale: SALE,
      sku: SKU,
      limit: 2,
      random: dice(),
    });
    await whileBuying(buyers, async () => {
      const paying = payers.map((payer) => payer.send(slowCheckout(payer)));
      await until("all of them are paying", async () => {
        return (await stopped.counts(SALE)).paying >= SLOW_PAYERS;
      });
      const startedMs = performance.now();
      expect(await engine.end()).toBe(0);
      expect(performance.now() - startedMs).toBeLessThan(STOP_MS_MAX);
      for (const answer of await Promise.all(paying)) expect(answer?.status).toBe(201);
      await engine.restart();
      await Bun.sleep(300);
    });
    for (const payer of payers) {
      const again = await payer.settle(slowCheckout(payer));
      expect({ status: again.status, order: orderIn(again).status }).toEqual({
        status: 201,
        order: "paid",
      });
    }
    const { skus } = await expectBooksAgree(world, SALE);
    const held = buyers.reduce((sum, { hold }) => sum + (hold?.quantity ?? 0), 0);
    const sold = buyers.reduce((sum, { bought }) => sum + bought, SLOW_PAYERS);
    expect(skus).toMatchObject([{ held, sold }]);
  }, 90_000);
});

test("I3: a second engine on the same data folder exits 2 and says why; the first goes on", async () => {
  world = await startWorld("embedded");
  await open(world);
  const { dataDir } = world.engine;
  const failure = await startEngine({ env: { ...world.env }, dataDir }).then(
    () => null,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(StartFailure);
  expect(failure).toMatchObject({ exitCode: 2 });
  expect(String(failure)).toContain("second_engine");
  const shopper = await world.shopper("one");
  expect((await shopper.hold(SALE, SKU, 1)).status).toBe(201);
}, 60_000);

test("I2, I3: a second engine on the same Redis ends the first with 2, and nothing is doubled", async () => {
  world = await startWorld("servers");
  await open(world);
  const first = world.engine;
  const shoppers = await world.shoppers(150);
  let isOver = false;
  const acknowledged = new Map<string, string>();
  const holding = Promise.all(
    shoppers.map((shopper) => holdOver(shopper, acknowledged, () => isOver)),
  );
  const ended = first.exited;
  second = await startEngine({ env: { ...world.env } });
  expect(await ended).toBe(2);
  isOver = true;
  await holding;
  expect(first.output()).toContain("this engine must not go on");
  expect(acknowledged.size).toBeGreaterThan(0);

  const client = new RawClient({ port: second.port });
  let held = 0;
  for (const { id } of shoppers) {
    const shopper = await world.shopper(id, client);
    const holds = (await shopper.cart()).holds;
    const holdId = acknowledged.get(id);
    if (holdId !== undefined) expect(holds.map((hold) => hold.holdId)).toEqual([holdId]);
    held += holds.reduce((sum, { quantity }) => sum + quantity, 0);
  }
  client.close();
  const report = await fetch(`${second.url}/v1/admin/sales/${SALE}/report`, {
    headers: { authorization: `Bearer ${world.apiKey}` },
  });
  expect(await report.json()).toMatchObject({
    skus: [{ released: STOCK, held, available: STOCK - held, sold: 0 }],
  });
}, 90_000);

function open(opened: World): Promise<void> {
  return opened.openSale({
    sale: SALE,
    skus: [{ sku: SKU, stock: STOCK }],
    holdFor: "60m",
    payWithin: "60m",
  });
}

function slowCheckout(payer: Shopper) {
  const lines = [{ sku: SKU, quantity: 1 }];
  return checkoutCall({ sale: SALE, lines, card: "tok_slow", key: payer.id });
}

/** One PUT over and over: whatever 2xx it hears names the same hold. */
async function holdOver(
  shopper: Shopper,
  acknowledged: Map<string, string>,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const answer = await shopper.send(holdCall(SALE, SKU, 1));
    if (answer === null) return;
    if (answer.status < 300) {
      const { holdId } = holdIn(answer);
      expect(acknowledged.get(shopper.id) ?? holdId).toBe(holdId);
      acknowledged.set(shopper.id, holdId);
    }
    await Bun.sleep(5);
  }
}
