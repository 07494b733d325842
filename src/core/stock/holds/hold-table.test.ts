import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { type Hold, type NewHold, SkuState } from "../state.ts";
import type { FrozenHolds } from "./frozen-holds.ts";
import { HoldTable } from "./hold-table.ts";

const SKUS = ["sale/a", "sale/b", "sale/c"].map((key) => new SkuState(key));

/** What the table is to do, done to a plain map. */
class Model {
  readonly holds = new Map<string, NewHold>();

  key(sku: SkuState, shopper: string): string {
    return `${sku.key} ${shopper}`;
  }
}

type Step =
  | { readonly kind: "add" | "drop" | "unpin"; readonly sku: number; readonly shopper: string }
  | { readonly kind: "quantity"; readonly sku: number; readonly shopper: string; units: number }
  | { readonly kind: "pin"; readonly sku: number; readonly shopper: string; laterMs: number }
  | { readonly kind: "lapse"; readonly aheadMs: number };

const sku = fc.nat(SKUS.length - 1);
/** Few, so that they meet again; of all lengths of a place, and some that only differ at the end. */
const shopper = fc.oneof(
  fc.nat(40).map((number) => `s${number}`),
  fc.constantFrom(1, 15, 16, 17, 127, 128).map((length) => "x".repeat(length)),
  fc.constantFrom("a:b|c@d", "-", "acc_019ab2c4-1f3e-7a40-8a51-3b3f0d6f9e11"),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("add" as const), sku, shopper }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("drop" as const), sku, shopper }) },
  fc.record({ kind: fc.constant("unpin" as const), sku, shopper }),
  fc.record({
    kind: fc.constant("quantity" as const),
    sku,
    shopper,
    units: fc.integer({ min: 1, max: 100 }),
  }),
  fc.record({ kind: fc.constant("pin" as const), sku, shopper, laterMs: fc.nat(50) }),
  fc.record({ kind: fc.constant("lapse" as const), aheadMs: fc.nat(30) }),
);

/** Does one step to both; asserts that the table says what the model says. */
function take(table: HoldTable<SkuState>, model: Model, one: Step, number: number): void {
  if (one.kind === "lapse") {
    const nowMs = number + one.aheadMs;
    for (let due = table.due(nowMs); due !== null; due = table.due(nowMs)) {
      expect(model.holds.get(model.key(due.sku, due.shopper))?.deadlineMs).toBe(due.deadlineMs);
      model.holds.delete(model.key(due.sku, due.shopper));
      table.drop(due);
    }
    const deadlines = [...model.holds.values()].map(({ deadlineMs }) => deadlineMs);
    expect(table.nextMs()).toBe(Math.min(...deadlines));
    for (const deadlineMs of deadlines) expect(deadlineMs).toBeGreaterThan(nowMs);
    return;
  }
  const of = SKUS[one.sku]!;
  const key = model.key(of, one.shopper);
  const known = model.holds.get(key);
  const hold = table.get(of, one.shopper);
  expect(hold === null ? undefined : { ...hold, slot: 0 }).toEqual(known && { ...known, slot: 0 });
  if (one.kind === "add") {
    if (hold !== null) return;
    const { shopper: name } = one;
    const about = { sku: of, shopper: name, number, quantity: 1, priceMinor: 10 ** 15 };
    const fresh = { ...about, deadlineMs: number + 40, orderId: null, wasPinned: false };
    table.add(fresh);
    model.holds.set(key, fresh);
    return;
  }
  if (hold === null || known === undefined) return;
  switch (one.kind) {
    case "drop":
      table.drop(hold);
      model.holds.delete(key);
      return;
    case "quantity":
      table.setQuantity(hold, one.units);
      model.holds.set(key, { ...known, quantity: one.units });
      return;
    case "pin": {
      const deadlineMs = known.deadlineMs + one.laterMs;
      table.pin(hold, `order-${number}`, deadlineMs);
      model.holds.set(key, { ...known, orderId: `order-${number}`, deadlineMs, wasPinned: true });
      return;
    }
    case "unpin":
      table.unpin(hold);
      model.holds.set(key, { ...known, orderId: null });
  }
}

function withoutSlot({
  sku: of,
  number,
  quantity,
  priceMinor,
  deadlineMs,
  ...rest
}: Hold): NewHold {
  const { shopper: name, orderId, wasPinned } = rest;
  return { sku: of, shopper: name, number, quantity, priceMinor, deadlineMs, orderId, wasPinned };
}

/** In the order of their numbers; a number is the step that made the hold. */
function listOf(frozen: FrozenHolds<SkuState>): NewHold[] {
  const places = [...frozen.placesBySku().values()].flat();
  const holds = places.map((place): NewHold => withoutSlot(frozen.at(place)));
  frozen.thaw();
  return holds.sort((left, right) => left.number - right.number);
}

