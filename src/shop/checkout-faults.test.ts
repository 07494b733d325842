import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { type Around, intercepted } from "../../test/support/intercept.ts";
import {
  ALL_BUCKETS,
  assertBooksAgree,
  bodyOf,
  hold,
  openSale,
  orderIn,
  skuOf,
  startTestShop,
  sweepAll,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault } from "../core/errors.ts";
import { createShop } from "./create-shop.ts";
import type { CheckoutRequest } from "./shop.ts";

let shop: TestShop;
let sales = 0;

beforeAll(async () => {
  shop = await startTestShop();
});

afterAll(async () => {
  await shop.close();
});

type Case = {
  readonly name: string;
  readonly token: string;
  /** How the order ends, whatever happens on the way. */
  readonly end: string;
  /** The money comes late, and the units of the second line have gone to another by then. */
  readonly isGone?: boolean;
};

const CASES: readonly Case[] = [
  { name: "a paid order", token: "tok_ok", end: "paid" },
  { name: "a declined order", token: "tok_declined", end: "failed" },
  { name: "an order whose second line is gone", token: "tok_ok", end: "refunded", isGone: true },
];

type Run = {
  readonly sale: string;
  readonly shopper: string;
  readonly request: CheckoutRequest;
  /** Makes the money late when it was asked for, whoever asked. */
  readonly around: Around;
};

async function runOf({ token, isGone = false }: Case): Promise<Run> {
  const sale = `sale-${++sales}`;
  const short = { holdMs: 5_000, payMs: 60_000 };
  await openSale(shop, sale, [skuOf("shoe"), skuOf("sock", { stock: 1 })], isGone ? short : {});
  const shopper = `acc_${sales}`;
  await hold(shop, sale, { shopper, sku: "shoe", quantity: 1 });
  await hold(shop, sale, { shopper, sku: "sock", quantity: 1 });
  const request = bodyOf(sale, token, { shoe: 1, sock: 1 });
  let isTaken = false;
  return {
    sale,
    shopper,
    request,
    async around(name, call) {
      const result = await call();
      if (isGone && !isTaken && name === "payments.charge") {
        isTaken = true;
        shop.pass(61_000);
        expect(await hold(shop, sale, { shopper: "rival", sku: "sock", quantity: 1 })).toBe("held");
      }
      return result;
    },
  };
}

/** Repeats and sweeps as time goes on, and checks where the order ended. */
async function expectEnd(run: Run, end: string): Promise<void> {
  const { sale, shopper, request } = run;
  const healthy = { ...shop, ports: intercepted(shop.ports, run.around) };
  await sweepAll(healthy);
  const repeats = createShop(healthy.ports);
  const answer = await repeats.checkout({ shopper, idempotencyKey: "key", request });
  await repeats.stop();
  const order = await shop.shop.order(shopper, orderIn(answer));
  expect(order?.status).toBe(end as never);
  expect(await shop.ports.orders.countsOfSale(sale)).toEqual({ [end]: 1 });
  await assertBooksAgree(shop, sale);
  const theirs = shop.gateway.orderIds.filter((orderId) => orderId === order?.orderId);
  expect(theirs.length).toBe(1);
}

describe.each(CASES)("$name", (given) => {
  test.each(["nothing was done", "it was done, the answer is lost"])(
    "ends alike when any one call fails: %s",
    async (mode) => {
      for (let failing = 0; ; failing++) {
        const run = await runOf(given);
        let count = 0;
        const ports = intercepted(shop.ports, async (name, call) => {
          const isFailing = count++ === failing;
          if (isFailing && mode === "nothing was done") throw faultFor(name, "store_unavailable");
          const result = await run.around(name, call);
          if (isFailing) throw faultFor(name, "unknown");
          return result;
        });
        const route = createShop(ports);
        const { shopper, request } = run;
        await route.checkout({ shopper, idempotencyKey: "key", request }).catch(expectFault);
        await route.stop();
        await expectEnd(run, given.end);
        // The run got through without the fault: every call has been failed once.
        if (count <= failing) return expect(failing).toBeGreaterThanOrEqual(8);
      }
    },
  );

  test("ends alike with the sweeper between any two steps of the route, each pair", async () => {
    let steps = Number.POSITIVE_INFINITY;
    for (let first = 0; first < steps; first++) {
      for (let second = first; second < steps; second++) {
        const run = await runOf(given);
        const sweeper = createShop(intercepted(shop.ports, run.around));
        let count = 0;
        const ports = intercepted(shop.ports, async (name, call) => {
          const step = count++;
          if (step === first || step === second) {
            await sweeper.sweepOrders(ALL_BUCKETS, shop.nowMs() + (step + 1) * 60_000);
          }
          return run.around(name, call);
        });
        const route = createShop(ports);
        const { shopper, request } = run;
        const asked = { shopper, idempotencyKey: "key", request };
        const answer = await route.checkout(asked);
        await route.stop();
        await expectEnd(run, given.end);
        expect(orderIn(answer)).toMatch(/^ord_/);
        if (first === 0 && second === 0) steps = count;
        steps = Math.max(steps, count);
      }
    }
    expect(steps).toBeGreaterThanOrEqual(8);
  });
});

test("a winner that died before its charge is charged in its place, once", async () => {
  const run = await runOf(CASES[0]!);
  const dead = Promise.withResolvers<never>();
  const died = Promise.withResolvers<void>();
  const ports = intercepted(shop.ports, async (name, call) => {
    if (name !== "payments.charge") return call();
    died.resolve();
    return dead.promise;
  });
  const { shopper, request } = run;
  const route = createShop(ports);
  const lost = route.checkout({ shopper, idempotencyKey: "key", request });
  await died.promise;
  await expectEnd(run, "paid");
  // The dead come back: their charge is the gateway's own one by now.
  dead.reject(new Fault("payment_unavailable", "no answer"));
  expect((await lost).kind).toBe("paid");
  await route.stop();
  await assertBooksAgree(shop, run.sale);
});

test("cancel and checkout at once: cancelled without money, or paid, or refunded", async () => {
  for (let delay = 0; delay < 8; delay++) {
    const run = await runOf(CASES[0]!);
    const { shopper, request } = run;
    let count = 0;
    const ports = intercepted(shop.ports, async (_, call) => {
      const result = await call();
      if (count++ === delay) {
        const [order] = await shop.ports.orders.listOfShopper(shopper, { limit: 1 });
        if (order !== undefined) await shop.shop.cancelOrder(shopper, order.orderId);
      }
      return result;
    });
    const route = createShop(ports);
    const answer = await route.checkout({ shopper, idempotencyKey: "key", request });
    expect(["settled", "paid"]).toContain(answer.kind);
    await route.stop();
    await shop.shop.stop();
    await sweepAll(shop);
    await assertBooksAgree(shop, run.sale);
  }
});

function faultFor(name: string, code: "store_unavailable" | "unknown"): Fault {
  return new Fault(name.startsWith("payments") ? "payment_unavailable" : code, `${name} fails`);
}

function expectFault(thrown: unknown): void {
  expect(thrown).toBeInstanceOf(Fault);
}
