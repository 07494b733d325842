import { afterAll, beforeAll, expect, test } from "bun:test";

import { intercepted } from "../../test/support/intercept.ts";
import {
  ALL_BUCKETS,
  bodyOf,
  countsOf,
  hold,
  openSale,
  orderIn,
  skuOf,
  startTestShop,
  type TestShop,
} from "../../test/support/test-shop.ts";
import { Fault, type FaultCode } from "../core/errors.ts";
import type { ChargeState } from "../core/ports/payments.ts";
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
    expect(said).toEqual(new Set(["an order was not settled by the sweep"]));
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

test("an order of which the gateway took another amount is neither sold nor refunded", async () => {
  await openSale(shop, "wrong-amount", [skuOf("shoe")]);
  await hold(shop, "wrong-amount", { shopper: "wrong-amount", sku: "shoe", quantity: 1 });
  let isWrong = true;
  const asked: string[] = [];
  const ports = intercepted(shop.ports, async (name, call) => {
    asked.push(name);
    const state = await call();
    if (!isWrong || !isPaid(state)) return state;
    return { ...state, amountMinor: state.amountMinor + 1 };
  });
  const lines: Line[] = [];
  const warn = (fields: Fields, message: string): void => void lines.push({ fields, message });
  const own = createShop({ ...ports, log: { ...shop.ports.log, warn } });
  const checkout = {
    shopper: "wrong-amount",
    idempotencyKey: "key",
    request: bodyOf("wrong-amount", "tok_ok", { shoe: 1 }),
  };
  const first = own.checkout(checkout);
  while (!asked.includes("payments.charge")) await Bun.sleep(1);

  await own.sweepOrders(ALL_BUCKETS, shop.nowMs() + 60_000);
  const said = lines.filter(({ message }) => message === FIRST);
  expect(said.map(({ fields }) => fields.err?.code)).toEqual(["payment_wrong"]);
  expect(said[0]?.fields.err?.message).toMatch(/order ord_\S+: the gateway took \d+, not \d+/);
  expect(asked).not.toContain("payments.refund");
  expect(await countsOf(shop, "wrong-amount", "shoe")).toMatchObject({ sold: 0 });

  isWrong = false;
  const paid = { kind: "paid", order: { settled: true } };
  expect(await own.checkout(checkout)).toMatchObject(paid);
  expect(await first).toMatchObject(paid);
  await own.stop();
});

function isPaid(state: unknown): state is Extract<ChargeState, { kind: "paid" }> {
  return typeof state === "object" && state !== null && "kind" in state && state.kind === "paid";
}

type Fields = { readonly orderId?: string; readonly err?: Fault };
type Line = { readonly fields: Fields; readonly message: string };

/**
 * A shop with one order for each of these, which its sweeps do not settle: the n-th look at one ends
 * with the n-th of them.
 */
async function stuckShop(sale: string, ends: readonly (() => unknown)[]) {
  await openSale(shop, sale, [skuOf("shoe")]);
  let isDown = false;
  let isSwept = false;
  let looks = 0;
  const ports = intercepted(shop.ports, async (name, call) => {
    if (name === "payments.charge") isDown = true;
    if (!isDown || name !== "stock.ask") return call();
    throw isSwept ? await ends[looks++]?.() : new Fault("busy", "a test");
  });
  const lines: Line[] = [];
  const { promise: firstLine, resolve: onLine } = Promise.withResolvers<void>();
  const warn = (fields: Fields, message: string): void => {
    if (!isSwept) return;
    lines.push({ fields, message });
    onLine();
  };
  const own = createShop({ ...ports, log: { ...shop.ports.log, warn } });
  for (let index = 0; index < ends.length; index++) {
    const shopper = `${sale}-${index}`;
    isDown = false;
    await hold(shop, sale, { shopper, sku: "shoe", quantity: 1 });
    const request = bodyOf(sale, "tok_declined", { shoe: 1 });
    await own.checkout({ shopper, idempotencyKey: "key", request });
  }
  isSwept = true;
  const sweep = async (): Promise<readonly Line[]> => {
    await own.sweepOrders(ALL_BUCKETS, shop.nowMs() + 60_000);
    expect(looks).toBe(ends.length);
    isDown = false;
    // Other tests' sweeps find none of them.
    await own.sweepOrders(ALL_BUCKETS, shop.nowMs() + 200_000);
    await own.stop();
    return lines;
  };
  return { lines, firstLine, sweep };
}

function faultsOf(codes: readonly FaultCode[]): (() => Fault)[] {
  return codes.map((code) => () => new Fault(code, "a test"));
}

const FIRST = "an order was not settled by the sweep";
const REST = "orders were not settled by the sweep, 2 more than already said";

test("an outage is two lines a sweep, however many orders it stops: the first, and how many", async () => {
  for (const code of ["store_unavailable", "fenced", "payment_unavailable"] as const) {
    const sale = `many-${code.replace("_", "-")}`;
    const { sweep } = await stuckShop(sale, faultsOf([code, code, code]));
    const lines = await sweep();
    expect(lines).toMatchObject([
      { fields: { status: "failed", err: { code } }, message: FIRST },
      { fields: { status: "failed", err: { code }, orderCount: 3 }, message: REST },
    ]);
    expect(lines[0]?.fields).not.toHaveProperty("orderCount");
    expect(lines[1]?.fields.orderId).toBe(lines[0]?.fields.orderId ?? "none");
  }
});

test("the first order that an outage stops is said while others still hang", async () => {
  const { promise: hung, resolve: giveUp } = Promise.withResolvers<void>();
  const away = (): Fault => new Fault("store_unavailable", "a test");
  const late = (): Promise<Fault> => hung.then(away);
  const { lines, firstLine, sweep } = await stuckShop("hangs-on", [away, late, late]);
  const swept = sweep();
  await firstLine;
  expect(lines.map(({ message }) => message)).toEqual([FIRST]);
  giveUp();
  await swept;
  expect(lines.map(({ message }) => message)).toEqual([FIRST, REST]);
});

test("two outages at once are each said, and counted each", async () => {
  const codes = ["unknown", "busy", "unknown", "busy", "busy", "unknown", "deadline"] as const;
  const { sweep } = await stuckShop("two", faultsOf(codes));
  const lines = await sweep();
  const said = lines.map(({ fields, message }) => ({ ...fields, message }));
  expect(said).toMatchObject([
    { err: { code: "unknown" }, message: FIRST },
    { err: { code: "busy" }, message: FIRST },
    { err: { code: "deadline" }, message: FIRST },
    { err: { code: "unknown" }, orderCount: 3, message: REST },
    { err: { code: "busy" }, orderCount: 3, message: REST },
  ]);
});

test("what needs a person, and a bug, is a line an order", async () => {
  const bug = (): Error => new Error("a bug of ours");
  const ends = [...faultsOf(["halted", "halted", "halted"]), bug, bug];
  const { sweep } = await stuckShop("persons", ends);
  const lines = await sweep();
  expect(lines.map(({ message }) => message)).toEqual(ends.map(() => FIRST));
  const codes = lines.map(({ fields }) => fields.err?.code);
  expect(codes).toEqual(["halted", "halted", "halted", "unknown", "unknown"]);
  expect(new Set(lines.map(({ fields }) => fields.orderId)).size).toBe(ends.length);
});
