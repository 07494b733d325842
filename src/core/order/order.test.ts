import { describe, expect, test } from "bun:test";

import { mayStep, ORDER_STATUSES, ORDER_STEPS, type OrderStatus, totalMinorOf } from "./order.ts";

describe("the steps of an order", () => {
  test("are these and no others", () => {
    const steps = ORDER_STATUSES.flatMap((from) =>
      ORDER_STATUSES.filter((to) => mayStep(from, to)).map((to) => `${from} → ${to}`),
    );
    expect(steps).toEqual([
      "created → awaiting_payment",
      "created → failed",
      "created → cancelled",
      "awaiting_payment → paid",
      "awaiting_payment → failed",
      "awaiting_payment → refunding",
      "paid → refunding",
      "paid → fulfilled",
      "refunding → refunded",
    ]);
  });

  test("never lead back: from every state an end is reached, and no state twice", () => {
    const ends = (from: OrderStatus, seen: readonly OrderStatus[]): void => {
      expect(seen).not.toContain(from);
      for (const to of ORDER_STEPS[from]) ends(to, [...seen, from]);
    };
    for (const status of ORDER_STATUSES) ends(status, []);
  });

  test("money that was taken is given back before an order ends otherwise", () => {
    for (const from of ["paid", "refunding"] as const) {
      expect(mayStep(from, "failed")).toBe(false);
      expect(mayStep(from, "cancelled")).toBe(false);
    }
    expect(mayStep("awaiting_payment", "cancelled")).toBe(false);
  });
});

test("a total is the sum of its lines, in minor units", () => {
  expect(totalMinorOf([])).toBe(0);
  const lines = [
    { sku: "a", quantity: 2, unitPriceMinor: 1_999_900 },
    { sku: "b", quantity: 1, unitPriceMinor: 1 },
  ];
  expect(totalMinorOf(lines)).toBe(3_999_801);
});