describe("the hold table", () => {
  test("does what a map of holds would do, in random histories", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: "max" }), fc.nat(400), (steps, cut) => {
        const table = new HoldTable<SkuState>();
        const model = new Model();
        let frozen: FrozenHolds<SkuState> | null = null;
        let frozenModel: Model["holds"] = new Map();
        steps.forEach((one, index) => {
          if (index === cut) {
            frozen = table.freeze();
            frozenModel = new Map(model.holds);
          }
          take(table, model, one, index + 1);
        });
        if (frozen !== null) expect(listOf(frozen)).toEqual([...frozenModel.values()]);
        expect(table.size).toBe(model.holds.size);
        const listed = [...table.bySku()].flatMap(([of, holds]) =>
          holds.map((hold) => model.key(of, hold.shopper)),
        );
        expect(listed.sort()).toEqual([...model.holds.keys()].sort());
        const carts = Map.groupBy(model.holds.values(), (hold) => hold.shopper);
        for (const [name, holds] of carts) {
          const keys = holds.map((hold) => hold.sku.key).sort();
          expect(table.ofShopper(name).map((hold) => hold.sku.key)).toEqual(keys);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("thousands come, go in another order, and come again", () => {
    const table = new HoldTable<SkuState>();
    const of = SKUS[0]!;
    const names = Array.from({ length: 5_000 }, (_, index) => `shopper-${index}`);
    const open = { sku: of, quantity: 1, priceMinor: 1, orderId: null, wasPinned: false };
    for (let round = 0; round < 3; round += 1) {
      names.forEach((name, index) => {
        const number = round * names.length + index + 1;
        table.add({ ...open, shopper: name, number, deadlineMs: (number * 7_919) % 10_007 });
      });
      expect(table.size).toBe(names.length);
      names.forEach((name, index) => {
        if (index % 3 !== 0) table.drop(table.get(of, name)!);
      });
      names.forEach((name, index) => {
        expect(table.get(of, name)?.shopper).toBe(index % 3 === 0 ? name : undefined);
      });
      let lastMs = -1;
      for (let due = table.due(20_000); due !== null; due = table.due(20_000)) {
        expect(due.deadlineMs).toBeGreaterThanOrEqual(lastMs);
        lastMs = due.deadlineMs;
        table.drop(due);
      }
      expect(table.size).toBe(0);
      expect(table.nextMs()).toBe(Number.POSITIVE_INFINITY);
    }
  });

  test("two shoppers with one hash and one length are two shoppers", () => {
    const table = new HoldTable<SkuState>();
    const open = { quantity: 1, priceMinor: 1, deadlineMs: 1, orderId: null, wasPinned: false };
    for (const [index, name] of ["0etfnm3v59", "0pc4cbnidx"].entries()) {
      table.add({ ...open, sku: SKUS[0]!, shopper: name, number: index + 1 });
    }
    expect(table.get(SKUS[0]!, "0pc4cbnidx")?.number).toBe(2);
    expect(table.ofShopper("0etfnm3v59").map(({ number }) => number)).toEqual([1]);
    table.drop(table.get(SKUS[0]!, "0etfnm3v59")!);
    expect(table.get(SKUS[0]!, "0pc4cbnidx")?.number).toBe(2);
  });

  test("H1: a second hold of one shopper on one SKU is a bug", () => {
    const table = new HoldTable<SkuState>();
    const hold = {
      sku: SKUS[0]!,
      shopper: "s",
      number: 1,
      quantity: 1,
      priceMinor: 1,
      deadlineMs: 1,
      orderId: null,
      wasPinned: false,
    };
    table.add(hold);
    expect(() => table.add({ ...hold, number: 2 })).toThrow("a second hold");
  });

  test("H2: holds of a SKU lie in the order of their numbers, whatever went between", () => {
    const table = new HoldTable<SkuState>();
    const open = { quantity: 1, priceMinor: 1, deadlineMs: 1, orderId: null, wasPinned: false };
    const numbers = Array.from({ length: 3_000 }, (_, index) => index + 1);
    for (const number of numbers) {
      table.add({ ...open, sku: SKUS[number % 2]!, shopper: `s${number}`, number });
      if (number % 7 === 0) continue;
      const gone = table.get(SKUS[(number - 1) % 2]!, `s${number - 1}`);
      if (gone !== null) table.drop(gone);
    }
    expect(table.size).toBeGreaterThan(300);
    for (const holds of table.bySku().values()) {
      const found = holds.map(({ number }) => number);
      expect(found).toEqual(found.toSorted((left, right) => left - right));
    }
  });

  test("what is said of a hold that was dropped is a bug", () => {
    const table = new HoldTable<SkuState>();
    const open = { quantity: 1, priceMinor: 1, deadlineMs: 1, orderId: null, wasPinned: false };
    table.add({ ...open, sku: SKUS[0]!, shopper: "first", number: 1 });
    const first = table.get(SKUS[0]!, "first")!;
    table.drop(first);
    expect(() => table.drop(first)).toThrow("dropped meanwhile");
    table.add({ ...open, sku: SKUS[0]!, shopper: "second", number: 2 });
    expect(() => table.pin(first, "order", 2)).toThrow("dropped meanwhile");
  });
});
