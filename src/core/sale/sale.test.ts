import { describe, expect, test } from "bun:test";

import { configureOf, type Sale, type SaleSku, saleStateOf } from "./sale.ts";

const SALE: Sale = {
  saleId: "drop",
  merchantId: "m1",
  title: "The Drop",
  currency: "INR",
  timeZone: "Asia/Kolkata",
  startsAtMs: 1_000,
  endsAtMs: 2_000,
  holdMs: 300_000,
  payMs: 600_000,
  groups: { phone: { limitPerShopper: 3 } },
  phase: "live",
  version: 4,
};

const SKU: SaleSku = {
  sku: "a",
  title: "A",
  priceMinor: 100,
  stock: 7,
  limitPerShopper: 2,
  group: null,
};

describe("the state of a sale, computed at a time; rows in order of precedence", () => {
  test.each([
    ["a draft whatever its time", { version: 0 }, 1_500, "draft"],
    ["cancelled, before the start", { phase: "cancelled" }, 0, "cancelled"],
    ["cancelled, after the end", { phase: "cancelled" }, 9_000, "cancelled"],
    ["ended by hand, before the start", { phase: "ended" }, 0, "ended"],
    ["over at its end, to the millisecond", {}, 2_000, "ended"],
    ["over, also while it is paused", { phase: "paused" }, 2_000, "ended"],
    ["open until then", {}, 1_999, "open"],
    ["scheduled until its start", {}, 999, "scheduled"],
    ["scheduled, also while it is paused", { phase: "paused" }, 999, "scheduled"],
    ["open at its start, to the millisecond", {}, 1_000, "open"],
    ["paused in its window", { phase: "paused" }, 1_500, "paused"],
  ] as const)("%s", (_, change, nowMs, state) => {
    expect(saleStateOf({ ...SALE, ...change }, nowMs)).toBe(state);
  });
});

describe("what a SKU's owner is told", () => {
  test("the sale's rules and the SKU's", () => {
    expect(configureOf(SALE, SKU, 5)).toEqual({
      kind: "configure",
      version: 5,
      phase: "live",
      startsAtMs: 1_000,
      endsAtMs: 2_000,
      holdMs: 300_000,
      payMs: 600_000,
      limit: 2,
      priceMinor: 100,
      released: 7,
      group: null,
      groupLimit: 0,
    });
  });

  test("a group's limit comes from the sale", () => {
    expect(configureOf(SALE, { ...SKU, group: "phone" }, 5)).toMatchObject({
      group: "phone",
      groupLimit: 3,
    });
  });
});
