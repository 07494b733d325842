import { afterAll, beforeAll, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  ALL_BUCKETS,
  bodyOf,
  hold,
  openSale,
  orderIn,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault, type FaultCode } from "../core/errors.ts";
import { createShop } from "./create-shop.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await startTestShop();
});
afterAll(() => shop.close());

type Outage = {
  readonly sale: string;
  readonly code: FaultCode;
  /** How long a look lasts, as when a store does not answer. */
  readonly lookS?: number;
};

/**
 * Seconds from one look of the sweeper at the order to the next, over an outage of two minutes; and
 * how many lines it logged meanwhile.
 */
async function waitsDuring({ sale, code, lookS = 0 }: Outage) {
  await openSale(shop, sale, [skuOf("shoe")]);
  await hold(shop, sale, { shopper: sale, sku: "shoe", quantity: 1 });
  let isDown = false;
  let nowS = 0;
  const looksS: number[] = [];
  const faulty = intercepted(shop.ports, async (name, call) => {
    if (name === "payments.charge") isDown = true;
    if (!isDown || name !== "stock.ask") return call();
    if (nowS > 0) looksS.push(nowS);
    nowS += lookS;
    throw new Fault(code, "a test");
  });
  const startMs = shop.nowMs() + 60_000;
  const clock = { ...shop.ports.runtime.clock, monotonicMs: () => nowS * 1_000 };
  const lines: string[] = [];
  const own = createShop({
    ...faulty,
    runtime: { ...shop.ports.runtime, clock },
    log: { ...shop.ports.log, warn: (_, message) => lines.push(message) },
  });
  const request = bodyOf(sale, "tok_declined", { shoe: 1 });
  const answer = await own.checkout({ shopper: sale, idempotencyKey: "key", request });
  lines.length = 0;
  for (nowS = 1; nowS <= 120; nowS++) await own.sweepOrders(ALL_BUCKETS, startMs + nowS * 1_000);
  const said = new Set(lines);
  expect(lines.length).toBe(looksS.length);
  isDown = false;
  await own.sweepOrders(ALL_BUCKETS, startMs + 200_000);
  expect((await shop.shop.order(sale, orderIn(answer)))?.settled).toBe(true);
  await own.stop();
  const waits = looksS.slice(1).map((atS, index) => atS - (looksS[index] ?? 0) - lookS);
  return { waits, said };
}

test("an order that the store kept from its end is looked at every four seconds", async () => {
  for (const code of ["store_unavailable", "unknown", "busy"] as const) {
    const { waits, said } = await waitsDuring({ sale: `away-${code.replace("_", "-")}`, code });
    expect(waits.slice(0, 3)).toEqual([1, 2, 4]);
    expect(new Set(waits.slice(2))).toEqual(new Set([4]));
    expect(said).toEqual(new Set(["orders were not settled by the sweep: a store is away"]));
  }
});

test("the wait counts from the end of a look: one that lasted long is not due at once", async () => {
  const { waits } = await waitsDuring({ sale: "hangs", code: "store_unavailable", lookS: 10 });
  expect(waits).toEqual([1, 2, 4, 4, 4, 4, 4, 4]);
});

test("an order that waits for the gateway or a person is looked at ever more seldom", async () => {
  for (const code of ["halted", "payment_unavailable"] as const) {
    const { waits, said } = await waitsDuring({ sale: `seldom-${code.replace("_", "-")}`, code });
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
    expect(said).toEqual(new Set(["an order was not settled by the sweep"]));
  }
});

test("an outage is one line a sweep, however many orders it stops", async () => {
  await openSale(shop, "many", [skuOf("shoe")]);
  let isDown = false;
  const ports = intercepted(shop.ports, async (name, call) => {
    if (name === "payments.charge") isDown = true;
    if (isDown && name === "stock.ask") throw new Fault("store_unavailable", "a test");
    return call();
  });
  const lines: object[] = [];
  const warn = (fields: object): void => void lines.push(fields);
  const own = createShop({ ...ports, log: { ...shop.ports.log, warn } });
  for (const shopper of ["ann", "ben", "cy"]) {
    isDown = false;
    await hold(shop, "many", { shopper, sku: "shoe", quantity: 1 });
    const request = bodyOf("many", "tok_declined", { shoe: 1 });
    await own.checkout({ shopper, idempotencyKey: "key", request });
  }
  lines.length = 0;
  await own.sweepOrders(ALL_BUCKETS, shop.nowMs() + 60_000);
  expect(lines).toMatchObject([{ orderCount: 3, status: "failed" }]);
  await own.stop();
});
